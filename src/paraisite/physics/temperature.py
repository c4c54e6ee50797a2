"""Conductivity at other temperatures, from its two parts at 300 K and the mean phonon frequency.

The particle part falls as 1/T where all phonons are excited, and faster where those that stop a heat current freeze
out: exp(a θ/T)/T, the temperature law of Umklapp scattering (R. Peierls, Ann. Phys. 395, 1055 (1929)), with the
temperature θ of the mean frequency. The coherence part follows the heat capacity of an oscillator and the overlap of
modes, whose widths grow with T: C(b θ/T) t / (1 + c s^p t) with t = T/300 K and the share s of the coherence part at
300 K; where modes overlap already, it rises no further (M. Simoncelli, N. Marzari, F. Mauri, Nat. Phys. 15, 809
(2019)).
The four numbers were fitted by `tools/make_temperature.py`, which says on which crystals, and with which errors.

Not in it: isotopes, boundaries, scattering by four phonons, thermal expansion and phase transitions.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

from paraisite.physics.debye import HBAR, K_B

LOWEST, HIGHEST = 100.0, 1500.0
"""Range of temperatures in K; what the parameters were fitted to."""

ROOM = 300.0
"""Temperature in K at which both parts are known."""

KELVIN = 2e12 * math.pi * HBAR / K_B
"""Temperature in K of a phonon of 1 THz."""

UMKLAPP, OSCILLATOR, OVERLAP, SHARE = 0.019, 0.77, 5.7, 0.37
"""The numbers a, b, c and p of the docstring of this module."""

SPREAD = 0.21
"""Standard deviation of log10 kappa that a decade of temperature adds, as fitted with the numbers above."""


def check_temperatures(temperatures: Iterable[float]) -> None:
    """Raise a ValueError for a temperature outside of `LOWEST` to `HIGHEST`."""
    for temperature in temperatures:
        if not LOWEST <= temperature <= HIGHEST:  # a NaN is not a temperature, either
            raise ValueError(f"temperature {temperature:g} K: choose {LOWEST:g} to {HIGHEST:g} K")


def log_kappa_at(
    temperature: float, kappa_particle: np.ndarray, kappa_coherence: np.ndarray, mean_frequency: np.ndarray
) -> np.ndarray:
    """Decadic logarithm of the conductivity at a temperature, in the unit of its parts, shape (n,).

    Parameters
    ----------
    temperature : float
        In K.
    kappa_particle, kappa_coherence : numpy.ndarray, shape (n,)
        Parts of the conductivity at 300 K.
    mean_frequency : numpy.ndarray, shape (n,)
        Mean phonon frequency in THz.
    """
    share = kappa_coherence / (kappa_particle + kappa_coherence)
    particle, coherence = parts_at(temperature, share, mean_frequency)
    return np.asarray(np.log10(kappa_particle * particle + kappa_coherence * coherence))


def parts_at(
    temperature: float | np.ndarray,
    share: np.ndarray,
    mean_frequency: np.ndarray,
    numbers: tuple[float, float, float, float] = (UMKLAPP, OSCILLATOR, OVERLAP, SHARE),
) -> tuple[np.ndarray, np.ndarray]:
    """Both parts over their values at 300 K, each shape (n,); `share` is that of the coherence part at 300 K."""
    a, b, c, power = numbers
    theta = KELVIN * mean_frequency
    t = temperature / ROOM
    overlap = c * share**power
    particle = np.exp(a * theta * (1.0 / temperature - 1.0 / ROOM)) / t
    coherence = t * (1.0 + overlap) / (1.0 + overlap * t)
    return np.asarray(particle), _heat(b * theta / temperature) / _heat(b * theta / ROOM) * coherence


def _heat(x: np.ndarray) -> np.ndarray:
    """Heat capacity of an oscillator over Boltzmann's constant; x is its quantum over the thermal energy."""
    half = np.clip(x / 2.0, 1e-6, 300.0)
    return np.asarray((half / np.sinh(half)) ** 2)


def spread_at(temperature: float) -> float:
    """Standard deviation of log10 of the ratio of two conductivities, at a temperature and at 300 K."""
    return SPREAD * abs(math.log10(temperature / ROOM))
