"""`paraisite screen`: any number of crystals to one table of predictions, in steps that survive an interruption."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from paraisite.cli.console import console
from paraisite.cli.console import say as show
from paraisite.cli.errors import FAILED, INTERRUPTED, fail, guarded, wrong_usage
from paraisite.cli.options import (
    Device,
    DeviceOption,
    Disorder,
    DisorderOption,
    LevelOption,
    MirrorOption,
    ModelOption,
    OverwriteOption,
    PerSystemOption,
    PropertiesOption,
    Ranking,
    RankOption,
    WhereOption,
    check_level,
    listed,
)

if TYPE_CHECKING:
    import pyarrow as pa

    from paraisite.prediction.table import Summary
    from paraisite.screening.run import How
    from paraisite.screening.sources import Source

EXAMPLES = """Examples:

\b
  paraisite screen archive.zip -o out.parquet --below 1 --top 50
  paraisite screen folder/ -o out.parquet --where 'n_elements <= 3 and applicability > 0.1' --top 100
  paraisite screen archive.zip -o out.parquet --resume
  paraisite screen --optimade https://optimade.materialsproject.org --filter 'nelements=2' -o binaries.parquet

\b
What is done is kept in .OUT.parts until all of it is: the same command with --resume goes on after any end.
Exit status: 0 if something was predicted; 1 if nothing was, or if the work broke off; 2 on wrong usage."""

SHOWN = 20
"""Rows of a shortlist that are printed."""

EVERY = 60.0
"""Seconds between two lines of progress where there is no terminal."""


class Engine(StrEnum):
    """What spreads the work."""

    processes = "processes"
    ray = "ray"


InputsArgument = Annotated[
    list[str] | None,
    typer.Argument(metavar="SOURCE...", help="Files, folders, archives, quoted patterns, graph stores (.parquet)."),
]
OptimadeOption = Annotated[
    str | None, typer.Option("--optimade", metavar="URL", help="Take the structures of a provider of OPTIMADE.")
]
FilterOption = Annotated[str, typer.Option("--filter", metavar="TEXT", help="Condition in OPTIMADE's language.")]
MpOption = Annotated[
    str | None,
    typer.Option("--mp", metavar="QUERY", help="Take the Materials Project's: 'elements=Mg,O stable max_sites=20'."),
]
LimitOption = Annotated[
    int | None, typer.Option("--limit", metavar="N", min=1, help="Take at most N entries of a database.")
]
WorkersOption = Annotated[
    int | None,
    typer.Option(
        "--workers", metavar="N", min=0, help="Worker processes; 0 works in this one.", show_default="one for each core"
    ),
]
EngineOption = Annotated[Engine, typer.Option("--engine", help="Processes of this machine, or Ray for many.")]
RayAddressOption = Annotated[
    str | None,
    typer.Option(
        "--ray-address",
        metavar="auto|HOST:PORT",
        envvar="RAY_ADDRESS",
        help="Ray cluster that this machine is part of.",
        show_default="this machine alone",
    ),
]
ResumeOption = Annotated[bool, typer.Option("--resume", help="Go on with what the same command began.")]
PartSizeOption = Annotated[
    int, typer.Option("--part-size", metavar="N", min=1, help="Inputs that are worked on and kept together.")
]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="No progress and no summary.")]


@guarded
def screen(
    output: Annotated[Path, typer.Option("--output", "-o", metavar="OUT.parquet", help="Table to write.")],
    inputs: InputsArgument = None,
    optimade: OptimadeOption = None,
    filter: FilterOption = "",
    mp: MpOption = None,
    limit: LimitOption = None,
    below: Annotated[
        float | None, typer.Option("--below", metavar="K", help="Shortlist conductivities below K W/m/K.")
    ] = None,
    above: Annotated[float | None, typer.Option("--above", metavar="K", help="Shortlist those above K W/m/K.")] = None,
    top: Annotated[
        int | None, typer.Option("--top", metavar="N", min=1, help="Shortlist at most N rows; 100 by default.")
    ] = None,
    where: WhereOption = "",
    rank: RankOption = Ranking.expected,
    per_system: PerSystemOption = None,
    model: ModelOption = None,
    properties: PropertiesOption = "",
    level: LevelOption = 0.9,
    device: DeviceOption = Device.cpu,
    disorder: DisorderOption = Disorder.reject,
    exact: Annotated[bool, typer.Option("--exact", help="Take the plain, slower path through the networks.")] = False,
    workers: WorkersOption = None,
    engine: EngineOption = Engine.processes,
    ray_address: RayAddressOption = None,
    part_size: PartSizeOption = 512,
    resume: ResumeOption = False,
    overwrite: OverwriteOption = False,
    quiet: QuietOption = False,
    mirror: MirrorOption = None,
) -> None:
    """Predict all crystals of large sources into one Parquet file, and make a shortlist of them.

    OUT.parquet holds a row for each input, in order, rejections included, with the columns of `paraisite predict`. With
    --below, --above, --top, --where or --per-system, the rows that meet all of these stand in OUT.shortlist.csv, best
    first. A finished OUT.parquet given with --resume only gets a shortlist. A table or shortlist that exists already is
    refused, or replaced with --overwrite.
    """
    with wrong_usage():
        check_level(level)
        check_places(inputs, output, resume=resume, overwrite=overwrite)

        from paraisite.files.outputs import refuse_existing
        from paraisite.model.registry import DEFAULT
        from paraisite.prediction.table import Summary
        from paraisite.prediction.write import column_names
        from paraisite.screening.predicting import Screening
        from paraisite.screening.run import screen as run
        from paraisite.screening.shortlist import TOP, Wish, keeping, shortlist, write_csv

        names = listed(properties)
        wished = any(option is not None for option in (below, above, top, where or None, per_system))
        keep = keeping(where, column_names(names))
        wish = Wish(below, above, rank.value, TOP if top is None else top, per_system, keep)
        chosen = output.with_name(f"{output.stem}.shortlist.csv")
        if wished:
            refuse_existing(chosen, overwrite or resume)  # resumed, it may be the very same: `write_csv` looks
        sources = sources_of(inputs, optimade, filter, mp, limit, disorder)
        work = Screening(
            model or DEFAULT,
            str(mirror) if mirror else None,
            device.value,
            level,
            names,
            disorder.value,
            exact,
        )
    options = {"workers": workers, "engine": engine.value, "part_size": part_size, "address": ray_address}
    with carried_out(sources, output, quiet, resume=resume, overwrite=overwrite, **options) as how:
        run(sources, output, work, how)

    summary = Summary()
    _count(output, summary)
    if wished:
        with wrong_usage():
            found = shortlist(output, wish)
            write_csv(found, chosen, overwrite=overwrite)
        if not quiet:
            _show(found, chosen, names, level)
    if not quiet:
        for line in summary.lines():
            show(line, err=True)
        show(f"written: {output}", err=True)
    if not summary.predicted:
        raise typer.Exit(FAILED)


def check_places(inputs: Sequence[str] | None, output: Path, *, resume: bool, overwrite: bool) -> None:
    """Raise a ValueError where a table cannot be written, or not be gone on with."""
    from paraisite.prediction.write import check_output

    if output.suffix.lower() != ".parquet":
        raise ValueError(f"{output}: what grows with any input is Parquet; give a name that ends in .parquet")
    if resume and overwrite:
        raise ValueError("--resume goes on with what is there, --overwrite begins anew; give one of them")
    if resume and "-" in (inputs or ()):
        raise ValueError("standard input comes only once, so that --resume cannot go on with it; save it to a file")
    check_output(output)


def sources_of(
    inputs: Sequence[str] | None,
    optimade: str | None,
    filter: str,
    mp: str | None,
    limit: int | None,
    disorder: Disorder,
) -> list[Source]:
    """Return what the options name.

    Raises
    ------
    ValueError
        If that is nothing, or a query cannot be one.
    """
    from paraisite.screening.sources import Files, Query, parse_mp

    sources: list[Source] = []
    if inputs:
        sources.append(Files(tuple(inputs), disorder.value))
    if optimade is not None:
        asked = {"filter": filter, "providers": [optimade], "limit": limit, "disorder": disorder.value}
        sources.append(Query("optimade", asked, say()))
    elif filter:
        raise ValueError("--filter is for a provider; name one with --optimade")
    if mp is not None:
        sources.append(Query("mp", parse_mp(mp) | {"limit": limit}, say()))
    elif limit is not None and optimade is None:
        raise ValueError("--limit is for databases; name one with --optimade or --mp")
    if not sources:
        raise ValueError("nothing to read: name files, folders, archives or stores, or give --optimade or --mp")
    return sources


def say(quiet: bool = False) -> Callable[[str], None]:
    """Return what prints a line on standard error."""
    return (lambda line: None) if quiet else (lambda line: show(line, err=True))


@contextmanager
def carried_out(sources: Sequence[Source], output: Path, quiet: bool, **options: Any) -> Iterator[How]:
    """Show how far the work is, and say at its early end how to go on; the options are those of `How`."""
    from paraisite.screening.engines import EngineError
    from paraisite.screening.run import How
    from paraisite.screening.sources import SourceEnded
    from paraisite.screening.unfinished import unfinished_folder

    folder = unfinished_folder(output)

    def kept() -> str:
        what = f"what is done is kept in {folder}: the same command with --resume goes on"
        return what if folder.exists() else "nothing was done yet"

    try:
        with _progress(sources, shown=not quiet) as tell:
            yield How(tell=tell, say=say(quiet), **options)
    except KeyboardInterrupt:
        fail(f"interrupted; {kept()}", INTERRUPTED)
    except (EngineError, SourceEnded) as error:
        fail(f"{error}; {kept()}", FAILED)
    except ValueError as error:
        fail(str(error))


@contextmanager
def _progress(sources: Sequence[Source], *, shown: bool) -> Iterator[Callable[[int, bool], None]]:
    if not shown:
        yield lambda n, before: None
        return
    expected = _Expected(sources)
    pace = _Pace()
    if not sys.stderr.isatty():
        said = time.monotonic()

        def line(n: int, before: bool) -> None:
            nonlocal said
            pace.add(n, before)
            if time.monotonic() - said > EVERY:
                said = time.monotonic()
                total = expected()
                show(f"{pace.done}{f' of {total}' if total else ''} crystals, {pace.text(total)}", err=True)

        yield line
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (BarColumn(), MofNCompleteColumn(), "crystals", TextColumn("{task.fields[pace]}"))
    with Progress(*columns, console=console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=expected(), pace="starting")

        def advance(n: int, before: bool) -> None:
            pace.add(n, before)
            total = expected()
            bar.update(task, completed=pace.done, total=total, pace=pace.text(total))

        yield advance


class _Expected:
    """Number of inputs, as far as the sources know it: files are counted once, databases tell it by and by."""

    def __init__(self, sources: Sequence[Source]) -> None:
        self._sources = sources
        self._known: dict[int, int | None] = {}

    def __call__(self) -> int | None:
        from paraisite.screening.sources import Files

        total = 0
        for i, source in enumerate(self._sources):
            if not isinstance(source, Files) or i not in self._known:
                self._known[i] = source.count()
            count = self._known[i]
            if count is None:
                return None
            total += count
        return total


class _Pace:
    """Rate and time that remains, of what is done now; what was done before counts for nothing."""

    def __init__(self) -> None:
        self.start = time.monotonic()
        self.done = self.new = 0

    def add(self, n: int, before: bool) -> None:
        self.done += n
        self.new += 0 if before else n

    def text(self, total: int | None) -> str:
        rate = self.new / max(time.monotonic() - self.start, 1e-3)
        if not self.new:
            return "starting"
        if total is None or total <= self.done:
            return f"{rate:.3g}/s"
        seconds = int((total - self.done) / rate)
        hours, minutes = seconds // 3600, seconds // 60 % 60
        left = f"{hours} h {minutes} min" if hours else f"{minutes} min" if minutes else f"{seconds} s"
        return f"{rate:.3g}/s, {left} left"


def _count(path: Path, summary: Summary) -> None:
    """Count the rows of a finished table, however many calls it took."""
    from pyarrow import parquet

    from paraisite.prediction import Prediction

    file = parquet.ParquetFile(path)
    for group in range(file.num_row_groups):
        columns = file.read_row_group(group, columns=["id", "source", "status", "reason"]).to_pydict()
        for id, source, status, reason in zip(*columns.values(), strict=True):
            if status == "ok":
                summary.counts["ok"] += 1
            else:
                summary.add(Prediction(id, source, status=status, reason=reason))


def _show(found: pa.Table, path: Path, properties: tuple[str, ...], level: float) -> None:
    """Print the first rows of a shortlist that was written."""
    from paraisite.prediction import COLUMNS, PROPERTY_COLUMNS, Prediction
    from paraisite.prediction.table import table

    extra = [PROPERTY_COLUMNS.get(name, name) for name in properties]

    def prediction(row: dict[str, Any]) -> Prediction:
        return Prediction(**{name: row[name] for name in COLUMNS}, properties={name: row[name] for name in extra})

    rows = [prediction(row) for row in found.slice(0, SHOWN).to_pylist()]
    if rows:
        console().print(table(rows, properties, level=level))
    more = f", the first {SHOWN} are shown" if found.num_rows > SHOWN else ""
    show(f"shortlist: {found.num_rows} crystals in {path}{more}", err=True)
