"""Engines: what spreads the parts of a source over workers. Each is a module with a function `run`."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from functools import partial
from importlib import import_module
from typing import Literal, Protocol, cast

from paraisite.screening.part import Part
from paraisite.screening.work import Work

EngineName = Literal["processes", "ray"]


class EngineError(RuntimeError):
    """An engine cannot go on; finished parts are kept."""


class WorkError(ValueError):
    """The work itself cannot be done, with any part: the model or an option is wrong."""


class Engine(Protocol):
    """What carries out a work."""

    def __call__(self, work: Work, parts: Iterable[Part], *, workers: int | None) -> Iterator[tuple[Part, bytes]]:
        """Yield each part with its rows, in any order, as they are done; close the iterator to stop.

        By default there are as many workers as the engine has cores.
        No more than a few parts for each worker are taken ahead. A worker that dies is replaced; its part is tried
        again, then input by input, so that only the one that kills is rejected.

        Raises
        ------
        WorkError
            If no worker can start on the work.
        EngineError
            If workers cannot be had, or the work fails for a reason that lies in no crystal.
        """


def cores() -> int:
    """Number of cores of this machine that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def engine(name: EngineName, address: str | None = None) -> Engine:
    """Return an engine by name; the address is that of a Ray cluster."""
    run = import_module(f"{__name__}.{name}").run
    return cast(Engine, partial(run, address=address) if name == "ray" else run)
