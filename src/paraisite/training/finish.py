"""The end of every training: out-of-fold predictions, metrics, calibration, applicability, known compounds."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from paraisite.datasets import split_hash
from paraisite.files.printable import counted
from paraisite.files.writing import write_csv
from paraisite.graphs import TOLERANCE
from paraisite.metrics import coverage, interval_score, interval_width, scores
from paraisite.model.calibration import Calibration, centres
from paraisite.model.checkpoint import Card, Checkpoint, Known, NetworkCard, round_weights
from paraisite.model.descriptors import blocks
from paraisite.model.kernel import KernelHead
from paraisite.model.model import Model
from paraisite.model.neighbourhood import Neighbourhood, scale_features
from paraisite.targets import LEVEL
from paraisite.training.apply import apply, place
from paraisite.training.recipe import Recipe
from paraisite.training.replicas import Replicas
from paraisite.training.stage_data import usable
from paraisite.versions import versions

if TYPE_CHECKING:
    from paraisite.training.stage_data import StageSet

OUT_OF_FOLD = (
    *("id", "formula", "dataset", "fold", "flagged", "kappa_true_W_mK", "kappa_W_mK"),
    *("kappa_low_W_mK", "kappa_high_W_mK", "log10_std", "applicability"),
)
"""Columns of `out_of_fold.csv`."""
LIMITS = (
    "Lattice part of the thermal conductivity only, at 300 K, isotropic average of the tensor. "
    "The interval is calibrated on the compounds listed in known.csv; for other families it extrapolates: "
    "check the applicability. The encoder uses only species and distances within the cutoff."
)


def finish(
    recipe: Recipe,
    model: Model,
    properties: Model | None,
    data: list[StageSet],
    replicas: Replicas,
    start: set[str],
    out: Path,
    *,
    device: str,
) -> tuple[Checkpoint, dict[str, Any]]:
    """Score, calibrate and pack trained networks.

    Parameters
    ----------
    recipe : Recipe
    model : Model
        After the last stage; members ordered by fold.
    properties : Model or None
        Networks for auxiliary targets that the last stage does not train, one of each fold.
    data : list of StageSet
        The dataset of each stage.
    replicas : Replicas
    start : set of str
        Formulas of the training data of the conductivity model that the training started from.
    out : Path
        Folder that receives `out_of_fold.csv` and `rejections.csv`.
    device : str

    Returns
    -------
    Checkpoint
    metrics : dict
    """
    where = place(device)
    if model.config.members != len(replicas.fold):
        model = model.select(np.tile(np.arange(recipe.members), replicas.folds).tolist())
    by_kernel = recipe.stages[-1].fit == "kernel"
    # networks under a kernel are those of the stage before or of the start, auxiliary outputs included; fine-tuning
    # spoils the latter
    trained = {t for stage in recipe.stages[:-1] for t in stage.targets} or set(recipe.targets)
    kept = trained if by_kernel else set(recipe.stages[-1].targets)
    targets = tuple(t for t in recipe.targets if t in kept)
    model = round_weights(model.select(list(range(model.config.members)), targets)).to(where)
    properties = round_weights(properties) if properties is not None else None
    folds = tuple(tuple(np.flatnonzero(replicas.fold == f).tolist()) for f in range(replicas.folds))
    last = data[-1]
    values, vectors = apply(model, last.graphs, where)
    log_members = np.log10(values["kappa"])
    kernel = None
    described = last.graphs.descriptors
    assert described is not None
    valued = np.isfinite(last.dataset.kappa)
    with np.errstate(invalid="ignore", divide="ignore"):
        log_kappa = np.log10(last.dataset.kappa)
    if by_kernel:
        training = replicas.training[-1][replicas.fold]
        of = blocks(environment=recipe.head.environment)
        kernel = KernelHead.fit(log_members, vectors, described, log_kappa, training, of)
        log_members = kernel.log_kappa(log_members, vectors, described)
    doubted = last.flagged & recipe.stages[-1].omit_flagged
    known = np.flatnonzero(valued & ~doubted)
    held = [(f, r) for f, split in enumerate(replicas.splits) for r in split.validation.tolist() if valued[r]]
    fold, row = np.array([f for f, _ in held]), np.array([r for _, r in held])
    log_true = log_kappa[row]
    centre = centres(log_members, folds)[fold, row]
    error = np.full(len(log_kappa), np.nan)
    error[row] = np.abs(log_true - centre)
    seen_by = replicas.training[-1][:, known]
    neighbourhood = Neighbourhood.fit(described[known], log_kappa[known], seen_by, error[known])
    near = neighbourhood.find(described[row])
    features = scale_features(log_members[:, row], folds, near, described[row])
    scored = _Held(folds, fold, row, log_members[:, row], features, log_true, ~doubted[row])
    calibration = scored.calibration(scored.usable)
    nested = _nested_intervals(scored)
    provenance = np.array(last.dataset.provenance)[row]
    metrics = _metrics(recipe, 10**log_true, 10**centre, nested, fold, provenance, doubted[row])
    metrics["members"] = model.config.members
    if seen := sum(formula in start for formula in last.dataset.formulas):
        metrics["rows_with_a_formula_of_the_start"] = seen
        metrics["protocol"] += (
            f"; but {counted(seen, 'row')} with a formula that the start, {recipe.initial}, was trained on"
        )
    metrics["constant_width"] = _interval_scores(10**log_true, *_nested_intervals(scored, adaptive=False))
    if properties is not None:
        metrics["properties"] = _property_scores(
            recipe, properties.to(where), data, range(len(data) - 1), replicas, where
        )
        properties.to("cpu")
    if len(targets) > 1:
        first = model.select([members[0] for members in folds]).to(where)
        trained_in = range(len(data) - 1) if by_kernel else range(len(data) - 1, len(data))
        own = _property_scores(recipe, first, data, trained_in, replicas, where)
        metrics["properties"] = metrics.get("properties", {}) | own

    scale = nested[2]
    applicability = neighbourhood.applicability(near, fold)
    columns = (10**log_true, 10**centre, nested[0], nested[1], scale, applicability)
    write_csv(
        out / "out_of_fold.csv",
        OUT_OF_FOLD,
        [
            [last.dataset.ids[r], last.dataset.formulas[r], provenance[i], fold[i], int(doubted[r])]
            + [f"{column[i]:.6g}" for column in columns]
            for i, r in enumerate(row)
        ],
    )
    write_csv(
        out / "rejections.csv",
        ["dataset", "id", "source", "reason"],
        [[d.dataset.name, r.id, r.source, r.reason] for d in dict.fromkeys(data) for r in d.rejections],
    )
    model.to("cpu")
    card = Card(
        name=recipe.name,
        description=recipe.description,
        limits=LIMITS,
        kappa=NetworkCard(config=model.config, transforms=model.transforms),
        properties=NetworkCard(config=properties.config, transforms=properties.transforms) if properties else None,
        kernel=kernel is not None,
        calibration=calibration,
        folds=folds,
        formula_fold=dict(sorted((replicas.formula_fold | dict.fromkeys(start, -1)).items())),
        recipe=recipe.model_dump(mode="json"),
        datasets=_hashes(data),
        split_hash=split_hash(replicas.splits),
        metrics=metrics,
        versions=versions(),
        cutoff=recipe.cutoff,
        tolerance=TOLERANCE,
    )
    d = last.dataset
    table = [Known(d.formulas[i], d.ids[i], d.provenance[i], float(d.kappa[i])) for i in known]
    return Checkpoint(card, model, properties, neighbourhood, table, kernel), metrics


def _hashes(data: list[StageSet]) -> dict[str, str]:
    """Content of each dataset by its name; folders of one name are told apart by a number."""
    found: dict[str, str] = {}
    for own, content in (item for d in dict.fromkeys(data) for item in d.hashes.items()):
        name, n = own, 2
        while found.get(name, content) != content:
            name, n = f"{own} ({n})", n + 1
        found[name] = content
    return found


@dataclass(frozen=True, slots=True, eq=False)
class _Held:
    """Held-out rows with what their intervals are made of.

    Attributes
    ----------
    folds : tuple of tuple of int
    fold, row : numpy.ndarray, shape (n,)
        Fold that held the row out; number of the row in the data.
    log_members : numpy.ndarray, shape (members, n)
    features : numpy.ndarray, shape (folds, n, q)
    log_true : numpy.ndarray, shape (n,)
    usable : numpy.ndarray, shape (n,), bool
        Whether the row may calibrate.
    """

    folds: tuple[tuple[int, ...], ...]
    fold: np.ndarray
    row: np.ndarray
    log_members: np.ndarray
    features: np.ndarray
    log_true: np.ndarray
    usable: np.ndarray

    def calibration(self, rows: np.ndarray, *, adaptive: bool = True) -> Calibration:
        """Calibrate on some of the rows."""
        at = self.log_members[:, rows], self.features[:, rows], self.log_true[rows]
        return Calibration.fit(self.folds, self.fold[rows], *at, adaptive=adaptive)


def _nested_intervals(held: _Held, *, adaptive: bool = True) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Intervals of each fold's held-out rows, calibrated on the rows of the other folds only, in W m⁻¹ K⁻¹.

    Returns
    -------
    low, high, std : numpy.ndarray, shape (n,)
    """
    low, high, std = np.empty((3, len(held.fold)))
    for f in range(len(held.folds)):
        here = held.fold == f
        # the study's folds overlap: a scored row calibrates no other fold's
        rest = ~here & ~np.isin(held.row, held.row[here])
        if not rest.any():  # a single fold: half of its rows calibrate the other half
            half = np.arange(len(here)) % 2 == 0
            parts = [(half, ~half), (~half, half)]
        else:
            parts = [(here, rest)]
        for target, source in parts:
            fitted = held.calibration(source & held.usable, adaptive=adaptive)
            bounds = fitted.interval(held.log_members[:, target], held.features[:, target], LEVEL, folds=[f])
            low[target], high[target], std[target] = 10 ** bounds[0], 10 ** bounds[1], bounds[2]
    return low, high, std


