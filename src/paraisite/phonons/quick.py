"""The harmonic quick look: sound, heat and Slack's estimate from a few dozen force calls on the primitive cell."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import spglib
from ase import Atoms
from phonopy import Phonopy
from phonopy.structure.atoms import PhonopyAtoms

from paraisite.phonons.cells import PhononError
from paraisite.phonons.elastic import elastic_constants, moduli, settle
from paraisite.physics.debye import (
    DALTON,
    HBAR,
    K_B,
    TEMPERATURE,
    debye_heat_capacity,
    debye_temperature,
    slack_conductivity,
    sound_velocities,
)
from paraisite.potentials.relax import come_to_rest

VOLUME_STEP = 0.015
"""Relative change of the volume on either side, for the Grüneisen parameter."""

GRUNEISEN = (1.0, 3.4)
"""Range of what Slack's formula is given: 99.8 % of AGL's 5578 crystals lie within. A potential's elastic constants may
change with volume in ways that no crystal's do, and the formula makes orders of magnitude of that."""

DISPLACEMENT = 0.02
"""Å, of the atoms for the force constants of the cell."""

MAX_FORCE, MAX_STRESS, MAX_STEPS = 2e-3, 0.005, 200
"""Where the relaxation ends: eV/Å, GPa, and steps."""

TO_HERTZ = np.sqrt(1.602176634e-19 / DALTON) * 1e10
"""From √(eV Å⁻² u⁻¹) to rad/s."""


class Unstable(PhononError):
    """The crystal is not a minimum of the potential."""


@dataclass(frozen=True, slots=True)
class QuickLook:
    """What is known of a crystal without third-order force constants.

    Attributes
    ----------
    n_sites : int
        Of the primitive cell.
    volume : float
        Of the relaxed primitive cell, Å³.
    bulk_modulus, shear_modulus : float
        Hill's averages, GPa.
    velocity_long, velocity_trans : float
        Of sound, in the isotropic average, m/s.
    debye_temperature : float
        From these velocities, K.
    gruneisen : float
        Root of the mean square over one longitudinal and two transverse branches of sound, from three volumes, as the
        potential has it.
    optical_THz : tuple of float
        Frequencies at the zone's centre without the splitting by electric fields.
    heat_capacity : float
        k_B per atom, harmonic: Debye's for the acoustic branches, Einstein's for the optical ones.
    kappa_slack : float
        Slack's conductivity (the formula that AGL uses, with the Grüneisen parameter kept within `GRUNEISEN`),
        W m⁻¹ K⁻¹; for insulators of simple structure.
    kappa_min_cahill, kappa_min_diffuson : float
        Minimum conductivities, W m⁻¹ K⁻¹: at this temperature, and in the limit of high temperature.
    temperature : float
        Of the heat capacity and the conductivities, K.
    n_calls : int
        Force calls.
    seconds, cpu_seconds : float
        Of computation, the first call (in which some potentials compile) left out; the second is the same on a busy
        machine.
    first_call_seconds : float
    """

    n_sites: int
    volume: float
    bulk_modulus: float
    shear_modulus: float
    velocity_long: float
    velocity_trans: float
    debye_temperature: float
    gruneisen: float
    optical_THz: tuple[float, ...]
    heat_capacity: float
    kappa_slack: float
    kappa_min_cahill: float
    kappa_min_diffuson: float
    temperature: float
    n_calls: int = 0
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    first_call_seconds: float = 0.0


def quick_look(crystal: Atoms, temperature: float = TEMPERATURE, symprec: float = 0.01) -> QuickLook:
    """Take a quick look at a crystal: relax its primitive cell, strain it, displace its atoms, at three volumes.

    Parameters
    ----------
    crystal : ase.Atoms
        Any cell of it, with a calculator; it is not changed.
    temperature : float
        K.
    symprec : float
        Tolerance of the symmetry, Å.

    Raises
    ------
    Unstable
        If a strain or a displacement within the cell lowers the energy.
    PhononError
        If the crystal does not come to rest, or becomes unstable when its volume is changed.
    """
    begin = _now()
    with _counted(crystal.calc) as calls:
        look = _look(crystal, temperature, symprec)
    seconds, cpu_seconds = _now() - begin - calls[0]
    return replace(
        look,
        n_calls=len(calls),
        seconds=float(seconds),
        cpu_seconds=float(cpu_seconds),
        first_call_seconds=float(calls[0][0]),
    )


def _now() -> np.ndarray:
    """Seconds of the clock and of the processor, shape (2,)."""
    return np.array([time.perf_counter(), time.process_time()])


