"""`download`: a public file, verified, whole or not at all, and resumed where it broke off."""

from __future__ import annotations

import hashlib
import json
import os
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from requests import Response

    from paraisite.network.http import Session

CHUNK = 1 << 14
"""Bytes; a broken connection costs less than this."""
TIMEOUT = (10.0, 60.0)
"""Seconds to connect, and to wait for the next bytes."""
WAITS = (1.0, 2.0, 4.0)
"""Seconds between tries that bring nothing new; a try that brings something starts again."""
MAX_BYTES = 100_000_000
"""Limit for a file whose size is not registered."""


class DownloadError(ValueError):
    """A file cannot be had; the message names its address, what came, and what to do."""


def git_blob(path: Path) -> str:
    """Hash of a file's content in git: sha1 of ``blob SIZE`` and a zero byte, then the content."""
    content = path.read_bytes()
    return hashlib.sha1(b"blob %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def git_tree(path: Path) -> str:
    """Hash of a folder in git, computed from its listing as GitHub's API gives it.

    A tree object is, for each entry, ``MODE NAME``, a zero byte and the 20 bytes of the entry's hash, in the order of
    the names as bytes (https://git-scm.com/book/en/v2/Git-Internals-Git-Objects). Folders within it are not expected.
    What is not a listing has no hash: an empty text.
    """
    try:
        entries = sorted((entry["path"].encode(), entry["mode"], entry["sha"]) for entry in read_listing(path))
        content = b"".join(mode.encode() + b" " + name + b"\0" + bytes.fromhex(sha) for name, mode, sha in entries)
    except (KeyError, TypeError, AttributeError, ValueError):
        return ""
    return hashlib.sha1(b"tree %d\0" % len(content) + content, usedforsecurity=False).hexdigest()


def read_listing(path: Path) -> list[dict[str, Any]]:
    """Entries (`path`, `mode`, `sha`, `size`) of a folder's listing as GitHub's API gives it."""
    entries: list[dict[str, Any]] = json.loads(path.read_bytes())["tree"]
    return entries


def sha256(path: Path) -> str:
    """Sha256 of a file's content."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


DIGESTS: dict[str, Callable[[Path], str]] = {"sha256": sha256, "git blob": git_blob, "git tree": git_tree}
"""How a file is verified."""


@dataclass(frozen=True, slots=True)
class Remote:
    """A file to download.

    Attributes
    ----------
    url : str
        Its public address.
    digest : str
        What `DIGESTS[kind]` must give for its content.
    kind : {"sha256", "git blob", "git tree"}
    bytes : int or None
        Its size, where that is known.
    """

    url: str
    digest: str
    kind: str = "sha256"
    bytes: int | None = None

    def is_at(self, path: Path) -> bool:
        """Tell whether this very file is at a path."""
        return path.is_file() and DIGESTS[self.kind](path) == self.digest


def cache_folder() -> Path:
    """Folder of what is fetched: PARAISITE_CACHE, else the user's cache folder (XDG base directory specification)."""
    if own := os.environ.get("PARAISITE_CACHE"):
        return Path(own).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "paraisite"


def downloads_folder(url: str) -> Path:
    """Place of a downloaded file: ``downloads/HOST/PATH`` in the cache, as `wget -x` and PARAISITE_UPSTREAM have it."""
    return cache_folder() / "downloads" / url.partition("://")[2]


def address(url: str) -> str:
    """Where a public address is asked: itself, or PARAISITE_UPSTREAM/HOST/PATH if that is set.

    Who has no way out serves a folder of the files (made by `wget -x`, or the `downloads` of another machine's cache)
    and names its address; what comes is verified too.
    """
    base = os.environ.get("PARAISITE_UPSTREAM")
    return f"{base.rstrip('/')}/{url.partition('://')[2]}" if base else url


def download(remote: Remote, target: Path, advance: Callable[[int], object] = lambda n: None) -> Path:
    """Download a file, unless it is there.

    What has arrived stands in ``NAME.part`` beside the target. Whatever ends the download (even the power), the next
    one asks for the rest only; a server that does not know how to give the rest gives everything. The file takes its
    name once it is complete and verified. Tries that fail for a reason that may not last (no connection, a broken one,
    a busy server) are repeated.

    Parameters
    ----------
    remote : Remote
    target : Path
        Name of the file; its folder is made.
    advance : callable
        Told the number of bytes that arrived, time and again (negative where some turn out useless).

    Raises
    ------
    DownloadError
        If the file cannot be had, is larger than it should be, or is not the registered one; such content is not kept.
    """
    if remote.is_at(target):
        advance(target.stat().st_size)
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)  # it is not the registered file
    _Resuming(remote, target.with_name(target.name + ".part"), advance).complete(address(remote.url))
    os.replace(target.with_name(target.name + ".part"), target)
    return target


