"""Joined data with new names and doubted rows, and a last stage in which one network of each fold learns from all."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from paraisite.crystals import Crystal
from paraisite.datasets import Dataset, load
from paraisite.datasets.store import write_dataset
from paraisite.metrics import scores
from paraisite.model.checkpoint import Checkpoint
from paraisite.model.descriptors import blocks
from paraisite.model.kernel import KernelHead
from paraisite.model.tensors import GraphTensors
from paraisite.prediction import Predictor
from paraisite.training import run as runner
from paraisite.training.recipe import Recipe
from paraisite.training.replicas import Replicas
from paraisite.training.stage_data import StageSet, read_stages, usable

SILENT = {"device": "cpu", "loggers": (), "say": lambda line: None}
FLAGGED = (3, 11, 19)
TARGETS = ("kappa", "coherence_share", "kappa_cheap", "debye_temperature")


@pytest.fixture(scope="module")
def folders(rocksalts: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """Good values of 32 crystals, three of them doubted; cheap ones of all 48, of which 8 have another polymorph."""
    out = tmp_path_factory.mktemp("joined")
    every = load(str(rocksalts))
    rows = np.arange(48)[::3].tolist() + np.arange(48)[1::3].tolist()
    kappa = every.kappa[rows]
    kappa[list(FLAGGED)] *= 1000
    share = np.linspace(0.02, 0.6, len(rows))
    good = Dataset(
        "good",
        tuple(every.crystals[i] for i in rows),
        {"kappa": kappa, "kappa_particle": kappa * (1 - share), "kappa_coherence": kappa * share},
        ("good",) * len(rows),
        labels={"flags": tuple("imaginary modes" if i in FLAGGED else "" for i in range(len(rows)))},
    )
    polymorphs = tuple(
        Crystal(c.cell * 1.05 @ np.diag([1.0, 1.0, 1.3]), c.numbers, c.positions, id=f"{c.id}-b")
        for c in every.crystals[::6]
    )
    more = np.arange(48)[::6]
    cheap = Dataset(
        "cheap",
        (*every.crystals, *polymorphs),
        {name: np.concatenate([v * 2, v[more]]) for name, v in every.targets.items()},
        ("cheap",) * (48 + len(more)),
    )
    for data in (good, cheap):
        write_dataset(data, out / data.name)
    return str(out / "good"), str(out / "cheap")


def recipe(folders: tuple[str, str], **changes: object) -> Recipe:
    good, cheap = folders
    joined = {
        "dataset": [good, cheap],
        "rename": {cheap: {"kappa": "kappa_cheap"}},
        "omit_flagged": True,
        "targets": list(TARGETS),
        "batch": 16,
        "epochs": 2,
        "learning_rate": 3e-3,
    }
    content = {
        "name": "distilled",
        "seed": 3,
        "members": 2,
        "head": {"attach": "vector", "hidden": [8], "descriptors": True, "environment": True},
        "targets": {
            "kappa": {},
            "coherence_share": {"transform": "logit", "weight": 0.1},
            "kappa_cheap": {"weight": 0.3},
            "debye_temperature": {"weight": 0.1},
        },
        "split": {"folds": 3, "seed": 1},
        "stages": [
            {
                "name": "cheap",
                "dataset": cheap,
                "rename": {cheap: {"kappa": "kappa_cheap"}},
                "targets": ["kappa_cheap", "debye_temperature"],
                "epochs": 2,
            },
            {"name": "all", **joined},
            {"name": "distil", **joined, "distil": True, "kernels": ["kappa_cheap"]},
        ],
    }
    return Recipe.model_validate(content | changes)


@dataclass
class Lesson:
    """What a stage's networks were given: transformed targets and weights, (members, rows, targets)."""

    target: np.ndarray
    weight: np.ndarray


@pytest.fixture(scope="module")
def given() -> list[Lesson]:
    return []


