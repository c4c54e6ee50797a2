"""`paraisite data describe`: a page of numbers and figures."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

from paraisite.datasets import load
from paraisite.datasets.store import write_dataset

Invoke = Callable[..., Result]


@pytest.fixture
def half(tiny_dataset: Path, tmp_path: Path) -> Path:
    """The first half of the rocksalts, with twice the conductivity."""
    folder = Path(shutil.copytree(tiny_dataset, tmp_path / "half"))
    header, *rows = (folder / "id_prop.csv").read_text().splitlines()
    doubled = [f"{id_},{2 * float(kappa)},{modulus}" for id_, kappa, modulus in (row.split(",") for row in rows[:18])]
    (folder / "id_prop.csv").write_text("\n".join([header, *doubled]) + "\n")
    return folder


def test_two_data_sets(invoke: Invoke, tiny_dataset: Path, half: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="figures need the extra [train]")
    out = tmp_path / "look"
    result = invoke("data", "describe", tiny_dataset, half, "-o", out)
    figures = {"kappa.png", "elements_rocksalts.png", "elements_half.png", "overlap.png", "shared_kappa.png"}
    assert {path.name for path in out.iterdir()} == figures | {"summary.md", "summary.json"}
    assert all((out / name).read_bytes().startswith(b"\x89PNG") for name in figures)
    found = json.loads((out / "summary.json").read_text())
    assert found["datasets"]["rocksalts"]["rows"] == 36
    assert found["datasets"]["half"]["targets"]["bulk_modulus_vrh"]["unit"] == "GPa"
    assert found["common"][1] == {
        "of": "half",
        "in": "rocksalts",
        "rows": 18,
        "formulas": 18,
        "rows_of_shared_formula": 18,
        "shared_formulas": 18,
        "shared_crystals": 18,
    }
    line = found["shared_kappa"]["by_dataset"]["half"]
    assert found["shared_kappa"]["x"] == "rocksalts"
    assert line["ratio"] == pytest.approx(2.0)
    assert line["male"] == pytest.approx(0.0, abs=1e-9)
    page = (out / "summary.md").read_text()
    assert "| half | rocksalts | 18 of 18 | 18 of 18 | 18 of 18 |" in page
    assert all(f"]({name})" in page for name in figures)
    assert "| rows | 36 | 18 |" in result.stdout


def test_one_data_set_without_kappa(invoke: Invoke, tiny_dataset: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(tiny_dataset, tmp_path / "moduli"))
    rows = [line.split(",") for line in (folder / "id_prop.csv").read_text().splitlines()]
    (folder / "id_prop.csv").write_text("".join(f"{id_},{modulus}\n" for id_, _, modulus in rows))
    invoke("data", "describe", folder, "-o", tmp_path / "look")
    written = {path.name for path in (tmp_path / "look").iterdir()}
    assert "kappa.png" not in written
    assert "shared_kappa.png" not in written
    found = json.loads((tmp_path / "look" / "summary.json").read_text())
    assert found["common"] == []
    assert found["shared_kappa"] is None
    assert found["datasets"]["moduli"]["targets"]["bulk_modulus_vrh"]["rows"] == 36


def test_a_data_set_without_rows(invoke: Invoke, tiny_dataset: Path, tmp_path: Path) -> None:
    write_dataset(load(tiny_dataset).take([]), tmp_path / "empty")
    invoke("data", "describe", tmp_path / "empty", tiny_dataset, "-o", tmp_path / "look")
    assert "| rows | 0 | 36 |" in (tmp_path / "look" / "summary.md").read_text()


def test_wrong_usage(invoke: Invoke, tiny_dataset: Path, tmp_path: Path) -> None:
    err = invoke("data", "describe", tiny_dataset, tiny_dataset, "-o", tmp_path / "look", code=2).stderr
    assert "two datasets are called rocksalts" in err
    assert "nowhere" in invoke("data", "describe", tmp_path / "nowhere", "-o", tmp_path, code=2).stderr
    assert "--output" in invoke("data", "describe", tiny_dataset, code=2).stderr
