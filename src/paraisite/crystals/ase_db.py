"""ASE databases: SQLite files, and the JSON form."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from paraisite.crystals.crystal import Crystal
from paraisite.crystals.pymatgen_json import record_id
from paraisite.crystals.rejection import CrystalError, Rejection


def count_db(path: Path) -> int:
    """Return the number of rows of an ASE database in SQLite; 0 for any other SQLite file.

    Raises
    ------
    sqlite3.Error
        If the file is damaged.
    """
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)
    try:
        if not connection.execute("select 1 from sqlite_master where name = 'systems'").fetchone():
            return 0
        return int(connection.execute("select count(*) from systems").fetchone()[0])
    finally:
        connection.close()


def read_db(path: Path, *, id: str, source: str) -> Iterator[Crystal | Rejection]:
    """Yield a crystal or a rejection for each row, in the order of the row ids."""
    try:
        # ASE would write its tables into a database that lacks them, so look first
        if not count_db(path):
            yield Rejection(id, source, "the SQLite file holds no rows of an ASE database; write one with ase.db")
            return
        from ase.db import connect

        rows = connect(path, type="db").select()  # type: ignore[no-untyped-call]
        while (row := next(rows, None)) is not None:
            yield _crystal(row, id, source)
    except Exception as error:  # sqlite3 for a damaged file, ASE for a newer format
        detail = f"{type(error).__name__}: {error}".splitlines()[0]
        yield Rejection(id, source, f"the database cannot be read to its end ({detail}); copy or write it again")


def read_db_json(rows: dict[str, Any], *, id: str, source: str) -> Iterator[Crystal | Rejection]:
    """Yield a crystal or a rejection for each row of the JSON form of an ASE database."""
    from ase.db.row import AtomsRow
    from ase.io.jsonio import object_hook

    for key in rows["ids"]:
        try:
            fields = {"id": key, **_revive(rows[str(key)], object_hook)}
            yield _crystal(AtomsRow(fields), id, source)  # type: ignore[no-untyped-call]
        except Exception as error:  # ASE's reader raises whatever a row happens to trip
            detail = f"{type(error).__name__}: {error}".splitlines()[0]
            yield Rejection(f"{id}-{key}", f"{source}#{key}", f"row {key} cannot be read ({detail}); write it again")


def _revive(value: Any, hook: Any) -> Any:
    """Apply ASE's JSON hook (arrays written as dictionaries) from the leaves up."""
    if isinstance(value, dict):
        return hook({key: _revive(item, hook) for key, item in value.items()})
    return [_revive(item, hook) for item in value] if isinstance(value, list) else value


def _crystal(row: Any, id: str, source: str) -> Crystal | Rejection:
    from paraisite.crystals.convert import from_ase

    label = record_id(row.key_value_pairs) or record_id(row.data) or f"{id}-{row.id}"
    place = f"{source}#{row.id}"
    try:
        return from_ase(row.toatoms(), id=label, source=place)
    except CrystalError as error:
        return Rejection(label, place, str(error))
    except Exception as error:  # one damaged row does not stop the others
        detail = f"{type(error).__name__}: {error}".splitlines()[0]
        return Rejection(label, place, f"row {row.id} cannot be read ({detail}); write it again")
