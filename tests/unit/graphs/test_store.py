"""The graph store: what is packed comes back to the bit, and what is no store is said to be none."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from make_crystals import isolated, some_crystals
from pyarrow import parquet

from paraisite.crystals import Crystal, Rejection
from paraisite.graphs import GraphBatch, build
from paraisite.graphs.store import METADATA, SCHEMA, GraphStore, Header, StoreError, pack, unpack

HEADER = Header(cutoff=4.0, tolerance=1e-3, descriptors=("a", "b"))


def made() -> tuple[list[Crystal | Rejection], GraphBatch, np.ndarray, np.ndarray]:
    items: list[Crystal | Rejection] = [
        Rejection("a", "a.cif", "the file is empty; write it again"),
        *some_crystals(),
        isolated(),
        Rejection("b", "b.cif", "no", "NaCl", 2, 2),
    ]
    rows = [i for i, item in enumerate(items) if isinstance(item, Crystal)]
    graphs, kept, _ = build([items[i] for i in rows])  # type: ignore[misc]
    return items, graphs, np.array(rows)[kept], np.arange(len(graphs), dtype=np.int8) % 4


def assert_same_graphs(one: GraphBatch, other: GraphBatch) -> None:
    for field in fields(GraphBatch):
        a, b = getattr(one, field.name), getattr(other, field.name)
        if a is None:
            assert b is None
        else:
            assert a.dtype == b.dtype
            np.testing.assert_array_equal(a, b)


def test_everything_comes_back() -> None:
    items, graphs, kept, dimensionality = made()
    table = pack(items, graphs, kept, dimensionality)
    assert table.schema == SCHEMA
    table.validate(full=True)
    rows = unpack(table)
    np.testing.assert_array_equal(rows.kept, kept)
    np.testing.assert_array_equal(rows.dimensionality, dimensionality)
    assert_same_graphs(rows.graphs, graphs)
    for i, item in enumerate(items):
        found = rows.item(i)
        if isinstance(item, Rejection):
            assert found == item
            continue
        assert isinstance(found, Crystal)
        assert (found.id, found.source, found.notes) == (item.id, item.source, item.notes)
        for name in ("cell", "numbers", "positions"):
            np.testing.assert_array_equal(getattr(found, name), getattr(item, name))


def test_some_rows_are_those_rows() -> None:
    items, graphs, kept, dimensionality = made()
    rows = unpack(pack(items, graphs, kept, dimensionality).slice(3, 5))
    assert len(rows) == 5
    assert [rows.item(i).id for i in range(5)] == [item.id for item in items[3:8]]
    inside = np.flatnonzero((kept >= 3) & (kept < 8))
    np.testing.assert_array_equal(rows.dimensionality, dimensionality[inside])
    assert_same_graphs(rows.graphs, graphs.take(inside))


def test_descriptors_come_back() -> None:
    from dataclasses import replace

    items, graphs, kept, dimensionality = made()
    given = np.random.default_rng(0).normal(size=(len(graphs), 7))
    rows = unpack(pack(items, replace(graphs, descriptors=given), kept, dimensionality))
    np.testing.assert_array_equal(rows.graphs.descriptors, given)  # type: ignore[arg-type]


def test_nothing_packs_to_nothing() -> None:
    graphs, kept, _ = build([])
    none = np.zeros(0, dtype=np.int8)
    assert len(unpack(pack([], graphs, kept, none))) == 0
    assert len(unpack(pack([Rejection("a", "b", "c")], graphs, kept, none))) == 1


def test_a_store_without_dimensionality_is_read(tmp_path: Path) -> None:
    """As versions before 0.2 wrote it."""
    path = tmp_path / "s.parquet"
    table = pack(*made()).drop_columns(["dimensionality"])
    parquet.write_table(table.replace_schema_metadata({METADATA: HEADER.model_dump_json()}), path)
    rows = GraphStore(path).read(0)
    np.testing.assert_array_equal(rows.dimensionality, np.full(len(rows.kept), -1))


def test_a_store_is_read_in_pieces(tmp_path: Path) -> None:
    path = tmp_path / "s.parquet"
    table = pack(*made())
    schema = SCHEMA.with_metadata({METADATA: HEADER.model_dump_json()})
    with parquet.ParquetWriter(path, schema) as writer:
        for start in range(0, 12, 5):
            writer.write_table(table.slice(start, 5).replace_schema_metadata(schema.metadata))
    store = GraphStore(path)
    assert store.group_rows == [5, 5, 2]
    assert store.header == HEADER
    assert store.read(1, 2, 4).item(0).id == table.column("id")[7].as_py()


@pytest.mark.parametrize("kind", ["junk", "other", "damaged", "newer", "missing"])
def test_what_is_no_store_says_so(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "s.parquet"
    header = {"damaged": b"{}", "newer": HEADER.model_copy(update={"format": 99}).model_dump_json().encode()}.get(kind)
    if kind == "junk":
        path.write_bytes(b"PAR1" * 10)
    elif kind != "missing":
        parquet.write_table(pa.table({"id": ["a"]}).replace_schema_metadata({METADATA: header} if header else {}), path)
    says = {"other": "paraisite pack", "newer": "format 99"}.get(kind, "pack the crystals again")
    with pytest.raises(StoreError, match=says) as caught:
        GraphStore(path)
    assert str(path) in str(caught.value)


def test_headers_differ_in_what_graphs_depend_on() -> None:
    assert HEADER.differences(HEADER.model_copy(update={"versions": {"a": "1"}, "disorder": "majority"})) == []
    other = HEADER.model_copy(update={"cutoff": 5.0, "descriptors": ()})
    assert HEADER.differences(other) == ["cutoff 4 instead of 5", "other descriptors"]
