"""The rules of `clean`: what each looks at, its threshold, and what it does; all of it can be set in a YAML file.

`docs/cleaning.md` gives the reason of each threshold.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from paraisite.datasets.doubts import HIGHEST, LOWEST
from paraisite.datasets.duplicates import Matching
from paraisite.datasets.table import DatasetError
from paraisite.files.settings import read_mapping

_Off = BeforeValidator(lambda value: "off" if value is False else value)  # YAML reads a bare `off` as false

Action = Annotated[Literal["drop", "flag", "off"], _Off]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Drop(_Strict):
    """A rule whose findings leave the dataset."""

    action: Action = "drop"


class Flag(_Strict):
    """A rule whose findings stay and are marked."""

    action: Action = "flag"


class Kappa(Drop):
    """Kappa that is not positive or finite, or missing; or beyond `lowest` and `highest` (W/m/K), as no solid is."""

    lowest: float = Field(default=LOWEST, ge=0)
    highest: float = Field(default=HIGHEST, gt=0)


class HeatCapacity(Drop):
    """C_v (`heat_capacity_cv_atom`) above `limit`, in k_B per atom."""

    limit: float = Field(default=3.0, gt=0)


class Gruneisen(Drop):
    """Grüneisen parameter below `limit`."""

    limit: float = 0.26


class LowGruneisen(Flag):
    """Grüneisen parameter below `limit`, yet not so low that `gruneisen` applies."""

    limit: float = 1.0


class Overlap(Drop):
    """Two sites closer than `limit` times the sum of their covalent radii."""

    limit: float = Field(default=0.6, gt=0, lt=1)


class AglEquation(Flag):
    """Kappa further than `dex` (in log10) from what AGL's equation makes of the row's own numbers."""

    dex: float = Field(default=0.1, gt=0)


class AglHeatCapacity(Flag):
    """C_v further than `difference` (k_B per atom) from that of a Debye solid of the row's own Debye temperature."""

    difference: float = Field(default=0.2, gt=0)


class AglSupercell(Flag):
    """The cell that AGL used repeats the primitive one; sites of one kind agree within `distance` (Å)."""

    distance: float = Field(default=0.1, gt=0)


class Units(Flag):
    """Kappa 100 or 1000 times (or a 100th or 1000th of) what the fit and the `neighbours` nearest crystals say.

    Too few rows for a fit are compared with one of other data (`doubts.expected`), from which they are off by more
    than `far`. A column that is doubted as a whole (`doubts.column_doubt`) has all its rows meant.

    All three comparisons of `plausibility` must be off by `dex` to the same side, and the last one lie within `within`
    of the factor (both in log10). Kappa that `agl_equation` finds right is never meant.
    """

    dex: float = Field(default=1.5, gt=0)
    within: float = Field(default=0.6, gt=0)
    far: float = Field(default=1.75, gt=0)
    neighbours: int = Field(default=7, ge=1)


class Outlier(Flag):
    """Kappa further from the robust fit than `sigma` robust standard deviations and `dex` (in log10)."""

    sigma: float = Field(default=4.0, gt=0)
    dex: float = Field(default=0.8, gt=0)


class Duplicates(Matching):
    """Crystals that are the same as another one, see `Matching`; the most typical of them stands for all."""

    action: Annotated[Literal["merge", "flag", "off"], _Off] = "merge"


class Conflict(Flag):
    """Values of kappa for one crystal that differ by more than `dex` (in log10)."""

    dex: float = Field(default=0.3, gt=0)


class Rules(_Strict):
    """All rules, in the order in which they look at the rows; what one drops the next do not see.

    Attributes
    ----------
    kappa : Kappa
        Kappa not positive, not finite or beyond any solid's, or missing where the row has no other value either.
    heat_capacity : HeatCapacity
    bulk_modulus : Drop
        A bulk or shear modulus that is not positive.
    debye_temperature : Drop
        Debye temperature not positive.
    gruneisen : Gruneisen
    low_gruneisen : LowGruneisen
    overlap : Overlap
    agl_equation, agl_heat_capacity, agl_supercell
        Only where the conductivities obey AGL's equation: in data made with it.
    units : Units
    outlier : Outlier
    duplicates : Duplicates
    conflict : Conflict
    """

    kappa: Kappa = Kappa()
    heat_capacity: HeatCapacity = HeatCapacity()
    bulk_modulus: Drop = Drop()
    debye_temperature: Drop = Drop()
    gruneisen: Gruneisen = Gruneisen()
    low_gruneisen: LowGruneisen = LowGruneisen()
    overlap: Overlap = Overlap()
    agl_equation: AglEquation = AglEquation()
    agl_heat_capacity: AglHeatCapacity = AglHeatCapacity()
    agl_supercell: AglSupercell = AglSupercell()
    units: Units = Units()
    outlier: Outlier = Outlier()
    duplicates: Duplicates = Duplicates()
    conflict: Conflict = Conflict()


def load_rules(path: str | Path) -> Rules:
    """Read rules from a YAML file; what it does not name keeps its default.

    Raises
    ------
    DatasetError
        If the file cannot be read or a key or value is not allowed; the message names it.
    """
    path = Path(path).expanduser()
    try:
        return Rules.model_validate(read_mapping(path, Rules.model_fields, DatasetError))
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(map(str, first["loc"]))
        raise DatasetError(
            f"{path}: {key}: {first['msg']}; the rules are {', '.join(Rules.model_fields)}, see docs/cleaning.md"
        ) from error
