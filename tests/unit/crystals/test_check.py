"""Physical validity; the overlap test against vesin's neighbour list."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from paraisite.crystals.check import MAX_SITES, MIN_DISTANCE, check
from paraisite.crystals.rejection import CrystalError

CUBE = 4.0 * np.eye(3)
ONE = np.array([29])


def test_good_crystal_passes() -> None:
    check(CUBE, np.array([11, 17]), np.array([[0.0, 0, 0], [0.5, 0.5, 0.5]]))


def test_left_handed_cell_passes() -> None:
    check(-CUBE, ONE, np.zeros((1, 3)))


@pytest.mark.parametrize(
    ("cell", "numbers", "positions", "says"),
    [
        (CUBE, [], np.zeros((0, 3)), "no sites"),
        (CUBE, [1] * (MAX_SITES + 1), np.zeros((MAX_SITES + 1, 3)), "5001 sites are more than"),
        (np.full((3, 3), np.nan), [1], np.zeros((1, 3)), "cell holds a number"),
        (CUBE, [1, 1], np.array([[0, 0, 0], [0.5, np.inf, 0]]), r"site 2 \(H\) has a coordinate"),
        (CUBE, [0], np.zeros((1, 3)), "site 1 is not a chemical element"),
        (CUBE, [119], np.zeros((1, 3)), "site 1 is not a chemical element"),
        (np.zeros((3, 3)), [1], np.zeros((1, 3)), "no volume"),
        (np.array([[4.0, 0, 0], [0, 4, 0], [4, 4, 0]]), [1], np.zeros((1, 3)), "no volume"),
        (1e200 * np.eye(3), [1], np.zeros((1, 3)), "lengths are taken in Å"),
        (np.diag([0.3, 9, 9]), [1], np.zeros((1, 3)), "lattice vector is only 0.30 Å"),
        (CUBE, [11, 17], np.array([[0, 0, 0.99], [0, 0, 0.01]]), r"site 1 \(Na\) and site 2 \(Cl\) overlap, 0.08 Å"),
    ],
)
def test_bad_crystal_is_named(cell: np.ndarray, numbers: list[int], positions: np.ndarray, says: str) -> None:
    with pytest.raises(CrystalError, match=says):
        check(cell, np.array(numbers, dtype=np.int64), positions)


def test_large_cell_is_searched_to_its_last_pair() -> None:
    grid = np.stack(np.meshgrid(*[np.arange(13) / 13] * 3), -1).reshape(-1, 3)
    cell = 26.0 * np.eye(3)
    numbers = np.full(len(grid) + 1, 29)
    check(cell, numbers[1:], grid)
    with pytest.raises(CrystalError, match=r"site 2197 \(Cu\) and site 2198 \(Cu\) overlap"):
        check(cell, numbers, np.vstack([grid, grid[-1] + 0.001]))


@settings(max_examples=150, deadline=None)
@given(
    cell=hnp.arrays(float, (3, 3), elements=st.floats(-4, 4, width=32)),
    positions=hnp.arrays(float, st.tuples(st.integers(1, 6), st.just(3)), elements=st.floats(-2, 2, width=32)),
)
def test_overlaps_are_those_of_a_neighbour_list(cell: np.ndarray, positions: np.ndarray) -> None:
    from vesin import NeighborList

    lengths = np.linalg.norm(cell, axis=1)
    # squat and flat cells included, as far as they are not refused for that alone
    assume(abs(np.linalg.det(cell)) > max(0.3, 0.01 * lengths.prod()))
    distances = NeighborList(cutoff=MIN_DISTANCE + 1e-3, full_list=True).compute(
        positions @ cell, cell, periodic=True, quantities="d"
    )[0]
    assume(not (np.abs(distances - MIN_DISTANCE) < 1e-3).any())
    try:
        check(cell, np.full(len(positions), 29), positions)
        overlaps = False
    except CrystalError as error:
        assume("flat" not in str(error))
        overlaps = True
    assert overlaps == bool((distances < MIN_DISTANCE).any())
