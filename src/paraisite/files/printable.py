"""`printable` and `counted`: text from files, made safe for a terminal, and numbers of things."""

from __future__ import annotations


def printable(text: str) -> str:
    """Text that cannot steer a terminal: file names may hold escape sequences and bytes that are not text."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def counted(n: int, noun: str) -> str:
    """Number of things, as in "1 crystal" and "2 crystals"."""
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"
