"""Crystals of a shortlist: found where they were read, wherever that is, and written so that they can be read."""

from __future__ import annotations

import dataclasses
import os
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from paraisite.crystals import Crystal, read
from paraisite.crystals.write_cif import cif_text
from paraisite.files import arrow
from paraisite.graphs.store import METADATA
from paraisite.screening import structures
from paraisite.screening.structures import find_structures, write_cifs


def row(crystal: Any) -> dict[str, Any]:
    return {name: getattr(crystal, name) for name in ("id", "source", "formula", "n_sites")}


@pytest.fixture
def files(tiny_dataset: Path) -> list[Path]:
    return sorted(tiny_dataset.glob("*.cif"))[:5]


def in_zip(files: list[Path], folder: Path) -> Path:
    path = folder / "some.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for file in files:
            archive.write(file, f"inner/{file.name}")
    return path


def in_tar(files: list[Path], folder: Path) -> Path:
    path = folder / "some.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for file in files:
            archive.add(file, file.name)
    return path


def in_blocks(files: list[Path], folder: Path) -> Path:
    path = folder / "so#me.cif"
    path.write_text("".join(file.read_text() for file in files))
    return path


def in_xyz(files: list[Path], folder: Path) -> Path:
    import ase.io

    path = folder / "some.extxyz"
    ase.io.write(path, [c.to_ase() for c in read(files) if isinstance(c, Crystal)], format="extxyz")
    return path


def in_db(files: list[Path], folder: Path) -> Path:
    from ase.db import connect

    path = folder / "some.db"
    with connect(path) as database:
        for crystal in read(files):
            assert isinstance(crystal, Crystal)
            database.write(crystal.to_ase())
    return path


@pytest.mark.parametrize("pack", [in_zip, in_tar, in_blocks, in_xyz, in_db])
def test_found_at_their_source(pack: Any, files: list[Path], tmp_path: Path) -> None:
    there = list(read([pack(files, tmp_path)]))
    assert len(there) == 5
    wanted = [there[3], there[0], there[3]]
    found = find_structures([row(c) for c in wanted])
    for crystal, source in zip(found, wanted, strict=True):
        assert isinstance(crystal, Crystal)
        assert isinstance(source, Crystal)
        assert crystal.source == source.source
        assert (crystal.cell == source.cell).all()
        assert (crystal.positions == source.positions).all()


def test_only_what_is_wanted_is_parsed(files: list[Path], tmp_path: Path) -> None:
    files[1] = tmp_path / "bad.cif"
    files[1].write_text("data_x\n_cell_length_a nonsense")
    there = list(read([in_zip(files, tmp_path)]))
    assert [c is None for c in find_structures([row(there[0]), row(there[1]), row(there[2])])] == [False, True, False]


def test_crystals_that_moved_are_found_by_id(files: list[Path], tmp_path: Path) -> None:
    archive = in_zip(files, tmp_path)
    rows = [row(c) for c in read([archive])]
    moved = archive.rename(tmp_path / "moved.zip")
    assert find_structures(rows) == [None] * 5
    assert [c.id for c in find_structures(rows, [str(moved)]) if c] == [r["id"] for r in rows]
    assert [c.id for c in find_structures(rows, [str(files[0].parent)]) if c] == [r["id"] for r in rows]


def test_another_crystal_of_that_name_is_not_taken(files: list[Path]) -> None:
    wanted = row(next(iter(read([files[0]]))))
    assert find_structures([wanted])[0] is not None
    assert find_structures([wanted | {"formula": "MgO"}], [str(files[0].parent)]) == [None]
    assert find_structures([wanted | {"n_sites": 99}], [str(files[0].parent)]) == [None]


def test_found_in_a_graph_store(files: list[Path], tmp_path: Path) -> None:
    from paraisite.screening.packing import Packing
    from paraisite.screening.run import How, pack
    from paraisite.screening.sources import Files

    archive = in_zip(files, tmp_path)
    there = list(read([archive]))
    store = tmp_path / "store.parquet"
    pack([Files((str(archive),))], store, Packing(), How(workers=0, part_size=2))
    from pyarrow import parquet

    assert METADATA in parquet.read_schema(store).metadata
    archive.unlink()
    found = find_structures([row(there[4]), row(there[1])], [str(store)])
    for crystal, source in zip(found, (there[4], there[1]), strict=True):
        assert isinstance(crystal, Crystal)
        assert isinstance(source, Crystal)
        assert (crystal.positions == source.positions).all()
        assert crystal.source == source.source


