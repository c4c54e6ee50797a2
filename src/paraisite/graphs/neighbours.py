"""Periodic neighbour list of one crystal, by vesin."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import vesin

from paraisite.crystals.crystal import Crystal

CUTOFF_SLACK = 1e-8
"""An edge exists below the cutoff plus this length (Å), so that rounding does not drop a neighbour at the cutoff."""


@dataclass(frozen=True, slots=True, eq=False)
class Neighbours:
    """All directed pairs of one crystal closer than a cutoff, each site's own images included.

    Attributes
    ----------
    src, dst : numpy.ndarray, shape (P,), int64
        Site indices; `dst` is the centre, sorted.
    shift : numpy.ndarray, shape (P, 3), int32
        Cell of the `src` image relative to the one of `dst`, in lattice vectors.
    distance : numpy.ndarray, shape (P,), float64
        Length in Å.
    """

    src: np.ndarray
    dst: np.ndarray
    shift: np.ndarray
    distance: np.ndarray


def find_neighbours(crystal: Crystal, cutoff: float) -> Neighbours:
    """Find every pair of sites closer than ``cutoff`` (Å) plus `CUTOFF_SLACK`."""
    calculator = vesin.NeighborList(cutoff=cutoff + CUTOFF_SLACK, full_list=True, sorted=True, n_threads=1)
    centre, other, shift, distance = calculator.compute(
        points=crystal.positions @ crystal.cell, box=crystal.cell, periodic=True, quantities="ijSd"
    )
    return Neighbours(other.astype(np.int64), centre.astype(np.int64), shift, distance)
