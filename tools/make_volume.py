"""Fit the volume expected of a crystal, write src/paraisite/model/volume.safetensors, and measure the warning.

    PARAISITE_MIRROR=../shared/data .venv/bin/python tools/make_volume.py

Takes about three minutes. results/volume.json holds, for crystals whose formula was held out, the differences found,
the false alarms, and the share of strained crystals that is warned of.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from markdown_table import table
from safetensors.numpy import save_file

from paraisite.crystals import Crystal
from paraisite.datasets import load
from paraisite.graphs import GraphBatch, build
from paraisite.graphs.dimensionality import dimensionality
from paraisite.model import volume
from paraisite.model.descriptors import described, names
from paraisite.model.volume import ELEMENTS, SMALLEST, Volumes, element_shares, volume_features

RESULTS = Path(__file__).parents[1] / "results/volume.json"
DATASETS = ("l96", "hh143", "phonix", "mp_stable", "aflow_agl", "phonondb_harmonic")
JUDGED = ("phonix", "mp_stable")
"""Datasets whose false alarms set the limit, and whose crystals are strained."""

FALSE_ALARMS = 0.007
"""Share of the crystals of `JUDGED`, held out, that are warned of."""

CENTRES, PENALTY, PENALTY_OF_ERROR = 600, 1e-3, 10.0
FLOOR = 0.01
"""Added to a residual before its logarithm is taken, by which the error is fitted."""

FOLDS, CHUNK, SEED = 5, 256, 0
STRAINS = (-0.1, -0.05, -0.03, -0.02, 0.02, 0.03, 0.05, 0.1)
STRAINED = 1500
"""Crystals of each of `JUDGED` that are strained."""

KINDS = {0: "molecules", 1: "chains", 2: "layers", 3: "framework"}


def graphs_of(crystals: Sequence[Crystal]) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Features, shares and ln volume of those crystals that have a graph, and which they are."""
    parts = []
    for start in range(0, len(crystals), CHUNK):
        chunk = crystals[start : start + CHUNK]
        graphs, kept, _ = build(chunk)
        graphs: GraphBatch = described([chunk[i] for i in kept], graphs, environment=True)
        assert graphs.descriptors is not None
        ln_volume = np.log(graphs.descriptors[:, names(environment=True).index("volume_per_site")])
        parts.append((volume_features(graphs.descriptors), element_shares(graphs), ln_volume, start + np.array(kept)))
    features, shares, ln_volume, which = (np.concatenate(part) for part in zip(*parts, strict=True))
    return features, shares, ln_volume, which


def fit(features: np.ndarray, shares: np.ndarray, ln_volume: np.ndarray) -> Volumes:
    """Fit ln volume; large residuals count less, for some cells of databases are far from equilibrium themselves."""
    middle, spread = features.mean(axis=0), features.std(axis=0) + 1e-9
    chosen = np.random.default_rng(SEED).permutation(len(features))[:CENTRES]
    centres = np.clip((features[chosen] - middle) / spread, -volume.FARTHEST, volume.FARTHEST)
    made = Volumes(middle, spread, centres, np.zeros((0, 2)), np.inf)
    basis = made.basis(features, shares)
    weights = _ridge(basis, ln_volume, PENALTY, np.ones(len(basis)))
    for _ in range(2):
        size = np.abs(ln_volume - basis @ weights)
        weights = _ridge(basis, ln_volume, PENALTY, 1.0 / np.maximum(1.0, size / (3.0 * np.median(size))))
    return replace(made, weights=np.column_stack([weights, np.zeros(len(weights))]))


def fit_error(made: Volumes, features: np.ndarray, shares: np.ndarray, residual: np.ndarray) -> Volumes:
    """Fit the ln of the error to residuals of crystals whose formula was held out."""
    basis = made.basis(features, shares)
    weights = _ridge(basis, np.log(np.abs(residual) + FLOOR), PENALTY_OF_ERROR, np.ones(len(basis)))
    weights[-1] += np.log(np.sqrt(np.mean((residual / np.exp(basis @ weights)) ** 2)))  # so that it is a standard error
    return replace(made, weights=np.column_stack([made.weights[:, 0], weights]))


def _ridge(basis: np.ndarray, target: np.ndarray, penalty: float, weight: np.ndarray) -> np.ndarray:
    square = (basis * weight[:, None]).T @ basis + penalty * np.eye(basis.shape[1])
    return np.linalg.solve(square, (basis * weight[:, None]).T @ target)


