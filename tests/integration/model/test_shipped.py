"""The models in the repository: their size, their cards, and what they say of the example crystals."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from paraisite.crystals import read
from paraisite.datasets import load
from paraisite.evaluation.metrics import scores
from paraisite.model.checkpoint import read_card
from paraisite.model.registry import locate, registry
from paraisite.prediction import Predictor

REPOSITORY = Path(__file__).resolve().parents[3]
SHIPPED = [name for name, entry in registry().items() if entry.shipped]


def test_all_shipped_models_together_are_at_most_15_megabytes() -> None:
    size = sum(file.stat().st_size for name in SHIPPED for file in locate(name).iterdir())
    assert 1e6 < size <= 15e6


@pytest.mark.parametrize("name", SHIPPED)
def test_a_shipped_model_holds_no_structure_and_stands_alone(name: str) -> None:
    folder = locate(name)
    allowed = {"card.json", "kappa.safetensors", "properties.safetensors", "kernel.safetensors", "maps.safetensors"}
    assert {file.name for file in folder.iterdir()} <= allowed | {"known.csv", "README.md"}
    with (folder / "known.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["formula", "id", "dataset", "kappa_W_mK"]
    assert len(rows) == 238
    card = read_card(folder)
    assert card.limits
    assert card.calibration is not None
    assert card.recipe["initial"] == "megnet-mp-2018.6.1-eform"
    assert set(card.datasets) == {"aflow_agl", "mix"}
    assert len(card.formula_fold) > 4800


def test_the_card_of_the_default_model_names_its_protocol() -> None:
    card = read_card(locate("kappa-mix"))
    assert len([m for fold in card.folds for m in fold]) >= 5
    assert card.metrics["by_dataset"].keys() == {"l96", "hh143"}
    assert card.metrics["all"]["n"] == 238
    assert read_card(locate("kappa-mix-by-formula")).holds_formulas_out


@pytest.fixture(scope="module")
def references() -> dict[str, float]:
    with (REPOSITORY / "examples/references.csv").open() as file:
        return {row["id"]: float(row["kappa_W_mK"]) for row in csv.DictReader(file)}


def test_examples_agree_with_their_references(references: dict[str, float]) -> None:
    rows = Predictor.from_pretrained().predict(read([REPOSITORY / "examples/crystals"]))
    assert {row.id for row in rows} == set(references)
    for row in rows:
        true = references[row.id]
        within = max(row.kappa_W_mK / true, true / row.kappa_W_mK) <= 3
        assert within or row.kappa_low_W_mK <= true <= row.kappa_high_W_mK, row


def test_networks_that_never_saw_a_formula_are_further_off(references: dict[str, float]) -> None:
    """A check that the held-out column is not the trained one under another name."""
    crystals = list(read([REPOSITORY / "examples/crystals"]))
    predictor = Predictor.from_pretrained("kappa-mix-by-formula")
    errors = [
        np.mean(
            [abs(np.log10(row.kappa_W_mK / references[row.id])) for row in predictor.predict(crystals, held_out=held)]
        )
        for held in (False, True)
    ]
    assert errors[0] < errors[1]


@pytest.mark.data
def test_the_stored_model_gives_the_figures_of_its_card(mirror: Path) -> None:
    """Held-out predictions, recomputed from the files in the repository and the data, score as the card says."""
    predictor = Predictor.from_pretrained("kappa-mix-by-formula")
    mix = load("mix", mirror)
    rows = predictor.predict(mix.crystals, held_out=True)
    found = scores(mix.kappa, [row.kappa_W_mK for row in rows])
    for name in ("mape", "median_ape", "male", "spearman"):
        assert found[name] == pytest.approx(predictor.card.metrics["all"][name], rel=1e-3), name


@pytest.mark.data
@pytest.mark.parametrize("name", SHIPPED)
def test_the_card_says_which_data_it_was_trained_on(name: str, mirror: Path) -> None:
    card = read_card(locate(name))
    assert {dataset: load(dataset, mirror).content_hash for dataset in card.datasets} == card.datasets
