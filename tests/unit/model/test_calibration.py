"""Calibrated intervals on data whose truth is known."""

from __future__ import annotations

import itertools
from typing import NamedTuple

import numpy as np
import pytest

from paraisite.model.calibration import Calibration

FOLDS = tuple(tuple(range(3 * f, 3 * f + 3)) for f in range(5))


class Data(NamedTuple):
    """Rows drawn independently from one distribution, and what fifteen networks in five folds say of them."""

    fold: np.ndarray
    log_members: np.ndarray
    features: np.ndarray
    log_true: np.ndarray

    def rows(self, which: slice) -> Data:
        return Data(self.fold[which], self.log_members[:, which], self.features[:, which], self.log_true[which])


def draw(n: int, seed: int, *, heteroscedastic: bool, heavy: bool = False) -> Data:
    """Truth differs from the networks by the noise of the row, which their disagreement shows; folds nearly agree."""
    rng = np.random.default_rng(seed)
    noise = np.exp(rng.normal(-2.0, 0.8, n)) if heteroscedastic else np.full(n, 0.15)
    centre = rng.normal(1.0, 0.5, n)
    error = rng.standard_t(3, n) if heavy else rng.normal(size=n)
    opinion = rng.normal(size=(5, 3, n))
    opinion += 0.1 * rng.normal(size=(5, 1, n)) - opinion.mean(axis=1, keepdims=True)
    members = centre + noise * opinion.reshape(15, n)
    spread = members.reshape(5, 3, n).std(axis=1)
    luck = rng.normal(1.0, 0.3, (5, n))  # says nothing
    return Data(rng.permutation(n) % 5, members, np.stack([np.log(spread + 0.02), luck], 2), centre + noise * error)


def fit(data: Data, *, adaptive: bool = True) -> Calibration:
    return Calibration.fit(FOLDS, data.fold, data.log_members, data.features, data.log_true, adaptive=adaptive)


def interval_score(low: np.ndarray, high: np.ndarray, truth: np.ndarray, level: float) -> float:
    """T. Gneiting and A. E. Raftery, J. Am. Stat. Assoc. 102, 359 (2007), eq. 43."""
    beyond = np.maximum(low - truth, 0) + np.maximum(truth - high, 0)
    return float(np.mean(high - low + 2 / (1 - level) * beyond))


@pytest.mark.parametrize("level", [0.5, 0.8, 0.9, 0.95])
@pytest.mark.parametrize("kind", ["equal", "unequal", "heavy-tailed"])
def test_coverage_is_near_the_level(kind: str, level: float) -> None:
    shares = []
    for seed in range(4):
        data = draw(3000, seed, heteroscedastic=kind != "equal", heavy=kind == "heavy-tailed")
        known, new = data.rows(slice(0, 400)), data.rows(slice(400, None))
        low, high, _ = fit(known).interval(new.log_members, new.features, level)
        assert (low < high).all()
        shares.append(np.mean((low <= new.log_true) & (new.log_true <= high)))
    # 1600 calibration rows in all: the standard error is below 0.013, CV+ may cover somewhat more than asked
    assert level - 0.03 < np.mean(shares) < level + 0.05


@pytest.mark.parametrize("seed", range(3))
def test_adaptive_intervals_score_better_where_noise_varies(seed: int) -> None:
    data = draw(3000, seed, heteroscedastic=True)
    known, new = data.rows(slice(0, 400)), data.rows(slice(400, None))
    scores = {}
    for adaptive in (True, False):
        low, high, _ = fit(known, adaptive=adaptive).interval(new.log_members, new.features, 0.9)
        scores[adaptive] = interval_score(low, high, new.log_true, 0.9)
    assert scores[True] < 0.9 * scores[False]


def test_adaptive_intervals_are_wider_where_networks_disagree() -> None:
    data = draw(600, 0, heteroscedastic=True)
    low, high, _ = fit(data).interval(data.log_members, data.features, 0.9)
    spread = data.log_members.std(axis=0)
    order = np.argsort(spread)
    assert (high - low)[order[-60:]].mean() > 3 * (high - low)[order[:60]].mean()