def test_written_crystals_are_read_again(tmp_path: Path) -> None:
    random = np.random.default_rng(2)
    made = [
        Crystal(np.eye(3) * 4 + random.normal(0, 0.3, (3, 3)), np.array([11, 17]), random.random((2, 3)), id=id)
        for id in ("mp-1", "MP-1", "../../etc/x y", ".hidden", "", "κ")
    ]
    names = write_cifs([made[0], None, *made[1:]], tmp_path / "cifs")
    assert names[:3] == ["mp-1.cif", "", "MP-1-2.cif"]
    assert len({name.casefold() for name in names if name}) == len(made)
    assert sorted(p.name for p in (tmp_path / "cifs").iterdir()) == sorted(name for name in names if name)
    assert [p.name for p in tmp_path.iterdir()] == ["cifs"]  # none went elsewhere
    for name, crystal in zip([n for n in names if n], made, strict=True):
        (again,) = read([tmp_path / "cifs" / name])
        assert isinstance(again, Crystal)
        assert (again.numbers == crystal.numbers).all()
        assert again.positions == pytest.approx(crystal.positions, abs=1e-12)
        assert again.volume == pytest.approx(crystal.volume, rel=1e-9)


def test_names_that_are_no_utf8_are_found_again(files: list[Path], tmp_path: Path) -> None:
    place = tmp_path / os.fsdecode(b"caf\xe9")
    place.mkdir()
    (place / os.fsdecode(b"\xe4.cif")).write_bytes(files[0].read_bytes())
    archive = in_zip(files[1:2], place)
    archive = archive.rename(place / os.fsdecode(b"arch\xefv.zip"))
    items = [item for item in read([place / os.fsdecode(b"\xe4.cif"), archive]) if isinstance(item, Crystal)]
    rows = arrow_rows(items)
    assert "\\udce9" in rows[0]["source"]
    assert [c is not None for c in find_structures(rows)] == [True, True]
    for path in place.iterdir():
        path.rename(tmp_path / path.name)
    assert [c is not None for c in find_structures(rows, [str(tmp_path)])] == [True, True]


def arrow_rows(crystals: list[Crystal]) -> list[dict[str, Any]]:
    """Rows as a table of predictions holds them."""
    return [
        row(c) | {name: arrow.texts([getattr(c, name)]).to_pylist()[0] for name in ("id", "source")} for c in crystals
    ]


def test_a_table_cannot_have_the_whole_disk_walked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    walked: list[str] = []
    monkeypatch.setattr(structures, "MOST_ENTRIES", 3)
    monkeypatch.setattr(structures, "Files", lambda inputs: walked.extend(inputs) or Nothing())
    for source in ("/", "/#3", "/::x.cif", str(tmp_path), os.fspath(tmp_path / "pipe")):
        if source.endswith("pipe"):
            os.mkfifo(source)
        assert find_structures([{"id": "a", "source": source, "formula": "MgO", "n_sites": 2}], noted=["/"]) == [None]
    assert walked == []
    (tmp_path / "few").mkdir()
    (tmp_path / "loop").symlink_to("/")
    gone = [{"id": "a", "source": "gone.cif", "formula": "MgO", "n_sites": 2}]
    find_structures(gone, noted=[str(tmp_path), str(tmp_path / "few"), str(tmp_path / "pipe")])
    assert walked == [str(tmp_path / "few")]


class Nothing:
    def raw(self) -> list[Any]:
        return []


def test_a_relaxed_crystal_is_taken_from_the_table(files: list[Path]) -> None:
    given = next(iter(read(files[0])))
    relaxed = dataclasses.replace(given, cell=1.01 * given.cell)
    for text, volume in ((cif_text(relaxed, "any"), 1.01**3 * given.volume), ("data_x\nloop_\n_cell", given.volume)):
        (found,) = find_structures([row(given) | {"relaxed_cif": text}])
        assert found is not None
        assert (found.id, found.source) == (given.id, given.source)
        assert found.volume == pytest.approx(volume, rel=1e-5)
