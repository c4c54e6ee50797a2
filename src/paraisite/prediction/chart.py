"""`Chart`: the compounds with known conductivity, and crystals beside them, as points of a plane."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from paraisite.model.neighbourhood import Neighbourhood


@dataclass(frozen=True, slots=True, eq=False)
class Chart:
    """The plane in which the known compounds lie farthest apart.

    It is spanned by the first two principal components of the standardised descriptors, in which `Neighbourhood`
    measures distances; see K. Pearson, Phil. Mag. 2, 559 (1901). The largest element of each is positive.

    Attributes
    ----------
    neighbourhood : Neighbourhood
    centre : numpy.ndarray, shape (q,)
        Mean of the known compounds.
    axes : numpy.ndarray, shape (2, q)
    share : numpy.ndarray, shape (2,)
        Of the variance that lies along each axis.
    """

    neighbourhood: Neighbourhood
    centre: np.ndarray
    axes: np.ndarray
    share: np.ndarray

    @classmethod
    def of(cls, neighbourhood: Neighbourhood) -> Chart:
        """Find the plane."""
        points = neighbourhood.points.astype(np.float64)
        centre = points.mean(axis=0)
        variance, axes = np.linalg.eigh((points - centre).T @ (points - centre))
        first = axes.T[::-1][:2]
        first = first * np.sign(first[np.arange(len(first)), np.abs(first).argmax(axis=1)])[:, None]
        return cls(neighbourhood, centre, first, variance[::-1][:2] / variance.sum())

    @property
    def known(self) -> np.ndarray:
        """Places of the known compounds, shape (n, 2)."""
        return self._place(self.neighbourhood.points)

    def __call__(self, descriptors: np.ndarray) -> np.ndarray:
        """Places of crystals, shape (crystals, 2), from their descriptors, shape (crystals, at least q)."""
        return self._place(self.neighbourhood.place(descriptors))

    def _place(self, points: np.ndarray) -> np.ndarray:
        return np.asarray((points - self.centre) @ self.axes.T)
