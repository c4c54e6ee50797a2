"""`Prediction`: one output row, the same for every way of asking."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Literal


@dataclass(slots=True)
class Prediction:
    """One row; the fields are the columns, in order, and further ones follow.

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
    dimensionality : int or None
        3 for a framework, 2 for layers, 1 for chains, 0 for molecules and lone atoms.
    vacuum : bool or None
        Whether the cell holds a slab, wire or molecule in vacuum.
    band_gap_eV : float or None
        Band gap, as density-functional theory (PBE) gives it.
    is_metal : bool or None
        Whether it is a metal: its electrons conduct heat, too, which kappa leaves out.
    in_training : str
        Whether the training data hold the ``crystal``, another of its ``formula``, or ``no`` such; empty if rejected.
    nearest_formula, nearest_id, nearest_source : str
        The nearest high-quality compound: formula, id, and dataset.
    nearest_kappa_W_mK : float or None
        Its conductivity.
    nearest_distance : float or None
        How far it is, as in `Neighbourhood`.
    properties : dict of str to float
        Further columns that were asked for: auxiliary properties, temperatures, tensor; by column name.
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
    dimensionality: int | None = None
    vacuum: bool | None = None
    band_gap_eV: float | None = None
    is_metal: bool | None = None
    in_training: Literal["crystal", "formula", "no", ""] = ""
    nearest_formula: str = ""
    nearest_id: str = ""
    nearest_source: str = ""
    nearest_kappa_W_mK: float | None = None
    nearest_distance: float | None = None
    properties: dict[str, float | None] = field(default_factory=dict)

    def row(self) -> dict[str, Any]:
        """Return the columns as one flat dictionary."""
        columns = asdict(self)
        return columns | columns.pop("properties")


COLUMNS = tuple(name for name in Prediction.__dataclass_fields__ if name != "properties")
"""Columns of every prediction, before those that were asked for."""

OLD_COLUMNS = COLUMNS[: COLUMNS.index("dimensionality")]
"""Those that tables of version 0.2 and before have."""
