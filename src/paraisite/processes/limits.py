"""Time, memory and cores of a process, as far as the operating system bounds or tells them.

Only this module and `spawning` use what some operating systems lack.
"""

from __future__ import annotations

import math
import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class TimeExceeded(BaseException):
    """A limit of time is over; no `except Exception` of a reader takes it for an error of the file."""


@contextmanager
def limited(seconds: float) -> Iterator[None]:
    """Raise `TimeExceeded` in the code inside when the time is over, between two steps of Python.

    Only in the main thread, where the system has SIGALRM, and where it is unused; elsewhere time is bounded by
    the limits on sizes alone. Within another limit, the earlier end counts.
    """
    outer = arm(seconds)
    try:
        yield
    finally:
        rearm(outer)


_getsignal = getattr(signal, "_signal", signal).getsignal  # without the making of an enum, for each item

PATIENCE = 4
"""Times a limit that a process may take where it waits for the processor: a busy machine makes no crystal slow."""

Limit = tuple[float, float, float]
"""When time ends: by the clock, by the processor time of this process, and in any case, by the clock again."""

NO_LIMIT: Limit = (math.inf, math.inf, math.inf)
_limit = NO_LIMIT


def arm(seconds: float) -> Limit:
    """Let time end after some seconds, unless it does before; return when it ended otherwise."""
    outer, now = _limit, time.monotonic()
    end = now + seconds
    if end >= outer[0] or not hasattr(signal, "SIGALRM") or threading.current_thread() is not threading.main_thread():
        return outer
    handler = _getsignal(signal.SIGALRM)
    if handler is not _expire:
        if handler != signal.SIG_DFL:
            return outer
        signal.signal(signal.SIGALRM, _expire)
    _set((end, time.process_time() + seconds, now + PATIENCE * seconds))
    return outer


def rearm(outer: Limit) -> None:
    """Undo what `arm` did, by what it returned."""
    if _limit != outer:
        _set(outer)


def _set(limit: Limit) -> None:
    global _limit
    _limit = limit
    signal.setitimer(signal.ITIMER_REAL, 0.0 if limit == NO_LIMIT else max(limit[0] - time.monotonic(), 1e-6))


def _expire(*_: object) -> None:
    end, due, last = _limit
    now, left = time.monotonic(), due - time.process_time()
    if now < end:
        return
    if left > 0 and now < last:
        signal.setitimer(signal.ITIMER_REAL, max(1e-6, min(left, last - now)))
        return
    raise TimeExceeded


def cores() -> int:
    """Number of cores of this machine that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def peak_memory_MB() -> float | None:
    """Greatest resident size of this process so far; None where the system does not tell (Windows)."""
    try:
        import resource
    except ImportError:
        return None
    size = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return size / 1e6 if sys.platform == "darwin" else size / 1e3  # bytes on macOS, kB elsewhere


def memory_GB(process: int | None) -> float:
    """Resident size of another process, by its id; 0 where the system does not tell (anything but Linux)."""
    try:
        pages = int(Path(f"/proc/{process}/statm").read_text(encoding="ascii").split()[1])
    except (OSError, IndexError, ValueError):
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e9
