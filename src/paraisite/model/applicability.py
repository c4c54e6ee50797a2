"""How close a crystal is to what the model was trained on, in the encoder's space.

For each fold, one of its networks serves as the map: crystal vectors are centred, projected on the principal
axes of the fold's training compounds and scaled to unit variance. The distance of a crystal is the one to its
nearest training compound. Compounds held out of the fold give the distribution of distances of crystals
from the same source; the applicability is the share of them at least as far, averaged over folds.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

AXES = 12
"""Principal axes kept; on the shipped data they hold over 95 % of the variance."""

OUTSIDE = 0.05
"""Below this applicability a crystal counts as outside the training data."""


@dataclass(frozen=True, slots=True, eq=False)
class Map:
    """One fold's space.

    Attributes
    ----------
    member : int
        Network whose crystal vectors are mapped.
    centre : numpy.ndarray, shape (width,)
    axes : numpy.ndarray, shape (width, AXES)
        Principal axes, divided by the standard deviation along them.
    points : numpy.ndarray, shape (n, AXES)
        Every known compound.
    trained : numpy.ndarray, shape (n,), bool
        Which of them the member was trained on.
    known : numpy.ndarray, shape (n_known,), int64
        Rows of `points` that stand in the table of known compounds, in its order.
    held_out_distance : numpy.ndarray, sorted
        Distance of each compound that the member did not see to its nearest one that it did.
    """

    member: int
    centre: np.ndarray
    axes: np.ndarray
    points: np.ndarray
    trained: np.ndarray
    known: np.ndarray
    held_out_distance: np.ndarray

    @classmethod
    def fit(cls, member: int, vectors: np.ndarray, trained: np.ndarray, known: np.ndarray) -> Map:
        """Fit the space of one member.

        Parameters
        ----------
        member : int
        vectors : numpy.ndarray, shape (n, width)
            Its vectors of every compound of every stage.
        trained : numpy.ndarray, shape (n,), bool
        known : numpy.ndarray of int
        """
        seen = vectors[trained].astype(np.float64)
        centre = seen.mean(axis=0)
        _, singular, rows = np.linalg.svd(seen - centre, full_matrices=False)
        kept = singular[:AXES] > 1e-4 * singular[0]  # fewer compounds than axes leave directions without variance
        axes = (rows[:AXES][kept].T / (singular[:AXES][kept] / np.sqrt(len(seen)))).astype(np.float32)
        # half precision on disk and in memory alike, so that a loaded model gives the numbers it was calibrated on
        points = ((vectors - centre) @ axes).astype(np.float16).astype(np.float32)
        held_out = np.sort(_nearest(points[~trained], points[trained]))
        return cls(member, centre, axes, points, trained, known, held_out)

    def project(self, vectors: np.ndarray) -> np.ndarray:
        """Map vectors (crystals, width) to (crystals, AXES)."""
        return ((vectors.astype(np.float64) - self.centre) @ self.axes).astype(np.float32)


class Applicability:
    """The maps of all folds; see the module's text.

    Parameters
    ----------
    maps : sequence of Map
    """

    def __init__(self, maps: list[Map]) -> None:
        self.maps = maps
        self._trained = [_Points(m.points[m.trained]) for m in maps]
        self._usable = [m.trained[m.known] for m in maps]

    def score(self, vectors: np.ndarray) -> np.ndarray:
        """Applicability of crystals.

        Parameters
        ----------
        vectors : numpy.ndarray, shape (members, crystals, width)

        Returns
        -------
        numpy.ndarray, shape (crystals,)
            Between 0 and 1.
        """
        shares = []
        for m, trained in zip(self.maps, self._trained, strict=True):
            if len(m.held_out_distance):
                distance = trained.nearest(m.project(vectors[m.member]))
                below = np.searchsorted(m.held_out_distance, distance, side="left")
                shares.append(1.0 - below / len(m.held_out_distance))
        return np.mean(shares, axis=0) if shares else np.full(vectors.shape[1], np.nan)

    def nearest_trained_known(self, vectors: np.ndarray) -> np.ndarray:
        """Distance to the nearest known compound that a map's member was trained on, shape (maps, crystals)."""
        return self.known(vectors)[0]

    def known_distances(self, vectors: np.ndarray) -> np.ndarray:
        """Distances to the known compounds, averaged over the maps, shape (crystals, n_known)."""
        return self.known(vectors)[1]

    def known(self, vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """What `nearest_trained_known` and `known_distances` return, for the price of one of them."""
        nearest = np.full((len(self.maps), vectors.shape[1]), np.inf)
        mean = np.zeros((vectors.shape[1], len(self.maps[0].known) if self.maps else 0))
        for row, m, usable in zip(nearest, self.maps, self._usable, strict=True):
            distance = _distances(m.project(vectors[m.member]), m.points[m.known])
            np.min(distance, axis=1, where=usable, initial=np.inf, out=row)
            mean += distance
        return nearest, mean / max(len(self.maps), 1)


class _Points:
    """Points among which the nearest is looked for.

    Which is the nearest is found in single precision, by one product of matrices; how far it is, in double precision.
    Of points that are equally near but for some 1e-3, any may be taken for the nearest.
    """

    def __init__(self, points: np.ndarray) -> None:
        self._points = points.astype(np.float64)
        square = (self._points**2).sum(axis=1)
        self._matrix = np.ascontiguousarray(np.column_stack([-2.0 * self._points, square]).T, dtype=np.float32)

    def nearest(self, points: np.ndarray) -> np.ndarray:
        """Distance of each point to the nearest of these, shape (len(points),)."""
        found = np.empty(len(points))
        for i in range(0, len(points), 64):
            part = points[i : i + 64]
            square = np.column_stack([part, np.ones(len(part), part.dtype)]) @ self._matrix  # less that of the point
            apart = part.astype(np.float64) - self._points[square.argmin(axis=1)]
            found[i : i + 64] = np.sqrt((apart**2).sum(axis=1))
        return found


def _distances(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Every distance between two lists of points, (len(a), len(b)); a product of matrices beats a tree here."""
    a, b = a.astype(np.float64), b.astype(np.float64)
    square = (a**2).sum(axis=1)[:, None] + (b**2).sum(axis=1)[None, :] - 2.0 * (a @ b.T)
    return np.sqrt(np.maximum(square, 0.0))


def _nearest(points: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Distance of each point to the nearest of the others, (len(points),)."""
    parts = [_distances(points[i : i + 512], others).min(axis=1) for i in range(0, len(points), 512)]
    return np.concatenate(parts) if parts else np.zeros(0)
