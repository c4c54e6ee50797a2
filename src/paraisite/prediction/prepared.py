"""`Prepared`: what is known of crystals before a network sees them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from paraisite.crystals.crystal import Crystal
from paraisite.crystals.guard import SECONDS
from paraisite.crystals.vacuum import vacuum_reason
from paraisite.graphs.batch import GraphBatch
from paraisite.model.direction import Direction
from paraisite.processes.limits import TimeExceeded, limited


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
    dimensionality : numpy.ndarray, shape (G,), int8
        Of the bonded network: 3 framework, 2 layers, 1 chains, 0 molecules or lone atoms.
    vacuum : numpy.ndarray, shape (G,), bool
        Whether the cell holds a slab, wire or molecule in vacuum.
    ratios : numpy.ndarray, shape (G, 3), float64
        Diagonal of the tensor of kappa in the standard setting, over its mean; NaN where it cannot be predicted.
        Shape (0, 3) where it is not asked for.
    volume_change : numpy.ndarray, shape (R,), float64
        By relaxation, relative; NaN where there was none. Empty where none was asked for.
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
    dimensionality: np.ndarray
    vacuum: np.ndarray
    ratios: np.ndarray = field(default_factory=lambda: np.zeros((0, 3)))
    volume_change: np.ndarray = field(default_factory=lambda: np.zeros(0))

    def __len__(self) -> int:
        return len(self.id)


def tensor_ratios(crystals: Iterable[Crystal]) -> np.ndarray:
    """Ratios of `Prepared` for some crystals, shape (G, 3); what goes wrong with one costs no more than its ratios."""
    model = Direction.load()

    def ratios(crystal: Crystal) -> np.ndarray:
        try:
            with limited(SECONDS):
                found = model(crystal)
        except (Exception, TimeExceeded):
            found = None
        return np.full(3, np.nan) if found is None else found.ratios

    return np.array([ratios(crystal) for crystal in crystals]).reshape(-1, 3)


def vacuum_reasons(crystals: Sequence[Crystal], dimensionality: np.ndarray) -> list[str]:
    """Say of each crystal in vacuum what `vacuum_reason` says, and nothing of the others.

    A framework is not looked at: it would have to cross the empty layer, which is wider than any bond.
    """
    reasons = [""] * len(crystals)
    for i in np.flatnonzero(dimensionality < 3).tolist():
        reasons[i] = vacuum_reason(crystals[i].cell, crystals[i].positions)
    return reasons
