from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from paraisite.metrics import (
    INVALID_FACTOR,
    coverage,
    interval_score,
    interval_width,
    male,
    mape,
    median_ape,
    scores,
    spearman,
)

TRUE = np.array([1.0, 10.0, 100.0, 4.0])
KAPPA = st.floats(1e-3, 1e4)
INVALID = [math.nan, math.inf, -math.inf, 0.0, -5.0]


def test_values_worked_by_hand() -> None:
    pred = np.array([2.0, 10.0, 10.0, 5.0])  # errors: 100 %, 0, 90 %, 25 %
    assert mape(TRUE, pred) == pytest.approx((1 + 0 + 0.9 + 0.25) / 4)
    assert median_ape(TRUE, pred) == pytest.approx((0.25 + 0.9) / 2)
    assert male(TRUE, pred) == pytest.approx((math.log10(2) + 0 + 1 + math.log10(1.25)) / 4)
    # ranks of the truths 1 3 4 2; of the predictions 1 3.5 3.5 2: Pearson of the ranks
    assert spearman(TRUE, pred) == pytest.approx(np.corrcoef([1, 3, 4, 2], [1, 3.5, 3.5, 2])[0, 1])


def test_perfect_prediction() -> None:
    assert scores(TRUE, TRUE) == {
        "mape": 0,
        "median_ape": 0,
        "male": 0,
        "spearman": pytest.approx(1),
        "n": 4,
        "n_invalid": 0,
    }


@given(arrays(np.float64, 12, elements=KAPPA), st.floats(0.1, 10))
def test_metrics_of_a_constant_factor(true: np.ndarray, factor: float) -> None:
    pred = factor * true
    assert mape(true, pred) == pytest.approx(abs(factor - 1), abs=1e-9)
    assert median_ape(true, pred) == pytest.approx(abs(factor - 1), abs=1e-9)
    assert male(true, pred) == pytest.approx(abs(math.log10(factor)), abs=1e-9)


@given(arrays(np.float64, 8, elements=KAPPA), arrays(np.float64, 8, elements=KAPPA))
def test_male_is_symmetric_and_mape_bounds_the_median(a: np.ndarray, b: np.ndarray) -> None:
    assert male(a, b) == pytest.approx(male(b, a))
    assert min(abs(a - b) / a) <= median_ape(a, b) <= max(abs(a - b) / a)


@pytest.mark.parametrize("bad", INVALID)
def test_an_invalid_prediction_gets_the_worst_score(bad: float) -> None:
    pred = TRUE.copy()
    pred[1] = bad
    result = scores(TRUE, pred)
    assert result["mape"] == pytest.approx((INVALID_FACTOR - 1) / 4)
    assert result["male"] == pytest.approx(3 / 4)
    assert result["spearman"] < spearman(TRUE, [1.0, 5.0, 100.0, 4.0])
    assert result["n"] == 4
    assert result["n_invalid"] == 1


def test_all_invalid_is_worse_than_anything() -> None:
    result = scores(TRUE, np.full(4, math.nan))
    assert result["mape"] == pytest.approx(INVALID_FACTOR - 1)
    assert result["median_ape"] == pytest.approx(INVALID_FACTOR - 1)
    assert result["male"] == pytest.approx(3)
    assert result["spearman"] == pytest.approx(-1)
    assert result["n_invalid"] == 4


@given(arrays(np.float64, 10, elements=KAPPA, unique=True), st.integers(0, 9))
def test_losing_a_prediction_never_improves_a_ranking(true: np.ndarray, lost: int) -> None:
    pred = true.copy()
    pred[lost] = math.nan
    assert spearman(true, pred) < spearman(true, true)


def test_spearman_without_anything_to_rank() -> None:
    assert spearman(TRUE, np.ones(4)) == 0
    assert math.isnan(spearman(np.ones(4), TRUE))
    assert math.isnan(spearman([1.0], [2.0]))


def test_coverage_counts_bounds_as_inside() -> None:
    low = np.array([1.0, 11.0, 1.0, 1.0])
    high = np.array([2.0, 12.0, 100.0, 3.9])
    assert coverage(TRUE, low, high) == pytest.approx(0.5)


@pytest.mark.parametrize(("low", "high"), [(math.nan, 2.0), (0.5, math.inf), (0.0, 2.0), (2.0, 0.5), (-1.0, 2.0)])
def test_an_invalid_interval_never_covers_and_scores_badly(low: float, high: float) -> None:
    assert coverage([1.0], [low], [high]) == 0
    assert interval_width([low], [high]) == pytest.approx(INVALID_FACTOR**2)
    assert interval_score([1.0], [low], [high], 0.9) == pytest.approx(2 / 0.1 * 3)


def test_interval_width_is_the_median_factor() -> None:
    assert interval_width([1.0, 1.0, 2.0], [2.0, 10.0, 6.0]) == pytest.approx(3)


def test_interval_score_worked_by_hand() -> None:
    # inside: width 1; half a decade above at 80 %: width 1 + 2/0.2 * 0.5
    assert interval_score([10.0], [10**0.5], [10**1.5], 0.8) == pytest.approx(1)
    assert interval_score([100.0], [10**0.5], [10**1.5], 0.8) == pytest.approx(1 + 10 * 0.5)
    assert interval_score([1.0], [10**0.5], [10**1.5], 0.8) == pytest.approx(1 + 10 * 0.5)


def test_interval_score_prefers_the_true_quantiles() -> None:
    kappa = 10 ** np.random.default_rng(0).normal(1.0, 0.3, 20_000)
    centre = np.full(20_000, 10.0)
    score = {z: interval_score(kappa, centre / 10 ** (0.3 * z), centre * 10 ** (0.3 * z), 0.9) for z in (1.3, 1.645, 2)}
    assert min(score, key=lambda z: score[z]) == 1.645


@pytest.mark.parametrize("bad", INVALID)
def test_truths_must_be_positive(bad: float) -> None:
    with pytest.raises(ValueError, match=r"1 of 2 truths are not positive numbers \(the first: \S+ in row 1\)"):
        mape([1.0, bad], [1.0, 1.0])
    with pytest.raises(ValueError, match="leave such rows out"):
        coverage([1.0, bad], [1.0, 1.0], [1.0, 1.0])


def test_shapes_must_agree() -> None:
    with pytest.raises(ValueError, match=r"predictions have shape \(3,\), truths \(4,\)"):
        male(TRUE, TRUE[:3])
    with pytest.raises(ValueError, match="upper bounds"):
        coverage(TRUE, TRUE, TRUE[:3])
    with pytest.raises(ValueError, match="at least one"):
        mape([], [])
    with pytest.raises(ValueError, match="at least one"):
        mape(np.ones((2, 2)), np.ones((2, 2)))


@pytest.mark.parametrize("level", [0, 1, 90])
def test_levels_are_fractions(level: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        interval_score(TRUE, TRUE, TRUE, level)
