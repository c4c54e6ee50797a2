"""`paraisite predict`: files in, one row for each structure out."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from paraisite.cli.console import console, say
from paraisite.cli.errors import FAILED, guarded, load_libraries, wrong_usage
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
    PotentialOption,
    PropertiesOption,
    RelaxOption,
    TemperaturesOption,
    TensorOption,
    check_level,
    listed,
    parse_temperatures,
    refuse,
    relax_settings,
)
from paraisite.cli.progress import progress_bar
from paraisite.targets import LEVEL

if TYPE_CHECKING:
    from paraisite.crystals import Crystal, Rejection
    from paraisite.prediction import Prediction

EXAMPLES = """Examples:

\b
  paraisite predict structure.cif
  paraisite predict folder/ archive.zip "runs/*/POSCAR" -o out.csv
  paraisite predict database.db -o out.parquet --properties bulk_modulus_vrh,debye_temperature
  paraisite predict structure.cif --temperatures 100:1000:100 --tensor
  paraisite predict folder/ --relax --workers 4 -o out.csv
  cat structure.cif | paraisite predict - --level 0.8

\b
Exit status: 0 if something was predicted; 1 if nothing was or, with --strict, if anything was rejected;
2 on wrong usage."""

COMMON = ("output", "model", "properties", "temperatures", "tensor", "level", "overwrite", "quiet")

PAGE = 500
"""Rows laid out together on a terminal."""

FEW = 16
"""Crystals predicted together after relaxations, which take seconds each."""


@guarded
def predict(
    ctx: typer.Context,
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
    allow_vacuum: AllowVacuumOption = False,
    relax: RelaxOption = False,
    potential: PotentialOption = None,
    relaxed: Annotated[
        Path | None,
        typer.Option(
            "--relaxed",
            metavar="DIR",
            file_okay=False,
            help="With --relax: folder for the relaxed structures (CIF).",
            show_default="FILE.relaxed beside --output",
        ),
    ] = None,
    workers: Annotated[
        int, typer.Option("--workers", metavar="N", min=1, help="With --relax: number of worker processes.")
    ] = 1,
    max_hours: MaxHoursOption = None,
    overwrite: OverwriteOption = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Hide the progress bar and the summary.")] = False,
    mirror: MirrorOption = None,
) -> None:
    """Predict lattice thermal conductivities, one row per structure.

    Reads CIF, POSCAR, extended XYZ, ASE databases and pymatgen's JSON; archives and folders of them. Without -o, a
    terminal shows a table; pipes and files receive CSV. --relax relaxes cell and positions with the symmetry kept, and
    adds the column relaxed_volume_change; a structure that cannot be relaxed is rejected.
    """
    load_libraries()
    with wrong_usage():
        from paraisite.prediction.options import Options
        from paraisite.prediction.write import CsvWriter, check_output, open_writer

        check_level(level)
        if output is not None:
            check_output(output, overwrite)
        folder = relaxed or (output.with_name(f"{output.stem}.relaxed") if output is not None else None)
        if not relax:
            refuse(ctx, ("potential", "relaxed", "workers", "max_hours"), "requires --relax")
        elif folder is not None and folder.is_dir() and any(folder.iterdir()) and not overwrite:
            raise ValueError(f"{folder} is not empty; choose another folder with --relaxed, or give --overwrite")

        from paraisite.crystals import count, read
        from paraisite.model.registry import DEFAULT
        from paraisite.prediction import Predictor
        from paraisite.prediction.table import Summary, table

        options = Options(
            level,
            listed(properties),
            parse_temperatures(temperatures),
            tensor=tensor,
            held_out=held_out,
            allow_vacuum=allow_vacuum,
            relaxed=relax,
        )
        predictor = Predictor.from_pretrained(model or DEFAULT, device=device, mirror=mirror)
        list(predictor.stream([], options))  # complains now, before the long work
        if held_out:
            from paraisite.evaluation.evaluate import check_held_out

            check_held_out(predictor.card)
        pool = None
        if relax:
            from paraisite.potentials.pool import RelaxingPool

            pool = RelaxingPool(relax_settings(potential, max_hours, device, mirror), workers)
            ctx.call_on_close(pool.close)

    summary = Summary()

    def stream() -> Iterator[Prediction]:
        crystals = read(inputs, disorder=disorder.value, vacuum=allow_vacuum)
        total = count(inputs) if not quiet and sys.stderr.isatty() else None
        with progress_bar("crystals", shown=not quiet) as show:
            show("", 0, total)
            if pool is None:
                rows = predictor.stream(crystals, options)
            else:
                parts = _parts(_saved(pool.relaxed(crystals), folder))
                rows = chain.from_iterable(predictor.stream(part, options) for part in parts)
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


def _saved(items: Iterable[Crystal | Rejection], folder: Path | None) -> Iterator[Crystal | Rejection]:
    """Pass items on, and write the relaxed crystals among them as CIFs called by their ids."""
    from paraisite.crystals.write_cif import cif_text
    from paraisite.files.names import file_name, name_once
    from paraisite.files.writing import write_text
    from paraisite.potentials.relaxing import RelaxedCrystal

    taken: set[str] = set()
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
    for item in items:
        if folder is not None and isinstance(item, RelaxedCrystal):
            name = name_once(file_name(item.id, kept="+="), taken)
            write_text(folder / f"{name}.cif", cif_text(item, item.id or "crystal"))
        yield item


def _parts(items: Iterable[Crystal | Rejection]) -> Iterator[list[Crystal | Rejection]]:
    source = iter(items)
    while part := list(islice(source, FEW)):
        yield part
