"""The registry of formats: names, suffixes and what decides between two formats."""

from __future__ import annotations

from dataclasses import replace

import pytest

from paraisite.crystals.formats import FORMATS, recognise, register, sniff, split_name, titles, without_suffix

SUFFIXES = {
    "cif": ".cif .mcif",
    "poscar": ".poscar .contcar .vasp",
    "xyz": ".xyz .extxyz",
    "json": ".json",
    "jsonl": ".jsonl .ndjson",
    "db": ".db",
    "zip": ".zip",
    "tar": ".tar .tgz .tar.gz .tar.bz2 .tar.xz",
}


def test_every_suffix_names_its_format() -> None:
    for name, suffixes in SUFFIXES.items():
        for suffix in suffixes.split():
            assert split_name(f"dir/My.name{suffix.upper()}") == ("My.name", name)
            assert split_name(suffix)[1] is None  # a hidden file
    assert sum(len(format.suffixes) for format in FORMATS.values()) == sum(len(s.split()) for s in SUFFIXES.values())
    assert split_name("a.cif.gz") == ("a", "cif")
    assert split_name("a.tar.gz") == ("a", "tar")


def test_every_format_with_a_title_is_listed() -> None:
    assert all(format.title in titles() for format in FORMATS.values())
    assert titles().startswith("CIF, POSCAR")


def test_the_suffix_decides_where_the_content_leaves_it_open() -> None:
    line = b'{"lattice": {}}\n'
    assert [recognise(line, name) for name in ("a.json", "a.jsonl", "a.cif")] == [
        FORMATS["json"],
        FORMATS["jsonl"],
        FORMATS["json"],
    ]
    assert recognise(b"words", "a.cif") is FORMATS["cif"]
    assert recognise(b"words", "a.txt") is None


def test_a_poscar_may_have_any_title() -> None:
    poscar = b"data_x\n1.0\n4 0 0\n0 4 0\n0 0 4\nSi\n1\nDirect\n0 0 0\n"
    assert sniff(poscar) == "poscar"
    assert sniff(poscar.replace(b"data_x", b"{")) == "poscar"
    assert sniff(b"data_x\n_cell_length_a 4\n") == "cif"


def test_archives_do_not_lose_their_suffix() -> None:
    assert without_suffix("mp-1.cif") == without_suffix("mp-1.VASP.gz") == "mp-1"
    assert without_suffix("mp-1.zip") == "mp-1.zip"


def test_names_and_suffixes_are_taken_once() -> None:
    for taken in (replace(FORMATS["cif"], suffixes=(".new",)), replace(FORMATS["cif"], name="new")):
        with pytest.raises(ValueError, match="taken"):
            register(taken)
    assert "new" not in FORMATS
    assert split_name("a.new")[1] is None
