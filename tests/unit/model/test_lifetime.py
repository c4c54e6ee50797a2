"""Inputs of the lifetime model."""

import numpy as np
import pytest

from paraisite.model.lifetime import BLOCKS, COMPARED, MEASURED, RATIOS, harmonic_inputs, lifetime_inputs

PROPERTIES = dict.fromkeys(MEASURED, 10.0) | {"optical_min": 5.0, "sound_long": 5000.0, "sound_trans": 3000.0}


def test_harmonic_inputs():
    found = harmonic_inputs(PROPERTIES, np.diag([1.0, 2.0, 10.0]))
    assert found.shape == (BLOCKS[0],)
    by_name = dict(zip(MEASURED, found, strict=False))
    assert by_name["optical_min"] == pytest.approx(np.log10(5.0))
    assert by_name["sound_long"] == pytest.approx(np.log10(5000.0))
    gap = found[len(MEASURED) + [pair[:2] for pair in RATIOS].index(("optical_min", "acoustic_max"))]
    assert gap == pytest.approx(np.log10(0.5))
    assert found[-1] == pytest.approx(-1.0)


@pytest.mark.parametrize("missing", [np.nan, 0.0, -1.0])
def test_a_crystal_without_optical_branches_has_no_gap(missing):
    found = harmonic_inputs(PROPERTIES | {"optical_min": missing, "sound_trans": -3.0}, np.eye(3))
    assert np.isfinite(found).all()
    assert found[MEASURED.index("optical_min")] == found[MEASURED.index("acoustic_max")]


def test_the_first_guess_is_the_predicted_lifetime():
    harmonic = np.array([harmonic_inputs(PROPERTIES | {"transport_integral": 1e12}, np.eye(3))] * 2)
    predicted = dict.fromkeys(COMPARED.values(), np.array([10.0, 1e9]))
    guess, inputs = lifetime_inputs(harmonic, np.array([1.0, 2.0]), np.array([0.9, 1.9]), predicted)
    assert guess == pytest.approx([-11.1, -10.1])
    assert inputs.shape == (2, sum(BLOCKS))
    assert inputs[:, BLOCKS[0]] == pytest.approx(guess)
    apart = inputs[:, -len(COMPARED) :]
    assert apart[0, 0] == pytest.approx(0.0)
    assert (np.abs(apart) <= 1.0).all()
