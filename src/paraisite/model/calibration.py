"""Calibrated intervals of log10 kappa from residuals of members not trained on the row.

The method is CV+ (R. F. Barber, E. J. Candès, A. Ramdas and R. J. Tibshirani, Ann. Statist. 49, 486 (2021)) with
residuals divided by a predicted scale (J. Lei et al., J. Am. Stat. Assoc. 113, 1094 (2018)): each calibration row
proposes an interval around the centre of the networks that did not see it, and the bounds are quantiles of the
proposals. The scale is ``exp(w0 + w · features)``; the features are those of `neighbourhood.scale_features`. The
weights make the logarithm of the scale the `AIM` quantile of that of the residuals (R. Koenker and G. Bassett,
Econometrica 46, 33 (1978)), with a ridge that pulls towards a constant scale.
"""

from __future__ import annotations

import numpy as np
from pydantic import BaseModel, ConfigDict

from paraisite.model.neighbourhood import SCALE_FEATURES

AIM = 0.9
"""Share of the residuals that are to be smaller than the scale, whatever the features are."""

RIDGE = 0.003
"""Pull of the slopes of `SCALE_FEATURES` towards zero, for each calibration row."""

PULL = 120.0
"""Pull of those of the descriptors, which are many, towards zero, for all calibration rows together."""

FARTHEST = 4.0
"""Standard deviations from the mean beyond which a feature counts as being there."""

MIN_ROWS = 10
"""Fewer held-out rows calibrate nothing."""


