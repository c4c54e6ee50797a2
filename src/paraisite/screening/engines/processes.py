"""The engine of one machine: worker processes of one thread each, which are watched and replaced."""

from __future__ import annotations

import signal
from collections.abc import Iterable, Iterator
from multiprocessing.connection import Connection, wait

from paraisite.processes.child import Child
from paraisite.processes.limits import cores
from paraisite.processes.spawning import environment, one_thread
from paraisite.screening.engines import EngineError, WorkError
from paraisite.screening.engines.tasks import Task, Tasks
from paraisite.screening.part import Part
from paraisite.screening.work import Work, Worker

MAX_DEATHS = 10
"""Processes that may die one after the other without a part being done in between."""


class _Member(Child):
    """A worker process."""

    def __init__(self, work: Work) -> None:
        with environment(one_thread()):
            super().__init__(_serve, work)
        self.ready = False
        self.task: Task | None = None


def run(work: Work, parts: Iterable[Part], *, workers: int | None = None) -> Iterator[tuple[Part, bytes]]:
    """Carry out a work; see `Engine`. With `workers` 0 everything happens in this process."""
    if workers == 0:
        yield from _here(work, parts)
        return
    yield from _Team(work, parts, cores() if workers is None else workers).run()


def _here(work: Work, parts: Iterable[Part]) -> Iterator[tuple[Part, bytes]]:
    do = _start(work)
    for part in parts:
        try:
            content = do(part)
        except Exception as error:
            raise EngineError(_failed(part, error)) from error
        yield part, content


def _start(work: Work) -> Worker:
    try:
        return work.worker()
    except (ValueError, OSError) as error:
        raise WorkError(str(error)) from error


def _failed(part: Part, error: Exception) -> str:
    return f"part {part.index} failed ({type(error).__name__}: {error})"


class _Team:
    def __init__(self, work: Work, parts: Iterable[Part], workers: int) -> None:
        self.work, self.size = work, workers
        self.tasks = Tasks(work, parts)
        self.members: list[_Member] = []
        self.deaths = 0

    def run(self) -> Iterator[tuple[Part, bytes]]:
        try:
            while True:
                self._read_ahead()
                self._assign()
                busy = [m.pipe for m in self.members if m.task is not None or not m.ready]
                if not self.tasks.waiting and not any(m.task for m in self.members):
                    return
                for pipe in wait(busy):
                    member = next(m for m in self.members if m.pipe is pipe)
                    if (task := self._hear(member)) is not None:
                        yield task
        finally:
            self._end()

    def _read_ahead(self) -> None:
        """Take as many parts as there are workers without one, and one more for the next to come."""
        self.tasks.read(self.size - sum(m.task is not None for m in self.members) + 1)

    def _assign(self) -> None:
        for member in self.members:
            if member.ready and member.task is None and self.tasks.waiting:
                member.task = self.tasks.waiting.popleft()
                try:
                    member.pipe.send(member.task.part)
                except OSError:  # it died while it had nothing to do
                    self.tasks.back(member.task)
                    member.task = None
                    self._bury(member)
                    break
        idle = sum(m.task is None for m in self.members)
        for _ in range(min(self.size - len(self.members), len(self.tasks.waiting) - idle)):
            self.members.append(_Member(self.work))

    def _hear(self, member: _Member) -> tuple[Part, bytes] | None:
        """Take what a worker says, or notice that it is dead; return a part that is done by that."""
        try:
            kind, content = member.pipe.recv()
        except (EOFError, OSError):
            return self._bury(member)
        if kind == "ready":
            member.ready = True
            return None
        if kind == "unusable":
            raise WorkError(content)
        if kind == "failed":
            raise EngineError(content)
        task, member.task = member.task, None
        assert task is not None
        self.deaths = 0
        return self.tasks.done(task, content)

    def _bury(self, member: _Member) -> tuple[Part, bytes] | None:
        self.members.remove(member)
        member.process.join(5)
        member.end()
        self.deaths += 1
        how = _how(member.process.exitcode)
        if self.deaths >= MAX_DEATHS:
            raise EngineError(f"{self.deaths} workers crashed in succession; the last one {how}")
        return None if member.task is None else self.tasks.died(member.task, how)

    def _end(self) -> None:
        for member in self.members:
            member.end()


def _how(code: int | None) -> str:
    if code is not None and code < 0:
        name = signal.Signals(-code).name
        return "was killed, probably for lack of memory" if name == "SIGKILL" else f"was ended by {name}"
    return f"ended with status {code}"


def _serve(pipe: Connection, work: Work) -> None:
    """Work until the other end of the pipe is closed."""
    try:
        try:
            do = _start(work)
        except WorkError as error:
            pipe.send(("unusable", str(error)))
            return
        pipe.send(("ready", ""))
        while True:
            part: Part = pipe.recv()
            try:
                content = do(part)
            except Exception as error:
                pipe.send(("failed", _failed(part, error)))
                return
            pipe.send(("done", content))
    except (EOFError, OSError):
        return
