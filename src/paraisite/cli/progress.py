"""`progress_bar`: how far long work is, on standard error."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from paraisite.cli.console import console

Show = Callable[..., None]
"""Told what is being done, how much is done, how much there is in all (None where that is not known), and a note."""


def silent(what: str, done: int, total: int | None, note: str = "") -> None:
    """Show nothing."""


@contextmanager
def progress_bar(
    unit: str = "",
    *,
    names: Sequence[str] = ("",),
    shown: bool = True,
    otherwise: Show = silent,
    elapsed: bool = False,
    kept: bool = False,
) -> Iterator[Show]:
    """Yield what is told how far work is, and draw a bar for each piece of work.

    Parameters
    ----------
    unit : str
        What is counted; "bytes" are given in kB and MB.
    names : sequence of str
        Bars that are drawn from the start; the others come as they are told.
    shown : bool
        Whether anything is to be shown.
    otherwise : callable
        Yielded where standard error is not a terminal.
    elapsed : bool
        Show how long it took so far, instead of how long it will take.
    kept : bool
        Leave the bars there at the end.
    """
    if not (shown and sys.stderr.isatty()):
        yield otherwise if shown else silent
        return
    from rich import progress

    columns = (
        *(() if names == ("",) else (progress.TextColumn("{task.description}"),)),
        progress.BarColumn(),
        progress.DownloadColumn() if unit == "bytes" else progress.MofNCompleteColumn(),
        progress.TextColumn("" if unit == "bytes" else f"{unit}{{task.fields[note]}}"),
        progress.TimeElapsedColumn() if elapsed else progress.TimeRemainingColumn(),
    )
    with progress.Progress(*columns, console=console(stderr=True), transient=not kept) as bar:
        tasks = {name: bar.add_task(name, total=None, note="") for name in names}

        def show(what: str, done: int, total: int | None, note: str = "") -> None:
            if what not in tasks:
                tasks[what] = bar.add_task(what, total=None, note="")
            bar.update(tasks[what], completed=done, total=total or None, note=note)

        yield show
