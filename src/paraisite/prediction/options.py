"""`Options`: what is asked of a predictor, and the columns that answer it."""

from __future__ import annotations

from dataclasses import dataclass

from paraisite.physics.temperature import check_temperatures
from paraisite.prediction.prediction import COLUMNS
from paraisite.targets import LEVEL, column

AXES = ("xx", "yy", "zz")
"""Diagonal of the tensor, in the standard setting of the crystal."""

CHART = ("chart_x", "chart_y")
"""Place on the chart of known compounds."""

VOLUME_CHANGE = "relaxed_volume_change"
"""Column of the relative change of the volume by relaxation."""


@dataclass(frozen=True, slots=True)
class Options:
    """What a prediction holds beside kappa at 300 K.

    Attributes
    ----------
    level : float
        Nominal coverage of the intervals.
    properties : tuple of str
        Auxiliary properties, from `Predictor.available_properties`.
    temperatures : tuple of float
        In K: kappa and its interval at each of them.
    tensor : bool
        Whether to give the diagonal of the tensor of kappa at 300 K.
    held_out : bool
        Use only members not trained on the formula.
    allow_vacuum : bool
        Predict slabs, wires and molecules in vacuum, with a warning, in place of rejecting them.
    relaxed : bool
        Whether to give the relative change of the volume of crystals that were relaxed (`paraisite.potentials`).
    chart : bool
        Whether to give the place on the chart of known compounds (`paraisite.prediction.chart`).

    Raises
    ------
    ValueError
        If a temperature is outside the range of `paraisite.physics.temperature`.
    """

    level: float = LEVEL
    properties: tuple[str, ...] = ()
    temperatures: tuple[float, ...] = ()
    tensor: bool = False
    held_out: bool = False
    allow_vacuum: bool = False
    relaxed: bool = False
    chart: bool = False

    def __post_init__(self) -> None:
        check_temperatures(self.temperatures)

    @property
    def further(self) -> tuple[str, ...]:
        """Columns after those of every prediction."""
        axes = [axis_column(axis) for axis in AXES if self.tensor]
        return (*self.predicted, *axes, *((VOLUME_CHANGE,) if self.relaxed else ()))

    @property
    def predicted(self) -> tuple[str, ...]:
        """Those that networks give."""
        return (
            *(column(name) for name in self.properties),
            *(name for t in self.temperatures for name in temperature_columns(t)),
            *(CHART if self.chart else ()),
        )

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns, in order."""
        return (*COLUMNS, *self.further)


KAPPA = Options()
"""Kappa at 300 K, its interval, and nothing else."""


def temperature_columns(temperature: float) -> tuple[str, str, str]:
    """Columns of kappa at a temperature in K, and of the bounds of its interval."""
    at = f"{temperature:g}K"
    return f"kappa_{at}_W_mK", f"kappa_{at}_low_W_mK", f"kappa_{at}_high_W_mK"


def axis_column(axis: str) -> str:
    """Column of an element of the tensor, such as ``zz``."""
    return f"kappa_{axis}_W_mK"
