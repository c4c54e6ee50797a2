"""Layers with a member axis against torch's own, one member at a time."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from torch import nn

from paraisite.model.layers import MemberLinear, MemberMLP, segment_sum, softplus2
from paraisite.model.set2set import Set2Set

EXAMPLES = settings(max_examples=25, deadline=None)


@EXAMPLES
@given(arrays(np.float64, 8, elements=st.floats(-30, 30)))
def test_softplus2_is_its_formula(values: np.ndarray) -> None:
    out = softplus2(torch.tensor(values)).numpy()
    # softplus goes over to the identity at 20, where they differ by 2e-9
    np.testing.assert_allclose(out, np.log1p(np.exp(values)) - math.log(2), atol=3e-9)


def test_softplus2_at_zero_and_far_away() -> None:
    x = torch.tensor([0.0, 1e4, -1e4])
    np.testing.assert_allclose(softplus2(x), [0.0, 1e4 - math.log(2), -math.log(2)], atol=1e-3)
    np.testing.assert_array_equal(x, [0.0, 1e4, -1e4])  # the argument is left alone


def test_softplus2_has_the_gradient_of_softplus() -> None:
    x = torch.linspace(-6, 6, 13, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(softplus2, x)
    softplus2(x).sum().backward()
    torch.testing.assert_close(x.grad, torch.sigmoid(x.detach()))


@EXAMPLES
@given(st.integers(1, 4), st.integers(1, 9), st.integers(1, 9), st.integers(0, 7), st.integers(0, 99))
def test_member_linear_is_linear_for_each_member(members: int, n_in: int, n_out: int, items: int, seed: int) -> None:
    torch.manual_seed(seed)
    layer = MemberLinear(members, n_in, n_out).double()
    x = torch.randn(members, items, n_in, dtype=torch.float64)
    out = layer(x)
    assert out.shape == (members, items, n_out)
    for m in range(members):
        single = nn.Linear(n_in, n_out).double()
        single.load_state_dict({"weight": layer.weight[m].T, "bias": layer.bias[m, 0]})
        torch.testing.assert_close(out[m], single(x[m]))


def test_member_linear_starts_like_linear() -> None:
    torch.manual_seed(0)
    layer, bound = MemberLinear(50, 25, 40), 1 / math.sqrt(25)
    for parameter in (layer.weight, layer.bias):
        assert parameter.abs().max() <= bound
        assert parameter.std().item() == pytest.approx(bound / math.sqrt(3), rel=0.05)
    assert not torch.equal(layer.weight[0], layer.weight[1])


def test_reset_parameters_follows_its_generator() -> None:
    layer = MemberLinear(2, 3, 4)
    layer.reset_parameters(torch.Generator().manual_seed(1))
    first = layer.weight.clone(), layer.bias.clone()
    layer.reset_parameters(torch.Generator().manual_seed(1))
    assert torch.equal(first[0], layer.weight)
    assert torch.equal(first[1], layer.bias)


def test_parts_of_a_layer_add_up() -> None:
    torch.manual_seed(0)
    layer = MemberLinear(3, 9, 4).double()
    x = torch.randn(3, 5, 9, dtype=torch.float64)
    pieces = zip(torch.split(x, [2, 3, 4], dim=2), layer.parts(2, 3, 4), strict=True)
    torch.testing.assert_close(sum(a @ w for a, w in pieces) + layer.bias, layer(x))


class _Softplus2(nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.log(1 + torch.exp(x)) - math.log(2)


@pytest.mark.parametrize("activate_last", [False, True])
@pytest.mark.parametrize("widths", [(3, 2), (4, 6, 1), (2, 5, 5, 3)])
def test_member_mlp_is_a_sequence_of_linear_layers(widths: tuple[int, ...], activate_last: bool) -> None:
    torch.manual_seed(0)
    mlp = MemberMLP(3, widths, activate_last=activate_last).double()
    x = torch.randn(3, 6, widths[0], dtype=torch.float64)
    for m in range(3):
        steps: list[nn.Module] = []
        for layer in mlp.layers:
            linear = nn.Linear(layer.weight.shape[1], layer.weight.shape[2]).double()
            linear.load_state_dict({"weight": layer.weight[m].T, "bias": layer.bias[m, 0]})
            steps += [linear, _Softplus2()]
        reference = nn.Sequential(*(steps if activate_last else steps[:-1]))
        torch.testing.assert_close(mlp(x)[m], reference(x[m]))


def test_dropout_acts_on_hidden_features_in_training_only() -> None:
    torch.manual_seed(0)
    mlp = MemberMLP(1, (4, 200, 3), dropout=0.5)
    x = torch.randn(1, 8, 4)
    assert not torch.equal(mlp(x), mlp(x))
    mlp.eval()
    assert torch.equal(mlp(x), mlp(x))
    plain = MemberMLP(1, (4, 200, 3))
    plain.load_state_dict(mlp.state_dict())
    assert torch.equal(mlp(x), plain(x))


@EXAMPLES
@given(st.integers(1, 3), st.integers(1, 6), st.lists(st.integers(0, 5), max_size=20))
def test_segment_sum(members: int, width: int, index: list[int]) -> None:
    values = torch.randn(members, len(index), width, dtype=torch.float64)
    out = segment_sum(values, torch.tensor(index, dtype=torch.int64), 6)
    for k in range(6):
        rows = [i for i, x in enumerate(index) if x == k]
        torch.testing.assert_close(out[:, k], values[:, rows].sum(1))


# --- Set2Set ---------------------------------------------------------------------------------------------------------


def _pool(members: int, width: int, steps: int, seed: int) -> Set2Set:
    torch.manual_seed(seed)
    pool = Set2Set(members, width, steps).double()
    with torch.no_grad():
        for parameter in pool.parameters():
            parameter.mul_(2.0)
    return pool


def _reference(pool: Set2Set, member: int, x: torch.Tensor) -> torch.Tensor:
    """Set2Set of one set with torch's cell, items of equal weight; (items, width) to (2 * width,)."""
    width = pool.width
    lstm = nn.LSTM(2 * width, width).double()
    lstm.load_state_dict(
        {
            "weight_ih_l0": pool.weight_input[member].T,
            "weight_hh_l0": pool.weight_hidden[member].T,
            "bias_ih_l0": pool.bias[member, 0],
            "bias_hh_l0": torch.zeros(4 * width).double(),
        }
    )
    query, memory = torch.zeros(1, 1, 2 * width).double(), None
    for _ in range(pool.steps):
        hidden, memory = lstm(query, memory)
        share = torch.softmax(x @ hidden[0, 0], dim=0)
        query = torch.cat([hidden[0, 0], share @ x])[None, None]
    return query[0, 0]