@pytest.fixture(scope="module")
def trained(folders: tuple[str, str], given: list[Lesson], tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("distil")

    class Seen(runner.StageData):
        def __init__(self, graphs: Any, target: torch.Tensor, weight: torch.Tensor, *rest: Any) -> None:
            given.append(Lesson(target.numpy().copy(), weight.numpy().copy()))
            super().__init__(graphs, target, weight, *rest)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runner, "StageData", Seen)
        runner.run(recipe(folders), out, **SILENT)
    return out


@pytest.fixture(scope="module")
def data(folders: tuple[str, str]) -> list[StageSet]:
    return read_stages(recipe(folders), None)


@pytest.fixture(scope="module")
def replicas(folders: tuple[str, str], data: list[StageSet]) -> Replicas:
    return runner.plan_folds(recipe(folders), data, None)


def out_of_fold(folder: Path) -> list[dict[str, str]]:
    with (folder / "out_of_fold.csv").open() as file:
        return list(csv.DictReader(file))


def test_doubted_rows_have_no_weight_but_are_scored(trained: Path, given: list[Lesson], data: list[StageSet]) -> None:
    last = data[-1]
    assert last.flagged.sum() == len(FLAGGED)
    assert len(given) == 3
    for lesson in given[1:]:
        assert not lesson.weight[:, last.flagged].any()
        assert lesson.weight[:, ~last.flagged].any(axis=(0, 2)).all()
    rows = out_of_fold(trained)
    assert len(rows) == 32
    doubted = {last.dataset.ids[i] for i in np.flatnonzero(last.flagged)}
    assert {r["id"] for r in rows if r["flagged"] == "1"} == doubted
    assert {r["flagged"] for r in rows} == {"0", "1"}
    assert not doubted & {known.id for known in Checkpoint.load(trained / "model").known}


def test_doubted_rows_calibrate_nothing(trained: Path) -> None:
    card = Checkpoint.load(trained / "model").card
    assert card.calibration is not None
    assert len(card.calibration.score) == 32 - len(FLAGGED)
    # the doubted values are a thousand times too large, 3 in log10; residuals of the others are far smaller
    widths = [np.log10(float(r["kappa_high_W_mK"]) / float(r["kappa_low_W_mK"])) for r in out_of_fold(trained)]
    assert np.median(widths) < 1.0
    for row in out_of_fold(trained):
        outside = float(row["kappa_true_W_mK"]) > float(row["kappa_high_W_mK"])
        assert outside or row["flagged"] == "0"
        assert float(row["log10_std"]) < 0.5


def test_scores_with_and_without_the_doubted(trained: Path) -> None:
    metrics = json.loads((trained / "metrics.json").read_text())
    rows = out_of_fold(trained)
    true, predicted = (np.array([float(r[name]) for r in rows]) for name in ("kappa_true_W_mK", "kappa_W_mK"))
    sound = np.array([r["flagged"] == "0" for r in rows])
    assert metrics["all"]["male"] == pytest.approx(scores(true, predicted)["male"], rel=1e-4)
    assert metrics["without_flagged"]["male"] == pytest.approx(scores(true[sound], predicted[sound])["male"], rel=1e-4)
    assert metrics["without_flagged"]["n"] == 32 - len(FLAGGED)
    assert metrics["all"]["n"] == 32


def test_no_fold_is_told_anything_of_its_formulas(
    trained: Path, given: list[Lesson], data: list[StageSet], replicas: Replicas
) -> None:
    """Neither a label nor what other networks say, in any stage, polymorphs of other datasets included."""
    folds = [replicas.fold, replicas.fold, np.arange(3)]
    for lesson, part, fold in zip(given, data, folds, strict=True):
        own = np.array([replicas.formula_fold[formula] for formula in part.dataset.formulas])
        assert set(own.tolist()) == {0, 1, 2}
        assert len(lesson.weight) == len(fold)
        for network, f in enumerate(fold.tolist()):
            assert not lesson.weight[network, own == f].any()
            assert not lesson.target[network, own == f].any()
            assert lesson.weight[network, (own != f) & ~part.flagged].any()


