"""How a verb ends: one line on standard error and an exit status, never a traceback."""

from __future__ import annotations

import errno
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import wraps
from typing import NoReturn, ParamSpec, TypeVar

import typer

from paraisite.files.locking import FolderBusy
from paraisite.files.printable import printable
from paraisite.processes.spawning import held

FAILED, USAGE, INTERRUPTED, BROKEN_PIPE = 1, 2, 130, 141
"""Exit statuses; the last two are what a shell reports for SIGINT and SIGPIPE."""

P = ParamSpec("P")
R = TypeVar("R")


def fail(message: str, status: int = USAGE) -> NoReturn:
    """End with a message on standard error."""
    typer.secho("error: ", fg="red", bold=True, nl=False, err=True)
    message = message.replace("Value error, ", "")  # pydantic's words before those of a validator
    typer.echo("\n".join(map(printable, message.split("\n"))), err=True)
    raise typer.Exit(status)


@contextmanager
def wrong_usage() -> Iterator[None]:
    """Report what goes wrong while arguments are checked and models and data are opened, as wrong usage."""
    try:
        yield
    except (ValueError, OSError) as error:
        if os.environ.get("PARAISITE_DEBUG"):
            raise
        fail(str(error))


def guarded(verb: Callable[P, R]) -> Callable[P, R]:
    """Turn interruption, a broken pipe and anything unforeseen into a line and an exit status."""

    @wraps(verb)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            result = verb(*args, **kwargs)
            sys.stdout.flush()
            return result
        except KeyboardInterrupt:
            fail("interrupted", INTERRUPTED)
        except FolderBusy as error:
            fail(str(error))
        except BrokenPipeError:
            _drop_stdout()
            raise typer.Exit(BROKEN_PIPE) from None
        except (RuntimeError, typer.BadParameter) as error:
            if isinstance(error, (typer.Exit, typer.Abort, typer.BadParameter)):
                raise
            _unforeseen(error)
        except Exception as error:
            _unforeseen(error)

    return run


def _drop_stdout() -> None:
    """Have what is left for standard output be discarded, else Python complains once more when it flushes at exit."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _is_of_stdout(error: OSError) -> bool:
    """Whether standard output took nothing: its disk is full, or it was closed. Errors of files name them."""
    if error.filename is not None or error.errno not in (errno.ENOSPC, errno.EBADF, errno.EIO, errno.EFBIG):
        return False
    _drop_stdout()
    return True


def load_libraries() -> None:
    """Import the native libraries with signals held back: interrupted while it loads, gemmi aborts the process."""
    with held(signal.SIGINT, signal.SIGTERM):
        import gemmi  # noqa: F401
        import torch  # noqa: F401


def _unforeseen(error: Exception) -> NoReturn:
    if os.environ.get("PARAISITE_DEBUG"):
        raise error
    what = str(error).strip() or "no message"
    if isinstance(error, OSError) and _is_of_stdout(error):
        fail(f"standard output: {error.strerror or what}; write to another place", FAILED)
    if isinstance(error, OSError):
        fail(f"{what}; PARAISITE_DEBUG=1 shows the traceback", FAILED)
    fail(f"{type(error).__name__}: {what}; set PARAISITE_DEBUG=1 for the traceback, and please report it", FAILED)
