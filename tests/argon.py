"""Solid argon, for which an analytic potential is good: quick to compute, and the same everywhere."""

from __future__ import annotations

from ase.build import bulk
from ase.calculators.lj import LennardJones

from paraisite.crystals import Crystal

SIGMA, EPSILON = 3.4, 0.0104  # Å, eV


def potential() -> LennardJones:
    return LennardJones(sigma=SIGMA, epsilon=EPSILON, rc=2.5 * SIGMA, smooth=True)


def argon(structure: str = "fcc", a: float = 5.2) -> Crystal:
    return Crystal.from_ase(bulk("Ar", structure, a), id=f"Ar-{structure}")
