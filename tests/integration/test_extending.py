"""docs/extending.md works as it stands: its blocks run in order, and what they add is used by everything else."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "extending.md"

pytest.importorskip("lightning", reason="training needs the extra [train]")
pytestmark = pytest.mark.slow

# In a process of its own: the registries of this one stay as they are.
USED = """
import json
import yaml
import numpy as np
from pyarrow import parquet
from paraisite.crystals.formats import titles
from paraisite.datasets import load as load_dataset
from paraisite.datasets.sources import collect
from paraisite.datasets.store import read_card, write_dataset

(crystal,) = read(["salt.cube"])
(packed,) = read(["salts.zip"])
(wrong,) = read(["wrong.cube"])
stored = write_dataset(collect(SOURCES["shelf"].query((4.0,), client=None), "shelf"), "shelf", **SOURCES["shelf"].terms)
card = json.loads((model / "card.json").read_text())
calculator_of = crystal.to_ase()
calculator_of.calc = calculator
schema = parquet.read_schema("out.parquet")
stages = [{"name": "more", "dataset": "rocksalts", "epochs": 1, "batch": 12}]
start = {"name": "next", "initial": "run", "split": {"kind": "kfold", "folds": 2, "group": "formula"}, "stages": stages}
run(Recipe.model_validate(start), Path("next"), device="cpu", say=lambda line: None)
try:
    run(Recipe.model_validate(start | {"encoder": "megnet"}), Path("other"), device="cpu", say=lambda line: None)
    refused = ""
except ValueError as error:
    refused = str(error)
dump = {
    "formula": crystal.formula,
    "packed": [packed.formula, packed.source],
    "wrong": [wrong.source, wrong.reason],
    "titles": titles(),
    "encoder": card["kappa"]["config"]["encoder"]["kind"],
    "recipe": [card["recipe"]["encoder"]["kind"], card["recipe"]["targets"]["hardness"]["transform"]],
    "width": predictor._kappa.config.encoder.vector_width,
    "loaded": [type(predictor._kappa.encoder).__name__, predictor._encoder is None],
    "row": rows[0].row(),
    "next": yaml.safe_load(Path("next/recipe.yml").read_text())["encoder"],
    "refused": refused,
    "forces": float(np.abs(calculator_of.get_forces()).max()),
    "card": [read_card(Path("shelf")).licence, read_card(Path("shelf")).units],
    "out": parquet.read_table("out.parquet").to_pylist(),
    "unit": schema.field("hardness_GPa").metadata[b"unit"].decode(),
    "targets": sorted(load_dataset("rocksalts").targets),
}
Path("dump.json").write_text(json.dumps(dump))
"""


@pytest.fixture(scope="module")
def dump(tiny_dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the page's code gave, after running all of it in an empty folder with some crystals in it."""
    folder = tmp_path_factory.mktemp("extending")
    shutil.copytree(tiny_dataset, folder / "rocksalts")
    header, *lines = (folder / "rocksalts" / "id_prop.csv").read_text().splitlines()
    named = [f"{header},hardness", *(f"{line},{float(line.split(',')[2]) / 10:.4g}" for line in lines)]
    (folder / "rocksalts" / "id_prop.csv").write_text("\n".join(named) + "\n")
    salt = "4.1\nCs 0 0 0\nCl 0.5 0.5 0.5\n"
    (folder / "salt.cube").write_text(salt)
    (folder / "wrong.cube").write_text("a cube\nCs 0 0 0\n")
    with zipfile.ZipFile(folder / "salts.zip", "w") as archive:
        archive.writestr("inside.cube", salt)
    script = []
    for block in re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL):
        if name := re.match(r"# (\w+\.py)\n", block):
            (folder / name[1]).write_text(block)
        else:
            script.append(block)
    (folder / "page.py").write_text("\n".join(script) + USED)
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "page.py"], cwd=folder, env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads((folder / "dump.json").read_text())
    return found


def test_a_format_is_read_where_any_other_is(dump: dict[str, Any]) -> None:
    assert dump["formula"] == "CsCl"
    assert dump["packed"] == ["CsCl", "salts.zip::inside.cube"]
    assert dump["wrong"][0] == "wrong.cube"
    assert "CUBE" in dump["titles"]


def test_an_encoder_is_trained_stored_and_loaded(dump: dict[str, Any]) -> None:
    assert dump["encoder"] == "bonds"
    assert dump["recipe"] == ["bonds", "log10"]
    assert dump["loaded"] == ["Bonds", True]  # without a fast path, the plain one
    assert dump["width"] == 8
    assert (dump["next"]["kind"], dump["next"]["width"]) == ("bonds", 8)  # what starts from it has its encoder
    assert dump["refused"].startswith("run: ")
    assert dump["row"]["kappa_low_W_mK"] < dump["row"]["kappa_W_mK"] < dump["row"]["kappa_high_W_mK"]


def test_a_target_has_its_column_and_its_unit(dump: dict[str, Any]) -> None:
    assert dump["targets"] == ["bulk_modulus_vrh", "hardness", "kappa"]
    assert dump["row"]["hardness_GPa"] > 0
    assert dump["unit"] == "GPa"


def test_a_potential_gives_forces(dump: dict[str, Any]) -> None:
    assert dump["forces"] < 1e-9  # each site is a centre of symmetry


def test_a_source_and_an_engine_screen(dump: dict[str, Any]) -> None:
    assert dump["card"] == ["CC0-1.0", {"hardness": "GPa"}]
    rows = dump["out"]
    assert [row["id"] for row in rows] == ["salt", "shelf-3.9", "shelf-4.1"]
    assert all(row["status"] != "rejected" and row["hardness_GPa"] > 0 for row in rows)
    assert rows[0]["kappa_W_mK"] == pytest.approx(dump["row"]["kappa_W_mK"], rel=1e-5)
