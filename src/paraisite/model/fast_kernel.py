"""`FastKernel`: the numbers of `KernelHead` to 3e-5 relative; covariances in single precision, their sum in double."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from paraisite.model.kernel import KernelHead, MemberKernel
from paraisite.model.layers import LN2


class FastKernel:
    """Gaussian processes that correct what networks say, as `KernelHead` does.

    Inputs are scaled so that a product of matrices gives squared distances over lengths, in units of ln 2; what a
    distance gives is then added up by a product with the weights of the training crystals.

    Parameters
    ----------
    head : KernelHead
    """

    def __init__(self, head: KernelHead) -> None:
        self._ends = np.cumsum([0, *head.widths]).tolist()
        self._members = [_Member(m, self._ends) for m in head.members]

    def log_kappa(self, network_log_kappa: np.ndarray, vectors: np.ndarray, descriptors: np.ndarray) -> np.ndarray:
        """Mean of the Gaussian processes; see `KernelHead.log_kappa`."""
        found = np.empty(network_log_kappa.shape)
        for m, row, network, vector in zip(self._members, found, network_log_kappa, vectors, strict=True):
            x = (np.concatenate([vector, descriptors], axis=1) - m.centre) * m.scale
            np.multiply(m.mean[1], network, out=row)
            row += m.mean[0]
            for (start, stop), points, weight in zip(pairwise(self._ends), m.points, m.weights, strict=True):
                part = x[:, start:stop]
                square = np.einsum("ij,ij->i", part, part)[:, None]
                r = np.concatenate([part, square, np.ones_like(square)], axis=1, dtype=np.float32) @ points
                np.maximum(r, 0.0, out=r)
                np.sqrt(r, out=r)
                decay = np.exp2(np.negative(r))
                r *= np.float32(LN2)
                r += 1.0
                r *= decay
                row += r.astype(np.float64) @ weight  # large terms of either sign
        return found


class _Member:
    """One Gaussian process, ready to be asked: points (width + 2, n) and weights (n,) of each kernel."""

    def __init__(self, kernel: MemberKernel, ends: list[int]) -> None:
        n_kernels = len(ends) - 1
        variance, length = np.exp(kernel.theta[: 2 * n_kernels]).reshape(-1, 2).T
        # Matérn of order 3/2 is (1 + r) exp(-r) with r = sqrt(3) d / length; here r in units of ln 2
        unit = np.repeat(np.sqrt(3.0) / length / LN2, np.diff(ends))
        self.mean = kernel.mean
        self.centre = kernel.centre.astype(np.float64)
        self.scale = unit / kernel.scale
        self.points, self.weights = [], []
        points = kernel.points.astype(np.float64) * unit
        for (start, stop), v in zip(pairwise(ends), variance, strict=True):
            part = points[:, start:stop]
            stacked = np.column_stack([-2.0 * part, np.ones(len(part)), (part**2).sum(axis=1)])
            self.points.append(np.ascontiguousarray(stacked.T, dtype=np.float32))
            self.weights.append(v * kernel.alpha)
