"""VASP's POSCAR and CONTCAR, through ASE."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace

from paraisite.crystals.check import MAX_SITES
from paraisite.crystals.crystal import Crystal
from paraisite.crystals.elements import NUMBERS, SYMBOLS, species_number
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
    counts = [int(count[:9]) for count in re.split("[!#]", lines[at])[0].split()]
    n = sum(counts)
    if n > MAX_SITES:
        raise CrystalError(f"{n} sites are more than the limit of {MAX_SITES}; give the primitive cell")
    selective = at + 1 < len(lines) and lines[at + 1].strip()[:1] in ("s", "S")
    first = at + 2 + selective
    coordinates = [line for line in lines[first : first + n] if line.strip()]
    if len(coordinates) < n:
        raise CrystalError(f"line {at + 1} counts {n} atoms, but {len(coordinates)} coordinate lines follow; {_FORM}")
    notes: tuple[str, ...] = ()
    if at == 6:
        symbols = _line_of_elements(lines[5], len(counts))
    elif (labels := _labels(coordinates, counts, selective)) is not None:
        symbols = labels
    elif len(words := lines[0].split()) == len(counts) and all(word in NUMBERS for word in words):
        symbols, notes = words, ("elements taken from the comment line",)
    else:
        raise CrystalError(
            "not a readable POSCAR: no line names the elements; write their symbols above the counts, one for each"
        )
    # ASE would take elements from any letters of the comment
    head = ["", *lines[1:5], " ".join(symbols), " ".join(map(str, counts))]
    try:
        # velocities and whatever else follows the coordinates are of no use here
        atoms = read_vasp(io.StringIO("\n".join([*head, *lines[at + 1 : first + n]]) + "\n"))
    except Exception as error:  # ASE's parser raises whatever a line happens to trip
        detail = f"{type(error).__name__}: {error}".splitlines()[0]
        raise CrystalError(f"not a readable POSCAR ({detail}); {_FORM}") from error
    crystal = from_ase(atoms, id=id, source=source)
    return replace(crystal, notes=(*crystal.notes, *notes))


def _line_of_elements(line: str, n: int) -> list[str]:
    """Symbols of the line above the counts, where names of potentials (``Na_pv/6a2f546d``) may stand."""
    words = line.split()[:n]
    if len(words) < n:
        raise CrystalError(f"line 6 names {len(words)} elements and line 7 has {n} counts; correct them")
    numbers = [species_number(re.split("[_/]", word)[0]) for word in words]
    if 0 in numbers:
        wrong = words[numbers.index(0)]
        raise CrystalError(f"line 6 holds {wrong!r}, which is not a chemical element; write its symbol")
    return [SYMBOLS[z] for z in numbers]


def _labels(coordinates: Sequence[str], counts: Sequence[int], selective: bool) -> list[str] | None:
    """Symbols that stand behind the coordinates, one for each count; None unless all lines have one."""
    at = 6 if selective else 3
    numbers = []
    for line in coordinates:
        words = line.split()
        flags = not selective and set(words[3:6]) <= {"T", "F"} and len(words) > 5
        z = species_number(words[at]) if len(words) > at and not flags else 0
        if not z:
            return None
        numbers.append(z)
    symbols = []
    for count in counts:
        here, numbers = numbers[:count], numbers[count:]
        if len(set(here)) > 1:
            found = ", ".join(sorted({SYMBOLS[z] for z in here}))
            raise CrystalError(f"line 6 counts {count} atoms of one element, but they are labelled {found}; correct it")
        symbols += [SYMBOLS[here[0]]] if here else ["X"]  # a count of zero
    return symbols
