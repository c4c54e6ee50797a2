from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from paraisite.crystals import Crystal, Rejection
from paraisite.datasets import Dataset, DatasetError, load, registry
from paraisite.datasets.store import CARD, COLUMNS, PARQUET, is_dataset_folder, read_card, read_dataset, write_dataset

FLOATS = st.floats(-1e6, 1e6)


@st.composite
def crystals(draw: st.DrawFn) -> Crystal:
    n = draw(st.integers(1, 4))
    return Crystal(
        cell=np.array(draw(st.lists(FLOATS, min_size=9, max_size=9))).reshape(3, 3),
        numbers=np.array(draw(st.lists(st.integers(1, 94), min_size=n, max_size=n))),
        positions=np.array(draw(st.lists(FLOATS, min_size=3 * n, max_size=3 * n))).reshape(n, 3),
        id=draw(st.text(max_size=8)),
        source=draw(st.text(max_size=8)),
        notes=tuple(draw(st.lists(st.text(max_size=5), max_size=2))),
    )


NAMES = st.sampled_from(["kappa", "id", "ID", "id_", "cell", "a.b", "", "κ", "provenance"]) | st.text(max_size=6)
TEXTS = st.sampled_from(["", "agl", "ζ\0"]) | st.text(max_size=6)


@st.composite
def datasets(draw: st.DrawFn) -> Dataset:
    n = draw(st.integers(0, 4))
    values = st.lists(st.floats(), min_size=n, max_size=n)
    texts = st.lists(TEXTS, min_size=n, max_size=n).map(tuple)
    rejections = st.builds(Rejection, id=TEXTS, source=TEXTS, reason=TEXTS, n_sites=st.none() | st.integers(0, 9))
    return Dataset(
        name=draw(TEXTS),
        crystals=tuple(draw(crystals()) for _ in range(n)),
        targets={name: np.array(column) for name, column in draw(st.dictionaries(NAMES, values, max_size=3)).items()},
        provenance=draw(texts),
        rejections=tuple(draw(st.lists(rejections, max_size=2))),
        labels=draw(st.dictionaries(NAMES, texts, max_size=2)),
    )


def assert_same(found: Dataset, expected: Dataset) -> None:
    """Compare two datasets to the bit; of NaNs there is one."""
    assert found.name == expected.name
    assert found.provenance == expected.provenance
    assert found.rejections == expected.rejections
    assert found.labels == expected.labels
    assert list(found.targets) == list(expected.targets)
    for target, values in expected.targets.items():
        one_nan = np.where(np.isnan(values), np.nan, values)
        assert np.array_equal(found.targets[target].view(np.int64), one_nan.view(np.int64))
    assert len(found) == len(expected)
    for a, b in zip(found.crystals, expected.crystals, strict=True):
        assert (a.id, a.source, a.notes) == (b.id, b.source, b.notes)
        for what in ("cell", "numbers", "positions"):
            x, y = getattr(a, what), getattr(b, what)
            assert (x.dtype, x.shape, x.tobytes()) == (y.dtype, y.shape, y.tobytes())
    assert found.content_hash == expected.content_hash


@settings(deadline=None)
@given(datasets())
def test_round_trip_to_the_bit(dataset: Dataset) -> None:
    with tempfile.TemporaryDirectory() as folder:
        assert not is_dataset_folder(folder)
        write_dataset(dataset, folder)
        assert is_dataset_folder(folder)
        assert_same(read_dataset(folder), dataset)


SALT = Crystal(5.64 * np.eye(3), np.array([11, 17]), np.array([[0.0] * 3, [0.5] * 3]), "NaCl", "NaCl.cif", ("ideal",))


def salt(**changes: Any) -> Dataset:
    fields: dict[str, Any] = {
        "name": "salt",
        "crystals": (SALT, SALT),
        "targets": {"kappa": np.array([7.1, np.nan]), "id": np.array([1.0, 2.0]), "Cell": np.array([3.0, 4.0])},
        "provenance": ("l96", "mine"),
        "labels": {"fidelity": ("dft", "")},
    }
    return Dataset(**(fields | changes))


