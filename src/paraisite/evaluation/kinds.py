"""Structure types of crystals, by which errors are reported: rocksalt, perovskite, layered, molecular and so on.

A type of high symmetry is told by its anonymous formula, space group and occupied Wyckoff positions (International
Tables for Crystallography, vol. A), a perovskite by its corner-sharing octahedra, and the rest by its
`dimensionality`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np

from paraisite.crystals.crystal import Crystal
from paraisite.crystals.elements import NUMBERS
from paraisite.crystals.spglib_calls import ask_spglib
from paraisite.datasets.groups import SYMPREC, anonymous_formula
from paraisite.graphs.dimensionality import dimensionality
from paraisite.graphs.neighbours import Neighbours, find_neighbours

KINDS = (
    "rocksalt",
    "zincblende",
    "wurtzite",
    "half-Heusler",
    "full Heusler",
    "fluorite",
    "perovskite",
    "chalcopyrite",
    "spinel",
    "garnet",
    "pyrochlore",
    "layered",
    "chains",
    "molecular",
    "other",
)
"""What `kinds` tells apart."""

_ANIONS = [NUMBERS[s] for s in ("H", "N", "O", "F", "S", "Cl", "Br", "I")]
_BY_DIMENSION = ("molecular", "chains", "layered", "other")

BOND = 0.75
"""Longest bond B-X of a perovskite, relative to the edge of a cube of the volume of one ABX3: 0.5 in the ideal one,
about 0.63 for the larger B of an elpasolite, and at least 0.9 for the second neighbours."""

HOLLOW = 0.8
"""Shortest contact A-X of a perovskite relative to the mean bond B-X: 1.41 in the ideal one, 0.54 in calcite."""

STRAIGHT = 145.0
"""Smallest mean angle B-X-B, in degrees, of a trigonal perovskite such as BiFeO3 (155); LiNbO3 has 140."""

MAX_CHOICES = 500
"""Ways to choose the sites B of a perovskite that are tried."""


class _Symmetry(NamedTuple):
    """Space group, and the element and multiplicity of each occupied position of the conventional cell."""

    number: int
    positions: tuple[tuple[int, int], ...]
    orbits: np.ndarray
    """For each site of the crystal, the first site equivalent to it."""


def kinds(crystals: Sequence[Crystal], advance: Callable[[], object] = lambda: None) -> tuple[str, ...]:
    """Structure type of each crystal, one of `KINDS`; takes some 5 ms a crystal.

    The ternary and binary relatives that share a type's positions count as that type: antifluorites, inverse Heuslers,
    A3B4 spinels, antiperovskites, tilted and polar perovskites, elpasolites and other double perovskites. What has none
    of the types is ``layered``, ``chains`` or ``molecular`` by its dimensionality, or else ``other``.

    Parameters
    ----------
    crystals : sequence of Crystal
    advance : callable
        Called after each crystal.
    """
    found = []
    for crystal in crystals:
        found.append(_kind(crystal))
        advance()
    return tuple(found)


def _kind(crystal: Crystal) -> str:
    symmetry = _symmetry(crystal)
    if symmetry is not None:
        if name := _by_positions(anonymous_formula(crystal), symmetry):
            return name
        if _is_perovskite(crystal, symmetry):
            return "perovskite"
    return _BY_DIMENSION[dimensionality(crystal)]


def _symmetry(crystal: Crystal) -> _Symmetry | None:
    """What spglib finds; None if it finds nothing (atoms too close together)."""
    found = ask_spglib("get_symmetry_dataset", crystal.cell, crystal.positions, crystal.numbers, SYMPREC)
    if found is None:
        return None
    orbits = np.asarray(found.crystallographic_orbits)
    size = len(found.std_types) / len(crystal.numbers)
    counts = Counter(orbits.tolist())
    positions = tuple(sorted((round(n * size), int(crystal.numbers[site])) for site, n in counts.items()))
    return _Symmetry(int(found.number), positions, orbits)


def _by_positions(formula: str, symmetry: _Symmetry) -> str | None:
    """Type that formula, space group and positions of the conventional cell give away."""
    number, multiplicities = symmetry.number, [n for n, _ in symmetry.positions]
    elements = [z for _, z in symmetry.positions]
    match formula, number, multiplicities:
        case "AB", 225, [4, 4]:
            return "rocksalt"
        case "AB", 216, [4, 4]:
            return "zincblende"
        case "AB", 186, [2, 2]:
            return "wurtzite"
        case "ABC", 216, [4, 4, 4]:  # with two anions, as in LaOF, an ordered fluorite
            return "fluorite" if sum(z in _ANIONS for z in elements) == 2 else "half-Heusler"
        case ("ABC2", 225, [4, 4, 8]) | ("ABC2", 216, [4, 4, 4, 4]):
            return "full Heusler"
        case "AB2", 225, [4, 8]:
            return "fluorite"
        case "ABC2", 122, [4, 4, 8]:
            return "chalcopyrite"
        case (("AB2C4" | "A3B4"), 227, [8, 16, 32]):
            return "spinel"
        case _, 230, [16, 24, 24, 96] if elements[3] not in elements[:3]:
            return "garnet"
        case (_, 227, [16, 16, 48]) | (_, 227, [8, 16, 16, 48]) if len(set(elements[-3:])) == 3:
            return "pyrochlore"
    return None


def _is_perovskite(crystal: Crystal, symmetry: _Symmetry) -> bool:
    """Whether some choice of sites A, B and X, one to one to three, makes octahedra BX6 that share all corners."""
    n = crystal.n_sites
    if n % 5 or crystal.n_elements < 3:
        return False
    edge = (5 * crystal.volume / n) ** (1 / 3)
    found = find_neighbours(crystal, BOND * edge)
    if len(found.dst) == 0:
        return False
    trigonal = 143 <= symmetry.number <= 167
    for x in _choices(crystal.numbers, 3 * n // 5, most=2):
        for b in _choices(np.where(x, -1, symmetry.orbits), n // 5):
            if _corner_sharing(crystal, found, x, b, STRAIGHT if trigonal else 0.0):
                return True
    return False


def _choices(labels: np.ndarray, size: int, most: int = 5) -> Iterator[np.ndarray]:
    """Masks of all sets of at most `most` labels, those below zero left out, that cover `size` sites."""
    counts = Counter(label for label in labels.tolist() if label >= 0)
    tried = 0
    for length in range(1, most + 1):
        for chosen in combinations(counts, length):
            tried += 1
            if tried > MAX_CHOICES:
                return
            if sum(counts[label] for label in chosen) == size:
                yield np.isin(labels, chosen)


def _corner_sharing(crystal: Crystal, found: Neighbours, x: np.ndarray, b: np.ndarray, straight: float) -> bool:
    """Whether each X has two neighbours B, each B six X, no two B share two X, and A is larger than B."""
    bond = x[found.src] & b[found.dst]
    src, dst, shift, length = found.src[bond], found.dst[bond], found.shift[bond], found.distance[bond]
    count_x, count_b = np.bincount(src, minlength=len(x)), np.bincount(dst, minlength=len(b))
    if (count_x[x] != 2).any() or (count_b[b] != 6).any():
        return False
    order = np.argsort(src, kind="stable").reshape(-1, 2)  # the two bonds of each X
    first, second = order[:, 0], order[:, 1]
    between = shift[first] - shift[second]  # cell of the second B relative to that of the first
    pairs = np.column_stack([dst[first], dst[second], between])
    backward = np.column_stack([dst[second], dst[first], -between])
    swap = [tuple(q) < tuple(p) for p, q in zip(pairs.tolist(), backward.tolist(), strict=True)]
    pairs[swap] = backward[swap]
    if len(np.unique(pairs, axis=0)) < len(pairs):  # an edge or a face
        return False
    vector = (crystal.positions[src] + shift - crystal.positions[dst]) @ crystal.cell
    cosine = np.einsum("ij,ij->i", vector[first], vector[second]) / (length[first] * length[second])
    if np.degrees(np.arccos(np.clip(cosine, -1, 1))).mean() < straight:
        return False
    contact = found.distance[x[found.src] & ~x[found.dst] & ~b[found.dst]]
    return len(contact) == 0 or bool(contact.min() >= HOLLOW * length.mean())
