"""`KernelHead` against scikit-learn's Gaussian process, numerical gradients, and what a corrector must do."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest

from paraisite.model.kernel import LENGTH, NOISE, VARIANCE, KernelHead, MemberKernel, _distances, _matern

M, N, WIDTH, BLOCKS = 3, 60, 6, (3, 2)
Q = sum(BLOCKS)
WIDTHS = (WIDTH, *BLOCKS)


def made_up(seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray, tuple[int, ...]]:
    """Networks that are right up to a line, a smooth function of vector and descriptors, and noise."""
    rng = np.random.default_rng(seed)
    descriptors = rng.normal(size=(N, Q)) * [1, 10, 100, 1, 1] + 5
    vectors = rng.normal(size=(M, N, WIDTH)).astype(np.float32)
    network = rng.normal(1.0, 0.6, size=(M, N))
    smooth = 0.4 * np.sin(vectors[0, :, 0]) + 0.3 * np.cos(descriptors[:, 3])
    log_true = 0.3 + 0.8 * network[0] + smooth + 0.05 * rng.normal(size=N)
    training = rng.random((M, N)) < 0.75
    return network, vectors, descriptors, log_true, training, BLOCKS


def test_mean_and_spread_are_those_of_scikit_learn() -> None:
    gaussian_process = pytest.importorskip("sklearn.gaussian_process")
    kernels = gaussian_process.kernels
    data = made_up()
    network, vectors, descriptors, log_true, training, _ = data
    head = KernelHead.fit(*data)
    ours, spreads = head.log_kappa(network, vectors, descriptors), head.log_std(vectors, descriptors)
    for m, member in enumerate(head.members):
        t = training[m]
        x = np.concatenate([vectors[m], descriptors], axis=1)
        spread = x[t].std(axis=0) * np.sqrt(np.repeat(WIDTHS, WIDTHS))
        x = (x - x[t].mean(axis=0)) / spread
        slope, offset = np.polyfit(network[m, t], log_true[t], 1)
        base = offset + slope * network[m]
        residual = log_true[t] - base[t]

        def only(columns: slice, theta: np.ndarray) -> np.ndarray:
            kernel = kernels.Matern(np.exp(theta[1]), nu=1.5)
            return lambda a, b: np.exp(theta[0]) * kernel(a[:, columns], b[:, columns])

        columns = (slice(6), slice(6, 9), slice(9, None))
        parts = [only(c, member.theta[2 * i : 2 * i + 2]) for i, c in enumerate(columns)]
        square = sum(k(x[t], x[t]) for k in parts) + np.exp(member.theta[6]) * np.eye(t.sum())
        theirs = base + sum(k(x, x[t]) for k in parts) @ np.linalg.solve(square, residual)
        np.testing.assert_allclose(ours[m], theirs, atol=5e-3)  # points are stored in half precision
        across = sum(k(x, x[t]) for k in parts)
        variance = sum(np.diag(k(x, x)) for k in parts) + np.exp(member.theta[6])
        variance = variance - np.einsum("ij,ji->i", across, np.linalg.solve(square, across.T))
        np.testing.assert_allclose(spreads[m], residual.std() * np.sqrt(variance), rtol=2e-2)


def test_hyperparameters_are_at_a_maximum_of_the_posterior() -> None:
    """Density recomputed from determinants; no small step from the result makes it greater."""
    data = made_up()
    network, _, _, log_true, training, _ = data
    start, precision, bounds = zip(*[VARIANCE, LENGTH] * 3, NOISE, strict=True)
    for m, member in enumerate(KernelHead.fit(*data).members):
        t = training[m]
        residual = log_true[t] - member.mean[0] - member.mean[1] * network[m, t]
        y = residual / residual.std()
        points = member.points.astype(float)
        distances = _distances(points, points, WIDTHS)

        def cost(theta: np.ndarray, y: np.ndarray = y, distances: list[np.ndarray] = distances) -> float:
            covariance = sum(_matern(d, *theta[2 * i : 2 * i + 2])[0] for i, d in enumerate(distances))
            covariance = covariance + np.exp(theta[6]) * np.eye(len(y))
            prior = 0.5 * np.sum(precision * (theta - start) ** 2)
            return 0.5 * y @ np.linalg.solve(covariance, y) + 0.5 * np.linalg.slogdet(covariance)[1] + prior

        best = cost(member.theta)
        for i, (low, high) in enumerate(bounds):
            for step in (-0.05, 0.05):
                moved = member.theta.copy()
                moved[i] = np.clip(moved[i] + step, low, high)
                assert cost(moved) >= best - 1e-4


def test_it_corrects_the_networks_on_crystals_it_was_not_fitted_to() -> None:
    data = made_up()
    network, vectors, descriptors, log_true, training, _ = data
    corrected = KernelHead.fit(*data).log_kappa(network, vectors, descriptors)
    new = ~training[0]
    before, after = (np.abs(values[0] - log_true)[new].mean() for values in (network, corrected))
    line = np.polyval(np.polyfit(network[0, ~new], log_true[~new], 1), network[0, new])
    assert after < 0.8 * np.abs(line - log_true[new]).mean()
    assert after < 0.5 * before


def test_rows_a_member_may_not_see_do_not_matter() -> None:
    network, vectors, descriptors, log_true, training, _ = made_up()
    head = KernelHead.fit(network, vectors, descriptors, log_true, training, BLOCKS)
    for hidden in (np.nan, 50.0):
        changed = np.where(training[1], log_true, hidden)
        other = KernelHead.fit(network, vectors, descriptors, changed, training, BLOCKS)
        for f in fields(MemberKernel):
            np.testing.assert_array_equal(getattr(other.members[1], f.name), getattr(head.members[1], f.name))


def test_rows_without_a_value_are_left_out() -> None:
    network, vectors, descriptors, log_true, training, _ = made_up()
    gone = np.arange(N) % 7 == 0
    head = KernelHead.fit(network, vectors, descriptors, np.where(gone, np.nan, log_true), training, BLOCKS)
    other = KernelHead.fit(network, vectors, descriptors, log_true, training & ~gone, BLOCKS)
    np.testing.assert_array_equal(head.members[0].alpha, other.members[0].alpha)


def test_far_from_all_training_crystals_the_network_speaks() -> None:
    data = made_up()
    head = KernelHead.fit(*data)
    network = np.array([[-1.0, 0.0, 2.0]] * M)
    got = head.log_kappa(network, np.full((M, 3, WIDTH), 1e6), np.full((3, Q), 1e6))
    for m, member in enumerate(head.members):
        np.testing.assert_allclose(got[m], member.mean[0] + member.mean[1] * network[m], atol=1e-9)


def test_an_input_equal_in_training_says_nothing_about_a_new_crystal() -> None:
    network, vectors, descriptors, log_true, training, _ = made_up()
    descriptors[:, 1] = 7.0
    head = KernelHead.fit(network, vectors, descriptors, log_true, training, BLOCKS)
    other = descriptors.copy()
    other[:, 1] += 1e-3
    np.testing.assert_allclose(
        head.log_kappa(network, vectors, other), head.log_kappa(network, vectors, descriptors), atol=1e-3
    )


def test_equal_targets_are_predicted_as_such() -> None:
    network, vectors, descriptors, log_true, training, _ = made_up()
    head = KernelHead.fit(network, vectors, descriptors, np.full_like(log_true, 0.7), training, BLOCKS)
    np.testing.assert_allclose(head.log_kappa(network, vectors, descriptors), 0.7, atol=1e-6)


def test_packing_keeps_every_bit() -> None:
    data = made_up()
    network, vectors, descriptors, *_ = data
    head = KernelHead.fit(*data)
    again = KernelHead.unpack(head.pack())
    np.testing.assert_array_equal(
        again.log_kappa(network, vectors, descriptors), head.log_kappa(network, vectors, descriptors)
    )
    incomplete = head.pack()
    del incomplete["1.alpha"]
    with pytest.raises(KeyError, match=r"1\.alpha"):
        KernelHead.unpack(incomplete)


def test_the_number_of_networks_must_fit() -> None:
    data = made_up()
    head = KernelHead.fit(*data)
    with pytest.raises(ValueError, match="zip"):
        replace(head, members=head.members[:2]).log_kappa(*data[:3])
