"""Predictions do not depend on how a crystal is written down, nor on what else is in the batch.

1e-5 for the plain graph, 1e-4 for the merged one, in units of the output (the spread over crystals is of order 1).
"""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from make_crystals import (
    crystals,
    cubic,
    distances_near,
    isolated,
    known_crystals,
    permute,
    random_rotation,
    random_unimodular,
    recell,
    rotate,
    shake,
    supercell,
    translate,
)
from make_models import merged_outputs, outputs, random_model

from paraisite.crystals.crystal import Crystal
from paraisite.graphs import build
from paraisite.model.tensors import GraphTensors

EXAMPLES = settings(max_examples=25, deadline=None)
PLAIN, MERGED = 1e-5, 1e-4
MODEL = random_model(2, targets=("kappa", "bulk_modulus_vrh"))
DOUBLE = random_model(2, seed=1).double()

BONDED = crystals().filter(lambda c: len(build([c])[1]) == 1)
REPEATS = st.tuples(*[st.integers(1, 2)] * 3)
SEEDS = st.integers(0, 2**16)


def assert_unchanged(crystal: Crystal, other: Crystal) -> None:
    np.testing.assert_allclose(outputs(MODEL, [other]), outputs(MODEL, [crystal]), rtol=0, atol=PLAIN)
    np.testing.assert_allclose(
        merged_outputs(MODEL, [other]), merged_outputs(MODEL, [crystal]), rtol=MERGED, atol=MERGED
    )
    # without the noise of single precision nothing at all may remain
    np.testing.assert_allclose(outputs(DOUBLE, [other]), outputs(DOUBLE, [crystal]), rtol=0, atol=1e-7)


def test_the_random_model_tells_crystals_apart() -> None:
    """Else every test below would pass for a constant."""
    many = known_crystals()
    spread = outputs(MODEL, many).std(axis=1)
    assert (spread > 0.3).all()
    strained = [Crystal(c.cell * 1.01, c.numbers, c.positions) for c in many]
    change = np.abs(outputs(MODEL, strained) - outputs(MODEL, many)).max(axis=(0, 2))
    assert (change > 10 * MERGED).all()


@EXAMPLES
@given(BONDED, st.tuples(*[st.floats(-2, 2)] * 3))
def test_translation(crystal: Crystal, vector: tuple[float, float, float]) -> None:
    assert_unchanged(crystal, translate(crystal, np.array(vector)))


@EXAMPLES
@given(BONDED, SEEDS)
def test_rotation_and_reflection(crystal: Crystal, seed: int) -> None:
    assert_unchanged(crystal, rotate(crystal, random_rotation(np.random.default_rng(seed))))


@EXAMPLES
@given(BONDED, SEEDS)
def test_site_order(crystal: Crystal, seed: int) -> None:
    assert_unchanged(crystal, permute(crystal, np.random.default_rng(seed).permutation(crystal.n_sites)))


@EXAMPLES
@given(BONDED, REPEATS)
def test_supercell(crystal: Crystal, repeats: tuple[int, int, int]) -> None:
    assert_unchanged(crystal, supercell(crystal, repeats))


@EXAMPLES
@given(BONDED, SEEDS)
def test_choice_of_lattice_vectors(crystal: Crystal, seed: int) -> None:
    assert_unchanged(crystal, recell(crystal, random_unimodular(np.random.default_rng(seed), steps=2)))


@EXAMPLES
@given(st.lists(BONDED, min_size=2, max_size=5))
def test_batched_is_single(many: list[Crystal]) -> None:
    for run, tolerance in ((outputs, PLAIN), (merged_outputs, PLAIN)):
        single = np.concatenate([run(MODEL, [c]) for c in many], axis=1)
        np.testing.assert_allclose(run(MODEL, many), single, rtol=0, atol=tolerance)


