"""`Gate`: what every request passes first, and leaves last: who may ask, headers of safety, log, and cleaning up."""

from __future__ import annotations

import asyncio
import hmac
import json
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from paraisite.web.problems import Problem, unforeseen

LONGEST_PATH = 200
"""Characters of a path in the log."""

STOPPING = Problem(503, "stopping", "The service stops; ask again when it runs.", retry_after=30)

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cache-Control": "no-store",
}
"""Of every answer."""


@dataclass(eq=False)
class House:
    """What all requests share: a private folder, and how much of it is used.

    Attributes
    ----------
    root : Path
        Folder that only this user may open.
    held : int
        Bytes of bodies that are there.
    visits : int
        Requests for predictions that are being answered, or wait.
    """

    root: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="paraisite-serve-")))
    held: int = 0
    visits: int = 0

    def close(self) -> None:
        """Remove the folder."""
        shutil.rmtree(self.root, ignore_errors=True)


@dataclass(eq=False)
class Visit:
    """One request.

    Attributes
    ----------
    house : House
    count : int
        Rows of its answer.
    """

    house: House
    count: int = 0
    _held: int = 0
    _entered: bool = False
    _folder: Path | None = None
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)

    @property
    def folder(self) -> Path:
        """Private folder, made on use and removed at the end."""
        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(dir=self.house.root))  # of mode 0700
        return self._folder

    def hold(self, n: int, most: int) -> bool:
        """Count bytes of a body; return whether there is room for them."""
        self._held += n
        self.house.held += n
        return self.house.held <= most

    def enter(self, most: int) -> bool:
        """Ask for a place among the predictions."""
        if self.house.visits >= most:
            return False
        self.house.visits += 1
        self._entered = True
        return True

    def give_place(self) -> None:
        """Give the place among the predictions back: nothing is left to compute."""
        self.house.visits -= self._entered
        self._entered = False

    def start(self, task: asyncio.Task[None]) -> None:
        """Have a task end with the visit."""
        self._tasks.append(task)

    async def leave(self) -> None:
        """Give everything back."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self.house.held -= self._held
        self.give_place()
        if self._folder is not None:
            await asyncio.to_thread(shutil.rmtree, self._folder, ignore_errors=True)


def log_line(record: dict[str, object]) -> None:
    """Write a line of the access log to standard output."""
    with suppress(OSError, ValueError):  # a full disk ends no service
        sys.stdout.write(json.dumps(record) + "\n")
        sys.stdout.flush()


@dataclass(eq=False)
class Gate:
    """An ASGI application around another.

    Parameters
    ----------
    app : ASGIApp
    house : House
    hosts : frozenset of str
        Names under which the service may be asked; empty for any. A page that has its own name point at this machine
        (DNS rebinding) asks under another.
    token : str
        What a request must carry; empty for none.
    open_paths : callable
        Whether a path needs no token.
    patience : float
        Seconds that a client gets to take a piece of an answer.
    """

    app: ASGIApp
    house: House
    hosts: frozenset[str]
    token: str
    open_paths: Callable[[str], bool]
    patience: float
    log: Callable[[dict[str, object]], None] = log_line

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http":
            return
        began, since = datetime.now(UTC), time.monotonic()
        visit = scope["visit"] = Visit(self.house)
        status, size = 0, 0

        async def answer(message: Message) -> None:
            nonlocal status, size
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
            elif not message.get("more_body", False):  # who has the whole answer may ask again at once
                visit.give_place()
            async with asyncio.timeout(self.patience):
                await send(message)
            size += len(message.get("body", b""))

        try:
            if (problem := self._objection(scope)) is not None:
                await problem.response()(scope, receive, answer)
            else:
                await self.app(scope, receive, answer)
        except (ClientDisconnect, TimeoutError, OSError):
            pass  # nobody is there to be answered
        except asyncio.CancelledError:  # the service stops, and waits no longer
            await self._last(STOPPING, scope, receive, answer, status)
            raise
        except Exception as error:
            await self._last(unforeseen(error), scope, receive, answer, status)
        finally:
            await asyncio.shield(visit.leave())
            self.log(
                {
                    "time": began.isoformat(timespec="milliseconds"),
                    "method": scope["method"],
                    "path": scope["path"][:LONGEST_PATH],
                    "status": status,
                    "milliseconds": round(1e3 * (time.monotonic() - since), 1),
                    "bytes": size,
                    "count": visit.count,
                }
            )

    async def _last(self, problem: Problem, scope: Scope, receive: Receive, answer: Send, status: int) -> None:
        """Answer with a problem where nothing has been answered yet."""
        if not status:
            with suppress(OSError, TimeoutError):
                await problem.response()(scope, receive, answer)

    def _objection(self, scope: Scope) -> Problem | None:
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if self.hosts and hostname(host) not in self.hosts:
            return Problem(
                421, "wrong-host", "The service does not answer under this name; see the option --allow-host."
            )
        origin = headers.get("origin")
        if origin is not None and urlsplit(origin).netloc.lower() != host.lower():
            return Problem(403, "wrong-origin", "Pages of other sites may not use this service.")
        if self.token and not self.open_paths(scope["path"]):
            scheme, _, given = headers.get("authorization", "").partition(" ")
            right = hmac.compare_digest(given.strip().encode("latin-1"), self.token.encode())
            if scheme.lower() != "bearer" or not right:
                return Problem(401, "no-token", "Give the token: -H 'Authorization: Bearer TOKEN'.")
        return None


def hostname(host: str) -> str:
    """Name in a Host header, without its port; empty where it is none."""
    try:
        return urlsplit(f"//{host}").hostname or ""
    except ValueError:
        return ""
