"""Debye's solid and Slack's equation: sound velocities, Debye temperature, heat capacity, Grüneisen parameter, κ.

AGL (C. Toher et al., Phys. Rev. B 90, 174107 (2014), arXiv:1407.7789) computes every number of an entry by these.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from paraisite.crystals.crystal import Crystal

K_B, HBAR, DALTON = 1.380649e-23, 1.054571817e-34, 1.66053907e-27
"""Boltzmann's and Planck's reduced constant (J/K, J s) and the unified atomic mass unit (kg), CODATA 2018."""

TEMPERATURE = 300.0
"""Of the conductivities and heat capacities, K."""


def slack_conductivity(
    debye_temperature: np.ndarray,
    gruneisen: np.ndarray,
    mean_mass: np.ndarray,
    volume: np.ndarray,
    n_sites: np.ndarray,
) -> np.ndarray:
    """Conductivity that AGL's equation gives at 300 K, in W m⁻¹ K⁻¹.

    G. A. Slack, Solid State Phys. 34, 1 (1979), and D. T. Morelli and G. A. Slack (2006), as used by C. Toher et al.:
    kappa = 0.849 · 3 ∛4 / (20 π³ (1 − 0.514/γ + 0.228/γ²)) (k_B θ_a/ħ)² k_B m V^⅓ / (ħ γ²) · θ_a / T with the acoustic
    Debye temperature θ_a = θ_D n^(−⅓).

    Parameters
    ----------
    debye_temperature, gruneisen : numpy.ndarray, shape (n,)
        θ_D in K, and γ.
    mean_mass : numpy.ndarray, shape (n,)
        Mean atomic mass m in u.
    volume, n_sites : numpy.ndarray, shape (n,)
        Volume V of the cell in Å³ and its number of sites. The result falls as the power −2/3 of the number of times
        that the cell repeats the primitive one: the equation is meant for primitive cells.
    """
    acoustic = debye_temperature / np.cbrt(n_sites)
    shape = 0.849 * 3 * math.cbrt(4) / (20 * math.pi**3 * (gruneisen**2 - 0.514 * gruneisen + 0.228))
    rate = (K_B * acoustic / HBAR) ** 2 * K_B / HBAR * acoustic / TEMPERATURE
    return shape * rate * mean_mass * DALTON * np.cbrt(volume) * 1e-10


def sound_velocities(
    bulk: np.ndarray, shear: np.ndarray, mean_mass: np.ndarray, site_volume: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Longitudinal and transverse velocity of sound of an isotropic elastic solid, in m/s.

    v_l = √((B + 4G/3)/ρ) and v_t = √(G/ρ).

    Parameters
    ----------
    bulk, shear : numpy.ndarray, shape (n,)
        Moduli B and G in GPa.
    mean_mass : numpy.ndarray, shape (n,)
        Mean atomic mass in u.
    site_volume : numpy.ndarray, shape (n,)
        Volume per atom in Å³.
    """
    density = mean_mass * DALTON / (site_volume * 1e-30)
    return np.sqrt((bulk + 4 * shear / 3) * 1e9 / density), np.sqrt(shear * 1e9 / density)


def debye_temperature(along: np.ndarray, across: np.ndarray, site_volume: np.ndarray) -> np.ndarray:
    """Debye temperature of an isotropic solid, in K.

    ħ/k_B ∛(6π²/V) v with V the volume per atom and v the mean velocity of sound, 3/v³ = 1/v_l³ + 2/v_t³:
    O. L. Anderson, J. Phys. Chem. Solids 24, 909 (1963).

    Parameters
    ----------
    along, across : numpy.ndarray, shape (n,)
        Velocities of sound v_l and v_t in m/s.
    site_volume : numpy.ndarray, shape (n,)
        Volume per atom in Å³.
    """
    velocity = np.cbrt(3 / (along**-3 + 2 * across**-3))
    return HBAR / K_B * np.cbrt(6 * np.pi**2 / (site_volume * 1e-30)) * velocity


def debye_heat_capacity(debye_temperature: np.ndarray) -> np.ndarray:
    """Heat capacity of a Debye solid at 300 K in k_B per atom: 9 x⁻³ ∫₀ˣ t⁴ eᵗ / (eᵗ − 1)² dt with x = θ_D / T."""
    nodes, weights = np.polynomial.legendre.leggauss(48)
    x = np.asarray(debye_temperature, dtype=np.float64)[:, None] / TEMPERATURE
    t = np.clip(x * (nodes + 1) / 2, 1e-12, 600.0)
    integrand = (t * (t / 2) / np.sinh(t / 2)) ** 2  # the same, without overflow
    return 9 * (integrand * weights).sum(axis=1) / 2 / x[:, 0] ** 2


def mean_masses(crystals: Sequence[Crystal]) -> np.ndarray:
    """Mean atomic mass of each crystal in u (standard atomic weights as in ASE)."""
    from ase.data import atomic_masses

    return np.array([atomic_masses[crystal.numbers].mean() for crystal in crystals])


def gruneisen(bulk: np.ndarray, shear: np.ndarray) -> np.ndarray:
    """Grüneisen parameter 3/2 (1 + ν)/(2 − 3ν) with Poisson's ratio ν = (3B − 2G)/(6B + 2G).

    V. N. Belomestnykh and E. P. Tesleva, Tech. Phys. 49, 1098 (2004). Moduli in one unit, shape (n,).
    """
    poisson = (3 * bulk - 2 * shear) / (6 * bulk + 2 * shear)
    return 1.5 * (1 + poisson) / (2 - 3 * poisson)
