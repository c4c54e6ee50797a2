from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from ase.build import bulk, make_supercell

from paraisite.crystals import Crystal
from paraisite.graphs import GraphBatch, build
from paraisite.model.descriptors import described
from paraisite.model.volume import element_shares, shipped_volumes, volume_features, volume_warning

MEASURED = {
    "Cu": bulk("Cu", a=3.615),
    "W": bulk("W", a=3.165),
    "Mg": bulk("Mg", a=3.209, c=5.211),
    "Si": bulk("Si", a=5.431),
    "C": bulk("C", "diamond", a=3.567),
    "NaCl": bulk("NaCl", "rocksalt", a=5.640),
    "MgO": bulk("MgO", "rocksalt", a=4.212),
    "PbTe": bulk("PbTe", "rocksalt", a=6.462),
    "CsCl": bulk("CsCl", "cesiumchloride", a=4.123),
    "GaAs": bulk("GaAs", "zincblende", a=5.653),
    "ZnO": bulk("ZnO", "wurtzite", a=3.250, c=5.207),
    "CaF2": bulk("CaF2", "fluorite", a=5.463),
}
"""Lattice constants at room temperature, Å: W. M. Haynes (ed.), CRC Handbook of Chemistry and Physics (2016)."""


def graphs(crystals: list[Crystal], *, environment: bool = True) -> GraphBatch:
    made, kept, _ = build(crystals)
    assert len(kept) == len(crystals)
    return described(crystals, made, environment=environment)


@pytest.fixture(scope="module")
def measured() -> list[Crystal]:
    return [Crystal.from_ase(atoms, id=name) for name, atoms in MEASURED.items()]


def stretched(crystals: list[Crystal], factor: float) -> list[Crystal]:
    return [replace(c, cell=factor * c.cell) for c in crystals]


def test_measured_crystals_are_as_expected(measured: list[Crystal]) -> None:
    volumes = shipped_volumes()
    ratio, error = volumes.compare(graphs(measured))
    assert not volumes.far(ratio, error).any(), dict(zip(MEASURED, ratio, strict=True))
    assert np.abs(ratio).max() < 0.12
    assert 0.01 < error.min() < error.max() < 0.2


@pytest.mark.parametrize("factor", [0.9, 1.1])
def test_a_tenth_in_length_is_seen(measured: list[Crystal], factor: float) -> None:
    """Nothing that the expected volume depends on may hide the strain."""
    volumes = shipped_volumes()
    before, _ = volumes.compare(graphs(measured))
    after, error = volumes.compare(graphs(stretched(measured, factor)))
    np.testing.assert_allclose(after - before, 3 * np.log(factor), atol=0.08)
    assert (
        volumes.far(after, error).sum() >= len(measured) - 1
    )  # diamond, stretched: too few elements were learned from


def test_the_cell_it_is_written_in_does_not_matter(measured: list[Crystal]) -> None:
    volumes = shipped_volumes()
    larger = [Crystal.from_ase(make_supercell(a, [[1, 1, 0], [0, 1, 0], [0, 0, 2]])) for a in MEASURED.values()]
    for one, other in zip(volumes.compare(graphs(measured)), volumes.compare(graphs(larger)), strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


def test_shares_count_sites(measured: list[Crystal]) -> None:
    shares = element_shares(graphs([measured[-1]]))
    assert shares[0, 20] == pytest.approx(1 / 3)
    assert shares[0, 9] == pytest.approx(2 / 3)
    assert shares.sum() == pytest.approx(1)


def test_without_the_environment_nothing_is_said(measured: list[Crystal]) -> None:
    volumes = shipped_volumes()
    ratio, error = volumes.compare(graphs(measured, environment=False))
    assert np.isnan(ratio).all()
    assert not volumes.far(ratio, error).any()
    empty, _ = volumes.compare(graphs(measured).take(np.zeros(0, dtype=np.int64)))
    assert len(empty) == 0


def test_features_have_no_scale(measured: list[Crystal]) -> None:
    """Where no neighbour crosses a cutoff."""
    found = [graphs(stretched(measured[-2:], factor)).descriptors for factor in (1.0, 1.001)]
    one, other = (volume_features(d) for d in found if d is not None)
    np.testing.assert_allclose(one, other, rtol=2e-3, atol=2e-3)


def test_the_warning_has_number_side_and_option() -> None:
    assert "33 % above" in volume_warning(3 * np.log(1.1))
    assert "27 % below" in volume_warning(3 * np.log(0.9))
    assert "--relax" in volume_warning(0.3)
