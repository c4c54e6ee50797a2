"""A worker of the service that crystals kill, hang or swell, by the names of their files; importable when spawned."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from multiprocessing.connection import Connection
from typing import Any

from paraisite.crystals.read import Item, Part
from paraisite.web import reading, worker
from paraisite.web.jobs import Setup, Upload

SWOLLEN: list[bytes] = []


def do_harm(name: str) -> None:
    if "deadly" in name:
        os.kill(os.getpid(), signal.SIGKILL)
    if "hanging" in name:
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGALRM})
        time.sleep(1000)
    if "swelling" in name:
        SWOLLEN.append(b"x" * (3 << 30))
        time.sleep(1000)


def serve(pipe: Connection, setup: Setup) -> None:
    """As `paraisite.web.worker.serve`; ``read-`` in a name does harm as it is read, else as it is predicted."""
    parts, predict = reading.parts, worker._predict

    def items(part: Part) -> Iterator[Item]:
        if "read-" in part.id:
            do_harm(part.id)
        yield from part.items

    def harmful_parts(upload: Upload, *args: Any) -> Iterator[Part]:
        if "open-" in upload.name:
            do_harm(upload.name)
        for part in parts(upload, *args):
            yield part._replace(items=items(part))

    def harmful(predictor: Any, chunk: list[Item], options: Any) -> Any:
        for item in chunk:
            do_harm(item.id)
        return predict(predictor, chunk, options)

    reading.parts, worker._predict = harmful_parts, harmful
    worker.serve(pipe, setup)
