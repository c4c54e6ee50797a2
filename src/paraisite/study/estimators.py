"""The regressors of the baselines, from features to log10 kappa; their settings were chosen on splits 11 to 15."""

from __future__ import annotations

import warnings
from typing import Any, Protocol

import numpy as np


class Regressor(Protocol):
    """Of scikit-learn's form."""

    def fit(self, x: np.ndarray, y: np.ndarray) -> Any: ...

    def predict(self, x: np.ndarray) -> np.ndarray: ...


class AsGiven:
    """The only feature is the answer."""

    def fit(self, x: np.ndarray, y: np.ndarray) -> AsGiven:
        """Learn nothing."""
        return self

    def predict(self, x: np.ndarray) -> np.ndarray:
        """Return the feature, (n, 1) to (n,)."""
        return x[:, 0]


class Line:
    """Straight line through one feature by least squares; the training median where the feature is NaN."""

    def fit(self, x: np.ndarray, y: np.ndarray) -> Line:
        """Fit on the rows that have the feature, (n, 1) and (n,).

        Raises
        ------
        ValueError
            If fewer than two different values are known.
        """
        known = np.isfinite(x[:, 0])
        if len(np.unique(x[known])) < 2:
            raise ValueError(f"{known.sum()} of {len(x)} training rows have a value: too few for a straight line")
        self.slope, self.offset = np.polyfit(x[known, 0], y[known], 1)
        self.median = float(np.median(y))
        return self

    def predict(self, x: np.ndarray) -> np.ndarray:
        """Values of the line, (n, 1) to (n,)."""
        return np.where(np.isfinite(x[:, 0]), self.offset + self.slope * x[:, 0], self.median)


class GaussianProcess:
    """Gaussian process with a Matérn kernel of order 3/2 and white noise on standardised features.

    Hyperparameters have the greatest marginal likelihood, of `TUNED` rows drawn at random where there are more; the
    process then goes through all rows.

    Parameters
    ----------
    seed : int
        Of the draw.
    """

    TUNED = 1000

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def fit(self, x: np.ndarray, y: np.ndarray) -> GaussianProcess:
        """Fit, (n, p) and (n,)."""
        from sklearn.exceptions import ConvergenceWarning
        from sklearn.gaussian_process import GaussianProcessRegressor
        from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel
        from sklearn.preprocessing import StandardScaler

        kernel = ConstantKernel(1.0, (1e-2, 1e3)) * Matern(5.0, (1e-1, 1e3), nu=1.5) + WhiteKernel(0.1, (1e-3, 1e1))
        self.scaler = StandardScaler().fit(x)
        z = self.scaler.transform(x)
        rows = np.random.RandomState(self.seed).permutation(len(z))[: self.TUNED]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # at a bound of the kernel: no harm
            self.process = GaussianProcessRegressor(kernel, normalize_y=True).fit(z[rows], y[rows])
        if len(z) > len(rows):
            tuned = self.process.kernel_
            self.process = GaussianProcessRegressor(tuned, optimizer=None, normalize_y=True).fit(z, y)
        return self

    def predict(self, x: np.ndarray) -> np.ndarray:
        """Mean of the process, (n, p) to (n,)."""
        found: np.ndarray = self.process.predict(self.scaler.transform(x))
        return found


class Ridge:
    """Ridge regression on standardised features; the penalty has the least leave-one-out error of the training part.

    Predictions end a power of ten beyond the training values: trained on half-Heuslers alone, whose vectors hardly
    differ in some directions, the plane reaches beyond 10³⁰⁰ W m⁻¹ K⁻¹ for other crystals.
    """

    def fit(self, x: np.ndarray, y: np.ndarray) -> Ridge:
        """Fit, (n, p) and (n,), the latter logarithms to base 10."""
        from sklearn.linear_model import RidgeCV
        from sklearn.pipeline import make_pipeline
        from sklearn.preprocessing import StandardScaler

        self.plane = make_pipeline(StandardScaler(), RidgeCV(np.logspace(-3, 5, 17))).fit(x, y)
        self.limits = y.min() - 1.0, y.max() + 1.0
        return self

    def predict(self, x: np.ndarray) -> np.ndarray:
        """Values of the plane, (n, p) to (n,)."""
        return np.clip(self.plane.predict(x), *self.limits)


def median(seed: int) -> Regressor:
    """The median of the training part, whatever the crystal."""
    from sklearn.dummy import DummyRegressor

    return DummyRegressor(strategy="median")


def extra_trees(seed: int) -> Regressor:
    """P. Geurts, D. Ernst and L. Wehenkel, Mach. Learn. 63, 3 (2006)."""
    from sklearn.ensemble import ExtraTreesRegressor

    return ExtraTreesRegressor(300, max_features=0.5, random_state=seed)


def gradient_boosting(seed: int) -> Regressor:
    """Gradient-boosted trees on binned features, with leaves small enough for a hundred rows."""
    from sklearn.ensemble import HistGradientBoostingRegressor

    return HistGradientBoostingRegressor(
        learning_rate=0.05, max_iter=300, min_samples_leaf=3, max_features=0.2, l2_regularization=1.0, random_state=seed
    )
