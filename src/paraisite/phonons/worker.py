"""A process that calculates one crystal after the other, so that whatever happens to it costs one row."""

from __future__ import annotations

import contextlib
import os
import time
from dataclasses import asdict, dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paraisite.crystals.crystal import Crystal
from paraisite.phonons.claim import Taken, fingerprint
from paraisite.phonons.result import Result
from paraisite.phonons.settings import QuickSettings, Settings

if TYPE_CHECKING:
    from paraisite.model.lifetime import Expected


@dataclass(frozen=True, slots=True)
class Task:
    """One crystal, where its files go, what its BORN file holds (empty without one), and what is predicted of it."""

    crystal: Crystal
    folder: Path
    born: str = ""
    expected: Expected | None = None


@dataclass(frozen=True, slots=True)
class Job:
    """What all tasks of a worker share."""

    settings: Settings | QuickSettings
    mirror: str | None
    device: str
    figures: bool


def serve(connection: Connection, job: Job) -> None:
    """Calculate tasks that come over a connection until it is closed; runs in a process of its own.

    Sends ("ready", None), then for each task ("say", text), ("tick", (done, total)) and ("expect", seconds), and
    ("done", row) in the end; ("broken", reason) if the potential cannot be loaded.
    """
    from paraisite import potentials

    begin = time.perf_counter()
    try:
        if isinstance(job.settings, QuickSettings):
            from paraisite.phonons import quick_result  # noqa: F401  (its imports are not part of a crystal's seconds)
        calculator = potentials.load(job.settings.potential, job.mirror, job.device)
    except Exception as error:
        _send(connection, "broken", str(error))
        return
    load_seconds = time.perf_counter() - begin
    _send(connection, "ready", None)
    while True:
        try:
            task = connection.recv()
        except EOFError:
            return
        _send(connection, "done", _calculate(task, calculator, job, load_seconds, connection))


def _calculate(task: Task, calculator: Any, job: Job, load_seconds: float, connection: Connection) -> dict[str, Any]:
    try:
        if isinstance(job.settings, QuickSettings):
            from paraisite.phonons.quick_result import calculate_quick

            result = calculate_quick(task.crystal, task.folder, calculator, job.settings, task.expected)
            result.details["load_seconds"] = round(load_seconds, 3)
        else:
            result = _conductivity(task, calculator, job.settings, connection)
        result.write(task.folder)
        if job.figures and isinstance(job.settings, Settings):
            draw_or_say(task.folder, result)
    except Exception as error:
        _debug()
        reason = str(error) if isinstance(error, ValueError) else f"{type(error).__name__}: {error}"
        result = failed(task, job, reason, write=not isinstance(error, Taken))
    return asdict(result)


def failed(task: Task, job: Job, reason: str, *, write: bool = True) -> Result:
    """Return the result of a crystal that could not be calculated, and leave it in its folder."""
    crystal = task.crystal
    result = Result(crystal.id, crystal.source, crystal.formula, status="failed", reason=reason)
    result.details = {"fingerprint": fingerprint(crystal, job.settings, task.born, task.expected)}
    if write:
        with contextlib.suppress(OSError):  # a full disk is the next crystal's failure too, and says so
            task.folder.mkdir(parents=True, exist_ok=True)
            result.write(task.folder)
    return result


def draw_or_say(folder: Path, result: Result) -> None:
    """Draw figures; without them the numbers are as good."""
    from paraisite.phonons.figures import draw

    try:
        draw(folder, result)
    except Exception as error:
        _debug()
        result.notes.append(f"figures could not be drawn ({type(error).__name__}: {error})")
        result.write(folder)


def _debug() -> None:
    if os.environ.get("PARAISITE_DEBUG"):
        import traceback

        traceback.print_exc()


def _conductivity(task: Task, calculator: Any, settings: Settings, connection: Connection) -> Result:
    from paraisite.phonons.calculation import calculate

    last = 0.0

    def tick(done: int, total: int) -> None:
        nonlocal last
        if time.monotonic() - last > 1.0 or done == total:
            last = time.monotonic()
            _send(connection, "tick", (done, total))

    return calculate(
        task.crystal,
        task.folder,
        calculator,
        settings,
        born=task.born,
        say=lambda text: _send(connection, "say", text),
        tick=tick,
        expect=lambda seconds: _send(connection, "expect", seconds),
    )


def _send(connection: Connection, kind: str, content: Any) -> None:
    """Tell the parent; without one, end at once, or the crystal would count as failed when the run is resumed."""
    try:
        connection.send((kind, content))
    except OSError:
        os._exit(1)
