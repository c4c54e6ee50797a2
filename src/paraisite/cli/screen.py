"""`paraisite screen`: any number of crystals to one table of predictions, in steps that survive an interruption."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from paraisite.cli.console import console
from paraisite.cli.console import say as show
from paraisite.cli.errors import FAILED, INTERRUPTED, fail, guarded, wrong_usage
from paraisite.cli.options import (
    AllowVacuumOption,
    Device,
    DeviceOption,
    Disorder,
    DisorderOption,
    LevelOption,
    MaxHoursOption,
    MirrorOption,
    ModelOption,
    OverwriteOption,
    PerSystemOption,
    PotentialOption,
    PropertiesOption,
    Ranking,
    RankOption,
    RelaxOption,
    SettingsOption,
    TemperaturesOption,
    TensorOption,
    WhereOption,
    check_level,
    given,
    listed,
    parse_temperatures,
)
from paraisite.cli.progress import progress_bar
from paraisite.files.printable import counted
from paraisite.screening.engines import ENGINES, known
from paraisite.targets import LEVEL

if TYPE_CHECKING:
    import pyarrow as pa

    from paraisite.prediction.options import Options
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
Finished parts are kept in a hidden folder, .OUT.parquet.parts; after an interruption, repeat the command with
--resume.
Exit status: 0 if something was predicted; 1 if nothing was, or if the work stopped early; 2 on wrong usage."""

COMMON = ("output", "below", "above", "top", "where", "rank", "model", "resume", "overwrite", "settings", "quiet")

SHOWN = 20
"""Rows of a shortlist that are printed."""

EVERY = 60.0
"""Seconds between two lines of progress where there is no terminal."""


def _engine(name: str) -> str:
    try:
        return known(name)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


InputsArgument = Annotated[
    list[str] | None,
    typer.Argument(metavar="SOURCE", help="Files, folders, archives, quoted patterns, graph stores (.parquet)."),
]
OptimadeOption = Annotated[str | None, typer.Option("--optimade", metavar="URL", help="URL of an OPTIMADE provider.")]
FilterOption = Annotated[str, typer.Option("--filter", metavar="TEXT", help="With --optimade: filter of the query.")]
MpOption = Annotated[
    str | None,
    typer.Option(
        "--mp",
        metavar="QUERY",
        help="Query of the Materials Project (key in MP_API_KEY): 'elements=Mg,O stable max_sites=20'.",
    ),
]
LimitOption = Annotated[
    int | None, typer.Option("--limit", metavar="N", min=1, help="With --optimade or --mp: maximum number of entries.")
]
WorkersOption = Annotated[
    int | None,
    typer.Option(
        "--workers", metavar="N", min=0, help="Worker processes; 0: no extra process.", show_default="one per core"
    ),
]
EngineOption = Annotated[
    str,
    typer.Option(
        "--engine",
        metavar=f"[{'|'.join(ENGINES)}]",
        parser=_engine,
        help="Execution backend: processes of this machine, or Ray for several machines.",
    ),
]
RayAddressOption = Annotated[
    str | None,
    typer.Option(
        "--ray-address",
        metavar="auto|HOST:PORT",
        envvar="RAY_ADDRESS",
        help="Address of the Ray cluster.",
        show_default="this machine only",
    ),
]
ResumeOption = Annotated[bool, typer.Option("--resume", help="Resume an interrupted run of the same command.")]
PartSizeOption = Annotated[int, typer.Option("--part-size", metavar="N", min=1, help="Inputs per part.")]
QuietOption = Annotated[bool, typer.Option("--quiet", "-q", help="Hide progress and summary.")]