class Calibration(BaseModel):
    """Residuals of held-out rows and the scale they are divided by.

    Attributes
    ----------
    folds : tuple of tuple of int
        Members of each fold.
    row_fold : tuple of int
        Fold that held out each calibration row.
    score : tuple of float
        log10 true minus log10 predicted, over the scale, for each calibration row.
    weights : tuple of float
        w0 of the scale, then the slope of each feature.
    lowest, highest : tuple of float
        Range of each feature among the calibration rows; beyond it the scale stays what it is at its end.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    folds: tuple[tuple[int, ...], ...]
    row_fold: tuple[int, ...]
    score: tuple[float, ...]
    weights: tuple[float, ...]
    lowest: tuple[float, ...]
    highest: tuple[float, ...]

    @classmethod
    def fit(
        cls,
        folds: tuple[tuple[int, ...], ...],
        row_fold: np.ndarray,
        log_members: np.ndarray,
        features: np.ndarray,
        log_true: np.ndarray,
        *,
        adaptive: bool = True,
    ) -> Calibration:
        """Fit to held-out rows.

        Parameters
        ----------
        folds : tuple of tuple of int
        row_fold : numpy.ndarray, shape (n,), int
        log_members : numpy.ndarray, shape (members, n)
            log10 kappa of every network.
        features : numpy.ndarray, shape (folds, n, q)
            What the scale may depend on.
        log_true : numpy.ndarray, shape (n,)
        adaptive : bool
            Whether the scale may vary; if not, every interval has the same width (to compare with).

        Raises
        ------
        ValueError
            If there are fewer than ten rows.
        """
        if len(row_fold) < MIN_ROWS:
            raise ValueError(f"{len(row_fold)} held-out rows are too few to calibrate on; at least {MIN_ROWS}")
        rows = np.arange(len(row_fold))
        centre = centres(log_members, folds)[row_fold, rows]
        features = features[row_fold, rows]
        residual = log_true - centre
        size = np.abs(residual) + 1e-3  # below the third decimal a residual is luck
        mean, spread = features.mean(axis=0), features.std(axis=0)
        spread[spread < 1e-6] = 1.0  # equal in all rows: says nothing, and its rounding must not
        lowest = np.maximum(features.min(axis=0), mean - FARTHEST * spread)
        highest = np.minimum(features.max(axis=0), mean + FARTHEST * spread)
        features = np.clip(features, lowest, highest)
        standard = (features - mean) / spread
        pull = np.where(np.arange(features.shape[1]) < len(SCALE_FEATURES), RIDGE, PULL / len(rows))

        from scipy.optimize import minimize  # slow to import, and not needed to predict

        def cost(w: np.ndarray) -> tuple[float, np.ndarray]:
            """Return the pinball loss with the ridge, and its gradient."""
            over = np.log(size) - w[0] - standard @ w[1:]
            slope = np.where(over > 0, -AIM, 1.0 - AIM)
            gradient = np.concatenate([[slope.mean()], slope @ standard / len(slope) + 2 * pull * w[1:]])
            return float(np.mean(-slope * over) + pull @ w[1:] ** 2), gradient

        start = np.concatenate([[np.log(np.quantile(size, AIM))], np.zeros(features.shape[1])])
        w = minimize(cost, start, method="L-BFGS-B", jac=True).x if adaptive else start
        slopes = w[1:] / spread
        weights = (float(w[0] - mean @ slopes), *slopes.tolist())
        scale = np.exp(weights[0] + features @ slopes)
        return cls(
            folds=folds,
            row_fold=tuple(int(f) for f in row_fold),
            score=tuple(float(s) for s in residual / scale),
            weights=weights,
            lowest=tuple(lowest.tolist()),
            highest=tuple(highest.tolist()),
        )

    def check_level(self, level: float) -> None:
        """Raise ValueError unless the calibration rows can support an interval of this level."""
        n = len(self.score)
        highest = n / (n + 1)
        if not 0.0 < level <= highest:
            raise ValueError(
                f"level {level:g}: choose one above 0 and at most {int(highest * 1000) / 1000} ({n} calibration rows)"
            )

    def interval(
        self, log_members: np.ndarray, features: np.ndarray, level: float, *, folds: list[int] | None = None
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Bounds of log10 kappa and the standard deviation of the predictive distribution.

        Parameters
        ----------
        log_members : numpy.ndarray, shape (members, crystals)
        features : numpy.ndarray, shape (folds, crystals, q)
        level : float
            Share of truths that the interval shall cover.
        folds : list of int, optional
            Use members of these folds only (for a compound that the others trained on).

        Returns
        -------
        low, high, std : numpy.ndarray, shape (crystals,)

        Raises
        ------
        ValueError
            If the level is not between 0 and 1, or is beyond what so many calibration rows can support.
        """
        self.check_level(level)
        n = len(self.score)
        centre = centres(log_members, self.folds)
        features = np.clip(features, self.lowest, self.highest)
        scale = np.exp(self.weights[0] + features @ np.array(self.weights[1:]))
        row_fold, score = np.array(self.row_fold), np.array(self.score)
        if folds is not None:  # every row's score, around the centres of the allowed folds in turn
            row_fold = np.array(folds)[np.arange(n) % len(folds)]
        used = np.unique(row_fold)
        scores = [score[row_fold == f] for f in used]
        centre, scale = centre[used], scale[used]
        reaches = [np.sort(np.abs(s)) for s in scores]
        rank = int(np.ceil((n + 1) * level))  # of the sorted proposals, counted from the side of the centre
        high = _quantile(reaches, centre, scale, rank)
        low = -_quantile(reaches, -centre, scale, rank)
        share = np.array([[len(s) / n] for s in scores])
        first, second = (np.array([[(s**k).mean()] for s in scores]) for k in (1, 2))
        mean = (share * (centre + first * scale)).sum(axis=0)
        square = (share * (centre**2 + 2.0 * centre * first * scale + second * scale**2)).sum(axis=0)
        std = np.sqrt(np.maximum(square - mean**2, 0.0))
        return low, high, std


def _quantile(reaches: list[np.ndarray], centre: np.ndarray, scale: np.ndarray, rank: int) -> np.ndarray:
    """Value below or at which `rank` of the proposals ``centre[f] + reach * scale[f]`` lie, for each crystal.

    Found by bisection: counting proposals of all crystals is quicker than making and sorting them.

    Parameters
    ----------
    reaches : list of numpy.ndarray
        Sorted, not negative, for each fold.
    centre, scale : numpy.ndarray, shape (folds, crystals)
    rank : int
        From 1 on.
    """
    low = centre.min(axis=0)
    high = np.max([c + r[-1] * s for r, c, s in zip(reaches, centre, scale, strict=True)], axis=0)
    for _ in range(40):
        middle = 0.5 * (low + high)
        count = np.zeros(len(middle), dtype=np.int64)
        for reach, c, s in zip(reaches, centre, scale, strict=True):
            count += np.searchsorted(reach, (middle - c) / s, side="right")
        enough = count >= rank
        high, low = np.where(enough, middle, high), np.where(enough, low, middle)
    return high


def centres(log_members: np.ndarray, folds: tuple[tuple[int, ...], ...]) -> np.ndarray:
    """Mean over the members of each fold, (members, crystals) to (folds, crystals)."""
    return np.stack([log_members[list(members)].mean(axis=0) for members in folds])
