"""Target transforms."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pydantic import ValidationError

from paraisite.model.targets import TargetTransform

EXAMPLES = settings(max_examples=25, deadline=None)
KINDS = ("identity", "log10", "log10p1")
SHARES = arrays(np.float64, st.integers(2, 12), elements=st.floats(1e-4, 1 - 1e-4))
POSITIVE = arrays(np.float64, st.integers(2, 12), elements=st.floats(1e-3, 1e4))


@pytest.mark.parametrize("kind", KINDS)
@EXAMPLES
@given(values=POSITIVE, seed=st.integers(0, 99))
def test_inverse_undoes_forward(kind: str, values: np.ndarray, seed: int) -> None:
    training = np.random.default_rng(seed).random((3, len(values))) < 0.5
    training[:, 0] = True
    transform = TargetTransform.fit(kind, values, training)  # type: ignore[arg-type]
    outputs = transform.forward(values)
    assert outputs.shape == (3, len(values))
    assert outputs.dtype == torch.float32
    # the float32 of the outputs, as it shows in the physical value
    z = outputs.abs().max().item() + abs(max(transform.shift, key=abs)) / min(transform.scale) + 1
    step = 3e-7 * z * max(transform.scale)
    back = transform.inverse(outputs)
    for row in back:
        if kind == "identity":
            np.testing.assert_allclose(row, values, atol=step, rtol=1e-6)
        elif kind == "log10":
            np.testing.assert_allclose(np.log10(row), np.log10(values), atol=step, rtol=1e-6)
        else:
            np.testing.assert_allclose(np.log10(row + 1), np.log10(values + 1), atol=step, rtol=1e-6)


@EXAMPLES
@given(values=SHARES)
def test_inverse_undoes_the_logit(values: np.ndarray) -> None:
    transform = TargetTransform.fit("logit", values, np.ones((2, len(values)), bool))
    back = transform.inverse(transform.forward(values))
    assert back.shape == (2, len(values))
    np.testing.assert_allclose(back, np.stack([values, values]), rtol=0, atol=1e-5)
    assert ((back > 0) & (back < 1)).all()


@pytest.mark.parametrize("kind", KINDS)
@EXAMPLES
@given(values=POSITIVE)
def test_training_rows_have_mean_zero_and_deviation_one(kind: str, values: np.ndarray) -> None:
    values = np.append(values, [0.01, 30.0, 2000.0])  # not all equal
    out = TargetTransform.fit(kind, values, np.ones((1, len(values)), bool)).forward(values)  # type: ignore[arg-type]
    assert out.mean().item() == pytest.approx(0, abs=1e-5)
    assert out.std(correction=0).item() == pytest.approx(1, abs=1e-5)


def test_the_scaler_sees_training_rows_only() -> None:
    values = np.array([1.0, 10.0, 100.0, 1e9])
    training = np.array([[True, True, False, False], [False, True, True, False]])
    transform = TargetTransform.fit("log10", values, training)
    assert transform.shift == pytest.approx((0.5, 1.5))
    assert transform.scale == pytest.approx((0.5, 0.5))
    changed = TargetTransform.fit("log10", np.array([1.0, 10.0, 100.0, 3.0]), training)
    assert changed == transform


@pytest.mark.parametrize(
    ("kind", "physical", "mapped"),
    [
        ("identity", -2.5, -2.5),
        ("log10", 1000.0, 3.0),
        ("log10p1", 99.0, 2.0),
        ("log10p1", 0.0, 0.0),
        ("logit", 0.5, 0.0),
        ("logit", 0.9, np.log(9)),
        ("logit", 0.1, -np.log(9)),
    ],
)
def test_definitions(kind: str, physical: float, mapped: float) -> None:
    transform = TargetTransform(kind=kind, shift=(1.0,), scale=(2.0,))  # type: ignore[arg-type]
    assert transform.forward(np.array([physical])).item() == pytest.approx((mapped - 1) / 2)
    assert transform.inverse(torch.tensor([[(mapped - 1) / 2]])).item() == pytest.approx(physical, abs=1.1e-6)


def test_unknown_values_stay_unknown() -> None:
    values = np.array([1.0, np.nan, 100.0])
    transform = TargetTransform.fit("log10", values, np.ones((2, 3), bool))
    assert transform.shift == (1.0, 1.0)
    assert torch.isnan(transform.forward(values)).tolist() == [[False, True, False]] * 2


@pytest.mark.parametrize("value", [1.0, 0.1, 7.3, 1e-3])
@pytest.mark.parametrize("rows", [1, 3, 10])
def test_equal_values_get_scale_one(value: float, rows: int) -> None:
    transform = TargetTransform.fit("identity", np.full(rows, value), np.ones((1, rows), bool))
    assert transform.scale == (1.0,)
    assert abs(transform.forward(np.full(rows, value))).max() < 1e-6


@pytest.mark.parametrize(
    ("kind", "values", "says"),
    [
        ("log10", [1.0, 0.0], "row 1: the value 0 has no log10"),
        ("log10", [-2.0, 1.0], "row 0: the value -2 has no log10"),
        ("log10p1", [1.0, -1.5], "row 1: the value -1.5 has no log10p1"),
        ("logit", [0.5, 1.0], "row 1: the value 1 has no logit"),
        ("logit", [0.0, 0.5], "row 0: the value 0 has no logit"),
        ("logit", [0.5, 1.2], "row 1: the value 1.2 has no logit"),
        ("log10", [np.nan, np.nan], "member 0 has no training row"),
    ],
)
def test_values_that_cannot_be_fitted(kind: str, values: list[float], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        TargetTransform.fit(kind, np.array(values), np.ones((1, 2), bool))  # type: ignore[arg-type]


def test_a_member_without_rows_is_named() -> None:
    with pytest.raises(ValueError, match="member 1 has no training row"):
        TargetTransform.fit("log10", np.array([1.0, 2.0]), np.array([[True, True], [False, False]]))


def test_wrong_kind() -> None:
    with pytest.raises(ValidationError, match="kind"):
        TargetTransform(kind="log2")  # type: ignore[arg-type]


def test_extreme_outputs_stay_finite_and_positive() -> None:
    out = torch.tensor([[1e6, -1e6, 0.0]])
    for kind in ("log10", "log10p1"):
        values = TargetTransform(kind=kind).inverse(out)  # type: ignore[arg-type]
        assert np.isfinite(values).all()
        assert (values > 0).all()
    share = TargetTransform(kind="logit").inverse(out)
    assert ((share >= 0) & (share <= 1)).all()
    assert share[0, 2] == 0.5


def test_select_keeps_the_members_own_scaler() -> None:
    transform = TargetTransform(kind="log10", shift=(1.0, 2.0, 3.0), scale=(4.0, 5.0, 6.0))
    picked = transform.select([2, 0, 2])
    assert (picked.kind, picked.shift, picked.scale) == ("log10", (3.0, 1.0, 3.0), (6.0, 4.0, 6.0))


def test_json_round_trip() -> None:
    transform = TargetTransform.fit("log10p1", np.array([1.0, 2.0, 7.0]), np.ones((2, 3), bool))
    assert TargetTransform.model_validate_json(transform.model_dump_json()) == transform
