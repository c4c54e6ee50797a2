"""Files: opened with care, within limits, and their bytes as text."""

from __future__ import annotations

import lzma
import os
import stat
import zlib
from typing import IO

DAMAGED = (OSError, EOFError, zlib.error, lzma.LZMAError)
"""What reading or unpacking a damaged file raises."""

MAX_FILE_BYTES = 64 << 20
"""Largest file, archive member or stream that is read into memory, in bytes."""

MAX_JSON_BYTES = 512 << 20
"""The same for JSON documents, which may hold many structures."""

HEAD_BYTES = 1 << 16
"""How much of a file the format is sniffed from."""


def to_text(data: bytes) -> str:
    """Decode a text file: UTF-8 with or without a byte order mark, else Latin-1; any line ends."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("latin-1").removeprefix("ï»¿")
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


def open_regular(path: str | os.PathLike[str]) -> IO[bytes]:
    """Open a regular file to read, without waiting for whoever might write into a pipe.

    Raises
    ------
    OSError
        Also if it is a device, a socket or a pipe, save one that the shell made (``<(command)``).
    """
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    try:
        if not is_readable(path, os.fstat(descriptor).st_mode):
            raise OSError(0, SPECIAL)
        if hasattr(os, "set_blocking"):
            os.set_blocking(descriptor, True)
        return open(descriptor, "rb")
    except BaseException:
        os.close(descriptor)
        raise


SPECIAL = "this is a pipe, device or other special file"


def is_readable(path: str | os.PathLike[str], mode: int) -> bool:
    """Whether a file of this mode is a regular one, or a pipe that the shell made for this command."""
    shell = str(path).startswith(("/dev/fd/", "/proc/self/fd/"))
    return stat.S_ISREG(mode) or (shell and stat.S_ISFIFO(mode))


def is_binary(data: bytes) -> bool:
    """Whether the bytes are not text: they hold a NUL."""
    return b"\0" in data[:HEAD_BYTES]
