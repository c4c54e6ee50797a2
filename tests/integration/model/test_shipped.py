"""The model in the repository: its size, its card, and what it says of the example crystals."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from paraisite.crystals import read
from paraisite.datasets import load
from paraisite.metrics import scores
from paraisite.model.checkpoint import read_card
from paraisite.model.registry import DEFAULT, locate, registry, replacement
from paraisite.prediction import Predictor
from paraisite.training.recipe import load_recipe

REPOSITORY = Path(__file__).resolve().parents[3]
SHIPPED = [name for name, entry in registry().items() if entry.shipped]
HIGH_QUALITY = "phonix"
"""The dataset whose residuals calibrate the interval."""


def test_all_shipped_models_together_are_at_most_15_megabytes() -> None:
    size = sum(file.stat().st_size for name in SHIPPED for file in locate(name).iterdir())
    assert 1e6 < size <= 15e6
    folders = (REPOSITORY / "src/paraisite/model/pretrained").iterdir()
    assert {folder.name for folder in folders} == set(SHIPPED) == {DEFAULT}


def test_the_shipped_model_holds_no_structure_and_stands_alone() -> None:
    folder = locate(DEFAULT)
    needed = {"card.json", "kappa.safetensors", "neighbourhood.safetensors", "known.csv"}
    found = {file.name for file in folder.iterdir()}
    assert needed <= found <= needed | {"README.md"}
    with (folder / "known.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["formula", "id", "dataset", "kappa_W_mK"]
    assert {row["dataset"] for row in rows} == {HIGH_QUALITY}
    card = read_card(folder)
    assert card.name == DEFAULT
    assert card.limits
    assert card.calibration is not None
    assert len(card.formula_fold) > 10_000


def test_the_card_names_its_recipe_and_protocol() -> None:
    card = read_card(locate(DEFAULT))
    recipe = load_recipe(DEFAULT)
    assert card.recipe["initial"] == recipe.initial
    assert [stage["name"] for stage in card.recipe["stages"]] == [stage.name for stage in recipe.stages]
    assert set(card.datasets) == {name for stage in recipe.stages for name in stage.datasets}
    assert set(card.kappa.config.targets) == set(recipe.targets)
    assert card.holds_formulas_out
    assert [len(fold) for fold in card.folds] == [1] * recipe.split.folds
    assert HIGH_QUALITY in card.metrics["by_dataset"]
    assert card.metrics["all"]["n"] > 4700


@pytest.mark.parametrize("name", [old for entry in registry().values() for old in entry.replaces])
def test_names_of_earlier_models_give_the_shipped_one(name: str) -> None:
    assert locate(name) == locate(name.upper()) == locate(DEFAULT)
    assert replacement(name).startswith(f"{name} has been replaced by {DEFAULT}")
    assert replacement(DEFAULT) == replacement(f"./{name}") == ""


@pytest.fixture(scope="module")
def references() -> dict[str, float]:
    with (REPOSITORY / "src/paraisite/examples/references.csv").open(newline="", encoding="utf-8") as file:
        return {row["id"]: float(row["kappa_W_mK"]) for row in csv.DictReader(file)}


@pytest.mark.parametrize("held_out", [False, True])
def test_examples_agree_with_their_references(held_out: bool, references: dict[str, float]) -> None:
    rows = Predictor.from_pretrained().predict(
        read([REPOSITORY / "src/paraisite/examples/crystals"]), held_out=held_out
    )
    assert {row.id for row in rows} == set(references)
    agree = []
    for row in rows:
        true = references[row.id]
        assert row.kappa_W_mK is not None
        assert row.kappa_low_W_mK is not None
        assert row.kappa_high_W_mK is not None
        within = max(row.kappa_W_mK / true, true / row.kappa_W_mK) <= 3
        agree.append(within or row.kappa_low_W_mK <= true <= row.kappa_high_W_mK)
    assert sum(agree) >= 15


def test_a_seen_formula_is_held_out_by_one_network(references: dict[str, float]) -> None:
    """A check that the held-out column is not the trained one under another name."""
    crystals = list(read([REPOSITORY / "src/paraisite/examples/crystals"]))
    predictor = Predictor.from_pretrained()
    seen = [crystal for crystal in crystals if predictor.card.formula_fold.get(crystal.formula, -1) >= 0]
    assert len(seen) > 10
    every, held_out = (predictor.predict(seen, held_out=held) for held in (False, True))
    for a, b in zip(every, held_out, strict=True):
        assert a.kappa_W_mK != b.kappa_W_mK


@pytest.mark.data
@pytest.mark.slow
def test_the_stored_model_gives_the_figures_of_its_card(mirror: Path) -> None:
    """Held-out predictions, recomputed from the files in the repository and the data, score as the card says."""
    predictor = Predictor.from_pretrained()
    data = load(HIGH_QUALITY, mirror)
    rows = predictor.predict(data.crystals, held_out=True, allow_vacuum=True)
    predicted = [i for i, row in enumerate(rows) if row.status != "rejected"]
    found = scores(data.targets["kappa"][predicted], [rows[i].kappa_W_mK for i in predicted])
    said = predictor.card.metrics["by_dataset"][HIGH_QUALITY]
    assert len(predicted) == said["n"] >= len(rows) - 1
    for name in ("median_ape", "male", "spearman"):
        assert found[name] == pytest.approx(said[name], rel=1e-3), name


@pytest.mark.slow
@pytest.mark.data
def test_the_card_says_which_data_it_was_trained_on(mirror: Path) -> None:
    card = read_card(locate(DEFAULT))
    assert {dataset: load(dataset, mirror).content_hash for dataset in card.datasets} == card.datasets