def test_the_student_is_told_everything_else(
    given: list[Lesson], trained: Path, data: list[StageSet], replicas: Replicas, folders: tuple[str, str]
) -> None:
    part, before, taught = data[-1], given[1], given[2]
    own = np.array([replicas.formula_fold[formula] for formula in part.dataset.formulas])
    for t, name in enumerate(TARGETS):
        known = np.isfinite(usable(part.dataset, name, recipe(folders)))
        for f in range(3):
            seen = (own != f) & ~part.flagged
            np.testing.assert_array_equal(before.weight[2 * f, :, t] > 0, seen & known)
            np.testing.assert_array_equal(taught.weight[f, :, t] > 0, seen)
            # labels are as they were, in whichever of the two
            labels = seen & known
            np.testing.assert_allclose(taught.target[f, labels, t], before.target[2 * f, labels, t], rtol=1e-5)
    without = ~np.isfinite(part.dataset.kappa)
    assert without.any()


def test_what_is_taught_is_the_mean_of_the_folds_own_networks(
    trained: Path, folders: tuple[str, str], data: list[StageSet], replicas: Replicas, given: list[Lesson]
) -> None:
    asked, part = recipe(folders), data[1]
    model, mask, _ = runner.begin_stage(None, asked, 0, replicas, None)
    for index in (0, 1):
        if index:
            model, mask, _ = runner.begin_stage(model, asked, index, replicas, None)
        model = runner.train_stage(model, asked, index, data[index], mask, trained, **SILENT)
    found = runner.lesson(model, replicas, 2, asked.stages[2], part, "cpu")
    values, vectors = model.predict(GraphTensors.from_batch(part.graphs))
    assert found.keys() == set(TARGETS)
    for fold in range(3):
        members = np.flatnonzero(replicas.fold == fold)
        log_kappa = np.log10(values["kappa"][members]).mean(axis=0)
        np.testing.assert_allclose(np.log10(found["kappa"][fold]), log_kappa, rtol=0, atol=1e-4)
        # of few values, a Gaussian process of each network speaks, from the rows that the fold may see
        networks = np.log10(values["kappa"][members])
        seen = np.tile(replicas.training[2][fold], (2, 1))
        true, described = np.log10(part.dataset.targets["kappa_cheap"]), part.graphs.descriptors
        kernel = KernelHead.fit(networks, vectors[members].numpy(), described, true, seen, blocks(environment=True))
        log_cheap = kernel.log_kappa(networks, vectors[members].numpy(), described).mean(axis=0)
        np.testing.assert_allclose(np.log10(found["kappa_cheap"][fold]), log_cheap, rtol=0, atol=1e-3)
        share = values["coherence_share"][members]
        logit = np.log(share / (1 - share)).mean(axis=0)
        np.testing.assert_allclose(found["coherence_share"][fold], 1 / (1 + np.exp(-logit)), rtol=0, atol=1e-4)
        # and that, transformed, is what the student got where there is no label
        unknown = ~np.isfinite(part.dataset.kappa) & replicas.training[2][fold]
        card = Checkpoint.load(trained / "model").card
        student = card.kappa.transforms["kappa"].forward(found["kappa"][fold])[fold].numpy()
        np.testing.assert_allclose(given[2].target[fold, unknown, 0], student[unknown], rtol=0, atol=1e-3)


def test_one_network_of_each_fold_predicts_all_targets_of_the_last_stage(
    trained: Path, folders: tuple[str, str]
) -> None:
    checkpoint = Checkpoint.load(trained / "model")
    assert checkpoint.kappa.config.members == 3
    assert checkpoint.card.folds == ((0,), (1,), (2,))
    assert checkpoint.kappa.config.targets == TARGETS
    assert checkpoint.properties is None
    assert json.loads((trained / "metrics.json").read_text())["members"] == 3
    predictor = Predictor(checkpoint)
    asked = ("kappa_particle", "kappa_coherence", *TARGETS[1:])
    assert set(asked) <= set(predictor.available_properties)
    crystals = load(folders[1]).crystals[:5]
    for row in predictor.predict(crystals, properties=asked):
        assert row.kappa_low_W_mK < row.kappa_W_mK < row.kappa_high_W_mK
        assert row.status != "rejected"
        assert all(value is not None and np.isfinite(value) for value in row.properties.values())
        parts = [v for name, v in row.properties.items() if "particle" in name or "kappa_coherence" in name]
        assert len(parts) == 2
        assert sum(parts) == pytest.approx(row.kappa_W_mK, rel=1e-6)


