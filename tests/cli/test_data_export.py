"""`paraisite data export`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from typer.testing import Result

from paraisite.crystals import read
from paraisite.datasets import Dataset, load
from paraisite.datasets.store import write_dataset

Invoke = Callable[..., Result]


@pytest.mark.parametrize(
    ("format", "name"), [("extxyz", "out.extxyz"), ("ase", "out.db"), ("pymatgen", "out.json.gz"), ("id_prop", "out")]
)
def test_every_format(invoke: Invoke, tiny_dataset: Path, tmp_path: Path, format: str, name: str) -> None:
    result = invoke("data", "export", tiny_dataset, "--format", format, "-o", tmp_path / name)
    assert result.stdout == f"{tmp_path / name}: 36 crystals\n"
    assert result.stderr == ""
    ids = load(tiny_dataset).ids
    again = load(tmp_path / name).ids if format == "id_prop" else tuple(item.id for item in read([tmp_path / name]))
    assert again == ids


def test_stored_and_back(invoke: Invoke, tiny_dataset: Path, tmp_path: Path) -> None:
    dataset = load(tiny_dataset)
    stored = write_dataset(dataset, tmp_path / "stored")
    invoke("data", "export", stored, "--format", "id_prop", "-o", tmp_path / "out")
    again = load(tmp_path / "out")
    assert again.content_hash == dataset.content_hash


def test_for_other_trainers(invoke: Invoke, tiny_dataset: Path, tmp_path: Path) -> None:
    options = ("--format", "id_prop", "--loose", "--no-header", "--file-names", "--target", "bulk_modulus_vrh")
    invoke("data", "export", tiny_dataset, *options, "-o", tmp_path / "out")
    first = (tmp_path / "out" / "id_prop.csv").read_text().splitlines()[0]
    name, value = first.split(",")
    assert (tmp_path / "out" / name).is_file()
    assert float(value) == load(tiny_dataset).targets["bulk_modulus_vrh"][0]
    assert not (tmp_path / "out" / "cif.zip").exists()


def test_what_is_left_out_or_changed_is_said(invoke: Invoke, tiny_dataset: Path, tmp_path: Path) -> None:
    three = load(tiny_dataset)[[0, 0, 1]]
    missing = Dataset("three", three.crystals, {"kappa": np.array([1.0, 2.0, np.nan])}, three.provenance)
    stored = write_dataset(missing, tmp_path / "stored")
    result = invoke("data", "export", stored, "--format", "id_prop", "-o", tmp_path / "out")
    assert "2 crystals" in result.stdout
    assert "left out: 1 row without a value" in result.stderr
    assert "ids renamed, as not unique or not valid as file names: LiF -> LiF-2\n" in result.stderr


def test_wrong_usage(invoke: Invoke, tiny_dataset: Path, tmp_path: Path) -> None:
    def error(*args: object) -> str:
        return invoke("data", "export", *args, code=2).stderr

    assert "belong to --format id_prop" in error(tiny_dataset, "--format", "ase", "-o", tmp_path / "a.db", "--loose")
    assert "ends in .db" in error(tiny_dataset, "--format", "ase", "-o", tmp_path / "a.sqlite")
    assert "has no target gap" in error(tiny_dataset, "--format", "extxyz", "-o", tmp_path / "a.xyz", "--target", "gap")
    assert "neither a known dataset" in error(tmp_path / "none", "--format", "extxyz", "-o", tmp_path / "a.xyz")
    assert list(tmp_path.iterdir()) == []


def test_help_says_what_is_not_exact(invoke: Invoke) -> None:
    out = invoke("data", "export", "--help").stdout
    assert "not its orientation" in out
    assert "CGCNN" in out
    assert "ALIGNN" in out


def test_a_stored_data_set_among_crystals_is_explained(invoke: Invoke, tiny_dataset: Path, tmp_path: Path) -> None:
    from paraisite.crystals import read

    stored = write_dataset(load(tiny_dataset), tmp_path / "stored")
    (found,) = read([stored])
    assert "this is a dataset of ParAIsite: use it by its folder with paraisite evaluate, or export it" in found.reason
