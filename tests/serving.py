"""A real HTTP server on loopback that serves files, and misbehaves as told."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType


@dataclass
class Behaviour:
    """What is wrong with one answer."""

    status: int = 200
    """Another answer than the file."""
    cut: int | None = None
    """Close the connection after so many bytes of the body."""
    change: Callable[[bytes], bytes] = lambda content: content
    """What happens to the bytes on the way."""
    ranges: bool = True
    """Whether the server knows how to give a part of a file."""
    length: bool = True
    """Whether it says how much it is going to send."""
    wait: threading.Event | None = None
    """Hold the answer after `cut` bytes until this is set."""
    headers: dict[str, str] = field(default_factory=dict)


class FileServer:
    """Serves `files` (path -> content or file) on loopback; `behave[path]` holds the behaviours of its next answers."""

    def __init__(self) -> None:
        self.files: dict[str, bytes | Path] = {}
        self.behave: dict[str, list[Behaviour]] = {}
        self.asked: list[tuple[str, str]] = []
        """Path and range of every request."""
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True  # else each answer waits 40 ms for the other side to confirm its head

            def do_GET(self) -> None:
                server.answer(self)

            def log_message(self, *_: object) -> None:
                pass

        class Quiet(ThreadingHTTPServer):
            def handle_error(self, *_: object) -> None:  # who asked may have gone
                pass

        self._http = Quiet(("127.0.0.1", 0), Handler)
        self._http.daemon_threads = True
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._http.server_address[1]}"

    def __enter__(self) -> FileServer:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def stop(self) -> None:
        self._http.shutdown()
        self._http.server_close()

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        path, range_ = request.path, request.headers.get("Range", "")
        self.asked.append((path, range_))
        found = self.files.get(path)
        waiting = self.behave.get(path)
        behaviour = waiting.pop(0) if waiting else Behaviour()
        if found is None:
            behaviour = Behaviour(status=404)
        if behaviour.status != 200:
            request.send_response(behaviour.status)
            request.send_header("Content-Length", "0")
            for name, value in behaviour.headers.items():
                request.send_header(name, value)
            request.end_headers()
            return
        content = found.read_bytes() if isinstance(found, Path) else bytes(found or b"")
        body, start = behaviour.change(content), 0
        if behaviour.ranges and (parts := re.fullmatch(r"bytes=(\d+)-", range_)):
            start = int(parts[1])
            if start >= len(body):
                request.send_response(416)
                request.send_header("Content-Length", "0")
                request.end_headers()
                return
            request.send_response(206)
            request.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        else:
            request.send_response(200)
        body = body[start:]
        if behaviour.length:
            request.send_header("Content-Length", str(len(body)))
        else:
            request.send_header("Connection", "close")
            request.close_connection = True
        request.end_headers()
        try:
            request.wfile.write(body[: behaviour.cut])
            if behaviour.cut is not None and behaviour.wait is not None:
                request.wfile.flush()
                behaviour.wait.wait(30)
                request.wfile.write(body[behaviour.cut :])
        except OSError:  # whoever asked is gone
            request.close_connection = True
        if behaviour.cut is not None:
            request.close_connection = True
