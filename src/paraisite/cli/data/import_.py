"""`paraisite data import`: a user's own files, and the study's pickles, as a dataset."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from paraisite.cli.console import say
from paraisite.cli.data.folders import FIRST, check_output, listed, warnings
from paraisite.cli.errors import FAILED, fail, guarded, wrong_usage
from paraisite.cli.options import OverwriteOption
from paraisite.cli.progress import progress_bar
from paraisite.files.printable import counted

if TYPE_CHECKING:
    from paraisite.datasets import Dataset

EXAMPLES = """Examples:

\b
  paraisite data import measured.csv -o measured/
  paraisite data import structures/ measured.csv --id-column sample --kappa-column k300 --unit mW/m/K -o measured/
  paraisite data import computed.extxyz --kappa-column klat -o computed/
  paraisite data import structures_Dataset1.pkl Dataset1.pkl --name l96 -o l96/

\b
INPUT is one of
  a table DATA.csv or DATA.xlsx of id,kappa with the crystals (CIF or any other format) beside it, or a folder with
  id_prop.csv; the heading may name the unit, such as kappa (mW/cm K);
  crystals that carry their values: extended XYZ, ASE database, pymatgen JSON with kappa beside each structure;
  any crystals, with a table of id,kappa as TARGETS; the id of a crystal is its field material_id, mp_id, id, _id,
  task_id, jid, identifier or mat_id (info of extended XYZ, entry of JSON), else the name of its file;
  any crystals without values, with --kappa-column -;
  a pickle of the study, nothing of which is run: a list of structures, or a table of them, with TARGETS.pkl.

\b
Exit status: 0 if something was imported; 1 if nothing was; 2 on wrong usage."""


@guarded
def import_(
    source: Annotated[
        Path,
        typer.Argument(metavar="INPUT", exists=True, help="Table, folder, crystals or pickle; see below."),
    ],
    targets: Annotated[
        Path | None,
        typer.Argument(metavar="TARGETS", exists=True, help="Table (or second pickle) with the values."),
    ] = None,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="DIR", help="Folder of the dataset to write.")
    ] = ...,  # type: ignore[assignment]  # typer's way to say that it must be given
    name: Annotated[
        str | None,
        typer.Option(
            "--name", metavar="NAME", help="Name of the dataset.", show_default="that of DIR; of a pickle, its own"
        ),
    ] = None,
    id_column: Annotated[
        str | None, typer.Option("--id-column", metavar="NAME", help="Column of the ids.", show_default="id")
    ] = None,
    kappa_column: Annotated[
        str | None,
        typer.Option(
            "--kappa-column",
            metavar="NAME",
            help="Column (or field of the crystals) of the conductivities; - for none (not for pickles).",
            show_default="kappa",
        ),
    ] = None,
    unit: Annotated[
        str | None,
        typer.Option(
            "--unit",
            metavar="UNIT",
            help="Unit of the conductivities: W/m/K, mW/m/K, kW/m/K, W/cm/K, mW/cm/K.",
            show_default="that of the heading of a table, else W/m/K",
        ),
    ] = None,
    at: Annotated[
        float,
        typer.Option(
            "--at",
            metavar="K",
            min=1,
            help="Temperature of the rows to take (within 7.5 K) where there is a column `temperature`.",
        ),
    ] = 300.0,
    overwrite: OverwriteOption = False,
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Hide the progress bar and the summary.")] = False,
) -> None:
    """Make a dataset from your own files or from the pickles of the study.

    Rejected rows are listed, here and in DIR/card.json, with their location and a remedy.
    """
    with wrong_usage():
        from paraisite.datasets.importing import import_dataset, is_pickle
        from paraisite.datasets.store import write_dataset
        from paraisite.datasets.table import ROOM, DatasetError
        from paraisite.datasets.units import kappa_factor

        check_output(output, overwrite)
        if unit is not None:
            kappa_factor(unit)
        notes: list[str] = []
    try:
        with progress_bar("rows", shown=not quiet, elapsed=True) as show:
            rows = itertools.count(1)
            dataset = import_dataset(
                source,
                targets,
                # a pickle of the study keeps the name by which its licence is known
                name=name or (None if is_pickle(source) else output.resolve().name),
                id_column=id_column,
                kappa_column=kappa_column,
                unit=unit,
                at=at,
                advance=lambda: show("", next(rows), None),
                say=notes.append,
            )
        if at != ROOM:
            notes.append(f"kappa is at {at:g} K; models and other datasets use {ROOM:g} K")
        origin = {
            "imported": [_describe(path) for path in (source, targets) if path is not None],
            **{
                key: value
                for key, value in {"id_column": id_column, "kappa_column": kappa_column, "unit": unit}.items()
                if value
            },
        }
        write_dataset(dataset, output, origin=origin, notes=notes)
    except DatasetError as error:
        fail(str(error), FAILED)
    if not quiet:
        for line in (*(f"note: {note}" for note in notes), *_summary(dataset, output)):
            say(line, err=True)


def _describe(path: Path) -> dict[str, str | int]:
    from paraisite.network.downloading import sha256

    if not path.is_file():
        return {"path": str(path)}
    return {"path": str(path), "bytes": path.stat().st_size, "sha256": sha256(path)}


def _summary(dataset: Dataset, folder: Path) -> Iterator[str]:
    import numpy as np

    rejected = dataset.rejections
    yield from listed(rejected, "not imported: ", f", all in {folder / 'card.json'}")
    if twice := [f"{id_} ({n})" for id_, n in Counter(dataset.ids).items() if n > 1]:
        named = ", ".join(twice[:FIRST]) + (f" and {len(twice) - FIRST} more" if len(twice) > FIRST else "")
        yield f"warning: ids on several rows, all of which are kept: {named}"
    yield from warnings(dataset)
    rows = counted(len(dataset), "row")
    yield f'imported {rows} ({len(rejected)} rejected) into dataset "{dataset.name}": {folder}'
    for target, values in dataset.targets.items():
        known = values[np.isfinite(values)]
        unit = _unit(target)
        span = f"{known.min():.4g} to {known.max():.4g}{unit}, median {np.median(known):.4g}" if len(known) else "none"
        yield f"  {target}: {counted(len(known), 'value')}, {span}"


def _unit(target: str) -> str:
    from paraisite.targets import unit

    known = unit(target)
    return f" {known}" if known not in ("", "1") else ""
