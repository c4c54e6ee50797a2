"""The quick look: harmonic phonons by a potential times a learned lifetime; sound and Slack's estimate beside it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from paraisite.model.lifetime import Conductivity, Expected, Lifetime
from paraisite.phonons.cells import PhononError
from paraisite.phonons.elastic import elastic_constants, moduli, settle
from paraisite.phonons.harmonic import HarmonicPhonons
from paraisite.physics.debye import HBAR, K_B, TEMPERATURE, debye_temperature, slack_conductivity, sound_velocities
from paraisite.physics.temperature import log_kappa_at, parts_at, spread_at

if TYPE_CHECKING:
    from ase.calculators.calculator import Calculator


VOLUME_STEP = 0.015
"""Relative change of the volume on either side, for the Grüneisen parameter."""

GRUNEISEN = (1.0, 3.4)
"""Range of what Slack's formula is given: 99.8 % of AGL's 5578 crystals lie within. A potential's elastic constants may
change with volume in ways that no crystal's do, and the formula makes orders of magnitude of that."""


class Unstable(PhononError):
    """The crystal is not a minimum of the potential."""


@dataclass(frozen=True, slots=True)
class Sound:
    """What elastic constants at three volumes of the primitive cell tell.

    Attributes
    ----------
    bulk_modulus, shear_modulus : float
        Hill's averages, GPa.
    velocity_long, velocity_trans : float
        Of sound, in the isotropic average, m/s.
    debye_temperature : float
        From these velocities, K.
    gruneisen : float
        Root of the mean square over one longitudinal and two transverse branches of sound, from three volumes, as the
        potential has it.
    kappa_slack : float
        Slack's conductivity at 300 K (the formula that AGL uses, with the Grüneisen parameter kept within `GRUNEISEN`),
        W m⁻¹ K⁻¹; for insulators of simple structure.
    kappa_min_cahill, kappa_min_diffuson : float
        Minimum conductivities, W m⁻¹ K⁻¹: at 300 K, and in the limit of high temperature.
    """

    bulk_modulus: float
    shear_modulus: float
    velocity_long: float
    velocity_trans: float
    debye_temperature: float
    gruneisen: float
    kappa_slack: float
    kappa_min_cahill: float
    kappa_min_diffuson: float


@dataclass(frozen=True, slots=True)
class AtTemperature:
    """Conductivity at a temperature (K): average and 90 % interval, and the tensor, W m⁻¹ K⁻¹.

    The tensor, xx, yy, zz, yz, xz, xy in the standard setting, has the directions of the transport integral for its
    particle part; the coherence part counts as the same in all.
    """

    temperature: float
    kappa: float
    low: float
    high: float
    tensor: tuple[float, ...]


@contextmanager
def counted(calculator: Any) -> Iterator[list[np.ndarray]]:
    """Give a list that gets the seconds of each force call, of the clock and of the processor."""
    calculate, seconds = calculator.calculate, []

    def timed(*args: Any, **kwargs: Any) -> None:
        begin = now()
        calculate(*args, **kwargs)
        seconds.append(now() - begin)

    calculator.calculate = timed
    try:
        yield seconds
    finally:
        del calculator.calculate


def now() -> np.ndarray:
    """Seconds of the clock and of the processor, shape (2,)."""
    return np.array([time.perf_counter(), time.process_time()])


def conductivities(
    found: HarmonicPhonons, tensors: dict[float, np.ndarray], expected: Expected, potential: str
) -> tuple[Conductivity, list[AtTemperature]]:
    """Conductivity at 300 K, and at some temperatures.

    Parameters
    ----------
    found : HarmonicPhonons
        Of a stable crystal.
    tensors : dict of float to numpy.ndarray, shape (3, 3)
        Of the transport integral at each temperature (K).
    expected : Expected
    potential : str
    """
    room = Lifetime.load()(found.properties, found.tensor, expected, potential)
    parts = np.array([room.particle]), np.array([room.coherence])
    frequency = np.array([found.properties["mean_frequency"]])
    rows = []
    for temperature, tensor in tensors.items():
        kappa = 10 ** float(log_kappa_at(temperature, *parts, frequency)[0])
        wider = float(np.hypot(1.0, spread_at(temperature) / room.log10_std))
        low, high = (kappa * (bound / room.kappa) ** wider for bound in (room.low, room.high))
        share = parts[1] / (parts[0] + parts[1])
        coherence = float((parts[1] * parts_at(temperature, share, frequency)[1])[0])
        directed = (kappa - coherence) * 3 * tensor / np.trace(tensor) + coherence * np.eye(3)
        rows.append(AtTemperature(temperature, kappa, low, high, _voigt(directed)))
    return room, rows


def _voigt(tensor: np.ndarray) -> tuple[float, ...]:
    return tuple(tensor[[0, 1, 2, 1, 0, 0], [0, 1, 2, 2, 2, 1]].tolist())


def sound(found: HarmonicPhonons, calculator: Calculator) -> Sound:
    """Strain the primitive cell at three volumes.

    Raises
    ------
    Unstable
        If a strain lowers the energy.
    PhononError
        If one does at a changed volume.
    """
    atoms = found.primitive()
    atoms.calc = calculator
    n, mass, volume = len(atoms), float(atoms.get_masses().mean()), float(atoms.get_volume())
    hessian = found.hessian()
    inverse = np.linalg.pinv(hessian, rcond=1e-6, hermitian=True)
    rows: list[tuple[float, ...]] = []
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
        rows.append((bulk, shear, *(float(v[0]) for v in velocities)))
    bulk, shear, along, across = rows[0]
    theta = float(debye_temperature(*_rows(along, across, volume / n))[0])
    # omega = v q, and q goes with the inverse length: gamma = 1/3 - d ln v / d ln V
    span = np.log((1 + VOLUME_STEP) / (1 - VOLUME_STEP))
    gammas = [1 / 3 - np.log(rows[2][i] / rows[1][i]) / span for i in (2, 3)]
    gruneisen = float(np.sqrt((gammas[0] ** 2 + 2 * gammas[1] ** 2) / 3))
    slack = slack_conductivity(*_rows(theta, within_range(gruneisen), mass, volume, n))
    return Sound(
        bulk_modulus=bulk,
        shear_modulus=shear,
        velocity_long=along,
        velocity_trans=across,
        debye_temperature=theta,
        gruneisen=gruneisen,
        kappa_slack=float(slack[0]),
        kappa_min_cahill=cahill(along, across, n / volume, TEMPERATURE),
        kappa_min_diffuson=diffuson(along, across, n / volume),
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