def _interval_scores(true: np.ndarray, low: np.ndarray, high: np.ndarray, std: np.ndarray) -> dict[str, float]:
    return {
        "coverage": coverage(true, low, high),
        "width": interval_width(low, high),
        "interval_score": interval_score(true, low, high, LEVEL),
    }


def _metrics(
    recipe: Recipe,
    true: np.ndarray,
    predicted: np.ndarray,
    bounds: tuple[np.ndarray, np.ndarray, np.ndarray],
    fold: np.ndarray,
    provenance: np.ndarray,
    doubted: np.ndarray,
) -> dict[str, Any]:
    """Scores over all held-out rows, as mean and std over folds, and for each dataset; kappa in W m⁻¹ K⁻¹."""
    folds = [scores(true[fold == f], predicted[fold == f]) for f in np.unique(fold)]
    names = ("mape", "median_ape", "male", "spearman")

    def every(rows: np.ndarray) -> dict[str, float]:
        return scores(true[rows], predicted[rows]) | _interval_scores(true[rows], *(b[rows] for b in bounds))

    return {
        "protocol": "out of fold: scored rows are not used in training; the interval is calibrated on the other folds",
        "recipe": recipe.name,
        "earlier": recipe.split.earlier,
        "split_seed": recipe.split.seed,
        "level": LEVEL,
        "all": every(np.ones(len(true), dtype=bool)),
        **({"without_flagged": every(~doubted)} if doubted.any() else {}),
        "by_dataset": {str(name): every(provenance == name) for name in dict.fromkeys(provenance.tolist())},
        "over_folds": {n: mean_and_std([s[n] for s in folds]) for n in names},
    }


