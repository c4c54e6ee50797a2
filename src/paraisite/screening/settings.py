"""`ScreenSettings`: what `paraisite screen` can be told of the model, the work and the shortlist."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from paraisite.crystals.sites import Disorder
from paraisite.model.registry import DEFAULT
from paraisite.prediction.options import Options
from paraisite.screening import engines
from paraisite.screening.part import SIZE
from paraisite.screening.predicting import Screening
from paraisite.screening.shortlist import TOP, Rank, Wish, keeping
from paraisite.targets import LEVEL


class ScreenSettings(BaseModel):
    """Choices of a screening; each is an option of the same name.

    Attributes
    ----------
    model, properties, level, device, disorder, exact, temperatures, tensor
        As in `Screening`.
    workers, engine, ray_address, part_size
        As in `How`.
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
    workers: int | None = Field(default=None, ge=0)
    engine: Annotated[str, AfterValidator(engines.known)] = "processes"
    ray_address: str | None = None
    part_size: int = Field(default=SIZE, ge=1)
    below: float | None = None
    above: float | None = None
    where: str = ""
    rank: Rank = "expected"
    top: int | None = Field(default=None, ge=1)
    per_system: int | None = Field(default=None, ge=1)

    def work(self, mirror: str | None = None) -> Screening:
        """Return the work of predicting."""
        return Screening(
            self.model,
            mirror,
            self.device,
            self.level,
            self.properties,
            self.disorder,
            self.exact,
            self.temperatures,
            self.tensor,
        )

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
