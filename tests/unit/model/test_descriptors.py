"""Descriptors belong to the crystal, not to the way it is written down; values against ase and by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from make_crystals import (
    crystals,
    cubic,
    distances_near,
    permute,
    random_rotation,
    rotate,
    some_crystals,
    supercell,
    translate,
    wurtzite,
)

from paraisite.crystals.crystal import Crystal
from paraisite.crystals.elements import electronegativity
from paraisite.graphs import build
from paraisite.model.descriptors import NAMES, PROPERTIES, blocks, descriptors, element_table, primitive_sites

EXAMPLES = settings(max_examples=25, deadline=None)
BONDED = crystals().filter(lambda c: len(build([c])[1]) == 1)
SEEDS = st.integers(0, 2**16)


def describe(crystal: Crystal) -> dict[str, float]:
    values = descriptors([crystal], build([crystal])[0])
    assert values.shape == (1, len(NAMES)) == (1, sum(blocks(environment=False)))
    return dict(zip(NAMES, values[0].tolist(), strict=True))


def assert_unchanged(crystal: Crystal, other: Crystal) -> None:
    a, b = describe(crystal), describe(other)
    # distances that differ by less than the tolerance of the graph are one distance, its mean
    np.testing.assert_allclose(list(b.values()), list(a.values()), rtol=1e-6, atol=1e-5)


@EXAMPLES
@given(BONDED, SEEDS)
def test_orientation_origin_and_order_of_sites_do_not_matter(crystal: Crystal, seed: int) -> None:
    rng = np.random.default_rng(seed)
    other = permute(translate(rotate(crystal, random_rotation(rng)), rng.random(3)), rng.permutation(crystal.n_sites))
    if not len(distances_near(other, 4.0)):
        assert_unchanged(crystal, other)


@EXAMPLES
@given(crystals(skewed=False).filter(lambda c: len(build([c])[1]) == 1), st.tuples(*[st.integers(1, 2)] * 3))
def test_the_cell_does_not_matter(crystal: Crystal, repeats: tuple[int, int, int]) -> None:
    assert_unchanged(crystal, supercell(crystal, repeats))


def test_a_batch_gives_what_each_crystal_gives_alone() -> None:
    many = some_crystals()
    together = descriptors(many, build(many)[0])
    alone = [list(describe(crystal).values()) for crystal in many]
    np.testing.assert_allclose(together, alone, rtol=1e-12, atol=1e-12)
    plain = descriptors(many, build(many, tolerance=None)[0])
    np.testing.assert_allclose(plain, together, rtol=1e-6, atol=1e-6)
    assert len(np.unique(together.round(9), axis=0)) == len(many)


def test_rock_salt_by_hand() -> None:
    d = describe(cubic("rocksalt", "Na Cl", 5.6))
    assert d["mean_electronegativity"] == pytest.approx((0.93 + 3.16) / 2)
    assert d["std_electronegativity"] == pytest.approx((3.16 - 0.93) / 2)
    assert (d["mean_group"], d["std_group"], d["mean_row"], d["std_row"]) == (9, 8, 3, 0)
    assert d["volume_per_site"] == pytest.approx(5.6**3 / 8)
    assert d["shortest_distance"] == pytest.approx(2.8)
    # within 4 Å: six neighbours at a/2, twelve at a/√2
    assert d["neighbours_per_site"] == pytest.approx(18)
    assert d["mean_distance"] == pytest.approx((6 * 2.8 + 12 * 2.8 * 2**0.5) / 18)
    assert d["ln_primitive_sites"] == pytest.approx(np.log(2))
    assert d["mean_electrons"] == 4
    assert d["least_electronegative_ln_mass"] == pytest.approx(np.log(22.9898))
    assert (d["least_electronegative_group"], d["most_electronegative_group"]) == (1, 17)
    # Hoppe's weights: with the mean bond length m, 6 exp(1 - (a/2m)^6) + 12 exp(1 - (a/√2m)^6)
    near, far = 6.0, 12 * np.exp(1.0 - 8)
    m = (near + far * 2**0.5) / (near + far)
    expected = near * np.exp(1.0 - m**-6) + 12 * np.exp(1.0 - 8 * m**-6)
    for end in ("least", "most"):
        assert d[f"{end}_electronegative_coordination"] == pytest.approx(expected)
    assert expected == pytest.approx(6, abs=0.1)
    # to the twelve sites of the same kind, a bond hardly at all, there is no difference
    weight = near * np.exp(1.0 - m**-6) / expected
    assert d["bond_electronegativity_difference"] == pytest.approx((3.16 - 0.93) * weight)
    assert d["bond_ln_mass_difference"] == pytest.approx(np.log(35.45 / 22.9898) * weight, rel=1e-4)
    assert d["bond_length"] == pytest.approx(2.8 * (weight + (1 - weight) * 2**0.5))
    sums = (1.66 + 1.02) / 2.8, 1.66 * 2 / (2.8 * 2**0.5), 1.02 * 2 / (2.8 * 2**0.5)
    relative = weight / sums[0] + (1 - weight) * (1 / sums[1] + 1 / sums[2]) / 2
    assert d["bond_relative_length"] == pytest.approx(relative)


def test_coordination_goes_to_the_element_that_has_it() -> None:
    for name, crystal, least, most in [
        ("zinc blende", cubic("zincblende", "Ga As", 5.65), 4, 4),
        ("wurtzite", wurtzite("Zn", "O", 3.25, 5.2, 0.38), 4, 4),
        ("perovskite: Sr sees 12 O, then 8 Ti; O sees 2 Ti", cubic("perovskite", "Sr Ti O O O", 3.94), 13.9, 2),
    ]:
        d = describe(crystal)
        found = d["least_electronegative_coordination"], d["most_electronegative_coordination"]
        assert found == pytest.approx((least, most), abs=0.35), name


HALF_HEUSLER = [[0, 0, 0], [0.25, 0.25, 0.25], [0.5, 0.5, 0.5]]


@pytest.mark.parametrize(
    ("symbols", "per_formula"),
    [
        ("Na Cl", 0), ("Ga As", 0), ("Zn S", 0), ("Cu Br", 0), ("Mg O", 0), ("Li H", 0), ("Pb Te", 2), ("Na Na", 1),
        ("C C", 0), ("As As", 0), ("Al Al", 3), ("Ti Ni Sn", 0), ("Ti Ni Sb", 1), ("Zr Ru Sb", 1),
        ("Nb Fe Sb", 0), ("Li Al Si", 0), ("Er Ni Sb", 0), ("Th Ni Sn", 0), ("Ti Ir Sn", 1),
    ],
)  # fmt: skip
def test_electrons_outside_closed_shells(symbols: str, per_formula: int) -> None:
    """Graf, Felser and Parkin (2011): semiconductors have 8 or 18 electrons, TiNiSb one more, ZrRuSb one less."""
    from pymatgen.core import Element

    names = symbols.split()
    cell = 3.0 * (np.ones((3, 3)) - np.eye(3))
    numbers = np.array([Element(s).Z for s in names])
    crystal = Crystal(cell, numbers, np.array(HALF_HEUSLER[: len(names)]))
    sites = 1 if len(set(names)) == 1 else len(names)
    assert describe(crystal)["open_shell"] == pytest.approx(per_formula / sites)
    assert describe(supercell(crystal, (2, 1, 2)))["open_shell"] == pytest.approx(per_formula / sites)


def test_equal_electronegativities_do_not_leave_the_choice_to_the_order_of_sites() -> None:
    crystal = cubic("rocksalt", "Os Ir", 5.0)
    d = describe(crystal)
    assert (d["least_electronegative_group"], d["most_electronegative_group"]) == (8, 9)
    assert_unchanged(crystal, permute(crystal, np.arange(crystal.n_sites)[::-1]))


@pytest.mark.parametrize(
    ("crystal", "sites"),
    [
        (cubic("zincblende", "Si Si", 5.43), 2),
        (supercell(cubic("zincblende", "Si Si", 5.43), (2, 2, 2)), 2),
        (supercell(cubic("perovskite", "Sr Ti O O O", 3.94), (2, 1, 3)), 5),
        (wurtzite("Zn", "O", 3.25, 5.2, 0.38), 4),
        (cubic("zincblende", "Ga As", 5.65), 2),
    ],
)
def test_sites_of_the_primitive_cell(crystal: Crystal, sites: int) -> None:
    assert primitive_sites(crystal) == sites


@EXAMPLES
@given(crystals(), st.tuples(*[st.integers(1, 3)] * 3), SEEDS)
def test_a_supercell_has_the_primitive_cell_of_its_crystal(
    crystal: Crystal, repeats: tuple[int, int, int], seed: int
) -> None:
    other = supercell(crystal, repeats)
    order = np.random.default_rng(seed).permutation(other.n_sites)
    assert primitive_sites(permute(other, order)) == primitive_sites(crystal) <= crystal.n_sites


def test_a_cell_that_spglib_refuses_counts_as_it_is() -> None:
    twice = Crystal(3 * np.eye(3), np.array([11, 11]), np.array([[0.0, 0, 0], [1e-4, 0, 0]]))
    assert primitive_sites(twice) == 2


def test_the_table_agrees_with_ase_and_pymatgen() -> None:
    from ase.data import atomic_masses, chemical_symbols, covalent_radii
    from pymatgen.core import Element

    table = element_table()
    assert table.shape == (95, len(PROPERTIES))
    assert np.isfinite(table).all()
    columns = dict(zip(PROPERTIES, table.T, strict=True))
    np.testing.assert_allclose(columns["mass"][1:], atomic_masses[1:95], rtol=1e-3)
    np.testing.assert_allclose(columns["covalent_radius"][1:], covalent_radii[1:95])
    pauling = [electronegativity(symbol) for symbol in chemical_symbols[1:95]]
    np.testing.assert_allclose(columns["electronegativity"][1:], np.where(np.isfinite(pauling), pauling, 0.0))
    elements = [Element.from_Z(z) for z in range(1, 95)]
    assert columns["group"][1:].tolist() == [e.group for e in elements]
    assert columns["row"][1:].tolist() == [e.row for e in elements]
    assert columns["mendeleev_number"][1:].tolist() == [e.mendeleev_no for e in elements]
    for e, electrons in zip(elements, columns["electrons"][1:].tolist(), strict=True):
        main_group_or_d = e.group - 10 if e.group >= 8 else e.group
        assert electrons == (4 if e.Z >= 90 else 3 if e.is_lanthanoid else main_group_or_d), e.symbol
    ionization = [e.ionization_energy or 0 for e in elements]
    np.testing.assert_allclose(columns["ionization_energy"][1:], ionization, rtol=1e-4)


def test_wrong_input_is_named() -> None:
    salt = cubic("rocksalt", "Na Cl", 5.6)
    graphs = build([salt])[0]
    with pytest.raises(ValueError, match="2 crystals and 1 graphs"):
        descriptors([salt, salt], graphs)
    heavy = cubic("rocksalt", "Cm O", 5.0)
    with pytest.raises(ValueError, match="96"):
        descriptors([heavy], build([heavy])[0])
    assert descriptors([], build([])[0]).shape == (0, len(NAMES))
