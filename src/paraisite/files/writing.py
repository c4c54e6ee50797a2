"""Files written whole or not at all: text, JSON, CSV and Parquet, the same bytes on every system."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paraisite.files.csv_cells import csv_text
from paraisite.files.replacing import replacing

if TYPE_CHECKING:
    import pyarrow as pa


def write_bytes(path: Path, content: bytes) -> None:
    """Write bytes."""
    with replacing(path) as aside:
        aside.write_bytes(content)


def write_text(path: Path, text: str, *, errors: str = "strict") -> None:
    """Write text as UTF-8; `errors` says what becomes of what is not Unicode, as `str.encode` has it."""
    write_bytes(path, text.encode("utf-8", errors))


def write_json(
    path: Path, content: Any, *, indent: int | None = 1, end: str = "\n", errors: str = "strict", **options: Any
) -> None:
    """Write a JSON document; `options` are those of `json.dumps`."""
    write_text(path, json.dumps(content, indent=indent, **options) + end, errors=errors)


def write_csv(path: Path, header: Iterable[Any], rows: Iterable[Iterable[Any]]) -> None:
    """Write comma-separated values, which neither a spreadsheet nor a terminal takes for a command."""
    write_text(path, csv_text(header, rows))


def write_parquet(path: Path, table: pa.Table, **options: Any) -> None:
    """Write a Parquet file; `options` are those of `pyarrow.parquet.write_table`."""
    from pyarrow import parquet

    with replacing(path) as aside:
        parquet.write_table(table, aside, **options)
