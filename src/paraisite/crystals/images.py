"""`Images`: the sites of a crystal and their images around the cell, as points in which a tree can search."""

from __future__ import annotations

import math

import numpy as np

from paraisite.crystals.rejection import CrystalError
from paraisite.crystals.spacings import plane_spacings, reduced

MAX_IMAGES = 1_000_000
"""Most images around a cell; flatter cells are refused."""


class Images:
    """Sites in the reduced cell, and their images within a distance of it.

    Attributes
    ----------
    points : numpy.ndarray, shape (n_images, 3)
        Cartesian, in Å; the sites themselves come first.
    owner : numpy.ndarray, shape (n_images,)
        Site that each is an image of.

    Raises
    ------
    CrystalError
        If there are more than `MAX_IMAGES`.
    """

    def __init__(self, cell: np.ndarray, positions: np.ndarray, distance: float) -> None:
        self._cell, self._change = reduced(cell)
        margin = np.array([distance / spacing for spacing in plane_spacings(self._cell)]) + 1e-9
        if len(positions) * math.prod(1.0 + 2.0 * margin) > MAX_IMAGES:
            raise CrystalError(
                f"the cell of {len(positions)} sites is nearly flat or too small for them; give a reduced (Niggli) "
                "cell, or check that the cell lengths are in Å"
            )
        points, owner = self._inside(positions), np.arange(len(positions))
        for axis in range(3):  # images beyond each face, and by that beyond edges and corners
            steps = [step for step in range(-math.ceil(margin[axis]), math.ceil(margin[axis]) + 1) if step]
            moved = [points + np.eye(3)[axis] * step for step in steps]
            near = [(m[:, axis] > -margin[axis]) & (m[:, axis] < 1.0 + margin[axis]) for m in moved]
            owner = np.concatenate([owner, *(owner[n] for n in near)])
            points = np.concatenate([points, *(m[n] for m, n in zip(moved, near, strict=True))])
        self.points = points @ self._cell
        self.owner = owner

    def _inside(self, positions: np.ndarray) -> np.ndarray:
        own = positions @ self._change
        return np.asarray(own - np.floor(own))

    def inside(self, positions: np.ndarray) -> np.ndarray:
        """Cartesian coordinates of fractional ones, moved into the cell around which the images are."""
        return np.asarray(self._inside(positions) @ self._cell)