def test_other_programs_can_read_it(tmp_path: Path) -> None:
    write_dataset(salt(), tmp_path / "salt", units={"Cell": "eV"})
    table = parquet.read_table(tmp_path / "salt" / PARQUET)
    assert set(COLUMNS) < set(table.column_names)
    rows = table.to_pylist()
    assert rows[0] == {
        "id": "NaCl",
        "formula": "NaCl",
        "kappa": 7.1,
        "id_": 1.0,
        "Cell_": 3.0,
        "fidelity": "dft",
        "provenance": "l96",
        "source": "NaCl.cif",
        "notes": ["ideal"],
        "cell": (5.64 * np.eye(3)).ravel().tolist(),
        "numbers": [11, 17],
        "positions": [0.0, 0.0, 0.0, 0.5, 0.5, 0.5],
    }
    assert rows[1]["kappa"] is None
    assert {field.name: field.metadata[b"unit"] for field in table.schema if field.metadata} == {
        "kappa": b"W/m/K",
        "Cell_": b"eV",
        "cell": b"angstrom",
    }


def test_the_card(tmp_path: Path) -> None:
    dataset = salt(rejections=(Rejection("x", "id_prop.csv::line 4", "broken"),))
    folder = write_dataset(dataset, tmp_path / "a" / "salt", notes=["made up"], origin={"query": {"page": 1}})
    card = read_card(folder)
    assert (card.name, card.rows, card.content_hash) == ("salt", 2, dataset.content_hash)
    assert card.units == {"kappa": "W/m/K", "id": "", "Cell": ""}
    assert card.notes == ("made up",)
    assert card.origin == {"query": {"page": 1}}
    assert card.rejections == dataset.rejections
    assert card.citation == registry()["l96"].citation  # a row is from there, so it is to be cited
    assert card.licence == f"l96: {registry()['l96'].licence}"
    assert {"paraisite", "numpy"} < set(card.versions)
    assert read_card(write_dataset(dataset, folder, licence="CC0", citation=())).citation == ()
    assert sorted(path.name for path in folder.iterdir()) == [CARD, PARQUET]


def test_the_same_data_give_the_same_bytes(tmp_path: Path) -> None:
    first, second = (write_dataset(salt(), tmp_path / name) for name in "ab")
    assert (first / PARQUET).read_bytes() == (second / PARQUET).read_bytes()
    assert (first / CARD).read_bytes() == (second / CARD).read_bytes()


def test_names_that_are_no_unicode_are_stored_as_escapes(tmp_path: Path) -> None:
    odd = Crystal(SALT.cell, SALT.numbers, SALT.positions, id="a\udcff", source="a\udcff.cif")
    rejection = Rejection("b\udcff", "b\udcff.cif", "broken")
    stored = read_dataset(write_dataset(salt(crystals=(odd, SALT), rejections=(rejection,)), tmp_path / "salt"))
    assert stored.ids == (r"a\udcff", "NaCl")
    assert stored.rejections[0].id == "b?"


def test_what_is_no_crystal_is_not_stored(tmp_path: Path) -> None:
    for what, bad in {
        "not finite": Crystal(np.full((3, 3), np.inf), SALT.numbers, SALT.positions),
        "row 2: an atomic number": Crystal(SALT.cell, np.array([0, 17]), SALT.positions),
        "row 2: it has no sites": Crystal(SALT.cell, np.empty(0, int), np.empty((0, 3))),
        "inconsistent": Crystal(SALT.cell, SALT.numbers, np.zeros((1, 3))),
    }.items():
        with pytest.raises(DatasetError, match=rf"dataset 'salt': .*{what}.*; clean it"):
            write_dataset(salt(crystals=(SALT, bad)), tmp_path / "salt")
    assert not (tmp_path / "salt").exists()


def test_a_table_is_not_hidden_and_a_file_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "id_prop.csv").write_text("NaCl,7.1\n")
    with pytest.raises(DatasetError, match=r"holds a dataset as id_prop\.csv.*name another folder"):
        write_dataset(salt(), tmp_path)
    with pytest.raises(DatasetError, match=r"cannot be written.*name another folder"):
        write_dataset(salt(), tmp_path / "id_prop.csv")
    assert [path.name for path in tmp_path.iterdir()] == ["id_prop.csv"]


def edit(**changes: object) -> Callable[[Path], object]:
    def run(folder: Path) -> None:
        card = json.loads((folder / CARD).read_text())
        (folder / CARD).write_text(json.dumps(card | changes))

    return run


def truncate(folder: Path) -> None:
    (folder / PARQUET).write_bytes((folder / PARQUET).read_bytes()[:-100])


