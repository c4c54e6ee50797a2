from __future__ import annotations

import csv
import json
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paraisite.crystals import Crystal, read
from paraisite.datasets import Dataset, DatasetError, load
from paraisite.datasets.export import Exported, export

FILES = {"extxyz": "out.xyz", "ase": "out.db", "pymatgen": "out.json.gz"}

TRICLINIC = np.array([[5.1, 0.02, -0.3], [-1.7, 4.4, 0.1], [0.6, 1.2, 6.3]])
POSITIONS = np.array([[0.1, 1 / 3, -0.25], [0.6, 0.8333333333333334, 0.3], [1e-17, -0.0, 1.02]])


def crystal(id_: str, scale: float = 1.0) -> Crystal:
    return Crystal(scale * TRICLINIC, np.array([92, 8, 6]), POSITIONS, id_)


def made(*ids: str, **changes: Any) -> Dataset:
    """One crystal for each id, with its own size, κ and a modulus that the second row lacks."""
    n = len(ids)
    fields: dict[str, Any] = {
        "name": "made",
        "crystals": tuple(crystal(id_, 1 + i / 7) for i, id_ in enumerate(ids)),
        "targets": {
            "kappa": np.array([1 / 3, 2e-5, 1e3, 0.1])[:n],
            "bulk_modulus_vrh": np.array([98.7654321, np.nan, -0.1, 3e-7])[:n],
        },
        "provenance": ("l96",) * n,
        "labels": {"fidelity": ("DFT", "", "AGL", "a b=c\\'\"{")[:n]},
    }
    return Dataset(**(fields | changes))


def crystals_of(path: Path) -> list[Crystal]:
    found = list(read([path]))
    assert all(isinstance(item, Crystal) for item in found), found
    return found  # type: ignore[return-value]


def lengths_and_angles(cell: np.ndarray) -> np.ndarray:
    """The metric, which does not depend on the orientation."""
    return cell @ cell.T


@pytest.mark.parametrize("loose", [True, False])
@pytest.mark.parametrize("file_names", [True, False])
def test_id_prop_round_trip(tmp_path: Path, loose: bool, file_names: bool) -> None:
    dataset = made("a", "mp-149", "β", "007")
    written = export(dataset, tmp_path / "out", "id_prop", loose=loose, file_names=file_names)
    assert written == Exported(tmp_path / "out", 4)
    again = load(tmp_path / "out")
    assert again.rejections == ()
    assert again.ids == dataset.ids
    for target, values in dataset.targets.items():
        assert np.array_equal(again.targets[target], values, equal_nan=True)
    for new, old in zip(again.crystals, dataset.crystals, strict=True):
        assert np.array_equal(new.numbers, old.numbers)
        assert new.positions.tobytes() == old.positions.tobytes()
        np.testing.assert_allclose(lengths_and_angles(new.cell), lengths_and_angles(old.cell), rtol=1e-12, atol=1e-12)
    # once in the orientation that CIFs imply, nothing is lost any more but the last digit of the cell
    export(again, tmp_path / "second", "id_prop")
    for second, first in zip(load(tmp_path / "second").crystals, again.crystals, strict=True):
        np.testing.assert_allclose(second.cell, first.cell, rtol=0, atol=1e-13)


@pytest.mark.parametrize("format", ["extxyz", "ase", "pymatgen"])
def test_files_round_trip(tmp_path: Path, format: Any) -> None:
    dataset = made("a", "mp-149", "007", "β and 'γ' = \"δ\"\\\n\t{x}")
    path = tmp_path / "new" / FILES[format]
    assert export(dataset, path, format) == Exported(path, 4)
    again = crystals_of(path)
    assert [crystal.id for crystal in again] == list(dataset.ids)
    for new, old in zip(again, dataset.crystals, strict=True):
        assert np.array_equal(new.numbers, old.numbers)
        assert new.cell.tobytes() == old.cell.tobytes()
        if format == "pymatgen":
            assert new.positions.tobytes() == old.positions.tobytes()
        else:
            np.testing.assert_allclose(new.positions, old.positions, rtol=0, atol=1e-12)
    assert [file.name for file in path.parent.iterdir()] == [path.name]


TEXT = st.text(max_size=6) | st.sampled_from(["T", "nan", "1e5", "1 2 3", "_JSON x", "", "=", "007", "true"])
VALUES = st.floats(allow_nan=False, allow_infinity=False)


@pytest.mark.parametrize("format", ["extxyz", "ase"])
@settings(deadline=None, max_examples=50)
@given(id_=TEXT, label=TEXT, value=VALUES)
def test_odd_texts_and_all_values_survive_in_ase(format: Any, id_: str, label: str, value: float) -> None:
    """Any id, label and number comes back from ASE as it was, whatever ASE's parser would make of the bare text."""
    from ase.db import connect
    from ase.io import read as ase_read

    targets = {"kappa": np.array([value]), "stress": np.array([2.0]), "structure": np.array([3.0])}
    dataset = made(id_, targets=targets, labels={"fidelity": (label,)})
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / FILES[format]
        export(dataset, path, format)
        found = ase_read(path).info if format == "extxyz" else connect(path).get(1).data
        assert found["material_id"] == id_
        assert found.get("fidelity", "") == label
        assert (found["kappa"], found["stress_"], found["structure_"]) == (value, 2.0, 3.0)
        assert crystals_of(path)[0].id == (id_ or ("out-1" if format == "ase" else "out"))


