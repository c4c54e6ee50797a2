"""`paraisite data describe`: a page of numbers and figures of one or more datasets."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from paraisite.cli.console import console, say
from paraisite.cli.data.folders import load_all
from paraisite.cli.errors import guarded, wrong_usage
from paraisite.cli.options import MirrorOption, OverwriteOption

if TYPE_CHECKING:
    from paraisite.datasets import Dataset
    from paraisite.datasets.describe import Description

EXAMPLES = """Examples:

\b
  paraisite data describe my_dataset/ -o look/
  paraisite data describe l96 hh143 aflow_agl -o look/ --mirror data/

Writes summary.md, summary.json and figures: kappa.png (distribution of κ), elements_NAME.png (periodic table),
overlap.png (formulas and crystals in common) and shared_kappa.png (κ of crystals in common, with the line that
takes the largest dataset to the others)."""


@guarded
def describe(
    datasets: Annotated[list[str], typer.Argument(metavar="DATASET...", help="Names or folders of datasets.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="DIR", file_okay=False, help="Where to write page and figures.")
    ],
    overwrite: OverwriteOption = False,
    mirror: MirrorOption = None,
) -> None:
    """Describe datasets in numbers and figures, alone and side by side."""
    from paraisite.datasets.describe import describe as describe_datasets
    from paraisite.datasets.describe import markdown
    from paraisite.files.outputs import refuse_existing
    from paraisite.files.replacing import replacing

    with wrong_usage():
        loaded = load_all(datasets, mirror)
        drawn = ("kappa.png", *(_elements_png(dataset.name) for dataset in loaded), "overlap.png", "shared_kappa.png")
        refuse_existing([output / name for name in ("summary.md", "summary.json", *drawn)], overwrite)
        output.mkdir(parents=True, exist_ok=True)
        with _progress() as progress:
            found = describe_datasets(loaded, progress)
    figures = []
    if find_spec("matplotlib") is not None:
        figures = _draw(loaded, found, output)
    else:
        say("no figures: matplotlib is missing; pip install 'paraisite[train]'", err=True)
    page = markdown(found, figures)
    for name, text in (("summary.md", page), ("summary.json", json.dumps(found.json(), indent=1) + "\n")):
        with replacing(output / name) as aside:
            aside.write_text(text, encoding="utf-8")
    for line in page.split("\n## Figures")[0].rstrip().split("\n"):
        say(line)
    say(f"written: {', '.join(str(output / name) for name in ('summary.md', 'summary.json', *figures))}", err=True)


@contextmanager
def _progress() -> Iterator[Callable[[str, int, int], None]]:
    """Show on standard error how far each step is; off a terminal only name it."""
    if not sys.stderr.isatty():
        named: set[str] = set()

        def name(what: str, done: int, total: int) -> None:
            if what not in named:
                named.add(what)
                say(f"{what} …", err=True)

        yield name
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

    tasks: dict[str, TaskID] = {}
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console(stderr=True), transient=True) as bar:

        def show(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = bar.add_task(what)
            bar.update(tasks[what], completed=done, total=total)

        yield show


def _elements_png(dataset: str) -> str:
    return re.sub(r"[^\w.+-]", "_", f"elements_{dataset}.png")


def _draw(loaded: list[Dataset], found: Description, folder: Path) -> list[str]:
    """Draw what there is to draw and return the names of the files."""
    from paraisite.datasets import figures

    drawn = ["kappa.png"] if figures.kappa_histograms(loaded, folder / "kappa.png") else []
    for dataset in loaded:
        name = _elements_png(dataset.name)
        figures.periodic_table(found.summaries[dataset.name]["elements"], dataset.name, folder / name)
        drawn.append(name)
    if found.common:
        figures.overlaps(list(found.summaries), found.common, folder / "overlap.png")
        drawn.append("overlap.png")
    if found.shared_kappa is not None:
        figures.shared_kappa(found.shared_kappa, folder / "shared_kappa.png")
        drawn.append("shared_kappa.png")
    return drawn
