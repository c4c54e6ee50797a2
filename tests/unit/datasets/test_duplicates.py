from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from paraisite.crystals.crystal import Crystal
from paraisite.datasets.duplicates import Matching, components, same_crystals

FCC = np.array([[0.0, 0.5, 0.5], [0.5, 0.0, 0.5], [0.5, 0.5, 0.0]])


def make(cell: object, numbers: list[int], positions: object, id_: str = "") -> Crystal:
    return Crystal(np.array(cell, dtype=float), np.array(numbers), np.array(positions, dtype=float), id=id_)


def rocksalt(a: float, numbers: tuple[int, int] = (11, 17)) -> Crystal:
    return make(a * FCC, list(numbers), [[0, 0, 0], [0.5, 0.5, 0.5]])


def conventional(a: float) -> Crystal:
    """The same with eight sites, shifted, turned, and the sites in another order."""
    corners = np.array([[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])
    sites = np.vstack([corners + np.array([0.5, 0, 0]), corners]) + np.array([0.13, 0.21, 0.34])
    turn = np.array([[0.6, 0.8, 0], [-0.8, 0.6, 0], [0, 0, 1]])
    return make(a * turn, [17] * 4 + [11] * 4, sites)


def caesium_chloride(a: float) -> Crystal:
    return make(a * np.eye(3), [11, 17], [[0, 0, 0], [0.5, 0.5, 0.5]])


def wurtzite(u: float) -> Crystal:
    a, c = 3.11, 4.98
    cell = [[a, 0, 0], [-a / 2, a * 3**0.5 / 2, 0], [0, 0, c]]
    third = [[1 / 3, 2 / 3], [2 / 3, 1 / 3]]
    sites = [[*third[0], 0], [*third[1], 0.5], [*third[0], u], [*third[1], u + 0.5]]
    return make(cell, [13, 13, 7, 7], sites)


def test_the_same_crystal_in_other_clothes() -> None:
    crystals = [rocksalt(5.64), caesium_chloride(3.5), conventional(5.60), rocksalt(5.7)]
    assert same_crystals(crystals) == [(0, 2, 3)]


def test_other_volume_is_another_crystal() -> None:
    assert same_crystals([rocksalt(5.64), rocksalt(5.64 * 1.05)]) == []
    assert same_crystals([rocksalt(5.64), rocksalt(5.64 * 1.05)], Matching(volume_tolerance=0.2)) == [(0, 1)]


def test_other_species_are_another_crystal() -> None:
    assert same_crystals([rocksalt(5.64), rocksalt(5.64, (11, 35)), rocksalt(5.64, (17, 11))]) == [(0, 2)]


def test_wurtzite_is_not_its_flat_variant() -> None:
    polar, flat = wurtzite(0.382), wurtzite(0.5)
    assert same_crystals([polar, flat, polar]) == [(0, 2)]
    loose = Matching(length_tolerance=0.2, site_tolerance=0.3, angle_tolerance=5)  # pymatgen's own
    assert same_crystals([polar, flat, polar], loose) == [(0, 1, 2)]


def test_parts_are_not_searched() -> None:
    crystals = [rocksalt(5.64), rocksalt(5.65), rocksalt(5.66)]
    assert same_crystals(crystals, parts=[0, 0, 0]) == []
    assert same_crystals([*crystals, wurtzite(0.38)], parts=[0, 0, 1, 1]) == [(0, 1, 2)]


def many() -> list[Crystal]:
    """Thirty formulas, each with two that are the same and one that is not."""
    metals = [3, 11, 19, 37, 55, 12, 20, 38, 56, 30, 48, 24, 25, 26, 27]
    crystals = []
    for metal in metals:
        for anion in (9, 17):
            crystals += [
                rocksalt(5.0, (metal, anion)),
                make(3.1 * np.eye(3), [metal, anion], [[0, 0, 0], [0.5, 0.5, 0.5]]),
                rocksalt(5.02, (metal, anion)),
            ]
    return crystals


def test_order_and_processes_do_not_matter() -> None:
    crystals = many()
    expected = [(3 * k, 3 * k + 2) for k in range(30)]
    calls: list[tuple[int, int]] = []
    assert same_crystals(crystals, progress=lambda done, total: calls.append((done, total))) == expected
    assert calls[-1][0] == calls[-1][1] > 0
    assert [done for done, _ in calls] == sorted(done for done, _ in calls)
    assert same_crystals(crystals, workers=2) == expected

    order = np.random.default_rng(3).permutation(len(crystals))
    found = same_crystals([crystals[i] for i in order])
    assert sorted(tuple(sorted(int(order[i]) for i in group)) for group in found) == expected


def test_tolerances_are_checked() -> None:
    with pytest.raises(ValueError, match="site_tolerance"):
        Matching(site_tolerance=-0.1)


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), max_size=40))
def test_components_hold_each_link_once(links: list[tuple[int, int]]) -> None:
    groups = components(links)
    members = [i for group in groups for i in group]
    assert len(members) == len(set(members))
    assert set(members) == {i for link in links for i in link}
    home = {i: k for k, group in enumerate(groups) for i in group}
    assert all(home[i] == home[j] for i, j in links)
    # as few links as members less one in each group: a chain, nothing that no link made
    assert len(members) - len(groups) <= len({tuple(sorted(link)) for link in links if link[0] != link[1]})
    assert groups == sorted(tuple(sorted(group)) for group in groups)
