"""`ScreenSettings`: what `paraisite screen` can be told of the model, the work and the shortlist."""

from __future__ import annotations

from dataclasses import fields
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from paraisite.crystals.sites import Disorder
from paraisite.model.registry import DEFAULT
from paraisite.potentials import full_name
from paraisite.potentials.relaxing import RelaxSettings
from paraisite.prediction.options import Options
from paraisite.screening import engines
from paraisite.screening.part import RELAXED_SIZE, SIZE
from paraisite.screening.predicting import Screening
from paraisite.screening.shortlist import TOP, Rank, Wish, keeping
from paraisite.targets import LEVEL


class ScreenSettings(BaseModel):
    """Choices of a screening; each is an option of the same name.

    Attributes
    ----------
    model, properties, level, device, disorder, exact, temperatures, tensor, allow_vacuum
        As in `Screening`.
    relax : bool
        Relax crystals before they are predicted.
    potential, max_hours
        Of `RelaxSettings`, with `relax`.
    workers, engine, ray_address, part_size
        As in `How`; parts are small by default where crystals are relaxed.
    below, above, rank, top, per_system
        As in `Wish`.
    where : str
        Condition on the columns, for rows of the shortlist.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    model: str = DEFAULT
    properties: tuple[str, ...] = ()
    level: float = Field(default=LEVEL, gt=0, lt=1)
    device: str = "cpu"
    disorder: Disorder = "reject"
    exact: bool = False
    temperatures: tuple[float, ...] = ()
    tensor: bool = False
    allow_vacuum: bool = False
    relax: bool = False
    potential: str | None = None
    max_hours: float | None = Field(default=None, gt=0)
    workers: int | None = Field(default=None, ge=0)
    engine: Annotated[str, AfterValidator(engines.known)] = "processes"
    ray_address: str | None = None
    part_size: int | None = Field(default=None, ge=1)
    below: float | None = None
    above: float | None = None
    where: str = ""
    rank: Rank = "expected"
    top: int | None = Field(default=None, ge=1)
    per_system: int | None = Field(default=None, ge=1)

    @property
    def inputs_per_part(self) -> int:
        """Size of the parts."""
        return self.part_size or (RELAXED_SIZE if self.relax else SIZE)

    def work(self, mirror: str | None = None) -> Screening:
        """Return the work of predicting.

        Raises
        ------
        ValueError
            If there is no such potential, or crystals are not to be relaxed with it.
        """
        named: dict[str, Any] = {}
        for name in ("potential", "max_hours"):
            if (value := getattr(self, name)) is not None:
                if not self.relax:
                    raise ValueError(f"--{name.replace('_', '-')} requires --relax")
                named[name] = full_name(value) if name == "potential" else value
        relax = RelaxSettings(mirror=mirror, device=self.device, **named) if self.relax else None
        shared = {field.name for field in fields(Screening)} & type(self).model_fields.keys() - {"relax"}
        return Screening(mirror=mirror, relax=relax, **{name: getattr(self, name) for name in shared})

    @property
    def asked(self) -> Options:
        """What is asked of the predictor."""
        return self.work().asked

    def wish(self) -> Wish | None:
        """Return what the shortlist holds; None where no shortlist is asked for."""
        keep = keeping(self.where, self.asked.columns)
        top = TOP if self.top is None else self.top
        wish = Wish(self.below, self.above, self.rank, top, self.per_system, keep)
        asked = (self.below, self.above, self.top, self.where or None, self.per_system)
        return wish if any(option is not None for option in asked) else None
