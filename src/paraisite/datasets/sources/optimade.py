"""Structures from providers of OPTIMADE, the common interface of materials databases.

C. W. Andersen et al., OPTIMADE, an API for exchanging materials data, Sci. Data 8, 217 (2021); specification 1.2,
https://specification.optimade.org. The paging is our own: the client of optimade-python-tools 1.5 gives a provider up,
pages and all, at the first answer of status 5xx, and keeps nothing for a later run.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlencode, urljoin, urlsplit

import numpy as np

from paraisite.crystals.check import MAX_SITES
from paraisite.crystals.crystal import Crystal
from paraisite.crystals.elements import species_number
from paraisite.crystals.rejection import CrystalError, Rejection
from paraisite.crystals.sites import Disorder, Sites, order, unknown_element
from paraisite.datasets.sources.rows import Shortfall, check_elements, crystal_or_rejection
from paraisite.datasets.table import DatasetError
from paraisite.files.printable import counted
from paraisite.network.http import Client, SourceError, check_address, shorten

DASHBOARD = "https://www.optimade.org/providers-dashboard/"
FIELDS = "lattice_vectors,cartesian_site_positions,species,species_at_sites,dimension_types,structure_features"

Page = tuple[list[Any], str | None, int | None]


def query_optimade(
    filter: str = "",
    providers: Sequence[str] = (),
    *,
    elements: Sequence[str] = (),
    limit: int | None = None,
    page_size: int = 100,
    disorder: Disorder = "reject",
    client: Client | None = None,
) -> Iterator[Crystal | Rejection]:
    """Yield the structures of one or more providers, one provider after the other.

    Parameters
    ----------
    filter : str
        Condition in OPTIMADE's language, such as ``nelements=2 AND elements HAS "Mg"``.
    providers : sequence of str
        Base addresses, with or without the version: ``https://optimade.materialsproject.org``.
    elements : sequence of str
        Elements that a structure must hold, all of them.
    limit : int, optional
        Take at most this many entries from each provider.
    page_size : int
        Entries asked for at once; a provider may send fewer.
    disorder : {"reject", "majority"}
        As in `paraisite.crystals.read`.
    client : Client, optional

    Yields
    ------
    Crystal or Rejection
        A provider that fails, or sends fewer entries than it announced, adds a `Shortfall`; what came from it and
        from the others is kept.

    Raises
    ------
    SourceError
        If there is one provider only, and it fails before anything came.
    DatasetError
        If the query cannot be one.
    """
    client = client or Client()
    if not providers:
        raise DatasetError("no provider is named; give its address, such as https://optimade.materialsproject.org")
    addresses = list(dict.fromkeys(base_address(provider) for provider in providers))
    if elements:
        quoted = ",".join(f'"{symbol}"' for symbol in check_elements(elements))
        filter = f"({filter}) AND elements HAS ALL {quoted}" if filter.strip() else f"elements HAS ALL {quoted}"
    return _all(client, addresses, filter, limit, page_size, disorder)


def base_address(provider: str) -> str:
    """Return the address of a provider with its version, ``.../v1``.

    Raises
    ------
    DatasetError
        If it is not an address of a provider.
    """
    if "://" not in provider:
        raise DatasetError(
            f"{shorten(provider)!r} is not an address, such as https://optimade.materialsproject.org; the providers "
            f"and their addresses: {DASHBOARD}"
        )
    address = check_address(provider.strip()).rstrip("/")
    if "?" in address or "#" in address:
        raise DatasetError(f"{shorten(address)!r} is more than a provider's address; leave out what follows the ? or #")
    address = address.removesuffix("/structures")
    last = address.rpartition("/")[2]
    return address if last.startswith("v") and last[1:2].isdigit() else f"{address}/v1"


def _all(
    client: Client, addresses: list[str], filter: str, limit: int | None, page_size: int, disorder: Disorder
) -> Iterator[Crystal | Rejection]:
    for address in addresses:
        arrived = 0
        try:
            for row in _one(client, address, filter, limit, page_size, disorder):
                arrived += 1
                yield row
        except SourceError as error:
            if len(addresses) == 1 and not arrived:
                raise
            reason = f"the provider failed (entries received: {arrived}). {error}"
            yield Shortfall(urlsplit(address).hostname or "", address, reason)


def _one(
    client: Client, address: str, filter: str, limit: int | None, page_size: int, disorder: Disorder
) -> Iterator[Crystal | Rejection]:
    size = page_size if limit is None else min(page_size, limit)
    asked: dict[str, str | int] = {"filter": filter} if filter.strip() else {}
    asked |= {"response_fields": FIELDS, "page_limit": size}
    url: str | None = f"{address}/structures?{urlencode(asked)}"
    visited: set[str] = set()
    seen: set[str] = set()
    announced = None
    while url is not None and (limit is None or len(seen) < limit):
        if url in visited:
            raise SourceError(url, "a link back to this page as the next one", "report it to the provider")
        visited.add(url)
        try:
            entries, following, total = client.page(url, _look)
        except SourceError as error:
            # the specification lets a provider refuse a page longer than it likes; then it may choose
            if "page_limit" not in error.came or asked.pop("page_limit", None) is None:
                raise
            url = f"{address}/structures?{urlencode(asked)}"
            continue
        if announced is None and total is not None:
            announced = total if limit is None else min(total, limit)
            client.expected += announced
        for entry in entries:
            name = str(entry.get("id", "")) if isinstance(entry, dict) else ""
            name = name or f"entry {len(seen) + 1}"
            if name not in seen and (limit is None or len(seen) < limit):
                seen.add(name)
                yield _row(entry, name, f"{address}/structures/{name}", disorder)
        url = None if following is None else _next(url, following)
    if announced is not None and len(seen) < announced:
        reason = f"{len(seen)} of {announced} announced entries received; repeat the query"
        yield Shortfall(urlsplit(address).hostname or "", address, reason)


def _look(document: Any) -> Page:
    """Return the entries of a page, the link to the next one, and how many entries there are in all if it says."""
    if not isinstance(document, dict):
        raise ValueError("not an object")
    if errors := document.get("errors"):
        detail = [str(error.get("detail") or error.get("title")) for error in errors if isinstance(error, dict)]
        raise ValueError(f"the provider reports {shorten('; '.join(detail) or str(errors))}")
    entries = document.get("data")
    if not isinstance(entries, list):
        raise ValueError("there is no list of entries under 'data'")
    links, meta = document.get("links") or {}, document.get("meta") or {}
    following = links.get("next") if isinstance(links, dict) else None
    if isinstance(following, dict):
        following = following.get("href")
    if following is not None and not isinstance(following, str):
        raise ValueError("links.next is not an address")
    total = meta.get("data_returned") if isinstance(meta, dict) else None
    return entries, following or None, total if isinstance(total, int) and not isinstance(total, bool) else None


def _next(url: str, following: str) -> str:
    """Return the address of the next page, which must be on the same host."""
    here, there = urlsplit(url), urlsplit(urljoin(url, following))
    if there.hostname != here.hostname or there.scheme not in ("http", "https"):
        came = f"{shorten(following)!r} as the address of the next page"
        raise SourceError(url, came, "it is on another host and is not followed; name that host with its own address")
    if here.scheme == "https":  # behind a proxy, servers often take themselves for http
        there = there._replace(scheme="https", netloc=here.netloc if there.scheme == "http" else there.netloc)
    return there.geturl()


def _row(entry: Any, name: str, source: str, disorder: Disorder) -> Crystal | Rejection:
    attributes = entry.get("attributes") if isinstance(entry, dict) else None
    if not isinstance(attributes, dict):
        return Rejection(name, source, "the entry has no attributes; report it to the provider")
    return crystal_or_rejection(lambda: _crystal(attributes, name, source, disorder), id=name, source=source)


def _crystal(attributes: Mapping[str, Any], name: str, source: str, disorder: Disorder) -> Crystal:
    missing = [key for key in FIELDS.split(",")[:4] if attributes.get(key) is None]
    if missing:
        raise CrystalError(f"the entry lacks {', '.join(missing)}; leave it out")
    dimensions = attributes.get("dimension_types")
    if dimensions is not None and dimensions != [1, 1, 1]:
        raise CrystalError(f"not periodic in all three directions (dimension_types {dimensions}); leave it out")
    if {"implicit_atoms", "site_attachments", "assemblies"} & set(attributes.get("structure_features") or []):
        features = ", ".join(attributes["structure_features"])
        raise CrystalError(f"its sites are incomplete (structure_features {features}); leave it out")
    cell = np.array(attributes["lattice_vectors"], dtype=float)
    cartesian = np.array(attributes["cartesian_site_positions"], dtype=float)
    at_sites = attributes["species_at_sites"]
    if cell.shape != (3, 3) or not np.isfinite(cell).all() or abs(np.linalg.det(cell)) < 1e-9:
        raise CrystalError("lattice_vectors do not span a cell; report it to the provider")
    if cartesian.shape != (len(at_sites), 3):
        raise CrystalError(
            f"{counted(len(cartesian), 'position')} for {counted(len(at_sites), 'site')}; report it to the provider"
        )
    if len(at_sites) > MAX_SITES:
        raise CrystalError(f"{len(at_sites)} sites are more than the limit of {MAX_SITES}; leave it out")
    known = {species["name"]: species for species in attributes["species"]}
    names = [f"site {i} ({label})" for i, label in enumerate(at_sites, start=1)]
    content = [_content(known[label], site) for label, site in zip(at_sites, names, strict=True)]
    sites = Sites(np.linalg.solve(cell.T, cartesian.T).T, content, names)
    numbers, positions = order(sites, disorder)
    return Crystal(cell, numbers, positions, name, source, tuple(sites.notes))


def _content(species: Mapping[str, Any], site: str) -> dict[int, float]:
    """Return atomic number -> occupancy of a site."""
    content: dict[int, float] = {}
    for symbol, share in zip(species["chemical_symbols"], species["concentration"], strict=True):
        if symbol == "vacancy":
            continue
        if not (z := species_number(symbol)):
            raise unknown_element(site, symbol)
        if not math.isfinite(share := float(share)):
            raise CrystalError(f"{site} has no occupancy; report it to the provider")
        content[z] = content.get(z, 0.0) + share
    if species.get("attached"):
        raise CrystalError(f"{site} stands for a group of atoms; leave it out")
    return content
