"""One process at a time in a folder: two that go on with the same work would undo each other's."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

LOCK = ".lock"


class FolderBusy(ValueError):
    """Another process works in the folder."""


def take_lock(path: Path) -> IO[bytes] | None:
    """Take a lock until the file that is returned is closed, or its process ends; None on Windows, which has none.

    Raises
    ------
    FolderBusy
        If another process has it, or something else than a lock has its name.
    """
    try:
        import fcntl
    except ImportError:
        return None
    # a link is not followed and nothing is cut off, whoever put it there; a pipe would wait for its other end
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        file = os.fdopen(os.open(path, flags, 0o666), "r+b", buffering=0)
    except OSError as error:
        if error.errno not in (errno.ELOOP, errno.EMLINK, errno.EISDIR, errno.ENXIO):
            raise
        raise FolderBusy(f"{path}: a link, folder or device, where only a lock file may be; remove it") from None
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise FolderBusy(f"{path}: a pipe or device, where only a lock file may be; remove it")
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
