"""Merging of indistinguishable sites and edges, for a whole batch at once.

The encoder sees species and distances only. Sites that have equal species and, recursively, equal
multisets of (neighbour, distance) have equal features after every block, and edges from equal sites at
equal distance carry equal messages. Classes are found by colour refinement (B. Weisfeiler and A. Leman,
Nauchno-Tekhnicheskaya Informatsiya 2, 12 (1968)), as many rounds as the encoder has blocks.
"""

from __future__ import annotations

import numpy as np

from paraisite.graphs.batch import GraphBatch

ROUNDS = 3
"""Rounds of refinement; the encoder has this many blocks."""

MAX_CLASS_WIDTH = 2.0
"""A class of distances is at most this many tolerances wide: a chain of small gaps is cut, not followed."""


def merge(graphs: GraphBatch, tolerance: float, *, rounds: int = ROUNDS) -> GraphBatch:
    """Merge equal sites and edges of a plain batch.

    Parameters
    ----------
    graphs : GraphBatch
        Plain graphs (every weight 1).
    tolerance : float
        Sorted distances of one crystal are cut into classes wherever two neighbours differ by more than this (Å).
    rounds : int
        Blocks of the encoder that will read the graphs.

    Returns
    -------
    GraphBatch
        The same crystals with one node for each class of sites and one edge for each class of edges.
        A merged edge has the mean length of its class members.
    """
    if graphs.n_edges == 0:
        return graphs
    node_crystal = np.repeat(np.arange(len(graphs)), np.diff(graphs.node_ptr))
    edge_crystal = np.repeat(np.arange(len(graphs)), graphs.edge_counts)
    colour, length = _classes(graphs, node_crystal, edge_crystal, tolerance, rounds)

    # classes in the order of their first site, so that nodes stay sorted by crystal
    _, first, inverse, size = np.unique(colour, return_index=True, return_inverse=True, return_counts=True)
    order = np.argsort(first)
    representative = first[order]
    rank = np.empty_like(order)
    rank[order] = np.arange(len(order))
    node_of_site = rank[inverse]

    is_representative = np.zeros(graphs.n_nodes, dtype=bool)
    is_representative[representative] = True
    edges = np.flatnonzero(is_representative[graphs.dst])
    src, dst = node_of_site[graphs.src[edges]], node_of_site[graphs.dst[edges]]
    by_class = np.lexsort((length[edges], src, dst))
    edges, src, dst = edges[by_class], src[by_class], dst[by_class]
    new = np.ones(len(edges), dtype=bool)
    new[1:] = (np.diff(src) != 0) | (np.diff(dst) != 0) | (np.diff(length[edges]) != 0)
    start = np.flatnonzero(new)
    count = np.diff(np.append(start, len(edges)))
    merged_crystal = edge_crystal[edges[start]]
    return GraphBatch(
        numbers=graphs.numbers[representative],
        node_weight=size[order].astype(np.float32),
        node_ptr=np.searchsorted(node_crystal[representative], np.arange(len(graphs) + 1)),
        src=src[start],
        dst=dst[start],
        distance=np.add.reduceat(graphs.distance[edges], start) / count,
        edge_weight=count.astype(np.float32),
        edge_ptr=np.searchsorted(merged_crystal, np.arange(len(graphs) + 1)),
    )


def _classes(
    graphs: GraphBatch, node_crystal: np.ndarray, edge_crystal: np.ndarray, tolerance: float, rounds: int
) -> tuple[np.ndarray, np.ndarray]:
    """Class of each node, shape (N,), and of each distance, shape (E,); different in different crystals."""
    length = _distance_classes(edge_crystal, graphs.distance, tolerance)
    multiplicity = graphs.edge_weight.astype(np.uint64)
    colour = _relabel(_mix(graphs.numbers.astype(np.uint64)) + _mix(node_crystal.astype(np.uint64) ^ _SALT))
    for _ in range(rounds):
        message = multiplicity * _mix(
            (colour[graphs.src].astype(np.uint64) << np.uint64(32)) | length.astype(np.uint64)
        )
        # bincount would go through floats: unsigned sums wrap around, which a multiset hash wants
        total = np.concatenate([np.zeros(1, np.uint64), np.cumsum(message, dtype=np.uint64)])
        ends = np.searchsorted(graphs.dst, np.arange(graphs.n_nodes + 1))
        received = total[ends[1:]] - total[ends[:-1]]
        refined = _relabel(_mix(colour.astype(np.uint64) ^ _SALT) + _mix(received))
        settled = refined.max() == colour.max()
        colour = refined
        if settled:
            break
    return colour, length


def _distance_classes(crystal: np.ndarray, distance: np.ndarray, tolerance: float) -> np.ndarray:
    """Class number of each distance, different in different crystals, shape (E,)."""
    order = np.lexsort((distance, crystal))
    d, c = distance[order], crystal[order]
    gap = np.ones(len(d), dtype=bool)
    gap[1:] = (np.diff(d) > tolerance) | (np.diff(c) != 0)
    chain = np.cumsum(gap) - 1
    piece = ((d - d[gap][chain]) / (MAX_CLASS_WIDTH * tolerance)).astype(np.int64)
    new = gap
    new[1:] |= np.diff(piece) != 0
    classes = np.empty(len(d), dtype=np.int64)
    classes[order] = np.cumsum(new) - 1
    return classes


def _relabel(keys: np.ndarray) -> np.ndarray:
    return np.unique(keys, return_inverse=True)[1]


_SALT = np.uint64(0x9E3779B97F4A7C15)


def _mix(x: np.ndarray) -> np.ndarray:
    """Scramble 64-bit words (the finaliser of SplitMix64, G. Steele et al., OOPSLA 2014)."""
    x = x + _SALT
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))
