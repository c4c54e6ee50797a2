"""`Prediction`: one output row, the same for every way of asking."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

PROPERTY_COLUMNS = {
    "formation_energy": "formation_energy_eV_atom",
    "bulk_modulus_vrh": "bulk_modulus_GPa",
    "shear_modulus_vrh": "shear_modulus_GPa",
    "debye_temperature": "debye_temperature_K",
    "gruneisen": "gruneisen",
    "heat_capacity_cv_atom": "heat_capacity_cv_kB_atom",
    "thermal_expansion": "thermal_expansion_1_K",
    "vibrational_entropy_atom": "vibrational_entropy_meV_K_atom",
    "vibrational_free_energy_atom": "vibrational_free_energy_meV_atom",
    "bulk_modulus_static": "bulk_modulus_static_GPa",
    "kappa_particle": "kappa_particle_W_mK",
    "kappa_coherence": "kappa_coherence_W_mK",
    "coherence_share": "coherence_share",
    "kappa_agl": "kappa_agl_W_mK",
    "kappa_l96": "kappa_l96_W_mK",
    "kappa_hh143": "kappa_hh143_W_mK",
    "max_frequency": "max_frequency_THz",
    "mean_frequency": "mean_frequency_THz",
    "mean_inverse_frequency": "mean_inverse_frequency_1_THz",
    "mean_square_frequency": "mean_square_frequency_THz2",
    "transport_integral": "transport_integral_W_mK_s",
    "velocity_mean": "velocity_mean_m_s",
    "sound_longitudinal": "sound_longitudinal_m_s",
    "sound_transverse": "sound_transverse_m_s",
    "phase_space": "phase_space_1_THz",
    "acoustic_max": "acoustic_max_THz",
    "optical_min": "optical_min_THz",
}
"""Output column of each auxiliary target."""


@dataclass(slots=True)
class Prediction:
    """One row; the fields are the columns, in order, and auxiliary properties follow.

    Attributes
    ----------
    id, source : str
    formula : str
    n_sites, n_elements : int or None
    kappa_W_mK : float or None
        Lattice thermal conductivity at 300 K, isotropic average.
    kappa_low_W_mK, kappa_high_W_mK : float or None
        Bounds of the calibrated interval.
    log10_std : float or None
        Standard deviation of the calibrated predictive distribution of log10 kappa.
    applicability : float or None
        Between 0 and 1; below 0.04 the crystal is unlike the training data.
    nearest_known : str
        Formula, dataset id and kappa of the nearest high-quality compound, and whether this one was in training.
    status : {"ok", "warning", "rejected"}
    reason : str
        What a person can do about it.
    properties : dict of str to float
        Auxiliary properties by column name.
    """

    id: str
    source: str
    formula: str = ""
    n_sites: int | None = None
    n_elements: int | None = None
    kappa_W_mK: float | None = None
    kappa_low_W_mK: float | None = None
    kappa_high_W_mK: float | None = None
    log10_std: float | None = None
    applicability: float | None = None
    nearest_known: str = ""
    status: Literal["ok", "warning", "rejected"] = "ok"
    reason: str = ""
    properties: dict[str, float | None] = field(default_factory=dict)

    def row(self) -> dict[str, Any]:
        """Return the columns as one flat dictionary."""
        columns = asdict(self)
        return columns | columns.pop("properties")


COLUMNS = tuple(name for name in Prediction.__dataclass_fields__ if name != "properties")
"""Names of the columns before the auxiliary properties."""
