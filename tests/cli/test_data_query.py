"""`paraisite data query`: answers of servers on loopback become datasets on disk."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from typer.testing import Result

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # for loopback, optimade_server

pytest.importorskip("requests", reason="needs the extra [data]")

from loopback import Answer, Asked, aflux, agl_entries, every, serve

from paraisite.datasets.store import read_card, read_dataset

API = "/API/aflux/"
Invoke = Callable[..., Result]


def test_aflow_becomes_a_dataset(invoke: Invoke, tmp_path: Path) -> None:
    entries = agl_entries(30)
    entries[4]["species"] = ["Qq", "O"]
    with serve(every(3, Answer("busy", 503, {"Retry-After": "0"}), aflux(entries))) as server:
        paging = ("--page-size", 10, "--name", "mine")
        result = invoke("data", "query", "aflow", "--server", server.url + API, *paging, "-o", tmp_path / "d")
    assert "29 crystals, 1 rejected" in result.stderr
    assert "'Qq' is not a chemical element" in result.stderr
    assert "HTTP 503 'busy'; retrying in" in result.stderr
    dataset = read_dataset(tmp_path / "d")
    assert dataset.name == "mine"
    assert len(dataset) == 29
    assert np.isfinite(dataset.kappa).all()
    card = read_card(tmp_path / "d")
    assert card.units["debye_temperature"] == "K"
    assert card.origin["source"] == "aflow"
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", card.origin["date"])
    assert "AFLOW" in card.licence
    assert len(card.rejections) == 1
    assert not (tmp_path / "d" / ".pages").exists()


def test_an_interrupted_query_goes_on(start: Callable[..., subprocess.Popen[str]], tmp_path: Path) -> None:
    answer, stalled = aflux(agl_entries(60)), []

    def stalling(asked: Asked) -> Answer:
        if "paging(4," in asked.target and not stalled:
            stalled.append(asked)
            time.sleep(8)
        return answer(asked)

    with serve(stalling) as server:
        command = ("data", "query", "aflow", "--server", server.url + API, "--page-size", 10, "-o", tmp_path / "d")
        process = start(*command)
        for _ in range(600):
            if stalled:
                break
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=30)
        assert process.returncode == 130, errors
        assert "repeat the command" in errors
        assert not (tmp_path / "d" / "dataset.parquet").exists()
        assert len(list((tmp_path / "d" / ".pages").glob("*.json"))) == 4  # three pages and the query
        before = len(server.asked)
        process = start(*command)
        _, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors
        assert len(server.asked) - before == 3
    assert len(read_dataset(tmp_path / "d")) == 60
    assert not (tmp_path / "d" / ".pages").exists()


def test_one_of_two_providers_fails(invoke: Invoke, tmp_path: Path) -> None:
    pytest.importorskip("optimade.server.create_app", reason="needs optimade[server]")
    from optimade_server import made_up_crystals, optimade_server

    crystals = made_up_crystals(12)
    well: list[bool] = []

    def provider(asked: Asked) -> Answer:
        if not well:
            return Answer("<html>gone fishing</html>", 404)
        return Answer({"data": [], "links": {}, "meta": {"data_returned": 0}})

    with optimade_server(crystals) as (good, server), serve(provider) as bad:
        command = (
            "data",
            "query",
            "optimade",
            "--provider",
            good,
            "--provider",
            bad.url,
            "--page-size",
            5,
            "-o",
            tmp_path / "d",
        )
        result = invoke(*command, code=1)
        assert "12 crystals, 1 rejected" in result.stderr
        assert "gone fishing" in result.stderr
        assert "incomplete" in result.stderr
        assert len(read_dataset(tmp_path / "d")) == 12
        well.append(True)
        asked = server.count
        result = invoke(*command)
        assert server.count == asked  # what had come is not asked for again
    dataset = read_dataset(tmp_path / "d")
    assert dataset.ids == tuple(c.id for c in crystals)
    assert dataset.rejections == ()
    assert dataset.targets == {}


def test_nothing_arrives(invoke: Invoke, tmp_path: Path) -> None:
    with serve(aflux([])) as server:
        result = invoke("data", "query", "aflow", "--server", server.url + API, "-o", tmp_path / "d", code=1)
    assert "No entry matches" in result.stderr
    assert not (tmp_path / "d" / ".pages").exists()


def test_a_page_for_people(invoke: Invoke, tmp_path: Path) -> None:
    with serve(lambda asked: Answer("<html>AFLOW is moving house</html>")) as server:
        result = invoke("data", "query", "aflow", "--server", server.url + API, "-o", tmp_path / "d", code=1)
    assert "request: http://127" in result.stderr
    assert "AFLOW is moving house" in result.stderr
    assert "check the address" in result.stderr
    assert "(no entry arrived)" in result.stderr
    assert not (tmp_path / "d").exists()


def test_a_folder_that_holds_something_else_is_left_alone(invoke: Invoke, tmp_path: Path, tiny_dataset: Path) -> None:
    ask = ("data", "query", "aflow", "--server", "http://127.0.0.1:9/", "-o")
    assert "holds a dataset already" in invoke(*ask, tiny_dataset, code=2).stderr
    pages = tmp_path / "d" / ".pages"
    pages.mkdir(parents=True)
    (pages / "query.json").write_text(json.dumps({"source": "aflow", "elements": ["Si"]}))
    assert "pages of another query" in invoke(*ask, tmp_path / "d", code=2).stderr


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["aflow", "--elements", "Quartz"], "'Quartz' is not the symbol of an element"),
        (["aflow", "--filter", "Egap(1*"], "Egap(1*"),
        (["optimade", "--provider", "mp"], "https://www.optimade.org/providers-dashboard/"),
        (["phonix", "--endpoint", "ftp://example.org"], "begins with https"),
        (["mp", "--stable"], "set MP_API_KEY"),
    ],
)
def test_wrong_usage(
    invoke: Invoke, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], reason: str
) -> None:
    monkeypatch.delenv("MP_API_KEY", raising=False)
    result = invoke("data", "query", *arguments, "-o", tmp_path / "d", code=2)
    assert reason in result.stderr
    assert not (tmp_path / "d").exists()


@pytest.mark.parametrize("source", ["aflow", "mp", "optimade", "phonix"])
def test_help_has_examples(invoke: Invoke, source: str) -> None:
    assert f"paraisite data query {source}" in invoke("data", "query", source, "--help").stdout
