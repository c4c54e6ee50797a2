"""Vacuum in a cell: slabs, wires and molecules in a box, which are not crystals though their cells repeat."""

from __future__ import annotations

import itertools
from functools import cache

import numpy as np

from paraisite.crystals.rejection import CrystalError
from paraisite.crystals.spacings import Vector, add, cross, dot, shorten

MAX_GAP = 9.5
"""Widest layer without a single atom that a crystal may have, in Å from atom to atom.

That is 5 to 6 Å of vacuum beyond the radii of van der Waals. Layered crystals have 3 to 4.5; where a functional without
dispersion relaxed them, up to 9.
"""


def check_vacuum(cell: np.ndarray, positions: np.ndarray) -> None:
    """Raise `CrystalError` if a cell holds a layer without atoms that is wider than `MAX_GAP`."""
    if reason := vacuum_reason(cell, positions):
        raise CrystalError(reason)


def vacuum_reason(cell: np.ndarray, positions: np.ndarray) -> str:
    """Say what is wrong with a cell that holds a layer without atoms wider than `MAX_GAP`; empty if none does."""
    if (gap := widest_gap(cell, positions)) <= MAX_GAP:
        return ""
    return (
        f"the cell has a layer of {gap:.1f} Å without atoms: a slab, wire or molecule in vacuum is not a crystal; "
        "give the bulk crystal, check that the cell lengths are in Å, or predict it as it is with --allow-vacuum"
    )


def widest_gap(cell: np.ndarray, positions: np.ndarray) -> float:
    """Width of the widest layer that holds no atom, in Å; 0 where none can be wider than `MAX_GAP`.

    Layers lie along lattice planes of low indices of the reduced cell, so that it does not matter which cell, origin
    or orientation a slab, wire or molecule is written in. In plain Python, as most crystals have no plane to look at.

    Parameters
    ----------
    cell : numpy.ndarray, shape (3, 3)
        Lattice vectors as rows, in Å.
    positions : numpy.ndarray, shape (n_sites, 3)
        Fractional coordinates.
    """
    vectors: list[Vector] = cell.tolist()
    # planes of index h are at most 1/h of the lattice vector apart, so that short ones have an index of 0
    if not any(long := _long(vectors)):
        return 0.0
    if shorten(vectors):
        positions = positions @ (cell @ np.linalg.inv(np.array(vectors)))
        long = _long(vectors)
    a, b, c = vectors
    volume = abs(dot(a, cross(b, c)))
    i, j, k = cross(b, c), cross(c, a), cross(a, b)
    widest = 0.0
    for index in _directions(long):
        normal = add(add([index[0] * x for x in i], index[1], j), index[2], k)
        spacing = volume / dot(normal, normal) ** 0.5
        if spacing > MAX_GAP:
            widest = max(widest, spacing * _gap(positions, index))
    return widest


def _gap(positions: np.ndarray, index: tuple[int, ...]) -> float:
    """Width of the widest empty layer between planes of an index, relative to their spacing."""
    along = positions @ np.array(index, dtype=float)
    along -= np.floor(along)
    along.sort()
    return max(1.0 + float(along[0] - along[-1]), float(np.diff(along).max(initial=0.0)))


def _long(vectors: list[Vector]) -> tuple[bool, ...]:
    return tuple(dot(v, v) > MAX_GAP**2 for v in vectors)


@cache
def _directions(long: tuple[bool, ...]) -> list[tuple[int, ...]]:
    """Miller indices up to 1 along long vectors, one of each pair of opposite ones."""
    some = itertools.product(*([-1, 0, 1] if axis else [0] for axis in long))
    return [index for index in some if index > (0, 0, 0)]
