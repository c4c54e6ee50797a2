"""Limits of memory and time: what is hostile or huge costs its own row, and its neighbours come through."""

from __future__ import annotations

import gzip
import json
import os
import random
import resource
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from bad_inputs import _zip, cif, structure

from paraisite.crystals import Crystal, CrystalError, Rejection, guard, read, xyz
from paraisite.crystals.budget import MEMORY, check_json
from paraisite.crystals.check import check
from paraisite.crystals.guard import guarded
from paraisite.crystals.read import checked
from paraisite.crystals.translations import count_translations
from paraisite.crystals.vacuum import widest_gap
from paraisite.processes.limits import limited
from paraisite.screening.raw import crystals
from paraisite.screening.sources import Files

HEADER = 'Lattice="3.3 0 0 0 3.3 0 0 0 3.3" Properties=species:S:1:pos:R:3 pbc="T T T"'
FRAME = f"1\n{HEADER}\nPo 0 0 0\n"


@pytest.fixture
def in_time() -> Iterator[None]:
    """Fails a test that takes more than 20 s of a processor."""
    start = time.process_time()
    yield
    assert time.process_time() - start < 20


def reasons(path: Path) -> list[str]:
    return [item.reason if isinstance(item, Rejection) else "" for item in read([path])]


def peak(path: Path) -> int:
    """Peak of memory of a process that reads a file, in bytes, above that of one that reads nothing."""
    code = (
        "import resource, sys; from paraisite.crystals import read; list(read(sys.argv[1:]));"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    )

    def run(*arguments: str) -> int:
        limit = 6 << 30
        done = subprocess.run(
            [sys.executable, "-c", code, *arguments],
            capture_output=True,
            text=True,
            check=True,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (limit, limit)),
        )
        return int(done.stdout) * (1 if sys.platform == "darwin" else 1024)

    return run(str(path)) - run()


# memory


def _json_bomb(folder: Path) -> Path:
    path = folder / "bomb.json.gz"
    path.write_bytes(gzip.compress(b"[" + b"[]," * 30_000_000 + b"[]]", 1))
    return path


def _xyz_bomb(folder: Path) -> Path:
    path = folder / "bomb.xyz.gz"
    line = b"Po 0 0 0" + b" 1" * 50_000 + b"\n"
    path.write_bytes(gzip.compress(f"4000\n{HEADER}\n".encode() + line * 4000, 1))
    return path


def _ase_bomb(folder: Path) -> Path:
    path = folder / "bomb.json"
    many = {"__ndarray__": [[150_000_000, 3], "float64", [0.0]]}
    row = {"numbers": {"__ndarray__": [[1], "int64", [1]]}, "positions": many, "cell": np.eye(3).tolist()}
    path.write_text(json.dumps({"1": row, "ids": [1], "nextid": 2}))
    return path


@pytest.mark.slow
@pytest.mark.parametrize("bomb", [_json_bomb, _xyz_bomb, _ase_bomb])
def test_bombs_take_little_memory(bomb: object, tmp_path: Path) -> None:
    path = bomb(tmp_path)  # type: ignore[operator]
    assert peak(path) < MEMORY
    assert all(reasons(path))


@pytest.mark.parametrize("text", ["[]," * 9_000_000, '{"a":0},' * 6_000_000, '"' * 1_000 + "[[[[" * 5_000_000])
def test_json_of_many_objects_from_few_bytes_is_refused(text: str) -> None:
    with pytest.raises(CrystalError, match=r"GiB of memory.*JSON Lines"):
        check_json(text, 100_000)
    check_json(text[:1_000_000], 1000)


def test_long_frame_costs_its_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xyz, "MAX_FRAME", 1000)
    path = tmp_path / "a.xyz"
    path.write_text(FRAME + f"1\n{HEADER}\nPo 0 0 0{' 1' * 1000}\n" + FRAME)
    assert [bool(r) for r in reasons(path)] == [False, True, False]


# time


