"""Starting processes that leave Ctrl-C, which a terminal sends to all of them, to the one that started them."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def held(*signals: signal.Signals) -> Iterator[None]:
    """Hold signals back until the end; on Windows nothing is changed."""
    hold = getattr(signal, "pthread_sigmask", None)
    if hold is None:
        yield
        return
    before = hold(signal.SIG_BLOCK, signals)
    try:
        yield
    finally:
        hold(signal.SIG_SETMASK, before)


@contextmanager
def deaf() -> Iterator[None]:
    """Have processes that are spawned within never hear Ctrl-C; the mask of signals is inherited.

    `ignore_interrupts`, which they may call themselves, comes too late for their imports, but works on Windows, too.
    """
    if hasattr(signal, "pthread_sigmask"):
        from multiprocessing import resource_tracker

        resource_tracker.ensure_running()  # started by the first process, it would unblock what is blocked here
    with held(signal.SIGINT):
        yield


def ignore_interrupts() -> None:
    """Have this process ignore Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
