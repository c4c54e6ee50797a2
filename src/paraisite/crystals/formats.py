"""`Format`: what tells a file format, and what reads it; one registry that reading, counting and naming share."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from paraisite.crystals.files import MAX_FILE_BYTES, to_text

if TYPE_CHECKING:
    from paraisite.crystals.sites import Disorder
    from paraisite.crystals.streams import Prefixed

PACKED = (".gz", ".bz2", ".xz")
"""Suffixes of packed files."""


class Head:
    """The first bytes of a file, and the text they hold."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    @cached_property
    def text(self) -> str:
        """Decoded."""
        return to_text(self.data)

    @cached_property
    def lines(self) -> list[str]:
        """Lines of the text, the last one perhaps cut."""
        return self.text.splitlines()


@dataclass(slots=True)
class Opened:
    """A file, archive member or standard input that is read.

    Attributes
    ----------
    id, source : str
        For the crystals and rejections it gives.
    disorder : {"reject", "majority"}
        What to do with partly occupied sites.
    path : Path or None
        Where it is a plain file.
    raw, stream : Prefixed
        Its bytes, and the same unpacked where they are packed.
    bytes_read : callable
        Number of packed bytes read so far.
    """

    id: str
    source: str
    disorder: Disorder
    path: Path | None
    raw: Prefixed
    stream: Prefixed
    bytes_read: Callable[[], int]


def one(path: Path) -> int:
    """Count a file that holds one structure, as a rule."""
    return 1


@dataclass(frozen=True, slots=True)
class Format:
    """A file format.

    Attributes
    ----------
    name : str
    title : str
        What people call it, for messages; empty for one that goes without saying.
    suffixes : tuple of str
        In lower case. Any of them may be followed by one of `PACKED`.
    read : callable
        Called with what `takes` says and an `Opened`; yields a Crystal or a Rejection for each structure, or for an
        ``archive`` name and content of each member.
    takes : {"text", "lines", "file", "archive"}
        The whole text, an iterator of its lines, or, for the last two, the `Opened` alone.
    sniff : callable, optional
        Whether a `Head` shows the format beyond doubt.
    priority : int
        Formats of a higher one are asked first whether the head is theirs.
    within : str
        The format that the content passes for: between the two, the suffix decides.
    count : callable or None
        Number of items of a file, cheaply; the function may return None, and is None, where that takes reading.
    max_bytes : int
        Longest text.
    remedy : str
        What to do about a longer one.
    """

    name: str
    title: str
    suffixes: tuple[str, ...]
    read: Callable[..., Iterator[Any]]
    takes: Literal["text", "lines", "file", "archive"] = "text"
    sniff: Callable[[Head], bool] | None = None
    priority: int = 0
    within: str = ""
    count: Callable[[Path], int | None] | None = one
    max_bytes: int = MAX_FILE_BYTES
    remedy: str = "split it"


FORMATS: dict[str, Format] = {}
"""Every format by name."""

_SNIFFING: list[tuple[str, Callable[[Head], bool]]] = []
_ARCHIVES: list[Format] = []
_SUFFIXES: dict[str, str] = {}


def register(format: Format) -> Format:
    """Add a format.

    Raises
    ------
    ValueError
        If its name or one of its suffixes is taken.
    """
    if format.name in FORMATS or _SUFFIXES.keys() & set(format.suffixes):
        raise ValueError(f"format {format.name}: its name or one of its suffixes is taken")
    FORMATS[format.name] = format
    suffixes = _SUFFIXES | dict.fromkeys(format.suffixes, format.name)
    _SUFFIXES.clear()
    _SUFFIXES.update({suffix: suffixes[suffix] for suffix in sorted(suffixes, key=len, reverse=True)})
    ordered = sorted(FORMATS.values(), key=lambda known: -known.priority)
    _SNIFFING[:] = [(known.name, known.sniff) for known in ordered if known.sniff is not None]
    _ARCHIVES[:] = [known for known in ordered if known.takes == "archive"]
    split_name.cache_clear()
    _crystal_suffix.cache_clear()
    return format


def titles() -> str:
    """Formats as a message lists them."""
    return ", ".join(format.title for format in FORMATS.values() if format.title)


def sniff(head: bytes) -> str | None:
    """Format that the first bytes of a file show beyond doubt, else None."""
    seen = Head(head)
    for name, shows in _SNIFFING:
        if shows(seen):
            return name
    return None


def is_archive(head: bytes) -> bool:
    """Whether the first bytes are those of an archive: `sniff`, without the work that other formats take."""
    seen = Head(head)
    return any(format.sniff is not None and format.sniff(seen) for format in _ARCHIVES)


def recognise(head: bytes, name: str) -> Format | None:
    """Format of a file by its first bytes, and by its name where they leave it open."""
    named = split_name(name)[1]
    shown = sniff(head) or named
    if shown is None:
        return None
    return FORMATS[named if named and FORMATS[named].within == shown else shown]


@lru_cache(maxsize=256)
def split_name(name: str) -> tuple[str, str | None]:
    """Stem and format of a file name; the format is None where the name does not tell.

    >>> split_name("data/mp-149.cif.gz")
    ('mp-149', 'cif')
    """
    base = name.replace("\\", "/").rstrip("/").rsplit("/", 1)[-1]
    lower = base.lower()
    if lower.endswith(PACKED) and not lower.endswith(tuple(f".tar{packed}" for packed in PACKED)):
        base = base[: base.rindex(".")]
        lower = lower[: len(base)]
    for suffix, format in _SUFFIXES.items():
        if lower.endswith(suffix) and len(base) > len(suffix):
            return base[: -len(suffix)], format
    if base.startswith(("POSCAR", "CONTCAR")):
        return base, "poscar"
    return base.rsplit(".", 1)[0] or base, None


def without_suffix(name: str) -> str:
    """Name without the suffix of a text file of one or several crystals: ``.cif``, ``.vasp`` or ``.cif.gz``."""
    match = _crystal_suffix().search(name)
    return name[: match.start()] if match and match.start() else name


@lru_cache(maxsize=1)
def _crystal_suffix() -> re.Pattern[str]:
    text = [suffix for suffix, name in _SUFFIXES.items() if FORMATS[name].takes in ("text", "lines")]
    return re.compile(rf"({'|'.join(map(re.escape, text))})({'|'.join(map(re.escape, PACKED))})?$", re.IGNORECASE)
