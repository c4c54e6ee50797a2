from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from paraisite.datasets.splits import (
    Split,
    grouped_kfold,
    holdout,
    kfold,
    leave_out,
    paper_split,
    range_split,
    split_hash,
    tail_splits,
)


def assert_partition(split: Split, n: int) -> None:
    assert sorted([*split.train, *split.validation]) == list(range(n))


@given(n=st.integers(2, 200), k=st.integers(2, 10), seed=st.integers(0, 2**32 - 1))
def test_kfold_validates_each_row_once_in_balanced_folds(n: int, k: int, seed: int) -> None:
    k = min(k, n)
    splits = kfold(n, k, seed)
    assert len(splits) == k
    for split in splits:
        assert_partition(split, n)
    assert sorted(np.concatenate([split.validation for split in splits])) == list(range(n))
    sizes = [len(split.validation) for split in splits]
    assert max(sizes) - min(sizes) <= 1


def test_kfold_shuffles_and_depends_on_the_seed() -> None:
    assert split_hash(kfold(100, 5, 0)) == split_hash(kfold(100, 5, 0))
    assert split_hash(kfold(100, 5, 0)) != split_hash(kfold(100, 5, 1))
    assert not np.array_equal(kfold(100, 5, 0)[0].validation, np.arange(20))


@given(groups=st.lists(st.sampled_from("abcdefgh"), min_size=8, max_size=120), seed=st.integers(0, 1000))
def test_grouped_kfold_keeps_groups_whole(groups: list[str], seed: int) -> None:
    k = min(3, len(set(groups)))
    if k < 2:
        with pytest.raises(ValueError, match="groups"):
            grouped_kfold(groups, 2, seed)
        return
    splits = grouped_kfold(groups, k, seed)
    assert sorted(np.concatenate([split.validation for split in splits])) == list(range(len(groups)))
    labels = np.array(groups)
    for split in splits:
        assert_partition(split, len(groups))
        assert len(split.validation) > 0
        assert not set(labels[split.train]) & set(labels[split.validation])
    # The longest-processing-time rule: folds differ by no more than the largest group.
    sizes = [len(split.validation) for split in splits]
    assert max(sizes) - min(sizes) <= max(groups.count(group) for group in set(groups))


def test_grouped_kfold_balances_rows_not_groups() -> None:
    groups = ["big"] * 10 + [f"small{i}" for i in range(10)]
    sizes = [len(split.validation) for split in grouped_kfold(groups, 2, 0)]
    assert sizes == [10, 10]


def test_grouped_kfold_depends_on_the_seed_only_among_equals() -> None:
    groups = [f"g{i}" for i in range(50)]
    assert split_hash(grouped_kfold(groups, 5, 0)) != split_hash(grouped_kfold(groups, 5, 1))


@pytest.mark.parametrize("k", [0, 1, 6])
def test_impossible_numbers_of_folds(k: int) -> None:
    with pytest.raises(ValueError, match=f"{k} folds of 5 rows: ask for 2 to 5"):
        kfold(5, k, 0)
    with pytest.raises(ValueError, match=f"{k} folds of 5 groups: ask for 2 to 5"):
        grouped_kfold(list("abcdeabcde"), k, 0)


@given(n=st.integers(2, 500), fraction=st.floats(0.001, 0.999), seed=st.integers(0, 1000))
def test_holdout(n: int, fraction: float, seed: int) -> None:
    split = holdout(n, fraction, seed)
    assert_partition(split, n)
    assert len(split.train) >= 1
    assert len(split.validation) == min(max(round(n * fraction), 1), n - 1)


@pytest.mark.parametrize("fraction", [0.0, 1.0, -0.1, 10])
def test_holdout_rejects_what_is_no_fraction(fraction: float) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        holdout(10, fraction, 0)


def test_holdout_of_one_row() -> None:
    with pytest.raises(ValueError, match="not 1"):
        holdout(1, 0.5, 0)


def test_paper_split_is_the_rule_of_the_study() -> None:
    order = np.random.RandomState(3).permutation(95)
    split = paper_split(95, 3)
    assert np.array_equal(split.train, order[:76])
    assert np.array_equal(split.validation, order[76:])


def test_paper_split_of_parts_side_by_side() -> None:
    both, first, second = paper_split((95, 143), 2), paper_split(95, 2), paper_split(143, 2)
    assert np.array_equal(both.train, [*first.train, *second.train + 95])
    assert np.array_equal(both.validation, [*first.validation, *second.validation + 95])
    assert_partition(both, 238)


