"""The engine of many machines: Ray finds the cores, starts the processes, and notices which of them are gone.

Each part is a task of one core (and a share of a GPU). A process of Ray's keeps what it has loaded for the next task.
Ray's own repetition is off, as it would give a crystal that kills its process to one process after the other.
"""

from __future__ import annotations

import logging
import math
import os
import platform
import socket
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from paraisite.processes.limits import cores
from paraisite.processes.spawning import THREADS
from paraisite.screening.engines import EngineError, WorkError
from paraisite.screening.engines.processes import MAX_DEATHS
from paraisite.screening.engines.tasks import Task, Tasks
from paraisite.screening.part import Part
from paraisite.screening.raw import File, Stored, Zipped
from paraisite.screening.work import Work, Worker
from paraisite.versions import versions

PATIENCE = 600.0
"""Seconds without any core in the cluster: machines that come and go are often replaced within minutes."""

LOOK = 10.0
"""Seconds between two looks at the cluster where nothing gets done."""

OBJECT_STORE = 256 << 20
"""Bytes of shared memory of an instance of this machine alone; rows of a part are some tens of kilobytes."""


def run(
    work: Work, parts: Iterable[Part], *, workers: int | None = None, address: str | None = None
) -> Iterator[tuple[Part, bytes]]:
    """Carry out a work; see `Engine`.

    Parameters
    ----------
    work : Work
    parts : iterable of Part
    workers : int, optional
        Tasks at a time; by default as many as the cluster has cores (GPUs, for a work on them), whatever joins it or
        leaves it meanwhile. More workers than GPUs share them.
    address : str, optional
        ``auto`` or ``HOST:PORT`` of a cluster that this machine is part of; by default what ``RAY_ADDRESS`` says, else
        an instance of this machine alone is started. Within a program that is connected already it means nothing.
    """
    if workers == 0:
        raise WorkError("Ray has no workers in this process; give --workers 1 or more, or leave it out")
    try:
        import ray  # noqa: F401
    except ImportError:
        raise WorkError("the engine ray needs Ray: pip install 'paraisite[scale]'") from None
    with _connected(address, workers):
        yield from _Crowd(work, parts, workers).run()


@contextmanager
def _connected(address: str | None, workers: int | None) -> Iterator[None]:
    import ray

    if ray.is_initialized():
        yield
        return
    address = address or os.environ.get("RAY_ADDRESS") or "local"
    options: dict[str, Any] = {}
    if address == "local":
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is sent anywhere unasked
        options = {"num_cpus": workers or cores(), "object_store_memory": OBJECT_STORE, "include_dashboard": False}
    try:
        _knock(address)
        ray.init(address=address, logging_level=logging.ERROR, log_to_driver=False, **options)
    except (ConnectionError, RuntimeError, ValueError, OSError, ray.exceptions.RayError) as error:
        raise EngineError(
            f"Ray at {address} cannot be reached ({' '.join(str(error).split())[:300]}); run this on a machine of the "
            "cluster (ray start --address=HOST:PORT), or leave --ray-address and RAY_ADDRESS out"
        ) from error
    try:
        yield
    finally:
        ray.shutdown()


def _knock(address: str) -> None:
    """Raise an OSError where no process listens: Ray itself tries for minutes."""
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if colon and port.isdigit():
        socket.create_connection((host.strip("[]"), int(port)), timeout=LOOK).close()


