"""Downloads over real (loopback) HTTP: verified, whole or not at all, resumed."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from serving import Behaviour, FileServer

from paraisite.network import downloading
from paraisite.network.downloading import DownloadError, Remote, address, cache_folder, download, git_blob, git_tree

CONTENT = bytes(range(256)) * 4000  # 1 MB: several chunks
DIGEST = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(downloading, "WAITS", (0.0, 0.0))


@pytest.fixture
def remote(file_server: FileServer) -> Remote:
    file_server.files["/data/file.bin"] = CONTENT
    return Remote(f"{file_server.url}/data/file.bin", DIGEST, bytes=len(CONTENT))


def only(folder: Path) -> dict[str, int]:
    """Names and sizes of everything in a folder."""
    return {path.name: path.stat().st_size for path in folder.iterdir()} if folder.exists() else {}


def test_a_file_arrives_once(file_server: FileServer, remote: Remote, tmp_path: Path) -> None:
    told: list[int] = []
    target = download(remote, tmp_path / "a" / "file.bin", told.append)
    assert target.read_bytes() == CONTENT
    assert only(target.parent) == {"file.bin": len(CONTENT)}
    assert sum(told) == len(CONTENT)
    assert len(told) > 2
    download(remote, target, told.append)
    assert file_server.asked == [("/data/file.bin", "")]
    assert sum(told) == 2 * len(CONTENT)


def test_a_wrong_file_of_that_name_is_replaced(remote: Remote, tmp_path: Path) -> None:
    (tmp_path / "file.bin").write_bytes(CONTENT[:-1] + b"!")
    assert download(remote, tmp_path / "file.bin").read_bytes() == CONTENT


def flipped(content: bytes) -> bytes:
    return content[:5000] + bytes([content[5000] ^ 1]) + content[5001:]


@pytest.mark.parametrize("known_size", [True, False])
def test_a_flipped_bit_is_refused_named_and_not_kept(
    file_server: FileServer, remote: Remote, tmp_path: Path, known_size: bool
) -> None:
    file_server.behave["/data/file.bin"] = [Behaviour(change=flipped)]
    if not known_size:
        remote = Remote(remote.url, remote.digest)
    with pytest.raises(DownloadError) as error:
        download(remote, tmp_path / "file.bin")
    found = hashlib.sha256(flipped(CONTENT)).hexdigest()
    assert str(error.value).startswith(f"{remote.url}: not the registered file (sha256 {found}, expected {DIGEST}; ")
    assert only(tmp_path) == {}
    assert download(remote, tmp_path / "file.bin").read_bytes() == CONTENT


def test_a_larger_file_is_refused_early(file_server: FileServer, remote: Remote, tmp_path: Path) -> None:
    file_server.behave["/data/file.bin"] = [Behaviour(change=lambda content: content * 50)]
    with pytest.raises(DownloadError, match=f"larger than the {len(CONTENT)} bytes expected"):
        download(remote, tmp_path / "file.bin")
    assert only(tmp_path) == {}


@pytest.mark.parametrize("length", [True, False])
def test_a_broken_connection_is_taken_up_again(
    file_server: FileServer, remote: Remote, tmp_path: Path, length: bool
) -> None:
    file_server.behave["/data/file.bin"] = [Behaviour(cut=n, length=length) for n in (300_000, 70_000, 1)] * 2
    told: list[int] = []
    assert download(remote, tmp_path / "file.bin", told.append).read_bytes() == CONTENT
    starts = [int(asked.removeprefix("bytes=").removesuffix("-") or 0) for _, asked in file_server.asked]
    came = [0, 300_000, 370_000, 370_001, 670_001, 740_001, 740_002]
    lost = downloading.CHUNK * len(came) if length else 0  # where the end is known, the last chunk is not handed out
    assert all(n - lost <= start <= n for start, n in zip(starts, came, strict=True))
    assert starts[-1] > 600_000
    assert sum(told) == len(CONTENT)


def test_what_came_is_kept_for_the_next_call(file_server: FileServer, remote: Remote, tmp_path: Path) -> None:
    file_server.behave["/data/file.bin"] = [Behaviour(cut=500_000), *[Behaviour(status=503)] * 2]
    with pytest.raises(DownloadError, match=r"HTTP 503 .*try again later; \d+ bytes are kept"):
        download(remote, tmp_path / "file.bin")
    kept = only(tmp_path)["file.bin.part"]
    assert only(tmp_path) == {"file.bin.part": kept}
    assert 500_000 - downloading.CHUNK < kept <= 500_000
    file_server.asked.clear()
    assert download(remote, tmp_path / "file.bin").read_bytes() == CONTENT
    assert file_server.asked == [("/data/file.bin", f"bytes={kept}-")]
    assert only(tmp_path) == {"file.bin": len(CONTENT)}


def test_a_server_without_ranges_gives_everything_again(
    file_server: FileServer, remote: Remote, tmp_path: Path
) -> None:
    file_server.behave["/data/file.bin"] = [Behaviour(cut=500_000), Behaviour(ranges=False)]
    told: list[int] = []
    assert download(remote, tmp_path / "file.bin", told.append).read_bytes() == CONTENT
    assert [range_[:8] for _, range_ in file_server.asked] == ["", "bytes=49"]
    assert sum(told) == len(CONTENT)


@pytest.mark.parametrize("left", [b"x" * 1000, b"x" * len(CONTENT), b"x" * (len(CONTENT) + 5)])
def test_what_an_earlier_try_left_may_be_wrong(
    file_server: FileServer, remote: Remote, tmp_path: Path, left: bytes
) -> None:
    (tmp_path / "file.bin.part").write_bytes(left)
    told: list[int] = []
    assert download(remote, tmp_path / "file.bin", told.append).read_bytes() == CONTENT
    assert file_server.asked[-1] == ("/data/file.bin", "")
    assert sum(told) == len(CONTENT)


def test_a_complete_part_is_not_asked_for_again(file_server: FileServer, remote: Remote, tmp_path: Path) -> None:
    (tmp_path / "file.bin.part").write_bytes(CONTENT)
    assert download(remote, tmp_path / "file.bin").read_bytes() == CONTENT
    assert file_server.asked == []


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_busy_server_is_asked_again(file_server: FileServer, remote: Remote, tmp_path: Path, status: int) -> None:
    file_server.behave["/data/file.bin"] = [Behaviour(status=status, headers={"Retry-After": "0"})] * 2
    assert download(remote, tmp_path / "file.bin").read_bytes() == CONTENT
    assert len(file_server.asked) == 3


def test_the_server_says_how_long_to_wait(
    file_server: FileServer, remote: Remote, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append)
    file_server.behave["/data/file.bin"] = [Behaviour(status=429, headers={"Retry-After": "7"})]
    download(remote, tmp_path / "file.bin")
    assert 7.0 in slept
    file_server.behave["/data/file.bin"] = [Behaviour(status=429, headers={"Retry-After": "3600"})]
    with pytest.raises(DownloadError, match="HTTP 429"):
        download(remote, tmp_path / "other.bin")


@pytest.mark.parametrize("status", [401, 403, 404, 410])
def test_a_refusal_is_final(file_server: FileServer, remote: Remote, tmp_path: Path, status: int) -> None:
    file_server.behave["/data/file.bin"] = [Behaviour(status=status)]
    with pytest.raises(DownloadError, match=rf"file\.bin: HTTP {status} .*check the address"):
        download(remote, tmp_path / "file.bin")
    assert len(file_server.asked) == 1
    assert only(tmp_path) == {}


def test_redirects_are_followed_and_few(file_server: FileServer, remote: Remote, tmp_path: Path) -> None:
    moved = Behaviour(status=302, headers={"Location": "/data/moved.bin"})
    file_server.files["/data/moved.bin"] = CONTENT
    (tmp_path / "file.bin.part").write_bytes(CONTENT[:1000])
    file_server.behave["/data/file.bin"] = [moved]
    assert download(remote, tmp_path / "file.bin").read_bytes() == CONTENT
    assert file_server.asked == [("/data/file.bin", "bytes=1000-"), ("/data/moved.bin", "bytes=1000-")]
    file_server.behave["/data/file.bin"] = [moved]
    file_server.behave["/data/moved.bin"] = [moved] * 9
    with pytest.raises(DownloadError, match=r"file\.bin: more than 4 redirects"):
        download(remote, tmp_path / "other.bin")


@pytest.mark.parametrize("url", ["ftp://example.org/file.bin", "file:///etc/passwd", "https://me:secret@example.org/f"])
def test_addresses_that_are_not_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.delenv("PARAISITE_UPSTREAM", raising=False)
    with pytest.raises(DownloadError, match="address") as error:
        download(Remote(url, DIGEST), tmp_path / "file.bin")
    assert "secret" not in str(error.value)
    assert only(tmp_path) == {}


def test_no_server(file_server: FileServer, remote: Remote, tmp_path: Path) -> None:
    file_server.stop()
    with pytest.raises(DownloadError, match=r"file\.bin: Failed to establish .*refused \(3 times\); check"):
        download(remote, tmp_path / "file.bin")


def test_a_killed_process_resumes(file_server: FileServer, remote: Remote, tmp_path: Path) -> None:
    release = threading.Event()
    file_server.behave["/data/file.bin"] = [Behaviour(cut=600_000, wait=release)]
    code = (
        "import sys; from pathlib import Path; from paraisite.network.downloading import *;"
        "download(Remote(sys.argv[1], sys.argv[2], bytes=int(sys.argv[3])), Path(sys.argv[4]))"
    )
    target = tmp_path / "file.bin"
    command = [sys.executable, "-c", code, remote.url, remote.digest, str(remote.bytes), str(target)]
    process = subprocess.Popen(command)
    part = target.with_name("file.bin.part")
    deadline = time.monotonic() + 30
    # the last chunk may still wait in the process; most of the bytes must be on the disk
    while not (part.exists() and part.stat().st_size > 400_000):
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL if hasattr(signal, "SIGKILL") else signal.SIGTERM)
    process.wait()
    release.set()
    kept = part.stat().st_size
    assert not target.exists()
    subprocess.run(command, check=True)
    assert target.read_bytes() == CONTENT
    assert not part.exists()
    assert file_server.asked == [("/data/file.bin", ""), ("/data/file.bin", f"bytes={kept}-")]


# --- git's hashes -----------------------------------------------------------------------------------------------------


def test_hashes_are_those_of_git(tmp_path: Path) -> None:
    folder = tmp_path / "repository"
    folder.mkdir()
    environment = {"GIT_CONFIG_GLOBAL": os.devnull, "HOME": str(tmp_path), "PATH": os.environ["PATH"]}

    def git(*args: str) -> str:
        command = ["git", "-c", "core.autocrlf=false", *args]
        return subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True, text=True).stdout

    git("init", "-q")
    for name, content in {"b.cif": b"one\n", "B.cif": b"", "a-ä.cif": bytes(range(256))}.items():
        (folder / name).write_bytes(content)
    git("add", ".")
    tree = git("write-tree").strip()
    entries = []
    for line in git("ls-tree", "-z", tree).split("\0")[:-1]:
        about, name = line.split("\t")
        mode, kind, sha = about.split()
        assert git_blob(folder / name) == sha
        entries.append({"path": name, "mode": mode, "type": kind, "sha": sha})
    listing = tmp_path / "listing"
    listing.write_text(json.dumps({"sha": tree, "tree": entries[::-1], "truncated": False}))
    assert git_tree(listing) == tree
    entries[0]["sha"] = entries[1]["sha"]
    listing.write_text(json.dumps({"tree": entries}))
    assert git_tree(listing) != tree


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"tree": 3}', '{"tree": [{"path": "a"}]}', '{"message": "limit"}'])
def test_what_is_no_listing_has_no_hash(tmp_path: Path, text: str) -> None:
    (tmp_path / "listing").write_text(text)
    assert git_tree(tmp_path / "listing") == ""


def test_git_hashes_verify(file_server: FileServer, remote: Remote, tmp_path: Path) -> None:
    (tmp_path / "known").write_bytes(CONTENT)
    right = Remote(remote.url, git_blob(tmp_path / "known"), "git blob", len(CONTENT))
    assert download(right, tmp_path / "file.bin").read_bytes() == CONTENT
    wrong = Remote(remote.url, "0" * 40, "git blob", len(CONTENT))
    with pytest.raises(DownloadError, match=r"git blob .*, expected 0{40}"):
        download(wrong, tmp_path / "other.bin")
    assert not (tmp_path / "other.bin").exists()


# --- places -----------------------------------------------------------------------------------------------------------


def test_another_address_may_stand_in(file_server: FileServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PARAISITE_UPSTREAM", raising=False)
    url = "https://example.org/some/file.bin"
    assert address(url) == url
    monkeypatch.setenv("PARAISITE_UPSTREAM", file_server.url + "/mirror/")
    file_server.files["/mirror/example.org/some/file.bin"] = CONTENT
    assert download(Remote(url, DIGEST), tmp_path / "file.bin").read_bytes() == CONTENT
    monkeypatch.setenv("PARAISITE_UPSTREAM", "intranet")
    with pytest.raises(DownloadError, match="PARAISITE_UPSTREAM"):
        download(Remote(url, DIGEST), tmp_path / "other.bin")


def test_the_cache_follows_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARAISITE_CACHE", str(tmp_path / "own"))
    assert cache_folder() == tmp_path / "own"
    monkeypatch.delenv("PARAISITE_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "paraisite"
