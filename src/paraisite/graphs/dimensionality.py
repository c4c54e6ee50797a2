"""In how many directions the bonds of a crystal continue: molecule, chain, layer or framework.

The dimension of a bonded network is the rank of the translations that its closed paths make: P. M. Larsen, M. Pandey,
M. Strange and K. W. Jacobsen, Phys. Rev. Mater. 3, 034003 (2019). Bonds are told by covalent radii: B. Cordero et al.,
Dalton Trans. 2832 (2008), as ase tabulates them.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import numpy as np

from paraisite.crystals.crystal import Crystal
from paraisite.crystals.elements import NUMBERS, SYMBOLS
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

BLOCK = 16
"""Crystals whose neighbours are looked at together: as many as stay in the processor's cache."""

_NOBLE = [NUMBERS[s] for s in ("He", "Ne", "Ar", "Kr", "Xe", "Rn")]
_NONMETALS = [NUMBERS[s] for s in ("H", "B", "C", "N", "O", "F", "Si", "P", "S", "Cl", "As", "Se", "Br", "Te", "I")]
_GIVERS = [NUMBERS[s] for s in ("Li", "Na", "K", "Rb", "Cs", "Fr", "Mg", "Ca", "Sr", "Ba", "Ra", "Tl")]
_LONE_PAIRS = [NUMBERS[s] for s in ("In", "Tl", "Pb")]
_SMALL = [NUMBERS[s] for s in ("O", "F", "Cl", "Br")]
_LAST_RADIUS = NUMBERS["Cm"]
"""Heaviest element whose radius is tabulated; heavier ones get the same."""


class _Bonds(NamedTuple):
    """Bonds of some crystals in both directions, sorted by `dst`; sites are counted over all of them."""

    src: np.ndarray
    dst: np.ndarray
    shift: np.ndarray
    """Cell of src relative to the one of dst, in lattice vectors."""


def dimensionality(crystal: Crystal) -> int:
    """Dimension of one crystal's bonded network; see `dimensionalities`, which takes less time for each of many."""
    reach = _longest_of(crystal.numbers)
    return int(dimensionalities([crystal], [find_neighbours(crystal, reach)], reach)[0])


def dimensionalities(crystals: Sequence[Crystal], neighbours: Sequence[Neighbours], reach: float) -> np.ndarray:
    """Dimension of each crystal's bonded network, the highest one where there are several.

    Two sites are bonded below `FACTOR` times the sum of their covalent radii (`NONMETAL_FACTOR` between nonmetals,
    `LONE_PAIR_FACTOR` for some large ions). Alkali, alkaline-earth and thallium ions beside a nonmetal are not bonded
    to each other: their radii are those of the metals.
    A site that is left without a bond, other than a noble gas, is bonded to its nearest neighbours. Contacts of ions
    count as bonds, hydrogen bonds do not.

    Parameters
    ----------
    crystals : sequence of Crystal, length G
    neighbours : sequence of Neighbours, length G
        Of each crystal, as `find_neighbours` gives them with their shifts.
    reach : float
        Cutoff in Å of the neighbours. Where it is too small to decide, they are searched again; 4.5 seldom is.

    Returns
    -------
    numpy.ndarray, shape (G,), int8
        0 for molecules and noble gases, 1 for chains, 2 for layers, 3 for a framework.
    """
    if not crystals:
        return np.zeros(0, dtype=np.int8)
    sizes = np.array([c.n_sites for c in crystals])
    owner = np.repeat(np.arange(len(crystals)), sizes)
    numbers = np.concatenate([c.numbers for c in crystals])
    bonds = _bonds(numbers, owner, neighbours)
    found = _dimensions(bonds, owner, len(crystals))
    # Further bonds can only add directions, so that a framework is one whatever they are.
    alone = ~_elements().noble[numbers]
    alone[bonds.dst] = False
    lonely = np.bincount(owner[alone], minlength=len(crystals)) > 0
    again: list[int] = []
    more: list[_Bonds] = []
    for i in np.flatnonzero(found < 3).tolist():
        longest = _longest_of(crystals[i].numbers)
        if lonely[i] or longest > reach:
            again.append(i)
            more.append(_all_bonds(crystals[i], neighbours[i], reach, longest))
    if again:
        sizes = sizes[again]
        first = np.cumsum(sizes) - sizes
        src, dst = (
            np.concatenate([start + getattr(b, end) for start, b in zip(first, more, strict=True)])
            for end in ("src", "dst")
        )
        bonds = _Bonds(src, dst, np.concatenate([b.shift for b in more]))
        found[again] = _dimensions(bonds, np.repeat(np.arange(len(again)), sizes), len(again))
    return found


