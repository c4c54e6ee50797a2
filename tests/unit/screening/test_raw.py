"""What workers read from raw inputs is what `read` gives, in the same order."""

from __future__ import annotations

import io
import pickle
import tarfile
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from bad_inputs import BAD_INPUTS, cif

from paraisite.crystals import Crystal, Rejection, read
from paraisite.screening.raw import File, Unpacked, Zipped, crystals, rejection
from paraisite.screening.sources import Files


def by_workers(*inputs: Path) -> list[Crystal | Rejection]:
    raw = pickle.loads(pickle.dumps(list(Files(tuple(map(str, inputs))).raw())))  # as it travels
    return [item for one in raw for item in crystals(one, "reject")]


def assert_same(items: list[Crystal | Rejection], others: list[Crystal | Rejection]) -> None:
    assert [(type(i), i.id, i.source) for i in items] == [(type(i), i.id, i.source) for i in others]
    for one, other in zip(items, others, strict=True):
        if isinstance(one, Crystal) and isinstance(other, Crystal):
            assert np.array_equal(one.cell, other.cell)
            assert np.array_equal(one.numbers, other.numbers)
            assert np.array_equal(one.positions, other.positions)
            assert one.notes == other.notes


@pytest.mark.parametrize("name", BAD_INPUTS)
def test_bad_inputs_are_rejected_as_ever(name: str, tmp_path: Path) -> None:
    path = BAD_INPUTS[name](tmp_path)
    expected = list(read([path]))
    found = by_workers(path)
    assert_same(found, expected)
    for one, other in zip(found, expected, strict=True):
        if isinstance(one, Rejection) and isinstance(other, Rejection) and "cannot be unpacked" not in other.reason:
            assert one.reason == other.reason


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_members_of_a_zip_are_read_in_place(method: int, tmp_path: Path) -> None:
    path = tmp_path / "some.zip"
    with zipfile.ZipFile(path, "w", method) as archive:
        for i in range(20):
            archive.writestr(f"folder/{i}-ñ.cif", cif(a=f"{5.6 + i / 100}") + "#" * 100 * i)
        archive.writestr("notes.txt", "no crystal")
    raw = list(Files((str(path),)).raw())
    assert len(raw) == 20
    assert all(isinstance(one, Zipped) for one in raw)
    assert_same(by_workers(path), list(read([path])))


def test_a_zip_behind_other_data_is_read_in_place(tmp_path: Path) -> None:
    path = tmp_path / "some.zip"
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.cif", cif())
    path.write_bytes(b"#!/bin/sh\n" + packed.getvalue())
    (raw,) = Files((str(path),)).raw()
    assert isinstance(raw, Zipped)
    (crystal,) = crystals(raw, "reject")
    assert isinstance(crystal, Crystal)


def test_a_damaged_member_costs_its_row_only(tmp_path: Path) -> None:
    path = tmp_path / "some.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name in "abc":
            archive.writestr(f"{name}.cif", cif(name=name))
    content = path.read_bytes()
    path.write_bytes(content.replace(b"data_b", b"data_x"))
    items = by_workers(path)
    assert [type(item) for item in items] == [Crystal, Rejection, Crystal]
    assert "checksum" in items[1].reason  # type: ignore[union-attr]
    assert "pack the archive again" in items[1].reason  # type: ignore[union-attr]


def test_a_packed_size_that_is_wrong_takes_no_memory(tmp_path: Path) -> None:
    path = tmp_path / "some.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.cif", cif())
    (raw,) = Files((str(path),)).raw()
    assert isinstance(raw, Zipped)
    (item,) = crystals(replace(raw, member=replace(raw.member, packed=1 << 62)), "reject")
    assert isinstance(item, Crystal)


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_members_of_a_tar_travel_unread(mode: str, tmp_path: Path) -> None:
    path = tmp_path / ("some.tar" + mode[1:].replace(":", "."))
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for i in range(5):
            content = cif(a=f"{5.6 + i / 100}").encode()
            info = tarfile.TarInfo(f"{i}.cif")
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    raw = list(Files((str(path),)).raw())
    assert [type(one) for one in raw] == [Unpacked] * 5
    assert_same(by_workers(path), list(read([path])))


def test_a_folder_gives_its_files(tmp_path: Path) -> None:
    for name in ("b.cif", "a.cif", "POSCAR.txt"):
        (tmp_path / name).write_text(cif())
    assert list(Files((str(tmp_path),)).raw())[:1] == [File(str(tmp_path / "POSCAR.txt"))]
    assert_same(by_workers(tmp_path), list(read([tmp_path])))


def test_rejection_names_the_input(tmp_path: Path) -> None:
    path = tmp_path / "some.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("in/a.cif", cif())
    (raw,) = Files((str(path),)).raw()
    assert rejection(raw, "too large") == Rejection("a", f"{path}::in/a.cif", "too large")
    (crystal,) = crystals(raw, "reject")
    assert rejection(crystal, "too large").formula == "NaCl"
