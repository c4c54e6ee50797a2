"""Queries to AFLOW's AFLUX, imitated on loopback with crystals made here."""

from __future__ import annotations

import itertools
import re
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # for loopback

pytest.importorskip("requests", reason="needs the extra [data]")

from loopback import Answer, Asked, aflux, agl_entries, every, serve

from paraisite.crystals import Rejection
from paraisite.datasets.sources import Client, Labelled, Shortfall, SourceError, collect, query_aflow
from paraisite.datasets.table import DatasetError
from paraisite.network.http import AddressError

ENTRIES = agl_entries(130)
API = "/API/aflux/"


def quick(pages: Path | None = None, **options: object) -> Client:
    return Client(pages, backoff=0.001, timeout=10, **options)  # type: ignore[arg-type]


def ask(url: str, **options: Any) -> list[Labelled | Rejection]:
    return list(query_aflow(server=url + API, **({"client": quick(), "page_size": 50} | options)))


def check_same(row: Labelled | Rejection, entry: dict[str, Any]) -> None:
    assert isinstance(row, Labelled), row
    crystal = row.crystal
    a, b, c, _, _, gamma = entry["geometry"]
    lengths = np.linalg.norm(crystal.cell, axis=1)
    np.testing.assert_allclose(lengths, [a, b, c], atol=1e-9)
    np.testing.assert_allclose(crystal.cell[0] @ crystal.cell[1] / (a * b), np.cos(np.radians(gamma)), atol=1e-9)
    np.testing.assert_allclose(crystal.positions, entry["positions_fractional"])
    first, second = entry["species"]
    count = entry["composition"][0]
    assert crystal.symbols == [first] * count + [second] * count
    assert crystal.id == entry["aurl"].rpartition("/")[2]
    assert crystal.source == "http://" + entry["aurl"].replace(":", "/")
    assert row.targets["kappa"] == entry["agl_thermal_conductivity_300K"]
    assert row.targets["debye_temperature"] == entry["agl_debye"]
    assert row.targets["heat_capacity_cv_atom"] == entry["agl_heat_capacity_Cv_300K"] / (2 * count)
    assert row.labels == {"fidelity": "AGL"}


def test_a_server_that_does_not_page_is_not_asked_forever() -> None:
    answer = aflux(ENTRIES, muted=True)

    def first_page(asked: Asked) -> Answer:
        return answer(replace(asked, target=re.sub(r"paging\(\d+,", "paging(1,", asked.target)))

    with serve(first_page) as server:
        assert len(ask(server.url, page_size=50)) == 50
    assert len(server.asked) == 2


@pytest.mark.parametrize("muted", [False, True], ids=["object", "list"])
def test_all_pages_arrive_with_structure_and_properties(muted: bool) -> None:
    with serve(aflux(ENTRIES, muted=muted)) as server:
        rows = ask(server.url)
    assert len(server.asked) == 3  # no file per entry
    assert len(rows) == 130
    by_id = {entry["aurl"].rpartition("/")[2]: entry for entry in ENTRIES}
    for row in rows:
        assert isinstance(row, Labelled)
        check_same(row, by_id[row.crystal.id])
    dataset = collect(rows, "here")
    assert len(dataset) == 130
    assert dataset.rejections == ()
    missing = np.isnan(dataset.targets["bulk_modulus_vrh"])
    assert 0 < missing.sum() == sum(entry["ael_bulk_modulus_vrh"] is None for entry in ENTRIES)
    assert set(dataset.provenance) == {"here"}
    assert set(dataset.labels["fidelity"]) == {"AGL"}


def test_texts_as_older_servers_write_them() -> None:
    def as_text(entry: dict[str, Any]) -> dict[str, Any]:
        return entry | {
            "geometry": ",".join(map(str, entry["geometry"])),
            "composition": ",".join(map(str, entry["composition"])),
            "species": ",".join(entry["species"]),
            "positions_fractional": ";".join(",".join(map(str, row)) for row in entry["positions_fractional"]),
            "agl_thermal_conductivity_300K": str(entry["agl_thermal_conductivity_300K"]),
            "ael_bulk_modulus_vrh": "null" if entry["ael_bulk_modulus_vrh"] is None else "61.5",
        }

    document = {f"{i} of 8": as_text(entry) for i, entry in enumerate(ENTRIES[:8], start=1)}
    document["8 of 8"] |= {"geometry": str(ENTRIES[7]["geometry"])}  # a list in a text
    with serve(lambda asked: Answer(document)) as server:
        rows = ask(server.url)
    for row, entry in zip(rows, ENTRIES[:8], strict=True):
        check_same(row, entry)


