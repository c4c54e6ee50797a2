"""`find_structures`: the crystals of some rows of a table of predictions, read again from where they came."""

from __future__ import annotations

import itertools
import os
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from pyarrow import parquet

from paraisite.crystals import Crystal
from paraisite.crystals.origin import Origin
from paraisite.crystals.read import read_member
from paraisite.crystals.write_cif import cif_text
from paraisite.files.arrow import as_text
from paraisite.files.names import each_once, file_name
from paraisite.files.writing import write_text
from paraisite.graphs.store import StoreError, open_store
from paraisite.prediction.write import RELAXED_CIF
from paraisite.screening import raw as raws
from paraisite.screening.raw import Raw, Stored
from paraisite.screening.sources import Files

MOST_ENTRIES = 200_000
"""Files and folders below a folder that a table names, which are looked through."""

LONGEST = 4096
"""Characters of a path."""


class Wanted(NamedTuple):
    """What a row says of its crystal."""

    id: str
    source: str
    formula: str
    n_sites: int


def find_structures(
    rows: Sequence[Mapping[str, Any]], places: Iterable[str] = (), noted: Iterable[str] = ()
) -> list[Crystal | None]:
    """Read the crystals of rows, from their sources and then from other places.

    Parameters
    ----------
    rows : sequence of mapping
        With `id`, `source`, `formula` and `n_sites`; the relaxed crystal of `relaxed_cif` comes before its source.
    places : iterable of str
        Files, folders, archives and graph stores, where the crystals that are not found at their source are looked for
        by their id.
    noted : iterable of str
        More such places, which only the table names: folders of more than `MOST_ENTRIES` entries are left out,
        for a table may come from anywhere, and say ``/``.

    Returns
    -------
    list of Crystal or None
        One for each row; None where no crystal of the same formula and number of sites was found.
    """
    wanted = [Wanted(r["id"], r["source"], r["formula"], r["n_sites"]) for r in rows]
    found: dict[Wanted, Crystal] = {}
    for w, row in zip(wanted, rows, strict=True):
        text = row.get(RELAXED_CIF)
        for item in read_member("relaxed.cif", text.encode(), w.source) if text else ():
            if isinstance(item, Crystal) and (item.formula, item.n_sites) == (w.formula, w.n_sites):
                found[w] = replace(item, id=w.id, source=w.source)
    elsewhere = [w for w in wanted if w not in found]
    for path, some in _by_file(elsewhere).items():
        if os.path.isfile(path):  # never a folder: a crystal is in one of its files, and its name may be /
            _look(path, some, found, by_source=True)
    for place in itertools.chain(places, filter(_is_small, map(_path, noted))):
        missing = [w for w in wanted if w not in found]
        if missing and os.path.exists(place):
            _look(place, missing, found, by_source=False)
    return [found.get(w) for w in wanted]


def write_cifs(crystals: Sequence[Crystal | None], folder: Path) -> list[str]:
    """Write each crystal to a CIF called by its id; return the names of the files, empty where there is no crystal."""
    folder.mkdir(parents=True, exist_ok=True)
    there = [crystal for crystal in crystals if crystal is not None]
    stems = iter(each_once(file_name(crystal.id, kept="+=") for crystal in there))
    names = ["" if crystal is None else f"{next(stems)}.cif" for crystal in crystals]
    for crystal, name in zip(there, filter(None, names), strict=True):
        write_text(folder / name, cif_text(crystal, crystal.id or "crystal"))
    return names


def _by_file(wanted: Iterable[Wanted]) -> dict[str, list[Wanted]]:
    """File of each source: what stands before the member of an archive or the number of a structure."""
    files: dict[str, list[Wanted]] = defaultdict(list)
    for w in wanted:
        source = w.source[:LONGEST]
        path = Origin.parse(source).path
        files[path if os.path.exists(path) else Origin.parse(_path(source)).path].append(w)
    return files


def _path(source: str) -> str:
    """The path that a table writes with backslash escapes for bytes that are no UTF-8 (see `arrow.texts`)."""
    if os.path.exists(source):
        return source
    return re.sub(r"\\udc([89a-f][0-9a-f])", lambda match: chr(0xDC00 + int(match[1], 16)), source)


def _is_small(place: str) -> bool:
    """Whether a place is a file, or a folder of at most `MOST_ENTRIES` entries, however deep."""
    entries = 0
    for _, folders, files in os.walk(place, followlinks=True):
        entries += len(folders) + len(files)
        if entries > MOST_ENTRIES:
            return False
    return os.path.isfile(place) or os.path.isdir(place)


def _look(place: str, wanted: Sequence[Wanted], found: dict[Wanted, Crystal], *, by_source: bool) -> None:
    """Add the crystals of a place to those found; anything that cannot be read is passed over."""
    left = list(dict.fromkeys(wanted))
    try:
        for raw in Files((place,)).raw():
            if isinstance(raw, Stored):
                items = _of_store(raw, left)
            elif _may_hold(raw, left, by_source):
                items = raws.crystals(raw, "majority")  # an ordered crystal is read the same
            else:
                continue
            for item in items:
                match = next((w for w in left if isinstance(item, Crystal) and _is(item, w, by_source)), None)
                if match is not None:
                    found[match] = item
                    left.remove(match)
            if not left:
                return
    except (StoreError, OSError):
        return


def _of_store(raw: Stored, wanted: Sequence[Wanted]) -> Iterable[Any]:
    ids = parquet.ParquetFile(raw.store).read_row_group(raw.group, columns=["id"]).column("id").to_pylist()
    names = {w.id for w in wanted}
    rows = [row for row, id in enumerate(ids) if id in names]
    if not rows:
        return []
    stored = open_store(raw.store).read(raw.group)
    return [stored.item(row) for row in rows]


def _may_hold(raw: Raw, wanted: Sequence[Wanted], by_source: bool) -> bool:
    """Whether an input can hold a wanted crystal, by its name: nothing is parsed in vain."""
    if isinstance(raw, raws.File | raws.Zipped | raws.Unpacked):
        named = raw.rejection("")
        if by_source:
            source = as_text(named.source)
            return any(w.source == source or w.source.startswith(f"{source}#") for w in wanted)
        return any(w.id.startswith(as_text(named.id)) for w in wanted)
    return isinstance(raw, Crystal)


def _is(crystal: Crystal, wanted: Wanted, by_source: bool) -> bool:
    if as_text(crystal.source) != wanted.source if by_source else as_text(crystal.id) != wanted.id:
        return False
    return crystal.n_sites == wanted.n_sites and crystal.formula == wanted.formula
