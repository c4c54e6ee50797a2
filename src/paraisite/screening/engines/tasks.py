"""`Tasks`: the parts that workers are to do, and what becomes of those whose workers die."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from paraisite.screening.part import Part
from paraisite.screening.work import Work, joined


@dataclass(slots=True, eq=False)
class Task:
    """A part to do, or one input of a part that is done input by input.

    Attributes
    ----------
    part : Part
    deaths : int
        Workers that died over it.
    whole : Split or None
        The part that this is an input of.
    place : int
        Its place among the inputs of that part.
    """

    part: Part
    deaths: int = 0
    whole: Split | None = None
    place: int = 0


@dataclass(slots=True, eq=False)
class Split:
    """A part that is done input by input, and the rows there are."""

    part: Part
    done: dict[int, bytes] = field(default_factory=dict)


class Tasks:
    """Tasks that wait for a worker; one over which a worker died comes back, then its inputs one by one.

    Parameters
    ----------
    work : Work
    parts : iterable of Part

    Attributes
    ----------
    waiting : deque of Task
    """

    def __init__(self, work: Work, parts: Iterable[Part]) -> None:
        self.waiting: deque[Task] = deque()
        self._work = work
        self._parts = iter(parts)

    def read(self, n: int) -> None:
        """Have n tasks wait, as far as there are parts."""
        while len(self.waiting) < n and (part := next(self._parts, None)) is not None:
            self.waiting.append(Task(part))

    def back(self, task: Task) -> None:
        """Have a task wait again, before the others: it came to no harm of its own making."""
        self.waiting.appendleft(task)

    def done(self, task: Task, content: bytes) -> tuple[Part, bytes] | None:
        """Take the rows of a task; return a part that is done by that, with its rows."""
        if task.whole is None:
            return task.part, content
        done = task.whole.done
        done[task.place] = content
        if len(done) < task.whole.part.size:
            return None
        return task.whole.part, joined([done[i] for i in range(len(done))], self._work)

    def died(self, task: Task, how: str) -> tuple[Part, bytes] | None:
        """Take note that a worker died over a task; return a part that is done by that, with rows of rejections.

        The second time, a part is taken apart; an input that killed twice is rejected.

        Parameters
        ----------
        task : Task
        how : str
            Such as "was killed".
        """
        task.deaths += 1
        if task.deaths == 1:
            self.back(task)
        elif task.whole is None and task.part.size > 1:
            whole = Split(task.part)
            pieces = [Task(piece, whole=whole, place=i) for i, piece in enumerate(task.part.single())]
            self.waiting.extendleft(reversed(pieces))
        else:
            reason = f"the process working on it {how}; give a smaller (primitive) cell, or use fewer workers"
            return self.done(task, self._work.rejected(task.part, reason))
        return None
