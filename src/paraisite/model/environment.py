"""Descriptors of the surroundings of sites: strengths, angles and variety of bonds, which species and distances hide.

Strength: each neighbour of a site adds exp((R - d) / 0.37 Å), the bond valence of I. D. Brown and D. Altermatt, Acta
Cryst. B 41, 244 (1985), with the sum of the covalent radii for R. Divided by the mass of the site it orders sites as
their Einstein frequencies would. Angles: the bond-orientational order of P. J. Steinhardt, D. R. Nelson and
M. Ronchetti, Phys. Rev. B 28, 784 (1983). Mass disorder: S. Tamura, Phys. Rev. B 27, 858 (1983), over elements rather
than isotopes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache

import numpy as np

from paraisite.crystals.crystal import Crystal
from paraisite.crystals.rejection import Rejection
from paraisite.graphs.batch import GraphBatch
from paraisite.graphs.build import build
from paraisite.graphs.neighbours import Neighbours, closer, find_neighbours

REACH = 4.5
"""Neighbours are closer than this, in Å."""

SOFTNESS = 0.37
"""Length in Å over which a bond's valence falls by e (Brown and Altermatt)."""

ORDERS = (2, 4, 6)
"""Orders of the spherical harmonics."""

ALIKE = (0.1, 0.5, 0.05, 0.05, 0.05)
"""Differences of ln strength, coordination and bond order at which two sites of an element begin to count as two."""

MAX_COMPARED = 600
"""Sites of one element compared with each other at most; of more, as many evenly spaced ones stand for all."""

FADE = 1.0
"""In shells, neighbours in the last Å before `REACH` count less and less, so that none appears suddenly."""

SHELL = 0.2
"""Gap in Å between two neighbours of an element at which they begin to count as two shells. Between 0.05 and 0.2 it
makes no difference to errors, and the wider, the less noise on positions does."""

STATISTICS = ("mean", "std", "min", "max")

NAMES: tuple[str, ...] = (
    *(f"{s}_ln_strength" for s in STATISTICS),
    *(f"{s}_coordination" for s in STATISTICS),
    *(f"{s}_relative_bond" for s in STATISTICS),
    *(f"{s}_ln_einstein" for s in STATISTICS),
    "range_ln_einstein",
    "mean_lowest_share",
    "min_lowest_share",
    "mean_highest_share",
    "max_highest_share",
    "lowest_share_of_all",
    "highest_share_of_all",
    *(f"{s}_order_{order}" for order in ORDERS for s in ("mean", "std")),
    "mass_disorder",
    "range_ln_mass",
    "entropy",
    "elements",
    "ln_environments",
    "ln_environments_per_site",
    "ln_shells",
    "ln_shells_per_neighbour",
    "ln_density",
    "ln_packing",
    "hydrogen",
    "ln_stiffness",
    "range_electronegativity",
    "std_polarity",
)
"""Columns of `environments`."""


def surroundings(crystals: Sequence[Crystal]) -> list[Neighbours]:
    """Neighbours within `REACH` of each crystal, which `environments` and `dimensionalities` both look at."""
    return [find_neighbours(crystal, REACH) for crystal in crystals]


def build_surrounded(
    crystals: Sequence[Crystal], cutoff: float, tolerance: float | None
) -> tuple[GraphBatch, np.ndarray, dict[int, Rejection], list[Neighbours]]:
    """Return what `build` returns, and the `surroundings` of the crystals that have a graph, by one search."""
    found = [find_neighbours(crystal, max(cutoff, REACH)) for crystal in crystals]
    graphs, kept, rejected = build(crystals, cutoff=cutoff, tolerance=tolerance, neighbours=found)
    return graphs, kept, rejected, [closer(found[k], REACH) for k in kept.tolist()]


