"""The coherence term where modes are degenerate, and modes that nothing scatters."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from paraisite.phonons.conductivity import coherence
from paraisite.phonons.cumulative import long_lived

N_MESH = 8
FREQUENCIES = np.array([[0.5, 1.0, 5.0, 5.0], [1.0, 2.0, 4.5, 5.5]])


def pairs(gamma: np.ndarray) -> np.ndarray:
    """phono3py's formula: velocities of each pair, times g / (gap² + g²) with g the sum of half linewidths."""
    velocity = np.random.default_rng(0).random((len(gamma), *FREQUENCIES.shape, 4, 6))
    g = gamma[..., :, None] + gamma[..., None, :]
    gap = FREQUENCIES[:, :, None] - FREQUENCIES[:, None, :]
    return velocity * (g / (gap**2 + g**2))[..., None]


def damped() -> np.ndarray:
    return np.random.default_rng(1).uniform(0.01, 0.1, (3, *FREQUENCIES.shape))


def test_phonons_tunnel_between_different_frequencies() -> None:
    found = pairs(damped())
    expected = sum(found[:, p, a, b] for p in (0, 1) for a in range(4) for b in range(4)
                   if a != b and FREQUENCIES[p, a] != FREQUENCIES[p, b])  # fmt: skip
    np.testing.assert_allclose(coherence(FREQUENCIES, found, N_MESH), expected / N_MESH, rtol=1e-12)


def test_modes_that_nothing_scatters_do_not_count() -> None:
    """As optical modes of AlSb at the zone's centre."""
    gamma = damped()
    gamma[:, 0, 2:] = 1e-46
    found = pairs(gamma)
    assert found.max() > 1e40
    assert 0 < coherence(FREQUENCIES, found, N_MESH).max() < 1


@pytest.mark.parametrize(("gamma", "share"), [(1e-5, 0.0), (1e-6, 100 / 102), (0.0, 0.0)])
def test_a_share_of_long_lived_phonons(tmp_path: Path, gamma: float, share: float) -> None:
    """A half linewidth of 8e-6 THz is a lifetime of 10 ns; what nothing scatters at all is left out by phono3py."""
    with h5py.File(tmp_path / "kappa.hdf5", "w") as file:
        file["temperature"] = [100.0, 300.0]
        file["gamma"] = [[[1.0, 1.0, 1.0]], [[1e-4, 1e-4, gamma]]]
        file["group_velocity"] = np.full((1, 3, 3), 10.0)
        file["weight"] = [4]
        file["heat_capacity"] = np.ones((2, 1, 3))
        file["kappa_unit_conversion"] = 1.0
    assert long_lived(tmp_path / "kappa.hdf5") == pytest.approx(share, rel=1e-6)
