"""Structures from the Materials Project, through its own client `mp-api`."""

from __future__ import annotations

import json
import os
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any
from urllib.parse import urlsplit

from paraisite.crystals.crystal import Crystal
from paraisite.crystals.pymatgen_json import read_record
from paraisite.crystals.rejection import Rejection
from paraisite.datasets.sources.rows import check_elements, crystal_or_rejection
from paraisite.datasets.table import DatasetError
from paraisite.network.http import Client, SourceError, check_address, shorten

KEY = "MP_API_KEY"
ENDPOINT = "https://api.materialsproject.org/"
PAGE = "https://next-gen.materialsproject.org/materials"
WHERE = "https://next-gen.materialsproject.org/api"
LOOPBACK = ("localhost", "127.0.0.1", "::1")


def api_key() -> str:
    """Return the user's key from the environment; it is never written anywhere.

    Raises
    ------
    DatasetError
        If there is none, or it cannot be one.
    """
    key = os.environ.get(KEY, "").strip()
    if not key:
        raise DatasetError(
            f"the Materials Project requires an API key: get one at {WHERE} and set {KEY} in the environment"
        )
    if len(key) != 32 or not key.isascii() or not key.isalnum():
        raise DatasetError(f"{KEY} is set, but not to a key of 32 letters and digits; copy it again from {WHERE}")
    return key


def query_mp(
    *,
    formula: Sequence[str] = (),
    chemsys: Sequence[str] = (),
    elements: Sequence[str] = (),
    ids: Sequence[str] = (),
    stable: bool = False,
    max_above_hull: float | None = None,
    max_sites: int | None = None,
    gnome: bool = False,
    limit: int | None = None,
    page_size: int = 500,
    endpoint: str | None = None,
    client: Client | None = None,
) -> Iterator[Crystal | Rejection]:
    """Yield the structures of the Materials Project that meet all conditions.

    Parameters
    ----------
    formula, chemsys : sequence of str
        Formulas, plain (``MgO``) or anonymous (``ABC``), and chemical systems (``Li-Fe-O``): any of them.
    elements : sequence of str
        Elements that a material must hold, all of them.
    ids : sequence of str
        Material ids, such as ``mp-149``.
    stable : bool
        Only what lies on the convex hull.
    max_above_hull : float, optional
        Highest energy above the hull, in eV/atom.
    max_sites : int, optional
        Largest number of sites.
    gnome : bool
        Take the GNoME set too, whose licence (CC BY-NC) excludes commercial use.
    limit : int, optional
        Take at most this many materials.
    page_size : int
        Materials asked for at once, at most 1000.
    endpoint : str, optional
        Address of the API; by default the Materials Project's (or MP_API_ENDPOINT, as in `mp-api`).
    client : Client, optional

    Raises
    ------
    SourceError
        If the server does not answer as documented, or refuses the key.
    DatasetError
        If there is no key, or the query cannot be one.
    """
    client = client or Client()
    key = api_key()
    address = check_address(endpoint or os.environ.get("MP_API_ENDPOINT") or ENDPOINT).rstrip("/") + "/"
    parts = urlsplit(address)
    if parts.scheme != "https" and parts.hostname not in LOOPBACK:
        raise DatasetError(f"{address}: the key would travel unencrypted; give an address that begins with https://")
    hull = None if max_above_hull is None else (0.0, max_above_hull)
    criteria: dict[str, Any] = {
        "formula": list(formula) or None,
        "chemsys": list(chemsys) or None,
        "elements": list(check_elements(elements)) or None,
        "material_ids": list(ids) or None,
        "is_stable": True if stable else None,
        "energy_above_hull": hull,
        "num_sites": None if max_sites is None else (1, max_sites),
        "include_gnome": gnome,
        "deprecated": False,
    }
    size = min(page_size, 1000, limit or 1000)
    return _materials(client, key, address, {k: v for k, v in criteria.items() if v is not None}, size, limit)


def _materials(
    client: Client, key: str, address: str, criteria: Mapping[str, Any], size: int, limit: int | None
) -> Iterator[Crystal | Rejection]:
    rester: Any = None

    def fetch(page: int) -> Any:
        nonlocal rester
        rester = rester or _rester(client, key, address)
        paging: dict[str, Any] = {"num_chunks": 1, "chunk_size": size, "_page": page, "_sort_fields": "material_id"}
        return rester.search(**criteria, fields=["material_id", "structure"], **paging)

    asked = f"{address}materials/summary/ {json.dumps(criteria)}"
    arrived = page = 0
    while limit is None or arrived < limit:
        page += 1
        try:
            records = client.keep(f"{asked} page {page} of {size}", partial(fetch, page))
        except SourceError:
            raise
        except Exception as error:  # the client lets through whatever its parts raise
            raise _explain(f"{asked}, page {page}", error, key) from None
        if not isinstance(records, list):
            raise SourceError(asked, shorten(str(records)), "update mp-api, or report it")
        for record in records[: None if limit is None else limit - arrived]:
            yield _row(record, arrived + 1)
            arrived += 1
        if len(records) < size:
            return


def _rester(client: Client, key: str, address: str) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from mp_api.client import MPRester
    except ImportError:
        raise DatasetError("the Materials Project needs the package mp-api: pip install 'paraisite[data]'") from None
    session = client.session.fresh()
    session.headers["x-api-key"] = key  # left behind on a redirect to another host
    options: dict[str, Any] = {"use_document_model": False, "mute_progress_bars": True}
    return MPRester(key, endpoint=address, session=session, **options).materials.summary


def _explain(asked: str, error: Exception, key: str) -> SourceError:
    """Say what a failure of the client means, without the key."""
    text = str(error).replace(key, "[key]")
    status = re.search(r"status code (\d{3})", text)
    if status and status[1] in ("401", "403"):
        came = f"HTTP {status[1]}"
        return SourceError(asked, came, f"the key in {KEY} is not accepted; copy it again from {WHERE}")
    if re.search(r"Connection|Max retries|resolve|timed out", f"{type(error).__name__}: {text}") and not status:
        host = urlsplit(asked.split()[0]).hostname
        return SourceError(asked, f"no connection to {host} ({type(error).__name__})", "check the network")
    said = text.partition("with message:")[2] or text  # the client puts the whole address before it
    came = f"{f'HTTP {status[1]}' if status else type(error).__name__}: {shorten(said)}"
    return SourceError(asked, came, "correct the conditions, update mp-api, or try again later")


def _row(record: Any, place: int) -> Crystal | Rejection:
    id_ = str(record.get("material_id") or f"material {place}") if isinstance(record, dict) else f"material {place}"
    source = f"{PAGE}/{id_}"
    row = read_record(record, id_, source)
    return row if isinstance(row, Rejection) else crystal_or_rejection(lambda: row, id=id_, source=source)
