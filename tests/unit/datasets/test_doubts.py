"""Labels that cannot be: other units, logarithms, constants and absurd values are told, and honest ones are not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from paraisite.datasets import Dataset, load
from paraisite.datasets.clean import clean
from paraisite.datasets.doubts import column_doubt, doubts


@pytest.fixture(scope="module")
def honest(mirror: Path) -> Dataset:
    return load("l96", mirror)


def with_kappa(dataset: Dataset, change: Callable[[np.ndarray], np.ndarray]) -> Dataset:
    kappa = change(dataset.kappa)
    return replace(dataset, targets={"kappa": np.where(kappa > 0, kappa, np.nan)})


CHANGES: list[tuple[Callable[[np.ndarray], np.ndarray], str]] = [
    (lambda k: k / 100, "W/cm/K"),
    (lambda k: k * 1000, "mW/m/K"),
    (np.log10, "logarithm"),
    (np.log, "logarithm"),
    (np.log1p, "logarithm"),
    (lambda k: np.log10(k + 1), "logarithm"),
    (lambda k: np.full_like(k, 7.0), "values of kappa are 7;"),
]


@pytest.mark.data
@pytest.mark.parametrize(("change", "said"), CHANGES, ids=["W/cm/K", "mW/m/K", "log10", "ln", "ln1p", "log1p", "same"])
def test_a_column_that_is_no_conductivity_is_doubted(honest: Dataset, change: Callable, said: str) -> None:  # type: ignore[type-arg]
    made = with_kappa(honest, change)
    assert any(said in line for line in doubts(made))
    few = made.take(np.arange(0, len(made), 4))
    assert any(said in line for line in doubts(few))
    account = clean(few).rows
    usable = [row for row in account if row.kappa > 0]
    assert sum(row.fate != "kept" for row in usable) == len(usable)


@pytest.mark.data
@pytest.mark.parametrize("name", ["l96", "hh143"])
def test_honest_values_are_not(mirror: Path, name: str) -> None:
    data = load(name, mirror)
    assert doubts(data) == []
    random = np.random.default_rng(1)
    for n in (4, 6, 12, 30):
        for _ in range(10):
            part = data.take(random.choice(len(data), n, replace=False))
            assert column_doubt(part.crystals, part.kappa) == ""


@pytest.mark.data
def test_absurd_values_are_told_and_dropped(honest: Dataset) -> None:
    few = honest.take(np.arange(8))
    kappa = few.kappa.copy()
    kappa[2], kappa[5] = 1e9, 1e-6
    made = replace(few, targets={"kappa": kappa})
    said = doubts(made)
    assert f"1 value of kappa above 3500 W/m/K, more than diamond has ({few.ids[2]} 1e+09)" in said[0]
    assert "below 0.001 W/m/K" in said[1]
    cleaned = clean(made)
    assert [row.fate for row in cleaned.rows].count("dropped") == 2
    assert {few.ids[2], few.ids[5]}.isdisjoint(cleaned.dataset.ids)


@pytest.mark.data
def test_a_row_in_another_unit_is_flagged_among_few(honest: Dataset) -> None:
    few = honest.take(np.arange(0, 30, 2))
    kappa = few.kappa.copy()
    kappa[4] *= 1000
    account = clean(replace(few, targets={"kappa": kappa})).rows
    assert [i for i, row in enumerate(account) if "units" in row.rules] == [4] or account[4].fate == "dropped"


def test_too_few_rows_are_not_doubted() -> None:
    assert doubts(Dataset("empty", (), {"kappa": np.empty(0)}, ())) == []
    assert doubts(Dataset("none", (), {}, ())) == []
