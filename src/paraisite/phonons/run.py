"""`run`: many crystals, in worker processes, within bounds of time and memory, with one row for each."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from multiprocessing.connection import wait
from pathlib import Path

from paraisite.files.names import each_once, file_name
from paraisite.phonons.result import Result
from paraisite.phonons.worker import Job, Task, failed, serve
from paraisite.processes.child import Child
from paraisite.processes.limits import memory_GB
from paraisite.processes.spawning import THREADS, environment, one_thread

POLL = 0.5
"""Seconds between two looks at what the workers take."""
KEPT = 0.3
"""Share of the memory of one crystal that a worker may keep of earlier ones: what was compiled for their sizes, say."""


@dataclass(frozen=True, slots=True)
class Event:
    """What a run reports.

    Attributes
    ----------
    index : int
        Of the task.
    kind : {"start", "say", "tick", "expect", "done"}
    text : str
        Of ``say``.
    progress : tuple of int
        Of ``tick``: supercells done, and all.
    seconds : float
        Of ``expect``: what forces and fit will take.
    result : Result or None
        Of ``done``.
    """

    index: int
    kind: str
    text: str = ""
    progress: tuple[int, int] = (0, 0)
    seconds: float = 0.0
    result: Result | None = None


class BrokenPotential(ValueError):
    """The potential cannot be loaded, so that no crystal can be calculated."""


class _Worker(Child):
    """A process and the task that it has."""

    def __init__(self, job: Job) -> None:
        super().__init__(serve, job)
        self.index: int | None = None
        self.ready = False
        self.loaded_GB = 0.0
        self.since = 0.0

    def give(self, index: int, task: Task) -> None:
        self.index, self.since = index, time.monotonic()
        self.pipe.send(task)

    @property
    def memory_GB(self) -> float:
        """Resident memory; 0 where the system does not tell (anything but Linux)."""
        return memory_GB(self.process.pid)


def run(tasks: Sequence[Task], job: Job, *, workers: int = 1, threads: int = 1) -> Iterator[Event]:
    """Calculate every task; each ends with exactly one ``done`` event, whatever happens to it.

    Parameters
    ----------
    tasks : sequence of Task
    job : Job
    workers : int
        Crystals at a time.
    threads : int
        Of each worker.

    Raises
    ------
    BrokenPotential
        If the potential cannot be loaded.
    """
    waiting = list(range(len(tasks)))[::-1]
    pool: list[_Worker] = []
    with environment(_environment(threads)):
        try:
            while waiting or any(worker.index is not None for worker in pool):
                while len(pool) < min(workers, len(waiting) + sum(w.index is not None for w in pool)):
                    pool.append(_Worker(job))
                ready = wait([worker.pipe for worker in pool], timeout=POLL)
                for worker in list(pool):
                    if worker.pipe in ready:
                        yield from _hear(worker, pool, tasks, job)
                    if worker in pool and worker.index is not None:
                        yield from _guard(worker, pool, tasks, job)
                    if worker in pool and worker.ready and worker.index is None and waiting:
                        index = waiting.pop()
                        yield Event(index, "start")
                        worker.give(index, tasks[index])
        finally:
            for worker in pool:
                worker.end()


def _hear(worker: _Worker, pool: list[_Worker], tasks: Sequence[Task], job: Job) -> Iterator[Event]:
    """Take one message of a worker, or its end; replace one that keeps too much of the crystals that are done."""
    try:
        kind, content = worker.pipe.recv()
    except (EOFError, OSError):
        index = worker.index
        _dismiss(worker, pool)
        code = worker.process.exitcode
        how = f"signal {-code}" if code is not None and code < 0 else f"exit status {code}"
        if index is not None:
            yield _failure(index, tasks[index], job, f"the process ended with {how}; out of memory?")
        elif not worker.ready:
            raise BrokenPotential(f"the worker process ended with {how} while it loaded the potential") from None
        return
    if kind == "broken":
        raise BrokenPotential(content)
    if kind == "ready":
        worker.ready, worker.loaded_GB = True, worker.memory_GB
        return
    assert worker.index is not None
    index = worker.index
    if kind == "done":
        worker.index = None
        if worker.memory_GB - worker.loaded_GB > KEPT * job.settings.max_memory_GB:
            _dismiss(worker, pool)
        yield Event(index, "done", result=Result(**content))
    elif kind == "say":
        yield Event(index, "say", text=content)
    elif kind == "expect":
        yield Event(index, "expect", seconds=content)
    else:
        yield Event(index, "tick", progress=content)


def _guard(worker: _Worker, pool: list[_Worker], tasks: Sequence[Task], job: Job) -> Iterator[Event]:
    """End a worker that takes too long or too much."""
    assert worker.index is not None
    settings = job.settings
    hours = (time.monotonic() - worker.since) / 3600
    if hours > settings.max_hours:
        why = f"stopped after {hours:.2f} h (--max-hours {settings.max_hours:g}); raise it and use --resume --retry"
    elif worker.memory_GB > settings.max_memory_GB:
        why = (
            f"stopped at {worker.memory_GB:.1f} GB of memory (--max-memory {settings.max_memory_GB:g}); raise it, or "
            "use smaller supercells by --fc2-max-atoms and --max-atoms"
        )
    else:
        return
    index = worker.index
    _dismiss(worker, pool)
    yield _failure(index, tasks[index], job, why)


def _dismiss(worker: _Worker, pool: list[_Worker]) -> None:
    worker.end()
    pool.remove(worker)


def _failure(index: int, task: Task, job: Job, reason: str) -> Event:
    return Event(index, "done", result=failed(task, job, reason))


def _environment(threads: int) -> dict[str, str]:
    """What processes find that are to use so many threads."""
    return one_thread() if threads == 1 else dict.fromkeys(THREADS, str(threads))


def folders(ids: Sequence[str], output: Path) -> list[Path]:
    """A folder for each id: its letters, digits, dots, dashes and underscores; a second of one name gets a number."""
    return [output / name for name in each_once(map(file_name, ids))]
