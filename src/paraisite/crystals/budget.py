"""One budget of memory for all readers: 1 GiB, and 50 times the bytes read, kept before anything is made."""

from __future__ import annotations

from paraisite.crystals.rejection import CrystalError

MEMORY = 1 << 30
"""Bytes that reading may take whatever the size of the input, and"""

PER_BYTE = 50
"""as many times the bytes of the input (as packed, where it is packed)."""

_FREE = MEMORY // 64
"""Texts up to this length make no more than `MEMORY` of anything."""

_TEXT = 5
"""Memory of a text in bytes of its file: as it is and decoded, where one rare letter makes all of them four bytes."""

_JSON = {"[": 88, "{": 64, ":": 60, ",": 40, '"': 15}
"""Bytes that Python takes at most for the objects behind each of these marks (measured with 3.11 to 3.13)."""


def allowed(bytes_read: int) -> int:
    """Bytes of memory that reading so many bytes may take."""
    return MEMORY + PER_BYTE * bytes_read


def largest(bytes_read: int, per_byte: int = _TEXT) -> int:
    """Bytes that so many may unpack to, if each takes `per_byte` of memory."""
    return allowed(bytes_read) // per_byte


def check_json(text: str, bytes_read: int) -> None:
    """Raise `CrystalError` where the objects of a JSON text would take more memory than `allowed`."""
    if len(text) <= _FREE:
        return
    need = _TEXT * len(text) + sum(size * text.count(mark) for mark, size in _JSON.items())
    if need > allowed(bytes_read):
        raise CrystalError(
            f"the JSON would take about {need / MEMORY:.1f} GiB of memory, more than the limit of "
            f"{allowed(bytes_read) / MEMORY:.1f} GiB; unpack it if it is packed, or write JSON Lines (.jsonl)"
        )
