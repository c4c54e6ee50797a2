"""The graph store: crystals with their graphs in one Parquet file, so that nothing is parsed or searched again.

One row for each input, rejections included; a row group is a part of a screening. The metadata of the file under
`paraisite-graphs` hold, in JSON, how the graphs were made. The crystals stand beside the graphs: a model that wants
others rebuilds them.

===============  ==================  =======================================================================
column           type                content
===============  ==================  =======================================================================
id, source       string              as in `Crystal`
formula          string              reduced formula
n_sites          int32               null where a rejected input could not be counted, as `n_elements`
n_elements       int32               distinct elements
notes            list of string      what a reader changed or assumed
reason           string              why the input was rejected when it was read; empty where it was not
cell             list of 9 doubles   lattice vectors in Å; null in rejected rows, as the next two
numbers          list of uint8       atomic number of each site
positions        list of double      fractional coordinates, site after site
node_numbers     list of uint8       atomic number of each node; null without a graph, as all that follow
node_weight      list of uint16      equal sites that the node stands for
src, dst         list of uint16      nodes of each edge, counted within the crystal
distance         list of double      length of each edge in Å
edge_weight      list of uint16      equal edges at one site of the destination
descriptors      list of double      numbers that describe the crystal besides its graph; empty if none were made
dimensionality   int8                of the bonded network, 0 to 3; older stores lack the column
===============  ==================  =======================================================================
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
from pyarrow import parquet
from pydantic import BaseModel, ConfigDict, ValidationError

from paraisite.crystals.crystal import Crystal
from paraisite.crystals.rejection import Rejection
from paraisite.files import arrow
from paraisite.graphs.batch import GraphBatch
from paraisite.graphs.merge import ROUNDS

FORMAT = 1
"""Version of this layout, and of what a graph is."""

METADATA = b"paraisite-graphs"

SCHEMA = pa.schema(
    {
        **dict.fromkeys(("id", "source", "formula"), pa.string()),
        **dict.fromkeys(("n_sites", "n_elements"), pa.int32()),
        "notes": pa.list_(pa.string()),
        "reason": pa.string(),
        "cell": pa.list_(pa.float64()),
        "numbers": pa.list_(pa.uint8()),
        "positions": pa.list_(pa.float64()),
        "node_numbers": pa.list_(pa.uint8()),
        **dict.fromkeys(("node_weight", "src", "dst"), pa.list_(pa.uint16())),
        "distance": pa.list_(pa.float64()),
        "edge_weight": pa.list_(pa.uint16()),
        "descriptors": pa.list_(pa.float64()),
        "dimensionality": pa.int8(),
    }
)

OPTIONAL = frozenset({"dimensionality"})
"""Columns that stores of older versions lack."""


class StoreError(ValueError):
    """A file is not a usable graph store; the message names it and the remedy."""


class Header(BaseModel):
    """How the graphs of a store were made.

    Attributes
    ----------
    format : int
        Version of the layout.
    cutoff, tolerance : float
        In Å, as in `build`.
    rounds : int
        Rounds of refinement, as in `merge`.
    descriptors : tuple of str
        Names of the descriptors.
    disorder : {"reject", "majority"}
        What was done with partly occupied sites.
    versions : dict of str to str
        Of the software that made the store.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: int = FORMAT
    cutoff: float
    tolerance: float
    rounds: int = ROUNDS
    descriptors: tuple[str, ...] = ()
    disorder: Literal["reject", "majority"] = "reject"
    versions: dict[str, str] = {}

    def differences(self, other: Header) -> list[str]:
        """Say in which ways the graphs of another header are others, e.g. ``cutoff 4 instead of 5``."""
        said = []
        for name in ("cutoff", "tolerance", "rounds", "descriptors"):
            mine, others = getattr(self, name), getattr(other, name)
            if mine != others:
                numbers = name != "descriptors"
                said.append(f"{name} {mine:g} instead of {others:g}" if numbers else "other descriptors")
        return said


