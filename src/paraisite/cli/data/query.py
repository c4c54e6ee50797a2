"""`paraisite data query`: what a live source has on a question, as a dataset."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from paraisite.cli.console import say
from paraisite.cli.data.folders import listed
from paraisite.cli.errors import FAILED, fail, guarded, wrong_usage
from paraisite.cli.progress import progress_bar
from paraisite.files.printable import counted

if TYPE_CHECKING:
    from paraisite.crystals.rejection import Rejection
    from paraisite.datasets.sources.rows import Row

EXAMPLES = """Examples:

\b
  paraisite data query aflow --elements Si -o si/
  paraisite data query mp --stable --max-sites 8 --elements Mg,O -o mgo/
  paraisite data query optimade --provider https://optimade.materialsproject.org --filter 'nelements=2' -o binaries/
  paraisite data query phonix -o phonix/

\b
Answers are kept in DIR/.pages until the dataset is complete; to resume an interrupted query, repeat the command.
Exit status: 0 if all announced entries arrived; 1 if none did, or if the dataset is incomplete; 2 on wrong usage."""

app = typer.Typer(
    rich_markup_mode=None,
    no_args_is_help=True,
    help="Ask a live source and store its answer as a dataset.",
    epilog=EXAMPLES,
)

OutputOption = Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="New folder for the dataset.")]
ElementsOption = Annotated[
    str, typer.Option("--elements", metavar="LIST", help="Required elements, separated by commas.")
]
LimitOption = Annotated[int | None, typer.Option("--limit", metavar="N", min=1, help="Maximum number of entries.")]
PageSizeOption = Annotated[int, typer.Option("--page-size", metavar="N", min=1, max=10000, help="Entries per request.")]
NameOption = Annotated[
    str, typer.Option("--name", metavar="NAME", help="Name of the dataset.", show_default="the source's")
]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="Hide the progress bar and the summary.")]


@app.command(
    epilog="""Examples:

\b
  paraisite data query aflow --elements Mg,O -o mgo/
  paraisite data query aflow --filter 'nspecies(2),Egap(1*)' --limit 1000 -o gapped/"""
)
@guarded
def aflow(
    output: OutputOption,
    filter: Annotated[
        str, typer.Option("--filter", metavar="TEXT", help="Conditions in AFLUX's language, such as nspecies(2).")
    ] = "",
    elements: ElementsOption = "",
    catalog: Annotated[
        str, typer.Option("--catalog", metavar="NAME", help="AFLOW's catalog: ICSD, LIB1 to LIB9; '' for all.")
    ] = "ICSD",
    limit: LimitOption = None,
    page_size: PageSizeOption = 500,
    server: Annotated[
        str | None, typer.Option("--server", metavar="URL", help="Another server.", show_default="aflow.org")
    ] = None,
    name: NameOption = "aflow",
    quiet: QuietOption = False,
) -> None:
    """Entries of AFLOW with an AGL conductivity, and their other AGL and AEL properties."""
    asked = {"filter": filter, "elements": _symbols(elements), "catalog": catalog, "limit": limit, "server": server}
    _store("aflow", asked | {"page_size": page_size}, output, name, quiet)


@app.command(
    epilog="""Examples:

\b
  export MP_API_KEY=...    (from https://next-gen.materialsproject.org/api)
  paraisite data query mp --chemsys Mg-O,Ca-O --stable -o oxides/
  paraisite data query mp --formula ABC --max-above-hull 0.05 -o ternaries/"""
)
@guarded
def mp(
    output: OutputOption,
    formula: Annotated[
        str, typer.Option("--formula", metavar="LIST", help="Formulas: MgO, or anonymous: ABC; any of them.")
    ] = "",
    chemsys: Annotated[
        str, typer.Option("--chemsys", metavar="LIST", help="Chemical systems, such as Mg-O; any of them.")
    ] = "",
    elements: ElementsOption = "",
    ids: Annotated[str, typer.Option("--ids", metavar="LIST", help="Material ids, such as mp-149.")] = "",
    stable: Annotated[bool, typer.Option("--stable", help="Only structures on the convex hull.")] = False,
    max_above_hull: Annotated[
        float | None,
        typer.Option("--max-above-hull", metavar="EV", min=0, help="Maximum energy above the hull, eV/atom."),
    ] = None,
    max_sites: Annotated[
        int | None, typer.Option("--max-sites", metavar="N", min=1, help="Maximum number of sites.")
    ] = None,
    gnome: Annotated[bool, typer.Option("--gnome", help="Include GNoME entries (CC BY-NC).")] = False,
    limit: LimitOption = None,
    page_size: PageSizeOption = 500,
    endpoint: Annotated[
        str | None,
        typer.Option("--endpoint", metavar="URL", help="Another server.", show_default="api.materialsproject.org"),
    ] = None,
    name: NameOption = "mp",
    quiet: QuietOption = False,
) -> None:
    """Structures of the Materials Project. The key is read from MP_API_KEY and never stored."""
    asked = {
        "formula": _list(formula),
        "chemsys": _list(chemsys),
        "elements": _symbols(elements),
        "ids": _list(ids),
        "stable": stable,
        "max_above_hull": max_above_hull,
        "max_sites": max_sites,
        "gnome": gnome,
        "limit": limit,
        "page_size": page_size,
        "endpoint": endpoint,
    }
    _store("mp", asked, output, name, quiet)


@app.command(
    epilog="""Examples:

\b
  paraisite data query optimade --provider https://optimade.materialsproject.org --elements Mg,O -o mgo/
  paraisite data query optimade --provider https://alexandria.icams.rub.de/pbe \\
      --provider https://oqmd.org/optimade --filter 'nelements=2 AND nsites<=4' --limit 500 -o binaries/

\b
Providers: https://www.optimade.org/providers-dashboard"""
)
@guarded
def optimade(
    output: OutputOption,
    provider: Annotated[
        list[str], typer.Option("--provider", metavar="URL", help="Base URL of a provider; may be repeated.")
    ],
    filter: Annotated[str, typer.Option("--filter", metavar="TEXT", help="Filter of the OPTIMADE query.")] = "",
    elements: ElementsOption = "",
    limit: Annotated[
        int | None, typer.Option("--limit", metavar="N", min=1, help="Maximum number of entries per provider.")
    ] = None,
    page_size: PageSizeOption = 100,
    name: NameOption = "optimade",
    quiet: QuietOption = False,
) -> None:
    """Structures of OPTIMADE providers; failures are isolated."""
    asked = {"filter": filter, "providers": provider, "elements": _symbols(elements), "limit": limit}
    _store("optimade", asked | {"page_size": page_size}, output, name, quiet)


