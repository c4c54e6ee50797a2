"""`Pool`: worker processes that are watched, bounded and replaced, and the rows of a job from them."""

from __future__ import annotations

import asyncio
import json
import logging
import signal
import time
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, suppress
from typing import Any

from paraisite.prediction.prediction import Prediction
from paraisite.processes.child import Child
from paraisite.processes.limits import memory_GB
from paraisite.processes.spawning import THREADS, environment
from paraisite.web import worker
from paraisite.web.jobs import Job, Order, Row, Setup
from paraisite.web.limits import Limits
from paraisite.web.problems import Problem

LOOK = 0.25
"""Seconds between two looks at the size of a worker, and at the clock."""

PATIENCE = 10.0
"""Seconds that a worker gets to notice that nobody waits for its job any more."""

START_SECONDS = 300.0
"""Seconds that a worker gets to load its model."""

_LAST = {"end", "refused", "over"}
"""What a worker says last of a job."""

_log = logging.getLogger(__name__)


class Unusable(RuntimeError):
    """No worker can start; the message says why."""


class _Died(Exception):
    """A worker is dead, or is to die; the message says what became of it."""


class _Member(Child):
    """A worker process."""

    def __init__(self, serve: Callable[..., None], setup: Setup) -> None:
        with environment(dict.fromkeys(THREADS, "1")):
            super().__init__(serve, setup)
        self.busy = False
        """Whether it has a job whose end it has not told yet."""
        self.ready = False
        self.listening: asyncio.Future[bytes | None] | None = None

    def hear(self) -> bytes | None:
        """Wait a little for what it says."""
        return self.pipe.recv_bytes() if self.pipe.poll(LOOK) else None

    @property
    def size_GB(self) -> float:
        """Resident memory."""
        return memory_GB(self.process.pid)

    def fate(self) -> str:
        """What became of it."""
        self.process.join(1)
        code = self.process.exitcode
        if code is not None and code < 0 and signal.Signals(-code).name == "SIGKILL":
            return "was killed, probably for lack of memory"
        return "crashed"


