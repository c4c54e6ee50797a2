"""`fit`: the networks of a recipe on some rows, and what they say of others; `Watch` reports while they train."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import lightning.pytorch as pl
import numpy as np
from lightning.pytorch.callbacks import Callback

from paraisite import metrics
from paraisite.graphs import GraphBatch
from paraisite.model.descriptors import blocks
from paraisite.model.kernel import KernelHead
from paraisite.model.model import Model
from paraisite.training.apply import apply, place
from paraisite.training.module import StageModule
from paraisite.training.recipe import Recipe
from paraisite.training.replicas import Replicas
from paraisite.training.run import begin_stage, of_every_fold, train_stage
from paraisite.training.stage_data import StageSet

METRICS = ("male", "mape", "median_ape")
"""Errors that a search can make small, from `paraisite.metrics`."""

REPORTS = 20
"""Reports of a training, at equal parts of its schedule, so that trainings of different length compare."""


@dataclass(frozen=True, slots=True)
class Fitted:
    """Networks, and the Gaussian processes upon them where the recipe ends in such (None if the networks diverged)."""

    model: Model
    kernel: KernelHead | None

    def log_kappa(self, graphs: GraphBatch, device: str) -> np.ndarray:
        """log10 of kappa in W m⁻¹ K⁻¹, shape (members, crystals)."""
        where = place(device)
        log_kappa, vectors = _apply(self.model.to(where), graphs, where)
        if self.kernel is None:
            return log_kappa
        assert graphs.descriptors is not None
        return self.kernel.log_kappa(log_kappa, vectors, graphs.descriptors)


class Watch(Callback):
    """Score the folds `REPORTS` times while the last stage trains, but not at its end.

    Parameters
    ----------
    graphs : GraphBatch
        Of the trained dataset.
    folds : Folds
    report : callable
        Takes the part of the schedule that is done, 1 to `REPORTS` - 1, and the error; it may end the training by an
        exception.
    """

    def __init__(self, graphs: GraphBatch, folds: Folds, report: Callable[[int, float], None]) -> None:
        self.graphs, self.folds, self.report = graphs, folds, report
        self.reported = 0

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        if trainer.progress_bar_callback is not None:
            trainer.progress_bar_callback.disable()  # one for each of many short trainings says little

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        assert isinstance(pl_module, StageModule)
        done = REPORTS * (trainer.current_epoch + 1) // (trainer.max_epochs or 1)
        if self.reported < done < REPORTS:
            self.reported = done
            log_kappa, _ = _apply(pl_module.model, self.graphs, str(pl_module.device))
            pl_module.model.train()
            self.report(done, float(np.mean(self.folds.errors(log_kappa))))


@dataclass(frozen=True, slots=True)
class Folds:
    """The held-out rows of each fold, and how errors on them are counted.

    Attributes
    ----------
    kappa : numpy.ndarray, shape (rows,)
        W m⁻¹ K⁻¹; rows that are NaN do not count.
    held : list of numpy.ndarray
        Rows of each fold.
    fold : numpy.ndarray, shape (members,), int64
        Fold of each network; those of a fold are averaged, by the mean of log10 kappa.
    metric : str
        Of `METRICS`.
    """

    kappa: np.ndarray
    held: list[np.ndarray]
    fold: np.ndarray
    metric: str

    def errors(self, log_kappa: np.ndarray) -> list[float]:
        """Error of each fold; `log_kappa` has shape (members, rows)."""
        found = []
        for f, rows in enumerate(self.held):
            with np.errstate(over="ignore"):  # networks that diverged: an invalid prediction
                predicted = 10 ** log_kappa[self.fold == f][:, rows].mean(axis=0)
            found.append(float(getattr(metrics, self.metric)(self.kappa[rows], predicted)))
        return found


def fit(
    recipe: Recipe,
    data: Sequence[StageSet],
    replicas: Replicas,
    folder: Path,
    *,
    mirror: str | Path | None,
    device: str,
    callbacks: Sequence[Callback] = (),
) -> Fitted:
    """Train all folds of a recipe side by side.

    Parameters
    ----------
    recipe : Recipe
    data : sequence of StageSet
        Of each stage.
    replicas : Replicas
    folder : Path
        Keeps the stages before the last trained one, for recipes that share them, and, while it trains, the last one.
    mirror, device
        As in `paraisite.training.run.run`.
    callbacks : sequence of lightning Callback
        For the last stage that trains weights.
    """
    model: Model | None = None
    last = max((i for i, stage in enumerate(recipe.stages) if stage.fit == "network"), default=-1)
    for i, (stage, part) in enumerate(zip(recipe.stages, data, strict=True)):
        model, mask, _ = begin_stage(model, recipe, i, replicas, mirror)
        if stage.fit == "kernel":
            break
        where = folder / ("last" if i == last else f"earlier-{_begun_alike(recipe, i)}")
        where.mkdir(parents=True, exist_ok=True)
        watched = callbacks if i == last else ()
        model = train_stage(
            model, recipe, i, part, mask, where, device=device, loggers=(), say=lambda line: None, callbacks=watched
        )
    assert model is not None
    model = of_every_fold(model, replicas)
    if recipe.stages[-1].fit == "network":
        return Fitted(model, None)
    place_ = place(device)
    log_kappa, vectors = _apply(model.to(place_), data[-1].graphs, place_)
    if not np.isfinite(log_kappa).all():
        return Fitted(model, None)
    features = data[-1].graphs.descriptors
    assert features is not None
    with np.errstate(invalid="ignore", divide="ignore"):
        log_true = np.log10(data[-1].dataset.kappa)
    training = replicas.training[-1][replicas.fold]
    of = blocks(environment=model.config.head.environment)
    return Fitted(model, KernelHead.fit(log_kappa, vectors, features, log_true, training, of))


def _apply(model: Model, graphs: GraphBatch, where: str) -> tuple[np.ndarray, np.ndarray]:
    values, vectors = apply(model, graphs, where)
    return np.log10(np.maximum(values["kappa"], 1e-6)), vectors


def _begun_alike(recipe: Recipe, stage: int) -> str:
    """Name that recipes share whose networks are the same after this stage."""
    content = recipe.model_dump(mode="json", exclude={"name", "description", "split"})
    content["stages"] = content["stages"][: stage + 1]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]