def scattered(n: int, seed: int) -> Data:
    """Networks that agree everywhere: only the first of two features tells how large the error is."""
    rng = np.random.default_rng(seed)
    sign, luck = rng.normal(size=(2, n))
    centre = rng.normal(1.0, 0.5, n)
    members = centre + 0.01 * rng.normal(size=(15, n))
    features = np.broadcast_to(np.column_stack([sign, luck]), (5, n, 2))
    return Data(rng.permutation(n) % 5, members, features, centre + 0.1 * np.exp(sign) * rng.normal(size=n))


def test_features_that_matter_give_adaptive_widths() -> None:
    data = scattered(4000, 0)
    known, new = data.rows(slice(0, 1000)), data.rows(slice(1000, None))
    calibration = fit(known)
    assert calibration.weights[1] == pytest.approx(1.0, abs=0.15)
    assert calibration.weights[2] == pytest.approx(0.0, abs=0.1)
    low, high, std = calibration.interval(new.log_members, new.features, 0.9)
    inside = (low <= new.log_true) & (new.log_true <= high)
    order = np.argsort(new.features[0, :, 0])
    for part in np.array_split(order, 4):  # the intervals cover equally where errors are small and where large
        assert 0.84 < inside[part].mean() < 0.96
    tenths = np.array_split(order, 10)
    assert (high - low)[tenths[-2]].mean() > 5 * (high - low)[tenths[1]].mean()
    assert std[tenths[-2]].mean() > 5 * std[tenths[1]].mean()


def test_beyond_the_calibration_rows_the_scale_stays() -> None:
    data = scattered(400, 0)
    calibration = fit(data)
    one = data.log_members[:, :1]
    ends, beyond = np.array([calibration.lowest, calibration.highest]), np.array([[-50.0, -50.0], [50.0, 50.0]])
    for end, far in zip(ends, beyond, strict=True):
        widths = [np.ptp(calibration.interval(one, np.broadcast_to(f, (5, 1, 2)), 0.9)[:2]) for f in (end, far)]
        assert widths[0] == pytest.approx(widths[1])


def test_a_feature_that_never_varies_changes_nothing() -> None:
    data = scattered(300, 0)
    longer = data._replace(features=np.concatenate([data.features, np.full((5, 300, 1), 7.0)], axis=2))
    bounds = [fit(d).interval(d.log_members, d.features, 0.9) for d in (data, longer)]
    np.testing.assert_allclose(bounds[1], bounds[0], atol=1e-3)


def test_constant_intervals_differ_by_the_centres_of_the_folds_only() -> None:
    data = draw(600, 0, heteroscedastic=True)
    calm = data._replace(log_members=np.zeros((15, 600)) + data.log_members.mean(axis=0))
    low, high, _ = fit(calm, adaptive=False).interval(calm.log_members, calm.features, 0.9)
    np.testing.assert_allclose(high - low, (high - low)[0])


def test_intervals_are_nested() -> None:
    data = draw(500, 0, heteroscedastic=True)
    calibration = fit(data)
    bounds = [calibration.interval(data.log_members, data.features, level)[:2] for level in (0.1, 0.5, 0.8, 0.9, 0.99)]
    for (low, high), (lower, higher) in itertools.pairwise(bounds):
        assert (lower <= low).all()
        assert (high <= higher).all()
    middle = data.log_members.mean(axis=0)
    assert np.mean((bounds[1][0] < middle) & (middle < bounds[1][1])) > 0.95


def test_the_interval_follows_the_prediction() -> None:
    data = draw(300, 0, heteroscedastic=True)
    calibration = fit(data)
    low, high, std = calibration.interval(data.log_members, data.features, 0.9)
    moved = calibration.interval(data.log_members + 2.0, data.features, 0.9)
    for now, before in zip(moved, (low + 2, high + 2, std), strict=True):
        np.testing.assert_allclose(now, before)


