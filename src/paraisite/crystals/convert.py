"""`Crystal` from and to the objects of pymatgen and ASE."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from paraisite.crystals.check import MAX_SITES, check, check_periodic
from paraisite.crystals.crystal import Crystal
from paraisite.crystals.elements import species_number
from paraisite.crystals.rejection import CrystalError
from paraisite.crystals.sites import Disorder, Sites, order, unknown_element

if TYPE_CHECKING:
    from ase import Atoms
    from pymatgen.core import Structure


def from_pymatgen(structure: Structure, *, id: str = "", source: str = "", disorder: Disorder = "reject") -> Crystal:
    """Make a crystal of a `pymatgen.core.Structure`; oxidation states and isotopes are dropped.

    Raises
    ------
    CrystalError
        If a direction is not periodic, a site is disordered or not an element, or the crystal is not physical.
    """
    if len(structure) > MAX_SITES:
        raise CrystalError(f"{len(structure)} sites are more than the limit of {MAX_SITES}; give the primitive cell")
    check_periodic(structure.lattice.pbc)
    names = [f"site {i + 1}" for i in range(len(structure))]
    species: list[dict[int, float]] = []
    for name, site in zip(names, structure, strict=True):
        content: dict[int, float] = {}
        for part, occupancy in site.species.items():
            if not (z := species_number(part.symbol)):
                raise unknown_element(name, part.symbol)
            content[z] = content.get(z, 0.0) + float(occupancy)
        species.append(content)
    sites = Sites(np.array(structure.frac_coords, dtype=float).reshape(-1, 3), species, names)
    numbers, positions = order(sites, disorder)
    cell = np.array(structure.lattice.matrix, dtype=float)
    check(cell, numbers, positions)
    return Crystal(cell, numbers, positions, id, source, tuple(sites.notes))


def to_pymatgen(crystal: Crystal) -> Structure:
    """Return the crystal as a `pymatgen.core.Structure`."""
    from pymatgen.core import Lattice, Structure

    return Structure(Lattice(crystal.cell), crystal.symbols, crystal.positions)


def from_ase(atoms: Atoms, *, id: str = "", source: str = "") -> Crystal:
    """Make a crystal of a three-dimensionally periodic `ase.Atoms`.

    Raises
    ------
    CrystalError
        If the cell does not span space, a direction is not periodic, a site is not an element or disordered (as noted
        by ASE's CIF reader), or the crystal is not physical.
    """
    cell = np.array(atoms.cell.array, dtype=float)
    if not cell.any(axis=1).all():
        raise CrystalError("there is no three-dimensional cell (a molecule, chain or slab?); give a periodic crystal")
    check_periodic(atoms.pbc)
    for kind, content in (atoms.info.get("occupancy") or {}).items():
        if len(content) != 1 or any(abs(occupancy - 1.0) > 1e-3 for occupancy in content.values()):
            text = "".join(f"{symbol}{occupancy:.4g}" for symbol, occupancy in content.items())
            raise CrystalError(f"site kind {kind} is disordered: {text}; give an ordered structure")
    numbers = np.array(atoms.numbers, dtype=np.int64)
    if not np.isfinite(cell).all() or abs(np.linalg.det(cell)) < 1e-12:
        raise CrystalError("the cell has no volume; correct the lattice vectors")
    positions = np.linalg.solve(cell.T, np.array(atoms.positions, dtype=float).T).T
    check(cell, numbers, positions)
    return Crystal(cell, numbers, positions, id, source)


def to_ase(crystal: Crystal) -> Atoms:
    """Return the crystal as a periodic `ase.Atoms`."""
    from ase import Atoms

    return Atoms(numbers=crystal.numbers, cell=crystal.cell, scaled_positions=crystal.positions, pbc=True)