@EXAMPLES
@given(st.sampled_from(known_crystals()), REPEATS, SEEDS)
def test_merged_is_plain_where_distances_are_equal(crystal: Crystal, repeats: tuple[int, int, int], seed: int) -> None:
    big = supercell(crystal, repeats)
    big = translate(permute(big, np.random.default_rng(seed).permutation(big.n_sites)), np.array([0.1, 0.2, 0.3]))
    np.testing.assert_allclose(merged_outputs(MODEL, [big]), outputs(MODEL, [crystal]), rtol=0, atol=PLAIN)
    np.testing.assert_allclose(merged_outputs(DOUBLE, [big]), outputs(DOUBLE, [big]), rtol=0, atol=1e-7)


@EXAMPLES
@given(st.sampled_from(known_crystals()), REPEATS, SEEDS)
def test_merged_is_plain_but_for_the_rounding_of_distances(
    crystal: Crystal, repeats: tuple[int, int, int], seed: int
) -> None:
    shaken = shake(supercell(crystal, repeats), 2e-4, seed)
    if not len(distances_near(shaken, 4.0)):
        np.testing.assert_allclose(merged_outputs(MODEL, [shaken]), outputs(MODEL, [shaken]), rtol=MERGED, atol=MERGED)


@EXAMPLES
@given(BONDED)
def test_merged_is_plain_for_random_crystals(crystal: Crystal) -> None:
    np.testing.assert_allclose(merged_outputs(MODEL, [crystal]), outputs(MODEL, [crystal]), rtol=MERGED, atol=MERGED)


@pytest.mark.parametrize("foreign", [0, 3])
def test_merged_is_plain_around_a_defect(foreign: int) -> None:
    # sites differ by their distance from the foreign atom, which takes every round of refinement to see
    numbers = np.full(27, 14)
    numbers[foreign] = 32
    host = supercell(cubic("sc", "Si", 2.7), (3, 3, 3))
    crystal = Crystal(host.cell, numbers, host.positions)
    assert build([crystal])[0].n_nodes < 27
    np.testing.assert_allclose(merged_outputs(DOUBLE, [crystal]), outputs(DOUBLE, [crystal]), rtol=0, atol=1e-9)


def test_merged_is_plain_with_gradients() -> None:
    many = [supercell(c, (2, 1, 1)) for c in known_crystals()]
    model = random_model(2).double()
    gradients = []
    for tolerance in (None, 1e-3):
        model.zero_grad()
        graphs = GraphTensors.from_batch(build(many, tolerance=tolerance)[0], dtype=torch.float64)
        model(graphs).square().sum().backward()
        gradients.append([p.grad.clone() for p in model.parameters()])
    for plain, merged in zip(*gradients, strict=True):
        assert (merged - plain).abs().max() <= 1e-7 * max(1.0, plain.abs().max().item())


def test_a_cell_of_one_atom() -> None:
    one, many = (
        outputs(MODEL, [c]) for c in (cubic("fcc", "Cu", 3.62), supercell(cubic("fcc", "Cu", 3.62), (3, 2, 2)))
    )
    assert np.isfinite(one).all()
    np.testing.assert_allclose(many, one, rtol=0, atol=PLAIN)


def test_a_site_without_neighbours_in_a_crystal_with_some_is_no_nan() -> None:
    cell = 12.0 * np.eye(3)
    crystal = Crystal(cell, np.array([18, 8, 8]), np.array([[0.0] * 3, [0.5, 0.5, 0.5], [0.6, 0.5, 0.5]]))
    plain, merged = outputs(MODEL, [crystal]), merged_outputs(MODEL, [crystal])
    assert np.isfinite(plain).all()
    np.testing.assert_allclose(merged, plain, rtol=0, atol=PLAIN)


def test_a_rejected_crystal_leaves_the_others_as_they_are() -> None:
    good = known_crystals()[:3]
    graphs = build([good[0], isolated(), good[1], good[2]])[0]
    with torch.inference_mode():
        np.testing.assert_array_equal(MODEL(GraphTensors.from_batch(graphs)).numpy(), merged_outputs(MODEL, good))
