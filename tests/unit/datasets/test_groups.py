from __future__ import annotations

import numpy as np
import pytest
import simple_crystals as simple
from hypothesis import given
from hypothesis import strategies as st

from paraisite.crystals.crystal import Crystal
from paraisite.datasets.groups import (
    GROUPS,
    anonymous_formula,
    chemical_systems,
    elements,
    pairs,
    prototypes,
    same_crystals,
    space_group,
)


def test_prototypes_tell_structures_of_one_formula_apart() -> None:
    rocksalt, caesium_chloride, zincblende, fluorite = "AB-225", "AB-221", "AB-216", "AB2-225"
    expected = [rocksalt] * 5 + [caesium_chloride] * 3 + [zincblende] * 4 + [fluorite] * 2 + [rocksalt]
    assert prototypes(simple.CRYSTALS) == tuple(expected)


def test_chemical_systems_and_elements() -> None:
    assert chemical_systems(simple.CRYSTALS[:3]) == ("Cl-Na", "Cl-K", "Mg-O")
    assert chemical_systems(simple.CRYSTALS[12:13]) == ("Ca-F",)
    assert elements(simple.CRYSTALS[12]) == ("F", "Ca")


def test_same_crystals_finds_the_one_that_stands_twice() -> None:
    # the cube is 1 % larger, has four times the sites and another origin; the polymorphs have the same formula
    labels = same_crystals(simple.CRYSTALS)
    assert labels == (*range(14), 0)
    assert pairs(simple.CRYSTALS) == 4  # three of NaCl, one of MgO


@given(st.lists(st.sampled_from([1, 3, 8, 9, 14, 26, 57, 82]), min_size=1, max_size=24))
def test_anonymous_formula_is_that_of_pymatgen(numbers: list[int]) -> None:
    from pymatgen.core import Composition, Element

    found = anonymous_formula(Crystal(np.eye(3), np.array(numbers), np.zeros((len(numbers), 3))))
    assert found == Composition({Element.from_Z(z): numbers.count(z) for z in numbers}).anonymized_formula


@given(st.permutations(range(8)), st.tuples(*[st.floats(-1, 1)] * 3))
def test_prototype_does_not_depend_on_the_order_of_sites_or_the_origin(order: list[int], shift: tuple[float]) -> None:
    cube = simple.CRYSTALS[14]
    moved = Crystal(cube.cell, cube.numbers[order], cube.positions[order] + np.array(shift))
    assert prototypes([moved]) == ("AB-225",)


@pytest.mark.parametrize(("distortion", "number"), [(1e-4, 225), (0.1, 139)])
def test_space_group_holds_to_symprec(distortion: float, number: int) -> None:
    cube = simple.CRYSTALS[14]
    stretched = Crystal(cube.cell + np.diag([0, 0, distortion]), cube.numbers, cube.positions)
    assert space_group(stretched) == number


def test_crystals_without_a_symmetry_share_a_prototype() -> None:
    overlapping = Crystal(np.eye(3) * 4, np.array([11, 11]), np.zeros((2, 3)))
    assert prototypes([overlapping]) == ("A-0",)


@pytest.mark.parametrize("kind", GROUPS)
def test_every_kind_labels_every_crystal(kind: str) -> None:
    assert len(GROUPS[kind](simple.CRYSTALS)) == len(simple.CRYSTALS)