@dataclass(frozen=True, slots=True, eq=False)
class StoredRows:
    """R rows of a store, of which G have a graph.

    Attributes
    ----------
    columns : dict of str to list
        `id`, `source`, `formula`, `n_sites`, `n_elements`, `notes` and `reason`, with R entries each.
    cells : numpy.ndarray, shape (C, 3, 3), float64
        Of the C rows that hold a crystal, in order.
    numbers, positions : numpy.ndarray, shapes (S,) and (S, 3)
        Sites of all crystals, one after the other.
    site_ptr : numpy.ndarray, shape (R + 1,), int64
        Sites of row r are ``site_ptr[r]:site_ptr[r + 1]``; none in rejected rows.
    graphs : GraphBatch
        G graphs.
    kept : numpy.ndarray, shape (G,), int64
        Row of each graph.
    dimensionality : numpy.ndarray, shape (G,), int8
        Of the bonded network of each graph's crystal; -1 where the store does not say.
    """

    columns: dict[str, list[Any]]
    cells: np.ndarray
    numbers: np.ndarray
    positions: np.ndarray
    site_ptr: np.ndarray
    graphs: GraphBatch
    kept: np.ndarray
    dimensionality: np.ndarray

    def __len__(self) -> int:
        return len(self.columns["id"])

    def item(self, row: int) -> Crystal | Rejection:
        """Return the crystal of a row, or why it has none."""
        id, source, formula, n_sites, n_elements, notes, reason = (column[row] for column in self.columns.values())
        if reason:
            return Rejection(id, source, reason, formula, n_sites, n_elements)
        sites = slice(self.site_ptr[row], self.site_ptr[row + 1])
        cell = self.cells[np.count_nonzero(np.diff(self.site_ptr[: row + 1]))]
        return Crystal(cell, self.numbers[sites], self.positions[sites], id, source, tuple(notes))


def pack(
    items: Sequence[Crystal | Rejection], graphs: GraphBatch, kept: np.ndarray, dimensionality: np.ndarray
) -> pa.Table:
    """Lay out some inputs and their graphs as rows of a store.

    Parameters
    ----------
    items : sequence of Crystal or Rejection
    graphs : GraphBatch
    kept : numpy.ndarray, shape (len(graphs),), int64
        Index into `items` of each graph, ascending.
    dimensionality : numpy.ndarray, shape (len(graphs),), int8
        Of the bonded network of each graph's crystal.
    """
    crystals = [item if isinstance(item, Crystal) else None for item in items]
    has_crystal = np.array([c is not None for c in crystals], dtype=bool)
    sites = np.array([c.n_sites if c else 0 for c in crystals], dtype=np.int64)
    has_graph = np.zeros(len(items), dtype=bool)
    has_graph[kept] = True

    def spread(counts: np.ndarray) -> np.ndarray:
        every = np.zeros(len(items), dtype=np.int64)
        every[kept] = counts
        return every

    nodes, edges = spread(np.diff(graphs.node_ptr)), spread(graphs.edge_counts)
    first = np.repeat(graphs.node_ptr[:-1], graphs.edge_counts)
    described = graphs.descriptors if graphs.descriptors is not None else np.zeros((len(graphs), 0))
    present = [c for c in crystals if c is not None]

    def lists(counts: np.ndarray, values: np.ndarray, valid: np.ndarray, kind: pa.DataType) -> pa.Array:
        return arrow.lists(counts, arrow.numbers(values, kind), valid)

    notes = [c.notes if c else () for c in crystals]
    columns = {
        "id": arrow.texts(item.id for item in items),
        "source": arrow.texts(item.source for item in items),
        "formula": arrow.texts(item.formula for item in items),
        "n_sites": arrow.integers((item.n_sites for item in items), pa.int32()),
        "n_elements": arrow.integers((item.n_elements for item in items), pa.int32()),
        "notes": arrow.lists(np.array([len(n) for n in notes], dtype=np.int64), arrow.texts(sum(notes, ()))),
        "reason": arrow.texts(item.reason if isinstance(item, Rejection) else "" for item in items),
        "cell": lists(9 * has_crystal, _joined([c.cell.ravel() for c in present]), has_crystal, pa.float64()),
        "numbers": lists(sites, _joined([c.numbers for c in present]), has_crystal, pa.uint8()),
        "positions": lists(3 * sites, _joined([c.positions.ravel() for c in present]), has_crystal, pa.float64()),
        "node_numbers": lists(nodes, graphs.numbers, has_graph, pa.uint8()),
        "node_weight": lists(nodes, graphs.node_weight, has_graph, pa.uint16()),
        "src": lists(edges, graphs.src - first, has_graph, pa.uint16()),
        "dst": lists(edges, graphs.dst - first, has_graph, pa.uint16()),
        "distance": lists(edges, graphs.distance, has_graph, pa.float64()),
        "edge_weight": lists(edges, graphs.edge_weight, has_graph, pa.uint16()),
        "descriptors": lists(has_graph * described.shape[1], described.ravel(), has_graph, pa.float64()),
        "dimensionality": arrow.numbers(spread(dimensionality), pa.int8(), has_graph),
    }
    return pa.table([columns[name] for name in SCHEMA.names], schema=SCHEMA)