def _printed(code: str) -> set[str]:
    """What some code prints in processes of different hash seeds."""
    return {
        subprocess.run(
            [sys.executable, "-c", code], env={"PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True
        ).stdout.strip()
        for seed in ("1", "2")
    }


def test_splits_are_those_of_every_other_process() -> None:
    # Frozen numbers: they may not depend on the process (hash seed), the machine or the version of NumPy.
    code = (
        "from paraisite.datasets.splits import *;"
        "print(split_hash(kfold(238, 5, 7)), split_hash(grouped_kfold([f'f{i % 170}' for i in range(238)], 5, 7)))"
    )
    assert _printed(code) == {
        "5bdd7a0188d8be0e9cabede3b5bfd0b7b6ffc3a9c76105a2c3f4df42898a2ff0 "
        "662c13624aa641f290bdcd3d5d278df8e917e0313dad3f5fc9680dbfb5c411f7"
    }


def test_split_hash_sees_sides_but_not_order() -> None:
    split = paper_split(20, 1)
    shuffled = Split(split.train[::-1], split.validation[::-1])
    assert split_hash(split) == split_hash(shuffled) == split_hash([split])
    assert split_hash(split) != split_hash(Split(split.validation, split.train))
    moved = Split(split.train[1:], np.append(split.validation, split.train[0]))
    assert split_hash(split) != split_hash(moved)


VALUES = st.lists(st.sampled_from([0.5, 1.0, 2.0, 3.0, 50.0, 51.0, np.nan]) | st.floats(0.1, 1e3), max_size=60)


@given(labels=st.lists(st.sets(st.sampled_from("abcd"), max_size=3), max_size=30))
def test_leave_out_holds_out_every_row_with_the_label(labels: list[set[str]]) -> None:
    split = leave_out(labels, "a")
    assert_partition(split, len(labels))
    assert split.validation.tolist() == [row for row, own in enumerate(labels) if "a" in own]


@given(values=VALUES, above=st.none() | st.floats(0, 100), below=st.none() | st.floats(0, 100))
def test_range_split_holds_out_what_lies_strictly_between(
    values: list[float], above: float | None, below: float | None
) -> None:
    split = range_split(values, above, below)
    assert_partition(split, len(values))
    low, high = -np.inf if above is None else above, np.inf if below is None else below
    assert split.validation.tolist() == [row for row, x in enumerate(values) if low < x < high]


@given(values=VALUES.filter(lambda values: any(x == x for x in values)), quantile=st.floats(0.01, 0.5))
def test_tails_extrapolate_and_keep_equal_values_together(values: list[float], quantile: float) -> None:
    low, high = tail_splits(values, quantile)
    x = np.array(values)
    known = np.sort(x[np.isfinite(x)])
    size = max(round(len(known) * quantile), 1)
    for split in (low, high):
        assert_partition(split, len(x))
        assert np.isfinite(x[split.validation]).all()
        assert len(split.validation) >= size
    rest_low, rest_high = (x[split.train][np.isfinite(x[split.train])] for split in (low, high))
    assert not len(rest_low) or x[low.validation].max() < rest_low.min()
    assert not len(rest_high) or x[high.validation].min() > rest_high.max()
    if len(set(known)) == len(known):
        assert len(low.validation) == len(high.validation) == size


@pytest.mark.parametrize("quantile", [0.0, -0.1, 0.6, float("nan")])
def test_tails_of_no_share(quantile: float) -> None:
    with pytest.raises(ValueError, match=r"between 0 and 0\.5"):
        tail_splits([1.0, 2.0], quantile)


def test_tails_without_values() -> None:
    with pytest.raises(ValueError, match="no row has a value"):
        tail_splits([np.nan, np.nan], 0.1)


def test_element_and_tail_splits_are_those_of_every_other_process() -> None:
    code = (
        "import numpy as np; from paraisite.datasets.splits import *;"
        "x = np.random.RandomState(0).lognormal(size=300).round(2);"
        "labels = [{chr(97 + i % 7), chr(97 + i % 5)} for i in range(300)];"
        "print(split_hash(tail_splits(x, 0.1)), split_hash(range_split(x, 1.0, 2.0)),"
        "split_hash(leave_out(labels, 'c')))"
    )
    assert _printed(code) == {
        "0692953547da15112f9e92c88801362156040b31b5f5df666acb4a8c57fa2468 "
        "a67bf38a730f3bebe7e022e2f17972cca40961efb8df9f2a06c3803d8d8206ee "
        "5940be2cd0ea79113e8645ecd88e7ef7fd72d182dfbb9dc70daebf78f29a4341"
    }
