"""Names of files made from texts that come from anywhere, such as the ids of crystals."""

from __future__ import annotations

import re
from collections.abc import Iterable

LONGEST = 100
"""Characters of a name; of other scripts than Latin also no more than twice as many bytes, since 255 is the limit."""


def file_name(text: str, *, kept: str = "", empty: str = "crystal") -> str:
    """Return a text as the name of a file: letters, digits, ``_``, ``.``, ``-`` and what is `kept`, else ``_``.

    Dots at its ends are dropped, so that it is neither hidden nor leads out of its folder; where nothing is left, it is
    `empty`.
    """
    name = re.sub(rf"[^\w.{re.escape(kept)}-]", "_", text).strip(".")[:LONGEST]
    return name.encode()[: 2 * LONGEST].decode(errors="ignore") or empty


def each_once(names: Iterable[str]) -> list[str]:
    """Number names that were there before: some file systems do not tell Co from CO."""
    taken: set[str] = set()
    return [name_once(name, taken) for name in names]


def name_once(name: str, taken: set[str]) -> str:
    """Number a name if it is among those `taken`, and add it to them."""
    free, n = name, 1
    while free.casefold() in taken:
        n += 1
        free = f"{name}-{n}"
    taken.add(free.casefold())
    return free
