"""`paraisite data describe`: a page of numbers and figures of one or more datasets."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from paraisite.cli.console import say
from paraisite.cli.data.folders import load_all
from paraisite.cli.errors import guarded, wrong_usage
from paraisite.cli.options import MirrorOption, OverwriteOption
from paraisite.cli.progress import progress_bar
from paraisite.files.names import file_name

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
        Path, typer.Option("--output", "-o", metavar="DIR", file_okay=False, help="Folder of the page and the figures.")
    ],
    overwrite: OverwriteOption = False,
    mirror: MirrorOption = None,
) -> None:
    """Describe and compare datasets in numbers and figures."""
    from paraisite.datasets.describe import describe as describe_datasets
    from paraisite.datasets.describe import markdown
    from paraisite.files.outputs import refuse_existing
    from paraisite.files.writing import write_json, write_text

    with wrong_usage():
        loaded = load_all(datasets, mirror)
        drawn = ("kappa.png", *(_elements_png(dataset.name) for dataset in loaded), "overlap.png", "shared_kappa.png")
        refuse_existing([output / name for name in ("summary.md", "summary.json", *drawn)], overwrite)
        output.mkdir(parents=True, exist_ok=True)
        named: set[str] = set()

        def name(what: str, done: int, total: int | None) -> None:
            if what not in named:
                named.add(what)
                say(f"{what} …", err=True)

        with progress_bar(names=(), otherwise=name) as progress:
            found = describe_datasets(loaded, progress)
    figures = []
    if find_spec("matplotlib") is not None:
        figures = _draw(loaded, found, output)
    else:
        say("no figures: matplotlib is not installed; run pip install 'paraisite[plots]'", err=True)
    page = markdown(found, figures)
    write_text(output / "summary.md", page)
    write_json(output / "summary.json", found.json())
    for line in page.split("\n## Figures")[0].rstrip().split("\n"):
        say(line)
    say(f"written: {', '.join(str(output / name) for name in ('summary.md', 'summary.json', *figures))}", err=True)


def _elements_png(dataset: str) -> str:
    return f"elements_{file_name(dataset, kept='+')}.png"


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
