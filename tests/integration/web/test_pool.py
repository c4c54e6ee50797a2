"""Workers that are killed, hang or swell cost the row of what did it, and no other."""

from __future__ import annotations

import asyncio
import signal
import sys
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import deadly_worker
import pytest

from paraisite.prediction.options import Options
from paraisite.web.jobs import Job, Setup, Upload
from paraisite.web.limits import Limits
from paraisite.web.pool import Pool, Unusable
from paraisite.web.problems import Problem

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="kills processes and reads /proc")

LIMITS = Limits(silence_seconds=8, worker_GB=2.5)


def predict(uploads: list[Upload], limits: Limits = LIMITS, workers: int = 1, **how: Any) -> list[dict[str, Any]]:
    async def ask() -> list[dict[str, Any]]:
        pool = Pool(Setup("kappa"), workers, limits, deadly_worker.serve)
        await pool.start()
        try:
            return [row async for rows in pool.rows(Job(tuple(uploads), Options(**how), "reject")) for row in rows]
        finally:
            await pool.stop()

    return asyncio.run(ask())


def files(folder: Path, cif: bytes, *names: str) -> list[Upload]:
    found = []
    for i, name in enumerate(names):
        (folder / str(i)).write_bytes(cif)
        found.append(Upload(str(folder / str(i)), name))
    return found


@pytest.mark.slow
@pytest.mark.parametrize("deadly", ["deadly.cif", "read-deadly.cif", "open-deadly.cif"])
def test_a_file_that_kills(tmp_path: Path, cif: bytes, deadly: str) -> None:
    names = ["a.cif", "b.cif", deadly, "c.cif", deadly, *(f"{i}.cif" for i in range(10))]
    rows = predict(files(tmp_path, cif, *names))
    assert [row["source"] for row in rows] == names
    assert [row["status"] == "rejected" for row in rows] == ["deadly" in name for name in names]
    assert all("process" in row["reason"] for row in rows if row["status"] == "rejected")
    assert [row["formula"] for row in rows if row["source"] == "deadly.cif"] == ["Si"] * names.count("deadly.cif")


@pytest.mark.slow
@pytest.mark.parametrize("deadly", ["deadly.cif", "read-deadly.cif"])
def test_a_member_of_an_archive_that_kills(tmp_path: Path, cif: bytes, deadly: str) -> None:
    names = ["a.cif", deadly, "b.cif", "c.cif"]
    with zipfile.ZipFile(tmp_path / "x", "w") as archive:
        for name in names:
            archive.writestr(name, cif)
    rows = predict([Upload(str(tmp_path / "x"), "x.zip"), *files(tmp_path, cif, "d.cif")])
    assert [row["source"] for row in rows] == [*(f"x.zip::{name}" for name in names), "d.cif"]
    assert [row["status"] == "rejected" for row in rows] == [False, True, False, False, False]


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["hanging", "swelling"])
def test_a_crystal_that_hangs_or_swells(tmp_path: Path, cif: bytes, kind: str) -> None:
    rows = predict(files(tmp_path, cif, "a.cif", f"{kind}.cif", "b.cif"))
    assert [row["status"] == "rejected" for row in rows] == [False, True, False]
    assert ("8 s" if kind == "hanging" else "2.5 GB") in rows[1]["reason"]


@pytest.mark.slow
def test_a_request_has_a_time_limit(tmp_path: Path, cif: bytes) -> None:
    with pytest.raises(Problem) as error:
        predict(files(tmp_path, cif, "hanging.cif"), replace(LIMITS, seconds=2.0))
    assert (error.value.status, error.value.code) == (413, "too-long")


def test_a_worker_whose_client_is_gone_takes_the_next_job(tmp_path: Path, cif: bytes) -> None:
    uploads = tuple(files(tmp_path, cif, *(f"{i}.cif" for i in range(400))))

    async def ask() -> tuple[list[Any], int]:
        pool = Pool(Setup("kappa"), 1, LIMITS)
        await pool.start()
        try:
            first = pool.rows(Job(uploads, Options(), "reject"))
            await anext(first)
            await anext(first)
            (member,) = pool._members
            await first.aclose()
            rows = [row async for rows in pool.rows(Job(uploads[:3], Options(), "reject")) for row in rows]
            return rows, member.process.exitcode is None and member in pool._members
        finally:
            await pool.stop()

    rows, alive = asyncio.run(ask())
    assert [row["id"] for row in rows] == ["0", "1", "2"]
    assert alive


def test_a_model_that_does_not_load() -> None:
    async def start() -> None:
        pool = Pool(Setup("/no/such/folder"), 1, LIMITS)
        try:
            await pool.start()
        finally:
            await pool.stop()

    with pytest.raises(Unusable, match="no/such"):
        asyncio.run(start())


def test_an_option_that_is_impossible(tmp_path: Path, cif: bytes) -> None:
    with pytest.raises(Problem) as error:
        predict(files(tmp_path, cif, "a.cif"), properties=("nope",))
    assert error.value.status == 422
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
