"""Neighbours among known compounds, and the applicability they give."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest

from paraisite.model.descriptors import NAMES
from paraisite.model.neighbourhood import (
    CANDIDATES,
    FARTHEST,
    NEAREST,
    OUTSIDE,
    SCALE_FEATURES,
    SMALL_DISTANCE,
    SMALL_SPREAD,
    Neighbourhood,
    scale_features,
)

WIDTH = 20


def cloud(n: int, seed: int, shift: float = 0.0) -> np.ndarray:
    """Descriptors of one source, in units and ranges of their own."""
    rng = np.random.default_rng(seed)
    return (rng.normal(size=(n, WIDTH)) + shift) * np.geomspace(1e-3, 1e3, WIDTH) + np.arange(WIDTH)


def folds(n: int, count: int, seed: int = 0) -> np.ndarray:
    """Which compounds each fold trained on: each is held out once."""
    held = np.random.default_rng(seed).permutation(n) % count
    return held[None] != np.arange(count)[:, None]


def fitted(n: int = 500, count: int = 5) -> tuple[Neighbourhood, np.ndarray]:
    known = cloud(n, 0)
    return Neighbourhood.fit(known, np.random.default_rng(1).normal(1.0, 0.5, n), folds(n, count)), known


def plain(made: Neighbourhood, descriptors: np.ndarray, fold: int) -> tuple[np.ndarray, np.ndarray]:
    """Distance and log10 kappa of the nearest compounds of a fold, in the plainest way."""
    at = np.clip((descriptors - made.shift) / made.scale, -FARTHEST, FARTHEST)
    own = np.flatnonzero(made.trained[fold])
    apart = np.linalg.norm(at[:, None] - made.points[own][None], axis=2)
    order = np.argsort(apart, axis=1)[:, :NEAREST]
    near = np.take_along_axis(apart, order, axis=1)
    return np.sqrt((near**2).mean(axis=1)), made.log_kappa[own][order]


@pytest.mark.parametrize(("n", "count"), [(500, 5), (60, 2), (CANDIDATES, 3), (CANDIDATES + 1, 4), (30, 5)])
def test_neighbours_are_the_nearest_that_the_fold_trained_on(n: int, count: int) -> None:
    made, _ = fitted(n, count)
    new = cloud(40, 3)
    near = made.find(new)
    assert near.distance.shape == (count, 40)
    assert near.log_kappa.shape == (count, 40, NEAREST)
    for fold in range(count):
        distance, log_kappa = plain(made, new, fold)
        np.testing.assert_allclose(near.distance[fold], distance, rtol=1e-4)
        np.testing.assert_allclose(near.log_kappa[fold], log_kappa)


def test_points_are_standardised_and_clipped() -> None:
    made, known = fitted()
    np.testing.assert_allclose(made.points.mean(axis=0), 0, atol=0.01)
    np.testing.assert_allclose(made.points.std(axis=0), 1, atol=0.02)
    assert np.abs(made.points).max() <= FARTHEST
    np.testing.assert_array_equal(made.points, made.points.astype(np.float16))
    far, farther = made.find(known[:1] + 1e7), made.find(known[:1] + 1e8)
    np.testing.assert_array_equal(far.distance, farther.distance)


def test_a_descriptor_that_never_varies_is_left_out() -> None:
    known = cloud(100, 0)
    known[:, 3] = 7.0
    made = Neighbourhood.fit(known, np.zeros(100), folds(100, 5))
    assert np.isinf(made.scale[3])
    new = cloud(10, 1)
    before = made.find(new)
    new[:, 3] = 1e6
    np.testing.assert_array_equal(made.find(new).distance, before.distance)


def test_more_descriptors_than_were_fitted_are_not_looked_at() -> None:
    made, _ = fitted()
    new = cloud(10, 1)
    longer = np.column_stack([new, np.full((10, 3), 1e9)])
    np.testing.assert_array_equal(made.find(longer).distance, made.find(new).distance)


def test_a_compound_finds_itself_but_not_in_the_fold_that_held_it_out() -> None:
    made, known = fitted()
    near = made.find(known)
    np.testing.assert_array_equal(near.nearest, np.arange(len(known)))
    assert near.nearest_distance.max() < 0.02  # half precision
    for fold, own in enumerate(made.trained):
        first = near.log_kappa[fold, :, 0]
        np.testing.assert_array_equal(first[own], made.log_kappa[own])
        assert not (first[~own] == made.log_kappa[~own]).any()
        assert near.distance[fold][~own].min() > 1.0


def test_known_several_times_a_compound_has_no_distance() -> None:
    known = np.repeat(cloud(60, 0), NEAREST, axis=0)
    made = Neighbourhood.fit(known, np.zeros(len(known)), np.repeat(folds(60, 3), NEAREST, axis=1))
    near = made.find(known)
    assert near.distance[made.trained].max() < 0.02
    assert near.distance[~made.trained].min() > 1.0
    assert made.applicability(near, np.argmax(made.trained, axis=0)).min() == 1.0  # nearer than every held-out one


def test_held_out_distances_are_those_of_the_fold() -> None:
    made, known = fitted()
    near = made.find(known)
    assert len(made.held_out_distance) == len(known)
    np.testing.assert_allclose(made.held_out_distance, np.sort(near.distance[~made.trained]), rtol=1e-6)


def test_new_crystals_of_the_same_source_are_uniform() -> None:
    """The applicability is the p-value of the distance: uniform for crystals like the held-out ones."""
    made, _ = fitted(2000)
    new = cloud(2000, 5)
    score = made.applicability(made.find(new))
    assert ((score >= 0) & (score <= 1)).all()
    for share in (OUTSIDE, 0.25, 0.5, 0.75):
        assert np.mean(score < share) == pytest.approx(share, abs=0.06)


def test_far_crystals_are_outside_and_near_ones_inside() -> None:
    made, known = fitted()
    assert (made.applicability(made.find(cloud(50, 7, shift=30.0))) < OUTSIDE).all()
    middle = made.find(known.mean(axis=0)[None])
    assert made.applicability(middle)[0] == 1.0
    ray = known.mean(axis=0) + np.linspace(0, 5, 30)[:, None] * known.std(axis=0)
    score = made.applicability(made.find(ray))
    assert all(later <= earlier for earlier, later in itertools.pairwise(score))
    assert (score[0], score[-1]) == (1.0, 0.0)


def test_the_applicability_of_one_fold() -> None:
    made, _ = fitted()
    near = made.find(cloud(40, 5))
    each = np.stack([made.applicability(near, np.full(40, f)) for f in range(5)])
    np.testing.assert_allclose(made.applicability(near), each.mean(axis=0))
    fold = np.arange(40) % 5
    np.testing.assert_array_equal(made.applicability(near, fold), each[fold, np.arange(40)])


def test_without_held_out_compounds_nothing_can_be_said() -> None:
    known = cloud(60, 0)
    made = Neighbourhood.fit(known, np.zeros(60), np.ones((2, 60), bool))
    assert np.isnan(made.applicability(made.find(known))).all()


def test_a_fold_that_holds_out_all_candidates_has_neighbours_still() -> None:
    """A tight cluster of more compounds than are looked at, all of one fold."""
    rng = np.random.default_rng(0)
    cluster = np.ones((2 * CANDIDATES, WIDTH)) + 1e-3 * rng.normal(size=(2 * CANDIDATES, WIDTH))
    known = np.concatenate([cluster, rng.normal(size=(100, WIDTH))])
    trained = np.ones((2, len(known)), bool)
    trained[0, : 2 * CANDIDATES] = False
    trained[1, 2 * CANDIDATES :: 2] = False
    made = Neighbourhood.fit(known, rng.normal(size=len(known)), trained)
    new = np.concatenate([cluster[:3], known[-3:]])
    near = made.find(new)
    for fold in (0, 1):
        distance, log_kappa = plain(made, new, fold)
        np.testing.assert_allclose(near.distance[fold], distance, rtol=1e-2, atol=0.02)
        assert np.isfinite(near.log_kappa[fold]).all()
        if fold == 0:
            np.testing.assert_allclose(near.log_kappa[fold], log_kappa)
    assert (near.distance[0, :3] > 1.0).all()
    assert (near.distance[1, :3] < 0.05).all()


@pytest.mark.parametrize("n", [2, 3, NEAREST, NEAREST + 1, 12])
def test_fewer_compounds_than_neighbours(n: int) -> None:
    known = cloud(n, 0)
    made = Neighbourhood.fit(known, np.arange(n, dtype=float), folds(n, 2))
    near = made.find(cloud(7, 1))
    assert np.isfinite(near.distance).all()
    for fold, own in enumerate(made.trained):
        count = min(NEAREST, int(own.sum()))
        assert np.isfinite(near.log_kappa[fold]).sum(axis=1).tolist() == [count] * 7
        distance, _ = plain(made, cloud(7, 1), fold)
        np.testing.assert_allclose(near.distance[fold], distance, rtol=1e-4)
    score = made.applicability(near)
    assert ((score >= 0) & (score <= 1)).all()
    descriptors = np.zeros((7, len(NAMES)))
    assert np.isfinite(scale_features(np.zeros((4, 7)), ((0, 1), (2, 3)), near, descriptors)).all()


def test_a_fold_that_trained_on_nothing_has_finite_distances() -> None:
    trained = np.array([[False] * 10, [True] * 10])
    made = Neighbourhood.fit(cloud(10, 0), np.zeros(10), trained)
    near = made.find(cloud(4, 1))
    assert np.isfinite(near.distance).all()
    assert np.isnan(near.log_kappa[0]).all()


def test_a_crystal_is_judged_by_itself_and_in_any_number() -> None:
    made, _ = fitted()
    many = cloud(1100, 8)  # three parts
    together = made.find(many)
    alone = made.find(many[700:701])
    np.testing.assert_allclose(alone.distance[:, 0], together.distance[:, 700], rtol=1e-4)
    np.testing.assert_array_equal(alone.log_kappa[:, 0], together.log_kappa[:, 700])
    assert together.nearest[700] == alone.nearest[0]
    nothing = made.find(many[:0])
    assert (nothing.distance.shape, nothing.nearest.shape) == ((5, 0), (0,))


def test_features_of_the_scale_by_hand() -> None:
    made, known = fitted(60, 2)
    rng = np.random.default_rng(0)
    error = rng.uniform(0.05, 0.4, 60).astype(np.float32)
    error[::7] = np.nan  # held out by no fold
    made = replace(made, error=error)
    near = made.find(known[:3])
    log_members, described = rng.normal(size=(4, 3)), rng.normal(size=(3, len(NAMES)))
    found = scale_features(log_members, ((0, 1), (2, 3)), near, described)
    assert found.shape == (2, 3, len(SCALE_FEATURES) + len(NAMES))
    own = log_members[2:, 1]
    neighbours = near.log_kappa[1, 1]
    expected = [
        np.log(np.abs(own[0] - own[1]) / 2 + SMALL_SPREAD),
        np.log(near.distance[1, 1] + SMALL_DISTANCE),
        np.log(np.abs(neighbours - own.mean()).mean() + SMALL_SPREAD),
        np.log(np.nanmean(near.error[1, 1]) + SMALL_SPREAD),
        own.mean(),
        own.mean() ** 2,
        *described[1],
    ]
    np.testing.assert_allclose(found[1, 1], expected)


def test_features_count_the_neighbours_that_there_are() -> None:
    made = Neighbourhood.fit(cloud(3, 0), np.array([1.0, 2.0, 3.0]), np.ones((1, 3), bool))
    near = made.find(cloud(2, 1))
    found = scale_features(np.zeros((1, 2)), ((0,),), near, np.zeros((2, len(NAMES))))
    np.testing.assert_allclose(found[0, :, 2], np.log(2.0 + SMALL_SPREAD))
