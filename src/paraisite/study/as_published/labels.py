"""`Labels`: standardised conductivities, and the two ways back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from paraisite.study.as_published.variants import Variant

SMALLEST = 1.17e-6
"""Least divisor of torchmetrics' MeanAbsolutePercentageError, which the study trains and scores with."""


@dataclass(frozen=True, slots=True, eq=False)
class Labels:
    """Standardised log10(kappa + 1), and the two ways back.

    Attributes
    ----------
    values : numpy.ndarray, shape (runs, rows)
    own : tuple of two numpy.ndarray, each of shape (runs, rows)
        Mean and standard deviation that standardised each row.
    back : tuple of two numpy.ndarray, each of shape (runs, 1)
        Those that loss and score turn values back with; with a foreign scaler, into something that is not kappa.
    """

    values: np.ndarray
    own: tuple[np.ndarray, np.ndarray]
    back: tuple[np.ndarray, np.ndarray]

    @classmethod
    def fit(
        cls,
        kappa: np.ndarray,
        part_sizes: Sequence[int],
        training: np.ndarray,
        variant: Variant,
        start: tuple[np.ndarray, np.ndarray] | None = None,
    ) -> Labels:
        """Standardise as the study does.

        Parameters
        ----------
        kappa : numpy.ndarray, shape (rows,)
        part_sizes : sequence of int
            Rows of each dataset that this one is made of.
        training : numpy.ndarray, shape (runs, rows), bool
        variant : Variant
        start : tuple of two numpy.ndarray, each of shape (runs, 1), optional
            The scaler of what step III starts from.
        """
        log = np.broadcast_to(np.log10(kappa + 1.0), training.shape)
        fitted = np.ones_like(training) if variant.on("scaler_sees_fold") else training
        whole = _moments(log, fitted)
        if variant.on("foreign_scaler"):
            part = np.repeat(np.arange(len(part_sizes)), part_sizes)
            moments = [_moments(log, fitted & (part == p)) for p in range(len(part_sizes))]
            own = tuple(np.hstack([m[i] for m in moments])[:, part] for i in range(2))
            back = whole if start is None else start
        else:
            own, back = tuple(np.broadcast_to(m, training.shape) for m in whole), whole
        return cls((log - own[0]) / own[1], (own[0], own[1]), back)

    def scored(self, values: np.ndarray, run: int) -> np.ndarray:
        """What the study takes for kappa: values turned back with the scaler at hand."""
        return 10.0 ** (values * self.back[1][run] + self.back[0][run]) - 1.0

    def kappa(self, values: np.ndarray, run: int, rows: np.ndarray) -> np.ndarray:
        """Values turned back with the scaler that standardised them, in W m⁻¹ K⁻¹."""
        return 10.0 ** (values * self.own[1][run, rows] + self.own[0][run, rows]) - 1.0

    def score(self, predicted: np.ndarray, run: int, rows: np.ndarray) -> float:
        """The study's score of standardised predictions on some rows."""
        true = self.scored(self.values[run, rows], run)
        return float(np.mean(np.abs(self.scored(predicted, run) - true) / np.maximum(np.abs(true), SMALLEST)))


def _moments(log: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean and standard deviation over the rows of each run, each of shape (runs, 1)."""
    mean = log.mean(axis=1, keepdims=True, where=rows)
    return mean, log.std(axis=1, keepdims=True, where=rows)
