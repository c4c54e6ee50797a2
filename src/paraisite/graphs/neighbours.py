"""Periodic neighbour list of one crystal: every pair tried where these are few, else by vesin."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from paraisite.crystals.crystal import Crystal
from paraisite.crystals.spacings import plane_spacings, reduced

CUTOFF_SLACK = 1e-8
"""An edge exists below the cutoff plus this length (Å), so that rounding does not drop a neighbour at the cutoff."""

MAX_TRIED = 1 << 17
"""Pairs of sites, times images of a site, up to which trying all of them is faster than a call of vesin."""

MAX_REACH = 20
"""Cells away along a lattice vector beyond which the cell is reduced first."""


@dataclass(frozen=True, slots=True, eq=False)
class Neighbours:
    """All directed pairs of one crystal closer than a cutoff, each site's own images included.

    Attributes
    ----------
    src, dst : numpy.ndarray, shape (P,), int64
        Site indices; `dst` is the centre, sorted.
    shift : numpy.ndarray, shape (P, 3), int32
        Cell of the `src` image relative to the one of `dst`, in lattice vectors; shape (0, 3) if not asked for.
    distance : numpy.ndarray, shape (P,), float64
        Length in Å.
    """

    src: np.ndarray
    dst: np.ndarray
    shift: np.ndarray
    distance: np.ndarray


def find_neighbours(crystal: Crystal, cutoff: float, *, shifts: bool = True) -> Neighbours:
    """Find every pair of sites closer than ``cutoff`` (Å) plus `CUTOFF_SLACK`; `shifts` says whether to tell cells."""
    reach = _reach(crystal.cell, cutoff + CUTOFF_SLACK)
    if crystal.n_sites**2 * (2 * reach[0] + 1) * (2 * reach[1] + 1) * (2 * reach[2] + 1) <= MAX_TRIED:
        return _try_all(crystal, cutoff + CUTOFF_SLACK, _images(reach), shifts)
    import vesin  # imports torch where it is installed, which whoever only keeps graphs can do without

    cell, change = crystal.cell, None
    if max(reach) > MAX_REACH:  # in a skewed cell, vesin would look at thousands of cells
        cell, change = reduced(cell)
    calculator = vesin.NeighborList(cutoff=cutoff + CUTOFF_SLACK, full_list=True, sorted=True, n_threads=1)
    centre, other, shift, distance = calculator.compute(
        points=crystal.positions @ crystal.cell, box=cell, periodic=True, quantities="ijSd"
    )
    if change is not None:
        shift = np.rint(shift @ np.linalg.inv(change)).astype(np.int32)
    return Neighbours(other.astype(np.int64), centre.astype(np.int64), shift, distance)


def closer(found: Neighbours, cutoff: float) -> Neighbours:
    """Return those of some pairs that are closer than ``cutoff`` (Å) plus `CUTOFF_SLACK`, in their order."""
    near = np.flatnonzero(found.distance <= cutoff + CUTOFF_SLACK)
    if len(near) == len(found.distance):
        return found
    return Neighbours(found.src[near], found.dst[near], found.shift[near[: len(found.shift)]], found.distance[near])


def _try_all(crystal: Crystal, cutoff: float, images: np.ndarray, shifts: bool) -> Neighbours:
    """Distances of every pair to every image: |p + s|² = 2 p·s + |p|² + |s|² as one product of matrices."""
    n = crystal.n_sites
    apart = crystal.positions[None, :, :] - crystal.positions[:, None, :]
    whole = np.rint(apart)
    apart -= whole
    pairs, cells = np.empty((n * n, 5)), np.empty((len(images), 5))
    p, s = pairs[:, :3], cells[:, :3]
    np.matmul(apart.reshape(n * n, 3), crystal.cell, out=p)
    np.matmul(images, crystal.cell, out=s)
    np.einsum("ij,ij->i", p, p, out=pairs[:, 3])
    np.einsum("ij,ij->i", s, s, out=cells[:, 4])
    s *= 2.0
    cells[:, 3] = pairs[:, 4] = 1.0
    square = pairs @ cells.T
    square[:: n + 1, len(images) // 2] = np.inf  # each site itself; the middle image is the cell's own
    square = square.ravel()
    found = np.flatnonzero(square <= cutoff**2)
    pair = found // len(images)
    dst = pair // n
    shift = np.zeros((0, 3), np.int32)
    if shifts:
        shift = (images[found % len(images)] - whole.reshape(n * n, 3)[pair]).astype(np.int32)
    return Neighbours(pair - n * dst, dst, shift, np.sqrt(square[found]))


def _reach(cell: np.ndarray, cutoff: float) -> tuple[int, int, int]:
    """How many cells away a neighbour can be along each lattice vector, differences being wrapped to half a cell."""
    i, j, k = (int(cutoff / spacing + 0.5) for spacing in plane_spacings(cell))
    return i, j, k


@lru_cache(maxsize=4096)
def _images(reach: tuple[int, int, int]) -> np.ndarray:
    """Cells within reach, in lattice vectors, shape (cells, 3)."""
    return np.indices([2 * r + 1 for r in reach]).reshape(3, -1).T - np.array(reach, dtype=float)
