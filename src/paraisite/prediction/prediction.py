"""`Prediction`: one output row, the same for every way of asking."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from html import escape
from typing import Any, Literal


@dataclass(slots=True)
class Prediction:
    """One row; the fields are the columns, in order, and further ones follow.

    Attributes
    ----------
    id : str
        Database id from the file, else the stem of its name.
    source : str
        Path, with member of an archive, block or index, from which it was read.
    formula : str
        Reduced formula.
    n_sites : int or None
        Sites of the cell as given.
    n_elements : int or None
        Distinct elements.
    kappa_W_mK : float or None
        Lattice thermal conductivity at 300 K, isotropic average.
    kappa_low_W_mK, kappa_high_W_mK : float or None
        Lower and upper bound of the calibrated interval, 90 % unless a level is given.
    log10_std : float or None
        Standard deviation of the calibrated predictive distribution of log10 kappa.
    applicability : float or None
        Between 0 and 1; below 0.04 the crystal is unlike the training data.
    nearest_known : str
        Formula, dataset id and kappa of the nearest high-quality compound, and whether this one was in training.
    status : {"ok", "warning", "rejected"}
        Whether it was predicted, predicted with a warning, or not.
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
        Conductivity of the nearest high-quality compound.
    nearest_distance : float or None
        Distance from it in the space of standardised descriptors.
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

    def _repr_html_(self) -> str:
        cells = {
            k: f"{v:.4g}" if isinstance(v, float) else str(v) for k, v in self.row().items() if v not in (None, "")
        }
        lines = (f"<tr><th>{escape(k)}</th><td>{escape(v)}</td></tr>" for k, v in cells.items())
        return f"<table>{''.join(lines)}</table>"


COLUMNS = tuple(name for name in Prediction.__dataclass_fields__ if name != "properties")
"""Columns of every prediction, before those that were asked for."""

OLD_COLUMNS = COLUMNS[: COLUMNS.index("dimensionality")]
"""Those that tables of version 0.2 and before have."""