def mean_and_std(values: list[float]) -> dict[str, float | None]:
    """Of the folds that have the score: a fold of one row, say, has no rank correlation."""
    known = [v for v in values if np.isfinite(v)]
    return {"mean": float(np.mean(known)), "std": float(np.std(known))} if known else {"mean": None, "std": None}


def _property_scores(
    recipe: Recipe, properties: Model, data: list[StageSet], stages: range, replicas: Replicas, where: str
) -> dict[str, dict[str, float]]:
    """Held-out error of each auxiliary target on the stages that have it; empty where no row of it is held out."""
    found: dict[str, dict[str, float]] = {}
    for i in stages:
        part, training = data[i], replicas.training[i]
        names = [t for t in properties.config.targets if t != "kappa" and t in recipe.stages[i].targets]
        if not names:
            continue
        values, _ = apply(properties, part.graphs, where)
        for name in names:
            value, true = values[name], usable(part.dataset, name, recipe)
            doubted = part.flagged & recipe.stages[i].omit_flagged  # trained by no fold, but not held out by all
            held = ~training[: len(value)] & np.isfinite(true) & ~doubted
            if held.any():
                true = np.broadcast_to(true, held.shape)[held]
                value = value[held]
                scored = {"mae": float(np.abs(value - true).mean()), "n": int(held.sum())}
                size = np.abs(true)
                scored["median_ape"] = float(np.median(np.abs(value - true)[size > 0] / size[size > 0]))
                if recipe.targets[name].transform == "log10":
                    scored["male"] = float(np.abs(np.log10(value / true)).mean())
                found[name] = scored
    return found
