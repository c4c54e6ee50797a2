"""`replacing`: a file is written aside, then takes its name; it is never seen half-written."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a path beside `path` to write to; it replaces `path` at the end, and vanishes if anything goes wrong.

    Raises
    ------
    OSError
        If it cannot be written (a full disk, say); it names `path`.
    """
    aside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with naming(path, aside):
            yield aside
            if path.exists() and not path.is_file():  # of a device, only its name would be left
                raise OSError(errno.EEXIST, "a device or pipe, not a file; give another name", str(path))
            os.replace(aside, path)
    except BaseException:
        aside.unlink(missing_ok=True)
        raise


@contextmanager
def naming(path: Path, aside: Path | None = None) -> Iterator[None]:
    """Have errors of the system name the file that could not be written, which a full disk does not."""
    try:
        yield
    except BrokenPipeError:
        raise
    except OSError as error:
        if error.filename not in (None, str(aside)):
            raise
        if error.errno is None:
            raise OSError(f"{path}: {error}") from error
        raise OSError(error.errno, error.strerror or os.strerror(error.errno), str(path)) from error
