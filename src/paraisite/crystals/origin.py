"""`Origin`: what the source of a crystal names, such as ``archive.zip::member.cif`` or ``file.json#3``."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass

from paraisite.crystals.formats import split_name

INSIDE, KEY = "::", "#"


@dataclass(frozen=True, slots=True)
class Origin:
    """Parts of a source; `str` puts them together again.

    Attributes
    ----------
    path : str
        A file, or an address on the web.
    inside : str
        Member of an archive, or what names a line of a table, such as "line 3"; empty for a crystal of the file itself.
    key : str
        Number or name of the structure; empty where it is the only one.
    """

    path: str
    inside: str = ""
    key: str = ""

    @classmethod
    def parse(cls, source: str) -> Origin:
        """Take a source apart; names of files may hold ``::`` and ``#``, too, so those that exist count first."""
        ends = [match.start() for match in re.finditer(f"{INSIDE}|{KEY}", source)] + [len(source)]
        there = next((source[:end] for end in reversed(ends) if os.path.isfile(source[:end])), None)
        path = source.partition(INSIDE)[0] if there is None else there
        rest = source[len(path) :]
        if rest.startswith(INSIDE):
            return cls(path, *_keyed(rest.removeprefix(INSIDE)))
        path, key = _keyed(path) if there is None else (path, rest.removeprefix(KEY))
        return cls(path, key=key)

    def __str__(self) -> str:
        inside = f"{INSIDE}{self.inside}" if self.inside else ""
        return f"{self.path}{inside}{KEY}{self.key}" if self.key else f"{self.path}{inside}"

    @property
    def stem(self) -> str:
        """Name of the file, or of the member of an archive, without its suffix."""
        return split_name(self.inside or self.path)[0]

    @property
    def number(self) -> int:
        """Number of a line or row of a table."""
        return int(self.inside.rpartition(" ")[2])


def _keyed(text: str) -> tuple[str, str]:
    """Name of a file and key of a structure in it; a name of a known format may hold a ``#``."""
    parts = text.split(KEY)
    heads = [KEY.join(parts[:n]) for n in range(1, len(parts) + 1)]
    name = next((head for head in heads if split_name(head)[1] is not None), heads[0])
    return name, text[len(name) + len(KEY) :]