def test_query_says_what_is_wanted() -> None:
    with serve(aflux(ENTRIES)) as server:
        rows = ask(server.url, elements=["O"], filter="spacegroup_relax(216), Egap", limit=7)
        ask(server.url, catalog="LIB2")
    first = server.asked[0].target
    assert first.startswith(
        f"{API}?agl_thermal_conductivity_300K(*),spacegroup_relax(216),Egap,species(O),catalog(ICSD),"
    )
    assert "geometry,species,composition,positions_fractional" in first
    assert first.endswith("paging(1,7),format(json)")
    assert len(rows) == 7
    assert all(isinstance(row, Labelled) and 8 in row.crystal.numbers for row in rows)
    assert "catalog(LIB2)" in server.asked[-1].target


@pytest.mark.parametrize(
    "failure",
    [
        Answer("DB Fail!null"),  # as AFLOW does where its database gives up, with status 200
        Answer("<html>overloaded</html>", 503, {"Retry-After": "0"}),
        Answer("", 500),
        Answer('{"1 of 130": {"auid": "aflow:00', cut=True),
        Answer('{"1 of 130": {"auid": "aflow:00'),
    ],
    ids=["db fail", "503", "500", "hung up", "cut off"],
)
def test_what_passes_is_asked_again(failure: Answer) -> None:
    waits: list[str] = []
    with serve(every(2, failure, aflux(ENTRIES))) as server:
        rows = ask(server.url, page_size=20, client=quick(say=waits.append))
    assert len(rows) == 130
    assert len(waits) == 6
    assert all("retrying in" in line for line in waits)


def test_resumes_from_the_pages_that_came(tmp_path: Path) -> None:
    with serve(aflux(ENTRIES)) as server:
        list(itertools.islice(query_aflow(server=server.url + API, page_size=20, client=quick(tmp_path)), 50))
        before = len(server.asked)
        rows = ask(server.url, page_size=20, client=quick(tmp_path))
        assert before == 3
        assert len(server.asked) == 7
    assert len(rows) == 130
    for page in tmp_path.iterdir():
        assert page.suffix == ".json"
    damaged = next(tmp_path.iterdir())
    damaged.write_text('{"1 of')
    with pytest.raises(SourceError):  # a damaged page is asked for again, but the server is gone
        ask(server.url, page_size=20, client=quick(tmp_path, attempts=1))


def test_pages_that_overlap_are_noticed() -> None:
    def shifting(asked: Asked) -> Answer:
        """Sort differently for each page, as a database may where many values are equal."""
        page = int(asked.target.rpartition("paging(")[2].split(",")[0])
        start = [0, 30, 80][page - 1]
        return Answer({f"{i} of 130": ENTRIES[i - 1] for i in range(start + 1, start + 51)})

    with serve(shifting) as server:
        rows = ask(server.url, page_size=50)
    ids = [row.crystal.id for row in rows if isinstance(row, Labelled)]
    assert len(set(ids)) == len(ids) == 130
    assert not any(isinstance(row, Shortfall) for row in rows)

    with serve(lambda asked: shifting(Asked("GET", asked.target.replace("paging(3", "paging(2"), {}))) as server:
        rows = ask(server.url, page_size=50)
    assert sum(isinstance(row, Labelled) for row in rows) == 80
    assert isinstance(rows[-1], Shortfall)
    assert "80 of 130 announced" in rows[-1].reason


def changed(**changes: object) -> dict[str, Any]:
    return ENTRIES[0] | changes


