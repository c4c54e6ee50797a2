"""`Part`: some inputs that one worker turns into rows; the unit of work and of resuming."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from paraisite.screening.raw import Raw, Stored, Unpacked

SIZE = 512
"""Inputs of a part: one or two seconds of work, which is what a killed worker loses."""

RELAXED_SIZE = 16
"""The same where crystals are relaxed, some seconds each."""

MAX_BYTES = 32 << 20
"""Content that travels with one part, where it must."""


@dataclass(frozen=True, slots=True)
class Part:
    """Some inputs, in order.

    Attributes
    ----------
    index : int
        Number of the part, from 0; rows of a table follow this order.
    raw : tuple of Raw
    """

    index: int
    raw: tuple[Raw, ...]

    @property
    def size(self) -> int:
        """Number of inputs."""
        return sum(r.stop - r.start if isinstance(r, Stored) else 1 for r in self.raw)

    def single(self) -> list[Part]:
        """Return a part for each input, to find the one that does harm."""
        alone: list[Raw] = []
        for r in self.raw:
            if isinstance(r, Stored):
                alone += [Stored(r.store, r.group, i, i + 1) for i in range(r.start, r.stop)]
            else:
                alone.append(r)
        return [Part(self.index, (r,)) for r in alone]


def cut(inputs: Iterable[Raw], size: int = SIZE) -> Iterator[Part]:
    """Cut inputs into parts: the same inputs give the same parts, whoever works on them.

    Parameters
    ----------
    inputs : iterable of Raw
    size : int
        Inputs of a part. A row group of a graph store is a part as it is.
    """
    index, volume = 0, 0
    waiting: list[Raw] = []

    def part() -> Part:
        nonlocal index, waiting, volume
        made = Part(index, tuple(waiting))
        index, waiting, volume = index + 1, [], 0
        return made

    for raw in inputs:
        if isinstance(raw, Stored) and waiting:
            yield part()
        waiting.append(raw)
        volume += len(raw.data) if isinstance(raw, Unpacked) else 0
        if isinstance(raw, Stored) or len(waiting) >= size or volume >= MAX_BYTES:
            yield part()
    if waiting:
        yield part()
