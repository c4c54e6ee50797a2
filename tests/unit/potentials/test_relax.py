from __future__ import annotations

import numpy as np
import pytest
from argon import argon, potential
from ase.build import bulk
from scipy.optimize import minimize_scalar

from paraisite.phonons.settings import Settings
from paraisite.potentials.cells import RelaxationError, standard_cell
from paraisite.potentials.relax import relax


def start(crystal):
    return standard_cell(crystal.cell, crystal.numbers, crystal.positions, 0.01)


def test_argon_relaxes_to_the_minimum_of_its_energy():
    def energy(a: float) -> float:
        atoms = bulk("Ar", "fcc", a)
        atoms.calc = potential()
        return float(atoms.get_potential_energy())

    best = minimize_scalar(energy, bounds=(4.9, 5.6), method="bounded", options={"xatol": 1e-7})
    cell, how = relax(start(argon(a=5.5)), potential(), Settings())
    assert cell.cell[0, 0] == pytest.approx(best.x, abs=2e-3)
    assert how.energy == pytest.approx(best.fun, abs=1e-5)
    assert how.max_stress < Settings().max_stress
    assert how.volume_change == pytest.approx((best.x / 5.5) ** 3 - 1, abs=2e-3)
    assert cell.space_group == "Fm-3m (225)"


def test_a_tighter_bound_is_kept():
    _, loose = relax(start(argon(a=5.5)), potential(), Settings(max_stress=0.1))
    _, tight = relax(start(argon(a=5.5)), potential(), Settings(max_stress=1e-4))
    assert tight.max_stress < 1e-4 < loose.max_stress < 0.1
    assert tight.steps > loose.steps


def test_without_enough_steps_it_says_what_is_left():
    with pytest.raises(RelaxationError, match=r"stress of .* GPa after 1 steps"):
        relax(start(argon(a=5.8)), potential(), Settings(max_relax_steps=1))


def test_symmetry_that_is_gained_is_kept():
    atoms = bulk("Ar", "bct", a=3.6, c=5.35)
    cell = standard_cell(atoms.cell.array, atoms.numbers, atoms.get_scaled_positions(), 0.01)
    assert cell.space_group == "I4/mmm (139)"
    found, how = relax(cell, potential(), Settings(max_stress=1e-3))
    cubic, _ = relax(start(argon()), potential(), Settings(max_stress=1e-3))
    assert found.space_group == "Fm-3m (225)"
    assert how.from_space_group == "I4/mmm (139)"
    np.testing.assert_allclose(found.cell, cubic.cell, atol=2e-3)
    assert how.volume_change == pytest.approx(found.cell[0, 0] ** 3 / 2 / (3.6**2 * 5.35) - 1, abs=1e-6)


def test_the_hexagonal_cell_relaxes_along_both_axes():
    atoms = bulk("Ar", "hcp", a=3.8, c=6.0)
    cell = standard_cell(atoms.cell.array, atoms.numbers, atoms.get_scaled_positions(), 0.01)
    found, _ = relax(cell, potential(), Settings())
    a, c = np.linalg.norm(found.cell[0]), np.linalg.norm(found.cell[2])
    assert c / a == pytest.approx(np.sqrt(8 / 3), rel=2e-3)  # near close packing
    assert found.group_number == 194
