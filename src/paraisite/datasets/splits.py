"""Splits into training and validation rows, as index arrays.

All randomness comes from `numpy.random.RandomState`, whose stream NumPy keeps frozen: the same seed gives the same
split in every process, on every machine and with every NumPy.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Hashable, Iterable, Sequence
from itertools import accumulate
from typing import NamedTuple

import numpy as np


class Split(NamedTuple):
    """Row numbers of the two sides of a split; disjoint, and together all rows.

    Attributes
    ----------
    train, validation : numpy.ndarray, int64
        Ascending, except from `paper_split`, which keeps the order of the study.
    """

    train: np.ndarray
    validation: np.ndarray


def kfold(n: int, k: int, seed: int) -> list[Split]:
    """Deal n rows at random into k folds whose sizes differ by one at most; each fold is the validation side once.

    Raises
    ------
    ValueError
        If k is below 2 or above n.
    """
    _check_folds(k, n, "rows")
    fold_of = np.empty(n, dtype=np.int64)
    fold_of[np.random.RandomState(seed).permutation(n)] = np.arange(n) % k
    return _splits(fold_of, k)


def grouped_kfold(groups: Sequence[Hashable], k: int, seed: int) -> list[Split]:
    """Deal whole groups into k folds, so that no group (say, a formula) stands on both sides of a split.

    Groups are shuffled, then dealt from the largest to the smallest, each to the fold with the fewest rows so far
    (the longest-processing-time rule), which balances folds by row count.

    Parameters
    ----------
    groups : sequence of hashable, length n
        The group of each row.
    k : int
        Number of folds.
    seed : int
        Seed of the shuffle.

    Raises
    ------
    ValueError
        If k is below 2 or above the number of groups.
    """
    # Numbered in the order of their first row, not by hash or set order, which differs between processes.
    number = {group: i for i, group in enumerate(dict.fromkeys(groups))}
    _check_folds(k, len(number), "groups")
    group_of = np.array([number[group] for group in groups], dtype=np.int64)
    sizes = np.bincount(group_of)
    shuffled = np.random.RandomState(seed).permutation(len(sizes))
    by_size = shuffled[np.argsort(-sizes[shuffled], kind="stable")]
    rows_in_fold = np.zeros(k, dtype=np.int64)
    fold_of_group = np.empty(len(sizes), dtype=np.int64)
    for group in by_size:
        fold = int(np.argmin(rows_in_fold))
        fold_of_group[group] = fold
        rows_in_fold[fold] += sizes[group]
    return _splits(fold_of_group[group_of], k)


def holdout(n: int, fraction: float, seed: int) -> Split:
    """Set a random `fraction` of n rows aside for validation (rounded, at least one row on each side).

    Raises
    ------
    ValueError
        If `fraction` is not between 0 and 1, or there are fewer than two rows.
    """
    if not 0 < fraction < 1:
        raise ValueError(f"the held-out fraction must lie between 0 and 1, not {fraction}")
    if n < 2:
        raise ValueError(f"a split needs at least two rows, not {n}")
    size = min(max(round(n * fraction), 1), n - 1)
    order = np.random.RandomState(seed).permutation(n)
    return Split(np.sort(order[size:]), np.sort(order[:size]))


def paper_split(n: int | Sequence[int], run: int) -> Split:
    """Split as the study does in its run number `run` (1 to 9; arXiv:2411.18259).

    Rows are permuted by `numpy.random.RandomState(run).permutation(n)`; the first int(0.8 n) train, the rest validate.
    A dataset made of several is split part by part, side by side: `paper_split((95, 143), run)`, or
    `paper_split(dataset.part_sizes, run)`, is the split of `mix`.

    Parameters
    ----------
    n : int or sequence of int
        Number of rows, or of rows of each part.
    run : int
        Seed of the permutation.
    """
    sizes = [n] if isinstance(n, (int, np.integer)) else list(n)
    train, validation = [], []
    for size, offset in zip(sizes, accumulate([0, *sizes[:-1]]), strict=True):
        order = np.random.RandomState(run).permutation(size) + offset
        train.append(order[: int(0.8 * size)])
        validation.append(order[int(0.8 * size) :])
    return Split(np.concatenate(train), np.concatenate(validation))


def leave_out(labels: Sequence[Collection[Hashable]], label: Hashable) -> Split:
    """Hold out every row that has a label among its own, say every crystal that contains an element.

    Parameters
    ----------
    labels : sequence of collections, length n
        The labels of each row.
    label : hashable
        The one to leave out; where no row has it, the validation side is empty.
    """
    return _sides(np.array([label in own for own in labels], dtype=bool))


def range_split(values: Sequence[float] | np.ndarray, above: float | None, below: float | None) -> Split:
    """Hold out the rows whose value lies strictly above `above` and strictly below `below`; None stands for no bound.

    Rows without a value (NaN) are never held out.
    """
    x = np.asarray(values, dtype=np.float64)
    held_out = np.isfinite(x)
    if above is not None:
        held_out &= x > above
    if below is not None:
        held_out &= x < below
    return _sides(held_out)


def tail_splits(values: Sequence[float] | np.ndarray, quantile: float) -> list[Split]:
    """Hold out the lowest part of the values, then the highest, to score extrapolation.

    A tail has a share `quantile` of the rows with a value (rounded, at least one), and all rows that equal its
    innermost value, so that no value stands on both sides. Rows without a value (NaN) are never held out.

    Raises
    ------
    ValueError
        If `quantile` is not between 0 and 0.5, or no row has a value.
    """
    if not 0 < quantile <= 0.5:
        raise ValueError(f"the held-out quantile must lie between 0 and 0.5, not {quantile}")
    x = np.asarray(values, dtype=np.float64)
    ordered = np.sort(x[np.isfinite(x)])
    if not len(ordered):
        raise ValueError("no row has a value, so there are no tails to hold out")
    size = max(round(len(ordered) * quantile), 1)
    finite = np.where(np.isfinite(x), x, np.nan)  # comparisons with NaN are false
    return [_sides(finite <= ordered[size - 1]), _sides(finite >= ordered[-size])]


def split_hash(splits: Split | Iterable[Split]) -> str:
    """Return the sha256 (hexadecimal) of which rows stand on which side; the order within a side does not count."""
    digest = hashlib.sha256()
    for split in [splits] if isinstance(splits, Split) else splits:
        for side in split:
            digest.update(len(side).to_bytes(8, "little"))
            digest.update(np.sort(side).astype("<i8").tobytes())
    return digest.hexdigest()


def _check_folds(k: int, n: int, what: str) -> None:
    if not 2 <= k <= n:
        raise ValueError(f"cannot make {k} folds of {n} {what}: ask for 2 to {n}" if n > 1 else f"{n} {what}: no folds")


def _splits(fold_of: np.ndarray, k: int) -> list[Split]:
    return [Split(np.flatnonzero(fold_of != fold), np.flatnonzero(fold_of == fold)) for fold in range(k)]


def _sides(held_out: np.ndarray) -> Split:
    return Split(np.flatnonzero(~held_out), np.flatnonzero(held_out))