@EXAMPLES
@given(st.lists(st.integers(1, 6), min_size=1, max_size=4), st.integers(1, 3), st.integers(0, 99))
def test_set2set_is_the_one_of_torch_lstm(sizes: list[int], steps: int, seed: int) -> None:
    pool = _pool(2, 5, steps, seed)
    x = torch.randn(2, sum(sizes), 5, dtype=torch.float64) * 3
    index = torch.repeat_interleave(torch.arange(len(sizes)), torch.tensor(sizes))
    out = pool(x, torch.ones(len(index)).double(), index, len(sizes))
    assert out.shape == (2, len(sizes), 10)
    for member in range(2):
        for k in range(len(sizes)):
            torch.testing.assert_close(out[member, k], _reference(pool, member, x[member, index == k]))


@EXAMPLES
@given(st.lists(st.integers(1, 5), min_size=2, max_size=9), st.integers(0, 99))
def test_an_item_of_weight_w_counts_as_w_items(weights: list[int], seed: int) -> None:
    pool = _pool(3, 4, 2, seed)
    n = len(weights)
    x = torch.randn(3, n, 4, dtype=torch.float64) * 2
    index, weight = torch.arange(n) % 2, torch.tensor(weights)
    weighted = pool(x, weight.double(), index, 2)
    repeated = torch.repeat_interleave(torch.arange(n), weight)
    duplicated = pool(x[:, repeated], torch.ones(len(repeated)).double(), index[repeated], 2)
    torch.testing.assert_close(weighted, duplicated)


def test_set2set_gradients() -> None:
    pool = _pool(2, 3, 2, 0)
    x = torch.randn(2, 5, 3, dtype=torch.float64, requires_grad=True)
    weight, index = torch.tensor([1.0, 2, 1, 3, 1]).double(), torch.tensor([0, 0, 1, 1, 1])
    assert torch.autograd.gradcheck(lambda t: pool(t, weight, index, 2), x)


def test_set2set_does_not_overflow() -> None:
    pool = Set2Set(1, 4, 2)
    x = torch.tensor([[[1e6, 0, 0, 0], [-1e6, 0, 0, 0], [0, 1e6, 0, 0]]])
    assert torch.isfinite(pool(x, torch.ones(3), torch.tensor([0, 0, 1]), 2)).all()
