"""`Crystal`: the one representation of a periodic structure inside ParAIsite."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from paraisite.crystals.elements import SYMBOLS, reduced_formula

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
    """

    cell: np.ndarray
    numbers: np.ndarray
    positions: np.ndarray
    id: str = ""
    source: str = ""
    notes: tuple[str, ...] = field(default=())

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
    def from_pymatgen(cls, structure: Structure, *, id: str = "", source: str = "") -> Crystal:
        """Make a crystal of an ordered `pymatgen.core.Structure`.

        Raises
        ------
        CrystalError
            If a site is disordered or is not an element.
        """
        from paraisite.crystals.convert import from_pymatgen

        return from_pymatgen(structure, id=id, source=source)

    @classmethod
    def from_ase(cls, atoms: Atoms, *, id: str = "", source: str = "") -> Crystal:
        """Make a crystal of a three-dimensionally periodic `ase.Atoms`.

        Raises
        ------
        CrystalError
            If the cell does not span space.
        """
        from paraisite.crystals.convert import from_ase

        return from_ase(atoms, id=id, source=source)

    def to_pymatgen(self) -> Structure:
        """Return the same crystal as a `pymatgen.core.Structure`."""
        from paraisite.crystals.convert import to_pymatgen

        return to_pymatgen(self)

    def to_ase(self) -> Atoms:
        """Return the same crystal as an `ase.Atoms`."""
        from paraisite.crystals.convert import to_ase

        return to_ase(self)