def _bonds(numbers: np.ndarray, owner: np.ndarray, neighbours: Sequence[Neighbours]) -> _Bonds:
    """Bonds by the radii among the neighbours of all crystals; `owner` is the crystal of each site."""
    elements = _elements()
    salt = np.zeros(len(neighbours), dtype=np.int64)
    salt[owner[elements.nonmetal[numbers]]] = 1
    row = (salt[owner] * len(elements.radius) + numbers) * len(elements.radius)  # of the table, for each site
    first = np.searchsorted(owner, np.arange(len(neighbours)))
    longest = elements.longest.ravel()
    found = []
    for begin in range(0, len(neighbours), BLOCK):
        block = neighbours[begin : begin + BLOCK]
        start = np.repeat(first[begin : begin + BLOCK], [len(f.src) for f in block])
        src = np.concatenate([f.src for f in block]) + start
        dst = np.concatenate([f.dst for f in block]) + start
        distance = np.concatenate([f.distance for f in block])
        some = np.flatnonzero(distance <= longest[row[dst] + numbers[src]])
        found.append((src[some], dst[some], np.concatenate([f.shift for f in block])[some]))
    return _Bonds(*(np.concatenate(part) for part in zip(*found, strict=True)))


def _all_bonds(crystal: Crystal, found: Neighbours, reach: float, longest: float) -> _Bonds:
    """Bonds of one crystal, those of sites that have none by the radii included."""
    elements = _elements()
    numbers = crystal.numbers
    table = elements.longest[int(elements.nonmetal[numbers].any())]

    def bonded() -> np.ndarray:
        return found.distance <= table[numbers[found.src], numbers[found.dst]]

    if longest > reach:
        found = find_neighbours(crystal, longest)
    some = bonded()
    alone = ~elements.noble[numbers]
    alone[found.dst[some]] = False
    if alone.any():
        radius = elements.radius[numbers]
        if (farther := REACH * 2 * float(radius.max())) > max(longest, reach):
            found = find_neighbours(crystal, farther)
        some = bonded() | _nearest(found, alone, radius)
    return _Bonds(found.src[some], found.dst[some], found.shift[some])


def _nearest(found: Neighbours, alone: np.ndarray, radius: np.ndarray) -> np.ndarray:
    """Whether each pair joins a lonely site to one of its nearest neighbours."""
    farthest = np.full(len(alone), np.inf)
    np.minimum.at(farthest, found.dst, found.distance)
    farthest = np.where(alone, NEAREST * farthest, 0.0)
    near = found.distance <= np.maximum(farthest[found.src], farthest[found.dst])
    return near & (found.distance <= REACH * (radius[found.src] + radius[found.dst]))


def _dimensions(bonds: _Bonds, owner: np.ndarray, n: int) -> np.ndarray:
    """Highest dimension of the networks of each of n crystals; `owner` is the crystal of each site."""
    one_way = np.flatnonzero(bonds.src <= bonds.dst)
    src, dst, shift = bonds.src[one_way], bonds.dst[one_way], bonds.shift[one_way].T.astype(np.int64)
    root, cell = _trees(len(owner), src, dst, shift)
    # where the way there by a bond and back by the tree ends
    loops = [c[dst] + s - c[src] for c, s in zip(cell, shift, strict=True)]
    endless = np.flatnonzero(loops[0] | loops[1] | loops[2])
    rank = _ranks([x[endless] for x in loops], root[dst[endless]], len(owner))
    found = np.zeros(n, dtype=np.int8)
    np.maximum.at(found, owner, rank[root])
    return found


