"""`Origin`: the parts of a source, whatever the names of files hold."""

from __future__ import annotations

from pathlib import Path

import pytest

from paraisite.crystals.origin import Origin


@pytest.mark.parametrize(
    ("source", "parts", "stem"),
    [
        ("POSCAR", ("POSCAR", "", ""), "POSCAR"),
        ("data/mp-149.cif.gz", ("data/mp-149.cif.gz", "", ""), "mp-149"),
        ("file.json#3", ("file.json", "", "3"), "file"),
        ("x.cif#b.c", ("x.cif", "", "b.c"), "x"),
        ("x.cif#b.cif", ("x.cif", "", "b.cif"), "x"),
        ("archive.zip::deep/x.cif", ("archive.zip", "deep/x.cif", ""), "x"),
        ("archive.zip::x.cif#Si", ("archive.zip", "x.cif", "Si"), "x"),
        ("archive.zip::so#me.cif#2", ("archive.zip", "so#me.cif", "2"), "so#me"),
        ("id_prop.csv::line 12", ("id_prop.csv", "line 12", ""), "line 12"),
        ("https://example.org/a.json.gz#7", ("https://example.org/a.json.gz", "", "7"), "a"),
    ],
)
def test_parts(source: str, parts: tuple[str, str, str], stem: str) -> None:
    origin = Origin.parse(source)
    assert origin == Origin(*parts)
    assert str(origin) == source
    assert origin.stem == stem


def test_files_that_exist_count_first(tmp_path: Path) -> None:
    folder = tmp_path / "a::b#c"
    folder.mkdir()
    for name in ("so#me.cif", "x#1", "x"):
        (folder / name).touch()
    assert Origin.parse(f"{folder}/so#me.cif#4") == Origin(f"{folder}/so#me.cif", "", "4")
    assert Origin.parse(f"{folder}/x#1") == Origin(f"{folder}/x#1")
    assert Origin.parse(f"{folder}/x#2") == Origin(f"{folder}/x", "", "2")


def test_numbers_of_lines() -> None:
    assert Origin.parse("my table.csv::line 12").number == 12
    assert Origin.parse("a::b/Dataset1.pkl::row 3").number == 3
