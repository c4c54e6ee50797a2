"""`Packing`: the work of building graphs, for a graph store."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from paraisite.crystals import Crystal
from paraisite.crystals.sites import Disorder
from paraisite.graphs import CUTOFF, TOLERANCE, GraphBatch, build
from paraisite.graphs.dimensionality import dimensionalities
from paraisite.graphs.store import SCHEMA, Header, pack
from paraisite.screening.part import Part
from paraisite.screening.raw import rejection
from paraisite.screening.work import Item, Worker, chunks, survive, to_bytes
from paraisite.versions import versions

_TEXT = ["id", "source", "formula", "reason"]


@dataclass(frozen=True)
class Packing:
    """Graphs and descriptors.

    Attributes
    ----------
    cutoff, tolerance : float
        In Å, as in `paraisite.graphs.build`.
    disorder : {"reject", "majority"}
        What to do with partly occupied sites.
    """

    cutoff: float = CUTOFF
    tolerance: float = TOLERANCE
    disorder: Disorder = "reject"
    parquet_options: dict[str, Any] = field(default_factory=lambda: {"compression": "zstd", "use_dictionary": _TEXT})

    @property
    def schema(self) -> pa.Schema:
        """The columns of a graph store."""
        return SCHEMA

    @property
    def header(self) -> Header:
        """What the store says of its graphs."""
        from paraisite.model.descriptors import names

        return Header(
            cutoff=self.cutoff,
            tolerance=self.tolerance,
            descriptors=names(environment=True),
            disorder=self.disorder,
            versions=versions(),
        )

    def worker(self) -> Worker:
        """See `Work`."""

        def work(part: Part) -> bytes:
            tables: list[pa.Table] = []
            for chunk in chunks(part, self.disorder):
                tables += survive(chunk, self._table, self._reject)
            return to_bytes(tables, self)

        return work

    def rejected(self, part: Part, reason: str) -> bytes:
        """Return rejected rows; see `Work`."""
        return to_bytes([self._reject(rejection(raw, reason), reason) for raw in part.raw], self)

    def _reject(self, item: Item, reason: str) -> pa.Table:
        return pack([rejection(item, reason)], *_none())

    def _table(self, items: list[Item]) -> pa.Table:
        from paraisite.model.descriptors import described, element_table
        from paraisite.model.environment import REACH, build_surrounded

        last = len(element_table()) - 1  # what lies beyond has no descriptors and no model; the crystal is kept alone
        rows = [i for i, item in enumerate(items) if isinstance(item, Crystal) and item.numbers.max() <= last]
        some: list[Crystal] = [items[i] for i in rows]  # type: ignore[misc]
        graphs, kept, _, neighbours = build_surrounded(some, self.cutoff, self.tolerance)
        some = [some[k] for k in kept]
        graphs = described(some, graphs, environment=True, neighbours=neighbours)
        dimensionality = dimensionalities(some, neighbours, REACH)
        return pack(items, graphs, np.array(rows, dtype=np.int64)[kept], dimensionality)


def _none() -> tuple[GraphBatch, np.ndarray, np.ndarray]:
    graphs, kept, _ = build([])
    return graphs, kept, np.zeros(0, dtype=np.int8)
