"""`Child`: a process of its own that does what comes over a pipe, and ends with the one that started it."""

from __future__ import annotations

import os
from collections.abc import Callable
from multiprocessing import get_context, parent_process
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from threading import Thread
from typing import Any

from paraisite.processes.spawning import deaf, ignore_interrupts


class Child:
    """A process at the other end of a pipe; deaf to Ctrl-C, which the parent hears.

    Parameters
    ----------
    serve : callable
        Of a module; called in the process with its end of the pipe and with `args`.
    *args
        What can be pickled.
    """

    def __init__(self, serve: Callable[..., None], *args: Any) -> None:
        context = get_context("spawn")  # a fork of a process that has threads, as those of arrow, may hang
        self.pipe: Connection
        self.pipe, theirs = context.Pipe()
        self.process: SpawnProcess = context.Process(target=_begin, args=(serve, theirs, *args), daemon=True)
        with deaf():
            self.process.start()
        theirs.close()

    def end(self) -> None:
        """Have it end at once, whatever it does."""
        self.process.kill()
        self.process.join()
        self.pipe.close()


def _begin(serve: Callable[..., None], pipe: Connection, *args: Any) -> None:
    ignore_interrupts()
    Thread(target=_leave_with_parent, daemon=True).start()
    serve(pipe, *args)


def _leave_with_parent() -> None:
    """End with the parent: a killed run that is resumed must not meet processes of the first."""
    parent = parent_process()
    assert parent is not None
    parent.join()  # ends however the parent ends, killed or not
    os._exit(1)
