"""Ratios of the conductivity tensor: symmetry exactly, independence of how a crystal is written, odd input."""

from __future__ import annotations

import math
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from known_crystals import build, same_otherwise
from make_crystals import crystals, cubic, isolated, supercell, wurtzite

from paraisite.crystals.crystal import Crystal
from paraisite.crystals.elements import NUMBERS
from paraisite.datasets import load
from paraisite.model import direction
from paraisite.model.descriptors import PROPERTIES, element_table
from paraisite.model.direction import Anisotropy, Direction, fold
from paraisite.model.springs import find_bonds, standardise, transport, wave_vectors

MODEL = Direction.load()
SEEDS = st.integers(0, 2**16)

UNIAXIAL = {
    "MoS2": build("Mo S", [(1 / 3, 2 / 3, 0.25), (1 / 3, 2 / 3, 0.621)], 194, 3.16, 12.30),
    "ZnO": wurtzite("Zn", "O", 3.25, 5.21, 0.382),
    "TiO2": build("Ti O", [(0, 0, 0), (0.305, 0.305, 0)], 136, 4.594, 2.959),
    "Bi2Te3": build("Bi Te Te", [(0, 0, 0.4005), (0, 0, 0), (0, 0, 0.2097)], 166, 4.386, 30.50),
    "CaWO4": build("Ca W O", [(0, 0.25, 0.625), (0, 0.25, 0.125), (0.1507, 0.0086, 0.2106)], 88, 5.243, 11.376),
    "SiO2": build("Si O", [(0.4697, 0, 1 / 3), (0.4135, 0.2669, 0.4526)], 154, 4.914, 5.405),
}
LOWER = {
    "SnS": build("Sn S", [(0.88, 0.25, 0.12), (0.48, 0.25, 0.85)], 62, 11.19, 3.98, 4.33, 90, 90, 90),
    "ZrO2": build(
        "Zr O O", [(0.275, 0.04, 0.208), (0.07, 0.33, 0.345), (0.45, 0.757, 0.479)], 14, 5.15, 5.21, 5.32, 90, 99.2, 90
    ),
}
CUBIC = {"NaCl": cubic("rocksalt", "Na Cl", 5.64), "Cu2O": build("Cu O", [(0.25, 0.25, 0.25), (0, 0, 0)], 224, 4.27)}
ALL = UNIAXIAL | LOWER | CUBIC


def ratios(crystal: Crystal) -> np.ndarray:
    found = MODEL(crystal)
    assert found is not None
    return found.ratios


@pytest.mark.parametrize("name", ALL)
@given(seed=SEEDS)
@settings(max_examples=8, deadline=None)
def test_cell_origin_orientation_and_order_do_not_matter(name: str, seed: int) -> None:
    first, other = ratios(ALL[name]), ratios(same_otherwise(ALL[name], seed))
    np.testing.assert_allclose(other, first, rtol=1e-5)
    assert first.mean() == pytest.approx(1.0, abs=1e-12)
    if name in UNIAXIAL:
        assert other[0] == other[1] != other[2]
    elif name in CUBIC:
        assert (other == 1.0).all()
    else:
        assert len(set(other.tolist())) == 3


@given(crystals())
@settings(max_examples=25, deadline=None)
def test_any_crystal_has_ratios_of_mean_one_or_none(crystal: Crystal) -> None:
    found = MODEL(crystal)
    if found is not None:
        assert found.ratios.shape == (3,)
        assert (found.ratios > 0).all()
        assert found.ratios.mean() == pytest.approx(1.0, abs=1e-12)
        assert math.isfinite(found.log10_std)


def test_odd_crystals() -> None:
    cube = MODEL(isolated())
    assert cube is not None
    assert cube.ratios.tolist() == [1.0, 1.0, 1.0]
    assert cube.log10_std == 0.0
    lonely = Crystal(np.array([[9.0, 0, 0], [1, 10, 0], [2, 1, 11]]), np.array([18]), np.zeros((1, 3)))
    assert MODEL(lonely) is None  # no bond
    curium = Crystal(UNIAXIAL["ZnO"].cell, np.full(4, NUMBERS["Cm"]), UNIAXIAL["ZnO"].positions)
    assert MODEL(curium) is None
    twice = Crystal(lonely.cell, np.array([18, 18]), np.zeros((2, 3)))
    assert MODEL(twice) is None  # two atoms at one place have no space group


def test_a_large_primitive_cell_has_no_answer_and_a_supercell_has() -> None:
    large = supercell(UNIAXIAL["SiO2"], (3, 3, 2))
    np.testing.assert_allclose(ratios(large), ratios(UNIAXIAL["SiO2"]), rtol=1e-5)
    rng = np.random.default_rng(0)
    shaken = Crystal(large.cell, large.numbers, large.positions + rng.uniform(-0.01, 0.01, large.positions.shape))
    assert len(shaken.numbers) > direction.MAX_SITES
    assert MODEL(shaken) is None


def test_layers_conduct_little_across() -> None:
    for name in ("MoS2", "Bi2Te3"):
        found = MODEL(UNIAXIAL[name])
        assert found is not None
        assert found.inside
        assert found.ratios[2] / found.ratios[0] < 0.5
        assert 0 < found.log10_std < 0.5


