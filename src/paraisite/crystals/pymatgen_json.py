"""Structures in JSON, read without pymatgen: a document of one or many, or one a line; pymatgen's form, and others."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from paraisite.crystals.budget import check_json
from paraisite.crystals.check import MAX_SITES, check_periodic
from paraisite.crystals.crystal import Crystal
from paraisite.crystals.elements import species_number
from paraisite.crystals.files import MAX_FILE_BYTES
from paraisite.crystals.foreign_json import array, foreign_reader, listed, number, record_id
from paraisite.crystals.guard import guarded
from paraisite.crystals.isotopes import heavy_hydrogen
from paraisite.crystals.rejection import CrystalError, Rejection
from paraisite.crystals.sites import Disorder, Sites, order, unknown_element

STRUCTURE_KEYS = ("structure", "atoms", "attributes", "final_structure", "optimized_structure", "cif")
"""Keys of a record that hold its structure, the first that is present counts."""

MAX_DEPTH = 5000
"""Levels of Python's stack that a document may take, whatever a library allows (symfc sets 100,000): before that many
a nested document would end Python."""

_NESTED = 3
"""Levels of lists and dictionaries that structures are looked for in."""

_REMEDY = 'give structures as pymatgen, ASE, JARVIS or OPTIMADE write them, or records with one under "structure"'


def _loads(text: str) -> Any:
    limit = sys.getrecursionlimit()
    sys.setrecursionlimit(min(limit, MAX_DEPTH))
    try:
        return json.loads(text)
    finally:
        sys.setrecursionlimit(limit)


def read_json(
    text: str, *, id: str, source: str, disorder: Disorder = "reject", bytes_read: int | None = None
) -> Iterator[Crystal | Rejection]:
    """Yield a crystal or a rejection for each structure of a JSON document.

    The document is one structure, a list or dictionary of structures or of records with a ``structure``, a table as
    `pandas.DataFrame.to_json` writes it, the answer of an OPTIMADE provider, an ASE database in JSON form, or JSON
    Lines after all. `bytes_read` is what the text was read from, if packed.
    """
    try:
        check_json(text, len(text) if bytes_read is None else bytes_read)
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
    except CrystalError as error:
        yield Rejection(id, source, str(error))
        return
    except RecursionError:
        yield Rejection(id, source, f"not readable JSON (nested too deeply); {_REMEDY}")
        return
    except ValueError as error:
        yield Rejection(id, source, f"not readable JSON ({error}); {_REMEDY}")
        return
    if isinstance(document, dict) and "ids" in document and "nextid" in document:
        from paraisite.crystals.ase_db import read_db_json

        yield from read_db_json(document, id=id, source=source)
        return
    found = records(document)
    if not found:  # a table without rows, too
        yield Rejection(id, source, _no_structure(document))
        return
    single = len(found) == 1
    for key, record in found:
        label = str(key) if isinstance(key, str) else id if single else f"{id}-{key}"
        place = source if single else f"{source}#{key}"
        yield read_record(record, label, place, disorder)


def _no_structure(document: Any) -> str:
    if isinstance(document, dict):
        if {"content_hash", "rows", "sha256"} <= document.keys():
            return (
                "this is a dataset of ParAIsite: use it by its folder with paraisite evaluate, or export it first "
                "(paraisite data export)"
            )
        if "sites" in document:
            return "the JSON holds a molecule, sites without a lattice; give a periodic crystal"
        if errors := document.get("errors"):
            return f"the JSON is the error message of a server ({str(errors)[:80]}); repeat the request"
    return f"the JSON holds no structure; {_REMEDY}"


def read_jsonl(
    lines: Iterable[str],
    *,
    id: str,
    source: str,
    disorder: Disorder = "reject",
    bytes_read: Callable[[], int] | None = None,
) -> Iterator[Crystal | Rejection]:
    """Yield a crystal or a rejection for each line that is not blank; lines are counted from 1 in `source`.

    `bytes_read` tells how many bytes the lines were read from so far, if packed.
    """
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
            check_json(line, len(line) if bytes_read is None else bytes_read())
            record = _loads(line)
        except CrystalError as error:
            yield Rejection(label, place, str(error))
            continue
        except (ValueError, RecursionError) as error:
            detail = "nested too deeply" if isinstance(error, RecursionError) else error
            yield Rejection(label, place, f"line {number} is not readable JSON ({detail}); write it again")
            continue
        yield read_record(record, label, place, disorder)
    if empty:
        yield Rejection(id, source, f"the file has no lines; {_REMEDY}")


def records(document: Any) -> list[tuple[str | int, Any]] | None:
    """Key and record of everything in a document that should be a structure, None if nothing is."""
    if _holds_structure(document):
        return [(0, document)]
    return _records(document, _NESTED)


def _records(document: Any, levels: int) -> list[tuple[str | int, Any]] | None:
    if isinstance(document, dict):
        if (table := _table(document)) is not None:
            return table
        if _holds_structure(document.get("data")) and {"meta", "links"} & document.keys():  # one entry of OPTIMADE
            return [(0, document["data"])]
        items: list[tuple[str | int, Any]] = list(document.items())
    elif isinstance(document, list):
        items = list(enumerate(document))
    else:
        return None
    if any(_holds_structure(value) for _, value in items):
        # a row of a table has numbers beside its structure
        return items if levels == _NESTED else [(key, value) for key, value in items if isinstance(value, (dict, list))]
    if levels <= 1:
        return None
    inner = [(key, value, _records(value, levels - 1)) for key, value in items]
    found = [(key, rows) for key, _, rows in inner if rows]
    if len(found) == 1 and isinstance(document, dict):  # {"data": […], "meta": …}
        return found[0][1]
    return [(f"{key}/{k}", row) for key, rows in found for k, row in rows] or None


def _table(document: Mapping[str, Any]) -> list[tuple[str | int, Any]] | None:
    """Rows of a table as pandas writes it, by rows (``orient="split"``) or by columns; else None."""
    columns, data, index = (document.get(key) for key in ("columns", "data", "index"))
    if isinstance(columns, list) and isinstance(data, list) and set(STRUCTURE_KEYS) & set(map(str, columns)):
        keys = index if isinstance(index, list) and len(index) == len(data) else range(len(data))
        return [
            (key, dict(zip(map(str, columns), row, strict=False)) if isinstance(row, list) else row)
            for key, row in zip(keys, data, strict=True)
        ]
    for name in STRUCTURE_KEYS:
        column = document.get(name)
        if not isinstance(column, dict) or not any(_is_structure(value) for value in column.values()):
            continue
        others = {key: values for key, values in document.items() if isinstance(values, dict)}
        return [
            (int(key) if key.isdigit() and len(key) < 10 else key, {k: v[key] for k, v in others.items() if key in v})
            for key in column
        ]
    return None


def _is_structure(value: Any) -> bool:
    if isinstance(value, dict):
        return ("sites" in value and "lattice" in value) or foreign_reader(value) is not None
    if isinstance(value, str):
        return "_cell_length_a" in value or (value.lstrip()[:1] == "{" and '"sites"' in value)
    return False


def _holds_structure(value: Any) -> bool:
    """Whether a value is a structure, or a record that should have one."""
    if not isinstance(value, dict):
        return False
    if _is_structure(value):
        return True
    structure = _structure_of(value)
    # a table by columns has dictionaries of structures there
    return _is_structure(structure) or ("structure" in value and _table(value) is None)


def _structure_of(record: Mapping[str, Any]) -> Any:
    """What a record has for its structure, None if nothing."""
    found = [record[key] for key in STRUCTURE_KEYS if key in record]
    return next((value for value in found if _is_structure(value)), found[0] if found else None)


def read_record(record: Any, id: str, source: str, disorder: Disorder = "reject") -> Crystal | Rejection:
    """Return the crystal of a structure, or of a record that holds one under ``structure``; an id of its own counts."""
    structure = record
    if isinstance(record, dict):
        own = "" if "sites" in record and "lattice" in record else record_id(record)
        if not _is_structure(record):
            structure = _structure_of(record)
            inner = record.get("data")
            own = own or (record_id(inner) if isinstance(inner, dict) else "")
        id = own or id
    return guarded(id, source, _crystal, structure, id, source, disorder)


def _crystal(structure: Any, id: str, source: str, disorder: Disorder) -> Crystal | Rejection:
    if isinstance(structure, dict) and "sites" in structure and "lattice" in structure:
        return _pymatgen(structure, id, source, disorder)
    if isinstance(structure, str) and "_cell_length_a" in structure:
        from paraisite.crystals.cif import read_cif

        first, *others = read_cif(structure, id=id, source=source, disorder=disorder)
        if others:
            raise CrystalError(f"the CIF of the record holds {len(others) + 1} structures; give each a record")
        return first
    if isinstance(structure, str) and structure.lstrip()[:1] == "{":
        try:
            structure = _loads(structure)
        except (ValueError, RecursionError):
            raise CrystalError(f"the structure is a text that is not JSON; {_REMEDY}") from None
        return _crystal({} if isinstance(structure, str) else structure, id, source, disorder)
    if (reader := foreign_reader(structure)) is not None:
        return reader(structure, id, source, disorder)
    raise CrystalError(f"the record holds no structure with lattice and sites; {_REMEDY}")


def _pymatgen(structure: Mapping[str, Any], id: str, source: str, disorder: Disorder) -> Crystal:
    lattice = structure["lattice"]
    if not isinstance(lattice, dict) or "matrix" not in lattice:
        raise CrystalError("the structure's lattice has no matrix; write three vectors under lattice.matrix")
    cell = array(lattice["matrix"], (3, 3), "lattice.matrix")
    check_periodic(lattice.get("pbc") or [])
    entries = listed(structure["sites"], "sites")
    if not entries:
        raise CrystalError("the structure has no sites; give at least one atom")
    if len(entries) > MAX_SITES:
        raise CrystalError(f"{len(entries)} sites are more than the limit of {MAX_SITES}; give the primitive cell")
    species: list[dict[int, float]] = []
    names: list[str] = []
    hydrogen: list[tuple[str, str]] = []
    try:
        for i, entry in enumerate(entries, start=1):
            parts = entry["species"]
            label = entry.get("label") or (parts[0]["element"] if parts else "")
            names.append(f"site {i} ({label})" if label else f"site {i}")
            content: dict[int, float] = {}
            for part in parts:
                symbol = str(part["element"])
                if not (z := species_number(symbol)):
                    raise unknown_element(names[-1], symbol)
                if z == 1:
                    hydrogen.append((names[-1], symbol))
                content[z] = content.get(z, 0.0) + float(part["occu"])
            species.append(content)
    except CrystalError:
        raise
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError):
        raise _site_error(len(species) + 1, entries[len(species)]) from None
    positions = _positions([entry.get("abc") for entry in entries])
    heavy, mass = heavy_hydrogen(hydrogen)
    sites = Sites(positions, species, names, heavy)
    numbers, positions = order(sites, disorder)
    return Crystal(cell, numbers, positions, id, source, tuple(sites.notes), mass)


def _site_error(i: int, entry: Any) -> CrystalError:
    """Say what is wrong with a site that cannot be read."""
    parts = entry.get("species") if isinstance(entry, dict) else None
    if not isinstance(parts, list) or not all(
        isinstance(part, dict) and {"element", "occu"} <= part.keys() for part in parts
    ):
        return CrystalError(f"site {i} has no species with element and occu, as pymatgen writes them; correct it")
    for part in parts:
        try:
            number(part["occu"], f"site {i} ({part['element']})", "occupancy")
        except CrystalError as error:
            return error
    return CrystalError(f"site {i} does not have the form that pymatgen writes; correct it")


def _positions(values: list[Any]) -> np.ndarray:
    try:
        positions = np.array(values, dtype=float)
    except (TypeError, ValueError, OverflowError):
        positions = np.zeros(0)
    if positions.shape != (len(values), 3):
        raise CrystalError("a site lacks three fractional coordinates (abc); correct it")
    return positions
