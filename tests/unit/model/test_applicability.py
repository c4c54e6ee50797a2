"""Maps of the crystal vectors and the applicability they give."""

from __future__ import annotations

import numpy as np
import pytest

from paraisite.model.applicability import AXES, OUTSIDE, Applicability, Map

WIDTH = 40


def cloud(n: int, seed: int, shift: float = 0.0) -> np.ndarray:
    """Vectors of one source: fifteen directions of falling variance, in a rotated space."""
    rng = np.random.default_rng(seed)
    rotation = np.linalg.qr(np.random.default_rng(99).normal(size=(WIDTH, WIDTH)))[0]
    scales = np.concatenate([np.geomspace(3, 0.3, 15), np.full(WIDTH - 15, 1e-3)])
    return (rng.normal(size=(n, WIDTH)) * scales + shift) @ rotation


def fitted(n: int = 500, held_out: int = 100, member: int = 0) -> tuple[Map, np.ndarray]:
    vectors = cloud(n, 0)
    trained = np.arange(n) >= held_out
    return Map.fit(member, vectors, trained, np.arange(0, n, 5)), vectors


def test_axes_have_unit_variance_on_the_training_compounds() -> None:
    space, vectors = fitted()
    mapped = space.project(vectors)[space.trained]
    assert mapped.shape == (400, AXES)
    np.testing.assert_allclose(mapped.mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(np.cov(mapped.T, bias=True), np.eye(AXES), atol=1e-4)


def test_points_are_the_projected_vectors() -> None:
    space, vectors = fitted()
    np.testing.assert_allclose(space.points, space.project(vectors), atol=5e-3)


def test_held_out_distances_are_to_the_nearest_trained_compound() -> None:
    space, _ = fitted()
    seen = space.points[space.trained]
    expected = [np.linalg.norm(seen - p, axis=1).min() for p in space.points[~space.trained]]
    np.testing.assert_allclose(space.held_out_distance, np.sort(expected), rtol=1e-5)


def test_held_out_compounds_do_not_shape_the_map() -> None:
    vectors = cloud(300, 0)
    trained = np.arange(300) >= 50
    other = vectors.copy()
    other[~trained] *= 7
    a, b = (Map.fit(0, v, trained, np.arange(5)) for v in (vectors, other))
    np.testing.assert_array_equal(a.centre, b.centre)
    np.testing.assert_array_equal(a.axes, b.axes)
    assert b.held_out_distance.mean() > a.held_out_distance.mean()


def test_new_crystals_of_the_same_source_are_uniform() -> None:
    """The applicability is the p-value of the distance: uniform for crystals like the held-out ones."""
    space, _ = fitted(1500, 700)
    score = Applicability([space]).score(cloud(2000, 5)[None])
    assert ((score >= 0) & (score <= 1)).all()
    for share in (OUTSIDE, 0.25, 0.5, 0.75):
        assert np.mean(score < share) == pytest.approx(share, abs=0.06)


def test_far_crystals_are_outside_and_known_ones_inside() -> None:
    space, vectors = fitted()
    applicability = Applicability([space])
    assert (applicability.score(cloud(50, 7, shift=30.0)[None]) < OUTSIDE).all()
    assert applicability.score(vectors[space.trained][None]).mean() > 0.99


def test_score_falls_with_distance() -> None:
    space, vectors = fitted()
    direction = vectors[200] / np.linalg.norm(vectors[200])
    ray = (vectors[200] + np.linspace(0, 60, 30)[:, None] * direction)[None]
    score = Applicability([space]).score(ray)
    assert score[0] == pytest.approx(1.0)
    assert score[-1] == 0.0


def test_score_is_the_mean_over_maps_each_with_its_own_network() -> None:
    first, _ = fitted(member=0)
    second, _ = fitted(300, 80, member=2)
    new = np.stack([cloud(20, 5), np.full((20, WIDTH), np.nan), cloud(20, 6)])  # the network in between is no map's
    score = Applicability([first, second]).score(new)
    own = Applicability([first]).score(new[:1])
    other = Applicability([Map.fit(0, cloud(300, 0), np.arange(300) >= 80, np.arange(5))]).score(new[2:])
    np.testing.assert_allclose(score, (own + other) / 2)


def test_without_held_out_compounds_nothing_can_be_said() -> None:
    vectors = cloud(60, 0)
    space = Map.fit(0, vectors, np.ones(60, bool), np.arange(10))
    assert np.isnan(Applicability([space]).score(vectors[None])).all()


def test_nearest_trained_known() -> None:
    space, _ = fitted()
    new = cloud(30, 3)
    usable = space.known[space.trained[space.known]]
    expected = np.linalg.norm(space.project(new)[:, None] - space.points[usable][None], axis=2).min(axis=1)
    found = Applicability([space]).nearest_trained_known(new[None])
    assert found.shape == (1, 30)
    np.testing.assert_allclose(found[0], expected, rtol=1e-5)


def test_known_distances_find_the_compound_itself() -> None:
    spaces = [fitted(member=0)[0], fitted(member=1)[0]]
    vectors = fitted()[1]
    both = np.stack([vectors, vectors])
    distance = Applicability(spaces).known_distances(both)
    assert distance.shape == (500, 100)
    np.testing.assert_array_equal(distance[spaces[0].known].argmin(axis=1), np.arange(100))
    assert distance[spaces[0].known].min(axis=1).max() < 0.02  # half precision


@pytest.mark.parametrize("n", [6, 10, 13])
def test_fewer_training_compounds_than_axes(n: int) -> None:
    """A user's small data set: directions without variance must not blow distances up."""
    vectors = cloud(n + 4, 0)
    space = Map.fit(0, vectors, np.arange(n + 4) >= 4, np.arange(n + 4))
    applicability = Applicability([space])
    assert np.isfinite(space.points).all()
    assert np.isfinite(space.held_out_distance).all()
    score = applicability.score(vectors[None])
    assert ((score >= 0) & (score <= 1)).all()
    assert np.isfinite(applicability.known_distances(vectors[None])).all()
    assert space.held_out_distance.max() < 1e3
