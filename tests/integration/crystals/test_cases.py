"""The cases of `../shared/cases`: files as they come, from public reports of errors, each with its right answer."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest

from paraisite.crystals import Crystal, Rejection, read

ANSWERS: dict[str, list[str]] = {
    "C06": ["Cu12 | completed to the 12"],
    "C22b": ["Ti2"],
    "C23": ["Cl4 Na4"],
    "C27": ["! magnetic"],
    "C30": ["Cl4 Na4"],
    "C33": ["Mg1 O1 | dummy"],
    "C40": [r"! disordered: Nb0\.8Zr0\.2"],
    "C58": ["H4 Li4 | isotopes"],
    "C64": ["Cl4 Na4 | _cell_length_a is given twice"],
    "C71": ["O2 Zn2 | P 63 m c"],
    "C72": ["O2 Zn2 | P 63 m c"],
    "C74": ["Fe4 S8 | P a -3"],
    "C76": ["H16 O4 Ti2 | 14 operators"],
    "C82": ["O3 Sr1 Ti1 | loops"],
    "C83": ["Mg4 O4 | dummy"],
    "C85": ["! O-H"],
    "C90": ["Fe4 Gd4"],
    "C91": [r"O1 Zn1 | 5\.68.*2\.84"],
    "P04": ["! 3 elements but 2 counts"],
    "P09": ["! line 8 should say Direct or Cartesian"],
    "P20": [r"! 20\.0 Å without atoms"],
    "P28": [r"! 14\.9 Å without atoms"],
    "X01": [r"Po1 | occupancy=0\.5", "Mg1 O1"],
    "X14": [r"! site 1 is disordered: occupancy 0\.5", "Ca1 O1"],
    "J01": ["Cl1 Na1"],
    "J02": ["Cl1 Na1", "Cl1 Na1"],
    "J04": ["Mg1 O1", "Ca1 O1"],
    "J06": ["Mg1 O1", "Ca1 O1"],
    "J09": ["Mg1 O1"],
    "J11": ["Mg1 O1 | site 3 is empty"],
    "J16": ["! site 1 .*null"],
    "J19": ["H1 Li1 | isotopes"],
}
"""Of each item of a case, its content and what its notes say, or (!) the reason of its rejection."""

IDS = {"J02": ["JVASP-1", "JVASP-2"], "J06": ["mp-1265-GGA", "mp-2605-GGA"]}


@pytest.fixture(scope="module")
def cases(mirror: Path) -> dict[str, Path]:
    """Files of the cases, beside the data folder."""
    folder = mirror.parent / "cases"
    if not (folder / "cases.csv").is_file():
        pytest.skip(f"no folder of cases at {folder}")
    with (folder / "cases.csv").open(encoding="utf-8", newline="") as file:
        return {row["case"]: folder / row["file"] for row in csv.DictReader(file)}


@pytest.mark.data
def test_every_case_has_an_answer(cases: dict[str, Path]) -> None:
    assert set(cases) == set(ANSWERS)


@pytest.mark.data
@pytest.mark.parametrize("case", ANSWERS)
def test_case(case: str, cases: dict[str, Path]) -> None:
    items = list(read([cases[case]]))
    assert len(items) == len(ANSWERS[case])
    for item, answer in zip(items, ANSWERS[case], strict=True):
        content, _, note = (part.strip() for part in answer.partition("|"))
        if isinstance(item, Rejection):
            assert content.startswith("!"), item.reason
            assert re.search(content[1:].strip(), item.reason)
            assert not re.search(r"\w(Error|Exception)\b|please report", item.reason)
            continue
        assert isinstance(item, Crystal)
        assert " ".join(f"{s}{item.symbols.count(s)}" for s in sorted(set(item.symbols))) == content
        assert bool(item.notes) == bool(note), item.notes
        assert re.search(note, "; ".join(item.notes))
    if case in IDS:
        assert [item.id for item in items] == IDS[case]
