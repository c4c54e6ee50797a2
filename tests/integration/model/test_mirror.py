"""The original formation-energy weights on real and textbook crystals."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from make_crystals import cubic, distances_near, permute, random_rotation, recell, rotate, shake, supercell, translate
from make_models import merged_outputs, outputs, reference_energy

from paraisite.crystals import Crystal, read
from paraisite.graphs import build
from paraisite.model.convert import ENERGY_MEAN, ENERGY_STD, from_matgl
from paraisite.model.megnet import ELEMENTS
from paraisite.model.model import Model
from paraisite.model.registry import ENCODER, locate

# Formation energies in eV/atom that matgl gave when the weights were published (matgl 3.0 and later read the same file
# and give others). Cells: PBE lattice constants to about 0.01 Å. Those of the Materials Project are 5.692 (NaCl,
# mp-22862), 4.256 (MgO, mp-1265), 4.083 (LiF, mp-1138), 5.750 (GaAs, mp-2534) and 6.566 Å (PbTe, mp-19717). CsCl with
# a = 4.1437 Å is matgl's own example of a formation energy.
ENERGIES = [
    (cubic("rocksalt", "Na Cl", 5.69), -2.1145),
    (cubic("cscl", "Cs Cl", 4.1437), -2.2722),
    (cubic("rocksalt", "Mg O", 4.25), -3.0776),
    (cubic("rocksalt", "Li F", 4.08), -3.1673),
    (cubic("zincblende", "Ga As", 5.75), -0.3546),
    (cubic("rocksalt", "Pb Te", 6.57), -0.4247),
    (cubic("zincblende", "Si Si", 5.469), 0.0255),
    (cubic("fcc", "Cu", 3.62), -0.0091),
]
FOLDERS = ("l96", "hh143", "aflow_agl", "mp_stable")

pytestmark = pytest.mark.data


@pytest.fixture(scope="module")
def weights(mirror: Path) -> Path:
    return locate(ENCODER, mirror)


@pytest.fixture(scope="module")
def model(weights: Path) -> Model:
    return from_matgl(weights).eval()


@pytest.fixture(scope="module")
def real(mirror: Path) -> list[Crystal]:
    """About 130 real crystals of all folders whose edges do not hang on the last digit of the cutoff."""
    found = []
    for folder in FOLDERS:
        items = [c for c in read([mirror / folder / "cif.zip"]) if isinstance(c, Crystal)]
        step = max(1, len(items) // 35)
        found += [c for c in items[::step] if c.n_sites <= 40 and set(c.numbers.tolist()) <= set(ELEMENTS)]
    return [c for c in found if not len(distances_near(c, 4.0))]


def energies(model: Model, crystals: list[Crystal], *, merged: bool = False) -> np.ndarray:
    run = merged_outputs if merged else outputs
    return run(model, crystals)[0, :, 0] * ENERGY_STD + ENERGY_MEAN


@pytest.mark.parametrize(("crystal", "energy"), ENERGIES, ids=lambda x: getattr(x, "id", None))
@pytest.mark.parametrize("merged", [False, True], ids=["plain", "merged"])
def test_published_formation_energies(crystal: Crystal, energy: float, merged: bool, model: Model) -> None:
    assert energies(model, [crystal], merged=merged).item() == pytest.approx(energy, abs=1e-3)


def test_the_network_is_megnet_on_real_crystals(model: Model, weights: Path, real: list[Crystal]) -> None:
    state = torch.load(weights / "state.pt", weights_only=True)
    some = real[::5]
    expected = [reference_energy(state, c) for c in some]
    np.testing.assert_allclose(energies(model, some), expected, rtol=0, atol=1e-4)
    double = from_matgl(weights).double()
    np.testing.assert_allclose(energies(double, some), expected, rtol=0, atol=1e-7)


def test_merged_is_plain_on_real_crystals(model: Model, real: list[Crystal]) -> None:
    error = np.abs(energies(model, real, merged=True) - energies(model, real))
    assert error.max() < 1e-4
    assert np.median(error) < 2e-6


@pytest.mark.parametrize("change", ["translation", "rotation", "site order", "supercell", "lattice vectors"])
def test_invariance_on_real_crystals(change: str, model: Model, real: list[Crystal]) -> None:
    rng = np.random.default_rng(0)
    skew = np.array([[1, 0, 0], [1, 1, 0], [0, -1, 1]])
    changed = [
        {
            "translation": lambda c: translate(c, rng.normal(size=3)),
            "rotation": lambda c: rotate(c, random_rotation(rng)),
            "site order": lambda c: permute(c, rng.permutation(c.n_sites)),
            "supercell": lambda c: supercell(c, (1, 2, 1)),
            "lattice vectors": lambda c: recell(c, skew),
        }[change](crystal)
        for crystal in real
    ]
    np.testing.assert_allclose(energies(model, changed), energies(model, real), rtol=0, atol=1e-5)
    merged = energies(model, changed, merged=True), energies(model, real, merged=True)
    np.testing.assert_allclose(*merged, rtol=0, atol=1e-4)


def test_batched_is_single_on_real_crystals(model: Model, real: list[Crystal]) -> None:
    single = np.concatenate([energies(model, [c]) for c in real])
    np.testing.assert_allclose(energies(model, real), single, rtol=0, atol=1e-5)


@pytest.mark.parametrize("seed", range(3))
def test_rounded_coordinates(seed: int, model: Model) -> None:
    """Merged and plain agree where sites that are equal are written with an error of 1e-4 Å."""
    shaken = [shake(supercell(c, (2, 2, 1)), 1e-4, seed) for c, _ in ENERGIES if not len(distances_near(c, 4.0))]
    merged, plain = energies(model, shaken, merged=True), energies(model, shaken)
    assert sum(build(shaken)[0].node_weight == 1) == 0
    np.testing.assert_allclose(merged, plain, rtol=0, atol=1e-4)
