from __future__ import annotations

import numpy as np
import pytest

from paraisite.crystals.crystal import Crystal
from paraisite.crystals.translations import count_translations
from paraisite.physics.debye import debye_heat_capacity, slack_conductivity


def test_slack_by_hand() -> None:
    # AGL's entry of NaCl-like magnitude: theta 300 K, gamma 2, m 29.22 u, 44.9 Å3, two sites, worked out in steps:
    # 0.849*3*4^(1/3) = 4.04311; 20 pi^3 = 620.126; gamma^2 - 0.514 gamma + 0.228 = 3.2; prefactor 2.03742e-3
    # theta_a = 238.110 K: (k theta_a/hbar) = 3.11736e13 /s; squared 9.71793e26; k/hbar = 1.30920e11
    # m = 4.85206e-26 kg; V^(1/3) = 3.55425e-10 m; theta_a/T = 0.793701
    by_hand = 2.03742e-3 * 9.71793e26 * 1.30920e11 * 4.85206e-26 * 3.55425e-10 * 0.793701
    found = slack_conductivity(*(np.array([x]) for x in (300.0, 2.0, 29.22, 44.9, 2)))
    assert found[0] == pytest.approx(by_hand, rel=1e-4)


def test_slack_falls_with_repeated_cells() -> None:
    times = np.array([1, 2, 4])
    kappa = slack_conductivity(np.full(3, 300.0), np.full(3, 2.0), np.full(3, 40.0), 50.0 * times, 2 * times)
    assert kappa / kappa[0] == pytest.approx(times ** (-2 / 3))


def test_heat_capacity_limits() -> None:
    # Debye: 3 k_B (1 - x²/20) for hot crystals, (12 pi⁴/5) / x³ for cold ones; 0.9517 of 3 k_B at x = 1
    theta = 300.0 * np.array([1e-3, 0.1, 1.0, 40.0])
    found = debye_heat_capacity(theta)
    assert found[0] == pytest.approx(3, rel=1e-6)
    assert found[1] == pytest.approx(3 * (1 - 0.1**2 / 20), rel=1e-6)
    assert found[2] == pytest.approx(3 * 0.95173, rel=1e-4)
    assert found[3] == pytest.approx(12 * np.pi**4 / 5 / 40**3, rel=1e-3)


def test_repeats() -> None:
    corners = np.array([[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])
    sites = np.vstack([corners, corners + 0.5])
    cubic = Crystal(5.64 * np.eye(3), np.array([11] * 4 + [17] * 4), sites)
    assert count_translations(cubic, 0.1) == 4
    moved = sites.copy()
    moved[0] += [0.02, 0, 0]  # 0.11 Å: no translation is left that fits
    assert count_translations(Crystal(cubic.cell, cubic.numbers, moved), 0.1) == 1
    assert count_translations(Crystal(cubic.cell, cubic.numbers, moved), 0.25) == 4
    assert (
        count_translations(Crystal(cubic.cell[:1].repeat(3, 0) + np.eye(3), np.array([11, 17]), sites[[0, 4]]), 0.1)
        == 1
    )
