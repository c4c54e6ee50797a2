"""Prediction rows to CSV, JSON and Parquet; a file appears only when it is complete."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, BinaryIO, Protocol, TextIO

from paraisite.files import csv_cells
from paraisite.files.outputs import OutputError, refuse_existing
from paraisite.files.replacing import replacing
from paraisite.targets import TARGETS

if TYPE_CHECKING:
    import pyarrow as pa

DIGITS = 6
"""Significant digits of numbers written as text; single precision holds no more."""

TEXT = frozenset(
    "id source formula nearest_known status reason in_training nearest_formula nearest_id nearest_source "
    "formula_in_training relaxed_cif cif".split()
)
RELAXED_CIF = "relaxed_cif"
"""Column of the relaxed structure, in tables of screenings."""

INTEGERS = frozenset({"n_sites", "n_elements", "dimensionality"})
TRUTH = frozenset({"vacuum", "is_metal"})

UNITS = dict.fromkeys(
    ("nearest_distance", "log10_std", "applicability", "relaxed_volume_change", "chart_x", "chart_y"), "1"
)
"""Unit of columns of real numbers that belong to no target; of those that end in ``_W_mK`` the name says it."""

ROW_GROUP = 16_384
"""Rows of a Parquet row group."""


class Writer(Protocol):
    """Takes rows one at a time; columns that a row lacks stay empty."""

    def write(self, row: Mapping[str, Any]) -> None: ...
    def close(self) -> None: ...


class CsvWriter:
    """Comma-separated values with a header.

    Parameters
    ----------
    stream : TextIO
    columns : sequence of str
    """

    def __init__(self, stream: TextIO, columns: Sequence[str]) -> None:
        self._columns = columns
        self._writer = csv_cells.CsvWriter(stream)
        self._writer.writerow(columns)

    def write(self, row: Mapping[str, Any]) -> None:
        """Append a row."""
        values = [row.get(column) for column in self._columns]
        self._writer.writerow([_cell(value) for value in values])

    def close(self) -> None:
        """Nothing is left to do."""


def _cell(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:.{DIGITS}g}" if isinstance(value, float) else value


def json_object(row: Mapping[str, Any], columns: Sequence[str]) -> str:
    """Return a row as a JSON object in one line."""
    values = {column: row.get(column) for column in columns}
    rounded = {k: float(f"{v:.{DIGITS}g}") if isinstance(v, float) else v for k, v in values.items()}
    return json.dumps(rounded, ensure_ascii=False, allow_nan=False)


class JsonWriter:
    """A list of objects, one in a line; missing values are null.

    Parameters
    ----------
    stream : TextIO
    columns : sequence of str
    """

    def __init__(self, stream: TextIO, columns: Sequence[str]) -> None:
        self._stream, self._columns, self._before = stream, columns, "["

    def write(self, row: Mapping[str, Any]) -> None:
        """Append a row."""
        self._stream.write(f"{self._before}\n{json_object(row, self._columns)}")
        self._before = ","

    def close(self) -> None:
        """End the list."""
        self._stream.write("[]\n" if self._before == "[" else "\n]\n")


def arrow_schema(columns: Sequence[str]) -> pa.Schema:
    """Types of the columns, and their units in the metadata of the fields."""
    import pyarrow as pa

    units = UNITS | {target.column: target.unit for target in TARGETS.values()}

    def field(name: str) -> pa.Field:
        kinds = ((TEXT, pa.string()), (INTEGERS, pa.int32()), (TRUTH, pa.bool_()))
        kind = next((kind for names, kind in kinds if name in names), pa.float64())
        unit = "W/m/K" if name.endswith("_W_mK") else units.get(name)
        return pa.field(name, kind, metadata={"unit": unit} if unit else None)

    return pa.schema([field(name) for name in columns])


def arrow_table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> pa.Table:
    """Rows as a table of `arrow_schema`; what a row lacks is null."""
    import pyarrow as pa

    texts = [{k: utf8(v) if isinstance(v, str) else v for k, v in row.items()} for row in rows]
    return pa.Table.from_pylist(texts, schema=arrow_schema(columns))


class ParquetWriter:
    """Parquet with the types of the columns, and their units in the metadata of the fields.

    Parameters
    ----------
    file : BinaryIO
    columns : sequence of str
    """

    def __init__(self, file: BinaryIO, columns: Sequence[str]) -> None:
        from pyarrow import parquet

        self._schema = arrow_schema(columns)
        self._writer = parquet.ParquetWriter(file, self._schema)
        self._rows: list[dict[str, Any]] = []

    def write(self, row: Mapping[str, Any]) -> None:
        """Append a row."""
        self._rows.append(dict(row))
        if len(self._rows) == ROW_GROUP:
            self._flush()

    def _flush(self) -> None:
        self._writer.write_table(arrow_table(self._rows, self._schema.names))
        self._rows.clear()

    def close(self) -> None:
        """Write the remaining rows and the footer."""
        if self._rows:
            self._flush()
        self._writer.close()


_FORMATS: dict[str, Callable[[Any, Sequence[str]], Writer]] = {
    ".csv": CsvWriter,
    ".json": JsonWriter,
    ".parquet": ParquetWriter,
}


def check_output(path: Path, overwrite: bool = True) -> None:
    """Look whether a table can be written, before there is one.

    Raises
    ------
    OutputError
        If the format is unknown or the folder cannot take a file.
    OutputExists
        If something other than a table is there, or a table and `overwrite` is not given.
    """
    if path.suffix.lower() not in _FORMATS:
        raise OutputError(f"{path}: the extension says the format; give a name that ends in {', '.join(_FORMATS)}")
    folder = path.parent
    refuse_existing(path, overwrite)
    if not folder.is_dir():
        raise OutputError(f"{path}: there is no folder {folder}; create it first")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise OutputError(f"{path}: no permission to write in {folder}; choose another folder")


def write_tables(path: Path, tables: Iterable[pa.Table]) -> None:
    """Write tables of one schema one below the other, as they come; at least one.

    Parameters
    ----------
    path : Path
        ``.csv`` or ``.parquet``; appears when it is complete.
    tables : iterable of pyarrow.Table
    """
    from pyarrow import concat_tables, csv, parquet

    kind = csv.CSVWriter if path.suffix.lower() == ".csv" else parquet.ParquetWriter
    source = iter(tables)
    waiting = [next(source)]
    with replacing(path.resolve()) as aside, kind(str(aside), waiting[0].schema) as writer:
        for table in source:
            if sum(map(len, waiting)) >= ROW_GROUP // 4:  # of hundreds of columns
                writer.write_table(concat_tables(waiting))
                waiting.clear()
            waiting.append(table)
        writer.write_table(concat_tables(waiting))


@contextmanager
def open_writer(path: Path, columns: Sequence[str]) -> Iterator[Writer]:
    """Write a table aside; it takes the place of `path` at the end, and vanishes if anything goes wrong before.

    Parameters
    ----------
    path : Path
        The extension says the format: ``.csv``, ``.json`` or ``.parquet``.
    columns : sequence of str

    Raises
    ------
    OutputError
        As in `check_output`.
    """
    check_output(path)
    path = path.resolve()  # a link keeps pointing where it did
    suffix = path.suffix.lower()
    with replacing(path) as aside, _open(aside, binary=suffix == ".parquet") as file:
        writer = _FORMATS[suffix](file, columns)
        try:
            yield writer
        except BaseException:
            with suppress(Exception):  # what went wrong first is what counts
                writer.close()
            raise
        writer.close()


def _open(path: Path, *, binary: bool) -> IO[Any]:
    if binary:
        return path.open("wb")
    # File names need not be text: what is not becomes an escape, so that the table is UTF-8 in any case.
    return path.open("w", encoding="utf-8", errors="backslashreplace", newline="")


def utf8(text: str) -> str:
    """Text that Arrow takes: what in a file's name is no text becomes an escape."""
    return text.encode("utf-8", "backslashreplace").decode()