class Pool:
    """Workers, each with the model loaded; a job gets the first that is free.

    Parameters
    ----------
    setup : Setup
    workers : int
    limits : Limits
    serve : callable
        What a worker process runs, as `paraisite.web.worker.serve` does.

    Attributes
    ----------
    facts : dict
        What the model's card says.
    known : dict
        Columns of the compounds that it knows, with their places on the chart.
    """

    def __init__(self, setup: Setup, workers: int, limits: Limits, serve: Callable[..., None] = worker.serve) -> None:
        self.setup, self.workers, self.limits, self._serve = setup, workers, limits, serve
        self.facts: dict[str, Any] = {}
        self.known: dict[str, Any] = {}
        self._members: set[_Member] = set()
        self._idle: asyncio.Queue[_Member] = asyncio.Queue()
        self._threads = ThreadPoolExecutor(2 * workers, "worker")
        self._tasks: set[asyncio.Task[None]] = set()
        self._failed = 0

    @property
    def ready(self) -> int:
        """Number of workers that can take a job, or have one."""
        return sum(member.ready and member.process.is_alive() for member in self._members)

    async def start(self) -> None:
        """Start the workers, and wait until the first of them has loaded the model.

        Raises
        ------
        Unusable
            If it cannot.
        """
        await self._begin()
        for _ in range(self.workers - 1):
            self._later(self._replace())

    async def stop(self) -> None:
        """End all workers, whatever they do."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for member in list(self._members):
            self._end(member)
        self._threads.shutdown(wait=False)

    async def rows(self, job: Job) -> AsyncGenerator[list[Row], None]:
        """Yield the rows of a job, as they come; first an empty list, as soon as the options are found to be possible.

        A file or crystal that kills two workers gets a rejected row, and the work continues after it.

        Raises
        ------
        Problem
            If an option is impossible, or the job has too many structures or takes too long.
        """
        order = Order(job, self.limits.crystals)
        ends = 0.0
        begun = False
        while True:
            member = await self._idle.get()
            ends = ends or time.monotonic() + self.limits.seconds
            position, told, careful = order.start, None, order.careful
            count = 0
            try:
                async with aclosing(self._talk(member, order, ends)) as messages:
                    async for message in messages:
                        if "rows" in message:
                            position, told = tuple(message["next"]), None
                            count += len(message["rows"])
                            yield message["rows"]
                        elif "at_work" in message:
                            told = message
                        elif "careful" in message:
                            careful = False
                        elif not begun:
                            begun = True
                            yield []
                return
            except _Died as death:
                careful = not careful
                if told is not None and not careful:  # it died again, at what it told
                    count += 1
                    position = tuple(told["then"])
                    reason = f"the process working on it {death}; give a smaller (primitive) cell or a smaller file"
                    yield [Prediction(**told["at_work"], status="rejected", reason=reason).row()]
                order = Order(job, order.most - count, position, careful)
            finally:
                self._release(member)

    async def _talk(self, member: _Member, order: Order, ends: float) -> AsyncGenerator[dict[str, Any], None]:
        """Give a worker a job and yield what it tells, within the limits."""
        limits = self.limits
        member.busy = True
        try:
            await self._tell(member, order)
            heard = time.monotonic()
            while True:
                said = await self._hear(member)
                now = time.monotonic()
                if now > ends:
                    raise Problem(
                        413,
                        "too-long",
                        f"The prediction takes longer than {limits.seconds:g} s; send fewer structures at a time.",
                    )
                if member.size_GB > limits.worker_GB:
                    raise self._killed(member, f"needs more than {limits.worker_GB:g} GB of memory")
                if said is None:
                    if now - heard > limits.silence_seconds:
                        raise self._killed(member, f"takes longer than {limits.silence_seconds:g} s")
                    continue
                heard = now
                message = json.loads(said)
                member.busy = not _LAST & message.keys()
                if "refused" in message:
                    raise Problem(422, "wrong-option", message["refused"])
                if "over" in message:
                    most = limits.crystals
                    raise Problem(413, "too-many", f"The files hold more than {most} structures; send fewer at a time.")
                if "end" in message:
                    return
                yield message
        except (EOFError, OSError):
            raise _Died(member.fate()) from None

    async def _hear(self, member: _Member) -> bytes | None:
        """Wait for a worker in a thread; what comes after whoever waited has gone is kept for the next."""
        if member.listening is None:
            member.listening = asyncio.get_running_loop().run_in_executor(self._threads, member.hear)
        try:
            return await asyncio.shield(member.listening)
        finally:
            if member.listening.done():
                member.listening = None

    async def _tell(self, member: _Member, message: Any) -> None:
        """Send something in a thread: a worker that hangs does not read."""
        sending = asyncio.get_running_loop().run_in_executor(self._threads, member.pipe.send, message)
        try:
            await asyncio.wait_for(asyncio.shield(sending), PATIENCE)
        except TimeoutError:
            raise self._killed(member, "takes no orders") from None

    def _killed(self, member: _Member, why: str) -> _Died:
        self._end(member)
        return _Died(why)

    def _release(self, member: _Member) -> None:
        """Have a worker take the next job; one that is dead, too large or busy with something nobody waits for not."""
        if not member.process.is_alive() or member.size_GB > self.limits.worker_GB / 2:
            self._end(member)
            self._later(self._replace())
        elif member.busy:
            self._later(self._drain(member))
        else:
            self._idle.put_nowait(member)

    async def _drain(self, member: _Member) -> None:
        """Tell a worker to leave its job."""
        ends = time.monotonic() + PATIENCE
        try:
            await self._tell(member, worker.STOP)
            while time.monotonic() < ends:
                said = await self._hear(member)
                if said is not None and _LAST & json.loads(said).keys():
                    member.busy = False
                    self._idle.put_nowait(member)
                    return
        except (EOFError, OSError, _Died):
            pass
        self._end(member)
        await self._replace()

    async def _begin(self) -> None:
        member = _Member(self._serve, self.setup)
        self._members.add(member)
        ends = time.monotonic() + START_SECONDS
        said = None
        try:
            while said is None and time.monotonic() < ends:
                said = await self._hear(member)
            message = json.loads(said or b"{}")
        except (EOFError, OSError):
            message = {"unusable": f"the worker process {member.fate()} while it loaded the model"}
        except BaseException:
            self._end(member)
            raise
        if "ready" not in message:
            self._end(member)
            raise Unusable(message.get("unusable", f"the model was not loaded within {START_SECONDS:g} s"))
        self.facts, self.known = message["ready"], message.get("known", {})
        member.ready = True
        self._idle.put_nowait(member)

    async def _replace(self) -> None:
        """Start a worker, however many attempts that takes."""
        while True:
            try:
                await self._begin()
            except Unusable as error:
                self._failed += 1
                _log.error("a worker cannot start: %s", error)
                await asyncio.sleep(min(2.0**self._failed, 30.0))
            else:
                self._failed = 0
                return

    def _end(self, member: _Member) -> None:
        if member in self._members:
            self._members.remove(member)
            with suppress(OSError):
                member.end()

    def _later(self, work: Any) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
