"""Conductivity at other temperatures, from its two parts at 300 K and a few harmonic quantities.

The particle part is heat capacity over scattering rate. Its heat capacity is Debye's, for phonons up to a cutoff; its
rate is that of a phonon which splits into two of half its frequency, 1 + 2 n = coth(h ν / 4 k T) (P. G. Klemens, Phys.
Rev. 148, 845 (1966)), less a constant, since at low temperature fewer of the collisions resist a heat current. Both
frequencies are multiples of the mean phonon frequency of the crystal. At high temperature the part falls as 1/T.
The coherence part rises as the heat capacity of an oscillator of the mean frequency, to a plateau (M. Simoncelli,
N. Marzari, F. Mauri, Nat. Phys. 15, 809 (2019)).

Not in it: isotopes, boundaries, scattering by four phonons, thermal expansion and phase transitions.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np

LOWEST, HIGHEST = 100.0, 1500.0
"""Range of temperatures in K; what the parameters were fitted to."""

ROOM = 300.0
"""Temperature in K at which both parts are known."""

KELVIN = 47.9924307
"""Temperature in K of a phonon of 1 THz: Planck's over Boltzmann's constant, CODATA 2018."""

CUTOFF, RATE, OFFSET, PLATEAU = 1.6, 0.5, 0.3, 1.0
"""Debye's cutoff, the frequency of the rate and that of the coherence part over the mean frequency; constant of the
rate."""


def check_temperatures(temperatures: Iterable[float]) -> None:
    """Raise a ValueError for a temperature outside of `LOWEST` to `HIGHEST`."""
    for temperature in temperatures:
        if not LOWEST <= temperature <= HIGHEST:  # a NaN is no temperature, either
            raise ValueError(f"temperature {temperature:g} K: choose {LOWEST:g} to {HIGHEST:g} K")


def log_kappa_at(
    temperature: float, kappa_particle: np.ndarray, kappa_coherence: np.ndarray, mean_frequency: np.ndarray
) -> np.ndarray:
    """Decadic logarithm of the conductivity at a temperature, shape (n,).

    Parameters
    ----------
    temperature : float
        In K.
    kappa_particle, kappa_coherence : numpy.ndarray, shape (n,)
        Parts of the conductivity at 300 K.
    mean_frequency : numpy.ndarray, shape (n,)
        Mean phonon frequency in THz.
    """
    theta = KELVIN * mean_frequency
    particle = _particle(theta, temperature) / _particle(theta, ROOM)
    coherence = _oscillator(PLATEAU * theta / temperature) / _oscillator(PLATEAU * theta / ROOM)
    return np.asarray(np.log10(kappa_particle * particle + kappa_coherence * coherence))


def _particle(theta: np.ndarray, temperature: float) -> np.ndarray:
    rate = 1.0 / np.tanh(RATE * theta / temperature / 2.0) - OFFSET
    return np.asarray(_debye(CUTOFF * theta / temperature) / rate)


def _oscillator(x: np.ndarray) -> np.ndarray:
    """Heat capacity of an oscillator over Boltzmann's constant; x is its quantum over the thermal energy."""
    half = np.clip(x / 2.0, 1e-6, 300.0)
    return np.asarray((half / np.sinh(half)) ** 2)


def _debye(x: np.ndarray) -> np.ndarray:
    """Debye's heat capacity for each mode, over Boltzmann's constant; x is the cutoff over the temperature."""
    nodes, weights = np.polynomial.legendre.leggauss(32)
    share = (nodes + 1.0) / 2.0
    return np.asarray(1.5 * (share**2 * weights * _oscillator(x[:, None] * share)).sum(axis=1))


def spread_at(temperature: float) -> float:
    """Standard deviation of log10 of the ratio of two conductivities, at a temperature and at 300 K."""
    return SPREAD * abs(math.log10(temperature / ROOM))


SPREAD = 0.1
"""Standard deviation of log10 kappa that a decade of temperature adds."""
