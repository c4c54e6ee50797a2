"""Descriptors of surroundings: of the crystal, not of the way it is written down; values by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from make_crystals import (
    CUTOFF,
    crystals,
    cubic,
    distances_near,
    isolated,
    permute,
    random_rotation,
    random_unimodular,
    recell,
    rotate,
    shake,
    some_crystals,
    supercell,
    translate,
    wurtzite,
)

from paraisite.crystals.crystal import Crystal
from paraisite.graphs import build
from paraisite.model import environment
from paraisite.model.descriptors import NAMES as PLAIN
from paraisite.model.descriptors import described, descriptors, width
from paraisite.model.environment import NAMES, REACH, SHELL, STATISTICS

EXAMPLES = settings(max_examples=25, deadline=None)
SEEDS = st.integers(0, 2**16)
MASS = {"Na": 22.9898, "Cl": 35.45}
RADII2 = {"Na": 2 * 1.66, "Cl": 2 * 1.02}
"""Twice the covalent radii, in Å."""


def bonded(crystal: Crystal) -> bool:
    return len(build([crystal])[1]) == 1 and not len(distances_near(crystal, REACH))


BONDED = crystals().filter(bonded)


def table(many: list[Crystal]) -> np.ndarray:
    found = descriptors(many, build(many)[0], environment=True)
    assert found.shape == (len(many), width(True))
    return found[:, len(PLAIN) :]


def describe(crystal: Crystal) -> dict[str, float]:
    return dict(zip(NAMES, table([crystal])[0].tolist(), strict=True))


def assert_unchanged(crystal: Crystal, other: Crystal) -> None:
    a, b = describe(crystal), describe(other)
    for name in NAMES:
        assert b[name] == pytest.approx(a[name], rel=1e-6, abs=1e-5), name


@EXAMPLES
@given(BONDED, SEEDS)
def test_orientation_origin_and_order_of_sites_do_not_matter(crystal: Crystal, seed: int) -> None:
    rng = np.random.default_rng(seed)
    other = permute(translate(rotate(crystal, random_rotation(rng)), rng.random(3)), rng.permutation(crystal.n_sites))
    assert_unchanged(crystal, other)


@EXAMPLES
@given(BONDED, SEEDS)
def test_the_choice_of_lattice_vectors_does_not_matter(crystal: Crystal, seed: int) -> None:
    assert_unchanged(crystal, recell(crystal, random_unimodular(np.random.default_rng(seed), steps=2)))


@EXAMPLES
@given(crystals(skewed=False).filter(bonded), st.tuples(*[st.integers(1, 2)] * 3))
def test_the_cell_does_not_matter(crystal: Crystal, repeats: tuple[int, int, int]) -> None:
    assert_unchanged(crystal, supercell(crystal, repeats))


@pytest.mark.parametrize("crystal", some_crystals(), ids=lambda c: f"{c.source}-{c.id}")
def test_symmetric_crystals_in_supercells(crystal: Crystal) -> None:
    assert_unchanged(crystal, supercell(crystal, (3, 1, 2)))


def test_a_batch_gives_what_each_crystal_gives_alone() -> None:
    many = some_crystals()
    np.testing.assert_allclose(table(many), [list(describe(c).values()) for c in many], rtol=1e-12, atol=1e-12)


def test_names_and_widths_agree() -> None:
    assert len(set(NAMES)) == len(NAMES)
    assert width(True) == len(PLAIN) + len(NAMES)
    assert width(False) == len(PLAIN)
    salt = [cubic("rocksalt", "Na Cl", 5.6)]
    graphs = build(salt)[0]
    assert described(salt, graphs).descriptors.shape == (1, width(False))  # type: ignore[union-attr]
    more = described(salt, graphs, environment=True).descriptors
    assert more is not None
    np.testing.assert_array_equal(more[:, : len(PLAIN)], descriptors(salt, graphs))
    assert descriptors([], build([])[0], environment=True).shape == (0, width(True))


def test_rock_salt_by_hand() -> None:
    d = describe(cubic("rocksalt", "Na Cl", 5.6))
    # six bonds along the axes: Steinhardt's values of the octahedron, which Cl sees alone; around Na, which is large,
    # the twelve next neighbours count a little. The harmonics of cubic symmetry have opposite signs there.
    values = {}
    for element in ("Na", "Cl"):
        length = 2.8 / (1.66 + 1.02), 2.8 * 2**0.5 / RADII2[element]
        near = 6.0, 12 * np.exp(1 - (length[1] / length[0]) ** 6)
        middle = np.average(length, weights=near)
        bonds = 6 * np.exp(1 - (length[0] / middle) ** 6), 12 * np.exp(1 - (length[1] / middle) ** 6)
        orders = [abs(np.average(pair, weights=bonds)) for pair in ((0.7638, -0.1909), (0.3536, -0.5745))]
        values[element] = [sum(bonds), *orders, (3.16 - 0.93) * bonds[0] / sum(bonds)]
    assert values["Cl"] == pytest.approx([6, 0.7638, 0.3536, 3.16 - 0.93], abs=0.01)
    columns = ("coordination", "order_4", "order_6", "polarity")
    for name, pair in zip(columns, zip(*values.values(), strict=True), strict=True):
        assert name == "polarity" or d[f"mean_{name}"] == pytest.approx(np.mean(pair), abs=1e-3)
        assert d[f"std_{name}"] == pytest.approx(np.std(pair), abs=1e-3)
    assert d["min_coordination"] == pytest.approx(6, abs=0.01)
    assert d["mean_order_2"] == pytest.approx(0, abs=1e-6)
    for s in STATISTICS:
        assert d[f"{s}_relative_bond"] == pytest.approx(0 if s == "std" else 2.8 / (1.66 + 1.02), abs=1e-6)
    for name in ("mean_lowest", "min_lowest", "mean_highest", "max_highest"):
        assert d[f"{name}_share"] == pytest.approx(1 / 3)
    assert (d["lowest_share_of_all"], d["highest_share_of_all"]) == pytest.approx((1 / 3, 1 / 3))
    # bond valences of six at 2.8 Å and twelve of the same kind at 3.96 Å
    near, far = 6 * np.exp((2.68 - 2.8) / 0.37), {e: 12 * np.exp((r - 2.8 * 2**0.5) / 0.37) for e, r in RADII2.items()}
    strength = {e: near + far[e] + 1e-3 for e in far}
    assert d["min_ln_strength"] == pytest.approx(min(np.log(list(strength.values()))))
    assert d["max_ln_strength"] == pytest.approx(max(np.log(list(strength.values()))))
    einstein = [0.5 * np.log(strength[e] / MASS[e]) for e in ("Na", "Cl")]
    assert d["mean_ln_einstein"] == pytest.approx(np.mean(einstein), abs=1e-4)
    assert d["range_ln_einstein"] == pytest.approx(abs(einstein[0] - einstein[1]), abs=1e-4)
    volume = 5.6**3 / 8
    assert d["ln_density"] == pytest.approx(np.log(np.mean([*MASS.values()]) / volume), abs=1e-4)
    assert d["ln_packing"] == pytest.approx(np.log((1.66**3 + 1.02**3) / 2 / volume))
    assert (d["elements"], d["hydrogen"]) == (2, 0)
    assert d["entropy"] == pytest.approx(np.log(2))
    assert d["range_electronegativity"] == pytest.approx(3.16 - 0.93)
    assert d["ln_environments"] == pytest.approx(np.log(2))
    assert d["ln_environments_per_site"] == pytest.approx(0)
    # unlike ones at a/2; like ones at a/√2, half of which are counted, as half of the way from 3.5 to 4.5 Å lies behind
    fade = (1 + np.cos(np.pi * (5.6 / 2**0.5 - 3.5))) / 2
    assert d["ln_shells"] == pytest.approx(np.log(1 + fade + 0.1))
    assert d["ln_shells_per_neighbour"] == pytest.approx(np.log((1 + fade + 0.1) / (6 + 12 * fade + 0.1)))


@pytest.mark.parametrize(
    ("crystal", "coordination", "orders"),
    [
        (cubic("sc", "Po", 3.35), 6, (0.7638, 0.3536)),
        (cubic("rocksalt", "Pb Te", 6.46), 6, (0.7638, 0.3536)),
        (cubic("zincblende", "Si Si", 5.43), 4, (0.5092, 0.6285)),
        (cubic("fcc", "Cu", 3.62), 12, (0.1909, 0.5745)),
    ],
    ids=["octahedron", "two octahedra", "tetrahedron", "close packing"],
)
def test_bond_orders_of_the_textbook(crystal: Crystal, coordination: int, orders: tuple[float, float]) -> None:
    """Steinhardt, Nelson and Ronchetti (1983), table I."""
    d = describe(crystal)
    assert (d["mean_order_4"], d["mean_order_6"]) == pytest.approx(orders, abs=0.02)
    assert d["mean_coordination"] == pytest.approx(coordination, abs=0.1)
    assert (d["lowest_share_of_all"], d["highest_share_of_all"]) == pytest.approx((1 / 3, 1 / 3))
    assert d["std_order_4"] == pytest.approx(0, abs=1e-9)


def test_hydrogen_is_counted() -> None:
    assert describe(cubic("rocksalt", "Li H", 4.08))["hydrogen"] == 0.5


@pytest.mark.parametrize(("a", "b"), [("Na", "Cl"), ("Li", "Bi"), ("Ga", "As")])
def test_mass_disorder_of_a_binary_by_hand(a: str, b: str) -> None:
    from ase.data import atomic_masses, atomic_numbers

    masses = np.array([atomic_masses[atomic_numbers[e]] for e in (a, b)])
    d = describe(cubic("rocksalt", f"{a} {b}", 5.6))
    assert d["mass_disorder"] == pytest.approx(np.sum(0.5 * (1 - masses / masses.mean()) ** 2), rel=1e-3)
    assert d["range_ln_mass"] == pytest.approx(abs(np.log(masses[1] / masses[0])), abs=1e-3)
    assert describe(cubic("rocksalt", f"{a} {a}", 5.6))["mass_disorder"] == pytest.approx(0, abs=1e-12)


def graphite() -> Crystal:
    """Layers of graphite, 3.35 Å apart."""
    third = [[1 / 3, 2 / 3], [2 / 3, 1 / 3]]
    positions = [[0, 0, 0.25], [*third[0], 0.25], [0, 0, 0.75], [*third[1], 0.75]]
    cell = np.array([[2.46, 0, 0], [-1.23, 2.46 * np.sqrt(0.75), 0], [0, 0, 6.71]])
    return Crystal(cell, np.full(4, 6), np.array(positions))


def test_a_layered_crystal_is_strong_in_its_plane_only() -> None:
    d = describe(graphite())
    assert d["lowest_share_of_all"] < 0.05
    assert d["highest_share_of_all"] == pytest.approx((1 - d["lowest_share_of_all"]) / 2)
    assert d["mean_coordination"] == pytest.approx(3, abs=0.2)
    assert describe(wurtzite("Zn", "O", 3.25, 5.2, 0.38))["lowest_share_of_all"] > 0.25


def test_a_rattler_is_weaker_than_its_cage() -> None:
    """A small ion in the large cage of a perovskite has long weak bonds, a fitting one has not."""
    small, fitting = (describe(cubic("perovskite", f"{a} Ti O O O", 3.94)) for a in ("Li", "Sr"))
    assert small["max_relative_bond"] > fitting["max_relative_bond"]
    assert small["min_ln_strength"] < fitting["min_ln_strength"]


def test_environments_are_counted_once_each() -> None:
    perovskite = describe(cubic("perovskite", "Sr Ti O O O", 3.94))
    assert perovskite["ln_environments"] == pytest.approx(np.log(3))
    assert perovskite["ln_environments_per_site"] == pytest.approx(np.log(3 / 5))
    # two sites of one element in surroundings of their own
    ordered = supercell(cubic("cscl", "Fe Fe", 2.87), (1, 1, 2))
    mixed = describe(replace(ordered, numbers=np.array([13, 26, 26, 26])))
    assert np.exp(mixed["ln_environments"]) == pytest.approx(2.0, abs=1.1)
    assert np.exp(mixed["ln_environments"]) > 2.0


def test_as_many_sites_of_an_element_as_are_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    """Beyond that some stand for all, and the count stays that of the few distinct ones."""
    crystal = supercell(cubic("perovskite", "Sr Ti O O O", 3.94), (2, 2, 2))
    before = describe(crystal)
    monkeypatch.setattr(environment, "MAX_COMPARED", 7)
    assert describe(crystal)["ln_environments"] == pytest.approx(before["ln_environments"])


@EXAMPLES
@given(st.sampled_from([*some_crystals(), graphite()]), SEEDS)
def test_noise_of_relaxation_changes_little(crystal: Crystal, seed: int) -> None:
    """Cells that were relaxed without their symmetry keep it to some 0.01 Å."""
    crystal = supercell(crystal, (2, 2, 1))
    noisy = shake(crystal, 0.002, seed)
    assume(not any(len(_within(crystal, cutoff, 0.01)) for cutoff in (CUTOFF, REACH)))
    a, b = describe(crystal), describe(noisy)
    counted = {"ln_environments", "ln_environments_per_site"}
    # the primitive cell of `descriptors` is found to 0.01 Å
    for name in NAMES:
        assert b[name] == pytest.approx(a[name], rel=0.02, abs=0.05 if name in counted else 0.03), name


def _within(crystal: Crystal, cutoff: float, margin: float) -> np.ndarray:
    distance = crystal.to_pymatgen().get_neighbor_list(cutoff + margin)[3]
    return distance[distance > cutoff - margin]


def test_shells_are_apart_where_distances_are() -> None:
    salt = cubic("rocksalt", "Mg O", 4.25)
    plain, long = (np.exp(describe(c)["ln_shells"]) for c in (salt, replace(salt, cell=salt.cell * [1.0, 1.0, 1.3])))
    assert long > plain + 1  # the bond along z, and next neighbours off the plane
    hardly = replace(salt, cell=salt.cell * [1.0, 1.0, 1 + SHELL / 100])
    assert np.exp(describe(hardly)["ln_shells"]) == pytest.approx(plain, abs=0.01)


@EXAMPLES
@given(st.sampled_from(some_crystals()), SEEDS)
def test_noise_hardly_changes_shells(crystal: Crystal, seed: int) -> None:
    plain, noisy = describe(crystal), describe(shake(crystal, 0.005, seed))
    for name in ("ln_shells", "ln_shells_per_neighbour"):
        assert noisy[name] == pytest.approx(plain[name], abs=0.03)


def test_a_lone_site_among_others_is_finite() -> None:
    positions = np.array([[0.0, 0.0, 0.0], [0.5, 0.5, 0.5], [0.6, 0.5, 0.5]])
    d = describe(Crystal(12 * np.eye(3), np.array([18, 8, 8]), positions))
    assert np.isfinite(list(d.values())).all()
    assert d["min_coordination"] == 0
    assert d["min_ln_strength"] == pytest.approx(np.log(1e-3))
    assert d["max_relative_bond"] == 3.0
    assert d["max_highest_share"] == pytest.approx(1.0)  # the other two see each other alone


def test_a_site_beyond_reach_of_everything_is_finite() -> None:
    """No graph is made of such a crystal; its surroundings alone are still numbers."""
    alone = isolated()
    elements = {"mass": np.full(95, 40.0), "covalent_radius": np.full(95, 1.0), "electronegativity": np.full(95, 2.0)}
    found = environment.environments([alone], np.zeros(1), elements)
    assert np.isfinite(found).all()
