"""`Carried`: the numbers that structure files carry beside their crystals.

In extended XYZ these are the pairs of the second line, in an ASE database the key-value pairs (and single values under
`data`), in JSON the entries of a record beside its ``structure`` and the structure's own ``properties``.
"""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import math
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Any, cast

import numpy as np

from paraisite.crystals import files
from paraisite.crystals.ase_db import values_db
from paraisite.crystals.formats import recognise
from paraisite.crystals.origin import Origin
from paraisite.crystals.pymatgen_json import records

Values = dict[str, Any]

_OPENERS: dict[bytes, Callable[[Path], Any]] = {b"\x1f\x8b": gzip.open, b"BZh": bz2.open, b"\xfd7zXZ": lzma.open}


class Carried:
    """What files carry, by the `source` of a crystal; each file is read when its first crystal is asked for."""

    def __init__(self) -> None:
        self._path: Path | None = None
        self._values: dict[str, Values] = {}

    def of(self, source: str) -> Values:
        """Return texts and numbers that stand beside a crystal; nothing where its format carries none.

        Parameters
        ----------
        source : str
            `Crystal.source`: a file, or ``file#key``. Members of archives carry nothing.
        """
        origin = Origin.parse(source)
        if origin.inside:
            return {}
        path = Path(origin.path)
        if path != self._path:
            self._path, self._values = path, dict(_read(path)) if path.is_file() else {}
        return self._values.get(source, {})


def _read(path: Path) -> Iterator[tuple[str, Values]]:
    """Yield source and values of each crystal of a file; a file the crystals could not be read from has none."""
    source = str(path)
    with path.open("rb") as file:
        head = file.read(files.HEAD_BYTES)
    opener = next((opener for magic, opener in _OPENERS.items() if head.startswith(magic)), None)
    if opener is not None:
        with opener(path) as file:
            head = file.read(files.HEAD_BYTES)
    format = recognise(head, path.name)
    kind = format.name if format else ""
    if kind == "db":
        with suppress(sqlite3.Error):  # the crystals are rejected for it
            for row, values in values_db(path):
                yield f"{source}#{row}", _plain(values)
        return
    if kind not in ("xyz", "json", "jsonl"):
        return
    with cast("IO[bytes]", opener(path) if opener else path.open("rb")) as file:
        if kind == "xyz":
            yield from _xyz((files.to_text(line) for line in file), source)
            return
        lines: Iterable[str] = (files.to_text(line) for line in file)
        if kind == "json":
            text = "".join(lines)
            try:
                yield from _json(json.loads(text), source)
                return
            except ValueError:
                lines = text.splitlines()  # JSON Lines after all
        for number, line in enumerate(lines, start=1):
            if line.strip():
                try:
                    yield f"{source}#{number}", _record(json.loads(line))
                except ValueError:
                    continue


def _xyz(lines: Iterator[str], source: str) -> Iterator[tuple[str, Values]]:
    from ase.io.extxyz import key_val_str_to_dict

    index = 0
    for line in lines:
        if not line.strip():
            continue
        if not line.strip().isdigit():
            return
        try:
            values = _plain(key_val_str_to_dict(next(lines, "").strip()))  # type: ignore[no-untyped-call]
        except Exception:  # ASE's parser raises whatever a line happens to trip; the crystal is rejected for it
            values = {}
        if index == 0:
            yield source, values
        yield f"{source}#{index}", values
        for _ in range(int(line)):
            next(lines, None)
        index += 1


def _json(document: Any, source: str) -> Iterator[tuple[str, Values]]:
    if isinstance(document, dict) and "ids" in document and "nextid" in document:  # an ASE database in JSON form
        for key in document["ids"]:
            yield f"{source}#{key}", _plain(_mapping(_mapping(document, str(key)), "key_value_pairs"))
        return
    found = records(document) or []
    for key, record in found:
        yield source if len(found) == 1 else f"{source}#{key}", _record(record)


def _record(record: Any) -> Values:
    if not isinstance(record, dict):
        return {}
    if "sites" in record:  # the structure itself, whose other entries (its charge, …) belong to it
        return _plain(_mapping(record, "properties"))
    structure = _mapping(record, "structure")
    inner: Iterable[Mapping[str, Any]] = (
        _mapping(structure, "properties"),
        _mapping(record, "properties"),
        _mapping(record, "data"),
    )
    return {key: value for values in (*inner, record) for key, value in _plain(values).items()}


def _mapping(value: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = value.get(key)
    return found if isinstance(found, dict) else {}


def _plain(values: Mapping[str, Any]) -> Values:
    """Keep single numbers and texts."""
    kept: Values = {}
    for key, value in values.items():
        if isinstance(value, np.generic):
            value = value.item()
        if isinstance(value, (int, float, str)) and not isinstance(value, bool):
            if isinstance(value, int) and abs(value) > 10**15:
                value = math.inf
            kept[str(key)] = value
    return kept
