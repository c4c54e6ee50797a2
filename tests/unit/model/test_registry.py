"""The registry of models: finding, fetching over real (loopback) HTTP, and checking."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from paraisite.model import registry as module
from paraisite.model.registry import (
    DEFAULT,
    ENCODER,
    ModelEntry,
    ModelError,
    ModelFile,
    cache_folder,
    fetch,
    locate,
    registry,
)
from paraisite.network import downloading

CONTENT = bytes(range(256)) * 40


class Server(ThreadingHTTPServer):
    """Answers /good, /changed, /long, /short, and nothing else."""

    asked: list[str]


class Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        assert isinstance(self.server, Server)
        self.server.asked.append(self.path)
        body = {
            "/good": CONTENT,
            "/second": CONTENT,
            "/changed": CONTENT[:-1] + b"\0",
            "/long": CONTENT * 3,
            "/short": CONTENT[:100],
        }.get(self.path)
        if body is None:
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(CONTENT) if self.path == "/short" else len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(("127.0.0.1", 0), Handler) as running:
        running.asked = []
        thread = threading.Thread(target=running.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield running
        running.shutdown()
        thread.join()


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """No test sees or changes the user's cache, nor the mirror."""
    monkeypatch.setenv("PARAISITE_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("PARAISITE_MIRROR", raising=False)
    monkeypatch.setattr(downloading, "WAITS", (0.0, 0.0))
    return tmp_path / "cache" / "models"


def register(monkeypatch: pytest.MonkeyPatch, server: Server | None, *paths: str, mirror: str = "weights/toy") -> None:
    """A registry of one model, `toy`, whose files are at these paths of the server."""
    port = server.server_address[1] if server else 1
    digest = hashlib.sha256(CONTENT).hexdigest()
    toy = ModelEntry(
        title="Toy", kind="matgl", shipped=False, licence="MIT", citation="none", mirror=mirror,
        files=tuple(
            ModelFile(name=f"{p}.pt", url=f"http://127.0.0.1:{port}/{p}", bytes=len(CONTENT), sha256=digest)
            for p in paths
        ),
    )  # fmt: skip
    monkeypatch.setattr(module, "registry", lambda: {"toy": toy})


# --- the shipped list ------------------------------------------------------------------------------------------------


def test_the_list() -> None:
    models = registry()
    assert DEFAULT in models
    assert models[DEFAULT].shipped
    assert models[DEFAULT].kind == "checkpoint"
    assert not models[ENCODER].shipped
    assert "formation_energy" in models[ENCODER].properties
    for name, entry in models.items():
        assert name == name.lower()
        assert entry.licence
        assert entry.citation
        assert entry.shipped or entry.files
        for file in entry.files:
            assert file.url.startswith("https://")
            assert len(file.sha256) == 64
            assert file.bytes > 0


# --- locate ----------------------------------------------------------------------------------------------------------


def test_a_folder_is_its_own_place(tmp_path: Path) -> None:
    (tmp_path / "my_model").mkdir()
    assert locate(str(tmp_path / "my_model")) == tmp_path / "my_model"


@pytest.mark.parametrize("name", ["no-such-model", "./missing/folder"])
def test_neither_a_model_nor_a_folder(name: str) -> None:
    with pytest.raises(ModelError, match=rf"{name}: neither a model \({DEFAULT}, .*\) nor a folder"):
        locate(name)


def test_a_model_that_is_not_here_says_how_to_get_it(own_cache: Path, tmp_path: Path) -> None:
    with pytest.raises(
        ModelError, match=rf"looked in {own_cache / ENCODER}\).*models fetch {ENCODER}.*PARAISITE_MIRROR"
    ):
        locate(ENCODER)
    with pytest.raises(ModelError, match=rf"looked in .* or {tmp_path / 'weights'}"):
        locate(ENCODER, mirror=tmp_path)


def test_the_mirror_stands_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    register(monkeypatch, None, "good")
    folder = tmp_path / "mirror" / "weights" / "toy"
    folder.mkdir(parents=True)
    (folder / "good.pt").write_bytes(CONTENT)
    assert locate("toy", mirror=tmp_path / "mirror") == folder
    assert locate("TOY", mirror=str(tmp_path / "mirror")) == folder
    monkeypatch.setenv("PARAISITE_MIRROR", str(tmp_path / "mirror"))
    assert locate("toy") == folder


@pytest.mark.parametrize("place", ["mirror", "cache"])
def test_a_changed_file_is_refused(
    place: str, own_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    register(monkeypatch, None, "good")
    folder = own_cache / "toy" if place == "cache" else tmp_path / "weights" / "toy"
    folder.mkdir(parents=True)
    (folder / "good.pt").write_bytes(CONTENT + b"!")
    with pytest.raises(ModelError, match=rf"{folder / 'good.pt'}: not the registered file \(sha256 .*fetch it again"):
        locate("toy", mirror=tmp_path)


def test_an_incomplete_folder_does_not_count(own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    register(monkeypatch, None, "good", "second")
    (own_cache / "toy").mkdir(parents=True)
    (own_cache / "toy" / "good.pt").write_bytes(CONTENT)
    with pytest.raises(ModelError, match="not on this machine"):
        locate("toy")


# --- fetch -----------------------------------------------------------------------------------------------------------


def test_fetch_then_locate(server: Server, own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    register(monkeypatch, server, "good", "second")
    folder = fetch("Toy")
    assert folder == own_cache / "toy" == locate("toy")
    assert sorted(p.name for p in folder.iterdir()) == ["good.pt", "second.pt"]
    assert (folder / "good.pt").read_bytes() == CONTENT


def test_what_is_here_is_not_fetched_again(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    register(monkeypatch, server, "good", "second")
    folder = fetch("toy")
    server.asked.clear()
    fetch("toy")
    assert server.asked == []
    (folder / "second.pt").write_bytes(b"damaged")
    fetch("toy")
    assert server.asked == ["/second"]
    assert (folder / "second.pt").read_bytes() == CONTENT


@pytest.mark.parametrize("path", ["changed", "long"])
def test_a_wrong_download_is_refused_and_not_kept(
    path: str, server: Server, own_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    register(monkeypatch, server, path)
    with pytest.raises(ModelError, match=rf"http://127\.0\.0\.1:\d+/{path}"):
        fetch("toy")
    assert list((own_cache / "toy").iterdir()) == []


def test_a_connection_that_breaks_is_no_model(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    register(monkeypatch, server, "short")
    with pytest.raises(ModelError, match=r"/short: Connection broken: .*try again later"):
        fetch("toy")
    assert server.asked == ["/short"] * 3
    with pytest.raises(ModelError, match="not on this machine"):
        locate("toy")


def test_a_page_that_is_not_there(server: Server, own_cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    register(monkeypatch, server, "gone")
    with pytest.raises(ModelError, match=rf"/gone: HTTP 404.*put gone\.pt into {own_cache / 'toy'} by hand"):
        fetch("toy")


def test_no_server(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    register(monkeypatch, server, "good")
    server.shutdown()
    server.server_close()
    with pytest.raises(ModelError, match=r"/good: .*refused.*try again"):
        fetch("toy")


def test_fetch_of_an_unknown_model() -> None:
    with pytest.raises(ModelError, match=f"nonesuch: unknown model; choose from {DEFAULT}"):
        fetch("nonesuch")


# --- the cache -------------------------------------------------------------------------------------------------------


def test_the_cache_folder_follows_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARAISITE_CACHE", str(tmp_path / "own"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_folder() == tmp_path / "own" / "models"
    monkeypatch.delenv("PARAISITE_CACHE")
    assert cache_folder() == tmp_path / "xdg" / "paraisite" / "models"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_folder() == tmp_path / ".cache" / "paraisite" / "models"
    monkeypatch.setenv("PARAISITE_CACHE", "~/here")
    assert cache_folder() == tmp_path / "here" / "models"
