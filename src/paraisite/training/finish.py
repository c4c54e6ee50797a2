"""The end of every training: out-of-fold predictions, metrics, calibration, applicability, known compounds."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from paraisite.datasets import split_hash
from paraisite.evaluation.metrics import coverage, interval_score, interval_width, scores
from paraisite.graphs import CUTOFF, TOLERANCE
from paraisite.model.applicability import Applicability, Map
from paraisite.model.calibration import Calibration, centres
from paraisite.model.checkpoint import Card, Checkpoint, Known, NetworkCard, round_weights
from paraisite.model.descriptors import BLOCKS
from paraisite.model.kernel import KernelHead
from paraisite.model.model import Model
from paraisite.replacing import replacing
from paraisite.training.apply import apply, place
from paraisite.training.recipe import Recipe
from paraisite.training.replicas import Replicas
from paraisite.versions import versions

if TYPE_CHECKING:
    from paraisite.training.run import StageSet

LEVEL = 0.9
LIMITS = (
    "Lattice part of the thermal conductivity only, at 300 K, isotropic average of the tensor. "
    "The interval is calibrated on the compounds listed in known.csv; for other families it extrapolates: "
    "look at the applicability. The networks see species and distances within the cutoff only."
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
        Networks for auxiliary targets, one of each fold.
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
    targets = tuple(t for t in recipe.targets if t in trained) if by_kernel else ("kappa",)
    model = round_weights(model.select(list(range(model.config.members)), targets)).to(where)
    properties = round_weights(properties) if properties is not None else None
    folds = tuple(tuple(np.flatnonzero(replicas.fold == f).tolist()) for f in range(replicas.folds))
    last = data[-1]
    values, vectors = apply(model, last.graphs, where)
    log_members = np.log10(values["kappa"])
    kernel = None
    if by_kernel:
        features = last.graphs.descriptors
        assert features is not None
        with np.errstate(invalid="ignore", divide="ignore"):
            log_kappa = np.log10(last.dataset.kappa)
        training = replicas.training[-1][replicas.fold]
        kernel = KernelHead.fit(log_members, vectors, features, log_kappa, training, BLOCKS)
        log_members = kernel.log_kappa(log_members, vectors, features)
    applicability = _maps(model, data, replicas, folds, where, vectors)
    distance = applicability.nearest_trained_known(vectors)

    valued = np.isfinite(last.dataset.kappa)
    held = [(f, r) for f, split in enumerate(replicas.splits) for r in split.validation.tolist() if valued[r]]
    fold, row = np.array([f for f, _ in held]), np.array([r for _, r in held])
    log_true = np.log10(last.dataset.kappa[row])
    calibration = Calibration.fit(folds, fold, log_members[:, row], distance[:, row], log_true)
    nested = _nested_intervals(folds, fold, row, log_members[:, row], distance[:, row], log_true)
    centre = centres(log_members, folds)[fold, row]
    provenance = np.array(last.dataset.provenance)[row]
    metrics = _metrics(recipe, 10**log_true, 10**centre, nested, fold, provenance)
    metrics["members"] = model.config.members
    if seen := sum(formula in start for formula in last.dataset.formulas):
        metrics["rows_with_a_formula_of_the_start"] = seen
        metrics["protocol"] += f"; but {seen} rows have a formula that the start, {recipe.initial}, was trained on"
    metrics["constant_width"] = _interval_scores(
        10**log_true,
        *_nested_intervals(folds, fold, row, log_members[:, row], distance[:, row], log_true, adaptive=False),
    )
    if properties is not None:
        metrics["properties"] = _property_scores(properties.to(where), data, replicas, where)
        properties.to("cpu")
    elif len(targets) > 1 and len(data) > 1:
        first = model.select([members[0] for members in folds]).to(where)
        metrics["properties"] = _property_scores(first, data, replicas, where)

    _write_rows(
        out / "out_of_fold.csv",
        ["id", "formula", "dataset", "fold", "kappa_true_W_mK", "kappa_W_mK", "kappa_low_W_mK", "kappa_high_W_mK"],
        [
            [last.dataset.ids[r], last.dataset.formulas[r], provenance[i], fold[i], *(f"{v:.6g}" for v in values)]
            for i, r in enumerate(row)
            for values in [(10 ** log_true[i], 10 ** centre[i], nested[0][i], nested[1][i])]
        ],
    )
    _write_rows(
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
        cutoff=CUTOFF,
        tolerance=TOLERANCE,
    )
    d = last.dataset
    rows = zip(d.formulas, d.ids, d.provenance, d.kappa.tolist(), strict=True)
    known = [Known(*k) for k in rows if np.isfinite(k[3])]
    return Checkpoint(card, model, properties, applicability, known, kernel), metrics


def _hashes(data: list[StageSet]) -> dict[str, str]:
    """Content of each data set by its name; folders of one name are told apart by a number."""
    found: dict[str, str] = {}
    for d in dict.fromkeys(data):
        name, n = d.dataset.name, 2
        while found.get(name, d.hash) != d.hash:
            name, n = f"{d.dataset.name} ({n})", n + 1
        found[name] = d.hash
    return found


def _maps(
    model: Model,
    data: list[StageSet],
    replicas: Replicas,
    folds: tuple[tuple[int, ...], ...],
    where: str,
    last_vectors: np.ndarray,
) -> Applicability:
    """Fit the map of each fold on the compounds of all stages."""
    last = data[-1]
    earlier = [i for i, d in enumerate(data[:-1]) if d is not last]
    maps = []
    for f, members in enumerate(folds):
        first = model.select([members[0]]).to(where)
        others = [apply(first, data[i].graphs, where)[1][0] for i in earlier]
        vectors = np.concatenate([*others, last_vectors[members[0]]])
        trained = np.concatenate([*(replicas.training[i][f] for i in earlier), replicas.training[-1][f]])
        known = np.flatnonzero(np.isfinite(last.dataset.kappa)) + len(vectors) - len(last.dataset)
        maps.append(Map.fit(members[0], vectors, trained, known))
    return Applicability(maps)


def _nested_intervals(
    folds: tuple[tuple[int, ...], ...],
    fold: np.ndarray,
    row: np.ndarray,
    log_members: np.ndarray,
    distance: np.ndarray,
    log_true: np.ndarray,
    *,
    adaptive: bool = True,
) -> tuple[np.ndarray, np.ndarray]:
    """Intervals of each fold's held-out rows, calibrated on the rows of the other folds only, in W m⁻¹ K⁻¹."""
    low, high = np.empty(len(fold)), np.empty(len(fold))
    for f in range(len(folds)):
        here = fold == f
        rest = ~here & ~np.isin(row, row[here])  # the study's folds overlap: a scored row calibrates no other fold's
        if not rest.any():  # a single fold: half of its rows calibrate the other half
            half = np.arange(len(fold)) % 2 == 0
            parts = [(half, ~half), (~half, half)]
        else:
            parts = [(here, rest)]
        for target, source in parts:
            fitted = Calibration.fit(
                folds, fold[source], log_members[:, source], distance[:, source], log_true[source], adaptive=adaptive
            )
            bounds = fitted.interval(log_members[:, target], distance[:, target], LEVEL, folds=[f])
            low[target], high[target] = 10 ** bounds[0], 10 ** bounds[1]
    return low, high


