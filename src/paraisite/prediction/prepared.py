"""`Prepared`: what is known of crystals before a network sees them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from paraisite.graphs.batch import GraphBatch


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """R rows, one for each input, of which G have a graph and so can be predicted.

    Attributes
    ----------
    id, source, formula : list of str
        One for each row.
    n_sites, n_elements : list of int or None
        None where a rejected input could not be counted.
    notes : list of tuple of str
        What a reader changed or assumed.
    reason : list of str
        Why a row is rejected; empty where it is not.
    kept : numpy.ndarray, shape (G,), int64
        Row of each graph, ascending.
    graphs : GraphBatch
        G graphs, with descriptors where the model reads them.
    shortest : numpy.ndarray, shape (G,), float64
        Shortest distance of each crystal, relative to the sum of the two covalent radii.
    """

    id: list[str]
    source: list[str]
    formula: list[str]
    n_sites: list[int | None]
    n_elements: list[int | None]
    notes: list[tuple[str, ...]]
    reason: list[str]
    kept: np.ndarray
    graphs: GraphBatch
    shortest: np.ndarray

    def __len__(self) -> int:
        return len(self.id)
