"""`paraisite predict`: files in, one row for each structure out."""

from __future__ import annotations

import sys
from collections.abc import Iterator
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
    TemperaturesOption,
    TensorOption,
    check_level,
    listed,
    parse_temperatures,
)
from paraisite.cli.progress import progress_bar
from paraisite.targets import LEVEL

if TYPE_CHECKING:
    from paraisite.prediction import Prediction

EXAMPLES = """Examples:

\b
  paraisite predict structure.cif
  paraisite predict folder/ archive.zip "runs/*/POSCAR" -o out.csv
  paraisite predict database.db -o out.parquet --properties bulk_modulus_vrh,debye_temperature
  paraisite predict structure.cif --temperatures 100:1000:100 --tensor
  cat structure.cif | paraisite predict - --level 0.8

\b
Exit status: 0 if something was predicted; 1 if nothing was or, with --strict, if anything was rejected;
2 on wrong usage."""

COMMON = ("output", "model", "properties", "temperatures", "tensor", "level", "overwrite", "quiet")

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
    temperatures: TemperaturesOption = "",
    tensor: TensorOption = False,
    level: LevelOption = LEVEL,
    device: DeviceOption = Device.cpu,
    strict: Annotated[bool, typer.Option("--strict", help="Exit with 1 if anything is rejected.")] = False,
    disorder: DisorderOption = Disorder.reject,
    held_out: Annotated[
        bool, typer.Option("--held-out", help="Use only ensemble members not trained on this formula.")
    ] = False,
    overwrite: OverwriteOption = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Hide the progress bar and the summary.")] = False,
    mirror: MirrorOption = None,
) -> None:
    """Predict lattice thermal conductivities, one row per structure.

    Reads CIF, POSCAR, extended XYZ, ASE databases and pymatgen's JSON; archives and folders of them. Without -o, a
    terminal shows a table; pipes and files receive CSV.
    """
    load_libraries()
    with wrong_usage():
        from paraisite.prediction.options import Options
        from paraisite.prediction.write import CsvWriter, check_output, open_writer

        check_level(level)
        if output is not None:
            check_output(output, overwrite)

        from paraisite.crystals import count, read
        from paraisite.model.registry import DEFAULT
        from paraisite.prediction import Predictor
        from paraisite.prediction.table import Summary, table

        options = Options(level, listed(properties), parse_temperatures(temperatures), tensor, held_out)
        predictor = Predictor.from_pretrained(model or DEFAULT, device=device, mirror=mirror)
        list(predictor.stream([], options))  # complains now, before the long work
        if held_out:
            from paraisite.evaluation.evaluate import check_held_out

            check_held_out(predictor.card)

    summary = Summary()

    def stream() -> Iterator[Prediction]:
        crystals = read(inputs, disorder=disorder.value)
        total = count(inputs) if not quiet and sys.stderr.isatty() else None
        with progress_bar("crystals", shown=not quiet) as show:
            show("", 0, total)
            rows = predictor.stream(crystals, options)
            for done, row in enumerate(rows, start=1):
                summary.add(row)
                show("", done, total)
                yield row

    if output is not None:
        with open_writer(output, options.columns) as writer:
            for row in stream():
                writer.write(row.row())
    elif sys.stdout.isatty():
        rows = list(stream())
        for start in range(0, len(rows), PAGE):
            console().print(table(rows[start : start + PAGE], options))
    else:
        to_stdout = CsvWriter(sys.stdout, options.columns)
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
