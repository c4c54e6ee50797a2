"""Physical validity of a crystal: what every reader and converter asks before a crystal leaves the room."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from paraisite.crystals.crowding import check_crowding, closest_in_tree
from paraisite.crystals.elements import SYMBOLS, reduced_formula
from paraisite.crystals.rejection import CrystalError
from paraisite.crystals.spacings import cross, dot, plane_spacings

MAX_SITES = 5000
"""Largest number of sites of a cell that is accepted."""

MIN_DISTANCE = 0.5
"""Closest that two sites may be, in Å. The shortest bond known, H-H in the gas, is 0.74 Å."""

_MAX_IMAGES = 2000
_MAX_COMPARED = 200_000
_BLOCK = 1 << 16
_HERE = np.zeros((1, 3))


def check(cell: np.ndarray, numbers: np.ndarray, positions: np.ndarray) -> None:
    """Raise if a crystal cannot be one.

    Parameters
    ----------
    cell : numpy.ndarray, shape (3, 3)
        Lattice vectors as rows, in Å.
    numbers : numpy.ndarray, shape (n_sites,)
        Atomic numbers.
    positions : numpy.ndarray, shape (n_sites, 3)
        Fractional coordinates.

    Raises
    ------
    CrystalError
        If there is no site, a number is not finite, the cell spans no volume, an element is unknown, there are more
        than `MAX_SITES` sites, or two sites are closer than `MIN_DISTANCE`. Sites are counted from 1.
    """
    n = len(numbers)
    if n == 0:
        raise CrystalError("the structure has no sites; give a file with at least one atom")
    if n > MAX_SITES:
        raise CrystalError(f"{n} sites are more than the limit of {MAX_SITES}; give the primitive cell")
    # a sum is finite only if all numbers are, and sooner known
    if not math.isfinite(float(cell.sum())) and not np.isfinite(cell).all():
        raise CrystalError("the cell holds a number that is not finite; correct the lattice vectors")
    if not math.isfinite(float(positions.sum())) and not np.isfinite(positions).all():
        site = int(np.flatnonzero(~np.isfinite(positions).all(axis=1))[0])
        raise CrystalError(f"{_name(numbers, site)} has a coordinate that is not a finite number; correct it")
    if int(numbers.min()) < 1 or int(numbers.max()) >= len(SYMBOLS):
        site = int(np.flatnonzero((numbers < 1) | (numbers >= len(SYMBOLS)))[0])
        raise CrystalError(f"site {site + 1} is not a chemical element; replace or remove it")
    volume = _check_cell(cell)
    if (pair := closest_below(cell, positions, MIN_DISTANCE)) is not None:
        i, j, distance = pair
        if i == j:
            raise CrystalError(f"a lattice vector is only {distance:.2f} Å long; correct the cell")
        raise CrystalError(
            f"{_name(numbers, i)} and {_name(numbers, j)} overlap, {distance:.2f} Å apart; remove the duplicate or "
            "correct the coordinates, the cell or the symmetry operators"
        )
    check_crowding(cell, positions, volume)


def check_periodic(pbc: Iterable[bool]) -> None:
    """Raise if a crystal does not repeat in all three directions: a slab, chain or molecule in a box."""
    if not all(pbc):
        raise CrystalError(
            "not periodic in all three directions; set pbc to True in each (a slab then needs --allow-vacuum)"
        )


def summary(numbers: np.ndarray) -> dict[str, str | int | None]:
    """Return formula and counts of a rejected crystal, as keywords of `Rejection`."""
    known = numbers[(numbers > 0) & (numbers < len(SYMBOLS))]
    return {
        "formula": reduced_formula(known) if len(known) == len(numbers) else "",
        "n_sites": len(numbers),
        "n_elements": len(set(numbers.tolist())),
    }


def _name(numbers: np.ndarray, site: int) -> str:
    z = int(numbers[site])
    return f"site {site + 1} ({SYMBOLS[z] if 0 < z < len(SYMBOLS) else '?'})"


def _check_cell(cell: np.ndarray) -> float:
    """Return the volume of a cell that has one, in Å³."""
    a, b, c = vectors = cell.tolist()
    if (longest := max(abs(x) for vector in vectors for x in vector)) > 1e4:
        raise CrystalError(f"a lattice vector is {longest:.3g} Å long; lengths are taken in Å, correct the cell")
    volume = abs(dot(a, cross(b, c)))
    # a volume that is small relative to the edges means vectors in one plane; 1e-4 is an angle of 0.006 degrees
    if volume < 1e-3 or volume < 1e-4 * (dot(a, a) * dot(b, b) * dot(c, c)) ** 0.5:
        raise CrystalError(f"the cell has no volume ({volume:.3g} Å³); correct the lattice vectors or angles")
    return volume


def closest_below(cell: np.ndarray, positions: np.ndarray, cutoff: float) -> tuple[int, int, float] | None:
    """Return a pair of sites closer than `cutoff` (in Å) and its distance, the closest of its block, or None.

    A difference vector shorter than the cutoff has fractional components up to cutoff / (spacing of lattice planes).
    Where every spacing exceeds twice the cutoff that is below one half, so the difference wrapped into [-1/2, 1/2] is
    that vector and one image suffices; flatter cells get as many images as they need.
    """
    reach = [0 if d > 2 * cutoff else int(cutoff / d + 0.5) for d in plane_spacings(cell)]
    if len(positions) ** 2 * math.prod(2 * r + 1 for r in reach) > _MAX_COMPARED:
        return closest_in_tree(cell, positions, cutoff)
    if math.prod(2 * r + 1 for r in reach) > _MAX_IMAGES:
        raise CrystalError("the cell is nearly flat; give a reduced (Niggli) cell")
    shifts = np.indices([2 * r + 1 for r in reach]).reshape(3, -1).T - np.array(reach, float) if any(reach) else _HERE
    if len(shifts) > 1:
        lengths = np.sqrt(((shifts @ cell) ** 2).sum(axis=1))
        lengths[(shifts == 0).all(axis=1)] = np.inf
        if lengths.min() < cutoff:
            return 0, 0, float(lengths.min())
    n = len(positions)
    rows = max(1, _BLOCK // n)
    for start in range(0, n - 1, rows):
        block = positions[start : start + rows, None] - positions[None, start:]
        block -= np.rint(block)
        for shift in shifts:
            vectors = ((block + shift) if len(shifts) > 1 else block).reshape(-1, 3) @ cell
            squares = np.einsum("ij,ij->i", vectors, vectors)
            squares[:: n - start + 1] = np.inf  # each site itself
            k = int(squares.argmin())
            if squares[k] < cutoff * cutoff:
                i, j = divmod(k, n - start)
                return start + i, start + j, float(np.sqrt(squares[k]))
    return None
