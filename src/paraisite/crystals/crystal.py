"""`Crystal`: the one representation of a periodic structure inside ParAIsite, and its ways from and to others."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from paraisite.crystals.check import MAX_SITES, check, check_periodic
from paraisite.crystals.elements import SYMBOLS, reduced_formula, species_number
from paraisite.crystals.rejection import CrystalError
from paraisite.crystals.sites import Disorder, Sites, occupancy_notes, order, unknown_element
from paraisite.crystals.vacuum import check_vacuum

if TYPE_CHECKING:
    from ase import Atoms
    from pymatgen.core import Structure


@dataclass(frozen=True, slots=True, eq=False)
class Crystal:
    """A fully ordered periodic crystal.

    Attributes
    ----------
    cell : numpy.ndarray, shape (3, 3), float64
        Lattice vectors as rows, in Å.
    numbers : numpy.ndarray, shape (n_sites,), int64
        Atomic numbers.
    positions : numpy.ndarray, shape (n_sites, 3), float64
        Fractional coordinates, not necessarily wrapped into [0, 1).
    id : str
        Database id or file stem.
    source : str
        Path (and member, block or index) the crystal was read from.
    notes : tuple of str
        What a reader changed or assumed, e.g. the majority species taken on a disordered site.
    hydrogen_mass : float or None
        Atomic mass of hydrogen in u, where all of it is deuterium or all of it tritium; for phonons.
    """

    cell: np.ndarray
    numbers: np.ndarray
    positions: np.ndarray
    id: str = ""
    source: str = ""
    notes: tuple[str, ...] = field(default=())
    hydrogen_mass: float | None = None

    @property
    def n_sites(self) -> int:
        """Number of sites of the cell as given."""
        return len(self.numbers)

    @property
    def n_elements(self) -> int:
        """Number of distinct elements."""
        return len(set(self.numbers.tolist()))

    @property
    def formula(self) -> str:
        """Reduced formula, elements in the order of electronegativity (as pymatgen writes it)."""
        return reduced_formula(self.numbers)

    @property
    def volume(self) -> float:
        """Cell volume in Å³ (always positive)."""
        return float(abs(np.linalg.det(self.cell)))

    @property
    def symbols(self) -> list[str]:
        """Element symbol of each site."""
        return [SYMBOLS[z] for z in self.numbers.tolist()]

    @classmethod
    def from_pymatgen(
        cls,
        structure: Structure,
        *,
        id: str = "",
        source: str = "",
        disorder: Disorder = "reject",
        vacuum: bool = False,
    ) -> Crystal:
        """Make a crystal of a `pymatgen.core.Structure`; oxidation states and isotopes are dropped.

        `vacuum` lets slabs, wires and molecules in a box pass.

        Raises
        ------
        CrystalError
            If a direction is not periodic, a site is disordered or not an element, or the crystal is not physical.
        """
        if len(structure) > MAX_SITES:
            raise CrystalError(
                f"{len(structure)} sites are more than the limit of {MAX_SITES}; give the primitive cell"
            )
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
        if not vacuum:
            check_vacuum(cell, positions)
        return cls(cell, numbers, positions, id, source, tuple(sites.notes))

    @classmethod
    def from_ase(cls, atoms: Atoms, *, id: str = "", source: str = "", vacuum: bool = False) -> Crystal:
        """Make a crystal of a three-dimensionally periodic `ase.Atoms`.

        `vacuum` lets slabs, wires and molecules in a box pass.

        Raises
        ------
        CrystalError
            If the cell does not span space, a direction is not periodic, a site is not an element or disordered (as
            noted by ASE's CIF reader), or the crystal is not physical.
        """
        occupancy = atoms.info.get("occupancy")
        crystal = cls.from_arrays(atoms.cell.array, atoms.pbc, atoms.numbers, atoms.positions, id=id, source=source)
        notes = occupancy_notes(occupancy)
        check(crystal.cell, crystal.numbers, crystal.positions)
        if not vacuum:
            check_vacuum(crystal.cell, crystal.positions)
        return replace(crystal, notes=notes) if notes else crystal

    @classmethod
    def from_arrays(
        cls, cell: Any, pbc: Any, numbers: Any, positions: Any, *, id: str = "", source: str = ""
    ) -> Crystal:
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
            raise CrystalError("numbers, positions, cell or pbc are not arrays of numbers; correct them") from error
        if cell.shape == (3,):  # lengths of a box
            cell = np.diag(cell)
        if numbers.ndim != 1 or positions.shape != (len(numbers), 3) or cell.shape != (3, 3):
            raise CrystalError(
                f"atomic numbers of shape {numbers.shape}, positions of shape {positions.shape} and a cell of shape "
                f"{cell.shape} are inconsistent; write the file again"
            )
        if not cell.any(axis=1).all():
            raise CrystalError(
                "the cell is not three-dimensional (a molecule, chain or slab?); give a periodic crystal"
            )
        check_periodic(periodic)
        if not np.isfinite(cell).all() or abs(np.linalg.det(cell)) < 1e-12:
            raise CrystalError("the cell has no volume; correct the lattice vectors")
        if len(numbers) > MAX_SITES:
            raise CrystalError(f"{len(numbers)} sites are more than the limit of {MAX_SITES}; give the primitive cell")
        return cls(cell, numbers, np.linalg.solve(cell.T, positions.T).T, id, source)

    def to_pymatgen(self) -> Structure:
        """Return the same crystal as a `pymatgen.core.Structure`."""
        from pymatgen.core import Lattice, Structure

        return Structure(Lattice(self.cell), self.symbols, self.positions)

    def to_ase(self) -> Atoms:
        """Return the same crystal as a periodic `ase.Atoms`."""
        from ase import Atoms

        atoms = Atoms(numbers=self.numbers, cell=self.cell, scaled_positions=self.positions, pbc=True)
        if self.hydrogen_mass is not None:
            atoms.arrays["masses"] = np.where(self.numbers == 1, self.hydrogen_mass, atoms.get_masses())
        return atoms
