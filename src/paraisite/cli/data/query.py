"""`paraisite data query`: what a live source has on a question, as a dataset."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from paraisite.cli.console import console, say
from paraisite.cli.data.folders import listed
from paraisite.cli.errors import FAILED, fail, guarded, wrong_usage

if TYPE_CHECKING:
    from paraisite.crystals.rejection import Rejection
    from paraisite.datasets.sources import Client
    from paraisite.datasets.sources.rows import Row

EXAMPLES = """Examples:

\b
  paraisite data query aflow --elements Si -o si/
  paraisite data query mp --stable --max-sites 8 --elements Mg,O -o mgo/
  paraisite data query optimade --provider https://optimade.materialsproject.org --filter 'nelements=2' -o binaries/
  paraisite data query phonix -o phonix/

\b
What arrives is kept in DIR/.pages until the dataset is complete: the same command goes on after an interruption.
Exit status: 0 if all that was announced arrived; 1 if nothing did, or if what is written is not complete;
2 on wrong usage."""

app = typer.Typer(
    rich_markup_mode=None,
    no_args_is_help=True,
    help="Ask a live source and store its answer as a dataset.",
    epilog=EXAMPLES,
)

OutputOption = Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="New folder for the dataset.")]
ElementsOption = Annotated[
    str, typer.Option("--elements", metavar="LIST", help="Elements that all must be there, separated by commas.")
]
LimitOption = Annotated[int | None, typer.Option("--limit", metavar="N", min=1, help="Take at most N entries.")]
PageSizeOption = Annotated[
    int, typer.Option("--page-size", metavar="N", min=1, max=10000, help="Entries asked for at once.")
]
NameOption = Annotated[
    str, typer.Option("--name", metavar="NAME", help="Name of the dataset.", show_default="the source's")
]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar and no summary.")]

AFLOW_TERMS = {
    "licence": "AFLOW's terms (cite)",
    "citation": (
        "F. Rose et al., AFLUX: The LUX materials search API for the AFLOW data repositories, "
        "Comput. Mater. Sci. 137, 362 (2017)",
        "C. Toher et al., Phys. Rev. B 90, 174107 (2014)",
        "C. Toher et al., Phys. Rev. Materials 1, 015401 (2017)",
    ),
}
MP_TERMS = {
    "licence": "Materials Project, CC-BY-4.0 (GNoME entries: CC BY-NC 4.0)",
    "citation": (
        "A. Jain et al., The Materials Project: a materials genome approach to accelerating materials innovation, "
        "APL Materials 1, 011002 (2013), doi:10.1063/1.4812323",
    ),
}
OPTIMADE_TERMS = {
    "licence": "the providers' own",
    "citation": ("C. W. Andersen et al., OPTIMADE, an API for exchanging materials data, Sci. Data 8, 217 (2021)",),
}
PHONIX_TERMS = {
    "licence": "CC-BY-4.0",
    "citation": (
        "M. Ohnishi et al., Database and deep-learning scalability of anharmonic phonon properties by automated "
        "brute-force first-principles calculations, npj Comput. Mater. 12, 150 (2026)",
    ),
    "notes": ("300 K; kappa is the sum of the parts of particles (kappa_particle) and coherences.",),
}


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
    """Entries of AFLOW with an AGL conductivity, and what else AGL and AEL say of them."""
    asked = {"filter": filter, "elements": _symbols(elements), "catalog": catalog, "limit": limit, "server": server}
    _store("aflow", asked | {"page_size": page_size}, AFLOW_TERMS, output, name, quiet)


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
    stable: Annotated[bool, typer.Option("--stable", help="Only what lies on the convex hull.")] = False,
    max_above_hull: Annotated[
        float | None, typer.Option("--max-above-hull", metavar="EV", min=0, help="Highest energy above it, eV/atom.")
    ] = None,
    max_sites: Annotated[
        int | None, typer.Option("--max-sites", metavar="N", min=1, help="Largest number of sites.")
    ] = None,
    gnome: Annotated[bool, typer.Option("--gnome", help="Take the GNoME set too (CC BY-NC).")] = False,
    limit: LimitOption = None,
    page_size: PageSizeOption = 500,
    endpoint: Annotated[
        str | None,
        typer.Option("--endpoint", metavar="URL", help="Another server.", show_default="api.materialsproject.org"),
    ] = None,
    name: NameOption = "mp",
    quiet: QuietOption = False,
) -> None:
    """Structures of the Materials Project. The key is taken from MP_API_KEY, and kept nowhere."""
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
    _store("mp", asked, MP_TERMS, output, name, quiet)


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
        list[str], typer.Option("--provider", metavar="URL", help="Base address of a provider; repeat for several.")
    ],
    filter: Annotated[str, typer.Option("--filter", metavar="TEXT", help="Condition in OPTIMADE's language.")] = "",
    elements: ElementsOption = "",
    limit: Annotated[
        int | None, typer.Option("--limit", metavar="N", min=1, help="Take at most N entries from each provider.")
    ] = None,
    page_size: PageSizeOption = 100,
    name: NameOption = "optimade",
    quiet: QuietOption = False,
) -> None:
    """Structures of any provider of OPTIMADE. One that fails does not spoil the others."""
    asked = {"filter": filter, "providers": provider, "elements": _symbols(elements), "limit": limit}
    _store("optimade", asked | {"page_size": page_size}, OPTIMADE_TERMS, output, name, quiet)


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
    _store("phonix", asked, PHONIX_TERMS, output, name, quiet)


def _list(text: str) -> list[str]:
    return [part.strip() for part in text.split(",") if part.strip()]


def _symbols(text: str) -> list[str]:
    return [symbol.capitalize() for symbol in _list(text)]


def _store(
    source: str, asked: Mapping[str, Any], terms: Mapping[str, Any], folder: Path, name: str, quiet: bool
) -> None:
    """Ask, and write what arrives."""
    pages = folder / ".pages"
    with wrong_usage():
        from paraisite.datasets import sources
        from paraisite.datasets.store import is_dataset_folder, write_dataset
        from paraisite.datasets.table import DatasetError

        origin = {"source": source, **{key: value for key, value in asked.items() if value not in (None, "", [])}}
        _check_folder(folder, pages, origin, holds_dataset=is_dataset_folder(folder))
        client = sources.Client(pages, say=lambda line: None if quiet else say(line, err=True))
        rows = getattr(sources, f"query_{source}")(**asked, client=client)
        pages.mkdir(parents=True, exist_ok=True)
        (pages / "query.json").write_text(json.dumps(origin), encoding="utf-8")

    def kept() -> str:
        """Say where pages are kept; where none came, leave nothing behind."""
        if any(path.name != "query.json" for path in pages.rglob("*") if path.is_file()):
            return f"what came is kept in {pages}; the same command goes on"
        shutil.rmtree(pages, ignore_errors=True)
        with suppress(OSError):  # it held something before
            folder.rmdir()
        return "nothing came"

    arrived: list[Row] = []
    incomplete = False
    try:
        with _progress(source, client, shown=not quiet and sys.stderr.isatty()) as watched:
            arrived.extend(watched(rows))
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
        write_dataset(dataset, folder, origin=origin | {"date": date.today().isoformat()}, **terms)
    if not quiet:
        _summarise(dataset.rejections, len(dataset), folder)
    if incomplete:
        fail(f"the answer is not complete; {kept()}", FAILED)
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
    say(f"{folder}: {n} crystals, {len(given)} rejected", err=True)
    for line in listed(given, more=", in card.json"):
        say(line, err=True)


@contextmanager
def _progress(source: str, client: Client, *, shown: bool) -> Iterator[Callable[[Iterator[Row]], Iterator[Row]]]:
    """Yield what shows how many rows passed through it."""
    if not shown:
        yield lambda rows: rows
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console(stderr=True), transient=True) as bar:
        task = bar.add_task(source, total=None)

        def watched(rows: Iterator[Row]) -> Iterator[Row]:
            for row in rows:
                bar.update(task, advance=1, total=client.expected or None)
                yield row

        yield watched
