"""Wave vectors that fit into a supercell, and the lowest mode over them."""

from __future__ import annotations

import numpy as np
import pytest
from ase.build import bulk

from paraisite.crystals import Crystal
from paraisite.phonons.stability import commensurate_points
from paraisite.potentials.cells import standard_cell

phonopy = pytest.importorskip("phonopy", reason="lattice dynamics needs the extra [phonons]")


@pytest.mark.parametrize(
    ("name", "structure", "multiples"),
    [
        ("MgO", "rocksalt", (3, 3, 3)),
        ("Ar", "fcc", (4, 4, 4)),
        ("Fe", "bcc", (5, 5, 5)),
        ("Ar", "sc", (3, 3, 3)),
        ("GaN", "wurtzite", (5, 5, 3)),
    ],
)
def test_wave_vectors_that_fit_into_the_supercell(name, structure, multiples):
    crystal = Crystal.from_ase(bulk(name, structure, a=4.0))
    cell = standard_cell(crystal.cell, crystal.numbers, crystal.positions, 0.01)
    made = phonopy.Phonopy(cell.to_phonopy(), supercell_matrix=list(multiples), primitive_matrix=cell.centring)
    points = commensurate_points(made)
    assert len(points) == len(made.supercell) / len(made.primitive)
    assert len(np.unique(np.round(points % 1, 6) % 1, axis=0)) == len(points)
    phases = points @ np.linalg.inv(made.primitive.cell).T @ made.supercell.cell.T
    np.testing.assert_allclose(phases, np.round(phases), atol=1e-9)
