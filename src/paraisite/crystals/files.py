"""What a file is: format by content and name, stems, and bytes to text."""

from __future__ import annotations

import lzma
import os
import re
import stat
import zlib
from functools import lru_cache
from typing import IO, Literal

Format = Literal["cif", "poscar", "xyz", "json", "jsonl", "db", "zip", "tar", "gz"]

SUFFIXES: dict[str, Format] = {
    ".cif": "cif",
    ".mcif": "cif",
    ".poscar": "poscar",
    ".contcar": "poscar",
    ".vasp": "poscar",
    ".xyz": "xyz",
    ".extxyz": "xyz",
    ".json": "json",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".db": "db",
    ".zip": "zip",
    ".tar": "tar",
    ".tgz": "tar",
    ".tar.gz": "tar",
    ".tar.bz2": "tar",
    ".tar.xz": "tar",
}
"""Format by extension. Any of them may be followed by one of `PACKED`."""

PACKED = (".gz", ".bz2", ".xz")
"""Suffixes of packed files."""

_BY_LENGTH = sorted(SUFFIXES, key=len, reverse=True)

ARCHIVES = ("zip", "tar")

_CRYSTAL = "|".join(re.escape(suffix) for suffix, kind in SUFFIXES.items() if kind in ("cif", "poscar", "xyz", "json"))
_CRYSTAL_SUFFIX = re.compile(rf"({_CRYSTAL})({'|'.join(map(re.escape, PACKED))})?$", re.IGNORECASE)

DAMAGED = (OSError, EOFError, zlib.error, lzma.LZMAError)
"""What reading or unpacking a damaged file raises."""

MAX_FILE_BYTES = 64 << 20
"""Largest file, archive member or stream that is read into memory, in bytes."""

MAX_JSON_BYTES = 512 << 20
"""The same for JSON documents, which may hold many structures."""

HEAD_BYTES = 1 << 16
"""How much of a file the format is sniffed from."""

KNOWN = "CIF, POSCAR, extended XYZ, pymatgen JSON or JSON Lines, ASE database, .zip, .tar(.gz)"


@lru_cache(maxsize=256)
def split_name(name: str) -> tuple[str, Format | None]:
    """Stem and format of a file name; the format is None where the name does not tell.

    >>> split_name("data/mp-149.cif.gz")
    ('mp-149', 'cif')
    """
    base = name.replace("\\", "/").rstrip("/").rsplit("/", 1)[-1]
    lower = base.lower()
    if lower.endswith(PACKED) and not lower.endswith(tuple(f".tar{packed}" for packed in PACKED)):
        base = base[: base.rindex(".")]
        lower = lower[: len(base)]
    for suffix in _BY_LENGTH:
        if lower.endswith(suffix) and len(base) > len(suffix):
            return base[: -len(suffix)], SUFFIXES[suffix]
    if base.startswith(("POSCAR", "CONTCAR")):
        return base, "poscar"
    return base.rsplit(".", 1)[0] or base, None


def without_suffix(name: str) -> str:
    """Name without the suffix of a file of one or several crystals, such as ``.cif``, ``.vasp`` or ``.cif.gz``."""
    match = _CRYSTAL_SUFFIX.search(name)
    return name[: match.start()] if match and match.start() else name


def sniff(head: bytes) -> Format | None:
    """Format that the first bytes of a file show beyond doubt, else None."""
    if head.startswith(b"\x1f\x8b"):
        return "gz"
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return "zip"
    if head.startswith(b"SQLite format 3\0"):
        return "db"
    if head[257:262] == b"ustar":
        return "tar"
    text = to_text(head)
    lines = text.splitlines()
    # before the others: its first line may say anything
    if len(lines) >= 7 and _numbers(lines[1]) in (1, 3) and all(_numbers(line) == 3 for line in lines[2:5]):
        return "poscar"
    if text.lstrip()[:1] in ("{", "["):
        return "json"
    if re.search(r"^\s*data_\S*\s*$", text, re.MULTILINE | re.IGNORECASE):
        return "cif"
    if len(lines) >= 2 and lines[0].strip().isdigit() and re.search(r"lattice|properties", lines[1], re.IGNORECASE):
        return "xyz"
    return None


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
    """Whether the bytes are no text: they hold a NUL."""
    return b"\0" in data[:HEAD_BYTES]


def _numbers(line: str) -> int:
    """Count of numbers at the start of a line, up to three."""
    n = 0
    for word in line.split()[:3]:
        try:
            float(word)
        except ValueError:
            break
        n += 1
    return n
