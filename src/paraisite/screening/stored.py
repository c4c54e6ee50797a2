"""Rows of a graph store for a predictor: as they are stored, or built anew where the model wants other graphs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from paraisite.graphs import GraphBatch
from paraisite.graphs.store import Header, StoredRows
from paraisite.model.descriptors import names, shortest_bonds, width
from paraisite.prediction.prepared import Prepared, molecular

if TYPE_CHECKING:
    from paraisite.prediction import Predictor


def wanted(cutoff: float, tolerance: float) -> Header:
    """Return the header of a store that suits a model."""
    return Header(cutoff=cutoff, tolerance=tolerance, descriptors=names(environment=True))


def prepare_stored(predictor: Predictor, header: Header, rows: StoredRows, which: Sequence[int]) -> Prepared:
    """Do what `Predictor.prepare` does, for rows of a store.

    A crystal is built anew if the store's graphs are not those of the model, if it has no graph in the store, or if the
    model does not know an element of it; the predictor then says what there is to say.

    Parameters
    ----------
    predictor : Predictor
    header : Header
        Of the store.
    rows : StoredRows
    which : sequence of int
        Rows to prepare, ascending.
    """
    card = predictor.card
    usable = not wanted(card.cutoff, card.tolerance).differences(header)
    columns = {name: [column[row] for row in which] for name, column in rows.columns.items()}
    position = np.full(len(rows), -1)
    position[list(which)] = np.arange(len(which))

    known = np.isin(rows.graphs.numbers, card.kappa.config.encoder.elements)
    strange = np.add.reduceat(~known, rows.graphs.node_ptr[:-1]) > 0 if len(rows.kept) else np.zeros(0, dtype=bool)
    taken = np.flatnonzero(usable & ~strange & (position[rows.kept] >= 0))
    at = position[rows.kept[taken]]
    graphs = rows.graphs.take(taken)
    if graphs.descriptors is not None:
        graphs = replace(graphs, descriptors=graphs.descriptors[:, : width(predictor.environment)])

    done = np.array([bool(reason) for reason in columns["reason"]], dtype=bool)
    done[at] = True
    anew = np.flatnonzero(~done)
    if len(anew):
        prepared = predictor.prepare([rows.item(which[i]) for i in anew.tolist()])
        for i, reason in zip(anew, prepared.reason, strict=True):
            columns["reason"][i] = reason
        both = np.concatenate([at, anew[prepared.kept]])
        order = np.argsort(both)
        joined = GraphBatch.concat([graphs, prepared.graphs]) if len(taken) else prepared.graphs
        at, graphs = both[order], joined.take(order)
    notes = [tuple(n) for n in columns.pop("notes")]
    loose = molecular(graphs, lambda i: rows.item(which[at[i]]))  # type: ignore[arg-type,return-value]
    return Prepared(**columns, notes=notes, kept=at, graphs=graphs, shortest=shortest_bonds(graphs), molecular=loose)