def _look(crystal: Atoms, temperature: float, symprec: float) -> QuickLook:
    """Everything of a quick look but what it cost."""
    atoms = _primitive(crystal, symprec)
    come_to_rest(atoms, symprec, MAX_FORCE, MAX_STRESS, MAX_STEPS)
    n, mass, volume = len(atoms), float(atoms.get_masses().mean()), float(atoms.get_volume())
    hessian = _hessian(atoms, symprec)
    optical = _optical(hessian, atoms.get_masses())

    inverse = np.linalg.pinv(hessian, rcond=1e-6, hermitian=True)
    found: list[tuple[float, ...]] = []
    for change in (0.0, -VOLUME_STEP, VOLUME_STEP):
        scaled = atoms.copy()
        scaled.calc = atoms.calc
        scaled.set_cell(atoms.cell.array * np.cbrt(1 + change), scale_atoms=True)
        settle(scaled, inverse)
        constants = elastic_constants(scaled, hessian)
        if (lowest := np.linalg.eigvalsh(constants)[0]) <= 0:
            where = f" at a volume changed by {change:+.1%}" if change else ""
            raise (PhononError if change else Unstable)(
                f"unstable against a strain{where} (lowest eigenvalue of the elastic constants {lowest:.2g} GPa): "
                "the crystal is not at a minimum of the potential"
            )
        bulk, shear = moduli(constants)
        velocities = sound_velocities(*_rows(bulk, shear, mass, volume * (1 + change) / n))
        found.append((bulk, shear, *(float(v[0]) for v in velocities)))
    bulk, shear, along, across = found[0]
    theta = float(debye_temperature(*_rows(along, across, volume / n))[0])
    # omega = v q, and q goes with the inverse length: gamma = 1/3 - d ln v / d ln V
    span = np.log((1 + VOLUME_STEP) / (1 - VOLUME_STEP))
    gammas = [1 / 3 - np.log(found[2][i] / found[1][i]) / span for i in (2, 3)]
    gruneisen = float(np.sqrt((gammas[0] ** 2 + 2 * gammas[1] ** 2) / 3))
    slack = slack_conductivity(*_rows(theta, within_range(gruneisen), mass, volume, n))
    return QuickLook(
        n_sites=n,
        volume=volume,
        bulk_modulus=bulk,
        shear_modulus=shear,
        velocity_long=along,
        velocity_trans=across,
        debye_temperature=theta,
        gruneisen=gruneisen,
        optical_THz=tuple(optical.round(4).tolist()),
        heat_capacity=_heat_capacity(theta, optical, n, temperature),
        kappa_slack=float(slack[0]) * TEMPERATURE / temperature,
        kappa_min_cahill=cahill(along, across, n / volume, temperature),
        kappa_min_diffuson=diffuson(along, across, n / volume),
        temperature=temperature,
    )


def within_range(gruneisen: float) -> float:
    """Return the Grüneisen parameter that Slack's formula is given; see `GRUNEISEN`."""
    return min(max(gruneisen, GRUNEISEN[0]), GRUNEISEN[1])


def cahill(along: float, across: float, density: float, temperature: float) -> float:
    """Minimum conductivity of D. G. Cahill, S. K. Watson and R. O. Pohl, Phys. Rev. B 46, 6131 (1992), W m⁻¹ K⁻¹.

    (π/6)^⅓ k_B n^⅔ Σ v_i (T/Θ_i)² ∫₀^{Θ_i/T} x³ eˣ/(eˣ − 1)² dx with Θ_i = v_i ħ/k_B (6π² n)^⅓.

    Parameters
    ----------
    along, across : float
        Velocities of sound, m/s.
    density : float
        Atoms per Å³.
    temperature : float
        K.
    """
    n = density * 1e30
    nodes, weights = np.polynomial.legendre.leggauss(64)
    total = 0.0
    for velocity, branches in ((along, 1), (across, 2)):
        top = velocity * HBAR / K_B * np.cbrt(6 * np.pi**2 * n) / temperature
        x = np.clip(top * (nodes + 1) / 2, 1e-12, 600.0)
        integral = float((weights * x * (x / 2 / np.sinh(x / 2)) ** 2).sum() * top / 2)
        total += branches * velocity * integral / top**2
    return float(np.cbrt(np.pi / 6) * K_B * np.cbrt(n) ** 2 * total)