@pytest.mark.usefixtures("in_time")
def test_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.cif")
    os.mkfifo(tmp_path / "b.zip")
    (tmp_path / "c.cif").write_text(cif())
    items = list(read([tmp_path, tmp_path / "a.cif", str(tmp_path / "*.zip")]))
    assert [isinstance(item, Crystal) for item in items] == [False, False, True, False, False]
    assert all("pipe" in item.reason for item in items if isinstance(item, Rejection))
    assert len(list(Files((str(tmp_path),)).raw())) == 3


@pytest.mark.usefixtures("in_time")
def test_view_without_an_end_is_no_table(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    connection = sqlite3.connect(path)
    connection.execute(
        "create view systems as with recursive n(id) as (select 1 union all select id + 1 from n) select id from n"
    )
    connection.commit()
    connection.close()
    assert reasons(path) == ["the SQLite file holds no rows of an ASE database; write one with ase.db"]


def test_database_is_read_as_ase_reads_it(tmp_path: Path) -> None:
    from ase.build import bulk
    from ase.db import connect

    path = tmp_path / "a.db"
    database = connect(path)
    database.write(bulk("NaCl", "rocksalt", a=5.64), mp_id="mp-22862", data={"forces": np.zeros((2, 3))})
    database.write(bulk("Cu"), data={"material_id": "mp-30", "array": np.arange(5)})
    before = path.stat().st_mtime_ns
    first, second = read([path])
    assert isinstance(first, Crystal)
    assert isinstance(second, Crystal)
    assert (first.id, second.id) == ("mp-22862", "mp-30")
    np.testing.assert_allclose(first.positions @ first.cell, bulk("NaCl", "rocksalt", a=5.64).positions, atol=1e-12)
    assert path.stat().st_mtime_ns == before


@pytest.mark.usefixtures("in_time")
@pytest.mark.parametrize(
    ("box", "n", "says"),
    [
        ((12.0, 12.0, 12.0), 17, "closer|neighbours within"),  # dense
        ((1000.0, 1000.0, 1000.0), 17, "overlap|neighbours within"),  # and in a corner of the cell
    ],
)
def test_dense_cells_are_refused_soon(box: tuple[float, ...], n: int, says: str) -> None:
    grid = np.indices((n, n, n)).reshape(3, -1).T * 0.7 / np.array(box)
    with pytest.raises(CrystalError, match=says):
        check(np.diag(box), np.full(len(grid), 14), grid)


@pytest.mark.usefixtures("in_time")
def test_skewed_cell_is_the_same_crystal() -> None:
    from paraisite.graphs.neighbours import find_neighbours

    grid = np.indices((6, 6, 6)).reshape(3, -1).T / 6
    cell = np.eye(3) * 18.0
    skew = np.array([[1, 0, 0], [40, 1, 0], [-70, 90, 1]])
    plain = Crystal(cell, np.full(216, 14), grid)
    other = Crystal(skew @ cell, plain.numbers, grid @ np.linalg.inv(skew))
    check(other.cell, other.numbers, other.positions)
    one, two = find_neighbours(plain, 4.0), find_neighbours(other, 4.0)
    np.testing.assert_allclose(np.sort(one.distance), np.sort(two.distance), atol=1e-6)
    apart = (other.positions[two.src] + two.shift - other.positions[two.dst]) @ other.cell
    np.testing.assert_allclose(np.linalg.norm(apart, axis=1), two.distance, atol=1e-6)


@pytest.mark.usefixtures("in_time")
def test_deep_folders_are_bounded(tmp_path: Path) -> None:
    (tmp_path / "a.cif").write_text(cif())
    deep = "/".join(["d"] * 1100)  # names of one letter: the whole path is shorter than a system allows
    subprocess.run(["mkdir", "-p", deep], cwd=tmp_path, check=True)
    try:
        crystal, rejection = read([tmp_path])
        several = list(read([f"{tmp_path}/**/*.cif"]))
    finally:  # pytest's own way of removing folders is not made for these
        subprocess.run(["rm", "-r", "d"], cwd=tmp_path, check=True)
    assert isinstance(crystal, Crystal)
    assert isinstance(rejection, Rejection)
    assert "nested more than 200 deep" in rejection.reason
    assert several


def test_slow_item_costs_its_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(guard, "SECONDS", 0.3)
    make = xyz._crystal

    def slow(frame: list[str] | str, id: str, source: str) -> Crystal:
        while id == "a-1":
            pass
        return make(frame, id, source)

    monkeypatch.setattr(xyz, "_crystal", slow)
    path = tmp_path / "a.xyz"
    path.write_text(FRAME * 3)
    assert reasons(path) == ["", "it takes longer than 0.3 s; give a smaller (primitive) cell or a smaller file", ""]


def test_limits_of_time_nest() -> None:
    def forever() -> Crystal:
        while True:
            pass

    start = time.monotonic()
    with limited(20), limited(0.2):
        assert isinstance(guarded("a", "a", forever), Rejection)
    assert time.monotonic() - start < 5
    time.sleep(0.3)  # no alarm is left


# one item


@pytest.mark.parametrize(
    "beside", ["occupancy=1.0", "occupancy=abc", 'stress="1 2 3"', "virial=5", 'spacegroup="_JSON {"']
)
def test_metadata_of_a_familiar_name_costs_nothing(beside: str, tmp_path: Path) -> None:
    path = tmp_path / "a.xyz"
    path.write_text(FRAME + FRAME.replace("pbc=", f"{beside} pbc=") + FRAME)
    assert reasons(path) == ["", "", ""]


def test_whatever_a_reader_meets_costs_its_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make = xyz._crystal

    def broken(frame: list[str] | str, id: str, source: str) -> Crystal:
        return make(frame, id, source) if id != "a-1" else {}["key"]  # type: ignore[return-value]

    monkeypatch.setattr(xyz, "_crystal", broken)
    path = tmp_path / "a.xyz"
    path.write_text(FRAME * 3)
    found = reasons(path)
    assert [bool(reason) for reason in found] == [False, True, False]
    assert "KeyError" not in found[1]


@pytest.mark.parametrize(
    "damage",
    [
        {"lattice": None},
        {"lattice": {"matrix": "abc"}},
        {"sites": "abc"},
        {"sites": [None]},
        {"sites": [{"species": None, "abc": [0, 0, 0]}]},
        {"sites": [{"species": [None], "abc": [0, 0, 0]}]},
        {"sites": [{"species": [{"element": None, "occu": 1}], "abc": [0, 0, 0]}]},
        {"sites": [{"species": [{"element": "Po", "occu": [1]}], "abc": [0, 0, 0]}]},
        {"sites": [{"species": [{"element": "Po", "occu": 1}], "abc": None}]},
    ],
)
def test_damaged_json_is_explained_in_plain_words(damage: dict[str, object], tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text(json.dumps([structure(), {"structure": {**structure(), **damage}}, structure("Cu")]))
    first, reason, last = reasons(path)
    assert (first, last) == ("", "")
    assert reason
    assert not any(word in reason for word in ("Error", "NoneType", "object", "subscriptable", "please report"))


def test_damaged_zips_are_read_alike_by_predict_and_screen(tmp_path: Path) -> None:
    path = _zip(tmp_path / "a.zip", {f"{i}.cif": cif(name=f"c{i}") for i in range(4)})
    good = path.read_bytes()
    generator = random.Random(1)
    for _ in range(150):
        data = bytearray(good)
        for _ in range(generator.randint(1, 3)):
            data[generator.randrange(len(data))] ^= 1 << generator.randrange(8)
        path.write_bytes(data)
        one = [(item.id, item.source, getattr(item, "reason", "")) for item in read([path])]
        raws = list(Files((str(path),)).raw())
        two = [(item.id, item.source, getattr(item, "reason", "")) for raw in raws for item in crystals(raw, "reject")]
        assert one == two


# large cells


def _supercell(n: int) -> Crystal:
    """A rock-salt crystal of 8 n³ sites."""
    grid = np.indices((2 * n, 2 * n, 2 * n)).reshape(3, -1).T
    return Crystal(np.eye(3) * 4.2 * n, np.where(grid.sum(axis=1) % 2, 12, 8), grid / (2 * n))


@pytest.mark.usefixtures("in_time")
def test_translations_of_large_cells_are_found_soon() -> None:
    crystal = _supercell(8)
    generator = np.random.default_rng(0)
    assert crystal.n_sites == 4096
    assert count_translations(crystal, 0.01) == 2048
    alloy = Crystal(crystal.cell, generator.permutation(crystal.numbers), crystal.positions)
    assert count_translations(alloy, 0.01) == 1
    swapped = crystal.numbers.copy()
    swapped[[0, 1]] = swapped[[1, 0]]
    assert count_translations(Crystal(crystal.cell, swapped, crystal.positions), 0.01) == 1
    noise = generator.normal(0, 1e-3, crystal.positions.shape) @ np.linalg.inv(crystal.cell)
    assert count_translations(Crystal(crystal.cell, crystal.numbers, crystal.positions + noise), 0.01) == 2048


@pytest.mark.usefixtures("in_time")
def test_check_of_a_large_cell() -> None:
    crystal = _supercell(8)
    assert checked(crystal) is crystal
    positions = crystal.positions.copy()
    positions[7] = positions[4000] + 0.001
    with pytest.raises(CrystalError, match=r"site 8 .* and site 4001 .* overlap, 0\.06 Å"):
        check(crystal.cell, crystal.numbers, positions)


# vacuum


@pytest.mark.parametrize("seed", range(20))
def test_gap_is_found_in_any_cell(seed: int) -> None:
    generator = np.random.default_rng(seed)
    cell = np.array([[2.46, 0, 0], [-1.23, 2.1304, 0], [0, 0, 20.0]])
    cell[:2] *= generator.integers(1, 8)
    cell[2, :2] += generator.random(2) * 10
    positions = np.column_stack([generator.random((9, 2)), np.full(9, 0.5)]) + generator.random(3)
    change = np.eye(3)
    for _ in range(5):
        i, j = generator.choice(3, 2, replace=False)
        change[i] += generator.integers(-2, 3) * change[j]
    assert widest_gap(change @ cell, positions @ np.linalg.inv(change)) == pytest.approx(20.0, abs=1e-6)


def test_ordinary_cells_have_no_gap() -> None:
    assert widest_gap(np.diag([3.0, 3.0, 7.9]), np.zeros((1, 3))) == 0.0
    layers = np.array([[0, 0, z] for z in (0.1, 0.2, 0.3, 0.6, 0.7, 0.8)])
    assert widest_gap(np.diag([3.0, 3.0, 13.0]), layers) < 4.0


@pytest.mark.parametrize("name", ["wire.vasp", "molecule.xyz", "slab.json", "slab.cif"])
def test_vacuum_is_refused_in_every_format(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    if name.endswith("vasp"):
        path.write_text("wire\n1.0\n15 0 0\n0 15 0\n0 0 2.5\nAl\n1\nDirect\n0 0 0\n")
    elif name.endswith("xyz"):
        path.write_text(f"2\n{HEADER.replace('3.3', '15')}\nO 0 0 0\nC 1.13 0 0\n")
    elif name.endswith("json"):
        path.write_text(json.dumps({**structure(), "lattice": {"matrix": [[3, 0, 0], [0, 3, 0], [0, 0, 15]]}}))
    else:
        path.write_text(cif("Na1 Na 0 0 0 1", a="20", group=""))
    assert "without atoms" in reasons(path)[0]
    assert isinstance(next(read([path], vacuum=True)), Crystal)


def test_white_space_is_seen_through_in_no_time(tmp_path: Path) -> None:
    path = tmp_path / "a.gz"
    path.write_bytes(gzip.compress(b"\n " * (1 << 16)))
    begin = time.process_time()
    (found,) = read([path])
    assert isinstance(found, Rejection)
    assert time.process_time() - begin < 5  # quadratic in what is looked at: 10 s and more
