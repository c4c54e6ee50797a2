"""`Screening`: the work of predicting, with the columns of `paraisite predict`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pyarrow as pa

from paraisite.crystals import Rejection
from paraisite.crystals.sites import Disorder
from paraisite.crystals.write_cif import cif_text
from paraisite.files import arrow
from paraisite.graphs.store import open_store
from paraisite.potentials.relaxing import RelaxedCrystal, Relaxer, RelaxSettings
from paraisite.prediction.options import Options
from paraisite.prediction.write import INTEGERS, RELAXED_CIF, TEXT, TRUTH, arrow_schema
from paraisite.screening.part import Part
from paraisite.screening.raw import Stored, rejection
from paraisite.screening.work import CHUNK, Item, Worker, chunks, survive, to_bytes
from paraisite.targets import LEVEL

if TYPE_CHECKING:
    from paraisite.prediction import Prepared


@dataclass(frozen=True)
class Screening:
    """Predictions of one model.

    Attributes
    ----------
    model : str
        Name or folder.
    mirror : str or None
        Folder that stands in for the network.
    device : str
        ``cpu``, ``cuda`` or ``auto``.
    level : float
        Share of true values that the intervals shall cover.
    properties : tuple of str
        Auxiliary properties.
    disorder : {"reject", "majority"}
        What to do with partly occupied sites.
    exact : bool
        Take the plain path of the predictor.
    temperatures : tuple of float
        In K, for kappa at each of them.
    tensor : bool
        Whether to give the diagonal of the tensor.
    allow_vacuum : bool
        Whether slabs, wires and molecules in vacuum are predicted, with a warning.
    relax : RelaxSettings or None
        How crystals are relaxed first, if they are; the table then holds the relaxed structures, too.
    """

    model: str
    mirror: str | None = None
    device: str = "cpu"
    level: float = LEVEL
    properties: tuple[str, ...] = ()
    disorder: Disorder = "reject"
    exact: bool = False
    temperatures: tuple[float, ...] = ()
    tensor: bool = False
    relax: RelaxSettings | None = None
    allow_vacuum: bool = False
    parquet_options: dict[str, Any] = field(default_factory=lambda: {"compression": "zstd"})

    @property
    def schema(self) -> pa.Schema:
        """The columns of a prediction."""
        return arrow_schema((*self.asked.columns, *((RELAXED_CIF,) if self.relax else ())))

    @property
    def asked(self) -> Options:
        """What is asked of the predictor."""
        relaxed = self.relax is not None
        asked = self.level, self.properties, self.temperatures, self.tensor
        return Options(*asked, allow_vacuum=self.allow_vacuum, relaxed=relaxed)

    def worker(self) -> Worker:
        """Load the model; see `Work`."""
        from paraisite.prediction import Predictor
        from paraisite.screening.stored import prepare_stored

        options: dict[str, Any] = {"exact": True} if self.exact else {}
        predictor = Predictor.from_pretrained(self.model, device=self.device, mirror=self.mirror, **options)
        list(predictor.stream([], self.asked))  # complains now, not with every part

        relaxer = Relaxer(self.relax) if self.relax else None

        def finish(prepared: Prepared) -> pa.Table:
            return self._table(predictor.table(prepared, self.asked))

        def from_store(raw: Stored) -> Iterator[pa.Table]:
            store = open_store(raw.store)
            rows = store.read(raw.group, raw.start, raw.stop)

            def predict(which: list[int]) -> pa.Table:
                return finish(prepare_stored(predictor, store.header, rows, which, self.asked))

            def reject(row: int, reason: str) -> pa.Table:
                return self._reject(rows.item(row), reason)

            for start in range(0, len(rows), CHUNK):
                yield from survive(list(range(start, min(start + CHUNK, len(rows)))), predict, reject)

        def relaxed(some: list[Item]) -> pa.Table:
            columns = predictor.table(predictor.prepare(some, self.asked), self.asked)
            cifs = [cif_text(item, item.id or "crystal") if isinstance(item, RelaxedCrystal) else "" for item in some]
            return self._table(columns | {RELAXED_CIF: cifs})

        def work(part: Part) -> bytes:
            tables: list[pa.Table] = []
            if relaxer is not None:
                for chunk in chunks(part, self.disorder, vacuum=self.allow_vacuum):
                    items: list[Item] = [relaxer(item) for item in chunk]
                    tables += survive(items, relaxed, self._reject)
            elif isinstance(part.raw[0], Stored):
                for raw in part.raw:
                    tables += from_store(cast(Stored, raw))
            else:
                for chunk in chunks(part, self.disorder, vacuum=self.allow_vacuum):
                    tables += survive(chunk, lambda some: finish(predictor.prepare(some, self.asked)), self._reject)
            return to_bytes(tables, self)

        return work

    def rejected(self, part: Part, reason: str) -> bytes:
        """Return rejected rows; see `Work`."""
        return to_bytes([self._rejected([rejection(raw, reason) for raw in part.raw])], self)

    def _reject(self, item: Item, reason: str) -> pa.Table:
        return self._rejected([rejection(item, reason)])

    def _rejected(self, rows: list[Rejection]) -> pa.Table:
        names = ("id", "source", "formula", "n_sites", "n_elements", "reason")
        facts = {name: [getattr(row, name) for row in rows] for name in names}
        return self._table(facts | {"status": ["rejected"] * len(rows)})

    def _table(self, columns: Mapping[str, Any]) -> pa.Table:
        schema = self.schema
        size = len(columns["id"])
        arrays = []
        for name in schema.names:
            values = columns.get(name)
            if name in TEXT:
                arrays.append(arrow.texts([""] * size if values is None else values))
            elif name in INTEGERS:
                arrays.append(arrow.integers([None] * size if values is None else values, pa.int32()))
            elif name in TRUTH:
                arrays.append(pa.array([None] * size if values is None else values, pa.bool_()))
            else:
                real = np.full(size, np.nan) if values is None else np.asarray(values, dtype=np.float64)
                finite = np.isfinite(real)
                arrays.append(arrow.numbers(np.where(finite, real, 0.0), pa.float64(), finite))
        return pa.table(arrays, schema=schema)
