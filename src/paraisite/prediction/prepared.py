"""`Prepared`: what is known of crystals before a network sees them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from paraisite.crystals.crystal import Crystal
from paraisite.graphs.batch import GraphBatch
from paraisite.graphs.dimensionality import dimensionality
from paraisite.model.descriptors import width
from paraisite.model.environment import NAMES as ENVIRONMENT

LOOSE, WEAK = 4.5, 0.9
"""Mean coordination, and ln of the weakest site's bond strength, below which it is worth a look whether bonds end:
50 of the 55 molecular crystals of `phonix`, and a tenth of all."""


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
    molecular : numpy.ndarray, shape (G,), bool
        Whether it consists of molecules or lone atoms, as far as the model's descriptors tell.
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
    molecular: np.ndarray

    def __len__(self) -> int:
        return len(self.id)


def molecular(graphs: GraphBatch, crystal: Callable[[int], Crystal]) -> np.ndarray:
    """Tell crystals of molecules or lone atoms, shape (G,), bool; none where the descriptors lack the environment.

    Parameters
    ----------
    graphs : GraphBatch
    crystal : callable
        Gives the crystal of a graph by its number.
    """
    found = np.zeros(len(graphs), dtype=bool)
    if graphs.descriptors is not None and graphs.descriptors.shape[1] > width(False):
        known = dict(zip(ENVIRONMENT, graphs.descriptors[:, width(False) :].T, strict=True))
        loose = (known["mean_coordination"] < LOOSE) & (known["min_ln_strength"] < WEAK)
        for i in np.flatnonzero(loose).tolist():
            found[i] = dimensionality(crystal(i)) == 0
    return found
