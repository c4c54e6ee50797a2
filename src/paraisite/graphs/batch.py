"""`GraphBatch`: many crystal graphs as flat arrays, with multiplicities."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True, eq=False)
class GraphBatch:
    """G crystal graphs in flat arrays; N distinguishable sites and E distinguishable edges in all.

    A node stands for `node_weight` equal sites of its crystal. An edge stands for `edge_weight` equal
    edges that arrive at **one** site of its destination node, so that a mean over the neighbours of a site
    is weighted by `edge_weight` and a mean over all edges of a crystal by `edge_weight * node_weight[dst]`.
    In the plain graph every weight is 1. Edges are sorted by destination, nodes and edges by crystal.

    Attributes
    ----------
    numbers : numpy.ndarray, shape (N,), int64
        Atomic numbers.
    node_weight : numpy.ndarray, shape (N,), float32
        Multiplicity of each node.
    node_ptr : numpy.ndarray, shape (G + 1,), int64
        Nodes of crystal g are ``node_ptr[g]:node_ptr[g + 1]``.
    src, dst : numpy.ndarray, shape (E,), int64
        Node indices; a message goes from `src` to `dst`.
    distance : numpy.ndarray, shape (E,), float64
        Edge length in Å.
    edge_weight : numpy.ndarray, shape (E,), float32
        Multiplicity of each edge at one destination site.
    edge_ptr : numpy.ndarray, shape (G + 1,), int64
        Edges of crystal g are ``edge_ptr[g]:edge_ptr[g + 1]``.
    descriptors : numpy.ndarray, shape (G, q), float64, or None
        Numbers that describe each crystal besides its graph.
    """

    numbers: np.ndarray
    node_weight: np.ndarray
    node_ptr: np.ndarray
    src: np.ndarray
    dst: np.ndarray
    distance: np.ndarray
    edge_weight: np.ndarray
    edge_ptr: np.ndarray
    descriptors: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.node_ptr) - 1

    @property
    def n_nodes(self) -> int:
        """Number of nodes N."""
        return len(self.numbers)

    @property
    def n_edges(self) -> int:
        """Number of edges E."""
        return len(self.src)

    @property
    def edge_counts(self) -> np.ndarray:
        """Number of edges of each graph, shape (G,)."""
        return np.diff(self.edge_ptr)

    def take(self, indices: Sequence[int] | np.ndarray) -> GraphBatch:
        """Return the graphs at `indices` (integers, or one boolean per graph), in that order."""
        picked = np.asarray(indices)
        which = np.arange(len(self))[picked if picked.size else picked.astype(np.int64)]
        nodes, node_ptr = _ranges(self.node_ptr, which)
        edges, edge_ptr = _ranges(self.edge_ptr, which)
        shift = np.repeat(node_ptr[:-1] - self.node_ptr[which], np.diff(edge_ptr))
        return GraphBatch(
            numbers=self.numbers[nodes],
            node_weight=self.node_weight[nodes],
            node_ptr=node_ptr,
            src=self.src[edges] + shift,
            dst=self.dst[edges] + shift,
            distance=self.distance[edges],
            edge_weight=self.edge_weight[edges],
            edge_ptr=edge_ptr,
            descriptors=None if self.descriptors is None else self.descriptors[which],
        )

    @classmethod
    def concat(cls, batches: Sequence[GraphBatch]) -> GraphBatch:
        """Put batches one after the other; descriptors stay if all of them have some.

        Raises
        ------
        ValueError
            If there is no batch.
        """
        if not batches:
            raise ValueError("cannot concatenate an empty list of graph batches")
        node_shift = np.cumsum([0, *(b.n_nodes for b in batches)])
        edge_shift = np.cumsum([0, *(b.n_edges for b in batches)])

        def joined(name: str, shift: np.ndarray | None = None) -> np.ndarray:
            parts = [getattr(b, name) for b in batches]
            return np.concatenate(parts if shift is None else [p + s for p, s in zip(parts, shift, strict=False)])

        def joined_ptr(name: str, shift: np.ndarray) -> np.ndarray:
            ends = [getattr(b, name)[1:] + s for b, s in zip(batches, shift, strict=False)]
            return np.concatenate([np.zeros(1, np.int64), *ends])

        return cls(
            numbers=joined("numbers"),
            node_weight=joined("node_weight"),
            node_ptr=joined_ptr("node_ptr", node_shift),
            src=joined("src", node_shift),
            dst=joined("dst", node_shift),
            distance=joined("distance"),
            edge_weight=joined("edge_weight"),
            edge_ptr=joined_ptr("edge_ptr", edge_shift),
            descriptors=joined("descriptors") if all(b.descriptors is not None for b in batches) else None,
        )

    def split_by_edges(self, max_edges: int) -> Iterator[slice]:
        """Yield consecutive ranges of graphs with at most `max_edges` edges each (a larger graph stands alone)."""
        start = 0
        while start < len(self):
            stop = int(np.searchsorted(self.edge_ptr, self.edge_ptr[start] + max_edges, side="right")) - 1
            stop = min(max(stop, start + 1), len(self))
            yield slice(start, stop)
            start = stop


def _ranges(ptr: np.ndarray, which: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Indices of the concatenated ranges ``ptr[w]:ptr[w + 1]`` and the pointer array of the result."""
    counts = ptr[which + 1] - ptr[which]
    new_ptr = np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)])
    return np.arange(new_ptr[-1]) + np.repeat(ptr[which] - new_ptr[:-1], counts), new_ptr
