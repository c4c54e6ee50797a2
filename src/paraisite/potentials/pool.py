"""`RelaxingPool`: processes that relax crystals, so that whatever happens to one of them costs one row."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import suppress
from multiprocessing.connection import Connection, wait

from paraisite.crystals.crystal import Crystal
from paraisite.crystals.rejection import Rejection
from paraisite.potentials.loading import PotentialError
from paraisite.potentials.relaxing import Relaxer, RelaxSettings, unrelaxed
from paraisite.processes.child import Child
from paraisite.processes.limits import PATIENCE
from paraisite.processes.spawning import environment, one_thread

AHEAD = 4
"""Crystals read ahead, for each worker: one that takes long does not stop the others."""

GRACE = 60.0
"""Seconds beyond the limit of time after which a worker is ended from outside."""

POLL = 5.0
"""Seconds between two looks at the time that workers take."""

Item = Crystal | Rejection


class _Worker(Child):
    """A process and the crystal that it has."""

    def __init__(self, settings: RelaxSettings) -> None:
        with environment(one_thread()):
            super().__init__(_serve, settings)
        self.index: int | None = None
        self.ready = False
        self.since = 0.0

    def told(self) -> Item | None:
        """Take what it says: a relaxed crystal; None once, when the potential is loaded."""
        try:
            kind, content = self.pipe.recv()
        except (EOFError, OSError):
            self.process.join(5)
            code = self.process.exitcode
            how = f"signal {-code}" if code is not None and code < 0 else f"exit status {code}"
            raise _Ended(f"the process ended with {how}; out of memory?") from None
        if kind == "broken":
            raise PotentialError(content)
        self.ready = True
        item: Item | None = content
        return item


class _Ended(Exception):
    """A process ended by itself."""


class RelaxingPool:
    """Relaxes crystals in processes of one thread each.

    Parameters
    ----------
    settings : RelaxSettings
    workers : int
        Crystals at a time.

    Raises
    ------
    PotentialError
        If the potential cannot be loaded; the message says what to do.
    """

    def __init__(self, settings: RelaxSettings, workers: int = 1) -> None:
        self._settings, self._size = settings, workers
        self._team = [_Worker(settings)]
        try:
            self._team[0].told()
        except _Ended as error:
            self.close()
            raise PotentialError(f"{settings.potential}: {error}") from None
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """End all processes."""
        for worker in self._team:
            worker.end()
        self._team.clear()

    def relaxed(self, items: Iterable[Item]) -> Iterator[Item]:
        """Relax crystals as they come, in bounded memory; n inputs give n items, in order."""
        source = iter(items)
        waiting: deque[tuple[int, Item]] = deque()
        busy: dict[int, Crystal] = {}
        done: dict[int, Item] = {}
        read = given = 0
        more = True
        while True:
            while more and read - given < AHEAD * self._size:
                try:
                    item = next(source)
                except StopIteration:
                    more = False
                    break
                if isinstance(item, Rejection):
                    done[read] = item
                else:
                    waiting.append((read, item))
                read += 1
            self._assign(waiting, busy)
            while given in done:
                yield done.pop(given)
                given += 1
            if given == read and not more:
                return
            if busy or any(not worker.ready for worker in self._team):
                self._hear(busy, done)

    def _assign(self, waiting: deque[tuple[int, Item]], busy: dict[int, Crystal]) -> None:
        while len(self._team) < min(self._size, len(waiting) + len(busy)):
            self._team.append(_Worker(self._settings))
        for worker in self._team:
            if waiting and worker.ready and worker.index is None:
                index, crystal = waiting.popleft()
                assert isinstance(crystal, Crystal)
                worker.index, worker.since, busy[index] = index, time.monotonic(), crystal
                with suppress(OSError):  # of one that died while it had nothing to do: it will be noticed
                    worker.pipe.send(crystal)

    def _hear(self, busy: dict[int, Crystal], done: dict[int, Item]) -> None:
        wait([worker.pipe for worker in self._team if worker.index is not None or not worker.ready], timeout=POLL)
        for worker in list(self._team):
            late = PATIENCE * 3600.0 * self._settings.max_hours + GRACE
            why = ""
            if worker.pipe.poll():
                try:
                    item = worker.told()
                    if item is not None and worker.index is not None:
                        done[worker.index] = item
                        del busy[worker.index]
                        worker.index = None
                except _Ended as error:
                    if worker.index is None and not worker.ready:
                        raise PotentialError(f"{self._settings.potential}: {error}") from None
                    why = str(error)
            elif worker.index is not None and time.monotonic() - worker.since > late:
                why = f"stopped after {late / 3600:.2g} h; raise --max-hours"
            if why:
                worker.end()
                self._team.remove(worker)
                if worker.index is not None:
                    done[worker.index] = unrelaxed(busy.pop(worker.index), why)


def _serve(pipe: Connection, settings: RelaxSettings) -> None:
    """Relax crystals until the other end of the pipe is closed."""
    try:
        relaxer = Relaxer(settings)
    except Exception as error:
        pipe.send(("broken", str(error)))
        return
    pipe.send(("ready", None))
    try:
        while True:
            pipe.send(("done", relaxer(pipe.recv())))
    except (EOFError, OSError):
        return