def predict(made: Volumes, features: np.ndarray, shares: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return expected ln volume, and its error."""
    found = made.basis(features, shares) @ made.weights
    return found[:, 0], np.exp(found[:, 1])


def strained(crystal: Crystal, strain: float, axis: int | None) -> Crystal:
    """Stretch a crystal along a lattice vector, or in all directions."""
    if axis is None:
        return replace(crystal, cell=(1 + strain) * crystal.cell)
    along = crystal.cell[axis] / np.linalg.norm(crystal.cell[axis])
    return replace(crystal, cell=crystal.cell + strain * np.outer(crystal.cell @ along, along))


def main() -> None:
    """Fit, measure, write."""
    crystals, dataset = [], []
    for name in DATASETS:
        some = [c for c in load(name).crystals if c.numbers.max() < ELEMENTS]
        crystals += some
        dataset += [name] * len(some)
    features, shares, ln_volume, which = graphs_of(crystals)
    crystals, of = [crystals[i] for i in which], np.array(dataset)[which]
    formulas, formula = np.unique([c.formula for c in crystals], return_inverse=True)
    fold = np.random.default_rng(SEED).permutation(len(formulas))[formula] % FOLDS
    print(f"{len(crystals)} crystals, {len(formulas)} formulas, {features.shape[1]} features")

    held_out, models = np.empty(len(crystals)), []
    for k in range(FOLDS):
        models.append(fit(features[fold != k], shares[fold != k], ln_volume[fold != k]))
        held_out[fold == k] = predict(models[k], features[fold == k], shares[fold == k])[0]
    residual, error = ln_volume - held_out, np.empty(len(crystals))
    for k in range(FOLDS):
        models[k] = fit_error(models[k], features[fold != k], shares[fold != k], residual[fold != k])
        error[fold == k] = predict(models[k], features[fold == k], shares[fold == k])[1]
    judged = np.isin(of, JUDGED)
    score = np.where(np.abs(residual) > SMALLEST, np.abs(residual) / error, 0.0)
    limit = float(f"{np.quantile(score[judged], 1 - FALSE_ALARMS):.3g}")
    whole = replace(fit_error(fit(features, shares, ln_volume), features, shares, residual), limit=limit)
    tensors = {name: getattr(whole, name).astype(np.float32) for name in ("middle", "spread", "centres", "weights")}
    save_file(tensors | {"limit": np.array([limit], np.float32)}, Path(volume.__file__).with_name(volume.FILE))

    kind = np.array([KINDS[dimensionality(c)] for c in crystals])
    models = [replace(model, limit=limit) for model in models]
    found: dict[str, Any] = {
        "folds": f"{FOLDS}, by formula",
        "limit": limit,
        "smallest": SMALLEST,
        "held_out": {name: _spread(residual, error, limit, of == name, kind) for name in DATASETS},
        "caught": {name: dict(_caught(name, crystals, of, fold, kind, models)) for name in JUDGED},
    }
    RESULTS.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(found, indent=1))


def _spread(residual: np.ndarray, error: np.ndarray, limit: float, here: np.ndarray, kind: np.ndarray) -> Any:
    def of(rows: np.ndarray) -> dict[str, float]:
        size = np.abs(residual[rows])
        alarm = (size > SMALLEST) & (size > limit * error[rows])
        return {
            "crystals": int(rows.sum()),
            "median_difference": _round(np.median(size)),
            "standard_deviation": _round(residual[rows].std()),
            "median_error": _round(np.median(error[rows])),
            "false_alarms": _round(alarm.mean()),
        }

    return of(here) | {name: of(here & (kind == name)) for name in KINDS.values() if (here & (kind == name)).any()}


def _caught(
    name: str,
    crystals: Sequence[Crystal],
    of: np.ndarray,
    fold: np.ndarray,
    kind: np.ndarray,
    models: Sequence[Volumes],
) -> Iterator[tuple[str, Any]]:
    """Share of strained crystals that the model which never saw their formula warns of."""
    random = np.random.default_rng(SEED)
    rows = random.permutation(np.flatnonzero(of == name))[:STRAINED]
    axes = random.integers(0, 3, len(rows))
    for way in ("hydrostatic", "uniaxial"):
        table: dict[str, Any] = {}
        for strain in STRAINS:
            some = [
                strained(crystals[i], strain, int(axis) if way == "uniaxial" else None)
                for i, axis in zip(rows, axes, strict=True)
            ]
            features, shares, ln_volume, which = graphs_of(some)
            far, here = np.zeros(len(which), dtype=bool), rows[which]
            for k, model in enumerate(models):
                mine = fold[here] == k
                expected, error = predict(model, features[mine], shares[mine])
                far[mine] = model.far(ln_volume[mine] - expected, error)
            kinds = [(other, kind[here] == other) for other in KINDS.values()]
            table[f"{strain:+.0%}"] = {"all": _round(far.mean()), "crystals": len(here)} | {
                other: _round(far[those].mean()) for other, those in kinds if those.sum() >= 10
            }
        yield way, table


def _round(value: float) -> float:
    return float(f"{value:.3g}")


def volume_warning() -> str:
    """The block of docs/relaxing.md (see check_readme.py)."""
    result = json.loads(RESULTS.read_text(encoding="utf-8"))
    kinds = ("all", "framework", "layers", "molecules")
    held_out = result["held_out"]
    rows = []
    for name, of in held_out.items():
        sizes = [f"{of[key]:.3f}" for key in ("median_difference", "standard_deviation")]
        rows.append([f"`{name}`", str(of["crystals"]), *sizes, f"{100 * of['false_alarms']:.1f} %"])
    header = ["dataset", "crystals", "median difference of ln volume", "standard deviation", "false alarms"]
    text = table(header, rows)
    rows = []
    for way in ("hydrostatic", "uniaxial"):
        for strain in result["caught"][JUDGED[0]][way]:
            cells = [result["caught"][name][way][strain] for name in JUDGED]
            shares = [" / ".join(f"{100 * cell[kind]:.0f}" for cell in cells) for kind in kinds]
            rows.append([f"{way} {strain}", *shares])
    of_which = " / ".join(f"`{name}`" for name in JUDGED)
    header = [f"strain; % of {of_which} warned of", *kinds]
    return f"{text}\n{table(header, rows)}"


if __name__ == "__main__":
    main()
