"""Textbook crystals for tests, built by hand from space group, cell and coordinates."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from paraisite.crystals.crystal import Crystal


def build(symbols: str, basis: Sequence[Sequence[float]], group: int, *cell: float, id: str = "") -> Crystal:
    """A crystal of some symbols at some places, in the standard setting of a space group with two origins: the first.

    The cell is a of a cubic crystal, a and c of a tetragonal or hexagonal one, or all six numbers.
    """
    from ase.spacegroup import crystal

    if len(cell) == 1:
        cell = (cell[0],) * 3 + (90, 90, 90)
    elif len(cell) == 2:
        cell = (cell[0], cell[0], cell[1], 90, 90, 120 if 143 <= group <= 194 else 90)
    with warnings.catch_warnings():  # of a site that the rounding of 1/3 puts twice
        warnings.simplefilter("ignore")
        atoms = crystal(symbols.split(), basis, spacegroup=group, cellpar=cell, symprec=2e-3)
    return replace(Crystal.from_ase(atoms), id=id or symbols.replace(" ", ""))


def same_otherwise(crystal: Crystal, seed: int) -> Crystal:
    """The same crystal with up to twice its cell, other lattice vectors, origin, orientation and order of sites."""
    rng = np.random.default_rng(seed)
    repeats = rng.permutation([2, 1, 1])
    shifts = np.array(list(np.ndindex(*repeats)), dtype=float)
    positions = (crystal.positions[None] + shifts[:, None]).reshape(-1, 3) / repeats
    cell, numbers = crystal.cell * repeats[:, None], np.tile(crystal.numbers, len(shifts))
    vectors = np.eye(3, dtype=int)
    i, j = rng.choice(3, size=2, replace=False)
    vectors[i] += int(rng.integers(-1, 2)) * vectors[j]
    positions = positions @ np.linalg.inv(vectors) + rng.uniform(-1, 1, 3)
    rotation = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    order = rng.permutation(len(numbers))
    return replace(crystal, cell=vectors @ cell @ rotation, numbers=numbers[order], positions=positions[order])
