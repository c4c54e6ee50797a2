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


@dataclass(frozen=True, slots=True)
class Estimate:
    """Cost of force constants.

    Attributes
    ----------
    force_call_s : float
        Measured, one supercell.
    forces_s, fit_s : float
    memory_GB : float
        Of the fit and of the third-order force constants.
    """

    force_call_s: float
    forces_s: float
    fit_s: float
    memory_GB: float


def estimate(ph3: Phono3py, calculator: Calculator, plan: Displacements, settings: Settings) -> Estimate:
    """Measure one force call, and scale.

    The fit's normal matrix takes n² · (force components) multiplications and additions and its factorisation n³/3, n
    being the free elements; memory is that of the fit, and 27 · 8 bytes for each third-order element, twice.
    """
    forces_of(ph3.supercell, calculator)  # the first call compiles
    start = time.perf_counter()
    forces_of(ph3.phonon_supercells_with_displacements[0], calculator)
    call = time.perf_counter() - start
    n, atoms = plan.n_free, plan.n_atoms
    fit = (n**2 * 3 * atoms * plan.n_supercells + n**3 / 3) * 2 / FLOPS
    tensor = 2 * 27 * 8 * len(ph3.primitive) * atoms**2
    memory = fit_memory_GB(n, atoms) + tensor / 1e9
    return Estimate(call, call * (plan.n_supercells + plan.n_harmonic), fit, memory)


def check(expected: Estimate, settings: Settings) -> None:
    """Raise `PhononError` if the estimate exceeds the bounds of one crystal."""
    hours = (expected.forces_s + expected.fit_s) / 3600
    if hours > settings.max_hours:
        raise PhononError(
            f"force constants would take {hours:.1f} h, more than the {settings.max_hours:g} h allowed; allow more "
            "with --max-hours, or less with a smaller supercell (--max-atoms) or --fc3-cutoff"
        )
    if expected.memory_GB > settings.max_memory_GB:
        raise PhononError(
            f"force constants would take {expected.memory_GB:.1f} GB, more than the {settings.max_memory_GB:g} GB "
            "allowed; allow more with --max-memory, or less with a smaller supercell (--max-atoms) or --fc3-cutoff"
        )
