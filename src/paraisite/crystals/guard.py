"""The guard around every item: whatever goes wrong with one structure, or takes too long, costs its own row only."""

from __future__ import annotations

import logging
import math
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from paraisite.crystals.crystal import Crystal
from paraisite.crystals.files import DAMAGED
from paraisite.crystals.rejection import CrystalError, Rejection

SECONDS = 30.0
"""Longest that one crystal may be read for, and longest that it may be prepared for its prediction."""

_log = logging.getLogger(__name__)


class TimeExceeded(BaseException):
    """A limit of time is over; no `except Exception` of a reader takes it for an error of the file."""


@contextmanager
def limited(seconds: float = SECONDS) -> Iterator[None]:
    """Raise `TimeExceeded` in the code inside when the time is over, between two steps of Python.

    Only in the main thread, where the system has SIGALRM, and where nobody else uses it; elsewhere time is bounded by
    the limits on sizes alone. Within another limit, the earlier end counts.
    """
    outer = arm(seconds)
    try:
        yield
    finally:
        rearm(outer)


_getsignal = getattr(signal, "_signal", signal).getsignal  # without the making of an enum, for each item

_NONE = math.inf
_end = _NONE


def arm(seconds: float) -> float:
    """Let time end after some seconds, unless it does before; return when it ended otherwise."""
    outer, end = _end, time.monotonic() + seconds
    if end >= outer or not hasattr(signal, "SIGALRM") or threading.current_thread() is not threading.main_thread():
        return outer
    handler = _getsignal(signal.SIGALRM)
    if handler is not _expire:
        if handler != signal.SIG_DFL:
            return outer
        signal.signal(signal.SIGALRM, _expire)
    _set(end)
    return outer


def rearm(outer: float) -> None:
    """Undo what `arm` did, by what it returned."""
    if _end != outer:
        _set(outer)


def _set(end: float) -> None:
    global _end
    _end = end
    signal.setitimer(signal.ITIMER_REAL, 0.0 if end == _NONE else max(end - time.monotonic(), 1e-6))


def _expire(*_: object) -> None:
    if time.monotonic() >= _end:
        raise TimeExceeded


def guarded(id: str, source: str, make: Callable[..., Crystal | Rejection], *args: Any) -> Crystal | Rejection:
    """Return what ``make(*args)`` makes, or a rejection if it raises or takes longer than `SECONDS`.

    Parameters
    ----------
    id, source : str
        Of the rejection.
    make : callable
    args
    """
    outer = arm(SECONDS)
    try:
        return make(*args)
    except CrystalError as error:
        return Rejection(id, source, str(error))
    except (Exception, TimeExceeded) as error:
        return Rejection(id, source, explain(error))
    finally:
        rearm(outer)


def explain(error: BaseException) -> str:
    """Say what to do about an exception that no reader foresaw, without the words of Python."""
    if isinstance(error, TimeExceeded):
        return f"it takes longer than {SECONDS:g} s; give a smaller (primitive) cell or a smaller file"
    if isinstance(error, (MemoryError, RecursionError)):
        return "it is too large or nested too deeply; give a smaller or simpler file"
    if isinstance(error, DAMAGED):
        return f"it cannot be read ({cause(error)}); check permissions, or copy or pack it again"
    _log.debug("unforeseen", exc_info=error)
    return "it is not written as its format asks; write it again with the program that it came from, or as CIF"


def cause(error: Exception) -> str:
    """What went wrong, without the path that `source` gives already."""
    return str(getattr(error, "strerror", None) or error) or "it is damaged"