@app.command(
    epilog="""Examples:

\b
  paraisite data query phonix -o phonix/
  HF_ENDPOINT=https://mirror.example paraisite data query phonix --elements Mg -o phonix-mg/"""
)
@guarded
def phonix(
    output: OutputOption,
    elements: ElementsOption = "",
    limit: LimitOption = None,
    revision: Annotated[
        str, typer.Option("--revision", metavar="REV", help="Branch, tag or commit on the hub.")
    ] = "main",
    endpoint: Annotated[
        str | None, typer.Option("--endpoint", metavar="URL", help="Another hub.", show_default="HF_ENDPOINT")
    ] = None,
    name: NameOption = "phonix",
    quiet: QuietOption = False,
) -> None:
    """First-principles conductivities of the Phonix database, from the Hugging Face hub."""
    asked = {"elements": _symbols(elements), "limit": limit, "revision": revision, "endpoint": endpoint}
    _store("phonix", asked, output, name, quiet)


def _list(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _symbols(text: str) -> list[str]:
    return [symbol.capitalize() for symbol in _list(text)]


def _store(source: str, asked: Mapping[str, Any], folder: Path, name: str, quiet: bool) -> None:
    """Ask, and write what arrives."""
    pages = folder / ".pages"
    with wrong_usage():
        from paraisite.datasets import sources
        from paraisite.datasets.store import is_dataset_folder, write_dataset
        from paraisite.datasets.table import DatasetError
        from paraisite.files.writing import write_json

        origin = {"source": source, **{key: value for key, value in asked.items() if value not in (None, "", [])}}
        _check_folder(folder, pages, origin, holds_dataset=is_dataset_folder(folder))
        client = sources.Client(pages, say=lambda line: None if quiet else say(line, err=True))
        asks = sources.SOURCES[source]
        rows = asks.query(**asked, client=client)
        pages.mkdir(parents=True, exist_ok=True)
        write_json(pages / "query.json", origin, indent=None, end="")

    def kept() -> str:
        """Say where pages are kept; where none came, leave nothing behind."""
        if any(path.name != "query.json" for path in pages.rglob("*") if path.is_file()):
            return f"answers are kept in {pages}; to resume, repeat the command"
        shutil.rmtree(pages, ignore_errors=True)
        with suppress(OSError):  # it held something before
            folder.rmdir()
        return "no entry arrived"

    arrived: list[Row] = []
    incomplete = False
    try:
        with progress_bar(names=(source,), shown=not quiet, elapsed=True) as show:
            for row in rows:
                arrived.append(row)
                show(source, len(arrived), client.expected)
        incomplete = any(isinstance(row, sources.Shortfall) for row in arrived)
        dataset = sources.collect(arrived, name)
    except KeyboardInterrupt:
        say(f"interrupted: {kept()}", err=True)
        raise
    except sources.SourceError as error:
        fail(f"{error} ({kept()})", FAILED)
    except DatasetError as error:
        if not incomplete:
            shutil.rmtree(pages)
        fail(str(error), FAILED)
    with wrong_usage():
        write_dataset(dataset, folder, origin=origin | {"date": date.today().isoformat()}, **asks.terms)
    if not quiet:
        _summarise(dataset.rejections, len(dataset), folder)
    if incomplete:
        fail(f"the answer is incomplete; {kept()}", FAILED)
    shutil.rmtree(pages)


def _check_folder(folder: Path, pages: Path, origin: Mapping[str, Any], *, holds_dataset: bool) -> None:
    """Raise a ValueError where a folder holds something else."""
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"{folder}: is a file; name a folder with -o")
    if (pages / "query.json").is_file():
        try:
            before = json.loads((pages / "query.json").read_bytes())
        except ValueError:
            before = None
        if before != json.loads(json.dumps(origin)):
            raise ValueError(f"{pages} holds the pages of another query; remove it, or name another folder")
    elif holds_dataset or (folder / "id_prop.csv").exists():
        raise ValueError(f"{folder} holds a dataset already; name another folder")


def _summarise(given: Sequence[Rejection], n: int, folder: Path) -> None:
    say(f"{folder}: {counted(n, 'crystal')}, {len(given)} rejected", err=True)
    for line in listed(given, more=", in card.json"):
        say(line, err=True)
