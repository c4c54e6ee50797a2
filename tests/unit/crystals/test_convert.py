"""Round trips through pymatgen and ASE, and what they refuse."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from paraisite.crystals import Crystal, CrystalError, Rejection
from paraisite.crystals.check import check
from paraisite.crystals.pymatgen_json import read_json

CELL = np.array([[4.0, 0, 0], [1.0, 4.5, 0], [0.5, 0.7, 5.0]])


@st.composite
def crystals(draw: st.DrawFn) -> Crystal:
    """Physical crystals of up to 6 sites in cells of any shape and handedness."""
    strain = draw(hnp.arrays(float, (3, 3), elements=st.floats(-0.7, 0.7)))
    cell = draw(st.sampled_from([1.0, -1.0])) * (CELL + strain)
    n = draw(st.integers(1, 6))
    numbers = np.array(draw(st.lists(st.integers(1, 94), min_size=n, max_size=n)))
    positions = draw(hnp.arrays(float, (n, 3), elements=st.floats(-1, 2)))
    try:
        check(cell, numbers, positions)
    except CrystalError:
        assume(False)
    return Crystal(cell, numbers, positions, "id", "source")


def same(a: Crystal, b: Crystal) -> None:
    assert np.allclose(a.cell, b.cell, atol=1e-10)
    assert a.numbers.tolist() == b.numbers.tolist()
    assert np.allclose(a.positions, b.positions, atol=1e-9)


@settings(max_examples=60, deadline=None)
@given(crystals())
def test_round_trip_through_pymatgen(crystal: Crystal) -> None:
    back = Crystal.from_pymatgen(crystal.to_pymatgen(), id="id", source="source")
    same(crystal, back)
    assert (back.id, back.source) == ("id", "source")


@settings(max_examples=60, deadline=None)
@given(crystals())
def test_round_trip_through_ase(crystal: Crystal) -> None:
    same(crystal, Crystal.from_ase(crystal.to_ase(), id="id"))


@settings(max_examples=40, deadline=None)
@given(crystals())
def test_formula_and_volume_are_those_of_pymatgen(crystal: Crystal) -> None:
    structure = crystal.to_pymatgen()
    assert crystal.formula == structure.composition.reduced_formula
    assert crystal.volume == pytest.approx(structure.volume)
    assert crystal.n_elements == len(structure.composition)


def test_oxidation_states_are_dropped() -> None:
    from pymatgen.core import Lattice, Structure

    structure = Structure(Lattice.cubic(4.2), ["Mg2+", "O2-"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    assert Crystal.from_pymatgen(structure).symbols == ["Mg", "O"]


def test_disordered_structure_is_refused() -> None:
    from pymatgen.core import Lattice, Structure

    structure = Structure(Lattice.cubic(4), [{"Fe": 0.6, "Ni": 0.4}], [[0, 0, 0]])
    with pytest.raises(CrystalError, match=r"site 1 is disordered: Fe0\.6Ni0\.4"):
        Crystal.from_pymatgen(structure)
    crystal = Crystal.from_pymatgen(structure, disorder="majority")
    assert crystal.symbols == ["Fe"]
    assert crystal.notes


def test_dummy_species_is_refused() -> None:
    from pymatgen.core import DummySpecies, Lattice, Structure

    structure = Structure(Lattice.cubic(4), [DummySpecies("X")], [[0, 0, 0]])
    with pytest.raises(CrystalError, match="not a chemical element"):
        Crystal.from_pymatgen(structure)


def test_molecule_slab_and_dummy_atoms_are_refused() -> None:
    from ase import Atoms
    from ase.build import fcc111, molecule

    with pytest.raises(CrystalError, match="three-dimensional"):
        Crystal.from_ase(molecule("H2O"))
    with pytest.raises(CrystalError, match="not periodic"):
        Crystal.from_ase(fcc111("Cu", (1, 1, 3), vacuum=8))
    with pytest.raises(CrystalError, match="not a chemical element"):
        Crystal.from_ase(Atoms("X", cell=[4, 4, 4], pbc=True))
    with pytest.raises(CrystalError, match="no volume"):
        Crystal.from_ase(Atoms("Cu", cell=[[4, 0, 0], [0, 4, 0], [4, 4, 0]], pbc=True))


def test_slab_of_pymatgen_is_refused() -> None:
    from pymatgen.core import Lattice, Structure

    slab = Structure(Lattice(20 * CELL, pbc=(True, True, False)), ["Cu"], [[0, 0, 0]])
    with pytest.raises(CrystalError, match="not periodic"):
        Crystal.from_pymatgen(slab)
    structure = slab.as_dict()
    assert structure["lattice"]["pbc"] == (True, True, False)
    (item,) = read_json(json.dumps(structure), id="x", source="x.json")
    assert isinstance(item, Rejection)


def test_disorder_noted_by_ase_is_refused() -> None:
    from ase import Atoms

    atoms = Atoms("Fe", cell=[4, 4, 4], pbc=True, info={"occupancy": {"0": {"Fe": 0.5, "Ni": 0.5}}})
    with pytest.raises(CrystalError, match=r"Fe0\.5Ni0\.5"):
        Crystal.from_ase(atoms)
