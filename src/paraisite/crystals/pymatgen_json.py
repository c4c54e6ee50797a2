"""Structures in pymatgen's JSON form, read without pymatgen: a document of one or many, or one a line."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from paraisite.crystals.check import MAX_SITES, check_periodic
from paraisite.crystals.crystal import Crystal
from paraisite.crystals.elements import species_number
from paraisite.crystals.files import MAX_FILE_BYTES
from paraisite.crystals.rejection import CrystalError, Rejection
from paraisite.crystals.sites import Disorder, Sites, order, unknown_element

ID_KEYS = ("material_id", "mp_id", "id", "_id", "task_id", "jid", "identifier", "mat_id")
"""Keys of a record that hold its database id, the first that is present counts."""

MAX_DEPTH = 5000
"""Levels of Python's stack that a document may take, whatever a library allows (symfc sets 100,000): before that many
a nested document would end Python."""

_REMEDY = 'give pymatgen structures, or records with one under "structure"'


def record_id(record: Mapping[str, Any]) -> str:
    """Database id that a record gives, else an empty string."""
    for key in ID_KEYS:
        value = record.get(key)
        if isinstance(value, (str, int)) and not isinstance(value, bool) and str(value):
            return str(value)
    return ""


def _loads(text: str) -> Any:
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(min(limit, MAX_DEPTH))
    try:
        return json.loads(text)
    finally:
        sys.setrecursionlimit(limit)


def read_json(text: str, *, id: str, source: str, disorder: Disorder = "reject") -> Iterator[Crystal | Rejection]:
    """Yield a crystal or a rejection for each structure of a JSON document.

    The document is one structure, a list or dictionary of structures or of records with a ``structure``, a table as
    `pandas.DataFrame.to_json(orient="split")` writes it, an ASE database in JSON form, or JSON Lines after all.
    """
    try:
        document = _loads(text)
    except json.JSONDecodeError as error:
        if error.msg == "Extra data" and "\n" in text[: error.pos + 1]:
            yield from read_jsonl(text.splitlines(), id=id, source=source, disorder=disorder)
            return
        yield Rejection(
            id,
            source,
            f"not readable JSON ({error.msg} in line {error.lineno}); the file may be cut off: write it again",
        )
        return
    except (RecursionError, ValueError) as error:
        yield Rejection(id, source, f"not readable JSON ({error}); {_REMEDY}")
        return
    if isinstance(document, dict) and "ids" in document and "nextid" in document:
        from paraisite.crystals.ase_db import read_db_json

        yield from read_db_json(document, id=id, source=source)
        return
    found = records(document)
    if found is None:
        reason = f"the JSON holds no structure; {_REMEDY}"
        if isinstance(document, dict) and {"content_hash", "rows", "sha256"} <= document.keys():
            reason = (
                "this is a data set of ParAIsite: use it by its folder with paraisite evaluate, or export it first "
                "(paraisite data export)"
            )
        yield Rejection(id, source, reason)
        return
    single = len(found) == 1
    for key, record in found:
        label = str(key) if isinstance(key, str) else id if single else f"{id}-{key}"
        place = source if single else f"{source}#{key}"
        yield read_record(record, label, place, disorder)


def read_jsonl(
    lines: Iterable[str], *, id: str, source: str, disorder: Disorder = "reject"
) -> Iterator[Crystal | Rejection]:
    """Yield a crystal or a rejection for each line that is not blank; lines are counted from 1 in `source`."""
    number = 0
    empty = True
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        empty = False
        label, place = f"{id}-{number - 1}", f"{source}#{number}"
        if len(line) >= MAX_FILE_BYTES:
            limit = f"line {number} is longer than {MAX_FILE_BYTES >> 20} MiB"
            yield Rejection(label, place, f"{limit} and the rest was not read; write one record to a line")
            return
        try:
            record = _loads(line)
        except (ValueError, RecursionError) as error:
            yield Rejection(label, place, f"line {number} is not readable JSON ({error}); write it again")
            continue
        yield read_record(record, label, place, disorder)
    if empty:
        yield Rejection(id, source, f"the file has no lines; {_REMEDY}")


def records(document: Any) -> list[tuple[str | int, Any]] | None:
    """Key and record of everything in a document that should be a structure, None if nothing is."""
    if isinstance(document, dict):
        if _is_structure(document) or "structure" in document:
            return [(0, document)]
        columns, data, index = (document.get(key) for key in ("columns", "data", "index"))
        if isinstance(columns, list) and isinstance(data, list) and "structure" in columns:
            keys = index if isinstance(index, list) and len(index) == len(data) else range(len(data))
            return [
                (key, dict(zip(columns, row, strict=False)) if isinstance(row, list) else row)
                for key, row in zip(keys, data, strict=True)
            ]
        items: list[tuple[str | int, Any]] = list(document.items())
    elif isinstance(document, list):
        items = list(enumerate(document))
    else:
        return None
    return items if any(isinstance(x, dict) and (_is_structure(x) or "structure" in x) for _, x in items) else None


def _is_structure(value: Any) -> bool:
    return isinstance(value, dict) and "sites" in value and "lattice" in value


def read_record(record: Any, id: str, source: str, disorder: Disorder = "reject") -> Crystal | Rejection:
    """Return the crystal of a structure, or of a record that holds one under ``structure``; an id of its own counts."""
    structure = record
    if isinstance(record, dict) and not _is_structure(record):
        structure = record.get("structure")
        id = record_id(record) or id
    if not _is_structure(structure):
        return Rejection(id, source, f"the record holds no structure with lattice and sites; {_REMEDY}")
    try:
        return _crystal(structure, id, source, disorder)
    except CrystalError as error:
        return Rejection(id, source, str(error))
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError) as error:
        return Rejection(id, source, f"not a pymatgen structure ({type(error).__name__}: {error}); {_REMEDY}")


def _crystal(structure: Mapping[str, Any], id: str, source: str, disorder: Disorder) -> Crystal:
    cell = np.array(structure["lattice"]["matrix"], dtype=float)
    check_periodic(structure["lattice"].get("pbc") or [])
    entries = structure["sites"]
    if cell.shape != (3, 3):
        raise CrystalError("lattice.matrix is not a 3 x 3 matrix; correct it")
    if not entries:
        raise CrystalError("the structure has no sites; give at least one atom")
    if len(entries) > MAX_SITES:
        raise CrystalError(f"{len(entries)} sites are more than the limit of {MAX_SITES}; give the primitive cell")
    species: list[dict[int, float]] = []
    names: list[str] = []
    for i, entry in enumerate(entries):
        names.append(f"site {i + 1} ({entry.get('label') or entry['species'][0]['element']})")
        content: dict[int, float] = {}
        for part in entry["species"]:
            if not (z := species_number(str(part["element"]))):
                raise unknown_element(names[-1], str(part["element"]))
            content[z] = content.get(z, 0.0) + float(part["occu"])
        species.append(content)
    positions = np.array([entry["abc"] for entry in entries], dtype=float)
    if positions.shape != (len(entries), 3):
        raise CrystalError("a site has not three fractional coordinates (abc); correct it")
    sites = Sites(positions, species, names)
    numbers, positions = order(sites, disorder)
    return Crystal(cell, numbers, positions, id, source, tuple(sites.notes))
