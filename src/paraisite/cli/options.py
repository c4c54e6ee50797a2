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
        help="Folder that holds data sets and weights; by default PARAISITE_MIRROR.",
    ),
]
