"""Slow clients and full houses, by the application itself: no worker is needed to refuse."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import pytest

pytest.importorskip("fastapi", reason="the service needs the extra [serve]")

from starlette.types import Message

from paraisite.web.app import application
from paraisite.web.jobs import Setup
from paraisite.web.limits import Limits
from paraisite.web.pool import Pool
from paraisite.web.service import Service
from paraisite.web.visit import House

WAIT = object()
"""A client that sends nothing more."""


def ask(
    limits: Limits, *parts: Any, before: Callable[[House], None] = lambda house: None
) -> tuple[int, dict[str, Any]]:
    """Send a body in parts; return the status and the problem."""
    answer: list[Message] = []

    async def run() -> None:
        house = House()
        before(house)
        held, visits = house.held, house.visits
        app = application(Service(Pool(Setup("kappa"), 1, limits), limits, "kappa"), house)
        log: list[dict[str, object]] = []
        app.log = log.append
        left = list(parts)
        at_the_end: list[int] = []

        async def receive() -> Message:
            if left[:1] == [WAIT]:
                await asyncio.sleep(60)
            if left:
                return {"type": "http.request", "body": left.pop(0), "more_body": bool(left)}
            return {"type": "http.disconnect"}

        async def send(message: Message) -> None:
            answer.append(message)
            if message["type"] == "http.response.body" and not message.get("more_body", False):
                at_the_end.append(house.visits)

        scope = {
            "type": "http",
            "method": "POST",
            "path": "/api/v1/predict",
            "raw_path": b"/api/v1/predict",
            "root_path": "",
            "query_string": b"",
            "headers": [(b"content-type", b"text/plain")],
        }
        await app(scope, receive, send)
        assert (house.held, house.visits) == (held, visits)
        assert at_the_end == [visits]  # who has the answer may ask again at once, with no place to wait
        assert list(house.root.iterdir()) == []
        assert log[0]["status"] == answer[0]["status"]
        house.close()

    asyncio.run(run())
    problem: dict[str, Any] = json.loads(b"".join(message.get("body", b"") for message in answer))
    return answer[0]["status"], problem


def test_a_body_that_does_not_arrive() -> None:
    status, problem = ask(Limits(upload_seconds=0.2), b"data_", WAIT)
    assert (status, problem["code"]) == (408, "slow-body")


def test_a_house_that_is_full() -> None:
    def fill(house: House) -> None:
        house.held = 100

    status, problem = ask(Limits(total_bytes=103), b"data_", before=fill)
    assert (status, problem["code"]) == (503, "busy")


def test_a_queue_that_is_full() -> None:
    def fill(house: House) -> None:
        house.visits = 3

    status, problem = ask(Limits(waiting=2), b"data_", before=fill)
    assert (status, problem["code"]) == (503, "busy")


def test_a_body_that_is_longer_than_the_limit() -> None:
    status, problem = ask(Limits(body_bytes=10), b"123456", b"123456")
    assert (status, problem["code"]) == (413, "too-large")
