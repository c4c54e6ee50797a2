"""Options that several verbs share."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Device(StrEnum):
    """Where networks run."""

    cpu = "cpu"
    cuda = "cuda"
    auto = "auto"


class Disorder(StrEnum):
    """What happens to crystals with partly occupied sites."""

    reject = "reject"
    majority = "majority"


class Ranking(StrEnum):
    """What comes first."""

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


DeviceOption = Annotated[Device, typer.Option("--device", help="Where the networks run.")]
LevelOption = Annotated[
    float, typer.Option("--level", metavar="FRACTION", help="Share of true values that the intervals shall cover.")
]
MirrorOption = Annotated[
    Path | None,
    typer.Option(
        "--mirror",
        metavar="DIR",
        exists=True,
        file_okay=False,
        help="Folder that holds datasets and weights; by default PARAISITE_MIRROR.",
    ),
]
ModelOption = Annotated[
    str | None,
    typer.Option(
        "--model", metavar="NAME|DIR", help="A model's name or folder.", show_default="kappa", callback=tell_replaced
    ),
]
PropertiesOption = Annotated[
    str, typer.Option("--properties", metavar="LIST", help="Further properties, separated by commas.")
]
DisorderOption = Annotated[
    Disorder, typer.Option("--disorder", help="Reject disordered crystals, or take each site's main species.")
]
RankOption = Annotated[
    Ranking,
    typer.Option(
        "--rank",
        help="First the best kappa, the most probable within the bounds, the best end of the interval, or the least "
        "certain.",
    ),
]
PerSystemOption = Annotated[
    int | None, typer.Option("--per-system", metavar="N", min=1, help="Candidates at most of one set of elements.")
]
WhereOption = Annotated[
    str, typer.Option("--where", metavar="EXPR", help="Condition on columns: 'n_elements <= 3 and applicability > 0.1'")
]


OverwriteOption = Annotated[
    bool, typer.Option("--overwrite", "--force", help="Replace the output that exists already; else it is refused.")
]


def check_level(level: float) -> None:
    """Raise a ValueError where `--level` is no share."""
    if not 0 < level < 1:
        raise ValueError(f"--level {level:g}: choose a share between 0 and 1, such as 0.9")


def listed(text: str) -> tuple[str, ...]:
    """Return the names of a list separated by commas, each once."""
    return tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
