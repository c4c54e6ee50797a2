"""AFLOW's search API, AFLUX: crystals with the properties of AGL and AEL, everything in the query itself.

F. Rose et al., AFLUX: The LUX materials search API for the AFLOW data repositories, Comput. Mater. Sci. 137, 362
(2017), arXiv:1612.05130. An answer is an object ``{"1 of 5664": {...}, "2 of 5664": {...}}`` where the directive
`paging` is plain, and a list of entries where it is muted (``$paging``); values are numbers and lists, in older servers
texts (``"0,0,0;0.5,0.5,0.5"``). A keyword with ``(*)`` leaves out entries without it, a bare one gives null.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

import numpy as np

from paraisite.crystals.crystal import Crystal
from paraisite.crystals.elements import NUMBERS
from paraisite.crystals.rejection import CrystalError, Rejection
from paraisite.datasets.dataset import KAPPA
from paraisite.datasets.sources.rows import (
    Labelled,
    Shortfall,
    check_elements,
    conductivity,
    crystal_or_rejection,
    number,
)
from paraisite.datasets.table import DatasetError
from paraisite.files.printable import counted
from paraisite.network.http import Client, check_address

SERVER = "https://aflow.org/API/aflux/"

CONDUCTIVITY = "agl_thermal_conductivity_300K"
PROPERTIES: Mapping[str, str] = {
    CONDUCTIVITY: KAPPA,
    "agl_debye": "debye_temperature",
    "agl_gruneisen": "gruneisen",
    "agl_heat_capacity_Cv_300K": "heat_capacity_cv_atom",
    "agl_thermal_expansion_300K": "thermal_expansion",
    "agl_vibrational_entropy_300K_atom": "vibrational_entropy_atom",
    "agl_vibrational_free_energy_300K_atom": "vibrational_free_energy_atom",
    "agl_bulk_modulus_static_300K": "bulk_modulus_static",
    "ael_bulk_modulus_vrh": "bulk_modulus_vrh",
    "ael_shear_modulus_vrh": "shear_modulus_vrh",
}
"""AFLOW's keyword of each target. All have the unit of the target but the heat capacity, which is per cell."""

STRUCTURE = ("geometry", "species", "composition", "positions_fractional")
DIRECTIVES = ("paging", "format", "catalog", "help", "schema")


def query_aflow(
    filter: str = "",
    *,
    elements: Sequence[str] = (),
    catalog: str = "ICSD",
    limit: int | None = None,
    page_size: int = 500,
    server: str | None = None,
    client: Client | None = None,
) -> Iterator[Labelled | Rejection]:
    """Yield the entries that have an AGL conductivity.

    Parameters
    ----------
    filter : str
        Further conditions in AFLUX's own language, such as ``nspecies(2),Egap(1*,*3)``.
    elements : sequence of str
        Elements that an entry must hold, all of them.
    catalog : str
        AFLOW's catalog, ``ICSD`` or ``LIB1`` to ``LIB9``; empty for all.
    limit : int, optional
        Take at most this many entries.
    page_size : int
        Entries asked for at once.
    server : str, optional
        Another address of AFLUX.
    client : Client, optional

    Yields
    ------
    Labelled or Rejection
        Ids are those of the dataset `aflow_agl`, the last part of the entry's address. If fewer entries arrive than
        were announced, the last row is a `Shortfall`.

    Raises
    ------
    SourceError
        If the server does not answer as documented.
    DatasetError
        If the query cannot be one.
    """
    client = client or Client()
    book = _matchbook(filter, check_elements(elements), catalog)
    size = page_size if limit is None else min(page_size, limit)
    address = check_address(server or SERVER).partition("?")[0]
    return _entries(client, f"{address}?{book}", size, limit)


def _entries(client: Client, address: str, size: int, limit: int | None) -> Iterator[Labelled | Rejection]:
    seen: set[str] = set()
    arrived, announced, page = 0, None, 0
    while limit is None or len(seen) < limit:
        page, before = page + 1, len(seen)  # a page that brings nothing new: the server does not page
        url = f"{address},paging({page},{size}),format(json)"
        entries, total = client.page(url, _look)
        if announced is None and total is not None:
            announced = total if limit is None else min(total, limit)
            client.expected += announced
        for i, entry in enumerate(entries, start=arrived + 1):
            name = _auid(entry) or f"entry {i}"
            if name not in seen and (limit is None or len(seen) < limit):
                seen.add(name)
                yield _row(entry, name, url)
        arrived += len(entries)
        if not entries or (arrived >= total if total is not None else len(entries) < size or len(seen) == before):
            break
    if announced is not None and len(seen) < announced:
        reason = (
            f"{len(seen)} of {announced} announced entries received, as pages of the server overlap; "
            "repeat the query with another page size"
        )
        yield Shortfall("aflow", address, reason)


