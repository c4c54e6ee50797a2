"""VASP's POSCAR and CONTCAR, through ASE."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator

from paraisite.crystals.check import MAX_SITES
from paraisite.crystals.crystal import Crystal
from paraisite.crystals.rejection import CrystalError, Rejection

_FORM = "it needs a scale, three lattice vectors, element names, their counts and as many coordinate lines"


def read_poscar(text: str, *, id: str, source: str) -> Iterator[Crystal | Rejection]:
    """Yield the crystal of a POSCAR, or the reason why there is none."""
    try:
        yield _crystal(text, id, source)
    except CrystalError as error:
        yield Rejection(id, source, str(error))


def _crystal(text: str, id: str, source: str) -> Crystal:
    from ase.io.vasp import read_vasp

    from paraisite.crystals.convert import from_ase

    lines = text.splitlines()
    at = next((i for i in (5, 6) if i < len(lines) and re.match(r"\s*\d+(\s+\d+)*\s*($|[!#])", lines[i])), None)
    if at is None:
        raise CrystalError(f"not a readable POSCAR (no counts in line 6 or 7); {_FORM}")
    n = sum(int(count[:9]) for count in re.split("[!#]", lines[at])[0].split())
    if n > MAX_SITES:
        raise CrystalError(f"{n} sites are more than the limit of {MAX_SITES}; give the primitive cell")
    first = at + 2 + (at + 1 < len(lines) and lines[at + 1].strip()[:1] in ("s", "S"))
    coordinates = [line for line in lines[first : first + n] if line.strip()]
    if len(coordinates) < n:
        raise CrystalError(f"line {at + 1} counts {n} atoms, but {len(coordinates)} coordinate lines follow; {_FORM}")
    try:
        # velocities and whatever else follows the coordinates are of no use here
        atoms = read_vasp(io.StringIO("\n".join(lines[: first + n]) + "\n"))
    except Exception as error:  # ASE's parser raises whatever a line happens to trip
        detail = f"{type(error).__name__}: {error}".splitlines()[0]
        raise CrystalError(f"not a readable POSCAR ({detail}); {_FORM}") from error
    return from_ase(atoms, id=id, source=source)
