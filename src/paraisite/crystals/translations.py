"""Pure translations of a crystal, and with them the size of its primitive cell, in cells of thousands of sites.

spglib compares every site with every other for each translation, and starts again with smaller tolerances where noise
makes the answers inconsistent: a random alloy of 4000 sites takes it 17 s. Here a translation must take the first site
of the rarest element to another one, sites are found in a tree, and a site that refutes one translation is tried on
all that are left. Translations that hold form a group, so that few of them need to be tried at all.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from paraisite.crystals.crystal import Crystal
from paraisite.crystals.images import Images


def count_translations(crystal: Crystal, tolerance: float) -> int:
    """Return how many translations within the cell take every site to one of its element, the identity among them.

    Parameters
    ----------
    crystal : Crystal
    tolerance : float
        Sites that coincide within this, in Å, count as equal.
    """
    counts = np.bincount(crystal.numbers)
    rarest = int(np.argmin(np.where(counts > 0, counts, crystal.n_sites + 1)))
    own = np.flatnonzero(crystal.numbers == rarest)
    first = crystal.positions[own[0]]
    find = _finder(crystal, tolerance)
    image = np.arange(crystal.n_sites)  # a site that stands for all that the known translations take it to
    left = own[1:]
    probe = own[-1]
    while len(left):
        # one site, under all that are left
        left = left[find(crystal.positions[probe] + crystal.positions[left] - first, crystal.numbers[probe]) >= 0]
        left = left[image[left] != image[own[0]]]
        if not len(left):
            break
        shift = crystal.positions[left[0]] - first
        left = left[1:]
        targets = find(crystal.positions + shift, crystal.numbers)
        if (targets < 0).any():
            probe = int(targets.argmin())
        elif len(np.unique(targets)) == crystal.n_sites:
            image = _joined(image, targets)
    found = int((image[own] == image[own[0]]).sum())
    # noise as large as the tolerance makes some translations hold and others not
    return count_translations(crystal, tolerance / 2) if crystal.n_sites % found else found


def _joined(image: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Classes of sites after a translation joins each with its target: each class by its smallest site."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    n = len(image)
    pairs = np.concatenate([np.stack([np.arange(n), image]), np.stack([np.arange(n), targets])], axis=1)
    graph = coo_matrix((np.ones(pairs.shape[1], bool), tuple(pairs)), shape=(n, n))
    _, first, label = np.unique(connected_components(graph, directed=False)[1], return_index=True, return_inverse=True)
    return np.asarray(first[label])


def _finder(crystal: Crystal, tolerance: float) -> Callable[[np.ndarray, np.ndarray | int], np.ndarray]:
    """Return what finds the site of an element at fractional positions, -1 where there is none within the tolerance."""
    from scipy.spatial import cKDTree

    images = Images(crystal.cell, crystal.positions, tolerance)
    depth = 10.0 * tolerance  # elements lie apart in a fourth dimension
    tree = cKDTree(np.column_stack([images.points, depth * crystal.numbers[images.owner]]))
    owner = np.append(images.owner, -1)

    def find(positions: np.ndarray, numbers: np.ndarray | int) -> np.ndarray:
        elements = np.broadcast_to(depth * np.asarray(numbers, dtype=float), len(positions))
        at = np.column_stack([images.inside(positions), elements])
        return np.asarray(owner[tree.query(at, distance_upper_bound=tolerance)[1]])

    return find
