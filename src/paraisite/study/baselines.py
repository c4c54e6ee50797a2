"""`run_baselines`: what simpler methods reach on the study's folds, in result files like those of the networks.

Every baseline predicts log10 kappa, is fitted on the training part of a run and scored on its validation part. Nothing
is chosen on that part, so all of this is protocol ``nested``.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from paraisite.datasets import split_hash
from paraisite.study import estimators
from paraisite.study.estimators import Regressor
from paraisite.study.features import Features
from paraisite.study.plan import AGL, DATASETS, Folds, Training
from paraisite.study.table import fold_scores, write_result
from paraisite.versions import versions

if TYPE_CHECKING:
    from paraisite.training.stage_data import StageSet

Say = Callable[[str], None]


class Studied(Protocol):
    """What is needed of a `paraisite.study.run.Study`."""

    @property
    def sets(self) -> Mapping[str, StageSet]: ...

    @property
    def folds(self) -> Folds: ...

    @property
    def mirror(self) -> str | Path | None: ...


@dataclass(frozen=True, slots=True)
class Baseline:
    """Features and a regressor.

    Attributes
    ----------
    features : {"composition", "structure", "vector", "agl", "slack"}
        See `Features.table`.
    make : callable
        Makes the regressor, from the number of the run as its seed.
    agl : {"", "all", "no_overlap"}
        Which AGL rows it rests on beside the training rows, as in `Training`.
    known : bool
        Whether only rows that have the feature are scored.
    """

    features: str
    make: Callable[[int], Regressor]
    agl: str = ""
    known: bool = False


_BASELINES: Mapping[str, Baseline] = {
    "median": Baseline("composition", estimators.median),
    # the compound's own AGL value is legitimate knowledge; all rows, then only those that have one
    "agl-linear": Baseline("agl", lambda run: estimators.Line(), agl="all"),
    "agl-linear-known": Baseline("agl", lambda run: estimators.Line(), agl="all", known=True),
    "extra-trees-composition": Baseline("composition", estimators.extra_trees),
    "gradient-boosting-composition": Baseline("composition", estimators.gradient_boosting),
    "extra-trees-structure": Baseline("structure", estimators.extra_trees),
    "gaussian-process-structure": Baseline("structure", estimators.GaussianProcess),
    "ridge-megnet": Baseline("vector", lambda run: estimators.Ridge()),
    "gaussian-process-megnet": Baseline("vector", estimators.GaussianProcess),
    "slack": Baseline("slack", lambda run: estimators.AsGiven(), agl="no_overlap"),
    "slack-linear": Baseline("slack", lambda run: estimators.Line(), agl="no_overlap"),
}

BASELINES = tuple(_BASELINES)


def baseline_trainings(
    names: Iterable[str] = BASELINES, trained_on: Iterable[str] = DATASETS, split: str = "paper"
) -> list[Training]:
    """The rows that baselines add to the study's table, with the name of the baseline as the step.

    Trained on AGL conductivities, a baseline may see all rows of the training part (``all``); Slack's, as everywhere,
    those that share no formula with a scored fold. The AGL value is not a baseline for itself.

    Raises
    ------
    ValueError
        If a baseline is unknown.
    """
    asked, found = tuple(names), []
    for name in asked:
        if name not in _BASELINES:
            raise ValueError(f"{name!r} is not a baseline; choose from {', '.join(BASELINES)}")
        baseline = _BASELINES[name]
        for dataset in trained_on:
            if dataset == AGL and baseline.features == "agl":
                continue
            agl = baseline.agl or ("all" if dataset == AGL else "")
            found.append(Training(name, dataset, agl, split))
    return found


def run_baselines(
    study: Studied,
    runs: Iterable[int],
    out: Path,
    names: Iterable[str] = BASELINES,
    say: Say = print,
) -> None:
    """Fit and score baselines on every dataset; what is in `out` already is not done again.

    Parameters
    ----------
    study : Study
        Its datasets, folds and mirror count, its settings do not.
    runs : iterable of int
    out : Path
        Gets ``<baseline>-<dataset>…/run-N.json``, of the form that `run_study` writes.
    names : iterable of str
        Of `BASELINES`.
    say : callable
        Takes a line for each run, and for each baseline that a run leaves nothing to train on.

    Raises
    ------
    ValueError
        If a baseline is unknown.
    """
    from threadpoolctl import threadpool_limits

    folds = study.folds
    todo = baseline_trainings(names, [name for name in DATASETS if name in folds.datasets], folds.kind)
    features = Features(study.sets, folds, study.mirror)
    with threadpool_limits(1):  # sums in one order, whatever the machine
        for run in runs:
            started, done = time.monotonic(), 0
            for training in todo:
                path = out / training.name / f"run-{run}.json"
                if path.is_file():
                    continue
                if not folds.training_mask(training, run).any():  # one prototype, and it is held out
                    say(f"{training.name}: run {run} has nothing to train on")
                    continue
                write_result(path, _result(training, run, features))
                done += 1
            say(f"baselines: run {run}: {done} of {len(todo)} fitted in {time.monotonic() - started:.0f} s")


def predictions(training: Training, run: int, features: Features) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Fit one baseline on the training part of one run, and predict the scored fold of every dataset.

    Returns
    -------
    dict of str to (rows, log10 kappa)
        The rows of each dataset that count, and what is predicted for them.
    """
    folds, baseline = features.folds, _BASELINES[training.step]
    dataset = folds.datasets[training.trained_on]
    rows = np.flatnonzero(folds.training_mask(training, run) & (dataset.kappa > 0))
    model = baseline.make(run)
    model.fit(features.table(baseline.features, training.trained_on, run)[rows], np.log10(dataset.kappa[rows]))
    found = {}
    for name, other in folds.datasets.items():
        if name == AGL and baseline.features == "agl":
            continue
        x = features.table(baseline.features, name, run)
        scored = folds.split(name, run).validation
        scored = scored[(other.kappa[scored] > 0) & ~(baseline.known & np.isnan(x[scored]).any(axis=1))]
        if len(scored):
            found[name] = scored, model.predict(x[scored])
    return found


def _result(training: Training, run: int, features: Features) -> dict[str, Any]:
    started = time.monotonic()
    folds = features.folds
    found = predictions(training, run, features)
    seconds = time.monotonic() - started
    own = folds.datasets[training.trained_on]
    train = folds.training_mask(training, run) & (own.kappa > 0)
    tested = {name: fold_scores(folds.datasets[name].kappa[rows], values) for name, (rows, values) in found.items()}
    scored = found[training.trained_on][0] if training.trained_on in found else ()
    return {
        "step": training.step,
        "trained_on": training.trained_on,
        "agl": training.agl,
        "split": training.split,
        "run": run,
        "protocols": {"nested": tested},
        "rows": {"train": int(train.sum()), "scored": len(scored)},
        "data": {name: features.sets[name].hash for name in folds.datasets},
        "split_hash": split_hash(folds.split(training.trained_on, run)),
        "seconds": round(seconds, 1),
        "versions": versions(),
    }
