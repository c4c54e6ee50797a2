"""`paraisite serve` as people start and stop it."""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import requests
from typer.testing import Result

pytest.importorskip("fastapi", reason="the service needs the extra [serve]")
from predictions import prediction, write_predictions
from services import Running, serving, until

import paraisite
from paraisite.phonons.summary import QUICK_COLUMNS, SUMMARY, write_summary

EXAMPLE = (Path(paraisite.__file__).parent / "examples" / "crystals" / "Si.cif").read_bytes()
linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="stops processes and reads /proc")
MANY = [("file", (f"{i}.cif", EXAMPLE)) for i in range(250)]


def test_a_port_in_use(invoke: Callable[..., Result]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        assert f"127.0.0.1:{port}" in invoke("serve", "--port", port, code=2).stderr


@pytest.mark.parametrize(
    "args", [["--model", "nope"], ["--port", "70000"], ["--workers", "0"], ["--host", "nope.invalid"]]
)
def test_wrong_usage(invoke: Callable[..., Result], args: list[str]) -> None:
    assert invoke("serve", *args, code=2).stderr


def test_results_that_cannot_be_shown(invoke: Callable[..., Result], tmp_path: Path) -> None:
    table = write_predictions(tmp_path / "t.parquet", [prediction("Si", "Si", 1.0)])
    cut = tmp_path / "cut.parquet"
    cut.write_bytes(table.read_bytes()[:-20])
    quick = tmp_path / "quick"
    quick.mkdir()
    write_summary([dict.fromkeys(QUICK_COLUMNS) | {"id": "Si", "status": "ok"}], quick / SUMMARY, QUICK_COLUMNS)
    for option, path in (
        ("--results", tmp_path / "none.parquet"),
        ("--results", cut),
        ("--verified", tmp_path),
        ("--verified", quick),
    ):
        assert str(path) in invoke("serve", option, path, code=2).stderr


def test_missing_libraries_are_named(invoke: Callable[..., Result], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fastapi", None)
    assert "paraisite[serve]" in invoke("serve", code=2).stderr


def ask(running: Running, answers: list[Any], **how: Any) -> threading.Thread:
    def run() -> None:
        try:
            answers.append(running.predict(**how))
        except requests.RequestException as error:
            answers.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    return thread


@pytest.mark.slow
@linux
def test_sigterm_finishes_what_is_asked() -> None:
    with serving("--workers", 1) as running:
        answers: list[Any] = []
        thread = ask(running, answers, files=MANY)
        until(lambda: len(running.uploads()) >= len(MANY))
        time.sleep(0.5)
        running.process.send_signal(signal.SIGTERM)
        thread.join(100)
        assert len(answers[0].json()) == len(MANY)
        assert running.process.wait(60) == 0
        assert not list(running.temporary.iterdir())
        assert running.log()[-1]["count"] == len(MANY)
        with pytest.raises(requests.ConnectionError):
            requests.get(running.url, timeout=5)


@pytest.mark.slow
@linux
def test_a_killed_worker_costs_no_row() -> None:
    with serving("--workers", 1) as running:
        answers: list[Any] = []
        thread = ask(running, answers, files=MANY, params={"format": "ndjson"}, stream=True)
        until(lambda: answers)
        (worker,) = running.workers()
        lines = answers[0].iter_lines(chunk_size=512)
        rows = [json.loads(next(lines))]
        os.kill(worker, signal.SIGKILL)
        rows += map(json.loads, lines)
        thread.join()
        assert [row["id"] for row in rows] == [str(i) for i in range(len(MANY))]
        assert {row["status"] for row in rows} == {"ok"}
        assert running.workers() != [worker]


@pytest.mark.slow
@linux
def test_a_worker_that_hangs_is_replaced() -> None:
    with serving("--workers", 1, "--silence", 5) as running:
        (worker,) = running.workers()
        os.kill(worker, signal.SIGSTOP)
        (row,) = running.predict({"Si.cif": EXAMPLE}).json()
        assert row["status"] == "ok"
        assert worker not in running.workers()


@pytest.mark.slow
@linux
def test_requests_beyond_the_queue_are_told_to_wait() -> None:
    with serving("--workers", 1, "--queue", 1, "--silence", 60) as running:
        (worker,) = running.workers()
        os.kill(worker, signal.SIGSTOP)
        answers: list[Any] = []
        threads = [ask(running, answers, files={"Si.cif": EXAMPLE}) for _ in range(8)]
        until(lambda: len(answers) == 6)
        os.kill(worker, signal.SIGCONT)
        for thread in threads:
            thread.join()
        assert sorted(answer.status_code for answer in answers) == [200] * 2 + [503] * 6
        assert all(int(answer.headers["Retry-After"]) > 0 for answer in answers if answer.status_code == 503)


@pytest.mark.slow
@linux
def test_a_client_that_goes_frees_its_worker() -> None:
    with serving("--workers", 1) as running:
        for _ in range(3):
            with pytest.raises(requests.RequestException):
                requests.post(f"{running.api}/predict", files=MANY, timeout=2)
        assert running.predict({"Si.cif": EXAMPLE}).json()[0]["status"] == "ok"
        until(lambda: not running.uploads(), 10)
        assert len(running.workers()) == 1


@pytest.mark.slow
def test_other_addresses_need_a_token_or_a_warning() -> None:
    with serving("--host", "0.0.0.0", "--workers", 1) as running:
        said = (running.log_file.parent / "said").read_text()
        assert "warning" in said
        assert "--token" in said
