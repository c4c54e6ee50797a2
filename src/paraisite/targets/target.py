"""`Target`: name, unit, column, transform, temperature and shape of a quantity."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Transform = Literal["identity", "log10", "log10p1", "logit"]


@dataclass(frozen=True, slots=True)
class Share:
    """What a target is a share of: kappa is the sum of `part`, the target's share of it, and `rest`.

    A dataset that has both parts has the target, and a model of the target predicts both parts, which add up to kappa.
    """

    part: str
    rest: str


@dataclass(frozen=True, slots=True)
class Target:
    """A quantity that datasets hold and models predict.

    Attributes
    ----------
    name : str
        In datasets, recipes and ``--properties``.
    unit : str
        Of the values in datasets and predictions; ``1`` where there is none.
    column : str
        In tables of predictions.
    description : str
        One line for the documentation.
    transform : {"identity", "log10", "log10p1", "logit"}
        What a network is trained in, unless a recipe says otherwise.
    temperature : float or None
        In K; None where the quantity has none, or is of the static lattice.
    shape : {"scalar", "tensor"}
        Of one value. All known targets are scalars: of a tensor, such as kappa, the isotropic average.
    share : Share or None
        Where the target is a share of kappa.
    """

    name: str
    unit: str
    column: str
    description: str
    transform: Transform = "log10"
    temperature: float | None = None
    shape: Literal["scalar", "tensor"] = "scalar"
    share: Share | None = None
