from __future__ import annotations

import numpy as np
import pytest
from ase.build import bulk
from hypothesis import given
from hypothesis import strategies as st

from paraisite.phonons.cells import choose_supercells, enlarge
from paraisite.phonons.settings import Settings
from paraisite.potentials.cells import RelaxationError, StandardCell, standard_cell


def standard(atoms, symprec=0.01) -> StandardCell:
    return standard_cell(atoms.cell.array, atoms.numbers, atoms.get_scaled_positions(), symprec)


def test_a_primitive_cell_becomes_the_conventional_one():
    found = standard(bulk("MgO", "rocksalt", 4.2))
    assert found.space_group == "Fm-3m (225)"
    assert found.centring == "F"
    assert len(found.numbers) == 8
    np.testing.assert_allclose(found.cell, 4.2 * np.eye(3), atol=1e-12)


def test_rounded_coordinates_are_idealised():
    atoms = bulk("ZnS", "wurtzite", 3.8, c=6.2)
    atoms.positions += 0.002 * np.random.default_rng(0).standard_normal(atoms.positions.shape)
    found = standard(atoms)
    assert found.group_number == 186
    assert found.positions[0, :2] == pytest.approx([1 / 3, 2 / 3], abs=1e-12)


def test_a_record_gives_the_same_cell_back():
    cell = standard(bulk("ZnS", "wurtzite", 3.8123456789, c=6.2))
    back = StandardCell.from_record(cell.record())
    assert np.array_equal(back.cell, cell.cell)
    assert np.array_equal(back.positions, cell.positions)
    assert back.numbers.dtype == cell.numbers.dtype
    assert back.space_group == cell.space_group


def test_two_atoms_at_one_place_are_refused():
    with pytest.raises(RelaxationError, match="no space group"):
        standard_cell(np.eye(3) * 4, np.array([11, 11]), np.zeros((2, 3)), 0.01)


def chosen(atoms, **changes) -> tuple[int, int, int]:
    return choose_supercells(standard(atoms), Settings(**changes))[0]


def test_supercells_of_the_profile():
    assert chosen(bulk("MgO", "rocksalt", 4.2)) == (2, 2, 2)
    assert chosen(bulk("GaN", "wurtzite", 3.2, c=5.2)) == (3, 3, 2)
    assert chosen(bulk("CsI", "rocksalt", 7.7)) == (2, 2, 2)  # 15 Å; one cell is too small
    assert chosen(bulk("Al", "fcc", 4.05)) == (2, 2, 2)


def test_a_supercell_ends_at_the_length():
    assert chosen(bulk("Al", "fcc", 4.05), supercell_length=12, max_supercell_atoms=1000) == (3, 3, 3)
    assert chosen(bulk("Al", "fcc", 4.05), supercell_length=4) == (1, 1, 1)


def test_a_given_supercell_is_taken():
    assert chosen(bulk("Al", "fcc", 4.05), supercell=(1, 2, 3)) == (1, 2, 3)


def test_supercells_of_the_second_order():
    def second(atoms, **changes):
        return choose_supercells(standard(atoms), Settings(**changes))[1]

    assert second(bulk("MgO", "rocksalt", 4.2)) == (3, 3, 3)  # 216 atoms; one more would be too many
    assert second(bulk("CsI", "rocksalt", 7.7)) == (3, 3, 3)
    assert second(bulk("GaN", "wurtzite", 3.2, c=5.2)) == (5, 5, 3)
    assert second(bulk("MgO", "rocksalt", 4.2), max_fc2_supercell_atoms=1000) == (5, 5, 5)
    assert second(bulk("MgO", "rocksalt", 4.2), supercell=(2, 2, 2)) == (2, 2, 2)
    assert second(bulk("MgO", "rocksalt", 4.2), supercell=(2, 2, 2), fc2_supercell=(3, 3, 3)) == (3, 3, 3)
    assert second(bulk("MgO", "rocksalt", 4.2), max_fc2_supercell_atoms=100) == (2, 2, 2)
    assert second(bulk("MgO", "rocksalt", 4.2), max_fc2_supercell_atoms=8) == (2, 2, 2)  # as for the third


@given(
    st.lists(st.floats(2.5, 15.0), min_size=3, max_size=3),
    st.integers(1, 40),
    st.sampled_from([1, 50, 100, 150, 190, 225]),
)
def test_supercells_keep_the_symmetry_and_the_bound(lengths, n_atoms, group):
    if group >= 75:
        lengths[1] = lengths[0]
    if group >= 195:
        lengths[2] = lengths[0]
    cell = StandardCell(np.diag(lengths), np.ones(n_atoms, int), np.zeros((n_atoms, 3)), "", group, "P")
    a, b, c = enlarge(cell, 12, 100)
    assert a * b * c * n_atoms <= max(100, n_atoms)
    if group >= 75:
        assert a == b
    if group >= 195:
        assert a == c
    grown = np.array([a, b, c])
    if (grown > 1).any():  # one step less would have been too small
        less = grown.copy()
        less[grown == grown.max()] -= 1
        assert (less * lengths).min() < 12
