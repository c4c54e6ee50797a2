"""Find conductivities of `phonix` that are hardly possible, and write src/paraisite/datasets/phonix_suspects.csv.

    PARAISITE_MIRROR=../shared/data OMP_NUM_THREADS=1 .venv/bin/python tools/make_phonix_suspects.py

Takes about a minute. `load("phonix")` makes the column `evidence` its label `flags`. No model of this project takes
part: a row is flagged where it is off by more than `FACTOR` from the prediction of extra trees not trained on its
formula, no other row of its formula confirms it, and there is further evidence (`evidence_of`). With other folds one
or two rows at the edge come or go.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from sklearn.ensemble import ExtraTreesRegressor
from sklearn.preprocessing import StandardScaler

from paraisite.datasets import Dataset, grouped_kfold, load
from paraisite.graphs.build import build
from paraisite.model.descriptors import NAMES, described

SUSPECTS = Path(__file__).parents[1] / "src/paraisite/datasets/phonix_suspects.csv"

FACTOR = 10.0
"""Off by more is doubted: three standard deviations of the trees' error. Also what polymorphs must be off."""
CONFIRMED = 2.0
"""A row of the same formula within this factor confirms a value: SiC and ZnS in many stackings, BAs in two."""
FAR = 30.0
"""Factor to the trees and to the neighbours, in one direction, beyond which nothing else need be known."""
NEIGHBOURS = 5
LIFETIME = (0.1, 120.0)
"""ps. kappa over the transport integral is a mean lifetime. Between the rows that the trees confirm, it is 4 ps in the
median, 0.27 at least (a mode of 2 THz turns by one radian in 0.08 ps) and 111 at most (AlSb); SiC has 30 to 60."""
SPREAD = 0.5
"""log10 between published versions of one value."""
SHARE, FEW_SITES = 0.5, 8
"""Coherences need many branches close to each other: more than half of kappa is rare in a small primitive cell."""


@dataclass(frozen=True)
class Rows:
    """What is known of the rows that have a graph; conductivities in log10, lifetimes in ps."""

    dataset: Dataset
    kappa: np.ndarray
    expected: np.ndarray
    neighbours: np.ndarray
    sites: np.ndarray
    lifetime: np.ndarray

    @property
    def off(self) -> np.ndarray:
        return self.kappa - self.expected


def measure(phonix: Dataset, harmonic: Dataset) -> Rows:
    graphs, kept, _ = build(phonix.crystals)
    dataset = phonix.take(kept)
    features = described(dataset.crystals, graphs).descriptors
    assert features is not None
    kappa = np.log10(dataset.kappa)
    integral = dict(zip(harmonic.ids, harmonic.targets["transport_integral"], strict=True))
    lifetime = 1e12 * dataset.kappa / np.array([integral.get(id_, np.nan) for id_ in dataset.ids])
    sites = np.rint(np.exp(features[:, NAMES.index("ln_primitive_sites")]))
    formulas = np.array(dataset.formulas)
    expected, neighbours = cross_fitted(features, kappa, formulas), nearest(features, kappa, formulas)
    return Rows(dataset, kappa, expected, neighbours, sites, lifetime)


def cross_fitted(features: np.ndarray, kappa: np.ndarray, formulas: np.ndarray) -> np.ndarray:
    """Predict each row by trees that have not seen its formula."""
    found = np.empty(len(kappa))
    for train, validation in grouped_kfold(formulas.tolist(), 5, 0):
        trees = ExtraTreesRegressor(300, min_samples_leaf=2, max_features=0.5, random_state=0, n_jobs=1)
        found[validation] = trees.fit(features[train], kappa[train]).predict(features[validation])
    return found


def nearest(features: np.ndarray, kappa: np.ndarray, formulas: np.ndarray) -> np.ndarray:
    """Median of the nearest rows of other formulas."""
    scaled = StandardScaler().fit_transform(features)
    found = np.empty(len(kappa))
    for i, row in enumerate(scaled):
        distance = np.where(formulas == formulas[i], np.inf, ((scaled - row) ** 2).sum(axis=1))
        found[i] = np.median(kappa[np.argsort(distance, kind="stable")[:NEIGHBOURS]])
    return found


def evidence_of(rows: Rows, i: int) -> Iterator[str]:
    """Yield the evidence against a row besides the trees."""
    sign, data = np.sign(rows.off[i]), rows.dataset
    if rows.lifetime[i] > LIFETIME[1] or rows.lifetime[i] < LIFETIME[0]:
        yield "lifetime"
    if float(data.labels["label_spread_log10"][i] or 0) > SPREAD:
        yield "spread"
    if (others := polymorphs(rows, i)) and min(sign * (rows.kappa[i] - rows.kappa[others])) > np.log10(FACTOR):
        yield "polymorphs"
    share = data.targets["kappa_coherence"][i] / data.kappa[i]
    if sign < 0 and share > SHARE and rows.sites[i] <= FEW_SITES:
        yield "coherences"
    if sign * rows.off[i] > np.log10(FAR) and sign * (rows.kappa[i] - rows.neighbours[i]) > np.log10(FAR):
        yield "neighbours"


def polymorphs(rows: Rows, i: int) -> list[int]:
    formulas = rows.dataset.formulas
    return [j for j in range(len(formulas)) if j != i and formulas[j] == formulas[i]]


def suspects(rows: Rows) -> dict[int, str]:
    """Return the rows to doubt, and the evidence."""
    found = {}
    for i in np.flatnonzero(np.abs(rows.off) > np.log10(FACTOR)).tolist():
        others = polymorphs(rows, i)
        confirmed = any(abs(rows.kappa[i] - rows.kappa[j]) < np.log10(CONFIRMED) for j in others)
        if not confirmed and (evidence := " ".join(evidence_of(rows, i))):
            found[i] = evidence
    return found


def main() -> None:
    rows = measure(load("phonix"), load("phonondb_harmonic"))
    found = suspects(rows)
    with SUSPECTS.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("id", "formula", "kappa_W_mK", "expected_W_mK", "neighbours_W_mK", "lifetime_ps", "evidence"))
        for i, evidence in sorted(found.items(), key=lambda item: -abs(rows.off[item[0]])):
            numbers = (rows.dataset.kappa[i], 10 ** rows.expected[i], 10 ** rows.neighbours[i], rows.lifetime[i])
            shown = ("" if np.isnan(number) else f"{number:.3g}" for number in numbers)
            writer.writerow((rows.dataset.ids[i], rows.dataset.formulas[i], *shown, evidence))
    doubted = int((np.abs(rows.off) > np.log10(FACTOR)).sum())
    print(f"{len(found)} of {len(rows.dataset)} rows flagged, {doubted} off; trees: {np.abs(rows.off).mean():.3f}")


if __name__ == "__main__":
    main()
