"""`tracked`: how far a long prediction is, in one line that terminals and notebooks show."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from time import monotonic
from typing import TypeVar

from paraisite.files.printable import counted

AFTER, EVERY = 2.0, 0.5
"""Seconds before the line appears, and between its changes."""

T = TypeVar("T")


def tracked(rows: Iterable[T], total: int | None, shown: bool | None = None) -> Iterator[T]:
    """Pass rows on, and write on standard error how many there were.

    Parameters
    ----------
    rows : iterable
    total : int or None
        How many there will be, if that is known.
    shown : bool, optional
        By default where a person is likely to look: in a terminal or a notebook, once it takes longer than `AFTER`.
    """
    if shown is None:
        shown = sys.stderr.isatty() or "ipykernel" in sys.modules
    due, written = monotonic() + AFTER, 0
    for done, row in enumerate(rows, start=1):
        if shown and monotonic() > due:
            line = counted(done, "crystal") if total is None else f"{done} of {counted(total, 'crystal')}"
            written = max(written, len(line))
            sys.stderr.write(f"\r{line}")
            sys.stderr.flush()
            due = monotonic() + EVERY
        yield row
    if written:
        sys.stderr.write(f"\r{' ' * written}\r")
        sys.stderr.flush()
