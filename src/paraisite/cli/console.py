"""Where verbs print: tables to standard output, what is said about them to standard error."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

WIDTH = 110
"""Of tables that are not printed on a terminal."""


def console(*, stderr: bool = False) -> Console:
    """Return the console of a standard stream; off a terminal its width is fixed."""
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    fixed = None if stream.isatty() else WIDTH
    return Console(stderr=stderr, width=fixed, highlight=False)
