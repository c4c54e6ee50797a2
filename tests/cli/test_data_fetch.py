"""`paraisite data list`, `info` and `fetch`."""

from __future__ import annotations

import re
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from serving import Behaviour, FileServer
from typer.testing import Result

from paraisite.datasets import load
from paraisite.datasets.registry import registry
from paraisite.model.registry import registry as models
from paraisite.network import downloading

Invoke = Callable[..., Result]
NEQUIX = "nequix-mp-1-pft"


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file_server: FileServer) -> Path:
    """A cache of its own, no mirror, and the loopback server in place of the world."""
    monkeypatch.setattr(downloading, "WAITS", ())
    monkeypatch.delenv("PARAISITE_MIRROR", raising=False)
    monkeypatch.setenv("PARAISITE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("PARAISITE_UPSTREAM", file_server.url)
    return tmp_path / "cache"


def serve(file_server: FileServer, name: str, folder: Path) -> list[str]:
    """Serve the upstream files of a dataset, which a folder holds under their own names; return their paths."""
    paths = []
    for upstream in registry()[name].upstream:
        paths.append("/" + upstream.url.removeprefix("https://"))
        file_server.files[paths[-1]] = folder / upstream.url.rpartition("/")[2]
    return paths


def test_list_names_everything(invoke: Invoke) -> None:
    out = invoke("data", "list").stdout
    for name in [*registry(), *(name for name, entry in models().items() if not entry.shipped)]:
        assert re.search(rf"^ {re.escape(name)} .* no ", out, re.MULTILINE), name
    assert re.search(r"aflow_agl +5578 ", out)
    assert "CC-BY-4.0" in out
    assert "paraisite data fetch NAME" in out


@pytest.mark.data
def test_list_knows_what_is_here(invoke: Invoke, mirror: Path) -> None:
    invoke("data", "fetch", "hh143", "--mirror", mirror)
    out = invoke("data", "list").stdout
    assert re.search(r" hh143 +143 +cache ", out)
    assert re.search(r" mix +238 +no ", out)
    out = invoke("data", "list", "--mirror", mirror).stdout
    assert len(re.findall(r" mirror ", out)) == len(registry()) + 4


@pytest.mark.parametrize("name", list(registry()))
def test_info_says_everything(invoke: Invoke, name: str) -> None:
    card = registry()[name]
    out = invoke("data", "info", name.upper()).stdout
    assert out.startswith(f"{name}: {card.title}\n")
    for said in (
        f"rows: {card.rows} ",
        f"licence: {card.licence}",
        f"content hash: {card.content_hash}",
        f"here: no; paraisite data fetch {name}",
        *(f"cite: {text}" for text in card.citation),
        *(f"note: {text}" for text in card.notes),
        *(f"{column} ({unit})" for column, unit in card.units.items()),
        *(f"file: {upstream.url}\n" for upstream in card.upstream),
        *(f"{upstream.bytes} bytes, sha256 {upstream.sha256}" for upstream in card.upstream if upstream.sha256),
    ):
        assert said in out, said


def test_info_of_weights_and_of_nothing(invoke: Invoke) -> None:
    assert "CC-BY-4.0" in invoke("data", "info", NEQUIX).stdout
    assert "l97: unknown dataset; choose from l96, hh143" in invoke("data", "info", "l97", code=2).stderr


def test_info_of_a_folder(invoke: Invoke, tiny_dataset: Path, tmp_path: Path) -> None:
    assert f"see paraisite data check {tiny_dataset}" in invoke("data", "info", tiny_dataset, code=2).stderr
    invoke("data", "import", tiny_dataset, "-o", tmp_path / "out")
    out = invoke("data", "info", tmp_path / "out").stdout
    assert "rows: 36 crystals" in out
    assert f"content hash: {load(tiny_dataset).content_hash}" in out


def test_unknown_names_are_wrong_usage(invoke: Invoke, file_server: FileServer) -> None:
    result = invoke("data", "fetch", "l96", "l97", code=2)
    assert "l97: unknown dataset; choose from l96" in result.stderr
    assert NEQUIX in result.stderr
    assert file_server.asked == []


@pytest.mark.data
def test_fetch_from_a_mirror_and_over_http_is_the_same(
    invoke: Invoke, mirror: Path, cache: Path, file_server: FileServer
) -> None:
    folder = cache / "datasets" / "l96"
    result = invoke("data", "fetch", "l96", "--mirror", mirror)
    assert result.stdout == f"{folder}\n"
    assert result.stderr == f"l96: 95 rows, from the mirror {mirror}, content verified\n"
    assert "in the cache already" in invoke("data", "fetch", "l96", "--mirror", mirror).stderr
    assert file_server.asked == []
    first = load("l96")
    serve(file_server, "l96", mirror / "legacy")
    result = invoke("data", "fetch", "Dataset1", "--force")
    assert result.stdout == f"{folder}\n"
    assert "l96: 95 rows, downloaded, content verified" in result.stderr
    assert len(file_server.asked) == 2
    assert load("l96").content_hash == first.content_hash == registry()["l96"].content_hash
    assert load("l96").ids == first.ids


@pytest.mark.data
def test_all_are_tried_and_failures_are_named(
    invoke: Invoke, mirror: Path, cache: Path, file_server: FileServer
) -> None:
    (_, structures) = serve(file_server, "l96", mirror / "legacy")
    serve(file_server, "hh143", mirror / "legacy")
    flip = Behaviour(change=lambda content: content[:100] + bytes([content[100] ^ 4]) + content[101:])
    file_server.behave[structures] = [flip]
    result = invoke("data", "fetch", "l96", "matcalc_elasticity", "hh143", code=1)
    assert result.stdout == f"{cache / 'datasets' / 'hh143'}\n"
    assert re.search(r"error: l96: .*/structures_Dataset1\.pkl: not the registered file \(sha256 ", result.stderr)
    assert re.search(r"error: matcalc_elasticity: .*HTTP 404", result.stderr)
    assert not (cache / "datasets" / "l96").exists()


@pytest.mark.data
def test_weights_are_fetched_too(invoke: Invoke, mirror: Path, cache: Path, file_server: FileServer) -> None:
    in_mirror = mirror / "weights" / "nequix"
    assert invoke("data", "fetch", NEQUIX, "--mirror", mirror).stdout == f"{in_mirror}\n"
    assert not cache.exists()
    (file,) = models()[NEQUIX].files
    file_server.files["/" + file.url.removeprefix("https://")] = in_mirror / file.name
    folder = cache / "models" / NEQUIX
    assert invoke("data", "fetch", NEQUIX).stdout == f"{folder}\n"
    assert (folder / file.name).read_bytes() == (in_mirror / file.name).read_bytes()
    assert re.search(rf" {NEQUIX} +cache ", invoke("data", "list").stdout)


@pytest.mark.data
def test_a_killed_fetch_goes_on_where_it_was(
    start: Callable[..., subprocess.Popen[str]], mirror: Path, cache: Path, file_server: FileServer
) -> None:
    (path,) = serve(file_server, "matcalc_heat_capacity", mirror / "matcalc")
    release = threading.Event()
    file_server.behave[path] = [Behaviour(cut=500_000, wait=release)]
    process = start("data", "fetch", "matcalc_heat_capacity")
    part = cache / "downloads" / f"{path[1:]}.part"
    deadline = time.monotonic() + 60
    while not (part.exists() and part.stat().st_size > 400_000):
        assert time.monotonic() < deadline
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)
    process.kill()
    process.communicate()
    release.set()
    kept = part.stat().st_size
    assert not (cache / "datasets").exists()
    process = start("data", "fetch", "matcalc_heat_capacity")
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert out == f"{cache / 'datasets' / 'matcalc_heat_capacity'}\n"
    assert file_server.asked == [(path, ""), (path, f"bytes={kept}-")]
    assert load("matcalc_heat_capacity").content_hash == registry()["matcalc_heat_capacity"].content_hash
