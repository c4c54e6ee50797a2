"""ASE databases: SQLite files, read without ASE and without trust in them, and the JSON form."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

from paraisite.crystals.check import MAX_SITES
from paraisite.crystals.crystal import Crystal
from paraisite.crystals.files import MAX_FILE_BYTES, open_regular
from paraisite.crystals.foreign_json import ase, record_id
from paraisite.crystals.guard import SECONDS, guarded
from paraisite.crystals.rejection import CrystalError, Rejection

NEWEST = 9
"""Newest version of the tables that is read, as written since ASE 3.21."""

_COLUMNS = ("numbers", "positions", "cell", "pbc", "key_value_pairs", "data")
_STEPS = 100_000
"""Steps of SQLite's machine between two looks at the clock."""


def count_db(path: Path) -> int:
    """Return the number of rows of an ASE database in SQLite; 0 for any other SQLite file.

    Raises
    ------
    sqlite3.Error, OSError
        If the file is damaged, or no plain file.
    """
    with closing(_Database(path)) as database:
        return database.count()


class _Database:
    """A connection that can only read, and one table, each answer within `SECONDS`."""

    def __init__(self, path: Path) -> None:
        open_regular(path).close()
        self._connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
        self._connection.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, MAX_FILE_BYTES)
        self._connection.text_factory = lambda text: text.decode(errors="replace")  # one bad text costs no other row
        self._connection.set_progress_handler(self._is_late, _STEPS)
        self._connection.set_authorizer(_authorize)
        self._end = 0.0

    def _is_late(self) -> bool:
        return time.monotonic() > self._end

    def close(self) -> None:
        self._connection.close()

    def _rows(self, sql: str) -> Iterator[tuple[Any, ...]]:
        """Yield the rows of an answer; the clock runs for each again."""
        self._end = time.monotonic() + SECONDS
        try:
            answer = self._connection.execute(sql)
            while (row := answer.fetchone()) is not None:
                yield row
                self._end = time.monotonic() + SECONDS
        except MemoryError:  # of a damaged length
            raise sqlite3.DataError("a value is too large") from None

    def count(self) -> int:
        """Rows of the table of systems; none where it is missing, or computed: a view without an end, say."""
        (*found,) = self._rows("select type, sql from sqlite_master where name = 'systems'")
        if len(found) != 1 or found[0][0] != "table" or str(found[0][1]).lower().startswith("create virtual"):
            return 0
        return int(next(self._rows("select count(*) from systems"))[0])

    def version(self) -> int:
        """Version of the tables, 0 where the file does not say."""
        try:
            (found,) = self._rows("select value from information where name = 'version'")
            return int(found[0])
        except (sqlite3.Error, ValueError, TypeError):
            return 0

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yield the rows in the order of their ids, with the columns that a crystal is made of."""
        self._end = time.monotonic() + SECONDS
        present = {column[0] for column in self._connection.execute("select * from systems limit 0").description}
        columns = ["id", *(name for name in _COLUMNS if name in present)]
        for row in self._rows(f"select {', '.join(columns)} from systems"):
            yield dict(zip(columns, row, strict=True))


def _authorize(action: int, *_: Any) -> int:
    allowed = (sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION)
    return sqlite3.SQLITE_OK if action in allowed else sqlite3.SQLITE_DENY


def read_db(path: Path, *, id: str, source: str) -> Iterator[Crystal | Rejection]:
    """Yield a crystal or a rejection for each row, in the order of the row ids."""
    try:
        with closing(_Database(path)) as database:
            if not database.count():
                yield Rejection(id, source, "the SQLite file holds no rows of an ASE database; write one with ase.db")
                return
            if (version := database.version()) > NEWEST:
                found = f"the database has version {version} of ASE's tables; the newest supported is {NEWEST}"
                yield Rejection(id, source, f"{found}; write it as extended XYZ (ase convert)")
                return
            for row in database.rows():
                label, place = f"{id}-{row['id']}", f"{source}#{row['id']}"
                yield guarded(label, place, _of_row, row, label, place)
    except sqlite3.Error as error:
        yield Rejection(id, source, f"the database cannot be read to its end ({error}); copy or write it again")


def values_db(path: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Yield the id of each row, and what stands under its key-value pairs and data.

    Raises
    ------
    sqlite3.Error
        If the file is damaged.
    """
    with closing(_Database(path)) as database:
        for row in database.rows() if database.count() else ():
            yield row["id"], {**_texts(row.get("data")), **_texts(row.get("key_value_pairs"))}


def _of_row(row: Mapping[str, Any], id: str, source: str) -> Crystal:
    id = record_id(_texts(row.get("key_value_pairs"))) or record_id(_texts(row.get("data"))) or id
    numbers = _blob(row.get("numbers"), "numbers", "<i4")
    positions = _blob(row.get("positions"), "positions", "<f8").reshape(-1, 3)
    cell, pbc = row.get("cell"), row.get("pbc")
    box = np.zeros((3, 3)) if cell is None else _blob(cell, "cell", "<f8", 9).reshape(3, 3)
    periodic = [bool(pbc & 1 << i) if isinstance(pbc, int) else False for i in range(3)]
    return Crystal.from_arrays(box, periodic, numbers, positions, id=id, source=source)


def _blob(value: Any, name: str, kind: str, n: int | None = None) -> np.ndarray:
    """Numbers of a cell of the table; three for each site, or `n`."""
    if not isinstance(value, bytes):
        raise CrystalError(f"the row has no {name}; write it again")
    size = np.dtype(kind).itemsize
    if len(value) > MAX_SITES * 3 * 8:
        raise CrystalError(f"{name} exceeds the limit of {MAX_SITES} sites; give the primitive cell")
    if len(value) % (size * (1 if kind == "<i4" else 3)) or n not in (None, len(value) // size):
        raise CrystalError(
            f"{name} has {len(value)} bytes, which does not match the number of sites; write the row again"
        )
    return np.frombuffer(value, kind)


def _texts(value: Any) -> Mapping[str, Any]:
    """Key-value pairs or data of a row: JSON, or blocks of bytes and JSON that refers to them."""
    try:
        if isinstance(value, bytes):
            value = value[int.from_bytes(value[:8], "little") :].decode()
        found = json.loads(value) if isinstance(value, str) else None
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def read_db_json(rows: Mapping[str, Any], *, id: str, source: str) -> Iterator[Crystal | Rejection]:
    """Yield a crystal or a rejection for each row of the JSON form of an ASE database."""
    keys = rows["ids"] if isinstance(rows["ids"], list) else []
    if not keys:
        yield Rejection(id, source, "the JSON holds no rows of an ASE database; write one with ase.db")
    for key in keys:
        label, place = f"{id}-{str(key)[:40]}", f"{source}#{str(key)[:40]}"
        yield guarded(label, place, _of_json, rows.get(str(key)), key, label, place)


def _of_json(row: Any, key: Any, id: str, source: str) -> Crystal:
    if not isinstance(row, dict) or "numbers" not in row or "positions" not in row:
        raise CrystalError(f"row {str(key)[:40]} has no numbers or no positions; write it again")
    pairs, data = row.get("key_value_pairs"), row.get("data")
    own = record_id(pairs if isinstance(pairs, dict) else {}) or record_id(data if isinstance(data, dict) else {})
    return ase({"cell": np.zeros((3, 3)), **row}, own or id, source)
