"""Queries to the Materials Project: its real client against an imitation of the API on loopback."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # for loopback

pytest.importorskip("mp_api.client", reason="needs the extra [data]: mp-api")

from loopback import Answer, Asked, every, serve

from paraisite.crystals import Crystal, Rejection
from paraisite.datasets.sources import Client, SourceError, query_mp
from paraisite.datasets.table import DatasetError

KEY = "0123456789abcdefghijklmnopqrstuv"


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MP_API_KEY", KEY)


def quick(pages: Path | None = None, **options: object) -> Client:
    return Client(pages, backoff=0.001, timeout=10, **options)  # type: ignore[arg-type]


def materials(n: int) -> list[dict[str, Any]]:
    """`n` rocksalts as the endpoint materials/summary gives them, with structures as pymatgen writes them."""
    from pymatgen.core import Lattice, Structure

    made = []
    for i in range(n):
        a = 4 + 0.01 * i
        lattice = Lattice([[0, a / 2, a / 2], [a / 2, 0, a / 2], [a / 2, a / 2, 0]])
        structure = Structure(lattice, [("Mg", "Ca")[i % 2], "O"], [[0, 0, 0], [0.5, 0.5, 0.5]])
        made.append({"material_id": f"mp-{i + 1}", "structure": structure.as_dict(), "stable": i % 3 == 0})
    return made


def summary(docs: list[dict[str, Any]]) -> Any:
    """Answer as api.materialsproject.org does."""

    def answer(asked: Asked) -> Answer:
        path, _, query = asked.target.partition("?")
        if path == "/heartbeat":
            return Answer(
                {"status": "OK", "version": "0.87.0", "db_version": "2026.10", "access_controlled_batch_ids": []}
            )
        if asked.headers.get("x-api-key") != KEY:
            return Answer({"message": "Invalid authentication credentials"}, 401)
        assert path == "/materials/summary/", path
        asks = {name: values[0] for name, values in parse_qs(query).items()}
        assert asks["_fields"] == "material_id,structure"
        assert asks["_sort_fields"] == "material_id"
        assert asks["deprecated"] == "False"
        found = [doc for doc in docs if doc["stable"] or "is_stable" not in asks]
        size, page = int(asks["_per_page"]), int(asks["_page"])
        chosen = [
            {key: doc.get(key) for key in ("material_id", "structure")}
            for doc in found[size * (page - 1) : size * page]
        ]
        return Answer({"data": chosen, "meta": {"total_doc": len(found)}})

    return answer


def test_all_pages_arrive_through_the_real_client() -> None:
    docs = materials(23)
    with serve(summary(docs)) as server:
        rows = list(query_mp(elements=["O"], page_size=10, endpoint=server.url, client=quick()))
    assert [row.id for row in rows] == [doc["material_id"] for doc in docs]
    for row, doc in zip(rows, docs, strict=True):
        assert isinstance(row, Crystal)
        np.testing.assert_array_equal(row.cell, doc["structure"]["lattice"]["matrix"])
        assert row.n_sites == 2
        assert row.source == f"https://next-gen.materialsproject.org/materials/{doc['material_id']}"
    searches = [asked for asked in server.asked if "summary" in asked.target]
    assert len(searches) == 3
    assert all("elements=O" in asked.target for asked in searches)
    assert all(KEY not in asked.target for asked in server.asked)


def test_conditions_reach_the_server() -> None:
    with serve(summary(materials(9))) as server:
        rows = list(
            query_mp(
                formula=["MgO", "ABC"], chemsys=["Mg-O"], stable=True, max_above_hull=0.1, max_sites=8, limit=2,
                endpoint=server.url, client=quick(),
            )
        )  # fmt: skip
    assert [row.id for row in rows] == ["mp-1", "mp-4"]
    target = next(asked.target for asked in server.asked if "summary" in asked.target)
    for part in ("formula=MgO,ABC", "chemsys=Mg-O", "is_stable=True", "energy_above_hull_max=0.1", "nsites_max=8"):
        assert part in target, target


def test_what_passes_is_asked_again_and_pages_are_kept(tmp_path: Path) -> None:
    docs = materials(23)
    answer = summary(docs)
    failing = every(2, Answer("busy", 503, {"Retry-After": "0"}), answer)
    waits: list[str] = []
    with serve(lambda asked: answer(asked) if "heartbeat" in asked.target else failing(asked)) as server:
        url = server.url
        rows = list(query_mp(page_size=5, endpoint=url, client=quick(tmp_path, say=waits.append)))
    assert len(rows) == 23
    assert len(waits) >= 4
    assert len(list(query_mp(page_size=5, endpoint=url, client=quick(tmp_path)))) == 23  # the server is gone
    assert all(KEY.encode() not in page.read_bytes() for page in tmp_path.iterdir())


def test_a_bad_material_is_a_rejection_and_stops_nothing() -> None:
    docs = materials(4)
    docs[1]["structure"] = None
    docs[2]["structure"]["sites"][0]["species"][0]["occu"] = 0.5
    with serve(summary(docs)) as server:
        rows = list(query_mp(elements=["O"], endpoint=server.url, client=quick()))
    assert [type(row) for row in rows] == [Crystal, Rejection, Rejection, Crystal]
    assert "no structure" in rows[1].reason  # type: ignore[union-attr]
    assert "disordered" in rows[2].reason  # type: ignore[union-attr]


@pytest.mark.parametrize("value", [None, "", "   "])
def test_without_a_key_says_where_to_get_one(monkeypatch: pytest.MonkeyPatch, value: str | None) -> None:
    monkeypatch.delenv("MP_API_KEY")
    if value is not None:
        monkeypatch.setenv("MP_API_KEY", value)
    with pytest.raises(DatasetError, match=r"get one at https://\S+ and set MP_API_KEY"):
        query_mp(elements=["O"])


@pytest.mark.parametrize("wrong", ["secret", "s" * 31 + "\n-", "wrongwrongwrongwrongwrongwrongwr"])
def test_a_wrong_key_is_named_but_not_shown(monkeypatch: pytest.MonkeyPatch, wrong: str) -> None:
    monkeypatch.setenv("MP_API_KEY", wrong)
    with serve(summary(materials(2))) as server, pytest.raises((DatasetError, SourceError)) as caught:
        list(query_mp(elements=["O"], endpoint=server.url, client=quick()))
    message = str(caught.value)
    assert "MP_API_KEY" in message
    assert "copy it again" in message
    assert wrong not in message


def test_a_server_that_repeats_the_key_does_not_get_it_shown() -> None:
    def echo(asked: Asked) -> Answer:
        if "heartbeat" in asked.target:
            return summary([])(asked)
        return Answer({"detail": f"the key {asked.headers['x-api-key']} has no rights"}, 418)

    with serve(echo) as server, pytest.raises((DatasetError, SourceError)) as caught:
        list(query_mp(elements=["O"], endpoint=server.url, client=quick()))
    assert "has no rights" in str(caught.value)
    assert KEY not in str(caught.value)


def test_the_key_does_not_follow_a_redirect_to_another_host() -> None:
    with serve(lambda asked: Answer({"data": [], "meta": {"total_doc": 0}})) as other:
        elsewhere = other.url.replace("127.0.0.1", "localhost")

        def moved(asked: Asked) -> Answer:
            if "heartbeat" in asked.target:
                return summary([])(asked)
            return Answer(status=302, headers={"Location": f"{elsewhere}/materials/summary/"})

        with serve(moved) as server:
            assert list(query_mp(elements=["O"], endpoint=server.url, client=quick())) == []
    assert server.asked[-1].headers["x-api-key"] == KEY
    assert other.asked
    assert all("x-api-key" not in asked.headers for asked in other.asked)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (Answer("<html>maintenance</html>"), "response: "),
        (Answer({"meta": {"total_doc": 1}}), "KeyError: 'data'"),
        (Answer({"detail": [{"loc": ["query", "nsites_max"], "msg": "too small"}]}, 422), "nsites_max - too small"),
    ],
    ids=["html", "no data", "422"],
)
def test_unexpected_answers_say_what_was_asked_and_what_came(answer: Answer, reason: str) -> None:
    answers = summary([])
    with (
        serve(lambda asked: answers(asked) if "heartbeat" in asked.target else answer) as server,
        pytest.raises((DatasetError, SourceError)) as caught,
    ):
        list(query_mp(elements=["O"], endpoint=server.url, client=quick(attempts=2)))
    assert str(caught.value).startswith(f"request: {server.url}/materials/summary/")
    assert reason in str(caught.value)


def test_a_page_for_people_instead_of_the_heartbeat() -> None:
    with (
        serve(lambda asked: Answer("<html>maintenance</html>")) as server,
        pytest.raises(SourceError, match="request: "),
    ):
        list(query_mp(elements=["O"], endpoint=server.url, client=quick(attempts=2)))


def test_the_key_stays_with_its_server() -> None:
    client = quick()
    with serve(summary(materials(1))) as server:
        list(query_mp(elements=["O"], endpoint=server.url, client=client))
    assert "x-api-key" not in client.session.headers


def test_the_key_travels_encrypted_or_not_at_all() -> None:
    with pytest.raises(DatasetError, match="would travel unencrypted"):
        query_mp(elements=["O"], endpoint="http://api.example.org")
