"""`Tags`: the values of a CIF block by tag, whichever spelling of the tags the file uses."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from functools import lru_cache

from gemmi import cif

from paraisite.crystals.check import MAX_SITES

COORDINATES = ("_atom_site_fract_x", "_atom_site_fract_y", "_atom_site_fract_z")

_SITES = (COORDINATES[0], "_atom_site_label", "_atom_site_type_symbol", "_atom_site_cartn_x")
_READ = re.compile(
    r"_(cell_(length|angle)_|cell_volume|(symmetry|space_group)_|chemical_formula_sum|atom_site_(?!aniso))"
)
_Given = str | tuple[cif.Loop, int]
_Column = _Given | list[str]


class Tags:
    """The values of a CIF block by tag.

    Tags are written in lower case, with an underscore where DDLm and magnetic CIFs have a dot: `_cell.length_a` is
    `_cell_length_a`. Of a tag given twice the first stated value counts; sites in several loops are joined.

    Parameters
    ----------
    block : gemmi.cif.Block

    Attributes
    ----------
    notes : list of str
        What was taken where the block says two things.
    error : str
        Why the sites cannot be read, else empty.
    """

    def __init__(self, block: cif.Block) -> None:
        self.notes: list[str] = []
        self.error = ""
        self._columns: dict[str, _Column] = {}
        self._values: dict[int, list[str]] = {}
        again: list[tuple[str, _Given]] = []
        columns = self._columns
        for item in block:
            if (pair := item.pair) is not None:  # [tag, value]
                tag = _key(pair[0])  # type: ignore[index]
                if tag not in columns or columns[tag] in ("?", "."):
                    columns[tag] = pair[1]  # type: ignore[index]
                else:
                    again.append((tag, pair[1]))  # type: ignore[index]
            elif (loop := item.loop) is not None:
                for i, name in enumerate(loop.tags):
                    tag = _key(name)
                    if tag not in columns:
                        columns[tag] = (loop, i)
                    else:
                        again.append((tag, (loop, i)))
        if again:
            self._settle(again)

    def __contains__(self, tag: str) -> bool:
        return tag in self._columns

    def __iter__(self) -> Iterator[str]:
        return iter(self._columns)

    @property
    def has_sites(self) -> bool:
        """Whether the block describes a structure."""
        return any(tag in self._columns for tag in _SITES)

    def count(self, tag: str) -> int:
        """Return how many values a tag has."""
        column = self._columns.get(tag, [])
        return column[0].length() if isinstance(column, tuple) else 1 if isinstance(column, str) else len(column)

    def column(self, tag: str) -> list[str]:
        """Return the values of a tag as they stand in the file, empty if it is absent."""
        column = self._columns.get(tag)
        if isinstance(column, tuple):
            loop, i = column
            values = self._values.get(id(loop))
            if values is None:
                values = self._values[id(loop)] = loop.values
            return values[i :: loop.width()]
        return [column] if isinstance(column, str) else column or []

    def text(self, *tags: str) -> str:
        """Return the first value that one of the tags states, without quotes; empty if none does."""
        for tag in tags:
            column = self._columns.get(tag)
            if column is None:
                continue
            value = column if isinstance(column, str) else self.column(tag)[0] if self.count(tag) == 1 else ""
            if value and (found := cif.as_string(value).strip()) and found not in "?.":
                return found
        return ""

    def number(self, tag: str) -> float:
        """Return the number that a tag states, NaN if none."""
        value = self._columns.get(tag, "?")
        return cif.as_number(value if isinstance(value, str) else self.text(tag) or "?")

    def _settle(self, again: Sequence[tuple[str, _Given]]) -> None:
        first = self._columns.get(COORDINATES[0])
        more = [column[0] for tag, column in again if tag == COORDINATES[0] and isinstance(column, tuple)]
        joined = False
        if more and isinstance(first, tuple):
            joined = True
            self._join([first[0], *more])
        for tag, column in again:
            if not _READ.match(tag) or (joined and tag.startswith("_atom_site_")):
                continue
            if isinstance(column, str):
                mine = self.column(tag)
                if column in ("?", ".") or (len(mine) == 1 and _same(mine[0], column)):
                    continue
                shown = f" ({cif.as_string(mine[0])} and {cif.as_string(column)})" if len(mine) == 1 else ""
            else:
                loop, i = column
                if loop.length() == self.count(tag) and loop.values[i :: loop.width()] == self.column(tag):
                    continue
                shown = ""
            self.notes.append(f"{tag} is given twice with different values{shown}; the first was used, correct it")

    def _join(self, loops: Sequence[cif.Loop]) -> None:
        """Make one table of the loops of sites; a site that is repeated to the letter is one."""
        if sum(loop.length() for loop in loops) > MAX_SITES:
            self.error = f"the loops of atom sites hold more than {MAX_SITES} sites; give the primitive cell"
            return
        names = list(dict.fromkeys(_key(name) for loop in loops for name in loop.tags))
        rows: dict[tuple[str, ...], None] = {}
        for loop in loops:
            mine = {_key(name): loop.values[i :: loop.width()] for i, name in enumerate(loop.tags)}
            unknown = ["?"] * loop.length()
            rows |= dict.fromkeys(zip(*(mine.get(name, unknown) for name in names), strict=True))
        if not rows:
            return  # the loops are empty
        for name, values in zip(names, zip(*rows, strict=True), strict=True):
            self._columns[name] = list(values)
        if len(rows) > loops[0].length():
            self.notes.append(f"the {len(loops)} loops of atom sites were read as one; give one loop to be sure")


@lru_cache(maxsize=4096)
def _key(tag: str) -> str:
    return tag.lower().replace(".", "_")


def _same(a: str, b: str) -> bool:
    x, y = cif.as_number(a), cif.as_number(b)
    if math.isnan(x) or math.isnan(y):
        return "".join(cif.as_string(a).split()).lower() == "".join(cif.as_string(b).split()).lower()
    return abs(x - y) <= 1e-3 * max(abs(x), abs(y))
