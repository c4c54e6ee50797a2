"""Supercells of standardised cells."""

from __future__ import annotations

import math

import numpy as np

from paraisite.phonons.settings import Settings
from paraisite.potentials.cells import StandardCell

Multiples = tuple[int, int, int]


class PhononError(ValueError):
    """A calculation cannot continue; the message says why, and what to do."""


def plane_spacing(cell: np.ndarray) -> np.ndarray:
    """Distances (Å, shape (3,)) between opposite faces of a cell with lattice vectors as rows."""
    spacing: np.ndarray = 1 / np.linalg.norm(np.linalg.inv(cell), axis=0)
    return spacing


def choose_supercells(cell: StandardCell, settings: Settings) -> tuple[Multiples, Multiples]:
    """Multiples of the conventional cell for the third order and, at least as large where it is chosen, the second."""
    third = settings.supercell or enlarge(cell, settings.supercell_length, settings.max_supercell_atoms)
    second = settings.fc2_supercell or settings.supercell
    if second is None:
        second = enlarge(cell, settings.fc2_supercell_length, settings.max_fc2_supercell_atoms)
        second = max(second, third, key=math.prod)
    return third, second


def enlarge(cell: StandardCell, length: float, max_atoms: int) -> Multiples:
    """Multiples of the conventional cell for a supercell of some length.

    Starting from one cell, the axis (with those equivalent to it by symmetry) whose lattice planes are closest together
    in the supercell is multiplied once more, until the inscribed sphere has the diameter `length` or one more step
    would exceed `max_atoms`.

    Parameters
    ----------
    cell : StandardCell
    length : float
        Å.
    max_atoms : int
    """
    group_number = cell.group_number
    together = [[0, 1, 2]] if group_number >= 195 else [[0, 1], [2]] if group_number >= 75 else [[0], [1], [2]]
    spacing = plane_spacing(cell.cell)
    multiples = np.ones(3, dtype=int)
    while (multiples * spacing).min() < length:
        smallest = int(np.argmin(multiples * spacing))
        more = multiples.copy()
        more[next(axes for axes in together if smallest in axes)] += 1
        if len(cell.numbers) * more.prod() > max_atoms:
            break
        multiples = more
    return int(multiples[0]), int(multiples[1]), int(multiples[2])
