"""A recipe that ends with a kernel stage, from training through the checkpoint to a prediction."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from paraisite.crystals import read
from paraisite.graphs import build
from paraisite.model.checkpoint import Checkpoint, CheckpointError
from paraisite.model.descriptors import described, descriptors
from paraisite.model.tensors import GraphTensors
from paraisite.prediction import Predictor
from paraisite.training import run as runner
from paraisite.training.recipe import Recipe

SILENT = {"device": "cpu", "loggers": (), "say": lambda line: None}


def recipe(folder: Path) -> Recipe:
    return Recipe.model_validate(
        {
            "name": "small",
            "seed": 3,
            "members": 2,
            "head": {"attach": "vector", "hidden": [16], "descriptors": True},
            "targets": {"kappa": {}, "debye_temperature": {"weight": 0.1}},
            "split": {"folds": 3, "seed": 1},
            "stages": [
                {"name": "first", "dataset": str(folder), "targets": ["kappa", "debye_temperature"], "epochs": 3},
                {"name": "correct", "dataset": str(folder), "fit": "kernel"},
            ],
        }
    )


@pytest.fixture(scope="module")
def trained(rocksalts: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("kernel")
    runner.run(recipe(rocksalts), out, **SILENT)
    return out


def test_predictions_are_those_of_the_kernel_on_the_networks(trained: Path, rocksalts: Path) -> None:
    crystals = list(read([rocksalts]))
    checkpoint = Checkpoint.load(trained / "model")
    graphs = described(crystals, build(crystals)[0])
    values, vector = checkpoint.kappa.predict(GraphTensors.from_batch(graphs))
    network = np.log10(values["kappa"])
    log_kappa = checkpoint.kernel.log_kappa(network, vector.numpy(), graphs.descriptors)
    assert np.abs(log_kappa - network).mean() > 0.05
    predictor = Predictor(checkpoint)
    rows = predictor.predict(crystals, properties=["debye_temperature"])
    np.testing.assert_allclose([r.kappa_W_mK for r in rows], 10 ** log_kappa.mean(axis=0), rtol=1e-4)
    for row in rows:
        assert row.kappa_low_W_mK < row.kappa_W_mK < row.kappa_high_W_mK
        assert row.properties["debye_temperature_K"] > 0
    single = [predictor.predict([crystal])[0].kappa_W_mK for crystal in crystals[:5]]
    np.testing.assert_allclose(single, [r.kappa_W_mK for r in rows[:5]], rtol=1e-4)


def test_each_kernel_stands_on_the_training_rows_of_its_fold(trained: Path, rocksalts: Path) -> None:
    crystals = list(read([rocksalts]))
    checkpoint = Checkpoint.load(trained / "model")
    features = descriptors(crystals, build(crystals)[0])
    for fold, members in enumerate(checkpoint.card.folds):
        seen = np.array([checkpoint.card.formula_fold[c.formula] != fold for c in crystals])
        assert 0 < (~seen).sum() < seen.sum()
        for m in members:
            kernel = checkpoint.kernel.members[m]
            assert len(kernel.points) == seen.sum()
            of_descriptors = kernel.centre[checkpoint.kernel.widths[0] :]
            np.testing.assert_allclose(of_descriptors, features[seen].mean(axis=0), rtol=1e-5)


def test_scored_rows_are_predicted_by_kernels_that_did_not_see_them(trained: Path, rocksalts: Path) -> None:
    """The saved model, with the networks of each formula's fold alone, gives the scored numbers again."""
    with (trained / "out_of_fold.csv").open() as file:
        scored = {r["id"]: float(r["kappa_W_mK"]) for r in csv.DictReader(file)}
    rows = Predictor.from_pretrained(str(trained / "model"), exact=True).predict(read([rocksalts]), held_out=True)
    assert len(scored) == len(rows) == 48
    np.testing.assert_allclose([r.kappa_W_mK for r in rows], [scored[r.id] for r in rows], rtol=1e-4)


def test_few_epochs_and_a_kernel_beat_the_networks_alone(trained: Path) -> None:
    assert json.loads((trained / "metrics.json").read_text())["all"]["male"] < 0.05  # kappa is a function of the volume


def test_a_run_that_is_done_can_be_repeated(trained: Path, rocksalts: Path) -> None:
    before = (trained / "metrics.json").read_text()
    runner.run(recipe(rocksalts), trained, **SILENT)
    assert (trained / "metrics.json").read_text() == before


def test_a_lost_or_damaged_kernel_is_an_error(trained: Path, tmp_path: Path) -> None:
    """Never the bare networks: their numbers are others."""
    whole = Checkpoint.load(trained / "model")
    folder = tmp_path / "model"
    whole.save(folder)
    path = folder / "kernel.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(CheckpointError, match=r"kernel\.safetensors"):
        Checkpoint.load(folder)
    path.unlink()
    with pytest.raises(CheckpointError, match=r"kernel\.safetensors"):
        Checkpoint.load(folder)