def _trees(n: int, src: np.ndarray, dst: np.ndarray, shift: np.ndarray) -> tuple[np.ndarray, list[np.ndarray]]:
    """Spanning trees of the bonds of n sites: the root of each site's tree, and the cell that the tree reaches it in.

    All trees grow together, by Y. Shiloach and U. Vishkin, J. Algorithms 3, 57 (1982): of two trees that a bond joins,
    the one of the higher root becomes a branch of the other; then each site is told its new root.
    """
    root = np.arange(n)
    cell = [np.zeros(n, dtype=np.int64) for _ in range(3)]
    chosen = np.zeros(n, dtype=np.int64)
    while True:
        apart = np.flatnonzero(root[src] != root[dst])
        if len(apart) == 0:
            return root, cell
        src, dst, shift = src[apart], dst[apart], shift[:, apart]
        one, other = root[src], root[dst]
        high = np.maximum(one, other)
        chosen[high] = np.arange(len(high))  # of several bonds of a tree, any
        bond = np.flatnonzero(chosen[high] == np.arange(len(high)))
        branch = high[bond]
        sign = np.where(one[bond] == branch, 1, -1)
        for c, s in zip(cell, shift, strict=True):
            c[branch] = sign * (c[dst[bond]] + s[bond] - c[src[bond]])
        root[branch] = np.minimum(one, other)[bond]
        while not np.array_equal(above := root[root], root):
            for c in cell:
                c += c[root]
            root = above


def _ranks(vectors: Sequence[np.ndarray], group: np.ndarray, n: int) -> np.ndarray:
    """Rank in each of n groups of integer vectors, given as their three components of shape (k,); exact."""
    x, y, z = vectors
    some = np.zeros(n, dtype=np.int64)
    some[group] = np.arange(len(group))
    some = some[group]  # for each vector, one of its group
    u, v, w = x[some], y[some], z[some]
    across = y * w - z * v, z * u - x * w, x * v - y * u
    flat = np.flatnonzero(across[0] | across[1] | across[2])
    outside = np.zeros(len(group), dtype=np.int64)
    for component, product in zip(vectors, across, strict=True):
        normal = np.zeros(n, dtype=np.int64)
        normal[group[flat]] = product[flat]
        outside += normal[group] * component
    rank = np.zeros(n, dtype=np.int8)
    rank[group] = 1
    rank[group[flat]] = 2
    rank[group[outside != 0]] = 3
    return rank


class _Elements(NamedTuple):
    """Of all elements by atomic number, E with the neutron's place at 0."""

    radius: np.ndarray
    """Covalent radius in Å, shape (E,)."""
    longest: np.ndarray
    """Longest bond of each pair in Å, shape (2, E, E): in a crystal without nonmetals, and in one with some."""
    nonmetal: np.ndarray
    noble: np.ndarray


@cache
def _elements() -> _Elements:
    from ase.data import covalent_radii

    z = np.arange(len(SYMBOLS))
    radius = np.asarray(covalent_radii, dtype=np.float64)[np.minimum(z, _LAST_RADIUS)]
    noble, giver = np.isin(z, _NOBLE), np.isin(z, _GIVERS)
    nonmetal = noble | np.isin(z, _NONMETALS)
    factor = np.where(nonmetal[:, None] & nonmetal, NONMETAL_FACTOR, FACTOR)
    large = np.isin(z, _LONE_PAIRS)[:, None] & np.isin(z, _SMALL) | (z == NUMBERS["Tl"])[:, None] & nonmetal
    factor[large | large.T] = LONE_PAIR_FACTOR
    metallic = factor * (radius[:, None] + radius)
    salt = np.where(giver[:, None] & giver, 0.0, metallic)
    return _Elements(radius, np.stack([metallic, salt]), nonmetal, noble)


def _longest_of(numbers: np.ndarray) -> float:
    """Longest that a bond between the elements of a crystal may be, in Å."""
    elements, present = _elements(), np.unique(numbers)
    return float(elements.longest[int(elements.nonmetal[present].any())][np.ix_(present, present)].max())
