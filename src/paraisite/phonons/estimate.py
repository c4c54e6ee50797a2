"""What the expensive stages will take, estimated before they begin."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from paraisite.phonons.cells import PhononError
from paraisite.phonons.force_constants import Displacements, fit_memory_GB, forces_of
from paraisite.phonons.settings import Settings

if TYPE_CHECKING:
    from ase.calculators.calculator import Calculator
    from phono3py import Phono3py

FLOPS = 2e10
"""Floating-point operations per second that a core is taken to do in dense linear algebra."""

SMALLER = "smaller supercells (--fc2-max-atoms, --max-atoms) or --fc3-cutoff"


@dataclass(frozen=True, slots=True)
class Estimate:
    """Cost of force constants.

    Attributes
    ----------
    force_call_s : float
        Measured, one supercell of the third order.
    forces_s, fit_s : float
    memory_GB : float
        Of the fit and of the third-order force constants.
    """

    force_call_s: float
    forces_s: float
    fit_s: float
    memory_GB: float


def estimate(ph3: Phono3py, calculator: Calculator, plan: Displacements, settings: Settings) -> Estimate:
    """Measure one force call, and scale, by the atoms for supercells of the second order.

    The fit's normal matrix takes n² · (force components) multiplications and additions and its factorisation n³/3, n
    being the free elements; a snapshot and its opposite count once. Memory is that of the fit, and 27 · 8 bytes for
    each third-order element, twice.
    """
    forces_of(ph3.supercell, calculator)  # the first call compiles
    start = time.perf_counter()
    forces_of(next(cell for cell in ph3.supercells_with_displacements if cell is not None), calculator)
    call = time.perf_counter() - start
    atoms, atoms_harmonic = plan.n_atoms, plan.n_atoms_harmonic
    fit = _fit_seconds(plan.n_free, atoms, plan.n_supercells // 2)
    fit += _fit_seconds(plan.n_free_harmonic, atoms_harmonic, plan.n_harmonic)
    tensor = 2 * 27 * 8 * len(ph3.primitive) * atoms**2
    memory = max(fit_memory_GB(plan.n_free, atoms) + tensor / 1e9, fit_memory_GB(plan.n_free_harmonic, atoms_harmonic))
    forces = call * (plan.n_supercells + (plan.n_harmonic + 1) * atoms_harmonic / atoms)
    return Estimate(call, forces, fit, memory)


def _fit_seconds(n_free: int, n_atoms: int, n_supercells: int) -> float:
    return (n_free**2 * 3 * n_atoms * n_supercells + n_free**3 / 3) * 2 / FLOPS


def check(expected: Estimate, settings: Settings) -> None:
    """Raise `PhononError` if the estimate exceeds the bounds of one crystal."""
    hours = (expected.forces_s + expected.fit_s) / 3600
    if hours > settings.max_hours:
        raise PhononError(
            f"force constants would take {hours:.1f} h, more than the {settings.max_hours:g} h allowed; raise "
            f"--max-hours, or use {SMALLER}"
        )
    if expected.memory_GB > settings.max_memory_GB:
        raise PhononError(
            f"force constants would take {expected.memory_GB:.1f} GB, more than the {settings.max_memory_GB:g} GB "
            f"allowed; raise --max-memory, or use {SMALLER}"
        )
