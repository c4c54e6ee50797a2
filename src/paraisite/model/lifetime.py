"""Inputs of the lifetime model: harmonic phonons beside what the default model predicts of a crystal.

The particle part of kappa is the transport integral (W m⁻¹ K⁻¹ per second, of harmonic phonons) times an effective
lifetime. The lifetime is learned, in log10, by the Gaussian processes of `KernelHead`: its first guess is the predicted
particle part over the integral, and it is corrected from the encoder's vector, the descriptors and the inputs below.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

MEASURED = (
    "max_frequency",
    "mean_frequency",
    "mean_inverse_frequency",
    "mean_square_frequency",
    "heat_capacity_kB",
    "transport_integral",
    "velocity_mean",
    "sound_long",
    "sound_trans",
    "p3_plus",
    "acoustic_max",
    "optical_min",
    "volume_atom",
    "n_primitive",
)
"""Columns of `phonondb_harmonic`, taken as log10 in their units."""

RATIOS = (
    ("mean_frequency", "mean_inverse_frequency", 1),
    ("optical_min", "acoustic_max", -1),
    ("velocity_mean", "sound_trans", -1),
    ("acoustic_max", "max_frequency", -1),
    ("p3_plus", "mean_frequency", 1),
)
"""Pairs whose product (1) or ratio (-1) has no unit, or tells the gap and the flatness of branches."""

COMPARED = {
    "max_frequency": "max_frequency",
    "mean_frequency": "mean_frequency",
    "mean_inverse_frequency": "mean_inverse_frequency",
    "transport_integral": "transport_integral",
    "velocity_mean": "velocity_mean",
    "sound_long": "sound_longitudinal",
    "sound_trans": "sound_transverse",
    "p3_plus": "phase_space",
    "acoustic_max": "acoustic_max",
    "optical_min": "optical_min",
}
"""Columns that the default model predicts, and its names of them."""

SLOWEST = 100.0
"""m/s; velocities of sound below are numerical noise of the interpolation near the zone centre."""
LOWEST = 1e-3
"""THz; an optical branch below this, or none, counts as starting where the acoustic ones end."""
FARTHEST = 1.0
"""Decades that a harmonic property may be away from its prediction."""

BLOCKS = (len(MEASURED) + len(RATIOS) + 1, 3, len(COMPARED))
"""Widths of the blocks of `lifetime_inputs`."""


def harmonic_inputs(properties: Mapping[str, float], tensor: np.ndarray) -> np.ndarray:
    """Inputs from the harmonic properties of a stable crystal, shape (BLOCKS[0],).

    Parameters
    ----------
    properties : mapping of str to float
        Columns of `phonondb_harmonic`.
    tensor : numpy.ndarray, shape (3, 3)
        Of the transport integral.
    """
    value = {name: float(properties[name]) for name in MEASURED}
    for name in ("sound_long", "sound_trans"):
        value[name] = max(value[name], SLOWEST)
    if not value["optical_min"] > LOWEST:
        value["optical_min"] = value["acoustic_max"]
    logs = {name: np.log10(max(v, 1e-6)) for name, v in value.items()}
    own = np.linalg.eigvalsh(tensor)
    anisotropy = np.clip(np.log10(max(own[0], 1e-9) / own[2]), -3.0, 0.0)
    return np.array([*logs.values(), *(logs[a] + sign * logs[b] for a, b, sign in RATIOS), anisotropy])


def lifetime_inputs(
    harmonic: np.ndarray, log_kappa: np.ndarray, log_particle: np.ndarray, predicted: Mapping[str, np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """First guess of the lifetime and the inputs that correct it, for n crystals.

    Parameters
    ----------
    harmonic : numpy.ndarray, shape (n, BLOCKS[0])
        Rows of `harmonic_inputs`.
    log_kappa, log_particle : numpy.ndarray, shape (n,)
        Predicted by the default model: log10 of kappa and of its particle part, W m⁻¹ K⁻¹.
    predicted : mapping of str to numpy.ndarray, each of shape (n,)
        The default model's values of `COMPARED`, in the units of the table.

    Returns
    -------
    guess : numpy.ndarray, shape (n,)
        log10 of the lifetime in s.
    inputs : numpy.ndarray, shape (n, sum(BLOCKS))
        To stand behind the columns of `descriptors`.
    """
    guess = log_particle - harmonic[:, MEASURED.index("transport_integral")]
    apart = [harmonic[:, MEASURED.index(name)] - np.log10(predicted[own]) for name, own in COMPARED.items()]
    apart = [np.clip(values, -FARTHEST, FARTHEST) for values in apart]
    return guess, np.column_stack([harmonic, guess, log_particle, log_kappa, *apart])
