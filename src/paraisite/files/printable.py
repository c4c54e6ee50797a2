"""`printable`: text from files, made safe for a terminal."""

from __future__ import annotations


def printable(text: str) -> str:
    """Text that cannot steer a terminal: file names may hold escape sequences and bytes that are not text."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
