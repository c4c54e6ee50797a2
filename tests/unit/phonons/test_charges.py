"""BORN files, as phonopy's own programs and people write them."""

from __future__ import annotations

import numpy as np
import pytest
from ase.build import bulk

from paraisite.crystals import Crystal
from paraisite.phonons.cells import PhononError
from paraisite.phonons.charges import read_born
from paraisite.potentials.cells import standard_cell

phonopy = pytest.importorskip("phonopy", reason="lattice dynamics needs the extra [phonons]")

DIELECTRIC, MAGNESIUM, OXYGEN = "3 0 0 0 3 0 0 0 3", "2 0 0 0 2 0 0 0 2", "-2 0 0 0 -2 0 0 0 -2"


@pytest.fixture(scope="module")
def primitive():
    crystal = Crystal.from_ase(bulk("MgO", "rocksalt", a=4.2))
    cell = standard_cell(crystal.cell, crystal.numbers, crystal.positions, 0.01)
    return phonopy.Phonopy(cell.to_phonopy(), supercell_matrix=[1, 1, 1], primitive_matrix="F").primitive


@pytest.mark.parametrize("first", ["default", "# epsilon and Z* of atoms 1 5", "14.39965172592227"])
def test_every_first_line_is_understood(primitive, first):
    found = read_born("\n".join([first, DIELECTRIC, MAGNESIUM, OXYGEN]), primitive)
    assert found["factor"] == pytest.approx(14.39965, abs=1e-4)  # e²/(4π ε0) in eV Å
    np.testing.assert_allclose(found["dielectric"], 3 * np.eye(3))
    np.testing.assert_allclose(found["born"], [2 * np.eye(3), -2 * np.eye(3)], atol=1e-12)


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ([DIELECTRIC, MAGNESIUM], "does not fit"),
        ([DIELECTRIC, MAGNESIUM, "x"], "does not fit"),
        ([DIELECTRIC.replace("3", "nan"), MAGNESIUM, OXYGEN], "not finite"),
        ([DIELECTRIC, MAGNESIUM.replace("2", "1e9"), OXYGEN], "implausibly large"),
        ([DIELECTRIC.replace("3", "0.3"), MAGNESIUM, OXYGEN], "below that of the vacuum"),
    ],
)
def test_what_does_not_fit_is_said(primitive, lines, said):
    with pytest.raises(PhononError, match=said):
        read_born("\n".join(["default", *lines]), primitive)