def test_ase_can_search_it(tmp_path: Path) -> None:
    from ase.db import connect

    targets = {"kappa": np.array([3.0, np.nan, 30.0]), "energy": np.array([1.0, 2.0, 3.0])}
    export(made("a", "b", "007", targets=targets), tmp_path / "out.db", "ase")
    database = connect(tmp_path / "out.db")
    assert [row.material_id for row in database.select("kappa<10")] == ["a"]
    assert [row.id for row in database.select("kappa")] == [1, 3]
    assert "energy" not in database.get(1).key_value_pairs  # a reserved word, so it stands in the data alone
    assert [row.data["energy"] for row in database.select()] == [1.0, 2.0, 3.0]
    assert database.get(3).data["material_id"] == "007"


def test_monty_gives_structures_and_targets(tmp_path: Path) -> None:
    """As matgl wants them: a list of structures, and lists of labels."""
    from monty.serialization import loadfn

    dataset = made("a", "b")
    export(dataset, tmp_path / "out.json.gz", "pymatgen")
    records = loadfn(tmp_path / "out.json.gz")
    for record, old in zip(records, dataset.crystals, strict=True):
        assert record["structure"] == old.to_pymatgen()
    assert [record["kappa"] for record in records] == dataset.kappa.tolist()
    assert "bulk_modulus_vrh" not in records[1]
    assert [record["fidelity"] for record in records] == ["DFT", ""]
    assert [record["provenance"] for record in records] == ["l96", "l96"]
    export(dataset, tmp_path / "out.json", "pymatgen")
    assert json.loads((tmp_path / "out.json").read_text())[0]["material_id"] == "a"


@pytest.mark.filterwarnings("ignore:Issues encountered while parsing CIF")  # 1e-17 becomes 0
def test_cgcnn_can_read_it(tmp_path: Path) -> None:
    """Follow CGCNN's `CIFData`: two columns, no header, `ID.cif` beside the table, read (and sorted) by pymatgen."""
    from pymatgen.core import Structure

    dataset = made("a", "b", "c")
    options = {"targets": ["bulk_modulus_vrh"], "header": False, "loose": True}
    written = export(dataset, tmp_path / "out", "id_prop", **options)
    assert written == Exported(tmp_path / "out", rows=2, left_out=1)  # b has no value
    with (tmp_path / "out" / "id_prop.csv").open() as stream:
        rows = list(csv.reader(stream))
    assert [float(value) for _, value in rows] == [98.7654321, -0.1]
    for (id_, _), old in zip(rows, (dataset[0], dataset[2]), strict=True):
        structure = Structure.from_file(tmp_path / "out" / f"{id_}.cif")
        expected = old.to_pymatgen().get_sorted_structure()
        assert structure.species == expected.species
        assert structure.lattice.parameters == pytest.approx(expected.lattice.parameters, abs=1e-12)
        assert np.abs(structure.distance_matrix - expected.distance_matrix).max() < 1e-10


def test_alignn_can_read_it(tmp_path: Path) -> None:
    """Follow ALIGNN's `train_for_folder`: the first column is the file, all others are numbers."""
    from ase.io import read as ase_read

    export(made("a", "b"), tmp_path / "out", "id_prop", targets=["kappa"], header=False, loose=True, file_names=True)
    with (tmp_path / "out" / "id_prop.csv").open() as stream:
        rows = list(csv.reader(stream))
    assert [[float(cell) for cell in row[1:]] for row in rows] == [[1 / 3], [2e-5]]
    for name, *_ in rows:
        assert ase_read(tmp_path / "out" / name).numbers.tolist() == [92, 8, 6]


def test_ids_that_cannot_be_file_names_are_changed(tmp_path: Path) -> None:
    ids = ["a/b", "../../etc/passwd", "", ".hidden", "# no comment", "x.cif", "Twin", "twin", "a_b", "kappa", "l" * 300]
    ids += ["tab\there", " end ", "c\udcff", "nul\0", "__MACOSX", "id"]
    dataset = made(*ids, targets={"kappa": np.arange(1.0, len(ids) + 1)}, labels={})
    for header in (True, False):
        written = export(dataset, tmp_path / f"out{header}", "id_prop", header=header)
        assert len(written.renamed) == len(ids) - 1  # all but Twin; a_b is taken by a/b
        again = load(tmp_path / f"out{header}")
        assert again.rejections == ()
        assert again.kappa.tolist() == dataset.kappa.tolist()
        assert again.ids[0] == "a_b"
        assert again.ids[6:8] == ("Twin", "twin-2")
    with zipfile.ZipFile(tmp_path / "outTrue" / "cif.zip") as archive:
        assert not [name for name in archive.namelist() if "/" in name or ".." in name.removesuffix(".cif")[:2]]
        assert {info.external_attr >> 16 for info in archive.infolist()} == {0o644}


