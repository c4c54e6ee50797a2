"""Scores of predicted conductivities and intervals, on kappa in W m⁻¹ K⁻¹ and nothing else.

Every function takes arrays of shape (n,). An invalid prediction does not vanish from a score. A conductivity is invalid
if it is NaN, infinite, zero or negative: it counts as `INVALID_FACTOR` times the truth, and in rankings as standing at
the wrong end. An interval is invalid if a bound is so or the bounds are swapped: it never covers, counts as
`INVALID_FACTOR`² wide (high / low), and scores as a point at `INVALID_FACTOR` times the truth. A truth that is not
positive is an error: leave such rows out first.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

INVALID_FACTOR = 1e3
"""How far off an invalid prediction counts as."""


def mape(kappa_true: ArrayLike, kappa_pred: ArrayLike) -> float:
    """Mean absolute percentage error as a fraction: mean(abs(pred - true) / true)."""
    true, pred, _ = _pair(kappa_true, kappa_pred)
    return float(np.mean(np.abs(pred - true) / true))


def median_ape(kappa_true: ArrayLike, kappa_pred: ArrayLike) -> float:
    """Median absolute percentage error as a fraction: median(abs(pred - true) / true)."""
    true, pred, _ = _pair(kappa_true, kappa_pred)
    return float(np.median(np.abs(pred - true) / true))


def male(kappa_true: ArrayLike, kappa_pred: ArrayLike) -> float:
    """Mean absolute log10 error: mean(abs(log10(pred) - log10(true))); 0.30 is a factor of 2."""
    true, pred, _ = _pair(kappa_true, kappa_pred)
    return float(np.mean(np.abs(np.log10(pred) - np.log10(true))))


def spearman(kappa_true: ArrayLike, kappa_pred: ArrayLike) -> float:
    """Spearman's rank correlation: Pearson's correlation of the ranks, equal values sharing their mean rank.

    An invalid prediction stands at the wrong end: below all valid ones where the truth is at or above the median, above
    all of them otherwise, and among its like in the reverse order of the truths. Predictions that are all equal rank
    nothing and score 0. NaN for fewer than two rows or equal truths, where there is nothing to rank.
    """
    from scipy.stats import spearmanr

    true, pred, valid = _pair(kappa_true, kappa_pred)
    if np.ptp(true) == 0:
        return float("nan")
    log_true, log_pred = np.log10(true), np.log10(pred)
    distance = log_true - np.median(log_true)
    lowest, highest = (log_pred[valid].min(), log_pred[valid].max()) if valid.any() else (0.0, 0.0)
    log_pred = np.where(valid, log_pred, np.where(distance >= 0, lowest - 1, highest + 1) - distance)
    if np.ptp(log_pred) == 0:
        return 0.0
    return float(spearmanr(log_true, log_pred).statistic)


def coverage(kappa_true: ArrayLike, kappa_low: ArrayLike, kappa_high: ArrayLike) -> float:
    """Share of truths inside their interval, bounds included: mean(low <= true <= high)."""
    true, low, high, valid = _interval(kappa_true, kappa_low, kappa_high)
    return float(np.mean(valid & (low <= true) & (true <= high)))


def interval_width(kappa_low: ArrayLike, kappa_high: ArrayLike) -> float:
    """Typical width as a factor: median(high / low); `INVALID_FACTOR`² for an invalid interval."""
    _, low, high, valid = _interval(np.ones(np.shape(kappa_low)), kappa_low, kappa_high)
    return float(np.median(np.where(valid, high / low, INVALID_FACTOR**2)))


def interval_score(kappa_true: ArrayLike, kappa_low: ArrayLike, kappa_high: ArrayLike, level: float = 0.9) -> float:
    """Mean interval score in log10 kappa; lower is better.

    With alpha = 1 - level, l = log10(low), u = log10(high) and x = log10(true), the mean of
    (u - l) + 2/alpha max(l - x, 0) + 2/alpha max(x - u, 0): equation 43 of T. Gneiting and A. E. Raftery,
    J. Am. Stat. Assoc. 102, 359 (2007). It is smallest, in expectation, for the true quantiles alpha/2 and 1 - alpha/2.

    Raises
    ------
    ValueError
        If `level` is not between 0 and 1.
    """
    if not 0 < level < 1:
        raise ValueError(f"the level of an interval must lie between 0 and 1, not {level}")
    true, low, high, _ = _interval(kappa_true, kappa_low, kappa_high)
    x, lower, upper = np.log10(true), np.log10(low), np.log10(high)
    missed = np.maximum(lower - x, 0) + np.maximum(x - upper, 0)
    return float(np.mean(upper - lower + 2 / (1 - level) * missed))


def scores(kappa_true: ArrayLike, kappa_pred: ArrayLike) -> dict[str, float]:
    """Return the four metrics of every table, the number of rows `n` and of invalid predictions `n_invalid`."""
    true, _, valid = _pair(kappa_true, kappa_pred)
    return {
        "mape": mape(true, kappa_pred),
        "median_ape": median_ape(true, kappa_pred),
        "male": male(true, kappa_pred),
        "spearman": spearman(true, kappa_pred),
        "n": float(len(true)),
        "n_invalid": float(np.sum(~valid)),
    }


def _pair(kappa_true: ArrayLike, kappa_pred: ArrayLike) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return truths, predictions with invalid ones replaced, and which are valid."""
    true = _truth(kappa_true)
    pred = _same_shape(true, kappa_pred, "predictions")
    valid = _usable(pred)
    return true, np.where(valid, pred, INVALID_FACTOR * true), valid


def _interval(
    kappa_true: ArrayLike, kappa_low: ArrayLike, kappa_high: ArrayLike
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return truths, bounds with invalid intervals replaced by a point far off, and which are valid."""
    true = _truth(kappa_true)
    low = _same_shape(true, kappa_low, "lower bounds")
    high = _same_shape(true, kappa_high, "upper bounds")
    valid = _usable(low) & _usable(high) & (low <= high)
    far = INVALID_FACTOR * true
    return true, np.where(valid, low, far), np.where(valid, high, far), valid


def _usable(kappa: np.ndarray) -> np.ndarray:
    usable: np.ndarray = np.isfinite(kappa) & (kappa > 0)
    return usable


def _truth(kappa_true: ArrayLike) -> np.ndarray:
    true = np.asarray(kappa_true, dtype=np.float64)
    if true.ndim != 1 or true.size == 0:
        raise ValueError(f"truths must be a list of at least one number, not an array of shape {true.shape}")
    wrong = np.flatnonzero(~_usable(true))
    if wrong.size:
        raise ValueError(
            f"{wrong.size} of {true.size} truths are not positive numbers "
            f"(the first: {true[wrong[0]]} in row {wrong[0]}); "
            "leave such rows out before scoring"
        )
    return true


def _same_shape(true: np.ndarray, values: ArrayLike, what: str) -> np.ndarray:
    array = np.asarray(values, dtype=np.float64)
    if array.shape != true.shape:
        raise ValueError(f"{what} have shape {array.shape}, truths {true.shape}")
    return array
