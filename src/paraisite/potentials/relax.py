"""Relaxation of positions and cell, with the space group kept."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

import numpy as np

from paraisite.potentials.cells import RelaxationError, StandardCell, standard_cell

if TYPE_CHECKING:
    from ase import Atoms
    from ase.calculators.calculator import Calculator


class Limits(Protocol):
    """Where a relaxation ends: tolerance of the symmetry (Å), largest force (eV/Å), stress (GPa), and steps."""

    @property
    def symprec(self) -> float: ...
    @property
    def max_force(self) -> float: ...
    @property
    def max_stress(self) -> float: ...
    @property
    def max_relax_steps(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Relaxation:
    """How a relaxation ended.

    Attributes
    ----------
    steps : int
    energy : float
        eV/atom.
    max_force, max_stress : float
        Largest force (eV/Å) and stress component (GPa) left.
    volume_change : float
        Relative to the input, for each atom.
    from_space_group : str
        Of the input, if the relaxation led to one of higher symmetry; else empty.
    """

    steps: int
    energy: float
    max_force: float
    max_stress: float
    volume_change: float
    from_space_group: str = ""


def relax(start: StandardCell, calculator: Calculator, limits: Limits) -> tuple[StandardCell, Relaxation]:
    """Relax a standardised cell with fixed symmetry; where it ends with more symmetry, that is kept from then on.

    Raises
    ------
    RelaxationError
        If it does not end within `max_relax_steps`, or the symmetry does not settle.
    """
    first = start
    end, how = _relax(start, calculator, limits)
    seen = {(start.group_number, len(start.numbers))}
    while (here := (end.group_number, len(end.numbers))) != (start.group_number, len(start.numbers)):
        if here in seen:
            raise RelaxationError(
                f"the space group changes from {start.space_group} to {end.space_group} and back; start from the "
                "structure of higher symmetry"
            )
        seen.add(here)
        start = end
        end, again = _relax(start, calculator, limits)
        how = replace(
            again,
            steps=how.steps + again.steps,
            volume_change=(1 + how.volume_change) * (1 + again.volume_change) - 1,
            from_space_group=first.space_group,
        )
    return end, how


def _relax(start: StandardCell, calculator: Calculator, limits: Limits) -> tuple[StandardCell, Relaxation]:
    atoms = start.to_ase()
    atoms.calc = calculator
    volume = atoms.get_volume()
    steps, force, stress = come_to_rest(
        atoms, limits.symprec, limits.max_force, limits.max_stress, limits.max_relax_steps
    )
    energy = float(atoms.get_potential_energy()) / len(atoms)
    end = standard_cell(atoms.cell.array, atoms.numbers, atoms.get_scaled_positions(), limits.symprec)
    change = float(atoms.get_volume() / volume - 1)
    return end, Relaxation(steps, energy, force, stress, change)


def come_to_rest(
    atoms: Atoms, symprec: float, max_force: float, max_stress: float, max_steps: int
) -> tuple[int, float, float]:
    """Relax positions and cell of a crystal in place, with its symmetry kept.

    Parameters
    ----------
    atoms : ase.Atoms
        With a calculator.
    symprec : float
        Tolerance of the symmetry, Å.
    max_force, max_stress : float
        Where it ends: the largest force (eV/Å) and stress component (GPa).
    max_steps : int
        With 0 nothing is moved, and any force and stress will do.

    Returns
    -------
    steps : int
    force, stress : float
        Left, in eV/Å and GPa.

    Raises
    ------
    RelaxationError
        If it does not end within these steps, or the potential gives no stress.
    """
    from ase.constraints import FixSymmetry
    from ase.filters import FrechetCellFilter
    from ase.optimize import BFGS
    from ase.units import GPa

    def left() -> tuple[float, float]:
        force = float(np.linalg.norm(atoms.get_forces(), axis=1).max())
        try:
            return force, float(np.abs(atoms.get_stress()).max() / GPa)
        except NotImplementedError:  # ASE's word for a property that a calculator does not have
            raise RelaxationError(
                "the potential gives no stress, which relaxing a cell needs; use another potential"
            ) from None

    atoms.set_constraint(FixSymmetry(atoms, symprec=symprec))
    steps, (force, stress) = 0, left()
    if max_steps:
        optimizer = BFGS(FrechetCellFilter(atoms), logfile=None)  # type: ignore[arg-type]
        for _ in optimizer.irun(fmax=0.0, steps=max_steps):
            force, stress = left()
            steps = optimizer.nsteps
            if (force < max_force and stress < max_stress) or not np.isfinite(force + stress):
                break
        if not (force < max_force and stress < max_stress):
            raise RelaxationError(
                f"the relaxation left a force of {force:.2g} eV/Å and a stress of {stress:.2g} GPa after {steps} "
                "steps; is the structure reasonable, and does the potential know its elements?"
            )
    atoms.set_constraint()
    return steps, force, stress