def unpack(table: pa.Table) -> StoredRows:
    """Return what `pack` laid out, numbers to the bit."""
    arrays = {name: table.column(name).combine_chunks() for name in table.column_names}
    counts = {name: np.diff(arrow.to_numpy(arrays[name].offsets)) for name in ("numbers", "node_numbers", "src")}
    kept = np.flatnonzero(arrow.to_numpy(arrays["node_numbers"].is_valid().cast("int8")))
    values = {
        name: arrow.to_numpy(arrays[name].flatten())
        for name in SCHEMA.names
        if pa.types.is_list(SCHEMA.field(name).type) and name != "notes"
    }
    node_ptr, edge_ptr = arrow.pointers(counts["node_numbers"][kept]), arrow.pointers(counts["src"][kept])
    first = np.repeat(node_ptr[:-1], np.diff(edge_ptr))
    described = values["descriptors"].reshape(len(kept), -1) if len(values["descriptors"]) else None
    graphs = GraphBatch(
        numbers=values["node_numbers"].astype(np.int64),
        node_weight=values["node_weight"].astype(np.float32),
        node_ptr=node_ptr,
        src=values["src"].astype(np.int64) + first,
        dst=values["dst"].astype(np.int64) + first,
        distance=values["distance"],
        edge_weight=values["edge_weight"].astype(np.float32),
        edge_ptr=edge_ptr,
        descriptors=described,
    )
    return StoredRows(
        columns={name: arrays[name].to_pylist() for name in SCHEMA.names[:7]},
        cells=values["cell"].reshape(-1, 3, 3),
        numbers=values["numbers"].astype(np.int64),
        positions=values["positions"].reshape(-1, 3),
        site_ptr=arrow.pointers(counts["numbers"]),
        graphs=graphs,
        kept=kept,
        dimensionality=(
            arrow.to_numpy(arrays["dimensionality"].drop_null())
            if "dimensionality" in arrays
            else np.full(len(kept), -1, dtype=np.int8)
        ),
    )


class GraphStore:
    """A store, opened.

    Parameters
    ----------
    path : str or Path

    Attributes
    ----------
    path : Path
    header : Header
    group_rows : list of int
        Rows of each row group.

    Raises
    ------
    StoreError
        If the file is not a store, is damaged, or is of another format.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        try:
            self._file = parquet.ParquetFile(self.path)
        except (pa.ArrowException, OSError) as error:
            raise StoreError(f"{path}: not a readable graph store ({_line(error)}); {_AGAIN}") from None
        stored = (self._file.schema_arrow.metadata or {}).get(METADATA)
        if stored is None:
            raise StoreError(f"{path}: a Parquet file, but not a graph store; `paraisite pack` writes one")
        try:
            self.header = Header.model_validate_json(stored)
        except ValidationError as error:
            raise StoreError(
                f"{path}: its header is damaged or from a newer version ({_line(error)}); {_AGAIN}"
            ) from None
        if self.header.format != FORMAT:
            reads = f"format {self.header.format} but this version reads {FORMAT}"
            raise StoreError(f"{path}: {reads}; {_AGAIN}, or use the version that wrote it")
        groups = self._file.metadata
        self.group_rows = [groups.row_group(i).num_rows for i in range(groups.num_row_groups)]

    def read(self, group: int, start: int = 0, stop: int | None = None) -> StoredRows:
        """Return rows of one row group.

        Raises
        ------
        StoreError
            If the file is damaged.
        """
        try:
            table = self._file.read_row_group(group)
            names = [name for name in SCHEMA.names if name in table.column_names or name not in OPTIONAL]
            return unpack(table.slice(start, None if stop is None else stop - start).select(names))
        except (pa.ArrowException, KeyError, ValueError, OSError) as error:
            raise StoreError(f"{self.path}: row group {group} is damaged ({_line(error)}); {_AGAIN}") from None


def open_store(path: str) -> GraphStore:
    """Open a store once in a process, and again where it was written again."""
    info = Path(path).stat()
    return _opened(path, info.st_size, info.st_mtime_ns)


@lru_cache(maxsize=4)
def _opened(path: str, size: int, modified: int) -> GraphStore:
    return GraphStore(path)


_AGAIN = "copy it again, or pack the crystals again"


def _line(error: Exception) -> str:
    return str(error).splitlines()[0]


def _joined(parts: list[np.ndarray]) -> np.ndarray:
    return np.concatenate([np.zeros(0), *parts])
