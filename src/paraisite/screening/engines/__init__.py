"""Engines: what spreads the parts of a source over workers, by name in `ENGINES`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:  # the command line reads the names of engines, and starts fast
    from paraisite.screening.part import Part
    from paraisite.screening.work import Work


class EngineError(RuntimeError):
    """An engine cannot continue; finished parts are kept."""


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


def _processes(address: str | None) -> Engine:
    run: Engine = import_module(f"{__name__}.processes").run
    return run


def _ray(address: str | None) -> Engine:
    return partial(import_module(f"{__name__}.ray").run, address=address)


ENGINES: dict[str, Callable[[str | None], Engine]] = {"processes": _processes, "ray": _ray}
"""What gives each engine, by name; told the address of a cluster. A new engine is one entry here."""


def known(name: str) -> str:
    """Return the name of an engine.

    Raises
    ------
    ValueError
        If there is none of that name.
    """
    if name not in ENGINES:
        raise ValueError(f"{name!r} is not one of {', '.join(map(repr, ENGINES))}.")
    return name
