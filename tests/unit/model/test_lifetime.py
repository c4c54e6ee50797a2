"""The lifetime model: its inputs, and what the shipped networks say."""

import json

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from paraisite.model.lifetime import (
    CARD,
    COMPARED,
    EXPECTED,
    HARMONIC,
    MEASURED,
    RATIOS,
    WEIGHTS,
    Expected,
    Lifetime,
    harmonic_inputs,
    lifetime_inputs,
    scaled,
)

PROPERTIES = dict.fromkeys(MEASURED, 10.0) | {"optical_min": 5.0, "sound_long": 5000.0, "sound_trans": 3000.0}
# of magnesium oxide, by the table and by the default model
MGO = {
    "n_primitive": 2, "max_frequency": 20.5, "mean_frequency": 12.3, "mean_inverse_frequency": 0.088,
    "mean_square_frequency": 162.0, "heat_capacity_kB": 2.26, "transport_integral": 1.24e13, "velocity_mean": 3100.0,
    "sound_long": 9700.0, "sound_trans": 6100.0, "p3_plus": 0.014, "acoustic_max": 13.9, "optical_min": 8.5,
    "volume_atom": 9.3,
}  # fmt: skip
SAID = {
    "kappa_particle": 50.0, "kappa_coherence": 0.1, "coherence_share": 0.002, "kappa_l96": 50.0, "kappa_hh143": 40.0,
    "kappa_agl": 30.0, "transport_integral": 1.2e13, "max_frequency": 20.0, "mean_frequency": 12.0,
    "mean_inverse_frequency": 0.09, "heat_capacity_cv_atom": 2.3, "velocity_mean": 3000.0, "sound_longitudinal": 9500.0,
    "sound_transverse": 6000.0, "phase_space": 0.015, "acoustic_max": 13.5, "optical_min": 8.5,
    "debye_temperature": 730.0, "gruneisen": 1.9, "thermal_expansion": 3e-5, "vibrational_entropy_atom": 0.15,
    "vibrational_free_energy_atom": 40.0, "bulk_modulus_vrh": 152.0, "shear_modulus_vrh": 118.0,
}  # fmt: skip


def expected(fold: int = -1) -> Expected:
    return Expected(np.log10(50.1), 0.15, SAID, fold)


def test_harmonic_inputs():
    found = harmonic_inputs(PROPERTIES, np.diag([1.0, 2.0, 10.0]))
    assert found.shape == (HARMONIC,)
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
    said = scaled([expected()] * 2)
    assert said.shape == (2, 1 + len(EXPECTED))
    found = lifetime_inputs(harmonic, said)
    apart = found[:, -len(COMPARED) :]
    assert found[:, -len(COMPARED) - 1] == pytest.approx(np.log10(50.0) - 12)
    assert apart[0, 0] == pytest.approx(np.log10(10 / 20))
    assert (np.abs(apart) <= 1.0).all()


def test_softer_phonons_conduct_less():
    model, tensor = Lifetime.load(), MGO["transport_integral"] * np.eye(3)
    found = model(MGO, tensor, expected())
    assert found.low < found.kappa < found.high
    assert 25 < found.kappa < 100
    assert found.particle + found.coherence == pytest.approx(found.kappa)
    factor = {"frequency": 0.8, "velocity": 0.8, "sound": 0.8, "inverse": 1.25, "square": 0.64, "transport": 0.64}
    soft = {k: v * next((f for name, f in reversed(factor.items()) if name in k), 1.0) for k, v in MGO.items()}
    assert model(soft, 0.64 * tensor, expected()).kappa < 0.8 * found.kappa
    # a fold's own networks, and what is taken off a potential's phonons, give other numbers, not very different ones
    for other in (model(MGO, tensor, expected(2)), model(MGO, tensor, expected(), "nequix-oam-1-pft")):
        assert other.kappa != found.kappa
        assert other.kappa == pytest.approx(found.kappa, rel=0.3)


def test_card_and_weights_belong_together(tmp_path):
    shipped = Lifetime.load()
    weights = {name: w.astype(np.float32) for name, w in shipped.weights.items()}
    (tmp_path / CARD).write_text(json.dumps(shipped.card))
    save_file(weights, tmp_path / WEIGHTS)
    again = Lifetime.load(tmp_path)(MGO, MGO["transport_integral"] * np.eye(3), expected())
    assert again == Lifetime.load()(MGO, MGO["transport_integral"] * np.eye(3), expected())
    save_file({k: w[:5] if k[0].isdigit() else w for k, w in load_file(tmp_path / WEIGHTS).items()}, tmp_path / WEIGHTS)
    with pytest.raises(ValueError, match="number of members"):
        Lifetime.load(tmp_path)
