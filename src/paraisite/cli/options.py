"""Options that several verbs share."""

from __future__ import annotations

import math
from collections.abc import Sequence
from enum import Enum, StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from paraisite.potentials.relaxing import RelaxSettings


class Device(StrEnum):
    """Where the model runs."""

    cpu = "cpu"
    cuda = "cuda"
    auto = "auto"


class Disorder(StrEnum):
    """What happens to crystals with partly occupied sites."""

    reject = "reject"
    majority = "majority"


class Ranking(StrEnum):
    """Ranking criteria."""

    expected = "expected"
    probability = "probability"
    bound = "bound"
    uncertainty = "uncertainty"


def tell_replaced(name: str | None) -> str | None:
    """Return the name of a model, and say on standard error if another model has replaced it."""
    if name:
        from paraisite.model.registry import replacement

        if note := replacement(name):
            typer.echo(f"note: {note}", err=True)
    return name


def device_is_there(device: Device) -> Device:
    """Return a device, or refuse ``cuda`` where torch sees none."""
    if device == Device.cuda:
        import torch

        if not torch.cuda.is_available():
            raise typer.BadParameter("no CUDA device is visible to torch; use --device cpu")
    return device


def positive(value: float | None) -> float | None:
    """Take a finite number above zero only."""
    if value is not None and not 0 < value < math.inf:
        raise typer.BadParameter(f"{value:g} is not a number above 0")
    return value


def refuse(ctx: typer.Context, parameters: Sequence[str], reason: str) -> None:
    """Raise a ValueError if one of these parameters was given."""
    for parameter in ctx.command.params:
        source = ctx.get_parameter_source(parameter.name or "")
        if parameter.name in parameters and source is not None and source.name == "COMMANDLINE":
            raise ValueError(f"{parameter.opts[0]} {reason}")


DeviceOption = Annotated[
    Device,
    typer.Option("--device", help="Device of the model; auto uses a GPU where there is one.", callback=device_is_there),
]
LevelOption = Annotated[
    float, typer.Option("--level", metavar="FRACTION", help="Probability that the interval holds kappa, such as 0.8.")
]
MirrorOption = Annotated[
    Path | None,
    typer.Option(
        "--mirror",
        metavar="DIR",
        exists=True,
        file_okay=False,
        help="Folder of datasets and weights, used instead of the network; by default PARAISITE_MIRROR.",
    ),
]
ModelOption = Annotated[
    str | None,
    typer.Option(
        "--model", metavar="NAME|DIR", help="A model's name or folder.", show_default="kappa", callback=tell_replaced
    ),
]
PropertiesOption = Annotated[
    str,
    typer.Option(
        "--properties",
        metavar="LIST",
        help="Further properties, separated by commas; `paraisite models info kappa` lists them.",
    ),
]
TemperaturesOption = Annotated[
    str,
    typer.Option(
        "--temperatures",
        metavar="FIRST:LAST:STEP|LIST",
        help="Also predict kappa at these temperatures in K (100 to 1500), with intervals.",
    ),
]
TensorOption = Annotated[
    bool, typer.Option("--tensor", help="Also predict kappa along x, y and z of the standard setting.")
]
AllowVacuumOption = Annotated[
    bool, typer.Option("--allow-vacuum", help="Predict slabs, wires and molecules in vacuum, with a warning.")
]
RelaxOption = Annotated[
    bool, typer.Option("--relax", help="Relax each structure with a potential before its prediction.")
]
PotentialOption = Annotated[
    str | None,
    typer.Option(
        "--potential",
        metavar="NAME|MODULE:FACTORY",
        help="With --relax: registered potential, or Python factory of an ASE calculator.",
        show_default="tensornet-matpes",
    ),
]
MaxHoursOption = Annotated[
    float | None,
    typer.Option(
        "--max-hours",
        metavar="HOURS",
        help="With --relax: time limit per crystal.",
        show_default="0.1",
        callback=positive,
    ),
]
DisorderOption = Annotated[
    Disorder, typer.Option("--disorder", help="Reject disordered crystals, or use the majority species of each site.")
]
RankOption = Annotated[
    Ranking,
    typer.Option(
        "--rank",
        help="Ranking criterion: expected kappa, probability within the bounds, optimistic end of the interval, or "
        "largest uncertainty.",
    ),
]
PerSystemOption = Annotated[
    int | None, typer.Option("--per-system", metavar="N", min=1, help="Maximum number of rows per chemical system.")
]
WhereOption = Annotated[
    str, typer.Option("--where", metavar="EXPR", help="Condition on columns: 'n_elements <= 3 and applicability > 0.1'")
]

SettingsOption = Annotated[
    Path | None,
    typer.Option("--settings", metavar="FILE", help="Read settings from a YAML file; options override it."),
]
OverwriteOption = Annotated[bool, typer.Option("--overwrite", help="Replace existing output.")]


def check_level(level: float) -> None:
    """Raise a ValueError where `--level` cannot be a coverage."""
    if not 0 < level < 1:
        raise ValueError(f"--level {level:g}: choose a fraction between 0 and 1, such as 0.9")


def parse_temperatures(text: str, place: str = "--temperatures") -> tuple[float, ...]:
    """Parse ``FIRST:LAST:STEP`` or a list of temperatures in K; empty text is an empty list.

    Raises
    ------
    ValueError
        If the text is neither; the message names `place`.
    """
    try:
        if ":" not in text:
            found = tuple(dict.fromkeys(float(part) for part in text.split(","))) if text else ()
            if not all(map(math.isfinite, found)):
                raise ValueError
            return found
        first, last, step = (float(part) for part in text.split(":"))
        if step <= 0 or last < first or not math.isfinite(last - first):
            raise ValueError
        return tuple(first + i * step for i in range(int((last - first) / step + 1e-9) + 1))
    except ValueError:
        raise ValueError(f"{place} {text}: write FIRST:LAST:STEP, such as 100:1000:100, or 300,600") from None


def given(ctx: typer.Context) -> dict[str, Any]:
    """Return the parameters that the command line or the environment sets, without those left at their defaults."""
    found = {}
    for name, value in ctx.params.items():
        source = ctx.get_parameter_source(name)
        if source is not None and source.name in ("COMMANDLINE", "ENVIRONMENT"):
            found[name] = value.value if isinstance(value, Enum) else value
    return found


def listed(text: str) -> tuple[str, ...]:
    """Return the names of a list separated by commas, each once."""
    return tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))


def relax_settings(potential: str | None, max_hours: float | None, device: str, mirror: Path | None) -> RelaxSettings:
    """Return how `--relax` relaxes, by the options given.

    Raises
    ------
    ValueError
        If there is no such potential.
    """
    from paraisite.potentials import full_name
    from paraisite.potentials.relaxing import RelaxSettings

    chosen: dict[str, Any] = {}
    if potential is not None:
        chosen["potential"] = full_name(potential)
    if max_hours is not None:
        chosen["max_hours"] = max_hours
    return RelaxSettings(mirror=str(mirror) if mirror else None, device=str(device), **chosen)
