"""`paraisite data merge`."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from typer.testing import Result

from paraisite.datasets import Dataset, load
from paraisite.datasets.store import read_card, read_dataset, write_dataset

Invoke = Callable[..., Result]


@pytest.fixture
def other(tiny_dataset: Path, tmp_path: Path) -> Path:
    """Six of the 36 crystals with values of their own, and a further target."""
    some = load(tiny_dataset).take(range(6))
    targets = {"kappa": some.kappa * 4, "debye_temperature": np.arange(100.0, 700.0, 100.0)}
    return write_dataset(Dataset("other", some.crystals, targets, ("other",) * 6), tmp_path / "other")


def test_prefer(invoke: Invoke, tiny_dataset: Path, other: Path, tmp_path: Path) -> None:
    result = invoke("data", "merge", tiny_dataset, other, "-o", tmp_path / "both")
    assert "42 rows, 6 crystals in several datasets, 36 rows remain" in result.stdout
    merged = read_dataset(tmp_path / "both")
    assert merged.name == "both"
    assert merged.kappa.tolist() == load(tiny_dataset).kappa.tolist()
    invoke("data", "merge", tiny_dataset, other, "-o", tmp_path / "turned", "--prefer", "other", "--name", "better")
    turned = read_dataset(tmp_path / "turned")
    assert turned.name == "better"
    assert turned.provenance == ("rocksalts",) * 30 + ("other",) * 6
    with (tmp_path / "turned" / "merging.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["action"] for row in rows] == ["dropped"] * 6 + ["kept"] * 36


def test_median_and_keep_all(invoke: Invoke, tiny_dataset: Path, other: Path, tmp_path: Path) -> None:
    invoke("data", "merge", tiny_dataset, other, "-o", tmp_path / "median", "--policy", "median", "--workers", 1)
    kappa = load(tiny_dataset).kappa
    assert read_dataset(tmp_path / "median").kappa == pytest.approx(np.append(kappa[:6] * 2, kappa[6:]))
    result = invoke("data", "merge", tiny_dataset, other, "-o", tmp_path / "all", "--policy", "keep-all")
    assert "note: 6 ids occur in two datasets" in result.stdout
    assert len(read_dataset(tmp_path / "all")) == 42


def test_by_id(invoke: Invoke, tiny_dataset: Path, other: Path, tmp_path: Path) -> None:
    invoke("data", "merge", tiny_dataset, other, "-o", tmp_path / "out", "--same", "id")
    assert len(read_dataset(tmp_path / "out")) == 36


def test_join(invoke: Invoke, tiny_dataset: Path, other: Path, tmp_path: Path) -> None:
    table = tmp_path / "more.csv"
    table.write_text("id,shear_modulus_vrh\nNaCl,15\nnone,3\n")
    result = invoke("data", "merge", tiny_dataset, "-o", tmp_path / "out", "--join", other, "--join", table)
    assert "by crystal: debye_temperature 6; 0 of its rows match no crystal" in result.stdout
    assert "by id: shear_modulus_vrh 1; 1 of its rows match no crystal" in result.stdout
    joined = read_dataset(tmp_path / "out")
    assert np.isfinite(joined.targets["debye_temperature"]).sum() == 6
    assert joined.targets["shear_modulus_vrh"][joined.ids.index("NaCl")] == 15
    summary = json.loads((tmp_path / "out" / "merging.json").read_text())
    assert summary["content_hash"]["merged"] == joined.content_hash


def test_a_set_and_what_was_made_of_it(invoke: Invoke, other: Path, tmp_path: Path) -> None:
    invoke("data", "clean", other, "-o", tmp_path / "cleaned")  # is called other, too
    result = invoke("data", "merge", other, tmp_path / "cleaned", "-o", tmp_path / "out", "--prefer", "cleaned")
    assert "12 rows, 6 crystals in several datasets, 6 rows remain" in result.stdout
    assert json.loads((tmp_path / "out" / "merging.json").read_text())["prefer"] == ["cleaned", "other"]


def test_licences_and_units(invoke: Invoke, other: Path, tmp_path: Path) -> None:
    some = load(other)
    for name, unit in (("one", "nm"), ("two", "eV")):
        made = Dataset(name, some.crystals, {"colour": some.kappa}, (name,) * 6)
        write_dataset(made, tmp_path / name, licence=f"of {name}", units={"colour": unit})
    invoke("data", "merge", other, tmp_path / "one", "-o", tmp_path / "out")
    assert read_card(tmp_path / "out").licence == "one: of one"
    assert read_card(tmp_path / "out").units["colour"] == "nm"
    complaint = invoke("data", "merge", tmp_path / "one", tmp_path / "two", "-o", tmp_path / "both", code=2).stderr
    assert "colour is in eV, in another of the datasets in nm" in complaint


def test_wrong_use(invoke: Invoke, tiny_dataset: Path, other: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    complaint = invoke("data", "merge", tiny_dataset, other, "-o", out, "--prefer", "l96", code=2).stderr
    assert "--prefer l96: the datasets given are rocksalts, other" in complaint
    elsewhere = tmp_path / "elsewhere" / "other"
    assert f"--prefer {elsewhere}: " in invoke(
        "data", "merge", tiny_dataset, other, "-o", out, "--prefer", elsewhere, code=2
    ).stderr  # fmt: skip
    (tmp_path / "x.csv").write_text("id,gap\nmp-1,1\nmp-2,2\n")
    complaint = invoke("data", "merge", tiny_dataset, "-o", out, "--join", tmp_path / "x.csv", code=2).stderr
    assert "no value could be joined: none of its 2 ids is one of the result, which look like LiF, LiCl" in complaint
    assert "given twice" in invoke("data", "merge", other, other, "-o", out, code=2).stderr
    assert "is also an input" in invoke("data", "merge", tiny_dataset, other, "-o", other, code=2).stderr
    assert "none.csv" in invoke("data", "merge", other, "-o", out, "--join", tmp_path / "none.csv", code=2).stderr
    assert not out.exists()
    assert "Examples:" in invoke("data", "merge", "--help").stdout


@pytest.mark.data
def test_mix(invoke: Invoke, mirror: Path, tmp_path: Path) -> None:
    result = invoke("data", "merge", "l96", "HH143", "-o", tmp_path / "mix", "--mirror", mirror, "--prefer", "Dataset1")
    assert "238 rows, 0 crystals in several datasets, 238 rows remain" in result.stdout
    mix = read_dataset(tmp_path / "mix")
    assert mix.content_hash == load("mix", mirror).content_hash
    assert set(mix.labels["fidelity"]) == {"DFT"}
