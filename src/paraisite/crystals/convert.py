"""`Crystal` from and to the objects of pymatgen and ASE."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from paraisite.crystals.check import MAX_SITES, check, check_periodic
from paraisite.crystals.crystal import Crystal
from paraisite.crystals.elements import species_number
from paraisite.crystals.rejection import CrystalError
from paraisite.crystals.sites import Disorder, Sites, order, unknown_element
from paraisite.crystals.vacuum import check_vacuum

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
    check_vacuum(cell, positions)
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
    occupancy = atoms.info.get("occupancy")
    crystal = from_arrays(atoms.cell.array, atoms.pbc, atoms.numbers, atoms.positions, id=id, source=source)
    notes = occupancy_notes(occupancy)
    check(crystal.cell, crystal.numbers, crystal.positions)
    check_vacuum(crystal.cell, crystal.positions)
    return replace(crystal, notes=notes) if notes else crystal


def from_arrays(cell: Any, pbc: Any, numbers: Any, positions: Any, *, id: str = "", source: str = "") -> Crystal:
    """Make a crystal of the arrays that ASE keeps: atomic numbers and Cartesian positions; it is not checked yet.

    Raises
    ------
    CrystalError
        If the arrays do not fit together, the cell does not span space, or a direction is not periodic.
    """
    try:
        cell, positions = np.array(cell, dtype=float), np.array(positions, dtype=float)
        numbers = np.array(numbers, dtype=np.int64)
        periodic = np.broadcast_to(np.array(pbc, dtype=bool), 3).tolist()
    except (TypeError, ValueError, OverflowError) as error:
        raise CrystalError("numbers, positions, cell or pbc are no arrays of numbers; write the file again") from error
    if cell.shape == (3,):  # lengths of a box
        cell = np.diag(cell)
    if numbers.ndim != 1 or positions.shape != (len(numbers), 3) or cell.shape != (3, 3):
        raise CrystalError(
            f"{numbers.size} atomic numbers, positions of shape {positions.shape} and a cell of shape {cell.shape} do "
            "not fit together; write the file again"
        )
    if not cell.any(axis=1).all():
        raise CrystalError("there is no three-dimensional cell (a molecule, chain or slab?); give a periodic crystal")
    check_periodic(periodic)
    if not np.isfinite(cell).all() or abs(np.linalg.det(cell)) < 1e-12:
        raise CrystalError("the cell has no volume; correct the lattice vectors")
    if len(numbers) > MAX_SITES:
        raise CrystalError(f"{len(numbers)} sites are more than the limit of {MAX_SITES}; give the primitive cell")
    return Crystal(cell, numbers, np.linalg.solve(cell.T, positions.T).T, id, source)


def occupancy_notes(occupancy: Any) -> tuple[str, ...]:
    """Notes on the `occupancy` that stands beside a structure of ASE, by kind of site as its CIF reader keeps it.

    Raises
    ------
    CrystalError
        If a site is disordered.
    """
    if occupancy is None:
        return ()
    if not isinstance(occupancy, Mapping):
        full = isinstance(occupancy, (int, float, str)) and str(occupancy) in ("1", "1.0", "True", "")
        return () if full else (f"it states occupancy={str(occupancy)[:40]}, which was not used",)
    for kind, content in occupancy.items():
        try:
            full = len(content) == 1 and all(abs(float(share) - 1.0) <= 1e-3 for share in content.values())
            text = "".join(f"{symbol}{float(share):.4g}" for symbol, share in content.items())
        except (TypeError, ValueError, AttributeError):
            return (f"it states an occupancy of site kind {str(kind)[:40]} that is no number, which was not used",)
        if not full:
            raise CrystalError(f"site kind {kind} is disordered: {text}; give an ordered structure")
    return ()


def to_ase(crystal: Crystal) -> Atoms:
    """Return the crystal as a periodic `ase.Atoms`."""
    from ase import Atoms

    return Atoms(numbers=crystal.numbers, cell=crystal.cell, scaled_positions=crystal.positions, pbc=True)