@pytest.mark.parametrize("format", ["id_prop", "extxyz", "pymatgen"])
def test_the_same_data_give_the_same_bytes(tmp_path: Path, format: Any) -> None:
    for name in ("first", "second"):
        export(made("a", "b"), tmp_path / name / FILES.get(format, "out"), format)
    first, second = (sorted(p for p in (tmp_path / name).rglob("*") if p.is_file()) for name in ("first", "second"))
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda p: export(made("a"), p / "out.xyz", "extxyz", targets=["gap"]), r"no target gap; it has kappa, bulk"),
        (lambda p: export(made("a"), p / "out.cif", "extxyz"), r"ends in \.xyz or \.extxyz"),
        (lambda p: export(made("a"), p / "out.db.gz", "ase"), r"ends in \.db"),
        (lambda p: export(made("a"), p / "out", "yaml"), "unknown format; choose from id_prop"),
        (lambda p: export(made("a"), p / "used", "id_prop"), "exists already; name a new"),
        (lambda p: export(made("a"), p / "used" / "file", "id_prop"), "exists already; name a new"),
        (lambda p: export(made("a"), p / "used" / "file" / "out.xyz", "extxyz"), "cannot be written"),
        (
            lambda p: export(made("a"), p / "out", "id_prop", header=False),
            "holds one target; choose one of kappa, bulk",
        ),
        (lambda p: export(made("a", targets={}), p / "out", "id_prop"), "has no targets"),
        (lambda p: export(made("a", targets={"kappa": [np.nan]}), p / "out", "id_prop"), "no row has a value of kappa"),
        (lambda p: export(made("a", targets={"n_sites": [1.0]}), p / "out", "id_prop"), "cannot hold .*'n_sites'"),
        (lambda p: export(made("a", targets={"a\nb": [1.0]}), p / "out", "id_prop"), "cannot hold a target"),
    ],
)
def test_what_cannot_be_written_is_said(tmp_path: Path, call: Callable[[Path], object], message: str) -> None:
    (tmp_path / "used").mkdir()
    (tmp_path / "used" / "file").write_text("mine")
    with pytest.raises(DatasetError, match=message):
        call(tmp_path)
    assert [path.name for path in tmp_path.rglob("*")] == ["used", "file"]
    assert (tmp_path / "used" / "file").read_text() == "mine"


def test_an_empty_folder_is_filled_and_a_file_replaced(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    export(made("a"), tmp_path / "out", "id_prop")
    assert len(load(tmp_path / "out")) == 1
    for ids in (("a",), ("a", "b")):
        for format, name in FILES.items():
            export(made(*ids), tmp_path / name, format)  # type: ignore[arg-type]
            assert len(crystals_of(tmp_path / name)) == len(ids)


def test_nothing_is_left_of_an_export_that_fails(tmp_path: Path) -> None:
    broken = Crystal(TRICLINIC, np.array([92, 999]), POSITIONS[:2], "b")  # no such element
    for format, name in {"id_prop": "out", **FILES}.items():
        with pytest.raises((IndexError, KeyError, ValueError)):
            export(made("a", "b", crystals=(crystal("a"), broken)), tmp_path / name, format)  # type: ignore[arg-type]
    assert list(tmp_path.iterdir()) == []


def test_id_prop_of_another_property_gains_no_kappa(tmp_path: Path) -> None:
    dataset = made("a", targets={"bulk_modulus_vrh": np.array([98.7654321])})
    export(dataset, tmp_path / "out", "id_prop")
    assert set(load(tmp_path / "out").targets) == {"bulk_modulus_vrh"}


@pytest.mark.data
@pytest.mark.parametrize("name", ["l96", "hh143"])
def test_named_sets_keep_their_content(mirror: Path, tmp_path: Path, name: str) -> None:
    dataset = load(name, mirror)
    export(dataset, tmp_path / "out", "id_prop")
    assert load(tmp_path / "out").content_hash == dataset.content_hash
    export(dataset, tmp_path / "out.json.gz", "pymatgen")
    crystals = tuple(crystals_of(tmp_path / "out.json.gz"))
    assert Dataset(name, crystals, dataset.targets, dataset.provenance).content_hash == dataset.content_hash


def test_empty_labels_are_left_out_of_extxyz(tmp_path: Path) -> None:
    export(made("a", "b", labels={"flags": ("", "odd")}), tmp_path / "x.xyz", "extxyz")
    lines = [line for line in (tmp_path / "x.xyz").read_text().splitlines() if line.startswith("Lattice=")]
    assert ["flags=" in line for line in lines] == [False, True]
