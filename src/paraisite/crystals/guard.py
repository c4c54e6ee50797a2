"""The guard around every item: whatever goes wrong with one structure, or takes too long, costs its own row only."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from paraisite.crystals.crystal import Crystal
from paraisite.crystals.files import DAMAGED
from paraisite.crystals.rejection import CrystalError, Rejection
from paraisite.processes.limits import TimeExceeded, arm, rearm

SECONDS = 30.0
"""Longest that one crystal may be read for, and longest that it may be prepared for its prediction."""

_log = logging.getLogger(__name__)


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
    return "it does not follow its file format; write it again with the program that made it, or as CIF"


def cause(error: Exception) -> str:
    """What went wrong, without the path that `source` gives already."""
    return str(getattr(error, "strerror", None) or error) or "it is damaged"
