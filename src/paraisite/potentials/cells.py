"""Standardised cells."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from ase import Atoms
    from phonopy.structure.atoms import PhonopyAtoms


class RelaxationError(ValueError):
    """A crystal cannot be relaxed; the message says why, and what to do."""


@dataclass(frozen=True, slots=True, eq=False)
class StandardCell:
    """The conventional cell of a crystal in the standard setting of its space group (spglib's).

    Attributes
    ----------
    cell : numpy.ndarray, shape (3, 3)
        Lattice vectors as rows, in Å.
    numbers : numpy.ndarray, shape (n,)
    positions : numpy.ndarray, shape (n, 3)
        Fractional.
    space_group : str
        International symbol and number.
    group_number : int
    centring : str
        P, A, C, F, I or R, by which phonopy knows the primitive cell.
    hydrogen_mass : float or None
        Of deuterium or tritium in u, where all hydrogen is that.
    """

    cell: np.ndarray
    numbers: np.ndarray
    positions: np.ndarray
    space_group: str
    group_number: int
    centring: str
    hydrogen_mass: float | None = None

    def to_ase(self) -> Atoms:
        """Return it as `ase.Atoms`."""
        from ase import Atoms

        return Atoms(numbers=self.numbers, cell=self.cell, scaled_positions=self.positions, pbc=True)

    def to_phonopy(self) -> PhonopyAtoms:
        """Return it as phonopy's atoms."""
        from ase.data import atomic_masses
        from phonopy.structure.atomic_data import get_atomic_data
        from phonopy.structure.atoms import PhonopyAtoms

        known = get_atomic_data().atom_data
        masses = [known[n][3] or atomic_masses[n] for n in self.numbers]  # phonopy has none for Pu, for one
        if self.hydrogen_mass is not None:
            masses = [self.hydrogen_mass if n == 1 else m for n, m in zip(self.numbers, masses, strict=True)]
        return PhonopyAtoms(numbers=self.numbers, cell=self.cell, scaled_positions=self.positions, masses=masses)

    def record(self) -> dict[str, Any]:
        """Return what a JSON file keeps of it; `from_record` gives the same cell back, bit by bit."""
        return {
            "cell": self.cell.tolist(),
            "numbers": self.numbers.tolist(),
            "positions": self.positions.tolist(),
            "space_group": self.space_group,
            "group_number": self.group_number,
            "centring": self.centring,
        }

    @classmethod
    def from_record(cls, record: dict[str, Any]) -> StandardCell:
        """Return the cell of a record."""
        arrays: dict[str, Any] = {k: np.array(v) if isinstance(v, list) else v for k, v in record.items()}
        return cls(**arrays)


def standard_cell(cell: np.ndarray, numbers: np.ndarray, positions: np.ndarray, symprec: float) -> StandardCell:
    """Find the space group and the idealised conventional cell.

    Parameters
    ----------
    cell : numpy.ndarray, shape (3, 3)
        Lattice vectors as rows, in Å.
    numbers : numpy.ndarray, shape (n,)
    positions : numpy.ndarray, shape (n, 3)
        Fractional.
    symprec : float
        Å.

    Raises
    ------
    RelaxationError
        If spglib finds no space group.
    """
    import spglib

    try:
        found = spglib.get_symmetry_dataset((cell, positions, numbers), symprec=symprec)  # type: ignore[arg-type]
    except spglib.SpglibError as error:
        raise RelaxationError(f"spglib finds no space group within {symprec:g} Å: {error}") from error
    if found is None:
        raise RelaxationError(f"spglib finds no space group within {symprec:g} Å; are two atoms at one place?")
    return StandardCell(
        np.array(found.std_lattice),
        np.array(found.std_types, dtype=np.int64),
        np.array(found.std_positions),
        f"{found.international} ({found.number})",
        int(found.number),
        str(found.international)[0],
    )
