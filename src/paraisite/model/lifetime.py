"""Conductivity from harmonic phonons and a learned lifetime.

The particle part of kappa is the transport integral (W m⁻¹ K⁻¹ per second, of harmonic phonons) times an effective
lifetime. Small networks learn log10 of it from first-principles conductivities. They start from the predicted particle
part over the integral, and correct it from what harmonic phonons say, what the default model predicts without them, and
where the two differ. The coherence part is the default model's. `tools/make_middle.py` trains and scores the networks;
each member was trained without one fold of formulas.

The networks were trained on phonons of density-functional theory (PBEsol). Those of a potential deviate: the median of
its deviations is taken off its phonons, and the networks saw random ones of them in training, so that they do not rely
on more than a potential can tell.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from paraisite.model.calibration import Calibration, centres
from paraisite.targets import LEVEL, transform

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

EXPECTED = (
    "kappa_particle",
    "kappa_coherence",
    "coherence_share",
    "kappa_l96",
    "kappa_hh143",
    "kappa_agl",
    "transport_integral",
    "max_frequency",
    "mean_frequency",
    "mean_inverse_frequency",
    "heat_capacity_cv_atom",
    "velocity_mean",
    "sound_longitudinal",
    "sound_transverse",
    "phase_space",
    "acoustic_max",
    "optical_min",
    "debye_temperature",
    "gruneisen",
    "thermal_expansion",
    "vibrational_entropy_atom",
    "vibrational_free_energy_atom",
    "bulk_modulus_vrh",
    "shear_modulus_vrh",
)
"""What the default model predicts and the networks read."""

TRANSPORT = MEASURED.index("transport_integral")
HARMONIC = len(MEASURED) + len(RATIOS) + 1
"""Numbers of `harmonic_inputs`."""

LIMIT = 5.0
"""Standard deviations beyond which an input counts as this far: nothing is known out there."""

SMALL = 0.02
"""Added to differences of log10 kappa before the logarithm: a chance agreement does not count much."""

WEIGHTS, CARD = "lifetime.safetensors", "card.json"


@dataclass(frozen=True, slots=True)
class Expected:
    """What the default model says of a crystal, all of it by networks not trained on its formula where there are such.

    Attributes
    ----------
    log_kappa, log10_std : float
        log10 of kappa in W m⁻¹ K⁻¹ at 300 K, and its standard deviation.
    values : dict of str to float
        Of `EXPECTED`, in the units of `paraisite.targets`.
    fold : int
        Which networks these are; -1 for all.
    applicability : float or None
        Share of compounds that were held out when they were scored and lay at least as far from the training data.
    """

    log_kappa: float
    log10_std: float
    values: dict[str, float]
    fold: int = -1
    applicability: float | None = None


class Conductivity(NamedTuple):
    """Conductivity at 300 K in W m⁻¹ K⁻¹, its 90 % interval, and its two parts."""

    kappa: float
    low: float
    high: float
    log10_std: float
    particle: float
    coherence: float


@dataclass(frozen=True, slots=True, eq=False)
class Lifetime:
    """The trained networks.

    Attributes
    ----------
    weights : dict of str to numpy.ndarray
        `shift` and `scale` of the inputs; `0.weight`, `0.bias`, `1.weight`, ... of the layers, whose first axis is that
        of the members.
    calibration : Calibration
        Of the intervals, with the members of each fold.
    card : dict
        Deviations of each potential, and where it all comes from.
    """

    weights: dict[str, np.ndarray]
    calibration: Calibration
    card: dict[str, Any]

    @classmethod
    def load(cls, folder: Path | None = None) -> Lifetime:
        """Load the shipped networks, or those that `tools/make_middle.py` left in a folder.

        Raises
        ------
        ValueError
            If the card and the weights do not belong together.
        """
        return _shipped() if folder is None else _load(folder)

    def __call__(
        self, properties: Mapping[str, float], tensor: np.ndarray, expected: Expected, potential: str = ""
    ) -> Conductivity:
        """Predict one crystal.

        Parameters
        ----------
        properties : mapping of str to float
            Columns of `phonondb_harmonic`, of a stable crystal.
        tensor : numpy.ndarray, shape (3, 3)
            Of the transport integral at 300 K.
        expected : Expected
        potential : str
            Of which the phonons are; nothing is taken off those of one that the card does not know, as of
            density-functional theory.
        """
        shift = np.array(self.card["deviations"].get(potential, np.zeros(HARMONIC)))
        harmonic = harmonic_inputs(properties, tensor) - shift
        said = scaled([expected])
        members = self.log_kappa(lifetime_inputs(harmonic[None], said), said)
        folds = None if expected.fold < 0 else [expected.fold]
        features = width_features(members, [expected], self.calibration.folds)
        low, high, std = self.calibration.interval(members, features, LEVEL, folds=folds)
        used = members if folds is None else members[list(self.calibration.folds[folds[0]])]
        kappa, coherence = 10.0 ** float(used.mean()), expected.values["kappa_coherence"]
        particle = max(kappa - coherence, 0.0)
        return Conductivity(kappa, 10 ** float(low[0]), 10 ** float(high[0]), float(std[0]), particle, coherence)

    def log_kappa(self, inputs: np.ndarray, said: np.ndarray) -> np.ndarray:
        """log10 kappa by every member, shape (members, n), from what `lifetime_inputs` and `scaled` give."""
        x = np.clip((inputs - self.weights["shift"]) / self.weights["scale"], -LIMIT, LIMIT)
        layers = sum(name.endswith(".bias") for name in self.weights)
        for i in range(layers):
            x = x @ self.weights[f"{i}.weight"] + self.weights[f"{i}.bias"]
            if i < layers - 1:
                x = np.logaddexp(x, 0.0) - np.log(2.0)  # softplus2 of paraisite.model.layers
        log_particle, log_coherence = said[:, 1], said[:, 2]
        return np.asarray(np.log10(10 ** (log_particle + x[..., 0]) + 10**log_coherence))


def harmonic_inputs(properties: Mapping[str, float], tensor: np.ndarray) -> np.ndarray:
    """Inputs from the harmonic properties of a stable crystal, shape (HARMONIC,).

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


