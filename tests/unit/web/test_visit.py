"""Small parts of the service: names in headers, formats that are preferred, names of uploads, columns."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

pytest.importorskip("fastapi", reason="the service needs the extra [serve]")

from paraisite.prediction.options import Options
from paraisite.web.answers import Form, negotiated
from paraisite.web.columns import described, row_schema
from paraisite.web.problems import Problem
from paraisite.web.run import is_loopback, listen
from paraisite.web.visit import House, Visit, hostname


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("localhost:8000", "localhost"),
        ("LOCALHOST", "localhost"),
        ("[::1]:80", "::1"),
        ("127.0.0.1.evil.example", "127.0.0.1.evil.example"),
        ("evil@localhost", "localhost"),
        ("[::1", ""),
        ("", ""),
    ],
)
def test_hostname(header: str, name: str) -> None:
    assert hostname(header) == name


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        ("*/*", Form.json),
        ("", Form.json),
        ("text/html, */*;q=0.1", Form.json),
        ("text/csv", Form.csv),
        ("text/*", Form.csv),
        ("application/json;q=0.1, application/x-ndjson", Form.ndjson),
        ("application/vnd.apache.parquet; q=0.9, text/csv; q=0.8", Form.parquet),
        ("text/csv;q=nonsense, application/json", Form.json),
    ],
)
def test_negotiated(accept: str, form: Form) -> None:
    assert negotiated(accept) is form


@pytest.mark.parametrize("accept", ["image/png", "application/json;q=0", "text/html"])
def test_formats_that_are_not_offered(accept: str) -> None:
    with pytest.raises(Problem) as error:
        negotiated(accept)
    assert error.value.status == 406


def test_a_visit_gives_everything_back() -> None:
    async def come_and_go() -> None:
        house = House()
        visit = Visit(house)
        folder = visit.folder
        assert (folder.stat().st_mode & 0o777, house.root.stat().st_mode & 0o777) == (0o700, 0o700)
        (folder / "x").write_text("x")
        assert visit.enter(1)
        assert not Visit(house).enter(1)
        assert visit.hold(10, 10)
        assert not Visit(house).hold(1, 10)
        await visit.leave()
        assert not folder.exists()
        assert (house.visits, house.held) == (0, 1)
        house.close()
        assert not house.root.exists()

    asyncio.run(come_and_go())


def test_columns_have_a_meaning_and_a_unit() -> None:
    asked = Options(temperatures=(300.0, 1e3), tensor=True, properties=("debye_temperature",))
    found = {column["name"]: column for column in described(asked.columns)}
    assert tuple(found) == asked.columns
    assert found["kappa_W_mK"]["unit"] == "W/m/K"
    assert found["debye_temperature_K"]["unit"] == "K"
    assert found["kappa_1000K_low_W_mK"]["meaning"].endswith("1000 K")
    assert found["n_sites"]["type"] == "integer"
    assert row_schema()["required"] == list(Options().columns)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost", "127.1.2.3"])
def test_loopback(host: str) -> None:
    assert is_loopback(host)
    assert not is_loopback("0.0.0.0")
    assert not is_loopback("example.org")


def test_listening_twice_is_an_error_that_names_the_address(tmp_path: Path) -> None:
    with listen("127.0.0.1", 0) as first:
        port = first.getsockname()[1]
        with pytest.raises(OSError, match=f"127.0.0.1:{port}"):
            listen("127.0.0.1", port)
