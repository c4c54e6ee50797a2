"""`paraisite data split`: folds of a dataset, saved beside it, with what training and validation share."""

from __future__ import annotations

import re
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from paraisite.cli.console import cell, console, say
from paraisite.cli.data.folders import load_dataset
from paraisite.cli.errors import guarded, wrong_usage
from paraisite.cli.options import MirrorOption, OverwriteOption
from paraisite.files.printable import counted

if TYPE_CHECKING:
    from rich.table import Table

    from paraisite.datasets import Dataset
    from paraisite.datasets.saved_split import SavedSplit

EXAMPLES = """Examples:

\b
  paraisite data split my_dataset/ --by formula
  paraisite data split my_dataset/ --by element --elements O,S,Se
  paraisite data split mix --by paper --runs 1-9 -o splits/
  paraisite data split aflow_agl --by kappa --quantile 0.05
  paraisite data split mix --by kappa --above 10 --below 50

The same data and options give the same split everywhere. A file NAME.json holds the validation rows of each fold
(from 0, in the order of the dataset; all other rows train), and the hash of the data it belongs to."""

LEGEND = """\
train, val.: rows, and their range of κ in W/m/K; then how many of the formulas, chemical systems, prototypes
(anonymous formula and space group) and crystals of the validation rows also stand in training"""


class By(StrEnum):
    """Kinds of split."""

    kfold = "kfold"
    paper = "paper"
    formula = "formula"
    chemical_system = "chemical-system"
    prototype = "prototype"
    element = "element"
    kappa = "kappa"


@guarded
def split(
    dataset: Annotated[str, typer.Argument(metavar="DATASET", help="A dataset's name or folder.")],
    by: Annotated[
        By,
        typer.Option(
            "--by",
            help="Rows at random (kfold, or the study's runs: paper), whole groups at random (formula, "
            "chemical-system, prototype), all crystals that contain an element, or by conductivity.",
        ),
    ],
    folds: Annotated[int | None, typer.Option("--folds", metavar="N", help="Number of folds. [default: 5]")] = None,
    seed: Annotated[int | None, typer.Option("--seed", metavar="N", help="Seed of the folds. [default: 1]")] = None,
    runs: Annotated[
        str | None, typer.Option("--runs", metavar="LIST", help="Runs of the study, as 1-9 or 1,4. [default: 1-9]")
    ] = None,
    elements: Annotated[
        str | None,
        typer.Option("--elements", metavar="LIST", help="Elements to hold out, such as O,S; by default all."),
    ] = None,
    min_rows: Annotated[
        int | None,
        typer.Option("--min-rows", metavar="N", help="Skip elements with fewer rows than this. [default: 10]"),
    ] = None,
    above: Annotated[
        float | None, typer.Option("--above", metavar="KAPPA", help="Hold out rows above this (W/m/K).")
    ] = None,
    below: Annotated[
        float | None,
        typer.Option(
            "--below",
            metavar="KAPPA",
            help="Hold out rows below this; with a lower --above, the rows between the two.",
        ),
    ] = None,
    quantile: Annotated[
        float | None,
        typer.Option("--quantile", metavar="SHARE", help="Hold out the lowest share, then the highest. [default: 0.1]"),
    ] = None,
    name: Annotated[
        str | None, typer.Option("--name", metavar="NAME", help="Name of the split, by default made of the options.")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="DIR",
            file_okay=False,
            help="Write NAME.json there; by default into splits/ of a dataset's folder, and nothing for a name.",
        ),
    ] = None,
    overwrite: OverwriteOption = False,
    mirror: MirrorOption = None,
) -> None:
    """Split a dataset into training and validation rows, and list what the two share."""
    with wrong_usage():
        parameters: dict[str, Any] = {
            "folds": folds,
            "seed": seed,
            "runs": None if runs is None else _numbers(runs),
            "elements": None if elements is None else _symbols(elements),
            "min_rows": min_rows,
            "above": above,
            "below": below,
            "quantile": quantile,
        }
        given = {parameter: value for parameter, value in parameters.items() if value is not None}

        from paraisite.datasets.saved_split import make_split, write_split

        with console(stderr=True).status("reading") as status:
            data = load_dataset(dataset, mirror)
            made = make_split(
                data, by.value, name=name, say=lambda kind: status.update(f"comparing by {kind}"), **given
            )
        folder = _folder(dataset) if output is None else output
        path = None if folder is None else write_split(made, folder, overwrite=overwrite)

    say(f"{data.name}: {counted(len(data), 'row')}, split {made.name}, hash {made.split_hash[:12]}")
    console().print(_table(made, data))
    say(LEGEND)
    if made.skipped:
        rows = ", ".join(f"{symbol} ({reason.split()[0]})" for symbol, reason in made.skipped.items())
        fewest = made.parameters["min_rows"]
        say(f"skipped (fewer than {fewest} rows with or without the element): {rows}")
    say(f"written: {path}" if path is not None else "not written; give a folder with -o DIR", err=True)


