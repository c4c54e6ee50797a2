"""Crystals to a `GraphBatch`."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from paraisite.crystals.crystal import Crystal
from paraisite.crystals.rejection import Rejection
from paraisite.graphs.batch import GraphBatch
from paraisite.graphs.merge import merge
from paraisite.graphs.neighbours import Neighbours, closer, find_neighbours

CUTOFF = 4.0
"""Cutoff radius in Å, as in MEGNet-MP-2018.6.1."""

TOLERANCE = 1e-3
"""Distances of one crystal that differ by less than this (Å) count as equal."""


def build(
    crystals: Sequence[Crystal],
    *,
    cutoff: float = CUTOFF,
    tolerance: float | None = TOLERANCE,
    neighbours: Sequence[Neighbours] | None = None,
) -> tuple[GraphBatch, np.ndarray, dict[int, Rejection]]:
    """Build the graphs of some crystals.

    Parameters
    ----------
    crystals : sequence of Crystal
    cutoff : float
        Neighbours are closer than this, in Å.
    tolerance : float or None
        Merge equal sites and edges, distances being equal within this length (Å); None gives the plain graph.
    neighbours : sequence of Neighbours, optional
        Of each crystal, as far as `cutoff` or farther, where these are known already.

    Returns
    -------
    graphs : GraphBatch
        Graphs of the crystals that have one, in order.
    kept : numpy.ndarray, shape (len(graphs),), int64
        Index into `crystals` of each graph.
    rejections : dict of int to Rejection
        For each crystal without a graph, why.
    """
    sizes: list[int] = []
    kept: list[int] = []
    found: list[Neighbours] = []
    rejections: dict[int, Rejection] = {}
    for index, crystal in enumerate(crystals):
        near = (
            find_neighbours(crystal, cutoff, shifts=False) if neighbours is None else closer(neighbours[index], cutoff)
        )
        if len(near.src) == 0:
            rejections[index] = Rejection(
                crystal.id,
                crystal.source,
                f"no two sites are closer than {cutoff:g} Å, so the crystal has no bonds to learn from: "
                "check that the cell lengths are in Å",
                crystal.formula,
                crystal.n_sites,
                crystal.n_elements,
            )
            continue
        kept.append(index)
        sizes.append(crystal.n_sites)
        found.append(near)
    plain = _plain([crystals[k].numbers for k in kept], sizes, found)
    graphs = plain if tolerance is None else merge(plain, tolerance)
    return graphs, np.asarray(kept, dtype=np.int64), rejections


def _plain(numbers: list[np.ndarray], sizes: list[int], found: list[Neighbours]) -> GraphBatch:
    node_ptr = np.concatenate([np.zeros(1, np.int64), np.cumsum(np.asarray(sizes, dtype=np.int64))])
    counts = np.asarray([len(f.src) for f in found], dtype=np.int64)
    shift = np.repeat(node_ptr[:-1], counts)

    def joined(parts: list[np.ndarray], dtype: type) -> np.ndarray:
        return np.concatenate([np.zeros(0, dtype), *parts]).astype(dtype, copy=False)

    return GraphBatch(
        numbers=joined(numbers, np.int64),
        node_weight=np.ones(node_ptr[-1], np.float32),
        node_ptr=node_ptr,
        src=joined([f.src for f in found], np.int64) + shift,
        dst=joined([f.dst for f in found], np.int64) + shift,
        distance=joined([f.distance for f in found], np.float64),
        edge_weight=np.ones(int(counts.sum()), np.float32),
        edge_ptr=np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)]),
    )
