"""`paraisite embed`: files in, vectors and descriptors out, for models of one's own."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from paraisite.cli.console import say
from paraisite.cli.errors import FAILED, guarded, load_libraries, wrong_usage
from paraisite.cli.options import (
    AllowVacuumOption,
    Device,
    DeviceOption,
    Disorder,
    DisorderOption,
    MirrorOption,
    ModelOption,
    OverwriteOption,
)
from paraisite.cli.progress import progress_bar

if TYPE_CHECKING:
    import pyarrow as pa

EXAMPLES = """Examples:

\b
  paraisite embed folder/ -o vectors.parquet
  paraisite embed archive.zip "runs/*/POSCAR" -o vectors.csv

\b
Exit status: 0 if something was embedded, 1 if nothing was, 2 on wrong usage."""


@guarded
def embed(
    inputs: Annotated[
        list[str],
        typer.Argument(metavar="INPUT", help="Files, folders, archives or quoted patterns; - is standard input."),
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help="Write a table: FILE.parquet or FILE.csv.")
    ],
    model: ModelOption = None,
    device: DeviceOption = Device.cpu,
    disorder: DisorderOption = Disorder.reject,
    allow_vacuum: AllowVacuumOption = False,
    overwrite: OverwriteOption = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Hide the progress bar and the summary.")] = False,
    mirror: MirrorOption = None,
) -> None:
    """Write the encoder's vector and the descriptors of each structure, one row per structure.

    Columns: id, source, formula, status, reason, vector_0, vector_1, …, then the descriptors by name. A structure that
    cannot be embedded keeps its row, with the reason and empty numbers.
    """
    load_libraries()
    with wrong_usage():
        from paraisite.prediction.write import check_output, write_tables

        if output.suffix.lower() not in (".parquet", ".csv"):
            raise ValueError(f"{output}: give a name that ends in .parquet or .csv")
        check_output(output, overwrite)

        from paraisite.crystals import count, read
        from paraisite.model.registry import DEFAULT
        from paraisite.prediction import Predictor

        predictor = Predictor.from_pretrained(model or DEFAULT, device=device, mirror=mirror)
    done = rejected = 0

    def tables() -> Iterator[pa.Table]:
        nonlocal done, rejected
        crystals = read(inputs, disorder=disorder.value, vacuum=allow_vacuum)
        total = count(inputs) if not quiet and sys.stderr.isatty() else None
        with progress_bar("crystals", shown=not quiet) as show:
            show("", 0, total)
            for part in predictor.embed_stream(crystals, allow_vacuum=allow_vacuum):
                done += len(part)
                rejected += int(part.rejected.sum())
                show("", done, total)
                yield part.to_arrow()

    write_tables(output, tables())
    if not quiet:
        say(f"{done - rejected} embedded, {rejected} rejected\nwritten: {output}", err=True)
    if done == rejected:
        raise typer.Exit(FAILED)
