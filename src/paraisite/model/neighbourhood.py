"""How close a crystal is to compounds whose conductivity is known, in the space of descriptors.

Descriptors are standardised over these compounds. The distance of a crystal is the root mean square distance to its
`NEAREST` nearest ones among those that a fold's networks trained on. Compounds that the fold held out have such
distances too; the applicability of a crystal is the share of them at least as far, averaged over folds.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

OUTSIDE = 0.04
"""Below this applicability a crystal counts as outside the training data: on held-out compounds of the shipped model
the median error there is twice that of the others."""

NEAREST = 5
"""Neighbours over which a distance is a mean."""

CANDIDATES = 48
"""Neighbours looked at before those that a fold held out are left out."""

FARTHEST = 4.0
"""Standard deviations from the mean beyond which a descriptor counts as being there."""

SMALL_SPREAD, SMALL_DISTANCE = 0.02, 0.1
"""Added to differences of log10 kappa and to distances before the logarithm: a chance agreement does not count much."""

SCALE_FEATURES = (
    "ln spread of the fold's networks",
    "ln distance",
    "ln mean |log10 kappa of the neighbours - prediction|",
    "ln mean error of the neighbours when they were held out",
    "log10 kappa",
    "log10 kappa squared",
)
"""First columns of `scale_features`; the descriptors follow."""


@dataclass(frozen=True, slots=True, eq=False)
class Near:
    """Neighbours of some crystals, for each fold.

    Attributes
    ----------
    distance : numpy.ndarray, shape (folds, crystals)
        Root mean square over the nearest compounds that the fold trained on.
    log_kappa, error : numpy.ndarray, shape (folds, crystals, NEAREST)
        log10 kappa of these, and how far it was predicted from it when they were held out; NaN where there are fewer.
    nearest : numpy.ndarray, shape (crystals,), int64
        Row of the nearest compound of all.
    nearest_distance : numpy.ndarray, shape (crystals,)
    """

    distance: np.ndarray
    log_kappa: np.ndarray
    error: np.ndarray
    nearest: np.ndarray
    nearest_distance: np.ndarray


@dataclass(frozen=True, slots=True, eq=False)
class Neighbourhood:
    """Compounds with known conductivity in the space of their descriptors.

    Attributes
    ----------
    shift, scale : numpy.ndarray, shape (q,), float32
        Mean and standard deviation of each descriptor; a scale of infinity leaves a descriptor out.
    points : numpy.ndarray, shape (n, q), float32
        Standardised descriptors, rounded to half precision.
    log_kappa, error : numpy.ndarray, shape (n,), float32
        log10 kappa, and the absolute error of its prediction by networks that did not train on it, NaN where none is.
    trained : numpy.ndarray, shape (folds, n), bool
        Which compounds a fold's networks trained on.
    held_out_distance : numpy.ndarray, sorted
        Distance of each compound that a fold held out to those that it trained on.
    """

    shift: np.ndarray
    scale: np.ndarray
    points: np.ndarray
    log_kappa: np.ndarray
    error: np.ndarray
    trained: np.ndarray
    held_out_distance: np.ndarray

    @classmethod
    def fit(
        cls, descriptors: np.ndarray, log_kappa: np.ndarray, trained: np.ndarray, error: np.ndarray | None = None
    ) -> Neighbourhood:
        """Standardise the descriptors of known compounds, (n, q), of which each fold trained on some, (folds, n).

        `error` has the absolute errors of log10 kappa when held out, shape (n,); by default none is known.
        """
        spread = descriptors.std(axis=0)
        scale = np.where(spread < 1e-6, np.inf, spread).astype(np.float32)
        shift = descriptors.mean(axis=0).astype(np.float32)
        # half precision on disk and in memory alike, so that a loaded model gives the numbers it was calibrated on
        points = _standard(descriptors, shift, scale).astype(np.float16).astype(np.float32)
        known = np.full(len(points), np.nan) if error is None else error
        made = cls(shift, scale, points, log_kappa.astype(np.float32), known.astype(np.float32), trained, np.zeros(0))
        held = [made.find(descriptors[~own]).distance[f] for f, own in enumerate(trained) if not own.all()]
        distances = np.sort(np.concatenate([np.zeros(0), *held])).astype(np.float32)
        return replace(made, held_out_distance=distances)

    def place(self, descriptors: np.ndarray) -> np.ndarray:
        """Where crystals lie beside `points`, shape (crystals, q), float32; further descriptors are left out."""
        return _standard(descriptors[:, : len(self.shift)], self.shift, self.scale)

    def find(self, descriptors: np.ndarray) -> Near:
        """Find the neighbours of crystals.

        Parameters
        ----------
        descriptors : numpy.ndarray, shape (crystals, q)
        """
        parts = [self._find(descriptors[i : i + 512]) for i in range(0, max(len(descriptors), 1), 512)]
        if len(parts) == 1:
            return parts[0]
        return Near(
            np.concatenate([p.distance for p in parts], axis=1),
            np.concatenate([p.log_kappa for p in parts], axis=1),
            np.concatenate([p.error for p in parts], axis=1),
            np.concatenate([p.nearest for p in parts]),
            np.concatenate([p.nearest_distance for p in parts]),
        )

    def _find(self, descriptors: np.ndarray, candidates: int = CANDIDATES) -> Near:
        at = self.place(descriptors)
        count = min(candidates, len(self.points))
        some = np.broadcast_to(np.arange(count), (len(at), count))
        if count < len(self.points):  # which are near is found by one product of matrices, how far exactly below
            square = (self.points**2).sum(axis=1)[None, :] - 2.0 * (at @ self.points.T)
            some = np.sort(np.argpartition(square, count - 1, axis=1)[:, :count], axis=1)
        # one crystal after the other: what a crystal gets must not depend on those beside it
        exact = [((self.points[own] - own_at) ** 2).sum(axis=1) for own, own_at in zip(some, at, strict=True)]
        near_square = np.array(exact, dtype=np.float64).reshape(len(at), count)
        rows = np.arange(len(at))[:, None]
        order = np.argsort(near_square, axis=1, kind="stable")
        some, near_square = some[rows, order], near_square[rows, order]
        distance = np.empty((len(self.trained), len(at)))
        log_kappa, error = np.full((2, len(self.trained), len(at), NEAREST), np.nan)
        short = np.zeros(len(at), dtype=bool)
        for f, own in enumerate(self.trained):
            usable = own[some]
            rank = np.cumsum(usable, axis=1)
            chosen = usable & (rank <= NEAREST)
            found = chosen.sum(axis=1)
            short |= found < min(NEAREST, int(own.sum()))
            distance[f] = np.sqrt((near_square * chosen).sum(axis=1) / np.maximum(found, 1))
            distance[f][found == 0] = np.sqrt(near_square[found == 0, -1]) if count else 0.0
            crystal, place = np.nonzero(chosen)
            number = rank[crystal, place] - 1
            log_kappa[f, crystal, number] = self.log_kappa[some[crystal, place]]
            error[f, crystal, number] = self.error[some[crystal, place]]
        if short.any() and count < len(self.points):  # a fold holds out most of the candidates: look at all
            again = self._find(descriptors[short], len(self.points))
            distance[:, short], log_kappa[:, short], error[:, short] = again.distance, again.log_kappa, again.error
        return Near(distance, log_kappa, error, some[:, 0].copy(), np.sqrt(near_square[:, 0]))

    def applicability(self, near: Near, fold: np.ndarray | None = None) -> np.ndarray:
        """Share of held-out compounds at least as far from their neighbours, shape (crystals,).

        Parameters
        ----------
        near : Near
        fold : numpy.ndarray, shape (crystals,), int, optional
            The fold that counts for each crystal; by default the mean over folds.
        """
        n = len(self.held_out_distance)
        if not n:
            return np.full(near.distance.shape[1], np.nan)
        share = 1.0 - np.searchsorted(self.held_out_distance, near.distance, side="left") / n
        return np.asarray(share.mean(axis=0) if fold is None else share[fold, np.arange(len(fold))])


def scale_features(
    log_members: np.ndarray, folds: tuple[tuple[int, ...], ...], near: Near, descriptors: np.ndarray
) -> np.ndarray:
    """What the width of an interval may depend on, shape (folds, crystals, len(SCALE_FEATURES) + q).

    Parameters
    ----------
    log_members : numpy.ndarray, shape (members, crystals)
        log10 kappa of every network.
    folds : tuple of tuple of int
        Members of each fold.
    near : Near
    descriptors : numpy.ndarray, shape (crystals, q)
    """
    found = []
    for f, members in enumerate(folds):
        own = log_members[list(members)]
        centre = own.mean(axis=0)
        apart = _mean(np.abs(near.log_kappa[f] - centre[:, None]))
        found.append(
            np.column_stack(
                [
                    np.log(own.std(axis=0) + SMALL_SPREAD),
                    np.log(near.distance[f] + SMALL_DISTANCE),
                    np.log(apart + SMALL_SPREAD),
                    np.log(_mean(near.error[f]) + SMALL_SPREAD),
                    centre,
                    centre**2,
                    descriptors,
                ]
            )
        )
    return np.stack(found)


def _mean(values: np.ndarray) -> np.ndarray:
    """Mean of the known values of each row, 0 where none is."""
    known = np.isfinite(values)
    return np.asarray(np.where(known, values, 0.0).sum(axis=1) / np.maximum(known.sum(axis=1), 1))


def _standard(descriptors: np.ndarray, shift: np.ndarray, scale: np.ndarray) -> np.ndarray:
    return np.clip((descriptors - shift) / scale, -FARTHEST, FARTHEST).astype(np.float32)