def _matchbook(filter: str, elements: Sequence[str], catalog: str) -> str:
    """Return the part of a query that says what is wanted."""
    wanted = "".join(filter.split())
    if wanted.count("(") != wanted.count(")"):
        raise DatasetError(f"the filter {filter!r} has unbalanced brackets; write it like nspecies(2),Egap(1*)")
    for word in DIRECTIVES:
        if f"{word}(" in wanted:
            raise DatasetError(f"the filter {filter!r} holds {word}(...), which is not a condition; use the options")
    if catalog and not catalog.isalnum():
        raise DatasetError(f"{catalog!r} is not a catalog of AFLOW; choose ICSD or one of LIB1 to LIB9")
    parts = [f"{CONDUCTIVITY}(*)", wanted.strip(",")]
    parts += [f"species({','.join(elements)})"] if elements else []
    parts += [f"catalog({catalog})"] if catalog else []
    parts += [*STRUCTURE, *(keyword for keyword in PROPERTIES if keyword != CONDUCTIVITY)]
    return quote(",".join(part for part in parts if part), safe="(),*:'!$.")


def _look(document: Any) -> tuple[list[Any], int | None]:
    """Return the entries of a page, and how many there are in all if it says."""
    if isinstance(document, list):
        if any(not isinstance(entry, dict) for entry in document):
            raise ValueError("a list of texts and not of entries, such as AFLUX's help; correct the filter")
        return document, None
    if not isinstance(document, dict):
        raise ValueError("neither a list nor an object of entries")
    total = None
    for key in document:
        _, middle, last = key.partition(" of ")
        if not middle or not last.isdigit():
            raise ValueError(f"the key {key[:40]!r} is not like '1 of 5664'")
        total = int(last)
    return list(document.values()), total


def _auid(entry: Any) -> str:
    return str(entry.get("auid") or entry.get("aurl") or "") if isinstance(entry, dict) else ""


def _row(entry: Any, name: str, url: str) -> Labelled | Rejection:
    if not isinstance(entry, dict):
        return Rejection(name, url, "the entry is not an object of keywords; report it to AFLOW")
    aurl = str(entry.get("aurl") or "")
    last = aurl.rpartition("/")[2]
    id_ = last if "_ICSD_" in last else name.replace("aflow:", "aflow-")
    source = f"http://{aurl.replace(':', '/', 1)}" if ":" in aurl else f"{url.partition('?')[0]}#{name}"
    crystal = crystal_or_rejection(lambda: _crystal(entry, id_, source), id=id_, source=source)
    if isinstance(crystal, Rejection):
        return crystal
    targets = {}
    for keyword, target in PROPERTIES.items():
        try:
            value = number(entry.get(keyword))
            targets[target] = conductivity(value) if keyword == CONDUCTIVITY else value
        except ValueError as error:
            reason = f"{keyword}: {error}; report it to AFLOW, or narrow the filter"
            return Rejection(id_, source, reason, crystal.formula, crystal.n_sites, crystal.n_elements)
    targets["heat_capacity_cv_atom"] /= crystal.n_sites
    return Labelled(crystal, targets, {"fidelity": "AGL"})


def _crystal(entry: Mapping[str, Any], id_: str, source: str) -> Crystal:
    import gemmi

    lengths_and_angles = _numbers(entry["geometry"])
    positions = np.array([_numbers(row) for row in _list(entry["positions_fractional"], ";")], dtype=float)
    species = [str(symbol).strip() for symbol in _list(entry["species"], ",")]
    counts = _numbers(entry["composition"])
    if len(lengths_and_angles) != 6 or min(lengths_and_angles) <= 0 or max(lengths_and_angles[3:]) >= 180:
        raise CrystalError("geometry is not three lengths and three angles; report it to AFLOW")
    if len(species) != len(counts) or any(not count.is_integer() or count < 1 for count in counts):
        raise CrystalError("species and composition do not match (a disordered entry?); leave it out")
    if positions.shape != (int(sum(counts)), 3):
        raise CrystalError(
            f"{counted(len(positions), 'position')} for {counted(int(sum(counts)), 'atom')}; report it to AFLOW"
        )
    for symbol in species:
        if symbol not in NUMBERS:
            raise CrystalError(f"{symbol!r} is not a chemical element; report it to AFLOW")
    numbers = np.repeat([NUMBERS[symbol] for symbol in species], [int(count) for count in counts])
    cell = np.array(gemmi.UnitCell(*lengths_and_angles).orth.mat.tolist(), dtype=float).T
    return Crystal(cell, numbers.astype(np.int64), positions, id_, source)


def _list(value: Any, separator: str) -> list[Any]:
    """Return a list that may have been written as a text."""
    if isinstance(value, str):
        text = value.strip()
        value = json.loads(text) if text.startswith("[") else text.split(separator)
    if not isinstance(value, list):
        raise ValueError(f"{str(value)[:40]!r} is not a list")
    return value


def _numbers(value: Any) -> list[float]:
    values = [number(item) for item in _list(value, ",")]
    if not all(map(math.isfinite, values)):
        raise ValueError(f"{str(value)[:40]!r} holds something that is not a finite number")
    return values
