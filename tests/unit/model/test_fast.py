"""`FastEncoder` and `FastKernel` against the plain ones."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from make_crystals import CUTOFF, some_crystals
from make_models import random_model
from test_kernel import made_up

from paraisite.crystals.crystal import Crystal
from paraisite.graphs import GraphBatch, build
from paraisite.model import fast
from paraisite.model.fast import FastEncoder
from paraisite.model.fast_kernel import FastKernel
from paraisite.model.kernel import KernelHead
from paraisite.model.megnet import MEGNet
from paraisite.model.tensors import GraphTensors

CRYSTALS = [c for c in some_crystals() if c.numbers.max() < 84]


@pytest.fixture(params=["vector functions", "torch only"], autouse=True)
def arithmetic(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both ways to compute the activation, whatever this machine would choose."""
    monkeypatch.setattr(fast, "_vectorised", lambda: request.param == "vector functions")


@pytest.fixture(scope="module")
def graphs() -> GraphBatch:
    return build(CRYSTALS)[0]


@pytest.fixture(scope="module")
def encoder() -> MEGNet:
    return random_model(3, seed=4).encoder


def plain(encoder: MEGNet, graphs: GraphBatch) -> torch.Tensor:
    with torch.inference_mode():
        return encoder(GraphTensors.from_batch(graphs))


def assert_close(found: torch.Tensor, expected: torch.Tensor, tolerance: float) -> None:
    assert found.shape == expected.shape
    assert float((found - expected).abs().max()) < tolerance * float(expected.abs().max())


@pytest.mark.parametrize("tolerance", [None, 1e-3])
def test_the_vectors_are_those_of_the_plain_encoder(encoder: MEGNet, tolerance: float | None) -> None:
    graphs = build(CRYSTALS, tolerance=tolerance)[0]
    assert_close(FastEncoder(encoder, CUTOFF)(graphs), plain(encoder, graphs), 1e-5)


def test_every_distance_is_interpolated_well(encoder: MEGNet) -> None:
    """Dimers from the closest that two sites may be to the cutoff."""
    lengths = np.linspace(0.5, CUTOFF, 400)
    cells = [Crystal(50 * np.eye(3), np.array([11, 17]), np.array([[0, 0, 0], [d / 50, 0, 0]])) for d in lengths]
    graphs = build(cells)[0]
    assert len(graphs) == 400
    assert_close(FastEncoder(encoder, CUTOFF)(graphs), plain(encoder, graphs), 1e-5)


def test_a_site_without_neighbours_receives_nothing(encoder: MEGNet) -> None:
    positions = np.array([[0, 0, 0], [0.1, 0, 0], [0.5, 0.5, 0.5]])
    graphs = build([Crystal(20 * np.eye(3), np.array([11, 17, 8]), positions)] * 2)[0]
    assert set(graphs.dst.tolist()).isdisjoint(np.flatnonzero(graphs.numbers == 8).tolist())
    assert_close(FastEncoder(encoder, CUTOFF)(graphs), plain(encoder, graphs), 1e-5)


def test_a_crystal_alone_and_in_a_batch(encoder: MEGNet, graphs: GraphBatch) -> None:
    quick = FastEncoder(encoder, CUTOFF)
    together = quick(graphs)
    for g in range(len(graphs)):
        assert_close(quick(graphs.take([g]))[:, 0], together[:, g], 1e-6)
    torch.testing.assert_close(quick(graphs), together, rtol=0, atol=0)


def test_an_unknown_element_is_refused(encoder: MEGNet) -> None:
    polonium = build([Crystal(3.3 * np.eye(3), np.array([84]), np.zeros((1, 3)))])[0]
    with pytest.raises(ValueError, match="element 84"):
        FastEncoder(encoder, CUTOFF)(polonium)


def test_what_the_tables_do_not_hold_is_computed_plainly(encoder: MEGNet, graphs: GraphBatch) -> None:
    longer = replace(graphs, distance=graphs.distance + 0.7)
    torch.testing.assert_close(FastEncoder(encoder, CUTOFF)(longer), plain(encoder, longer), rtol=0, atol=0)


def test_what_overflows_is_computed_plainly(graphs: GraphBatch) -> None:
    """Activations beyond 88, where exp(x) leaves the range of single precision and softplus does not."""
    large = random_model(1, seed=1).encoder
    with torch.no_grad():
        large.embedding[0, large.element_row[55]] *= 1e4
    expected = plain(large, graphs)
    assert bool(torch.isfinite(expected).all())
    asked: list[int] = []
    large.register_forward_pre_hook(lambda _, inputs: asked.append(inputs[0].n_crystals))
    assert_close(FastEncoder(large, CUTOFF)(graphs), expected, 1e-4)
    with_caesium = sum(55 in c.numbers for c in CRYSTALS)
    assert asked == [with_caesium]
    assert 0 < with_caesium < len(graphs)


def test_the_kernel_head_in_single_precision() -> None:
    data = made_up()
    head = KernelHead.fit(*data)
    network, vectors, descriptors = data[:3]
    expected = head.log_kappa(network, vectors, descriptors)
    np.testing.assert_allclose(FastKernel(head).log_kappa(network, vectors, descriptors), expected, rtol=0, atol=2e-5)
    far = head.log_kappa(network, vectors + 100, descriptors * 50)
    np.testing.assert_allclose(FastKernel(head).log_kappa(network, vectors + 100, descriptors * 50), far, atol=2e-5)
