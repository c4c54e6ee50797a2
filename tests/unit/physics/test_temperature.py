"""kappa at other temperatures from its parts at 300 K."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from paraisite.physics.temperature import (
    HIGHEST,
    LOWEST,
    ROOM,
    check_temperatures,
    log_kappa_at,
    parts_at,
    spread_at,
)

shares = st.floats(0, 1)
frequencies = st.floats(0.5, 60)
temperatures = st.floats(LOWEST, HIGHEST)


@given(shares, frequencies, st.floats(0.01, 3000))
def test_at_room_temperature_it_is_what_went_in(share: float, frequency: float, kappa: float) -> None:
    parts = np.array([kappa * (1 - share)]), np.array([kappa * share])
    assert log_kappa_at(ROOM, *parts, np.array([frequency])) == pytest.approx(np.log10(kappa), abs=1e-9)


@given(shares, frequencies, temperatures, temperatures)
def test_particles_fall_and_coherences_rise(share: float, frequency: float, one: float, other: float) -> None:
    cold, hot = sorted((one, other))
    (p0, c0), (p1, c1) = (parts_at(t, np.array(share), np.array(frequency)) for t in (cold, hot))
    assert p1 <= p0
    assert c1 >= c0 * (1 - 1e-12)


def test_hot_particles_follow_one_over_t() -> None:
    a, b = (parts_at(t, np.array(0.0), np.array(0.2))[0] for t in (700.0, 1400.0))
    assert a / b == pytest.approx(2, rel=0.01)


def test_the_spread_grows_away_from_room_temperature() -> None:
    assert spread_at(ROOM) == 0
    assert spread_at(100) > spread_at(200) > 0
    assert spread_at(1500) > spread_at(600) > 0


@pytest.mark.parametrize("temperature", [99.9, 1500.1, -5, 0, float("nan"), float("inf")])
def test_temperatures_outside_the_range_are_refused(temperature: float) -> None:
    with pytest.raises(ValueError, match="100 to 1500 K"):
        check_temperatures((300.0, temperature))
