"""Where verbs print: tables to standard output, what is said about them to standard error."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import typer

from paraisite.files.printable import printable

if TYPE_CHECKING:
    from rich.console import Console
    from rich.text import Text

WIDTH = 110
"""Of tables that are not printed on a terminal."""


def console(*, stderr: bool = False) -> Console:
    """Return the console of a standard stream; off a terminal its width is fixed."""
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    fixed = None if stream.isatty() else WIDTH
    return Console(stderr=stderr, width=fixed, highlight=False)


def say(text: str, *, err: bool = False, nl: bool = True) -> None:
    """Print lines that may hold text from files, which cannot steer a terminal."""
    typer.echo("\n".join(map(printable, text.split("\n"))), err=err, nl=nl)


def cell(text: str) -> Text:
    """Return the cell of a table that holds text from files: as it stands there, whatever rich takes for markup."""
    from rich.text import Text

    return Text(printable(text))