@guarded
def screen(
    ctx: typer.Context,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="OUT.parquet", help="Table to write.")],
    inputs: InputsArgument = None,
    optimade: OptimadeOption = None,
    filter: FilterOption = "",
    mp: MpOption = None,
    limit: LimitOption = None,
    below: Annotated[
        float | None, typer.Option("--below", metavar="K", help="Shortlist: upper limit on kappa (W/m/K).")
    ] = None,
    above: Annotated[
        float | None, typer.Option("--above", metavar="K", help="Shortlist: lower limit on kappa (W/m/K).")
    ] = None,
    top: Annotated[
        int | None, typer.Option("--top", metavar="N", min=1, help="Shortlist: maximum number of rows; 100 by default.")
    ] = None,
    where: WhereOption = "",
    rank: RankOption = Ranking.expected,
    per_system: PerSystemOption = None,
    model: ModelOption = None,
    properties: PropertiesOption = "",
    temperatures: TemperaturesOption = "",
    tensor: TensorOption = False,
    level: LevelOption = LEVEL,
    device: DeviceOption = Device.cpu,
    disorder: DisorderOption = Disorder.reject,
    allow_vacuum: AllowVacuumOption = False,
    relax: RelaxOption = False,
    potential: PotentialOption = None,
    max_hours: MaxHoursOption = None,
    exact: Annotated[bool, typer.Option("--exact", help="Disable inference optimisations.")] = False,
    workers: WorkersOption = None,
    engine: EngineOption = "processes",
    ray_address: RayAddressOption = None,
    part_size: Annotated[
        int | None,
        typer.Option("--part-size", metavar="N", min=1, help="Inputs per part.", show_default="512; 16 with --relax"),
    ] = None,
    resume: ResumeOption = False,
    overwrite: OverwriteOption = False,
    quiet: QuietOption = False,
    settings: SettingsOption = None,
    mirror: MirrorOption = None,
) -> None:
    """Predict all crystals of large sources into one Parquet file, and write a shortlist.

    OUT.parquet holds one row per input, in order, rejections included, with the columns of `paraisite predict`.
    --below, --above, --top, --where and --per-system select rows for OUT.shortlist.csv, best first. With --resume, a
    finished OUT.parquet only gets a new shortlist. Existing files are replaced only with --overwrite. With --relax, two
    more columns hold the change of the volume and the relaxed structure (CIF).
    """
    with wrong_usage():
        check_level(level)
        check_places(inputs, output, resume=resume, overwrite=overwrite)

        from paraisite.files.outputs import refuse_existing
        from paraisite.files.settings import read_settings
        from paraisite.prediction.table import Summary
        from paraisite.screening.run import screen as run
        from paraisite.screening.settings import ScreenSettings
        from paraisite.screening.shortlist import shortlist, write_csv

        named = {name: value for name, value in given(ctx).items() if name in ScreenSettings.model_fields}
        if "properties" in named:
            named["properties"] = listed(properties)
        if "temperatures" in named:
            named["temperatures"] = parse_temperatures(temperatures)
        chosen = ScreenSettings(**(read_settings(settings, ScreenSettings) if settings is not None else {}) | named)
        wish, shortlisted = chosen.wish(), output.with_name(f"{output.stem}.shortlist.csv")
        if wish is not None:
            refuse_existing(shortlisted, overwrite or resume)  # resumed, it may be the very same: `write_csv` looks
        sources = sources_of(inputs, optimade, filter, mp, limit, Disorder(chosen.disorder))
        work = chosen.work(str(mirror) if mirror else None)
    options = {
        "workers": chosen.workers,
        "engine": chosen.engine,
        "part_size": chosen.inputs_per_part,
        "address": chosen.ray_address,
    }
    with carried_out(sources, output, quiet, resume=resume, overwrite=overwrite, **options) as how:
        run(sources, output, work, how)

    summary = Summary()
    _count(output, summary)
    if wish is not None:
        with wrong_usage():
            found = shortlist(output, wish)
            write_csv(found, shortlisted, overwrite=overwrite)
        if not quiet:
            _show(found, shortlisted, chosen.asked)
    if not quiet:
        for line in summary.lines():
            show(line, err=True)
        show(f"written: {output}", err=True)
    if not summary.predicted:
        raise typer.Exit(FAILED)


def check_places(inputs: Sequence[str] | None, output: Path, *, resume: bool, overwrite: bool) -> None:
    """Raise a ValueError where a table cannot be written or resumed."""
    from paraisite.prediction.write import check_output

    if output.suffix.lower() != ".parquet":
        raise ValueError(f"{output}: the output is a Parquet file; give a name that ends in .parquet")
    if resume and overwrite:
        raise ValueError("--resume continues the existing run, --overwrite replaces it; give one of them")
    if resume and "-" in (inputs or ()):
        raise ValueError("--resume cannot read standard input a second time; save it to a file")
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
        raise ValueError("--filter requires --optimade")
    if mp is not None:
        sources.append(Query("mp", parse_mp(mp) | {"limit": limit}, say()))
    elif limit is not None and optimade is None:
        raise ValueError("--limit requires --optimade or --mp")
    if not sources:
        raise ValueError("nothing to read: name files, folders, archives or stores, or give --optimade or --mp")
    return sources


def say(quiet: bool = False) -> Callable[[str], None]:
    """Return what prints a line on standard error."""
    return (lambda line: None) if quiet else (lambda line: show(line, err=True))


@contextmanager
def carried_out(sources: Sequence[Source], output: Path, quiet: bool, **options: Any) -> Iterator[How]:
    """Show progress, and say after an early end how to resume; the options are those of `How`."""
    from paraisite.screening.engines import EngineError
    from paraisite.screening.run import How
    from paraisite.screening.sources import SourceEnded
    from paraisite.screening.unfinished import unfinished_folder

    folder = unfinished_folder(output)

    def kept() -> str:
        what = f"finished parts are kept in {folder}; repeat the command with --resume"
        return what if folder.exists() else "no part was finished"

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
    expected, pace = _Expected(sources), _Pace()
    every = 0.0 if sys.stderr.isatty() else EVERY
    said = time.monotonic()

    def line(what: str, done: int, total: int | None, note: str) -> None:
        show(f"{done}{f' of {total}' if total else ''} crystals{note}", err=True)

    with progress_bar("crystals", otherwise=line, elapsed=True) as bar:

        def advance(n: int, before: bool) -> None:
            nonlocal said
            pace.add(n, before)
            if time.monotonic() - said >= every:
                said = time.monotonic()
                total = expected()
                bar("", pace.done, total, f", {pace.text(total)}")

        if not every:
            bar("", 0, expected(), ", starting")
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


def _show(found: pa.Table, path: Path, asked: Options) -> None:
    """Print the first rows of a shortlist that was written."""
    from paraisite.prediction import COLUMNS, Prediction
    from paraisite.prediction.table import table

    def prediction(row: dict[str, Any]) -> Prediction:
        there = {name: row[name] for name in COLUMNS if name in row}  # older tables lack some
        return Prediction(**there, properties={name: row[name] for name in asked.further})

    rows = [prediction(row) for row in found.slice(0, SHOWN).to_pylist()]
    if rows:
        console().print(table(rows, asked))
    more = f", the first {SHOWN} are shown" if found.num_rows > SHOWN else ""
    show(f"shortlist: {counted(found.num_rows, 'crystal')} in {path}{more}", err=True)