def test_std_is_that_of_the_residuals() -> None:
    data = draw(2000, 0, heteroscedastic=False)
    known, new = data.rows(slice(0, 1000)), data.rows(slice(1000, None))
    std = fit(known).interval(new.log_members, new.features, 0.9)[2]
    actual = np.std(new.log_true - new.log_members.mean(axis=0))
    assert np.median(std) == pytest.approx(actual, rel=0.15)


def test_a_crystal_is_judged_by_itself() -> None:
    data = draw(200, 0, heteroscedastic=True)
    calibration = fit(data)
    together = calibration.interval(data.log_members, data.features, 0.9)
    alone = calibration.interval(data.log_members[:, 7:8], data.features[:, 7:8], 0.9)
    np.testing.assert_allclose([x[0] for x in alone], [x[7] for x in together])


def test_only_the_allowed_folds_speak() -> None:
    data = draw(300, 0, heteroscedastic=True)
    calibration = fit(data)
    changed = data.log_members.copy()
    changed[3:] += 50.0  # every network but those of the first fold
    before = calibration.interval(data.log_members, data.features, 0.9, folds=[0])
    after = calibration.interval(changed, data.features, 0.9, folds=[0])
    np.testing.assert_array_equal(after, before)
    assert not np.allclose(calibration.interval(changed, data.features, 0.9), before)


def test_coverage_with_one_allowed_fold() -> None:
    data = draw(3000, 1, heteroscedastic=True)
    known, new = data.rows(slice(0, 500)), data.rows(slice(500, None))
    low, high, _ = fit(known).interval(new.log_members, new.features, 0.9, folds=[2])
    assert 0.86 < np.mean((low <= new.log_true) & (new.log_true <= high)) < 0.95


@pytest.mark.parametrize("level", [0.0, -0.1, 1.0, 1.5, 0.999, float("nan")])
def test_levels_beyond_the_rows(level: float) -> None:
    data = draw(200, 0, heteroscedastic=False)
    with pytest.raises(ValueError, match=r"level .* at most 0\.99\d* \(200 calibration rows\)"):
        fit(data).interval(data.log_members, data.features, level)


@pytest.mark.parametrize("n", [10, 48, 95, 143, 238, 999])
def test_the_highest_level_works_and_reaches_every_residual(n: int) -> None:
    data = draw(n, 0, heteroscedastic=False)
    low, high, _ = fit(data).interval(data.log_members, data.features, n / (n + 1))
    assert (high - low).min() > 2 * np.median(np.abs(data.log_true - data.log_members.mean(axis=0)))


def test_the_level_an_error_suggests_is_accepted() -> None:
    data = draw(238, 0, heteroscedastic=False)
    calibration = fit(data)
    with pytest.raises(ValueError, match="at most") as error:
        calibration.interval(data.log_members, data.features, 0.9999)
    suggested = float(str(error.value).split("at most ")[1].split()[0])
    low, high, _ = calibration.interval(data.log_members, data.features, suggested)
    assert (low < high).all()


def test_too_few_rows() -> None:
    with pytest.raises(ValueError, match="9 held-out rows are too few"):
        fit(draw(9, 0, heteroscedastic=False))


def test_one_fold_of_one_network() -> None:
    data = draw(40, 0, heteroscedastic=False)
    calibration = Calibration.fit(((0,),), np.zeros(40, int), data.log_members[:1], data.features[:1], data.log_true)
    low, high, std = calibration.interval(data.log_members[:1], data.features[:1], 0.9)
    assert np.isfinite([low, high, std]).all()
    assert 0.8 < np.mean((low <= data.log_true) & (data.log_true <= high)) <= 1


def test_json_round_trip_is_exact() -> None:
    data = draw(100, 0, heteroscedastic=True)
    calibration = fit(data)
    again = Calibration.model_validate_json(calibration.model_dump_json())
    a, b = (c.interval(data.log_members, data.features, 0.9) for c in (calibration, again))
    np.testing.assert_array_equal(a, b)