def _folder(dataset: str) -> Path | None:
    """Return where splits of a dataset that was given as a folder are kept; None for one given by name."""
    from paraisite.datasets.registry import find
    from paraisite.datasets.saved_split import FOLDER

    if find(dataset) is not None:
        return None
    path = Path(dataset).expanduser()
    return (path if path.is_dir() else path.parent) / FOLDER


def _numbers(text: str) -> list[int]:
    """Read ``1-3,7`` as 1, 2, 3, 7."""
    found: list[int] = []
    for part in text.split(","):
        match = re.fullmatch(r"\s*(\d+)\s*(?:-\s*(\d+)\s*)?", part)
        if match is None:
            raise ValueError(f"--runs {text}: {part!r} is neither a number nor a range; write 1-9 or 1,4")
        first, last = int(match[1]), int(match[2] or match[1])
        if not first <= last < 2**32:
            raise ValueError(f"--runs {text}: {part!r} is not a valid range")
        if last - first > 1000:
            raise ValueError(f"--runs {text}: more than a thousand runs")
        found.extend(range(first, last + 1))
    return found


def _symbols(text: str) -> list[str]:
    from paraisite.crystals.elements import NUMBERS

    symbols = [part.strip().capitalize() for part in text.split(",")]
    if wrong := [symbol for symbol in symbols if symbol not in NUMBERS]:
        raise ValueError(f"--elements {text}: {', '.join(map(repr, wrong))} is not an element; write symbols as O,S,Se")
    return symbols


def _table(made: SavedSplit, data: Dataset) -> Table:
    import numpy as np
    from rich import box
    from rich.table import Table

    from paraisite.datasets.dataset import KAPPA
    from paraisite.datasets.splits import split_hash

    kappa = data.targets.get(KAPPA, np.full(len(data), np.nan))
    kinds = list(made.folds[0].overlap)
    headings = ("fold", "train", "val.", "κ train", "κ val.", *kinds, "hash")
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in headings:
        left = heading in ("fold", "hash")
        table.add_column(heading.replace("chemical-", ""), justify="left" if left else "right", no_wrap=True)
    for fold, sides in zip(made.folds, made.splits, strict=True):
        shared = [f"{fold.overlap[kind].shared}/{fold.overlap[kind].groups}" for kind in kinds]
        sizes, ranges = [str(len(side)) for side in sides], [_range(kappa[side]) for side in sides]
        table.add_row(cell(fold.name), *sizes, *ranges, *shared, split_hash(sides)[:8])
    return table


def _range(kappa: Any) -> str:
    known = kappa[kappa == kappa]  # not NaN
    return "–".join(f"{x:.0f}" if x >= 100 else f"{x:.3g}" for x in (known.min(), known.max())) if len(known) else "–"
