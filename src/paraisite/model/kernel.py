"""`KernelHead`: Gaussian processes that correct what networks say, from a few hundred high-quality values.

For each network, log10 kappa is ``a + b f(x) + g(x)``: f is the network's log10 kappa, a and b come from least
squares, and g is a Gaussian process of zero mean. This is the autoregressive scheme of M. C. Kennedy and A. O'Hagan,
Biometrika 87, 1 (2000), with the network in the place of the cheap code. The covariance of g is a sum of two Matérn
kernels of order 3/2, one of the distance between crystal vectors and one of the distance between `descriptors`;
see C. E. Rasmussen and C. K. I. Williams, Gaussian Processes for Machine Learning (MIT Press, 2006), eqs. 2.23 (mean),
2.30 (marginal likelihood), 4.17 (Matérn) and 5.9 (gradient).
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

START = (-1.0, 0.7, -1.0, 0.7, -3.0)
"""Logarithms of variance and length of each kernel and of the variance of the noise, residuals having variance 1."""

PRIOR = (0.1, 0.3, 0.1, 0.3, 0.0)
"""Precision of the normal prior of each logarithm around its start; wide, against lengths that run away."""

BOUNDS = ((-12.0, 6.0), (-6.0, 9.0), (-12.0, 6.0), (-6.0, 9.0), (-7.0, 3.0))
"""Least and greatest value of each logarithm; some noise keeps the matrix well conditioned."""


@dataclass(frozen=True, slots=True, eq=False)
class MemberKernel:
    """The Gaussian process of one network, with n training crystals and p = width of vector + number of descriptors.

    Attributes
    ----------
    centre, scale : numpy.ndarray, shape (p,), float32
        Of vectors and descriptors on the training crystals; the scale is the standard deviation times the square root
        of the width of the block, so that distances do not grow with it.
    points : numpy.ndarray, shape (n, p), float16
        The training crystals in that scale, vector first.
    alpha : numpy.ndarray, shape (n,), float64
        Inverse covariance matrix times residuals, in log10 kappa.
    mean : numpy.ndarray, shape (2,), float64
        a and b of the module's text.
    theta : numpy.ndarray, shape (5,), float64
        Logarithms as in `START`.
    """

    centre: np.ndarray
    scale: np.ndarray
    points: np.ndarray
    alpha: np.ndarray
    mean: np.ndarray
    theta: np.ndarray


@dataclass(frozen=True, slots=True, eq=False)
class KernelHead:
    """One Gaussian process for each network.

    Attributes
    ----------
    width : int
        Of a crystal vector.
    members : tuple of MemberKernel
    """

    width: int
    members: tuple[MemberKernel, ...]

    @classmethod
    def fit(
        cls,
        network_log_kappa: np.ndarray,
        vectors: np.ndarray,
        descriptors: np.ndarray,
        log_true: np.ndarray,
        training: np.ndarray,
    ) -> KernelHead:
        """Fit on what each network may see; hyperparameters have the greatest posterior density.

        Parameters
        ----------
        network_log_kappa : numpy.ndarray, shape (members, crystals)
        vectors : numpy.ndarray, shape (members, crystals, width)
        descriptors : numpy.ndarray, shape (crystals, q)
        log_true : numpy.ndarray, shape (crystals,)
            log10 kappa; NaN where unknown.
        training : numpy.ndarray, shape (members, crystals), bool
        """
        members = tuple(
            _fit_member(network[rows], vector[rows], descriptors[rows], log_true[rows])
            for network, vector, rows in zip(network_log_kappa, vectors, training & np.isfinite(log_true), strict=True)
        )
        return cls(vectors.shape[2], members)

    def log_kappa(self, network_log_kappa: np.ndarray, vectors: np.ndarray, descriptors: np.ndarray) -> np.ndarray:
        """Mean of the Gaussian processes.

        Parameters
        ----------
        network_log_kappa : numpy.ndarray, shape (members, crystals)
        vectors : numpy.ndarray, shape (members, crystals, width)
        descriptors : numpy.ndarray, shape (crystals, q)

        Returns
        -------
        numpy.ndarray, shape (members, crystals), float64
        """
        rows = []
        for m, network, vector in zip(self.members, network_log_kappa, vectors, strict=True):
            x = (np.concatenate([vector, descriptors], axis=1) - m.centre) / m.scale
            by_vector, by_descriptors = _blocks(x, m.points.astype(np.float64), self.width)
            covariance = _matern(by_vector, *m.theta[:2])[0] + _matern(by_descriptors, *m.theta[2:4])[0]
            rows.append(m.mean[0] + m.mean[1] * network + covariance @ m.alpha)
        return np.array(rows)

    def pack(self) -> dict[str, np.ndarray]:
        """Arrays from which `unpack` makes the same head, to the last bit."""
        parts = {f"{i}.{f.name}": getattr(m, f.name) for i, m in enumerate(self.members) for f in fields(m)}
        return {"width": np.array([self.width])} | {k: np.ascontiguousarray(v) for k, v in parts.items()}

    @classmethod
    def unpack(cls, arrays: dict[str, np.ndarray]) -> KernelHead:
        """Make a head of the arrays of `pack`.

        Raises
        ------
        KeyError
            If an array is missing.
        """
        members: list[MemberKernel] = []
        while f"{len(members)}.points" in arrays:
            members.append(MemberKernel(**{f.name: arrays[f"{len(members)}.{f.name}"] for f in fields(MemberKernel)}))
        return cls(int(arrays["width"][0]), tuple(members))


def _fit_member(network: np.ndarray, vector: np.ndarray, descriptors: np.ndarray, log_true: np.ndarray) -> MemberKernel:
    from scipy.linalg import cho_factor, cho_solve  # slow to import, and not needed to predict
    from scipy.optimize import minimize

    n = len(log_true)
    line = np.column_stack([np.ones(n), network])
    mean = np.linalg.lstsq(line, log_true, rcond=None)[0]
    residual = log_true - line @ mean
    size = residual.std() or 1.0
    y = residual / size

    x = np.concatenate([vector, descriptors], axis=1, dtype=np.float64)
    spread = x.std(axis=0)
    spread[spread < 1e-6] = 1.0  # equal in all training crystals: says nothing, whatever a new crystal has there
    width = vector.shape[1]
    widths = np.repeat([width, descriptors.shape[1]], [width, descriptors.shape[1]])
    centre, scale = x.mean(axis=0).astype(np.float32), (spread * np.sqrt(widths)).astype(np.float32)
    # rounded before the fit, so that a loaded head gives the numbers it was calibrated on
    points = ((x - centre) / scale).astype(np.float16)
    rounded = points.astype(np.float64)
    distances = _blocks(rounded, rounded, width)

    def matrices(theta: np.ndarray) -> tuple[np.ndarray, list[np.ndarray]]:
        """Return the covariance matrix and its derivatives by the logarithms."""
        noise = np.exp(theta[4]) * np.eye(n)
        derivatives = [k for i, d in enumerate(distances) for k in _matern(d, *theta[2 * i : 2 * i + 2])]
        return derivatives[0] + derivatives[2] + noise, [*derivatives, noise]

    def cost(theta: np.ndarray) -> tuple[float, np.ndarray]:
        """Return the negative logarithm of the posterior density and its gradient."""
        covariance, derivatives = matrices(theta)
        factor = cho_factor(covariance, lower=True)
        alpha = cho_solve(factor, y)
        away = theta - START
        value = 0.5 * y @ alpha + np.log(np.diag(factor[0])).sum() + 0.5 * away @ (PRIOR * away)
        inner = cho_solve(factor, np.eye(n)) - np.outer(alpha, alpha)
        gradient = np.array([0.5 * np.sum(inner * d) for d in derivatives]) + PRIOR * away
        return float(value), gradient

    theta = minimize(cost, START, jac=True, method="L-BFGS-B", bounds=BOUNDS, options={"maxiter": 100}).x
    alpha = size * cho_solve(cho_factor(matrices(theta)[0], lower=True), y)
    return MemberKernel(centre, scale, points, alpha, mean, theta)


def _matern(distance: np.ndarray, log_variance: float, log_length: float) -> tuple[np.ndarray, np.ndarray]:
    """Matérn kernel of order 3/2, and its derivative by the logarithm of the length."""
    r = distance * (np.sqrt(3.0) / np.exp(log_length))
    decay = np.exp(log_variance - r)
    return (1.0 + r) * decay, r**2 * decay


def _blocks(a: np.ndarray, b: np.ndarray, width: int) -> list[np.ndarray]:
    """Distances between the vectors, and between the descriptors, of two lists, each (len(a), len(b))."""
    found = []
    for part in (slice(width), slice(width, None)):
        p, q = a[:, part], b[:, part]
        square = (p**2).sum(axis=1)[:, None] + (q**2).sum(axis=1)[None, :] - 2.0 * (p @ q.T)
        found.append(np.sqrt(np.maximum(square, 0.0)))
    return found
