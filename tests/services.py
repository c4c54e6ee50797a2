"""A real service for tests: `paraisite serve` as a process on a free port."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests


@dataclass
class Running:
    """A running service: its address, process, access log, and the folder for its temporary files."""

    url: str
    process: subprocess.Popen[str]
    log_file: Path
    temporary: Path

    @property
    def api(self) -> str:
        return f"{self.url}/api/v1"

    def predict(self, files: Any = None, **how: Any) -> requests.Response:
        if isinstance(files, dict):
            files = [("file", item) for item in files.items()]
        return requests.post(f"{self.api}/predict", files=files, timeout=120, **how)

    def log(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log_file.read_text().splitlines()]

    def workers(self) -> list[int]:
        """Process ids of the workers."""
        found = []
        for stat in Path("/proc").glob("[0-9]*/stat"):
            try:
                pid, rest = int(stat.parent.name), stat.read_text().rpartition(")")[2].split()
                command = (stat.parent / "cmdline").read_bytes()
            except OSError:
                continue
            if int(rest[1]) == self.process.pid and b"spawn_main" in command:
                found.append(pid)
        return sorted(found)

    def uploads(self) -> list[Path]:
        """Files that the service holds."""
        return [path for path in self.temporary.rglob("*") if path.is_file()]

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(60)


@contextmanager
def serving(*args: object, env: dict[str, str] | None = None) -> Iterator[Running]:
    """Start `paraisite serve ARGS` on a free port, and end it."""
    with tempfile.TemporaryDirectory(prefix="serving") as name:
        folder = Path(name)
        (folder / "tmp").mkdir()
        log, said = folder / "log", folder / "said"
        command = [sys.executable, "-m", "paraisite.cli.main", "serve", "--port", "0", *map(str, args)]
        variables = os.environ | {"OMP_NUM_THREADS": "1", "TMPDIR": str(folder / "tmp")} | (env or {})
        with log.open("w") as out, said.open("w") as err:
            process = subprocess.Popen(command, text=True, stdout=out, stderr=err, env=variables)
        try:
            ends = time.monotonic() + 180
            while "serving at " not in said.read_text():
                assert process.poll() is None, said.read_text()
                assert time.monotonic() < ends, said.read_text()
                time.sleep(0.1)
            url = said.read_text().partition("serving at ")[2].split()[0]
            yield Running(url, process, log, folder / "tmp")
        finally:
            process.kill()
            process.wait()


def until(condition: Any, seconds: float = 60.0) -> None:
    """Wait for something to become true."""
    ends = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < ends, "it did not happen in time"
        time.sleep(0.05)