def diffuson(along: float, across: float, density: float) -> float:
    """Minimum conductivity of diffusons at high temperature, 0.76 n^⅔ k_B (v_l + 2 v_t)/3, in W m⁻¹ K⁻¹.

    M. T. Agne, R. Hanus and G. J. Snyder, Energy Environ. Sci. 11, 609 (2018). Arguments as in `cahill`.
    """
    return float(0.76 * np.cbrt(density * 1e30) ** 2 * K_B * (along + 2 * across) / 3)


def _rows(*numbers: float) -> tuple[np.ndarray, ...]:
    """Numbers as arrays of one row."""
    return tuple(np.array([number]) for number in numbers)


@contextmanager
def _counted(calculator: Any) -> Iterator[list[np.ndarray]]:
    """Give a list that gets the seconds of each force call, of the clock and of the processor."""
    calculate, seconds = calculator.calculate, []

    def timed(*args: Any, **kwargs: Any) -> None:
        begin = _now()
        calculate(*args, **kwargs)
        seconds.append(_now() - begin)

    calculator.calculate = timed
    try:
        yield seconds
    finally:
        del calculator.calculate


def _primitive(crystal: Atoms, symprec: float) -> Atoms:
    """The standardised primitive cell, with the calculator of the crystal."""
    cell = (crystal.cell.array, crystal.get_scaled_positions(), crystal.numbers)
    found = spglib.standardize_cell(cell, to_primitive=True, symprec=symprec)
    if found is None:
        raise PhononError(f"spglib finds no space group within {symprec:g} Å; are two atoms at one place?")
    lattice, positions, numbers = found
    mass = dict(zip(crystal.numbers.tolist(), crystal.get_masses().tolist(), strict=True))  # of deuterium, perhaps
    return Atoms(
        numbers=numbers,
        cell=lattice,
        scaled_positions=positions,
        masses=[mass[int(z)] for z in numbers],
        pbc=True,
        calculator=crystal.calc,
    )


def _hessian(atoms: Atoms, symprec: float) -> np.ndarray:
    """Second derivatives of the energy by the positions in one cell (eV/Å²), shape (3 n, 3 n), by displacements."""
    cell = PhonopyAtoms(
        numbers=atoms.numbers,
        cell=atoms.cell.array,
        scaled_positions=atoms.get_scaled_positions(),
        masses=atoms.get_masses(),
    )
    phonopy = Phonopy(cell, supercell_matrix=np.eye(3, dtype=int), primitive_matrix=np.eye(3), symprec=symprec)
    phonopy.generate_displacements(distance=DISPLACEMENT)
    forces = []
    for displaced in phonopy.supercells_with_displacements:
        moved = atoms.copy()
        moved.calc = atoms.calc
        moved.set_scaled_positions(displaced.scaled_positions)
        forces.append(moved.get_forces())
    if not np.any(forces):
        raise PhononError(
            "the potential gives zero forces on displaced atoms: it does not describe this crystal, use another "
            "potential"
        )
    phonopy.forces = forces
    phonopy.produce_force_constants()
    phonopy.symmetrize_force_constants()
    size = 3 * len(atoms)
    return np.asarray(phonopy.force_constants).transpose(0, 2, 1, 3).reshape(size, size)


def _optical(hessian: np.ndarray, masses: np.ndarray) -> np.ndarray:
    """Frequencies of the optical modes at the zone's centre, ascending, in THz, shape (3 n - 3,)."""
    weights = np.repeat(masses, 3) ** -0.5
    squares = np.linalg.eigvalsh(hessian * np.outer(weights, weights))
    squares = np.delete(squares, np.argsort(np.abs(squares))[:3])  # translations
    frequencies = np.sign(squares) * np.sqrt(np.abs(squares)) * TO_HERTZ / (2 * np.pi * 1e12)
    if len(frequencies) and frequencies[0] <= 0:
        raise Unstable(
            f"unstable: a displacement within the primitive cell has the imaginary frequency {-frequencies[0]:.2f}i THz"
        )
    return frequencies


def _heat_capacity(theta: float, optical: np.ndarray, n: int, temperature: float) -> float:
    """Debye's heat capacity of three branches and Einstein's of the others, in k_B per atom."""
    acoustic = theta / np.cbrt(n) * TEMPERATURE / temperature  # the function is of theta / T, with T = 300 K
    x = HBAR * 2 * np.pi * 1e12 * optical / (K_B * temperature)
    return float((debye_heat_capacity(np.array([acoustic]))[0] + ((x / 2 / np.sinh(x / 2)) ** 2).sum()) / n)
