"""`KernelHead`: Gaussian processes that correct what networks say, from a few hundred high-quality values.

For each network, log10 kappa is ``a + b f(x) + g(x)``: f is the network's log10 kappa, a and b come from least
squares, and g is a Gaussian process of zero mean. This is the autoregressive scheme of M. C. Kennedy and A. O'Hagan,
Biometrika 87, 1 (2000), with the network in the place of the cheap code. The covariance of g is a sum of Matérn
kernels of order 3/2, one of the distance between crystal vectors and one for each block of `descriptors`; see
C. E. Rasmussen and C. K. I. Williams, Gaussian Processes for Machine Learning (MIT Press, 2006), eqs. 2.23 (mean),
2.30 (marginal likelihood), 4.17 (Matérn) and 5.9 (gradient).
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np

VARIANCE = (-1.0, 0.1, (-12.0, 6.0))
LENGTH = (0.7, 0.3, (-6.0, 9.0))
NOISE = (-3.0, 0.0, (-7.0, 3.0))
"""Start, precision and bounds of the logarithms of variance and length of each kernel and of the variance of the noise,
residuals having variance 1. The precision is that of a normal prior around the start: wide, against lengths that run
away. Some noise keeps the matrix well conditioned."""


@dataclass(frozen=True, slots=True, eq=False)
class MemberKernel:
    """The Gaussian process of one network, with n training crystals, p inputs and k kernels.

    Attributes
    ----------
    centre, scale : numpy.ndarray, shape (p,), float32
        Of vector and descriptors on the training crystals; the scale is the standard deviation times the square root
        of the width of the block, so that distances do not grow with it.
    points : numpy.ndarray, shape (n, p), float16
        The training crystals in that scale, vector first.
    alpha : numpy.ndarray, shape (n,), float64
        Inverse covariance matrix times residuals, in log10 kappa.
    mean : numpy.ndarray, shape (2,), float64
        a and b of the module's text.
    theta : numpy.ndarray, shape (2 k + 1,), float64
        Logarithms of variance and length of each kernel, then of the noise.
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
    widths : tuple of int
        Of the crystal vector and of each block of descriptors.
    members : tuple of MemberKernel
    """

    widths: tuple[int, ...]
    members: tuple[MemberKernel, ...]

    @classmethod
    def fit(
        cls,
        network_log_kappa: np.ndarray,
        vectors: np.ndarray,
        descriptors: np.ndarray,
        log_true: np.ndarray,
        training: np.ndarray,
        blocks: tuple[int, ...],
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
        blocks : tuple of int
            Widths of the blocks of descriptors; their sum is q.
        """
        widths = (vectors.shape[2], *blocks)
        members = tuple(
            _fit_member(network[rows], np.concatenate([vector, descriptors], axis=1)[rows], log_true[rows], widths)
            for network, vector, rows in zip(network_log_kappa, vectors, training & np.isfinite(log_true), strict=True)
        )
        return cls(widths, members)

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
            covariance = self._covariance(m, self._inputs(m, vector, descriptors), m.points.astype(np.float64))
            rows.append(m.mean[0] + m.mean[1] * network + covariance @ m.alpha)
        return np.array(rows)

    def log_std(self, vectors: np.ndarray, descriptors: np.ndarray) -> np.ndarray:
        """Standard deviation of each prediction of log10 kappa, the noise of the labels included.

        Parameters
        ----------
        vectors : numpy.ndarray, shape (members, crystals, width)
        descriptors : numpy.ndarray, shape (crystals, q)

        Returns
        -------
        numpy.ndarray, shape (members, crystals), float64
            Square root of eq. 2.26 of Rasmussen and Williams plus the noise.
        """
        from scipy.linalg import cho_factor, cho_solve

        rows = []
        for m, vector in zip(self.members, vectors, strict=True):
            points = m.points.astype(np.float64)
            noise = float(np.exp(m.theta[-1]))
            covariance = self._covariance(m, points, points) + noise * np.eye(len(points))
            size = (covariance @ m.alpha).std()  # of the residuals that the kernels were scaled by
            across = self._covariance(m, self._inputs(m, vector, descriptors), points)
            known = (across * cho_solve(cho_factor(covariance, lower=True), across.T).T).sum(axis=1)
            prior = np.exp(m.theta[:-1:2]).sum() + noise
            rows.append(size * np.sqrt(np.maximum(prior - known, noise)))
        return np.array(rows)

    def _inputs(self, member: MemberKernel, vector: np.ndarray, descriptors: np.ndarray) -> np.ndarray:
        return (np.concatenate([vector, descriptors], axis=1) - member.centre) / member.scale

    def _covariance(self, member: MemberKernel, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        kernels = enumerate(_distances(a, b, self.widths))
        return sum((_matern(d, *member.theta[2 * i : 2 * i + 2])[0] for i, d in kernels), np.zeros((len(a), len(b))))

    def pack(self) -> dict[str, np.ndarray]:
        """Arrays from which `unpack` makes the same head, to the last bit."""
        parts = {f"{i}.{f.name}": getattr(m, f.name) for i, m in enumerate(self.members) for f in fields(m)}
        return {"widths": np.array(self.widths)} | {k: np.ascontiguousarray(v) for k, v in parts.items()}

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
        return cls(tuple(arrays["widths"].tolist()), tuple(members))


def _fit_member(network: np.ndarray, x: np.ndarray, log_true: np.ndarray, widths: tuple[int, ...]) -> MemberKernel:
    from scipy.linalg import cho_factor, cho_solve  # slow to import, and not needed to predict
    from scipy.optimize import minimize

    n = len(log_true)
    line = np.column_stack([np.ones(n), network])
    mean = np.linalg.lstsq(line, log_true, rcond=None)[0]
    residual = log_true - line @ mean
    size = residual.std() or 1.0
    y = residual / size

    spread = x.std(axis=0)
    spread[spread < 1e-6] = 1.0  # equal in all training crystals: says nothing, whatever a new crystal has there
    centre = x.mean(axis=0).astype(np.float32)
    scale = (spread * np.sqrt(np.repeat(widths, widths))).astype(np.float32)
    # rounded before the fit, so that a loaded head gives the numbers it was calibrated on
    points = ((x - centre) / scale).astype(np.float16)
    rounded = points.astype(np.float64)
    distances = _distances(rounded, rounded, widths)
    priors = [*([VARIANCE, LENGTH] * len(widths)), NOISE]
    start, precision = (np.array([p[i] for p in priors]) for i in range(2))

    def matrices(theta: np.ndarray) -> tuple[np.ndarray, list[np.ndarray]]:
        """Return the covariance matrix and its derivatives by the logarithms."""
        noise = np.exp(theta[-1]) * np.eye(n)
        derivatives = [k for i, d in enumerate(distances) for k in _matern(d, *theta[2 * i : 2 * i + 2])]
        return sum(derivatives[::2], noise), [*derivatives, noise]

    def cost(theta: np.ndarray) -> tuple[float, np.ndarray]:
        """Return the negative logarithm of the posterior density and its gradient."""
        covariance, derivatives = matrices(theta)
        factor = cho_factor(covariance, lower=True)
        alpha = cho_solve(factor, y)
        away = theta - start
        value = 0.5 * y @ alpha + np.log(np.diag(factor[0])).sum() + 0.5 * away @ (precision * away)
        inner = cho_solve(factor, np.eye(n)) - np.outer(alpha, alpha)
        gradient = np.array([0.5 * np.sum(inner * d) for d in derivatives]) + precision * away
        return float(value), gradient

    bounds = [p[2] for p in priors]
    theta = minimize(cost, start, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": 100}).x
    alpha = size * cho_solve(cho_factor(matrices(theta)[0], lower=True), y)
    return MemberKernel(centre, scale, points, alpha, mean, theta)


def _matern(distance: np.ndarray, log_variance: float, log_length: float) -> tuple[np.ndarray, np.ndarray]:
    """Matérn kernel of order 3/2, and its derivative by the logarithm of the length."""
    r = distance * (np.sqrt(3.0) / np.exp(log_length))
    decay = np.exp(log_variance - r)
    return (1.0 + r) * decay, r**2 * decay


def _distances(a: np.ndarray, b: np.ndarray, widths: tuple[int, ...]) -> list[np.ndarray]:
    """Distances between two lists in each block of inputs, each of shape (len(a), len(b))."""
    found = []
    ends = np.cumsum(widths)[:-1]
    for p, q in zip(np.split(a, ends, axis=1), np.split(b, ends, axis=1), strict=True):
        square = (p**2).sum(axis=1)[:, None] + (q**2).sum(axis=1)[None, :] - 2.0 * (p @ q.T)
        found.append(np.sqrt(np.maximum(square, 0.0)))
    return found