def environments(
    crystals: Sequence[Crystal],
    ln_sites: np.ndarray,
    table: dict[str, np.ndarray],
    neighbours: Sequence[Neighbours] | None = None,
) -> np.ndarray:
    """Describe the surroundings of the sites of crystals, whatever cell, origin and orientation they are written in.

    Parameters
    ----------
    crystals : sequence of Crystal, length G
    ln_sites : numpy.ndarray, shape (G,)
        Natural logarithm of the number of sites of the primitive cell.
    table : dict of str to numpy.ndarray
        `mass` (u), `covalent_radius` (Å) and `electronegativity` by atomic number.
    neighbours : sequence of Neighbours, length G, optional
        The `surroundings` of the crystals, where these are known already.

    Returns
    -------
    numpy.ndarray, shape (G, len(NAMES)), float64
    """
    if not crystals:
        return np.zeros((0, len(NAMES)))
    sizes = np.array([c.n_sites for c in crystals])
    first = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    numbers = np.concatenate([c.numbers for c in crystals])
    src, dst, distance, vector = _edges(crystals, neighbours, first)
    mass, radius, chi = (table[n][numbers] for n in ("mass", "covalent_radius", "electronegativity"))
    n = len(numbers)

    relative = distance / (radius[src] + radius[dst])
    shortest = np.full(n, 3.0)
    np.minimum.at(shortest, dst, relative)
    near = _hoppe(relative / shortest[dst])
    middle = np.bincount(dst, near * relative, n) / np.maximum(np.bincount(dst, near, n), 1e-12)
    bond = _hoppe(relative / middle[dst])  # as Hoppe counts coordination, with relative lengths
    coordination = np.bincount(dst, bond, n)
    valence = np.exp((radius[src] + radius[dst] - distance) / SOFTNESS)
    strength = np.bincount(dst, valence, n) + 1e-3
    einstein = 0.5 * np.log(strength / mass)
    direction = vector / distance[:, None]
    moments = np.stack([np.bincount(dst, valence * direction[:, i] * direction[:, j], n) for i, j in _PAIRS], axis=1)
    order = _bond_order(direction, bond, dst, n)
    polarity = np.bincount(dst, bond * np.abs(chi[src] - chi[dst]), n) / np.maximum(coordination, 1e-9)

    def mean(x: np.ndarray) -> np.ndarray:
        return np.add.reduceat(x, first) / sizes

    def std(x: np.ndarray) -> np.ndarray:
        apart = x - np.repeat(mean(x), sizes)
        return np.asarray(np.sqrt(mean(apart**2)))

    def low(x: np.ndarray) -> np.ndarray:
        return np.minimum.reduceat(x, first)

    def high(x: np.ndarray) -> np.ndarray:
        return np.maximum.reduceat(x, first)

    ln_mass = np.log(mass)
    shares = _shares(moments)
    of_all = _shares(np.add.reduceat(moments, first))
    columns = [f(x) for x in (np.log(strength), coordination, shortest, einstein) for f in (mean, std, low, high)]
    columns += [high(einstein) - low(einstein)]
    columns += [mean(shares[:, 0]), low(shares[:, 0]), mean(shares[:, 1]), high(shares[:, 1]), *of_all.T]
    columns += [f(order[:, k]) for k in range(len(ORDERS)) for f in (mean, std)]
    columns += [mean(mass**2) / mean(mass) ** 2 - 1.0, high(ln_mass) - low(ln_mass)]
    volume = np.array([c.volume for c in crystals])
    fingerprint = np.column_stack([np.log(strength), coordination, order]) / ALIKE
    variety = _variety(numbers, fingerprint, sizes)
    shells, around = (mean(x) for x in _shells(numbers[src], dst, distance, n))
    columns += [*variety.T, variety[:, 2] - ln_sites, np.log(shells + 0.1), np.log((shells + 0.1) / (around + 0.1))]
    columns += [np.log(mean(mass) * sizes / volume), np.log(mean(radius**3) * sizes / volume)]
    columns += [mean(numbers == 1), np.log(mean(np.sqrt(strength)) / np.sqrt(mean(mass)))]
    columns += [high(chi) - low(chi), std(polarity)]
    return np.column_stack(columns)


_PAIRS = ((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1))


