"""`Work`: what is done with the parts of a source, wherever that happens.

A worker gets a part and returns the content of a Parquet file with its rows: whoever collects them, here or on another
machine, only keeps bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Protocol, TypeVar

import pyarrow as pa
from pyarrow import parquet

from paraisite.crystals import Crystal, Rejection
from paraisite.crystals.sites import Disorder
from paraisite.screening.part import Part
from paraisite.screening.raw import crystals

CHUNK = 256
"""Crystals that are prepared together."""

CHUNK_SITES = 16_384
"""The same in sites: bounds the memory that cells of thousands of sites take."""

Item = Crystal | Rejection
Worker = Callable[[Part], bytes]
T = TypeVar("T")


class Work(Protocol):
    """What an engine carries out; it travels to the workers, so it is small."""

    @property
    def schema(self) -> pa.Schema:
        """Columns of the rows."""

    @property
    def parquet_options(self) -> dict[str, Any]:
        """How Parquet is written, as `pyarrow.parquet.ParquetWriter` takes it."""

    def worker(self) -> Worker:
        """Return what turns a part into the content of a Parquet file.

        Raises
        ------
        ValueError
            If the work cannot be done at all: there is no such model, say.
        """

    def rejected(self, part: Part, reason: str) -> bytes:
        """Return the rows of a part that crashes every worker."""


def chunks(part: Part, disorder: Disorder, *, vacuum: bool = False) -> Iterator[list[Item]]:
    """Read the crystals of a part, some at a time; `disorder` and `vacuum` as `paraisite.crystals.read` takes them."""
    chunk: list[Item] = []
    sites = 0
    for raw in part.raw:
        for item in crystals(raw, disorder, vacuum=vacuum):
            chunk.append(item)
            sites += item.n_sites if isinstance(item, Crystal) else 0
            if len(chunk) >= CHUNK or sites >= CHUNK_SITES:
                yield chunk
                chunk, sites = [], 0
    if chunk:
        yield chunk


def survive(
    chunk: list[T], do: Callable[[list[T]], pa.Table], reject: Callable[[T, str], pa.Table]
) -> Iterator[pa.Table]:
    """Yield what `do` makes of a chunk; where it raises, of each piece alone, so that only the culprit is rejected.

    Raises
    ------
    Exception
        What `do` raises if that is with every single piece: then the fault is not in the crystals.
    """
    try:
        yield do(chunk)
        return
    except Exception as error:
        first = error
    done: list[pa.Table] = []
    failed = 0
    for piece in chunk:
        try:
            done.append(do([piece]))
        except Exception as error:
            failed += 1
            what = " ".join(f"{type(error).__name__}: {error}".split())[:300]
            done.append(reject(piece, f"the crystal cannot be predicted ({what}); please report it with its file"))
    if failed == len(chunk) > 1:
        raise first
    yield from done


def to_bytes(tables: Iterable[pa.Table], work: Work) -> bytes:
    """Return rows as the content of a Parquet file of one row group."""
    found = list(tables)
    sink = pa.BufferOutputStream()
    with parquet.ParquetWriter(sink, work.schema, **work.parquet_options) as writer:
        if found:
            table = pa.concat_tables(found)
            writer.write_table(table, row_group_size=max(table.num_rows, 1))
    return sink.getvalue().to_pybytes()


def joined(contents: Iterable[bytes], work: Work) -> bytes:
    """Return several contents as one."""
    return to_bytes([parquet.ParquetFile(pa.BufferReader(content)).read() for content in contents], work)