class _Crowd:
    """Tasks that Ray has, and those that wait to be given to it."""

    def __init__(self, work: Work, parts: Iterable[Part], workers: int | None) -> None:
        import ray

        self.workers = workers
        self.tasks = Tasks(work, parts)
        self.given: dict[Any, Task] = {}
        self.deaths = 0
        self.setup = _Setup(work, os.getcwd(), versions())
        device = getattr(work, "device", "cpu")
        gpus = int(ray.cluster_resources().get("GPU", 0))
        if device == "cuda" and not gpus:
            raise EngineError("no machine of the cluster offers a GPU; start Ray where there is one, or --device cpu")
        self.kind = "GPU" if gpus and device != "cpu" else "CPU"
        # Ray takes shares in steps of 0.0001
        share = math.floor(1e4 / math.ceil((workers or gpus) / gpus)) / 1e4 if self.kind == "GPU" else 0
        self.do = ray.remote(max_calls=0)(_do).options(  # else a process with a GPU ends with its first task
            num_cpus=1,
            num_gpus=share,
            max_retries=0,
            runtime_env={"env_vars": dict.fromkeys(THREADS, "1")},  # the libraries read this as they are loaded
        )

    def run(self) -> Iterator[tuple[Part, bytes]]:
        """See `Engine`."""
        import ray

        idle_since = None
        try:
            while True:
                self._give()
                if not self.given:
                    return
                ready, _ = ray.wait(list(self.given), num_returns=1, timeout=LOOK)
                if ready:  # whatever else is
                    ready, _ = ray.wait(list(self.given), num_returns=len(self.given), timeout=0)
                    idle_since = None
                elif self._places():
                    idle_since = None
                else:
                    idle_since = idle_since or time.monotonic()
                    if time.monotonic() - idle_since > PATIENCE:
                        raise EngineError(f"the cluster has no {self.kind} left: start Ray on its machines")
                for ref in ready:
                    if (part := self._take(ref)) is not None:
                        yield part
        finally:
            for ref in self.given:
                ray.cancel(ref, force=True)

    def _places(self) -> int:
        import ray

        return int(ray.cluster_resources().get(self.kind, 0))

    def _give(self) -> None:
        """Give Ray as many tasks as may run, and where it is for the cluster to say how many that is, some to wait."""
        if self.workers is None:
            places = self._places()
            room = places + max(2, places // 4) - len(self.given)
        else:
            room = self.workers - len(self.given)
        self.tasks.read(room)
        while room > 0 and self.tasks.waiting:
            task = self.tasks.waiting.popleft()
            self.given[self.do.remote(self.setup, task.part, _visible(task.part))] = task
            room -= 1

    def _take(self, ref: Any) -> tuple[Part, bytes] | None:
        """Take what has become of a task; return a part that is done by that."""
        import ray
        from ray import exceptions as lost

        task = self.given.pop(ref)
        try:
            kind, content = ray.get(ref)
        except (lost.NodeDiedError, lost.ObjectLostError):
            self.tasks.back(task)
            return None
        except lost.OutOfMemoryError:
            return self._died(task, "was killed by Ray, as its machine ran out of memory")
        except lost.WorkerCrashedError:
            return self._died(task, "crashed, probably for lack of memory")
        except lost.RayError as error:
            raise EngineError(f"part {task.part.index}: {type(error).__name__}: {error}") from error
        if kind == "unusable":
            raise WorkError(content)
        if kind == "failed":
            raise EngineError(content)
        self.deaths = 0
        return self.tasks.done(task, content)

    def _died(self, task: Task, how: str) -> tuple[Part, bytes] | None:
        self.deaths += 1
        if self.deaths >= max(MAX_DEATHS, 2 * len(self.given)):  # all processes of a machine may die at once
            raise EngineError(f"{self.deaths} workers crashed in succession; the last one {how}")
        return self.tasks.died(task, how)


@dataclass(frozen=True)
class _Setup:
    """What a process starts with: the work, and what has to be the same as where the rows are collected."""

    work: Work
    folder: str
    versions: Mapping[str, str]


_started: tuple[_Setup, Worker] | None = None


def _do(setup: _Setup, part: Part, visible: str | None) -> tuple[str, Any]:
    """Work on a part; this runs in a process of Ray's."""
    global _started
    try:
        if _started is None or _started[0] != setup:
            _started = None
            _started = setup, _start(setup)
    except (ValueError, OSError) as error:
        return "unusable", f"{_here()}: {error}"
    if visible is not None and not Path(visible).exists():
        return "failed", f"{_here()} cannot access {visible}: sources must be on a shared file system"
    try:
        return "done", _started[1](part)
    except Exception as error:
        return "failed", f"{_here()}: part {part.index} failed ({type(error).__name__}: {error})"


def _start(setup: _Setup) -> Worker:
    here = versions()
    for name, version in setup.versions.items():
        if here.get(name) != version:
            raise ValueError(
                f"{name} {here.get(name, 'is missing')} but {version} elsewhere, so that results could differ; install "
                "the same version on all machines"
            )
    try:
        os.chdir(setup.folder)  # names of sources and models may start from there
    except OSError:
        raise ValueError(f"folder {setup.folder} is missing; start in a folder on a shared file system") from None
    return setup.work.worker()


def _here() -> str:
    return f"machine {platform.node()}"


def _visible(part: Part) -> str | None:
    """Return a file that the part needs and that can be seen here, so that a worker can tell whether it sees the same.

    Without that, a machine that lacks the files would reject its crystals one by one.
    """
    match part.raw[0]:
        case File(path=path) | Zipped(archive=path) | Stored(store=path) if Path(path).exists():
            return path
    return None
