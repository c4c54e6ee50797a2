"""Descriptors of composition and structure that the encoder's vector knows only vaguely, for `KernelHead`.

The statistics over sites of elemental properties follow L. Ward, A. Agrawal, A. Choudhary and C. Wolverton,
npj Comput. Mater. 2, 16028 (2016). The size of the primitive cell counts the phonon branches.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cache
from importlib.resources import files

import numpy as np

from paraisite.crystals.crystal import Crystal
from paraisite.graphs.batch import GraphBatch

PROPERTIES = (
    "electronegativity",
    "group",
    "row",
    "mass",
    "covalent_radius",
    "electron_affinity",
    "ionization_energy",
    "mendeleev_number",
)
"""Columns of `elements.csv`, which also names their sources."""

NAMES: tuple[str, ...] = (
    *(f"{statistic}_{name}" for statistic in ("mean", "std", "min", "max") for name in PROPERTIES),
    "volume_per_site",
    "shortest_distance",
    "mean_distance",
    "neighbours_per_site",
    "ln_primitive_sites",
)
"""Columns of `descriptors`; lengths in Å."""

SYMPREC = 0.01
"""Sites that coincide within this (Å) after a translation count as equal in the search of the primitive cell."""


def descriptors(crystals: Sequence[Crystal], graphs: GraphBatch) -> np.ndarray:
    """Describe crystals, whatever cell, origin, orientation and order of sites they are written in.

    Parameters
    ----------
    crystals : sequence of Crystal
    graphs : GraphBatch
        Their G graphs, in order; every graph has an edge, as those of `build` do.

    Returns
    -------
    numpy.ndarray, shape (G, len(NAMES)), float64

    Raises
    ------
    ValueError
        If there are not as many crystals as graphs, or an element lies beyond plutonium.
    """
    if len(crystals) != len(graphs):
        raise ValueError(f"{len(crystals)} crystals and {len(graphs)} graphs: give one graph of each crystal")
    if len(graphs) == 0:
        return np.zeros((0, len(NAMES)))
    table = _table()
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
    return np.column_stack(
        [
            mean,
            std,
            np.minimum.reduceat(value, first),
            np.maximum.reduceat(value, first),
            [c.volume / c.n_sites for c in crystals],
            np.minimum.reduceat(graphs.distance, first_edge),
            np.add.reduceat(multiplicity * graphs.distance, first_edge) / edges,
            edges / sites,
            [math.log(primitive_sites(c)) for c in crystals],
        ]
    )


def shortest_bonds(graphs: GraphBatch) -> np.ndarray:
    """Shortest distance of each crystal, relative to the sum of the two covalent radii, shape (G,)."""
    radius = _table()[:, PROPERTIES.index("covalent_radius")]
    relative = graphs.distance / (radius[graphs.numbers[graphs.src]] + radius[graphs.numbers[graphs.dst]])
    return np.minimum.reduceat(relative, graphs.edge_ptr[:-1])


def primitive_sites(crystal: Crystal) -> int:
    """Number of sites of the primitive cell; those of the cell as given if spglib finds none."""
    counts = np.unique(crystal.numbers, return_counts=True)[1]
    if math.gcd(*counts.tolist()) == 1:  # a multiple of a smaller cell has a multiple of each of its elements
        return crystal.n_sites
    if crystal.n_sites <= 100 and not _may_repeat(crystal):  # most cells of databases; spglib finds all of the symmetry
        return crystal.n_sites
    import spglib  # slow to import, and seldom needed

    try:
        cell = crystal.cell.tolist(), crystal.positions.tolist(), crystal.numbers.tolist()
        found = spglib.find_primitive(cell, symprec=SYMPREC)
    except spglib.SpglibError:  # some versions raise, others return None
        found = None
    return len(found[2]) if found is not None else crystal.n_sites


def _may_repeat(crystal: Crystal) -> bool:
    """Whether a translation within the cell takes every site to one of its element, twice `SYMPREC` being allowed."""
    groups = sorted((crystal.positions[crystal.numbers == z] for z in np.unique(crystal.numbers)), key=len)

    def fits(shift: np.ndarray) -> bool:
        for sites in groups:
            gap = sites[:, None] + shift - sites[None]
            gap -= np.round(gap)
            if (np.linalg.norm(gap @ crystal.cell, axis=2).min(axis=1) > 2 * SYMPREC).any():
                return False
        return True

    return any(fits(site - groups[0][0]) for site in groups[0][1:])


@cache
def _table() -> np.ndarray:
    """Elemental properties, shape (95, 8); row 0 stands for no element."""
    text = (files("paraisite.model") / "elements.csv").read_text(encoding="utf-8")
    rows = [line.split(",") for line in text.splitlines() if not line.startswith("#")]
    if tuple(rows[0][1:]) != PROPERTIES:
        raise ValueError(f"elements.csv: expected the columns {', '.join(PROPERTIES)}; install paraisite again")
    return np.array([[0.0] * len(PROPERTIES), *([float(x) for x in row[1:]] for row in rows[1:])])
