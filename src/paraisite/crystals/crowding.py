"""Sites that overlap, or are packed so densely that no crystal could be, found without comparing all with all."""

from __future__ import annotations

import math

import numpy as np

from paraisite.crystals.images import Images
from paraisite.crystals.rejection import CrystalError

NEAR = 4.5
"""Distance in Å within which neighbours are counted: as far as predictions look."""

MAX_PAIRS = 1_000_000
"""Most pairs of sites closer than `NEAR`. A cell of 5000 sites has 200,000, hydrogen at 200 GPa three times as many."""

_FEW = 500
"""Sites up to which no arrangement has more pairs, if their mean distance allows it."""


def closest_in_tree(cell: np.ndarray, positions: np.ndarray, cutoff: float) -> tuple[int, int, float] | None:
    """Return the pair of sites (or a site and its own image) that is closest, and its distance, if below the cutoff."""
    from scipy.spatial import cKDTree

    images = Images(cell, positions, cutoff)
    distances, nearest = cKDTree(images.points).query(images.points[: len(positions)], k=2, distance_upper_bound=cutoff)
    site = int(distances[:, 1].argmin())
    if not distances[site, 1] < cutoff:
        return None
    # where two coincide, the tree may name either first
    other = next((int(images.owner[k]) for k in nearest[site].tolist() if k != site), site)
    return min(site, other), max(site, other), float(distances[site, 1])


def check_crowding(cell: np.ndarray, positions: np.ndarray, volume: float) -> None:
    """Raise `CrystalError` if more than `MAX_PAIRS` pairs of sites are closer than `NEAR`."""
    n = len(positions)
    pairs = n * n / volume * 4.0 / 3.0 * math.pi * NEAR**3
    if pairs < MAX_PAIRS and n > _FEW:
        from scipy.spatial import cKDTree

        images = Images(cell, positions, NEAR)
        some = images.points[: n : max(1, n // 128)]
        pairs = n * float(cKDTree(images.points).query_ball_point(some, NEAR, return_length=True).mean() - 1.0)
    if pairs >= MAX_PAIRS:
        raise CrystalError(
            f"the {n} sites have about {pairs:.1e} neighbours within {NEAR} Å, far more than in any crystal; check "
            "that the cell lengths are in Å, or give the primitive cell"
        )