def flip_a_bit(folder: Path) -> None:
    content = bytearray((folder / PARQUET).read_bytes())
    content[len(content) // 3] ^= 1
    (folder / PARQUET).write_bytes(content)


def exchange(content: bytes) -> Callable[[Path], object]:
    """Put other bytes into the Parquet file, and have the card agree with them."""

    def run(folder: Path) -> None:
        import hashlib

        (folder / PARQUET).write_bytes(content)
        edit(sha256=hashlib.sha256(content).hexdigest())(folder)

    return run


def foreign(folder: Path) -> None:
    """The same columns written by another program, without our metadata."""
    table = parquet.read_table(folder / PARQUET).replace_schema_metadata(None)
    parquet.write_table(table, folder / "other")
    exchange((folder / "other").read_bytes())(folder)


def without_positions(folder: Path) -> None:
    parquet.write_table(parquet.read_table(folder / PARQUET).drop_columns("positions"), folder / "other")
    exchange((folder / "other").read_bytes())(folder)


def crash_between_the_two(folder: Path) -> None:
    """Only the Parquet file of a second writing took its name; its crystals and targets are the same."""
    other = write_dataset(salt(labels={"fidelity": ("agl", "")}), folder / "other")
    assert read_card(other).content_hash == read_card(folder).content_hash
    (other / PARQUET).replace(folder / PARQUET)


@pytest.mark.parametrize(
    ("spoil", "file", "message"),
    [
        (truncate, PARQUET, "sha256 differs"),
        (flip_a_bit, PARQUET, "sha256 differs"),
        (crash_between_the_two, PARQUET, "the writing was interrupted"),
        (lambda folder: (folder / PARQUET).unlink(), PARQUET, "does not exist, though its card does"),
        (exchange(b"PAR1 not really PAR1"), PARQUET, "not a stored dataset"),
        (exchange(b""), PARQUET, "not a stored dataset"),
        (foreign, PARQUET, "not a stored dataset"),
        (without_positions, PARQUET, "not a stored dataset .*positions"),
        (edit(rows=3), PARQUET, "other rows"),
        (edit(content_hash="0" * 64), PARQUET, "another content hash"),
        (lambda folder: (folder / CARD).unlink(), CARD, "does not exist"),
        (lambda folder: (folder / CARD).write_text('{"format": 1, "na'), CARD, "not readable JSON"),
        (lambda folder: (folder / CARD).write_bytes(b"\xff\xfe\x00{"), CARD, "not readable JSON"),
        (lambda folder: (folder / CARD).write_text("[]"), CARD, "not the card of a dataset"),
        (lambda folder: (folder / CARD).write_text('{"kind": "model"}'), CARD, r"not the card of a dataset \(format"),
        (edit(rows="many"), CARD, r"not the card of a dataset \(rows"),
        (edit(format=2, novelty=1), CARD, "format 2, this ParAIsite reads up to 1; update"),
    ],
)
def test_damage_is_named(tmp_path: Path, spoil: Callable[[Path], object], file: str, message: str) -> None:
    folder = write_dataset(salt(), tmp_path / "salt")
    spoil(folder)
    with pytest.raises(DatasetError, match=message) as caught:
        read_dataset(folder)
    assert str(caught.value).startswith(str(folder / file))
    assert any(remedy in str(caught.value) for remedy in ("make it again", "update ParAIsite"))


def test_writing_again_mends_what_a_crash_left(tmp_path: Path) -> None:
    folder = write_dataset(salt(), tmp_path / "salt")
    crash_between_the_two(folder)
    assert_same(read_dataset(write_dataset(salt(), folder)), salt())


@pytest.mark.data
def test_the_largest_set_round_trips(mirror: Path, tmp_path: Path) -> None:
    dataset = load("aflow_agl", mirror)
    assert len(dataset) == 5578
    assert_same(read_dataset(write_dataset(dataset, tmp_path / "agl")), dataset)


def test_opening_imports_nothing_heavy(tmp_path: Path) -> None:
    """Pandas, which pyarrow imports for conversions wherever it is installed, takes longer than 5578 crystals."""
    pytest.importorskip("pandas")
    folder = write_dataset(salt(), tmp_path / "salt")
    code = (
        "import sys; from paraisite.datasets.store import read_dataset; print(len(read_dataset(sys.argv[1])));"
        "print(sorted({'pandas', 'torch', 'ase', 'pymatgen', 'gemmi'} & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", code, folder], capture_output=True, text=True, check=True)
    assert run.stdout.split("\n")[:2] == ["2", "[]"]
