"""Harmonic phonons by a potential: the supercell, the properties of given forces, and the tensor."""

import csv
import re

import numpy as np
import pytest

pytest.importorskip("phonopy")

from paraisite.datasets import phonondb
from paraisite.phonons.cells import PhononError
from paraisite.phonons.harmonic import choose_supercell, harmonic_phonons, harmonic_properties, transport_tensor
from paraisite.potentials.cells import standard_cell

FCC = np.array([[0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])


def copper(edge=3.6):
    return standard_cell(edge * FCC, np.array([29]), np.zeros((1, 3)), 0.01)


@pytest.mark.parametrize("length", [6.0, 9.0, 12.0])
def test_no_atom_of_the_supercell_is_near_its_image(length):
    cell = copper()
    matrix, found = choose_supercell(cell, length, 500)
    vectors = matrix.T @ (3.6 * FCC)
    images = [np.linalg.norm((np.array(n) - 3) @ vectors) for n in np.ndindex(7, 7, 7) if n != (3, 3, 3)]
    assert found == pytest.approx(min(images))
    assert found >= length
    # the primitive cell five times along each axis is the smallest of those that reach 12 Å
    assert length < 12 or round(np.linalg.det(matrix)) == 125


def test_a_bound_on_atoms_costs_length_or_the_crystal():
    matrix, found = choose_supercell(copper(), 12.0, 70)
    assert round(np.linalg.det(matrix)) == 64
    assert found < 12.0
    with pytest.raises(PhononError, match="1 sites"):
        choose_supercell(copper(), 12.0, 0)


def test_phonons_of_copper():
    from ase.calculators.emt import EMT

    found = harmonic_phonons(copper(3.7), EMT(), length=8.0)
    assert found.properties["imag_share"] == 0
    assert found.cell.cell[0, 0] == pytest.approx(3.59, abs=0.02)  # EMT's lattice constant
    assert found.volume_change == pytest.approx((3.59 / 3.7) ** 3 - 1, abs=0.02)
    assert found.n_displacements == 1
    assert 6 < found.properties["max_frequency"] < 9  # 7.2 THz measured, by R. M. Nicklow et al., PR 164, 922 (1967)
    assert np.trace(found.tensor) / 3 == pytest.approx(found.properties["transport_integral"])
    assert found.tensor == pytest.approx(found.tensor[0, 0] * np.eye(3), rel=1e-6, abs=1e-6 * found.tensor[0, 0])
    hot = transport_tensor(found.phonons, 3000.0)
    cold = transport_tensor(found.phonons, 50.0)
    assert cold[0, 0] < found.tensor[0, 0] < hot[0, 0]


@pytest.mark.data
def test_forces_of_the_archives_give_the_table(mirror):
    folder = mirror / "phonondb_harmonic"
    with (folder / "id_prop.csv").open() as file:
        table = {row["id"]: row for row in csv.DictReader(file)}
    archives = sorted((folder / "archives").iterdir())
    assert len(archives) == 5
    for path in archives:
        row = table["mp-" + re.search(r"materials-id-(\d+)", path.name)[1]]
        properties, tensor = harmonic_properties(phonondb._phonons(phonondb._members(path.read_bytes())))
        for name, value in properties.items():
            if row[name]:
                assert value == pytest.approx(float(row[name]), rel=1e-5, abs=2e-6), (path.name, name)
        wanted = [float(row[f"transport_{axes}"]) for axes in ("xx", "yy", "zz", "yz", "xz", "xy")]
        own = tensor[[0, 1, 2, 1, 0, 0], [0, 1, 2, 2, 2, 1]]
        assert own == pytest.approx(wanted, abs=2e-5 * max(wanted))
