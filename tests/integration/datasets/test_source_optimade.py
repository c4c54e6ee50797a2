"""Queries to OPTIMADE: the reference server on loopback, and answers that no server should give."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # for loopback, optimade_server

pytest.importorskip("optimade.server.create_app", reason="needs the extra [dev]: optimade[server]")

from loopback import Answer, Asked, serve
from optimade_server import made_up_crystals, optimade_server

from paraisite.crystals import Crystal, Rejection
from paraisite.datasets.sources import Client, Shortfall, SourceError, query_optimade
from paraisite.datasets.table import DatasetError
from paraisite.network.http import AddressError

CRYSTALS = made_up_crystals(500)


@pytest.fixture(scope="module")
def flaky() -> Iterator[str]:
    """A server with 500 crystals that fails on every fifth request."""
    with optimade_server(CRYSTALS, fail_every=5) as (url, _):
        yield url


def quick(pages: Path | None = None, **options: object) -> Client:
    return Client(pages, backoff=0.001, timeout=10, **options)  # type: ignore[arg-type]


def check_same(row: Crystal | Rejection, crystal: Crystal) -> None:
    assert isinstance(row, Crystal), row
    assert row.id == crystal.id
    np.testing.assert_allclose(row.cell, crystal.cell, atol=1e-9)
    np.testing.assert_array_equal(row.numbers, crystal.numbers)
    np.testing.assert_allclose(row.positions, crystal.positions, atol=1e-9)


def test_all_500_arrive_though_every_fifth_request_fails(flaky: str) -> None:
    waits: list[str] = []
    client = quick(say=waits.append)
    rows = list(query_optimade("", [flaky], page_size=20, client=client))
    assert len(rows) == client.expected == 500
    for row, crystal in zip(rows, CRYSTALS, strict=True):
        check_same(row, crystal)
    assert rows[7].source == f"{flaky}/v1/structures/c0007"
    assert len(waits) >= 5
    assert {"503", "429", "500"} <= {word for line in waits for word in line.split()}
    assert any("IncompleteRead" in line or "Connection" in line or "ended" in line for line in waits), waits


def test_filter_elements_and_limit(flaky: str) -> None:
    found = {row.id for row in query_optimade("nelements=2", [flaky], elements=["Mg", "O"], client=quick())}
    assert found == {c.id for c in CRYSTALS if set(c.numbers.tolist()) == {8, 12}}
    assert found
    some = list(query_optimade("", [f"{flaky}/v1/"], limit=33, page_size=20, client=quick()))
    assert [row.id for row in some] == [c.id for c in CRYSTALS[:33]]


def test_one_of_two_providers_fails() -> None:
    def broken(asked: Asked) -> Answer:
        return Answer({"errors": [{"detail": "the disk is full"}]}, 500)

    with optimade_server(CRYSTALS[:30]) as (good, _), serve(broken) as bad:
        for order in ([good, bad.url], [bad.url, good]):
            rows = list(query_optimade("", order, client=quick(attempts=3)))
            assert sum(isinstance(row, Crystal) for row in rows) == 30
            (failure,) = [row for row in rows if isinstance(row, Shortfall)]
            assert failure.source == f"{bad.url}/v1"
            assert "the disk is full" in failure.reason
            assert "(3 times)" in failure.reason
            assert "try again later" in failure.reason
        assert len(bad.asked) == 6
        with pytest.raises(SourceError, match="the disk is full"):
            list(query_optimade("", [bad.url], client=quick(attempts=2)))


def test_resumes_after_an_interruption(tmp_path: Path) -> None:
    with optimade_server(CRYSTALS[:100]) as (url, server):
        rows = query_optimade("", [url], page_size=20, client=quick(tmp_path))
        list(itertools.islice(rows, 50))  # ... and the process ends in the third page
        assert server.count == 3
        again = list(query_optimade("", [url], page_size=20, client=quick(tmp_path)))
        assert server.count == 5
    assert [row.id for row in again] == [c.id for c in CRYSTALS[:100]]
    # nothing is asked any more, the server is gone
    assert len(list(query_optimade("", [url], page_size=20, client=quick(tmp_path)))) == 100


def structure(**changes: object) -> dict[str, object]:
    good = {
        "lattice_vectors": [[4.2, 0, 0], [0, 4.2, 0], [0, 0, 4.2]],
        "cartesian_site_positions": [[0, 0, 0], [2.1, 2.1, 2.1]],
        "species": [
            {"name": "Mg", "chemical_symbols": ["Mg"], "concentration": [1.0]},
            {"name": "O", "chemical_symbols": ["O"], "concentration": [1.0]},
        ],
        "species_at_sites": ["Mg", "O"],
        "dimension_types": [1, 1, 1],
        "structure_features": [],
    }
    return good | changes


BAD = {
    "disordered": (
        {"species": [{"name": "Mg", "chemical_symbols": ["Mg", "Ca"], "concentration": [0.5, 0.5]},
                     {"name": "O", "chemical_symbols": ["O"], "concentration": [1.0]}]},
        r"site 1 \(Mg\) is disordered",
    ),
    "unknown": (
        {"species": [{"name": "Mg", "chemical_symbols": ["X"], "concentration": [1.0]},
                     {"name": "O", "chemical_symbols": ["O"], "concentration": [1.0]}]},
        "'X', which is not a chemical element",
    ),
    "slab": ({"dimension_types": [1, 1, 0]}, "not periodic in all three"),
    "no-positions": ({"cartesian_site_positions": None}, "lacks cartesian_site_positions"),
    "flat": ({"lattice_vectors": [[1, 0, 0], [2, 0, 0], [0, 0, 1]]}, "not span a cell"),
    "half-null": ({"lattice_vectors": [[4.2, 0, None], [0, 4.2, 0], [0, 0, 4.2]]}, "not span a cell"),
    "overlap": ({"cartesian_site_positions": [[0, 0, 0], [0.1, 0, 0]]}, "overlap"),
    "few": ({"cartesian_site_positions": [[0, 0, 0]]}, "1 position for 2 sites"),
    "no-species": ({"species": []}, "lacks 'Mg'"),
    "text": ({"species": "MgO"}, "not as documented"),
    "molecules": ({"structure_features": ["site_attachments"]}, "incomplete"),
}  # fmt: skip


def test_a_bad_entry_is_a_rejection_and_stops_nothing() -> None:
    data: list[object] = [{"id": name, "attributes": structure(**changes)} for name, (changes, _) in BAD.items()]
    data += [{"id": "good", "attributes": structure()}, "not even an object", {"id": "bare"}]
    with serve(lambda asked: Answer({"data": data, "links": {"next": None}, "meta": {}})) as server:
        rows = list(query_optimade("", [server.url], client=quick()))
    assert len(rows) == len(data)
    by_id = {row.id: row for row in rows}
    for name, (_, reason) in BAD.items():
        row = by_id[name]
        assert isinstance(row, Rejection)
        assert pytest.importorskip("re").search(reason, row.reason), (name, row.reason)
    assert isinstance(by_id["good"], Crystal)
    assert "no attributes" in by_id["bare"].reason  # type: ignore[union-attr]


def test_disorder_is_resolved_where_asked() -> None:
    species = [
        {"name": "Mg", "chemical_symbols": ["Mg", "vacancy"], "concentration": [0.9, 0.1]},
        {"name": "O", "chemical_symbols": ["O"], "concentration": [1.0]},
    ]
    data = [{"id": "x", "attributes": structure(species=species)}]
    with serve(lambda asked: Answer({"data": data})) as server:
        (row,) = query_optimade("", [server.url], disorder="majority", client=quick())
    assert isinstance(row, Crystal)
    assert row.numbers.tolist() == [12, 8]
    assert "read as Mg" in row.notes[0]


UNEXPECTED = {
    "a page for people": (Answer("<!DOCTYPE html><html><b>Welcome\x1b[31m</b></html>"), "received HTML"),
    "cut off": (Answer('{"data": [{"id": "a", "attr'), "truncated or damaged"),
    "empty": (Answer(""), "truncated or damaged"),
    "no data": (Answer({"meta": {}}), "no list of entries under 'data'"),
    "data of another kind": (Answer({"data": {"id": "a"}}), "no list of entries under 'data'"),
    "a list": (Answer([1, 2]), "not an object"),
    "an error in 200": (Answer({"errors": [{"detail": "bad filter"}]}), "the provider reports bad filter"),
    "a link that is none": (Answer({"data": [], "links": {"next": 5}}), "links.next is not an address"),
    "another host": (Answer({"data": [], "links": {"next": "http://10.0.0.1/secret"}}), "another host"),
    "a file": (Answer({"data": [], "links": {"next": "file:///etc/passwd"}}), "not followed"),
    "400": (Answer({"errors": [{"detail": "cannot parse nelementz"}]}, 400), "cannot parse nelementz"),
    "404": (Answer("nothing here", 404), "nothing here"),
    "redirects without end": (Answer(status=302, headers={"Location": "/v1/structures"}), "more than 4 redirects"),
    "redirect to a file": (Answer(status=302, headers={"Location": "file:///etc/passwd"}), "begins with https"),
    "a long wait": (Answer(status=429, headers={"Retry-After": "86400"}), "delay of 86400 s"),
}


@pytest.mark.parametrize("kind", UNEXPECTED)
def test_unexpected_answers_say_what_was_asked_what_came_and_what_to_do(kind: str) -> None:
    answer, remedy = UNEXPECTED[kind]
    with serve(lambda asked: answer) as server, pytest.raises((SourceError, AddressError)) as caught:
        list(query_optimade("nelements=2", [server.url], client=quick(attempts=2)))
    message = str(caught.value)
    assert remedy in message
    assert "\x1b" not in message
    assert len(message) < 1500
    if "begins with https" not in remedy:
        assert message.startswith(f"request: {server.url}/v1/structures")
        assert "response: " in message


def test_a_server_that_is_not_there_is_named() -> None:
    with serve(lambda asked: Answer()) as gone:
        pass
    with pytest.raises(SourceError, match=r"(?s)127\.0\.0\.1.*Connection.*check address and network"):
        list(query_optimade("", [gone.url], client=quick(attempts=2)))


def test_links_in_a_circle_end() -> None:
    def circle(asked: Asked) -> Answer:
        return Answer({"data": [{"id": asked.target, "attributes": structure()}], "links": {"next": "/v1/structures"}})

    with serve(circle) as server:
        rows = list(query_optimade("", [server.url], client=quick()))
    assert [type(row) for row in rows] == [Crystal, Crystal, Shortfall]
    assert "link back to this page" in rows[2].reason  # type: ignore[union-attr]


def test_entries_that_were_announced_and_did_not_come_are_missed() -> None:
    page = {"data": [{"id": "a", "attributes": structure()}], "links": {"next": None}, "meta": {"data_returned": 9}}
    with serve(lambda asked: Answer(page)) as server:
        rows = list(query_optimade("", [server.url], client=quick()))
    assert isinstance(rows[1], Shortfall)
    assert "of 9 announced" in rows[1].reason


def test_an_answer_that_grows_too_large_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    from paraisite.network import http

    monkeypatch.setattr(http, "MAX_BYTES", 1 << 20)
    with (
        serve(lambda asked: Answer(b"[" + b" " * (2 << 20) + b"]")) as server,
        pytest.raises((SourceError, AddressError)) as caught,
    ):
        list(query_optimade("", [server.url], client=quick()))
    assert "more than 1 MiB" in str(caught.value)


@pytest.mark.parametrize(
    ("provider", "reason"),
    [
        ("ftp://example.org", "begins with https"),
        ("example.org", "providers-dashboard"),
        ("https://user:secret@example.org", "holds a user name"),
        ("https://example.org/?api_key=secret", "leave out what follows"),
    ],
)
def test_bad_addresses_are_refused_before_anything_is_asked(provider: str, reason: str) -> None:
    with pytest.raises((DatasetError, AddressError), match=reason) as caught:
        query_optimade("", [provider])
    assert "user:secret" not in str(caught.value)


def test_no_provider_or_element_is_wrong_usage() -> None:
    with pytest.raises(DatasetError, match="no provider is named"):
        query_optimade("", [])
    with pytest.raises(DatasetError, match="'Xx' is not the symbol"):
        query_optimade("", ["https://example.org"], elements=["Xx"])