class _Resuming:
    """What has arrived of a file, and how the rest arrives."""

    def __init__(self, remote: Remote, part: Path, advance: Callable[[int], object]) -> None:
        self.remote, self.part, self.advance = remote, part, advance

    def complete(self, url: str) -> None:
        """Have the whole file, verified."""
        resumed = self._size()
        self.advance(resumed)
        while True:
            self._arrive(url)
            found = DIGESTS[self.remote.kind](self.part)
            if found == self.remote.digest:
                return
            size = self._discard()
            if not resumed:
                raise DownloadError(
                    f"{url}: not the registered file ({self.remote.kind} {found or 'of nothing known'}, expected "
                    f"{self.remote.digest}; {size} bytes); it was discarded, try again; if the error persists, the "
                    "file has changed at its source or in transit"
                )
            resumed = 0  # what an earlier download left may be at fault: once more from the start

    def _arrive(self, url: str) -> None:
        """Ask until everything is there."""
        from paraisite.network.http import AddressError, SourceError, repeat

        try:
            repeat(lambda: self._ask(url), WAITS, arrived=self._size)
        except AddressError as error:
            raise DownloadError(f"{error} (PARAISITE_UPSTREAM?)") from None
        except SourceError as error:
            kept = f"; {self._size()} bytes are kept, the next attempt resumes there" if self._size() else ""
            raise DownloadError(f"{url}: {error.came}; {error.remedy}{kept}") from None

    def _ask(self, url: str) -> None:
        """Ask once for what is missing."""
        from paraisite.network.http import Again

        expected, have = self.remote.bytes, self._size()
        if have and have == expected:
            return
        headers = {"Accept-Encoding": "identity"}  # the bytes asked for are those of the file, not compressed ones
        if have:
            headers["Range"] = f"bytes={have}-"
        with _session().answer("GET", url, headers=headers) as response:
            self._take(url, response, have)
        if expected is not None and self._size() < expected:
            raise Again(url, f"only {self._size()} of {expected} bytes", "try again later")

    def _take(self, url: str, response: Response, have: int) -> None:
        from paraisite.network.http import Again, refuse_busy

        status = response.status_code
        refuse_busy(url, response, response.reason)
        if status == 416:  # more is here than there is: left over from another file
            self._discard()
            raise Again(url, "HTTP 416: the partial file of an earlier attempt does not match", "try again later")
        if status not in (200, 206):
            raise DownloadError(f"{url}: HTTP {status} {response.reason}; check the address, and the network's proxy")
        goes_on = status == 206 and re.match(rf"bytes {have}-", response.headers.get("Content-Range", "")) is not None
        if not goes_on:
            self.advance(-have)
            have = 0
        limit = MAX_BYTES if self.remote.bytes is None else self.remote.bytes
        with self.part.open("ab" if goes_on else "wb") as file:
            for chunk in response.iter_content(CHUNK):
                have += len(chunk)
                if have > limit:
                    break
                file.write(chunk)
                self.advance(len(chunk))
        if have > limit:
            self._discard()
            raise DownloadError(f"{url}: larger than the {limit} bytes expected, so not the registered file; try again")

    def _size(self) -> int:
        return self.part.stat().st_size if self.part.exists() else 0

    def _discard(self) -> int:
        """Remove what was kept and return its size."""
        size = self._size()
        self.part.unlink(missing_ok=True)
        self.advance(-size)
        return size


_threads = threading.local()


def _session() -> Session:
    """Return this thread's session: connections stay open from file to file."""
    from paraisite.network.http import Session

    if not hasattr(_threads, "session"):
        _threads.session = Session(timeout=TIMEOUT)
    session: Session = _threads.session
    return session