def scaled(expected: Sequence[Expected]) -> np.ndarray:
    """log10 of kappa and the values of `EXPECTED` in the transforms of their training, shape (n, 1 + len(EXPECTED))."""
    return np.array([[e.log_kappa, *(_scaled(name, e.values[name]) for name in EXPECTED)] for e in expected])


def lifetime_inputs(harmonic: np.ndarray, said: np.ndarray) -> np.ndarray:
    """What the networks read of n crystals, shape (n, q).

    Parameters
    ----------
    harmonic : numpy.ndarray, shape (n, HARMONIC)
        Rows of `harmonic_inputs`.
    said : numpy.ndarray, shape (n, 1 + len(EXPECTED))
        Of `scaled`.
    """
    pairs = [(MEASURED.index(name), 1 + EXPECTED.index(own)) for name, own in COMPARED.items()]
    apart = [np.clip(harmonic[..., i] - said[..., k], -FARTHEST, FARTHEST) for i, k in pairs]
    guess = said[..., 1] - harmonic[..., TRANSPORT]
    return np.concatenate([harmonic, said, np.stack([guess, *apart], axis=-1)], axis=-1)


def width_features(
    log_members: np.ndarray, expected: Sequence[Expected], folds: tuple[tuple[int, ...], ...]
) -> np.ndarray:
    """What the width of an interval may depend on, shape (folds, n, 4).

    Parameters
    ----------
    log_members : numpy.ndarray, shape (members, n)
        log10 kappa of every network.
    expected : sequence of Expected
    folds : tuple of tuple of int
        Members of each fold.
    """
    std = np.log([e.log10_std for e in expected])
    log_kappa = np.array([e.log_kappa for e in expected])
    found = []
    for centre in centres(log_members, folds):
        found.append(np.column_stack([std, np.log(np.abs(centre - log_kappa) + SMALL), centre, centre**2]))
    return np.array(found)


def _scaled(name: str, value: float) -> float:
    """A predicted value in the transform that networks are trained in."""
    kind = transform(name)
    if kind == "log10":
        return float(np.log10(max(value, 1e-9)))
    return float(np.log(value / (1.0 - value))) if kind == "logit" else value


@cache
def _shipped() -> Lifetime:
    return _load(Path(str(files("paraisite.model") / "auxiliary" / "lifetime")))


def _load(folder: Path) -> Lifetime:
    from safetensors.numpy import load_file

    card = json.loads((folder / CARD).read_text(encoding="utf-8"))
    weights = {name: value.astype(np.float64) for name, value in load_file(folder / WEIGHTS).items()}
    calibration = Calibration.model_validate(card["calibration"])
    if sum(map(len, calibration.folds)) != len(weights["0.weight"]):
        raise ValueError(f"{folder}: the card and the weights differ in the number of members; install it again")
    return Lifetime(weights, calibration, card)
