"""The neighbour list against pymatgen's."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from make_crystals import (
    CUTOFF,
    crystals,
    cubic,
    isolated,
    random_unimodular,
    recell,
    some_crystals,
    supercell,
    translate,
)

from paraisite.crystals.crystal import Crystal
from paraisite.graphs.neighbours import Neighbours, closer, find_neighbours

EXAMPLES = settings(max_examples=40, deadline=None)


def assert_same_edges(crystal: Crystal, cutoff: float) -> None:
    """Same (dst, src, shift), each as often as in pymatgen's list, with the same lengths."""
    found = find_neighbours(crystal, cutoff)
    centre, other, image, length = crystal.to_pymatgen().get_neighbor_list(cutoff)
    ours = np.column_stack([found.dst, found.src, found.shift])
    theirs = np.column_stack([centre, other, image]).astype(int)
    a, b = np.lexsort(ours.T), np.lexsort(theirs.T)
    np.testing.assert_array_equal(ours[a], theirs[b])
    np.testing.assert_allclose(found.distance[a], length[b], rtol=0, atol=1e-8)


@EXAMPLES
@given(crystals())
def test_random_crystals_have_the_edges_of_pymatgen(crystal: Crystal) -> None:
    assert_same_edges(crystal, CUTOFF)


@EXAMPLES
@given(crystals(), st.floats(1.0, 6.5))
def test_any_cutoff(crystal: Crystal, cutoff: float) -> None:
    length = crystal.to_pymatgen().get_neighbor_list(cutoff + 1e-6)[3]
    if not (length > cutoff - 1e-6).any():
        assert_same_edges(crystal, cutoff)


@pytest.mark.parametrize("crystal", some_crystals(), ids=lambda c: c.id)
def test_prototypes_have_the_edges_of_pymatgen(crystal: Crystal) -> None:
    assert_same_edges(crystal, CUTOFF)


@pytest.mark.parametrize("seed", range(6))
def test_a_very_skewed_cell_of_one_atom(seed: int) -> None:
    crystal = cubic("fcc", "Cu", 3.62)
    skewed = recell(crystal, random_unimodular(np.random.default_rng(seed), steps=6, size=6))
    assert_same_edges(skewed, CUTOFF)
    found = find_neighbours(skewed, CUTOFF)
    # fcc: 12 neighbours at a / sqrt(2) and 6 at a
    np.testing.assert_allclose(np.sort(found.distance), [3.62 / np.sqrt(2)] * 12 + [3.62] * 6, atol=1e-9)


@pytest.mark.parametrize("a", [3.0, 3.9, 4.0])
def test_a_site_neighbours_its_own_images(a: float) -> None:
    found = find_neighbours(cubic("sc", "Po", a), CUTOFF)
    assert len(found.src) == 6
    assert set(map(tuple, np.abs(found.shift).tolist())) == {(1, 0, 0), (0, 1, 0), (0, 0, 1)}


def test_the_cutoff_includes_rounding_but_no_more() -> None:
    assert len(find_neighbours(cubic("sc", "Po", 4.0 + 9e-9), CUTOFF).src) == 6
    assert len(find_neighbours(cubic("sc", "Po", 4.0 + 1e-6), CUTOFF).src) == 0


def test_a_neighbour_at_the_cutoff_survives_rounding_of_any_cell() -> None:
    rng = np.random.default_rng(0)
    for _ in range(20):
        crystal = translate(recell(cubic("sc", "Po", 4.0), random_unimodular(rng)), rng.normal(size=3))
        assert len(find_neighbours(crystal, CUTOFF).src) == 6


def test_no_neighbours() -> None:
    found = find_neighbours(isolated(), CUTOFF)
    assert [len(x) for x in (found.src, found.dst, found.shift, found.distance)] == [0, 0, 0, 0]


@EXAMPLES
@given(crystals())
def test_sorted_by_centre_and_each_pair_both_ways(crystal: Crystal) -> None:
    found: Neighbours = find_neighbours(crystal, CUTOFF)
    assert (np.diff(found.dst) >= 0).all()
    there = np.column_stack([found.src, found.dst, found.shift])
    back = np.column_stack([found.dst, found.src, -found.shift])
    np.testing.assert_array_equal(there[np.lexsort(there.T)], back[np.lexsort(back.T)])


@EXAMPLES
@given(crystals())
def test_shift_leads_from_destination_to_source(crystal: Crystal) -> None:
    found = find_neighbours(crystal, CUTOFF)
    vector = (crystal.positions[found.src] + found.shift - crystal.positions[found.dst]) @ crystal.cell
    np.testing.assert_allclose(np.linalg.norm(vector, axis=1), found.distance, atol=1e-8)


def test_a_supercell_has_as_many_neighbours_for_each_site() -> None:
    crystal = cubic("half_heusler", "Ti Ni Sn", 5.94)
    once = np.bincount(find_neighbours(crystal, CUTOFF).dst)
    twice = np.bincount(find_neighbours(supercell(crystal, (2, 1, 3)), CUTOFF).dst)
    np.testing.assert_array_equal(twice, np.tile(once, 6))


@EXAMPLES
@given(crystals(), st.floats(1.0, 4.4))
def test_the_closer_ones_of_a_farther_search_are_those_of_their_own_search(crystal: Crystal, cutoff: float) -> None:
    around = find_neighbours(crystal, 4.5)
    if (np.abs(around.distance - cutoff) > 1e-6).all():
        assert rows(closer(around, cutoff)) == rows(find_neighbours(crystal, cutoff))


def rows(found: Neighbours) -> list[tuple[int, ...]]:
    return sorted(map(tuple, np.column_stack([found.dst, found.src, found.shift]).tolist()))
