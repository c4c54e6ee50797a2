"""One process at a time in a folder: two that go on with the same work would undo each other's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

LOCK = ".lock"


class FolderBusy(ValueError):
    """Another process works in the folder."""


def take_lock(path: Path) -> IO[str] | None:
    """Take a lock until the file that is returned is closed, or its process ends; None on Windows, which has none.

    Raises
    ------
    FolderBusy
        If another process has it.
    """
    try:
        import fcntl
    except ImportError:
        return None
    file = path.open("w")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        raise FolderBusy(f"another process is working on {path.parent}; wait for its end, or stop it") from None
    return file


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Work in a folder, which is made if need be, as the only process."""
    folder.mkdir(parents=True, exist_ok=True)
    file = take_lock(folder / LOCK)
    try:
        yield
    finally:
        if file is not None:
            file.close()
