"""`paraisite predict`: files in, one row for each structure out."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from paraisite.cli.console import console, say
from paraisite.cli.errors import FAILED, guarded, load_libraries, wrong_usage
from paraisite.cli.options import (
    Device,
    DeviceOption,
    Disorder,
    DisorderOption,
    LevelOption,
    MirrorOption,
    ModelOption,
    OverwriteOption,
    PropertiesOption,
    check_level,
    listed,
)

if TYPE_CHECKING:
    from paraisite.prediction import Prediction

EXAMPLES = """Examples:

\b
  paraisite predict structure.cif
  paraisite predict folder/ archive.zip "runs/*/POSCAR" -o out.csv
  paraisite predict database.db -o out.parquet --properties bulk_modulus_vrh,debye_temperature
  cat structure.cif | paraisite predict - --level 0.8

\b
Exit status: 0 if something was predicted; 1 if nothing was or, with --strict, if anything was rejected;
2 on wrong usage."""

PAGE = 500
"""Rows laid out together on a terminal."""


@guarded
def predict(
    inputs: Annotated[
        list[str],
        typer.Argument(metavar="INPUT", help="Files, folders, archives or quoted patterns; - is standard input."),
    ],
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="FILE", help="Write a table: FILE.csv, FILE.json or FILE.parquet."),
    ] = None,
    model: ModelOption = None,
    properties: PropertiesOption = "",
    level: LevelOption = 0.9,
    device: DeviceOption = Device.cpu,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 1 if anything is rejected.")] = False,
    disorder: DisorderOption = Disorder.reject,
    held_out: Annotated[
        bool, typer.Option("--held-out", help="Use only networks that were not trained on the crystal's formula.")
    ] = False,
    overwrite: OverwriteOption = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress bar and no summary.")] = False,
    mirror: MirrorOption = None,
) -> None:
    """Predict lattice thermal conductivities, one row for each structure found.

    Reads CIF, POSCAR, extended XYZ, ASE databases and pymatgen's JSON; archives and folders of them. Without -o, a
    table is printed on a terminal, and CSV to anything else.
    """
    load_libraries()
    with wrong_usage():
        from paraisite.prediction.write import CsvWriter, check_output, column_names, open_writer

        check_level(level)
        if output is not None:
            check_output(output, overwrite)

        from paraisite.crystals import count, read
        from paraisite.model.registry import DEFAULT
        from paraisite.prediction import Predictor
        from paraisite.prediction.table import Summary, table

        names = listed(properties)
        predictor = Predictor.from_pretrained(model or DEFAULT, device=device, mirror=mirror)
        predictor.predict([], level=level, properties=names)  # complains now, before the long work
        if held_out:
            from paraisite.evaluation.evaluate import check_held_out

            check_held_out(predictor.card)

    summary = Summary()

    def stream() -> Iterator[Prediction]:
        crystals = read(inputs, disorder=disorder.value)
        with _progress(inputs, count, shown=not quiet and sys.stderr.isatty()) as advance:
            for row in predictor.stream(crystals, level=level, properties=names, held_out=held_out):
                summary.add(row)
                advance()
                yield row

    columns = column_names(names)
    if output is not None:
        with open_writer(output, columns) as writer:
            for row in stream():
                writer.write(row.row())
    elif sys.stdout.isatty():
        rows = list(stream())
        for start in range(0, len(rows), PAGE):
            console().print(table(rows[start : start + PAGE], names, level=level))
    else:
        to_stdout = CsvWriter(sys.stdout, columns)
        for row in stream():
            to_stdout.write(row.row())
        sys.stdout.flush()

    if not quiet:
        for line in summary.lines():
            say(line, err=True)
        if output is not None:
            say(f"written: {output}", err=True)
    if not summary.predicted or (strict and summary.rejected):
        raise typer.Exit(FAILED)


@contextmanager
def _progress(
    inputs: list[str], count: Callable[[list[str]], int | None], *, shown: bool
) -> Iterator[Callable[[], None]]:
    """Show a bar on standard error while rows go by, and give what moves it on."""
    if not shown:
        yield lambda: None
        return
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    columns = (BarColumn(), MofNCompleteColumn(), "crystals", TimeRemainingColumn())
    with Progress(*columns, console=console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=count(inputs))
        yield lambda: bar.advance(task)