@pytest.mark.parametrize("name", ["ZnO", "Bi2Te3", "ZrO2", "CaWO4", "NaCl"])
def test_the_reduced_mesh_sums_to_the_whole_one(name: str) -> None:
    """As all of a mesh with the symmetry of the lattice, without reduction or average over the point group."""
    cell = standardise(ALL[name])
    assert cell is not None
    bonds = find_bonds(cell)
    stiffness = MODEL.stiffness(cell, bonds, np.arange(len(MODEL.weights["elements"])))
    vectors, weights = wave_vectors(cell, 9.0)
    assert weights.sum() == pytest.approx(1.0)
    reduced = transport(cell, bonds, stiffness, vectors, weights)
    turns = cell.conventional.T @ cell.rotations @ np.linalg.inv(cell.conventional.T)
    star = np.concatenate([vectors @ turn.T for turn in turns])
    whole = transport(cell, bonds, stiffness, star, np.tile(weights, len(turns)) / len(turns))
    np.testing.assert_allclose(whole, reduced, rtol=1e-6, atol=1e-9 * np.trace(reduced))


@pytest.mark.parametrize("name", ["ZnO", "SnS"])
def test_the_slope_of_the_dynamical_matrix(name: str) -> None:
    """Of a crystal without degenerate modes at general wave vectors: velocities by differences of frequencies."""
    cell = standardise(ALL[name])
    assert cell is not None
    bonds = find_bonds(cell)
    stiffness = MODEL.stiffness(cell, bonds, np.array([0]))
    mass = element_table()[:, PROPERTIES.index("mass")][cell.numbers]

    def frequencies(q: np.ndarray) -> np.ndarray:
        n = len(cell.numbers)
        matrix = np.zeros((n, 3, n, 3), dtype=complex)
        for i, j, vector, k in zip(bonds.dst, bonds.src, bonds.vector, stiffness, strict=True):
            matrix[i, :, i, :] += k / mass[i]
            matrix[i, :, j, :] -= k * np.exp(1j * vector @ q) / math.sqrt(mass[i] * mass[j])
        return np.sqrt(np.linalg.eigvalsh(matrix.reshape(3 * n, 3 * n)))

    q, step = np.array([0.11, 0.23, 0.17]), 1e-4
    here = frequencies(q)
    velocity = np.array([(frequencies(q + step * e) - frequencies(q - step * e)) / (2 * step) for e in np.eye(3)])
    x = here * 7.638233 / 300 / 2  # half of ħω/kT
    expected = np.diag((velocity * (x / np.sinh(x)) ** 2) @ velocity.T)
    window = np.ptp(here) * 1e-6
    found = transport(cell, bonds, stiffness, q[None], np.ones(1), window=window / here.max())
    average = cell.average() @ np.diag(expected).reshape(9)
    np.testing.assert_allclose(np.diag(found), average.reshape(3, 3).diagonal(), rtol=1e-3)


def test_what_is_shipped_is_small_and_read_from_a_folder(tmp_path: Path) -> None:
    folder = Path(direction.__file__).parent / "auxiliary" / "direction"
    assert sum(f.stat().st_size for f in folder.iterdir()) < 500_000
    for file in folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    again = Direction.load(tmp_path)(UNIAXIAL["ZnO"])
    assert again is not None
    assert again.ratios.tolist() == ratios(UNIAXIAL["ZnO"]).tolist()
    (tmp_path / "card.json").write_text('{"members": 9}')
    with pytest.raises(ValueError, match="members"):
        Direction.load(tmp_path)


@pytest.mark.data
def test_held_out_crystals(mirror: Path) -> None:
    """Sixty uniaxial crystals, each by the member that was not trained on its formula."""
    import csv

    import spglib

    dataset = load("phonondb_harmonic", mirror)
    with (mirror / "phonondb_harmonic" / "id_prop.csv").open(encoding="utf-8", newline="") as file:
        records = {row["id"]: row for row in csv.DictReader(file)}
    members = len(MODEL.weights["elements"])
    found: list[tuple[float, float]] = []
    seconds = 0.0
    for crystal, stable in zip(dataset.crystals, dataset.labels["stable"], strict=True):
        if stable == "no" or fold(crystal.formula) >= members or len(found) == 60 or len(crystal.numbers) > 24:
            continue
        cell = (crystal.cell.tolist(), crystal.positions.tolist(), crystal.numbers.tolist())
        symmetry = spglib.get_symmetry_dataset(cell, 0.01)
        assert symmetry is not None
        if not 75 <= symmetry.number < 195:
            continue
        t = {k: float(records[crystal.id][f"transport_{k}"]) for k in ("xx", "yy", "zz", "yz", "xz", "xy")}
        tensor = np.array([[t["xx"], t["xy"], t["xz"]], [t["xy"], t["yy"], t["yz"]], [t["xz"], t["yz"], t["zz"]]])
        turned = symmetry.std_rotation_matrix @ tensor @ symmetry.std_rotation_matrix.T
        begin = time.process_time()
        predicted = MODEL(crystal, [fold(crystal.formula)])
        seconds += time.process_time() - begin
        assert isinstance(predicted, Anisotropy)
        found.append((math.log10(predicted.ratios[2] / predicted.ratios[0]), math.log10(turned[2, 2] / turned[0, 0])))
    values = np.array(found)
    error = np.abs(values[:, 0] - values[:, 1]).mean()
    assert error < 0.5 * np.abs(values[:, 1]).mean()
    assert seconds / len(found) < 0.1
