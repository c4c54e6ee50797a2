"""`read_parts`: a file under another name than its own, part by part."""

from __future__ import annotations

import gzip
import zipfile
from pathlib import Path

import pytest

import paraisite
from paraisite.crystals import Crystal, Rejection, read
from paraisite.crystals.read import read_parts

EXAMPLE = Path(paraisite.__file__).parent / "examples" / "crystals" / "Si.cif"


def test_the_name_given_stands_in_ids_and_sources(tmp_path: Path) -> None:
    (tmp_path / "7f3a").write_bytes(gzip.compress(EXAMPLE.read_bytes()))
    ((part, crystal),) = [(p, item) for p in read_parts(tmp_path / "7f3a", "mine.cif.gz") for item in p.items]
    (expected,) = read([EXAMPLE])
    assert isinstance(crystal, Crystal)
    assert isinstance(expected, Crystal)
    assert (part.id, part.source, crystal.id, crystal.source) == ("mine", "mine.cif.gz", "mine", "mine.cif.gz")
    assert crystal.formula == expected.formula
    assert (crystal.positions == expected.positions).all()


def test_the_name_decides_where_the_content_leaves_the_format_open(tmp_path: Path) -> None:
    (tmp_path / "7f3a").write_text('{"a": 1}\n{"a": 2}\n')
    found = {name: [len(list(p.items)) for p in read_parts(tmp_path / "7f3a", name)] for name in ("x.jsonl", "x.cif")}
    assert found == {"x.jsonl": [2], "x.cif": [2]}


def test_a_part_for_each_member(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "7f3a", "w") as archive:
        for name in ("a.cif", "../b.cif", "c.txt", "d/e.cif"):
            archive.writestr(name, EXAMPLE.read_bytes())
    parts = list(read_parts(tmp_path / "7f3a", "x.zip"))
    assert [part.source for part in parts] == ["x.zip::a.cif", "x.zip::../b.cif", "x.zip::d/e.cif"]
    kinds = [type(item) for part in parts for item in part.items]
    assert kinds == [Crystal, Rejection, Crystal]


@pytest.mark.parametrize("content", [b"", b"junk", b"PK\x03\x04junk", b"\x1f\x8bjunk", b"BZhjunk", b"\0" * 300])
def test_what_cannot_be_read_is_one_row(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "7f3a").write_bytes(content)
    (item,) = [item for part in read_parts(tmp_path / "7f3a", "x.dat") for item in part.items]
    assert isinstance(item, Rejection)
    assert item.source == "x.dat"
    assert "7f3a" not in item.reason
    assert item.reason == next(iter(read_again(tmp_path, content))).reason  # type: ignore[union-attr]


def read_again(folder: Path, content: bytes) -> list[Crystal | Rejection]:
    (folder / "x.dat").write_bytes(content)
    return list(read([folder / "x.dat"]))


def test_a_file_that_is_gone_is_one_row(tmp_path: Path) -> None:
    (item,) = [item for part in read_parts(tmp_path / "none", "x.cif") for item in part.items]
    assert isinstance(item, Rejection)
    assert str(tmp_path) not in item.reason
