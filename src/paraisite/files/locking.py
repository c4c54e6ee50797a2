"""One process at a time in a folder: two that did the same work would undo each other's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from filelock import BaseFileLock

LOCK = ".lock"


class FolderBusy(ValueError):
    """Another process works in the folder."""


def take_lock(path: Path) -> BaseFileLock:
    """Take a lock until it is released, or its process ends.

    A link is not followed and nothing is cut off, whoever put it there (filelock does so from version 4 on).

    Raises
    ------
    FolderBusy
        If another process has it, or something else than a lock has its name.
    """
    from filelock import FileLock, Timeout  # takes 0.1 s, and most commands lock nothing

    if path.is_symlink() or (path.exists() and not path.is_file()):
        raise FolderBusy(f"{path}: a link, folder, pipe or device instead of a lock file; remove it")
    lock = FileLock(path, timeout=0, thread_local=False, preserve_lock_file=True)
    try:
        lock.acquire()
    except Timeout:
        raise FolderBusy(f"{path.parent} is in use by another process; wait until it ends, or stop it") from None
    return lock


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Work in a folder, which is made if need be, as the only process."""
    folder.mkdir(parents=True, exist_ok=True)
    with take_lock(folder / LOCK):
        yield