BAD: dict[str, tuple[Any, str]] = {
    "no geometry": ({k: v for k, v in ENTRIES[0].items() if k != "geometry"}, "lacks 'geometry'"),
    "null geometry": (changed(geometry=None), "not a list"),
    "short geometry": (changed(geometry=[4, 4, 4]), "three lengths and three angles"),
    "flat": (changed(geometry=[4, 4, 4, 90, 90, 180]), "three lengths and three angles"),
    "impossible angles": (changed(geometry=[4, 4, 4, 10, 10, 170]), "cell"),
    "positions of another cell": (changed(positions_fractional=[[0, 0, 0]]), "1 position for 8 atoms"),
    "half an atom": (changed(composition=[3.5, 4.5]), "disordered"),
    "nonsense position": (changed(positions_fractional=[["a", 0, 0]] * 8), "'a' is not a number"),
    "overlap": (changed(positions_fractional=[[0, 0, 0]] * 8), "overlap"),
    "unknown element": (changed(species=["Qq", "O"]), "'Qq' is not a chemical element"),
    "kappa below zero": (changed(agl_thermal_conductivity_300K=-1.5), "must be positive"),
    "kappa a text": (changed(agl_thermal_conductivity_300K="high"), "'high' is not a number"),
    "kappa missing": (changed(agl_thermal_conductivity_300K=None), "must be positive"),
    "modulus a list": (changed(ael_bulk_modulus_vrh=[1, 2]), "ael_bulk_modulus_vrh"),
    "no object": ("Be1O1", "not an object"),
}


def test_a_bad_entry_is_a_rejection_and_stops_nothing() -> None:
    entries = [
        entry | {"auid": f"aflow:{name}"} if isinstance(entry, dict) else entry for name, (entry, _) in BAD.items()
    ]
    total = len(entries) + 1
    document = {f"{i} of {total}": entry for i, entry in enumerate([*entries, ENTRIES[1]], start=1)}
    with serve(lambda asked: Answer(document)) as server:
        rows = ask(server.url)
    assert len(rows) == total
    for row, (name, (_, reason)) in zip(rows, BAD.items(), strict=False):
        assert isinstance(row, Rejection), name
        assert reason in row.reason, (name, row.reason)
    check_same(rows[-1], ENTRIES[1])


UNEXPECTED: dict[str, tuple[Answer, str]] = {
    "a page for people": (Answer("<html>AFLOW is moving house</html>"), "received HTML"),
    "the help": (Answer(["       Welcome to Aflux"]), "such as AFLUX's help"),
    "other keys": (Answer({"error": "unknown keyword"}), "the key 'error'"),
    "a number": (Answer("5"), "neither a list nor an object"),
    "never well": (Answer("DB Fail!null"), "(2 times)"),
    "404": (Answer("gone", 404), "HTTP 404 'gone'"),
}


@pytest.mark.parametrize("kind", UNEXPECTED)
def test_unexpected_answers_say_what_was_asked_what_came_and_what_to_do(kind: str) -> None:
    answer, reason = UNEXPECTED[kind]
    with serve(lambda asked: answer) as server, pytest.raises(SourceError) as caught:
        ask(server.url, client=quick(attempts=2))
    message = str(caught.value)
    assert message.startswith(f"request: {server.url}{API}?agl_thermal_conductivity_300K(*)")
    assert "response: " in message
    assert reason in message


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"filter": "Egap(1*"}, "unbalanced brackets"),
        ({"filter": "Egap(1*),$paging(0)"}, "use the options"),
        ({"filter": "format(html)"}, "use the options"),
        ({"catalog": "ICSD),paging(1,1"}, "not a catalog of AFLOW"),
        ({"elements": ["Silicon"]}, "not the symbol of an element"),
        ({"server": "file:///etc/passwd"}, "begins with https"),
    ],
)
def test_what_cannot_be_a_query_is_refused_before_anything_is_asked(options: dict[str, Any], reason: str) -> None:
    with pytest.raises((DatasetError, AddressError), match=reason):
        query_aflow(**options)


def test_no_crystal_is_an_error_that_says_why() -> None:
    with serve(aflux([])) as server, pytest.raises(DatasetError, match="No entry matches"):
        collect(ask(server.url), "none")
    answer: Callable[[Asked], Answer] = lambda asked: Answer({"1 of 1": changed(species=["Qq", "O"])})  # noqa: E731
    with serve(answer) as server, pytest.raises(DatasetError, match="'Qq' is not a chemical element"):
        collect(ask(server.url), "none")
