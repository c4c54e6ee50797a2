"""Starting processes that leave Ctrl-C, which a terminal sends to all of them, to the one that started them."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def deaf() -> Iterator[None]:
    """Have processes that are spawned within never hear Ctrl-C; the mask of signals is inherited.

    `ignore_interrupts`, which they may call themselves, comes too late for their imports, but works on Windows, too.
    """
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    from multiprocessing import resource_tracker

    resource_tracker.ensure_running()  # started by the first process instead, it would unblock what is blocked here
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def ignore_interrupts() -> None:
    """Have this process ignore Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