def test_the_saved_model_repeats_the_scored_numbers(trained: Path, folders: tuple[str, str]) -> None:
    rows = {r["id"]: r for r in out_of_fold(trained)}
    predictor = Predictor.from_pretrained(str(trained / "model"), exact=True)
    for row in predictor.predict(load(folders[0]).crystals, held_out=True):
        scored = rows[row.id]
        assert row.kappa_W_mK == pytest.approx(float(scored["kappa_W_mK"]), rel=1e-4)
        assert row.applicability == pytest.approx(float(scored["applicability"]), abs=0.05)


def test_auxiliary_scores_leave_the_doubted_out(trained: Path, data: list[StageSet], replicas: Replicas) -> None:
    metrics = json.loads((trained / "metrics.json").read_text())["properties"]
    assert metrics.keys() == set(TARGETS[1:])
    sound = ~data[-1].flagged
    for name in ("kappa_cheap", "debye_temperature"):
        assert metrics[name]["n"] == (np.isfinite(data[-1].dataset.targets[name]) & sound).sum()
    assert metrics["coherence_share"]["n"] == 32 - len(FLAGGED)


def test_hashes_of_the_parts_stand_in_the_card(trained: Path, folders: tuple[str, str]) -> None:
    hashes = Checkpoint.load(trained / "model").card.datasets
    assert hashes == {Path(f).name: load(f).content_hash for f in folders}


class _Stop(Exception):
    pass


@pytest.mark.parametrize("where", ["all", "distil"])
def test_a_run_that_stopped_between_stages_goes_on_to_the_same_numbers(
    where: str, trained: Path, folders: tuple[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "stopped"
    whole = runner.StageModule.on_train_epoch_start

    def stop(self: runner.StageModule) -> None:
        if self.stage.name == where:
            raise _Stop
        whole(self)

    monkeypatch.setattr(runner.StageModule, "on_train_epoch_start", stop)
    with pytest.raises(_Stop):
        runner.run(recipe(folders), out, **SILENT)
    monkeypatch.undo()
    said: list[str] = []
    runner.run(recipe(folders), out, device="cpu", loggers=(), say=said.append)
    assert sum("already done" in line for line in said) == {"all": 1, "distil": 2}[where]
    assert (out / "metrics.json").read_text() == (trained / "metrics.json").read_text()
    assert (out / "out_of_fold.csv").read_text() == (trained / "out_of_fold.csv").read_text()


def test_doubted_rows_train_where_the_stage_does_not_omit_them(folders: tuple[str, str], tmp_path: Path) -> None:
    stages = [s.model_dump() | {"omit_flagged": False, "epochs": 1} for s in recipe(folders).stages]
    out = tmp_path / "trusting"
    runner.run(recipe(folders, stages=stages), out, **SILENT)
    assert {r["flagged"] for r in out_of_fold(out)} == {"0"}
    metrics = json.loads((out / "metrics.json").read_text())
    assert "without_flagged" not in metrics
    assert len(Checkpoint.load(out / "model").known) == 32


def test_too_few_rows_are_left_without_the_doubted(folders: tuple[str, str], tmp_path: Path) -> None:
    good = load(folders[0])
    flags = tuple("doubted" if i > 10 else "" for i in range(len(good)))
    write_dataset(replace(good, labels={"flags": flags}), tmp_path / "doubtful")
    stage = {"name": "only", "dataset": str(tmp_path / "doubtful"), "omit_flagged": True, "epochs": 1}
    with pytest.raises(runner.RecipeError, match="has 11 crystals with kappa that is not flagged; 3 folds need"):
        runner.run(recipe(folders, stages=[stage]), tmp_path / "out", **SILENT)
    assert not (tmp_path / "out").exists()