def _edges(
    crystals: Sequence[Crystal], neighbours: Sequence[Neighbours] | None, first: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Neighbours of all crystals: src, dst (sites of all), distance, and the vector from dst to src in Å."""
    src, dst, distance, vector = [], [], [], []
    known = neighbours if neighbours is not None else surroundings(crystals)
    for crystal, found, start in zip(crystals, known, first.tolist(), strict=True):
        apart = crystal.positions[found.src] - crystal.positions[found.dst] + found.shift
        src.append(found.src + start)
        dst.append(found.dst + start)
        distance.append(np.maximum(found.distance, 1e-6))
        vector.append(apart @ crystal.cell)
    return np.concatenate(src), np.concatenate(dst), np.concatenate(distance), np.concatenate(vector)


def _shells(number: np.ndarray, dst: np.ndarray, distance: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Shells of neighbours around each site, and its neighbours, both shape (n,).

    Shells are counted without deciding which distances are equal: a neighbour counts by the gap to the one of its
    element before it, 1 - exp(-(gap / SHELL)²), so equal distances are one shell and noise changes next to nothing.
    """
    order = np.argsort(128.0 * dst + number + distance / (2.0 * REACH))  # by site, element and distance
    number, dst, distance = number[order], dst[order], distance[order]
    step = np.ones(len(order))
    alike = (np.diff(dst) == 0) & (np.diff(number) == 0)
    step[1:][alike] = -np.expm1(-((np.diff(distance)[alike] / SHELL) ** 2))
    weight = 0.5 + 0.5 * np.cos(np.pi * np.clip((distance - REACH) / FADE + 1.0, 0.0, 1.0))
    return np.bincount(dst, step * weight, n), np.bincount(dst, weight, n)


def _hoppe(ratio: np.ndarray) -> np.ndarray:
    """Weight of a neighbour by its distance over the mean bond length, exp(1 - ratio⁶)."""
    cube = ratio * ratio * ratio  # a power takes ten times as long
    return np.asarray(np.exp(1.0 - cube * cube))


def _shares(moments: np.ndarray) -> np.ndarray:
    """Lowest and highest share of the strength along an axis, (items, 6) to (items, 2); isotropic: 1/3."""
    tensor = np.empty((len(moments), 3, 3))
    for k, (i, j) in enumerate(_PAIRS):
        tensor[:, i, j] = tensor[:, j, i] = moments[:, k]
    trace = np.trace(tensor, axis1=1, axis2=2)
    tensor[trace < 1e-9] = np.eye(3)
    values = np.linalg.eigvalsh(tensor / np.where(trace < 1e-9, 3.0, trace)[:, None, None])
    return np.asarray(values[:, [0, 2]])


@cache
def _legendre(order: int) -> list[tuple[np.ndarray, float]]:
    """For each m, the m-th derivative of the Legendre polynomial (its coefficients), and its weight in Q squared."""
    found = []
    for m in range(order + 1):
        derivative = np.polynomial.Legendre.basis(order).deriv(m).convert(kind=np.polynomial.Polynomial)
        weight = math.factorial(order - m) / math.factorial(order + m) * (1 if m == 0 else 2)
        found.append((derivative.coef, weight))
    return found


def _bond_order(direction: np.ndarray, bond: np.ndarray, dst: np.ndarray, n: int) -> np.ndarray:
    """Steinhardt's Q of each site for `ORDERS`, its bonds weighted by `bond`, shape (n, len(ORDERS))."""
    some = bond > 1e-3
    z, weight, dst = direction[some, 2], bond[some], dst[some]
    plane = direction[some, 0] + 1j * direction[some, 1]
    total = np.maximum(np.bincount(dst, weight, n), 1e-12)
    turned = [weight.astype(complex)]
    for _ in range(max(ORDERS)):
        turned.append(turned[-1] * plane)
    found = np.empty((n, len(ORDERS)))
    for k, order in enumerate(ORDERS):
        square = np.zeros(n)
        for m, (coefficients, share) in enumerate(_legendre(order)):
            value = np.polynomial.polynomial.polyval(z, coefficients)
            square += share * np.bincount(dst, value * turned[m].real, n) ** 2
            if m:
                square += share * np.bincount(dst, value * turned[m].imag, n) ** 2
        found[:, k] = np.sqrt(square) / total
    return found


def _variety(numbers: np.ndarray, fingerprint: np.ndarray, sizes: np.ndarray) -> np.ndarray:
    """Entropy of the composition, elements, and ln of the environments of each crystal, shape (G, 3).

    Environments are counted without deciding which sites are equal: each site counts 1 over the number of sites of its
    element like itself, exp(-|difference of fingerprints|²/2) of each other one.
    """
    crystal = np.repeat(np.arange(len(sizes)), sizes)
    order = np.lexsort((numbers, crystal))  # sites of one element of a crystal side by side
    new = np.ones(len(order), dtype=bool)
    new[1:] = (np.diff(numbers[order]) != 0) | (np.diff(crystal[order]) != 0)
    start = np.flatnonzero(new)
    count = np.diff(np.append(start, len(order)))
    environments = np.ones(len(start))
    for group in np.flatnonzero(count > 1).tolist():
        own = fingerprint[order[start[group] : start[group] + count[group]]]
        if len(own) > MAX_COMPARED:
            own = own[np.linspace(0, len(own) - 1, MAX_COMPARED).astype(int)]
        square = (own**2).sum(axis=1)
        apart = np.maximum(square[:, None] + square[None, :] - 2.0 * own @ own.T, 0.0)
        environments[group] = (1.0 / np.exp(-0.5 * apart).sum(axis=1)).sum()
    owner = crystal[order[start]]
    share = count / sizes[owner]
    columns = [-np.bincount(owner, share * np.log(share)), np.bincount(owner), np.log(np.bincount(owner, environments))]
    return np.column_stack(columns)
