"""Rows of a graph store for a predictor: as they are stored, or rebuilt where the model wants other graphs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from paraisite.graphs import GraphBatch
from paraisite.graphs.dimensionality import dimensionalities
from paraisite.graphs.store import Header, StoredRows
from paraisite.model.descriptors import names, shortest_bonds, width
from paraisite.model.environment import REACH, surroundings
from paraisite.prediction.options import KAPPA, Options
from paraisite.prediction.prepared import Prepared, tensor_ratios, vacuum_reasons

if TYPE_CHECKING:
    from paraisite.crystals import Crystal
    from paraisite.prediction import Predictor


def wanted(cutoff: float, tolerance: float) -> Header:
    """Return the header of a store that suits a model."""
    return Header(cutoff=cutoff, tolerance=tolerance, descriptors=names(environment=True))


def prepare_stored(
    predictor: Predictor, header: Header, rows: StoredRows, which: Sequence[int], options: Options = KAPPA
) -> Prepared:
    """Do what `Predictor.prepare` does, for rows of a store.

    A crystal is rebuilt if the store's graphs are not those of the model, if it has no graph in the store, if the
    model does not know an element of it, or if it is in vacuum; the predictor then says what there is to say.

    Parameters
    ----------
    predictor : Predictor
    header : Header
        Of the store.
    rows : StoredRows
    which : sequence of int
        Rows to prepare, ascending.
    options : Options
    """
    card = predictor.card
    usable = not wanted(card.cutoff, card.tolerance).differences(header)
    columns = {name: [column[row] for row in which] for name, column in rows.columns.items()}
    position = np.full(len(rows), -1)
    position[list(which)] = np.arange(len(which))

    known = np.isin(rows.graphs.numbers, card.kappa.config.encoder.elements)
    strange = np.add.reduceat(~known, rows.graphs.node_ptr[:-1]) > 0 if len(rows.kept) else np.zeros(0, dtype=bool)
    taken = np.flatnonzero(usable & ~strange & (position[rows.kept] >= 0))
    dimensionality = rows.dimensionality[taken]
    if len(missing := np.flatnonzero(dimensionality < 0)):  # in a store of an older version
        crystals: list[Crystal] = [rows.item(row) for row in rows.kept[taken[missing]].tolist()]  # type: ignore[misc]
        dimensionality[missing] = dimensionalities(crystals, surroundings(crystals), REACH)
        bulk = np.ones(len(taken), dtype=bool)
        bulk[missing] = [not reason for reason in vacuum_reasons(crystals, dimensionality[missing])]
        taken, dimensionality = taken[bulk], dimensionality[bulk]
    vacuum = np.zeros(len(taken), dtype=bool)
    at = position[rows.kept[taken]]
    graphs = rows.graphs.take(taken)
    if graphs.descriptors is not None:
        graphs = replace(graphs, descriptors=graphs.descriptors[:, : width(predictor.environment)])

    done = np.array([bool(reason) for reason in columns["reason"]], dtype=bool)
    done[at] = True
    anew = np.flatnonzero(~done)
    if len(anew):
        prepared = predictor.prepare([rows.item(which[i]) for i in anew.tolist()], options)
        for i, reason in zip(anew, prepared.reason, strict=True):
            columns["reason"][i] = reason
        both = np.concatenate([at, anew[prepared.kept]])
        order = np.argsort(both)
        joined = GraphBatch.concat([graphs, prepared.graphs]) if len(taken) else prepared.graphs
        at, graphs = both[order], joined.take(order)
        dimensionality = np.concatenate([dimensionality, prepared.dimensionality])[order]
        vacuum = np.concatenate([vacuum, prepared.vacuum])[order]
    notes = [tuple(n) for n in columns.pop("notes")]
    return Prepared(
        **columns,
        notes=notes,
        kept=at,
        graphs=graphs,
        shortest=shortest_bonds(graphs),
        dimensionality=dimensionality,
        vacuum=vacuum,
        ratios=tensor_ratios([rows.item(which[i]) for i in at.tolist()] if options.tensor else ()),  # type: ignore[misc]
        volume_change=np.zeros(0),  # crystals to relax are not taken from here
    )
