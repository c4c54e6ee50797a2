"""The table of harmonic properties: which values become targets, and what broken files say."""

from __future__ import annotations

import csv
import gzip
import json
from pathlib import Path

import numpy as np
import pytest

from paraisite.datasets import DatasetError
from paraisite.datasets.harmonic import COLUMNS, STRUCTURES, harmonic_targets, read_harmonic
from paraisite.targets import TARGETS

ROW = dict.fromkeys(COLUMNS, "2.5") | {"imag_share": "0"}


def crystal(id_: str) -> dict[str, object]:
    lattice = [[4.12, 0, 0], [0, 4.12, 0], [0, 0, 4.12]]
    return {"id": id_, "lattice": lattice, "species": ["Cs", "Cl"], "frac": [[0, 0, 0], [0.5, 0.5, 0.5]]}


def folder(path: Path, rows: list[dict[str, str]], lines: list[str]) -> Path:
    """Write the two files of a set; return its table."""
    with (path / "id_prop.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, ["id", "imag_share", *COLUMNS])
        writer.writeheader()
        writer.writerows({"id": f"mp-{i}", **row} for i, row in enumerate(rows))
    (path / STRUCTURES).write_bytes(gzip.compress("\n".join(lines).encode()))
    return path / "id_prop.csv"


def test_every_target_has_a_unit() -> None:
    assert set(COLUMNS.values()) <= set(TARGETS)


def test_a_stable_crystal() -> None:
    assert harmonic_targets(ROW) == dict.fromkeys(COLUMNS.values(), 2.5)


def test_what_is_unstable_or_not_positive_is_missing() -> None:
    assert all(np.isnan(value) for value in harmonic_targets(ROW | {"imag_share": "0.001"}).values())
    found = harmonic_targets(ROW | {"sound_long": "-3", "sound_trans": "0", "optical_min": "", "min_frequency": "-1"})
    missing = {target for target, value in found.items() if np.isnan(value)}
    assert missing == {"sound_longitudinal", "sound_transverse", "optical_min"}


def test_read(tmp_path: Path) -> None:
    lines = [json.dumps(crystal(f"mp-{i}")) for i in (2, 1, 0)]  # another order than the table
    table = folder(tmp_path, [ROW, ROW | {"imag_share": "0.2"}, ROW | {"heat_capacity_kB": "2.9"}], lines)
    data = read_harmonic(table, "made")
    assert data.ids == ("mp-0", "mp-1", "mp-2")
    assert data.formulas == ("CsCl",) * 3
    assert data.labels == {"stable": ("yes", "no", "yes")}
    np.testing.assert_array_equal(data.targets["heat_capacity_cv_atom"], [2.5, np.nan, 2.9])
    assert data[0].cell[0, 0] == 4.12
    assert data.provenance == ("made",) * 3


@pytest.mark.parametrize(
    ("rows", "lines", "reason"),
    [
        ([ROW], [json.dumps(crystal("mp-7"))], r"id_prop\.csv: no crystal or column 'mp-0'; replace"),
        ([ROW | {"max_frequency": "fast"}], [json.dumps(crystal("mp-0"))], r"id_prop\.csv: could not convert"),
        ([ROW], ['{"id": "mp-0"'], r"structures\.jsonl\.gz::line 1: not a crystal"),
        ([ROW], [json.dumps(crystal("mp-0") | {"species": ["Cs", "Xx"]})], r"line 1: not a crystal"),
        ([ROW], [json.dumps(crystal("mp-0") | {"frac": [[0, 0, 0], [0, 0, 0]]})], r"line 1: not a crystal"),
    ],
    ids=["no crystal", "no number", "no JSON", "no element", "overlap"],
)
def test_broken_files(tmp_path: Path, rows: list[dict[str, str]], lines: list[str], reason: str) -> None:
    with pytest.raises(DatasetError, match=reason):
        read_harmonic(folder(tmp_path, rows, lines), "made")


def test_broken_archives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = folder(tmp_path, [ROW], [json.dumps(crystal("mp-0"))])
    monkeypatch.setattr("paraisite.datasets.harmonic.MAX_UNPACKED", 50)
    with pytest.raises(DatasetError, match="more than 0 MiB; it is not the registered file"):
        read_harmonic(table, "made")
    content = (tmp_path / STRUCTURES).read_bytes()
    (tmp_path / STRUCTURES).write_bytes(content[:40])
    with pytest.raises(DatasetError, match="cannot be read"):
        read_harmonic(table, "made")
    (tmp_path / STRUCTURES).unlink()
    with pytest.raises(DatasetError, match=r"structures\.jsonl\.gz: cannot be read"):
        read_harmonic(table, "made")
