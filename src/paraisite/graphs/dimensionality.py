"""In how many directions the bonds of a crystal go on for ever: molecule, chain, layer or framework.

The dimension of a bonded network is the rank of the translations that its closed paths make: P. M. Larsen, M. Pandey,
M. Strange and K. W. Jacobsen, Phys. Rev. Mater. 3, 034003 (2019). Bonds are told by covalent radii: B. Cordero et al.,
Dalton Trans. 2832 (2008), as ase tabulates them.
"""

from __future__ import annotations

from functools import cache, lru_cache

import numpy as np

from paraisite.crystals.crystal import Crystal
from paraisite.crystals.elements import NUMBERS
from paraisite.graphs.neighbours import Neighbours, find_neighbours

FACTOR = 1.25
"""Longest bond relative to the sum of the covalent radii: zinc has 1.19, lead 1.20, GeTe 1.22. Across the gap between
two layers V2O5 has 1.27 and SnSe 1.34."""

NONMETAL_FACTOR = 1.2
"""The same between two nonmetals, of which heavy ones come close to each other without a bond: between the layers of
PtTe2 and the molecules of I2 there are 1.25 and 1.26."""

LONE_PAIR_FACTOR = 1.35
"""The same from In, Tl and Pb, whose ions of a lone pair are larger than their covalent radii say, to O, F, Cl and Br,
and from Tl to any nonmetal: PbCO3 has bonds of 1.31, TlCl of 1.34. Between the layers of TlI there are 1.36."""

NEAREST = 1.1
"""How much longer than its shortest bond those of a site may be that has none by its radii, as in LiH."""

REACH = 1.5
"""Relative to the sum of the covalent radii, how far such a site looks for its nearest neighbours; LiH has 1.28."""

_NOBLE = [NUMBERS[s] for s in ("He", "Ne", "Ar", "Kr", "Xe", "Rn")]
_NONMETALS = [NUMBERS[s] for s in ("H", "B", "C", "N", "O", "F", "Si", "P", "S", "Cl", "As", "Se", "Br", "Te", "I")]
_GIVERS = [NUMBERS[s] for s in ("Li", "Na", "K", "Rb", "Cs", "Fr", "Mg", "Ca", "Sr", "Ba", "Ra", "Tl")]
_LONE_PAIRS = [NUMBERS[s] for s in ("In", "Tl", "Pb")]
_SMALL = [NUMBERS[s] for s in ("O", "F", "Cl", "Br")]
_LAST_RADIUS = NUMBERS["Cm"]
"""Heaviest element whose radius is tabulated; heavier ones get the same."""


def dimensionality(crystal: Crystal) -> int:
    """Dimension of a crystal's bonded network, the highest one where there are several.

    Two sites are bonded below `FACTOR` times the sum of their covalent radii (`NONMETAL_FACTOR` between nonmetals,
    `LONE_PAIR_FACTOR` for some large ions). Alkali, alkaline-earth and thallium ions beside a nonmetal are not bonded
    to each other: their radii are those of the metals.
    A site that is left without a bond, other than a noble gas, is bonded to its nearest neighbours. Contacts of ions
    count as bonds, hydrogen bonds do not.

    Parameters
    ----------
    crystal : Crystal

    Returns
    -------
    int
        0 for molecules and noble gases, 1 for chains, 2 for layers, 3 for a framework.
    """
    src, dst, shift = _bonds(crystal)
    component, offset = _trees(crystal.n_sites, src, dst, shift)
    loops = offset[dst] + shift - offset[src]  # where the way there by a bond and back by the tree ends
    endless = loops.any(axis=1)
    loops, component = loops[endless], component[dst[endless]]
    highest = 0
    for label in set(component.tolist()):
        highest = max(highest, _rank(loops[component == label]))
        if highest == 3:
            break
    return highest


def _bonds(crystal: Crystal) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Bonds in both directions, sorted by `dst`: src, dst, and the cell of src relative to dst in lattice vectors."""
    present, kind = np.unique(crystal.numbers, return_inverse=True)
    radius, longest, noble = _lengths(tuple(present.tolist()))
    found = find_neighbours(crystal, float(longest.max()))
    bonded = found.distance <= longest[kind[found.src], kind[found.dst]]
    alone = ~noble[kind]
    alone[found.dst[bonded]] = False
    if alone.any():
        found = find_neighbours(crystal, REACH * 2 * float(radius.max()))
        bonded = found.distance <= longest[kind[found.src], kind[found.dst]]
        bonded |= _nearest(found, alone, radius[kind])
    return found.src[bonded], found.dst[bonded], found.shift[bonded]


def _nearest(found: Neighbours, alone: np.ndarray, radius: np.ndarray) -> np.ndarray:
    """Whether each pair joins a lonely site to one of its nearest neighbours."""
    farthest = np.full(len(alone), np.inf)
    np.minimum.at(farthest, found.dst, found.distance)
    farthest = np.where(alone, NEAREST * farthest, 0.0)
    near = found.distance <= np.maximum(farthest[found.src], farthest[found.dst])
    return near & (found.distance <= REACH * (radius[found.src] + radius[found.dst]))


def _trees(n: int, src: np.ndarray, dst: np.ndarray, shift: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Spanning trees of the bonds: a label of each site's tree, and the cell of the image that the tree reaches.

    In plain Python, as cells are small and most bonds only need to be seen.
    """
    first, neighbour, cell = np.searchsorted(dst, np.arange(n + 1)).tolist(), src.tolist(), shift.tolist()
    label = [-1] * n
    offset = [(0, 0, 0)] * n
    for root in range(n):
        if label[root] >= 0:
            continue
        label[root] = root
        todo = [root]
        while todo:
            i = todo.pop()
            x, y, z = offset[i]
            for bond in range(first[i], first[i + 1]):
                j = neighbour[bond]
                if label[j] < 0:
                    label[j] = root
                    u, v, w = cell[bond]
                    offset[j] = (x + u, y + v, z + w)
                    todo.append(j)
    return np.array(label), np.array(offset)


def _rank(vectors: np.ndarray) -> int:
    """Rank of integer vectors, shape (n, 3), exactly: by the minors of their Gram matrix."""
    ((a, b, c), (_, d, e), (_, _, f)) = (vectors.T.astype(np.int64) @ vectors).tolist()
    if a * (d * f - e * e) - b * (b * f - c * e) + c * (b * e - c * d):
        return 3
    if a * d - b * b or a * f - c * c or d * f - e * e:
        return 2
    return int(a + d + f > 0)


@lru_cache(maxsize=4096)
def _lengths(numbers: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of some elements: covalent radii and the longest bond of each pair in their company, in Å, and who is noble."""
    z = np.array(numbers)
    radius = _radii()[np.minimum(z, _LAST_RADIUS)]
    noble, giver = np.isin(z, _NOBLE), np.isin(z, _GIVERS)
    nonmetal = noble | np.isin(z, _NONMETALS)
    factor = np.where(nonmetal[:, None] & nonmetal, NONMETAL_FACTOR, FACTOR)
    large = np.isin(z, _LONE_PAIRS)[:, None] & np.isin(z, _SMALL) | (z == NUMBERS["Tl"])[:, None] & nonmetal
    factor[large | large.T] = LONE_PAIR_FACTOR
    longest = factor * (radius[:, None] + radius)
    if nonmetal.any():
        longest[giver[:, None] & giver] = 0.0
    return radius, longest, noble


@cache
def _radii() -> np.ndarray:
    """Covalent radius in Å by atomic number."""
    from ase.data import covalent_radii

    return np.asarray(covalent_radii, dtype=np.float64)
