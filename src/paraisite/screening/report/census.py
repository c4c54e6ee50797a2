"""`Census`: what one pass over a table of predictions counts, in memory that does not grow with it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
from pyarrow import compute

from paraisite.crystals.elements import NUMBERS, SYMBOLS
from paraisite.files import arrow
from paraisite.prediction.prediction import Prediction
from paraisite.prediction.table import Summary
from paraisite.screening.shortlist import Wish, elements_of, probability

EDGES = np.linspace(-4.0, 5.0, 901)
"""Of the bins in which log10 kappa is counted: medians are good to 0.005, which is 1 %."""

SAMPLE = 20_000
"""Rows that are kept to be drawn as points."""

COLUMNS = (
    "id",
    "source",
    "formula",
    "kappa_W_mK",
    "kappa_low_W_mK",
    "kappa_high_W_mK",
    "log10_std",
    "status",
    "reason",
)
"""Columns that a census reads."""


@dataclass
class Census:
    """Counts of a table of predictions.

    Attributes
    ----------
    wish : Wish
        Its bounds count.
    total : int
        Rows there will be, to choose a sample of them.
    summary : Summary
        Counts by status, and the reasons.
    bins : numpy.ndarray, shape (len(EDGES) - 1,), int64
        Crystals by log10 kappa.
    element_bins : numpy.ndarray, shape (elements, len(EDGES) - 1), int64
        The same for those with an element, by atomic number.
    element_within : numpy.ndarray, shape (elements,), float64
        Sum of the probabilities to lie within the bounds of those with an element.
    within, expected : int, float
        Crystals with kappa within the bounds, and how many are expected there: the sum of the probabilities.
    names : list of tuple of str, str, bool
        Formula and id of each crystal of the sample, and whether there is a warning.
    """

    wish: Wish
    total: int
    summary: Summary = field(default_factory=Summary)
    bins: np.ndarray = field(default_factory=lambda: np.zeros(len(EDGES) - 1, dtype=np.int64))
    element_bins: np.ndarray = field(
        default_factory=lambda: np.zeros((len(SYMBOLS), len(EDGES) - 1), dtype=np.int64),
    )
    element_within: np.ndarray = field(default_factory=lambda: np.zeros(len(SYMBOLS)))
    within: int = 0
    expected: float = 0.0
    names: list[tuple[str, str, bool]] = field(default_factory=list)
    _points: list[np.ndarray] = field(default_factory=list)
    _random: np.random.Generator = field(default_factory=lambda: np.random.default_rng(0))

    @classmethod
    def of(cls, tables: Iterable[pa.Table], wish: Wish, total: int) -> Census:
        """Count tables that come one after the other."""
        census = cls(wish, total)
        for table in tables:
            census.add(table)
        return census

    def add(self, table: pa.Table) -> None:
        """Count the rows of a table."""
        self._count_status(table)
        real = ("kappa_W_mK", "kappa_low_W_mK", "kappa_high_W_mK", "log10_std")
        values = np.stack([arrow.floats(table.column(name)) for name in real])
        rows = np.flatnonzero(values[0] > 0)
        values = values[:, rows]
        kappa, std = values[0], values[3]
        last = len(EDGES) - 2
        bins = np.clip(np.searchsorted(EDGES, np.log10(kappa), side="right") - 1, 0, last)
        self.bins += np.bincount(bins, minlength=last + 1)

        formulas = table.column("formula").combine_chunks().take(arrow.numbers(rows, pa.int64())).dictionary_encode()
        sets = [[NUMBERS[e] for e in elements_of(f) if e in NUMBERS] for f in formulas.dictionary.to_pylist()]
        sizes = np.array([len(s) for s in sets], dtype=np.int64)
        flat = np.array([z for s in sets for z in s], dtype=np.int64)
        which = arrow.to_numpy(formulas.indices.cast(pa.int64()))
        count = sizes[which] if len(which) else np.zeros(0, dtype=np.int64)
        start = arrow.pointers(sizes)[:-1]
        row = np.repeat(np.arange(len(rows)), count)
        within_row = np.arange(len(row)) - np.repeat(arrow.pointers(count)[:-1], count)
        z = flat[np.repeat(start[which], count) + within_row] if len(row) else flat[:0]
        counts = np.bincount(z * (last + 1) + bins[row], minlength=self.element_bins.size)
        self.element_bins += counts.reshape(self.element_bins.shape)

        if self.wish.bounded:
            below, above = self.wish.below, self.wish.above
            chance = np.nan_to_num(probability(kappa, std, below=below, above=above))
            self.expected += float(chance.sum())
            inside = (kappa < (np.inf if below is None else below)) & (kappa > (above or 0.0))
            self.within += int(inside.sum())
            self.element_within += np.bincount(z, weights=chance[row], minlength=len(SYMBOLS))
        share = SAMPLE / max(self.total, 1)
        taken = self._random.random(len(rows)) < share if share < 1 else np.ones(len(rows), dtype=bool)
        self._points.append(values[:3, taken])
        told = table.take(arrow.numbers(rows[taken], pa.int64()))
        columns = (told.column(name).to_pylist() for name in ("formula", "id", "status"))
        self.names += [(formula, id, status == "warning") for formula, id, status in zip(*columns, strict=True)]

    @property
    def points(self) -> np.ndarray:
        """Conductivity and the bounds of its interval of a sample, shape (3, n)."""
        return np.concatenate([np.zeros((3, 0)), *self._points], axis=1)

    @property
    def median(self) -> float:
        """Median conductivity in W/m/K; NaN if nothing was predicted."""
        return _median(self.bins)

    @property
    def element_counts(self) -> dict[str, int]:
        """Number of predicted crystals with each element."""
        return {SYMBOLS[z]: int(n) for z, n in enumerate(self.element_bins.sum(axis=1)) if n}

    @property
    def element_medians(self) -> dict[str, float]:
        """Median conductivity of the crystals with each element."""
        return {SYMBOLS[z]: _median(row) for z, row in enumerate(self.element_bins) if row.any()}

    @property
    def element_shares(self) -> dict[str, float]:
        """Share of the crystals with each element that is expected within the bounds."""
        return {s: float(self.element_within[NUMBERS[s]]) / n for s, n in self.element_counts.items()}

    def _count_status(self, table: pa.Table) -> None:
        status = table.column("status")
        odd = table.filter(compute.not_equal(status, "ok"))
        self.summary.counts["ok"] += table.num_rows - odd.num_rows
        for id, source, state, reason in zip(
            *(odd.column(name).to_pylist() for name in ("id", "source", "status", "reason")), strict=True
        ):
            self.summary.add(Prediction(id, source, status=state, reason=reason or ""))


def _median(counts: np.ndarray) -> float:
    """Median of what was counted in bins of log10 kappa: the middle of its bin."""
    if not counts.any():
        return float("nan")
    at = int(np.searchsorted(np.cumsum(counts), counts.sum() / 2))
    return float(10 ** ((EDGES[at] + EDGES[at + 1]) / 2))
