"""Hostile requests: each gets a clean answer within the limits."""

from __future__ import annotations

import gzip
import io
import json
import re
import socket
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from services import Running, serving, until

ROOT = Path(__file__).resolve().parents[3]
CORPUS = sorted((ROOT / "fuzz" / "corpus").iterdir())


def is_problem(answer: requests.Response, status: int, code: str = "") -> dict[str, Any]:
    """Return the problem that an answer is."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem: dict[str, Any] = answer.json()
    assert problem["status"] == status
    assert problem["detail"]
    assert not code or problem["code"] == code
    return problem


@pytest.mark.slow
@pytest.mark.parametrize("folder", CORPUS, ids=lambda folder: folder.name)
def test_uploads_of_the_fuzzing(service: Running, folder: Path) -> None:
    seeds = sorted(folder.iterdir())
    names = {
        "x.cif",
        "POSCAR",
        "x.xyz",
        "x.json",
        "x.jsonl",
        "x.db",
        "x.zip",
        "x.tar.gz",
        "x",
        *(s.name for s in seeds),
    }
    workers = service.workers()
    for name in sorted(names):
        answer = service.predict([("file", (name, seed.read_bytes())) for seed in seeds], params={"format": "json"})
        rows = answer.json()
        assert answer.status_code == 200
        assert len(rows) >= len(seeds)
        assert all(row["reason"] for row in rows if row["status"] == "rejected")
        assert str(service.temporary) not in answer.text
        assert "Traceback" not in answer.text
    assert service.workers() == workers


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["application/json", "text/plain", "application/octet-stream", "multipart/form-data"])
def test_bodies_of_the_fuzzing(service: Running, kind: str) -> None:
    for seed in sorted(seed for folder in CORPUS for seed in folder.iterdir()):
        answer = requests.post(
            f"{service.api}/predict", data=seed.read_bytes(), headers={"Content-Type": kind}, timeout=60
        )
        if kind == "multipart/form-data":
            is_problem(answer, 400, "wrong-body")
        else:
            assert answer.status_code == 200, answer.text
            assert answer.json()


@pytest.mark.parametrize(
    ("how", "status"),
    [
        ({"data": b""}, 400),
        ({"data": b"", "headers": {"Content-Type": "application/json"}}, 400),
        ({"data": {"x": "y"}}, 415),
        ({"data": b"x", "headers": {"Content-Encoding": "gzip"}}, 415),
        ({"data": b"x", "headers": {"Content-Type": "multipart/form-data"}}, 400),
        ({"data": b"--b\r\nx", "headers": {"Content-Type": "multipart/form-data; boundary=b"}}, 400),
        ({"data": b"--b--\r\n", "headers": {"Content-Type": "multipart/form-data; boundary=b"}}, 400),
        ({"data": b"x", "headers": {"Accept": "image/png"}}, 406),
        ({"data": b"x", "headers": {"Accept": "application/json;q=0"}}, 406),
        ({"data": b"x", "params": {"level": 2}}, 422),
        ({"data": b"x", "params": {"level": 0.999999}}, 422),
        ({"data": b"x", "params": {"temperatures": 5}}, 422),
        ({"data": b"x", "params": {"temperatures": "nan"}}, 422),
        ({"data": b"x", "params": {"properties": "nope"}}, 422),
        ({"data": b"x", "params": {"disorder": "nope"}}, 422),
        ({"data": b"x", "params": {"format": "xml"}}, 422),
        ({"data": b"x", "headers": {"Host": "evil.example"}}, 421),
        ({"data": b"x", "headers": {"Origin": "https://evil.example"}}, 403),
        ({"data": b"x", "headers": {"Origin": "null"}}, 403),
    ],
)
def test_requests_that_cannot_be(service: Running, how: dict[str, Any], status: int) -> None:
    is_problem(requests.post(f"{service.api}/predict", timeout=60, **how), status)


def test_a_form_that_is_cut_off_is_refused(service: Running, cif: bytes) -> None:
    whole = requests.Request("POST", service.url, files=[("file", (f"{i}.cif", cif)) for i in range(3)]).prepare()
    assert isinstance(whole.body, bytes)
    headers = {"Content-Type": whole.headers["Content-Type"]}
    for cut in (10, len(cif), len(whole.body) - 10):
        answer = requests.post(f"{service.api}/predict", data=whole.body[:cut], headers=headers, timeout=60)
        is_problem(answer, 400, "wrong-body")


@pytest.mark.parametrize(
    "path", ["/nope", "/api/v1/nope", "/static/../app.py", "/static/%2e%2e/app.py", "/docs", "/redoc"]
)
def test_unknown_paths(service: Running, path: str) -> None:
    is_problem(requests.get(service.url + path, timeout=10), 404)
    is_problem(requests.put(f"{service.api}/predict", timeout=10), 405)


def test_no_header_lets_another_site_in(service: Running) -> None:
    answer = requests.options(
        f"{service.api}/predict",
        headers={"Origin": service.url, "Access-Control-Request-Method": "POST"},
        timeout=10,
    )
    assert not [name for name in answer.headers if name.lower().startswith("access-control")]
    for path in ("/", "/api", "/static/style.css", "/api/v1/health", "/nope"):
        headers = requests.get(service.url + path, timeout=10).headers
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert "unsafe" not in headers["Content-Security-Policy"]
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert "server" not in headers
    for path in ("/", "/api"):
        text = requests.get(service.url + path, timeout=10).text
        assert not re.search(r"<script(?![^>]* src=\"/static/)", text)  # none inline, none from elsewhere
        assert "https://" not in text


@pytest.fixture(scope="module")
def small() -> Iterator[Running]:
    with serving("--workers", 1, "--max-mb", 0.2, "--max-crystals", 20, "--queue", 0, "--silence", 6) as running:
        yield running


def chunked(n: int) -> Iterator[bytes]:
    for _ in range(n):
        yield b"x" * 10_000


def test_a_body_too_large(small: Running, cif: bytes) -> None:
    is_problem(requests.post(f"{small.api}/predict", data=b"x" * 300_000, timeout=60), 413, "too-large")
    is_problem(requests.post(f"{small.api}/predict", data=chunked(30), timeout=60), 413, "too-large")
    is_problem(small.predict({"x.cif": b"x" * 250_000}), 413, "too-large")
    assert small.predict({"Si.cif": cif}).status_code == 200
    until(lambda: not small.uploads(), 5)


@pytest.mark.slow
def test_a_length_that_is_a_lie(small: Running) -> None:
    port = int(small.url.rpartition(":")[2])
    head = b"POST /api/v1/predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 999999999999\r\n\r\n"
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(head + b"x" * 1000)
        assert b" 413 " in connection.recv(100)


def test_too_many_crystals(small: Running, cif: bytes) -> None:
    text = b"\n".join(cif.replace(b"data_Si", b"data_%d" % i) for i in range(21))
    is_problem(small.predict({"x.cif": text}), 413, "too-many")
    answer = small.predict({"x.cif": text}, params={"format": "ndjson"})
    *rows, last = map(json.loads, answer.text.splitlines())
    assert last["problem"]["code"] == "too-many"
    assert len(rows) <= 20


def test_bombs(small: Running) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.cif", b"\0" * (100 << 20))
    (row,) = small.predict({"x.zip": out.getvalue()}).json()
    assert row["status"] == "rejected"
    (row,) = small.predict({"x.cif.gz": gzip.compress(b" " * (100 << 20))}).json()
    assert row["status"] == "rejected"
    nested = b"[" * 100_000
    answer = requests.post(
        f"{small.api}/predict", data=nested, headers={"Content-Type": "application/json"}, timeout=60
    )
    assert answer.status_code == 200, answer.text
    (row,) = answer.json()
    assert row["status"] == "rejected"


def test_a_token(cif: bytes) -> None:
    with serving("--workers", 1, env={"PARAISITE_TOKEN": "right κ"}) as running:
        url = f"{running.api}/predict"
        files = {"file": ("Si.cif", cif)}
        for given in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic right"}):
            answer = requests.post(url, files=files, headers=given, timeout=60)
            is_problem(answer, 401)
            assert answer.headers["WWW-Authenticate"] == "Bearer"
        right = {"Authorization": "Bearer right κ".encode()}
        assert requests.post(url, files=files, headers=right, timeout=60).status_code == 200
        is_problem(requests.get(f"{running.api}/limits", timeout=10), 401)
        assert requests.get(f"{running.api}/health", timeout=10).status_code == 200
        assert requests.get(running.url, timeout=10).status_code == 200