def _interval_scores(true: np.ndarray, low: np.ndarray, high: np.ndarray) -> dict[str, float]:
    return {
        "coverage": coverage(true, low, high),
        "width": interval_width(low, high),
        "interval_score": interval_score(true, low, high, LEVEL),
    }


def _metrics(
    recipe: Recipe,
    true: np.ndarray,
    predicted: np.ndarray,
    bounds: tuple[np.ndarray, np.ndarray],
    fold: np.ndarray,
    provenance: np.ndarray,
) -> dict[str, Any]:
    """Scores over all held-out rows, as mean and std over folds, and for each dataset; kappa in W m⁻¹ K⁻¹."""
    low, high = bounds
    folds = [scores(true[fold == f], predicted[fold == f]) for f in np.unique(fold)]
    names = ("mape", "median_ape", "male", "spearman")

    def every(rows: np.ndarray) -> dict[str, float]:
        return scores(true[rows], predicted[rows]) | _interval_scores(true[rows], low[rows], high[rows])

    return {
        "protocol": "out of fold: the scored rows are never looked at, the interval is calibrated on the other folds",
        "recipe": recipe.name,
        "earlier": recipe.split.earlier,
        "split_seed": recipe.split.seed,
        "level": LEVEL,
        "all": every(np.ones(len(true), dtype=bool)),
        "by_dataset": {str(name): every(provenance == name) for name in dict.fromkeys(provenance.tolist())},
        "over_folds": {n: mean_and_std([s[n] for s in folds]) for n in names},
    }


def mean_and_std(values: list[float]) -> dict[str, float | None]:
    """Of the folds that have the score: a fold of one row, say, has no rank correlation."""
    known = [v for v in values if np.isfinite(v)]
    return {"mean": float(np.mean(known)), "std": float(np.std(known))} if known else {"mean": None, "std": None}


def _property_scores(
    properties: Model, data: list[StageSet], replicas: Replicas, where: str
) -> dict[str, dict[str, float]]:
    """Held-out error of each auxiliary target, on the stage that has it; empty where no row of it is held out."""
    found: dict[str, dict[str, float]] = {}
    for i, part in enumerate(data[:-1]):
        if not all(t in part.dataset.targets for t in properties.config.targets):
            continue
        values, _ = apply(properties, part.graphs, where)
        for name in (t for t in properties.config.targets if t != "kappa"):
            value = values[name]
            true = part.dataset.targets[name]
            held = ~replicas.training[i][: len(value)] & np.isfinite(true)
            if held.any():
                error = np.abs(value - true)[held]
                size = np.abs(np.broadcast_to(true, held.shape)[held])
                relative = error[size > 0] / size[size > 0]
                found[name] = {
                    "mae": float(error.mean()),
                    "median_ape": float(np.median(relative)),
                    "n": int(held.sum()),
                }
    return found


def _write_rows(path: Path, header: list[str], rows: list[list[Any]]) -> None:
    with replacing(path) as aside, aside.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)
