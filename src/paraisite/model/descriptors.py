"""Descriptors of composition and structure that the encoder's vector knows only vaguely, for heads and `KernelHead`.

The statistics over sites of elemental properties follow L. Ward, A. Agrawal, A. Choudhary and C. Wolverton,
npj Comput. Mater. 2, 16028 (2016). The size of the primitive cell counts the phonon branches.

A second block describes the bonding. Coordination is counted by distance, without a list of bonds: R. Hoppe,
Z. Kristallogr. 150, 23 (1979). Electrons are counted by the rules of 8 and 18: T. Graf, C. Felser and
S. S. P. Parkin, Prog. Solid State Chem. 39, 1 (2011); crystals that break them (TiNiSb) conduct far less heat than
their neighbours (TiNiSn), and so do those with a lone pair (PbTe).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np

from paraisite.crystals.crystal import Crystal
from paraisite.crystals.spglib_calls import ask_spglib
from paraisite.crystals.translations import count_translations
from paraisite.graphs.batch import GraphBatch
from paraisite.graphs.neighbours import Neighbours
from paraisite.model.environment import NAMES as ENVIRONMENT
from paraisite.model.environment import environments

PROPERTIES = (
    "electronegativity",
    "group",
    "row",
    "mass",
    "covalent_radius",
    "electron_affinity",
    "ionization_energy",
    "mendeleev_number",
    "electrons",
)
"""Columns of `elements.csv`, which also names their sources."""

OF_ELEMENT = ("electronegativity", "group", "row", "ln_mass", "covalent_radius", "coordination")

SITES: tuple[str, ...] = (
    *(f"{statistic}_{name}" for statistic in ("mean", "std") for name in PROPERTIES),
    "volume_per_site",
    "shortest_distance",
    "mean_distance",
    "neighbours_per_site",
    "ln_primitive_sites",
)

BONDING: tuple[str, ...] = (
    "open_shell",
    *(f"{end}_electronegative_{name}" for end in ("least", "most") for name in OF_ELEMENT),
    *(f"bond_{name}" for name in ("electronegativity_difference", "ln_mass_difference", "length", "relative_length")),
)

NAMES = (*SITES, *BONDING)
"""Columns of `descriptors`; lengths in Å."""

SYMPREC = 0.01
"""Sites that coincide within this (Å) after a translation count as equal in the search of the primitive cell."""

MANY = 300
"""Sites beyond which spglib is slow, and only translations are searched."""


def descriptors(
    crystals: Sequence[Crystal],
    graphs: GraphBatch,
    *,
    environment: bool = False,
    neighbours: Sequence[Neighbours] | None = None,
) -> np.ndarray:
    """Describe crystals, whatever cell, origin, orientation and order of sites they are written in.

    Parameters
    ----------
    crystals : sequence of Crystal
    graphs : GraphBatch
        Their G graphs, in order; every graph has an edge, as those of `build` do.
    environment : bool
        Add the columns of `paraisite.model.environment`.
    neighbours : sequence of Neighbours, length G, optional
        The `surroundings` of the crystals, where these are known already.

    Returns
    -------
    numpy.ndarray, shape (G, width(environment)), float64

    Raises
    ------
    ValueError
        If there are not as many crystals as graphs, or an element lies beyond plutonium.
    """
    if len(crystals) != len(graphs):
        raise ValueError(f"{len(crystals)} crystals and {len(graphs)} graphs: give one graph of each crystal")
    if len(graphs) == 0:
        return np.zeros((0, width(environment)))
    table = element_table()
    if graphs.numbers.max() >= len(table):
        raise ValueError(f"element {graphs.numbers.max()} has no descriptors; they end with {len(table) - 1}")
    first, first_edge = graphs.node_ptr[:-1], graphs.edge_ptr[:-1]
    value, weight = table[graphs.numbers], graphs.node_weight.astype(np.float64)
    sites = np.add.reduceat(weight, first)
    share = (weight / np.repeat(sites, np.diff(graphs.node_ptr)))[:, None]
    mean = np.add.reduceat(share * value, first)
    apart = value - np.repeat(mean, np.diff(graphs.node_ptr), axis=0)
    std = np.sqrt(np.add.reduceat(share * apart**2, first))
    std[std < 1e-6] = 0.0  # equal values, seen through rounding: many in a cell of many sites
    multiplicity = graphs.edge_weight * weight[graphs.dst]
    edges = np.add.reduceat(multiplicity, first_edge)
    ln_sites = np.log([primitive_sites(c) for c in crystals])
    by_name = dict(zip(PROPERTIES, table.T, strict=True))
    columns: list[Any] = [
        mean,
        std,
        [c.volume / c.n_sites for c in crystals],
        np.minimum.reduceat(graphs.distance, first_edge),
        np.add.reduceat(multiplicity * graphs.distance, first_edge) / edges,
        edges / sites,
        ln_sites,
        _bonding(graphs, by_name),
    ]
    if environment:
        columns.append(environments(crystals, ln_sites, by_name, neighbours))
    return np.column_stack(columns)


def blocks(*, environment: bool) -> tuple[int, ...]:
    """Widths of the parts of `names` between which `KernelHead` measures distances of their own."""
    return (len(SITES), len(BONDING), len(ENVIRONMENT)) if environment else (len(SITES), len(BONDING))


def names(*, environment: bool) -> tuple[str, ...]:
    """Columns of `descriptors`."""
    return NAMES + ENVIRONMENT if environment else NAMES


def width(environment: bool) -> int:
    """Number of columns of `descriptors`."""
    return len(names(environment=environment))


def described(
    crystals: Sequence[Crystal],
    graphs: GraphBatch,
    *,
    environment: bool = False,
    neighbours: Sequence[Neighbours] | None = None,
) -> GraphBatch:
    """Return the graphs of some crystals together with their `descriptors`."""
    values = descriptors(crystals, graphs, environment=environment, neighbours=neighbours)
    return replace(graphs, descriptors=values)


def _bonding(graphs: GraphBatch, table: dict[str, np.ndarray]) -> np.ndarray:
    """Columns `BONDING`; `table` holds each property of all elements."""
    z, first = graphs.numbers, graphs.node_ptr[:-1]
    crystal = np.repeat(np.arange(len(graphs)), np.diff(graphs.node_ptr))
    weight = graphs.node_weight.astype(np.float64)
    ln_mass = np.log(np.maximum(table["mass"], 1.0))  # row 0 of the table is not an element
    by_element = {**table, "ln_mass": ln_mass}

    # the elements at both ends of the scale; of equal ones the lighter is the less electronegative
    order = np.lexsort((z, table["electronegativity"][z], crystal))
    ends = z[order[first]], z[order[graphs.node_ptr[1:] - 1]]

    bond = _bonds(graphs)
    coordination = np.bincount(graphs.dst, bond, graphs.n_nodes)
    columns = [_open_shell(graphs, table["electrons"], ends[1])]
    for end in ends:
        columns += [by_element[name][end] for name in OF_ELEMENT[:-1]]
        here = weight * (z == end[crystal])
        columns.append(np.add.reduceat(here * coordination, first) / np.add.reduceat(here, first))

    a, b = z[graphs.src], z[graphs.dst]
    bond *= weight[graphs.dst]
    total = np.add.reduceat(bond, graphs.edge_ptr[:-1])
    for value in (
        np.abs(table["electronegativity"][a] - table["electronegativity"][b]),
        np.abs(ln_mass[a] - ln_mass[b]),
        graphs.distance,
        graphs.distance / (table["covalent_radius"][a] + table["covalent_radius"][b]),
    ):
        columns.append(np.add.reduceat(bond * value, graphs.edge_ptr[:-1]) / total)
    return np.column_stack(columns)


def _bonds(graphs: GraphBatch) -> np.ndarray:
    """How much of a bond each edge is to one of its destinations, times `edge_weight`; sums to Hoppe's coordination.

    With d the distance and m the mean bond length of the site, exp(1 - (d/m)^6); m is itself a mean with such weights,
    taken once around the shortest distance of the site.
    """
    d, dst = graphs.distance, graphs.dst
    middle = np.full(graphs.n_nodes, np.inf)
    np.minimum.at(middle, dst, d)
    near = graphs.edge_weight * np.exp(1.0 - (d / middle[dst]) ** 6)
    middle = np.bincount(dst, near * d, graphs.n_nodes) / np.maximum(np.bincount(dst, near, graphs.n_nodes), 1e-12)
    return np.asarray(graphs.edge_weight * np.exp(1.0 - (d / middle[dst]) ** 6))


def _open_shell(graphs: GraphBatch, electrons: np.ndarray, most_electronegative: np.ndarray) -> np.ndarray:
    """Electrons of a formula unit beyond filled shells of eight, or lacking there, whichever are fewer; per site."""
    z, weight = graphs.numbers, graphs.node_weight.astype(np.int64)
    found = np.empty(len(graphs))
    for g, (start, stop) in enumerate(zip(graphs.node_ptr[:-1], graphs.node_ptr[1:], strict=True)):
        count = np.bincount(z[start:stop], weight[start:stop]).astype(np.int64)
        unit = count // np.gcd.reduce(count)
        total = unit @ electrons[: len(unit)]
        if unit.sum() == 1 and total >= 4:  # diamond, grey arsenic, ...: an element of group N fills it by 8 - N bonds
            total = 0
        if most_electronegative[g] == 1:  # a hydride: its shell takes one electron, and is full with two
            total -= 2 * unit[1]
        found[g] = abs(total - 8 * round(total / 8)) / unit.sum()
    return found


def shortest_bonds(graphs: GraphBatch) -> np.ndarray:
    """Shortest distance of each crystal, relative to the sum of the two covalent radii, shape (G,)."""
    radius = element_table()[:, PROPERTIES.index("covalent_radius")]
    relative = graphs.distance / (radius[graphs.numbers[graphs.src]] + radius[graphs.numbers[graphs.dst]])
    return np.minimum.reduceat(relative, graphs.edge_ptr[:-1])


def primitive_sites(crystal: Crystal) -> int:
    """Number of sites of the primitive cell; those of the cell as given if there is none."""
    if (
        math.gcd(*np.bincount(crystal.numbers).tolist()) == 1
    ):  # a multiple of a smaller cell has a multiple of each of its elements
        return crystal.n_sites
    if crystal.n_sites > MANY:
        return crystal.n_sites // count_translations(crystal, SYMPREC)
    if not _may_repeat(crystal):  # most cells of databases; spglib finds all of the symmetry
        return crystal.n_sites
    found = ask_spglib("find_primitive", crystal.cell, crystal.positions, crystal.numbers, SYMPREC)
    return len(found[2]) if found is not None else crystal.n_sites


def _may_repeat(crystal: Crystal) -> bool:
    """Whether a translation within the cell takes every site to one of its element, twice `SYMPREC` being allowed."""
    counts = np.bincount(crystal.numbers)
    elements = sorted(np.flatnonzero(counts).tolist(), key=lambda z: counts[z])

    def fits(shift: np.ndarray) -> bool:
        for z in elements:
            sites = crystal.positions[crystal.numbers == z]
            gap = sites[:, None] + shift - sites[None]
            gap -= np.rint(gap)
            vectors = gap.reshape(-1, 3) @ crystal.cell
            square = np.einsum("ij,ij->i", vectors, vectors).reshape(len(sites), -1)
            if square.min(axis=1).max() > (2 * SYMPREC) ** 2:
                return False
        return True

    first = crystal.positions[crystal.numbers == elements[0]]
    return any(fits(site - first[0]) for site in first[1:])


@cache
def element_table() -> np.ndarray:
    """Elemental properties, shape (95, 9); row 0 stands for no element."""
    text = (files("paraisite.model") / "elements.csv").read_text(encoding="utf-8")
    rows = [line.split(",") for line in text.splitlines() if not line.startswith("#")]
    if tuple(rows[0][1:]) != PROPERTIES:
        raise ValueError(f"elements.csv: expected the columns {', '.join(PROPERTIES)}; install paraisite again")
    return np.array([[0.0] * len(PROPERTIES), *([float(x) for x in row[1:]] for row in rows[1:])])
