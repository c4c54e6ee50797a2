"""How long a run takes, said early."""

from __future__ import annotations

import numpy as np
import pytest
from argon import argon

from paraisite.crystals import Crystal
from paraisite.phonons.forecast import ALL_OVER_FORCES, SAMPLE, Forecast
from paraisite.phonons.settings import Settings

pytest.importorskip("phono3py", reason="lattice dynamics needs the extra [phonons]")

SETTINGS = Settings(potential="argon", supercell=(2, 2, 2), min_snapshots=4)


@pytest.mark.slow
def test_atoms_in_displaced_supercells() -> None:
    forecast = Forecast([argon(), argon("hcp", 3.7)], SETTINGS)
    fcc = (1 + 4) * 32  # a second-order displacement and four snapshots
    assert forecast.work[0] == fcc
    assert forecast.n_supercells > 2 * 5 - 1
    assert Forecast([argon()], SETTINGS.model_copy(update={"snapshots": 8})).work == [(1 + 8) * 32]


@pytest.mark.slow
def test_a_few_stand_for_many() -> None:
    forecast = Forecast([argon() for _ in range(3 * SAMPLE)], SETTINGS)
    assert forecast.work == [160.0] * (3 * SAMPLE)
    assert forecast.n_supercells == 3 * SAMPLE * 5


def test_seconds_that_are_left() -> None:
    forecast = Forecast([argon() for _ in range(4)], SETTINGS)
    assert forecast.left(2) is None
    assert forecast.expect(0, 10.0)
    assert forecast.left(2) == pytest.approx(ALL_OVER_FORCES * 10.0 * 4 / 2)
    assert not forecast.expect(1, 99.0)
    forecast.finish(0, 30.0)
    assert forecast.left(2) == pytest.approx(30.0 * 3 / 2)
    forecast.finish(1, 20.0)
    assert forecast.left(2) == pytest.approx(25.0)
    assert forecast.left(1) == pytest.approx(50.0)


def test_what_cannot_be_planned_takes_nothing() -> None:
    twice = Crystal.from_ase(argon().to_ase() * (2, 1, 1))
    twice = Crystal(twice.cell, twice.numbers, twice.positions * 0.0, id="heap")
    assert Forecast([twice, argon()], SETTINGS).work == [0.0, 160.0]


def test_large_crystals_without_symmetry_are_not_counted() -> None:
    """That would take minutes and gigabytes before anything begins."""
    random = np.random.default_rng(0)
    cell = 12 * np.eye(3) + random.normal(0, 0.5, (3, 3))
    large = Crystal(cell, np.full(100, 18), random.random((100, 3)), id="large")
    (work,) = Forecast([large], Settings(potential="argon")).work
    assert work == 128 * 100 + 6 * 100 * 200
