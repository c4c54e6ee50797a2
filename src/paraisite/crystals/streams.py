"""`Prefixed`: a stream whose first bytes have been looked at."""

from __future__ import annotations

import io
from typing import IO

from paraisite.crystals.files import HEAD_BYTES, MAX_JSON_BYTES


class Prefixed(io.RawIOBase):
    """A forward-only stream whose first bytes have been looked at and are read again."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.head = b""
        while len(self.head) < HEAD_BYTES and (part := file.read(HEAD_BYTES - len(self.head))):
            self.head += part
        self._rest = self.head
        self.consumed = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override]
        data = self._rest[: len(buffer)] if self._rest else self._file.read(len(buffer))
        self._rest = self._rest[len(data) :]
        buffer[: len(data)] = data
        self.consumed += len(data)
        return len(data)

    def read(self, size: int = -1) -> bytes:
        """Read `size` bytes, fewer only at the end."""
        rest, self._rest = (self._rest, b"") if size < 0 else (self._rest[:size], self._rest[size:])
        data = rest + (self._file.read(size - len(rest) if size >= 0 else -1) if size < 0 or len(rest) < size else b"")
        self.consumed += len(data)
        return data

    def seekable_file(self) -> IO[bytes]:
        """Return the whole of the stream as a file that can seek: itself where it can, else a copy in memory."""
        if self._file.seekable():
            self._file.seek(0)
            return self._file
        return io.BytesIO(self.read(MAX_JSON_BYTES))
