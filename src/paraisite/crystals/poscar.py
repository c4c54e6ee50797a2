"""VASP's POSCAR and CONTCAR."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from paraisite.crystals.check import MAX_SITES
from paraisite.crystals.crystal import Crystal
from paraisite.crystals.elements import NUMBERS, SYMBOLS, species_number
from paraisite.crystals.isotopes import heavy_hydrogen
from paraisite.crystals.rejection import CrystalError
from paraisite.files.printable import counted

_FORM = "it needs a scale, three lattice vectors, element names, their counts and as many coordinate lines"

_COUNTS = re.compile(r"\s*\d+(\s+\d+)*\s*($|[!#])")

_MOST_LINES = MAX_SITES + 40
"""Lines that are looked at; what follows the coordinates (velocities, a charge density) is of no use here."""

_LAST_COUNTS = 20
"""Last line, from 0, at which the counts may begin: the names of many elements take several lines."""


def read_poscar(text: str, id: str, source: str) -> Crystal:
    """Return the crystal of a POSCAR.

    Raises
    ------
    CrystalError
        If it is not readable, or part of it would be left out.
    """
    lines = text.split("\n", _MOST_LINES)[:_MOST_LINES]
    if (at := _line_of_counts(lines)) is None:
        raise CrystalError(f"not a readable POSCAR (no counts in line 6 or 7); {_FORM}")
    names = [word for line in lines[5:at] for word in re.split("[!#]", line)[0].split()]
    after, counts = at + 1, _counts(lines[at])
    while len(counts) < len(names) and after < len(lines) and _COUNTS.match(lines[after]):
        counts += _counts(lines[after])
        after += 1
    n = sum(counts)
    if n > MAX_SITES:
        raise CrystalError(f"{n} sites are more than the limit of {MAX_SITES}; give the primitive cell")
    selective = after < len(lines) and lines[after].strip()[:1] in ("s", "S")
    mode = after + selective
    if mode < len(lines) and _is_site(lines[mode]):
        raise CrystalError(f"line {mode + 1} should say Direct or Cartesian, but holds numbers; add the line above it")
    coordinates = [line for line in lines[mode + 1 : mode + 1 + n] if line.strip()]
    if len(coordinates) < n:
        raise CrystalError(
            f"line {at + 1} counts {counted(n, 'atom')}, but coordinate lines follow for {len(coordinates)}; {_FORM}"
        )
    notes = []
    if at > 5:
        symbols = _elements(names, len(counts), at)
    elif (labels := _labels(coordinates, counts, selective)) is not None:
        symbols = labels
    elif len(words := lines[0].split()) == len(counts) and all(word in NUMBERS for word in words):
        symbols = words
        notes.append("elements taken from the comment line")
    else:
        raise CrystalError(
            "not a readable POSCAR: no line names the elements; write their symbols above the counts, one for each"
        )
    if mode + 1 + n < len(lines) and _is_site(lines[mode + 1 + n]):
        notes.append(
            f"line {mode + 2 + n} and what follows were left out, as line {at + 1} counts {counted(n, 'atom')}"
        )
    heavy, mass = heavy_hydrogen([(f"line {at} ({s})", s) for s in names[: len(counts)] if species_number(s) == 1])
    notes += heavy
    cell, scale = _cell(lines)
    positions = np.array([_floats(line, mode + 2 + i) for i, line in enumerate(coordinates)]).reshape(n, 3)
    if lines[mode].strip()[:1] in ("c", "C", "k", "K"):
        if abs(np.linalg.det(cell)) < 1e-12:
            raise CrystalError("the cell has no volume; correct the lattice vectors")
        positions = np.linalg.solve(cell.T, (positions * scale).T).T
    numbers = np.repeat(np.array([species_number(s) for s in symbols], dtype=np.int64), counts)
    return Crystal(cell, numbers, positions, id, source, tuple(notes), mass)


def _line_of_counts(lines: Sequence[str]) -> int | None:
    for i, line in enumerate(lines[5:_LAST_COUNTS], start=5):
        if _COUNTS.match(line):
            return i
        if i > 5 and not species_number(re.split("[_/ \t]", line.strip())[0]):
            break
    return None


def _counts(line: str) -> list[int]:
    return [int(count[:9]) for count in re.split("[!#]", line)[0].split()]


def _is_site(line: str) -> bool:
    """Whether a line begins with three numbers."""
    try:
        return len([float(word) for word in line.split()[:3]]) == 3
    except ValueError:
        return False


def _floats(line: str, number: int, least: int = 3) -> list[float]:
    """The first three numbers of a line; `number` counts lines from 1."""
    words = line.split()[:3]
    try:
        values = [float(word) for word in words]
    except ValueError:
        values = []
    if len(values) < least:
        raise CrystalError(f"not a readable POSCAR: line {number} ({line.strip()[:40]!r}) needs three numbers; {_FORM}")
    return values


def _cell(lines: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Lattice vectors in Å, and the scale: one number, the volume if it is negative, or one for each of x, y and z."""
    scale = np.array(_floats(lines[1] if _is_site(lines[1]) else (lines[1].split() or [""])[0], 2, 1))
    if len(scale) == 3 and scale.min() < 0.0:
        raise CrystalError("line 2 holds three scaling factors, which must be positive; correct them")
    cell = np.array([_floats(line, i + 3) for i, line in enumerate(lines[2:5])])
    if not np.isfinite(cell).all() or abs(volume := float(np.linalg.det(cell))) < 1e-12:
        raise CrystalError("the cell has no volume; correct the lattice vectors")
    if scale[0] < 0.0 and len(scale) == 1:
        scale = np.cbrt(-scale / abs(volume))
    return cell * scale, scale


def _elements(words: Sequence[str], n: int, at: int) -> list[str]:
    """Symbols of the words above the counts, where names of potentials (``Na_pv/6a2f546d``) may stand."""
    where = "line 6" if at == 6 else f"lines 6 to {at}"
    numbers = [species_number(re.split("[_/]", word)[0]) for word in words]
    if len(words) < n or any(numbers[n:]):
        raise CrystalError(
            f"{where} and line {at + 1}: {counted(len(words), 'element')} but {counted(n, 'count')}; correct them"
        )
    if 0 in numbers[:n]:
        wrong = words[numbers.index(0)]
        raise CrystalError(f"{where} holds {wrong!r}, which is not a chemical element; write its symbol")
    return [SYMBOLS[z] for z in numbers[:n]]


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
