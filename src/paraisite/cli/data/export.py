"""`paraisite data export`: a dataset as files that other programs read."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from paraisite.cli.console import say
from paraisite.cli.data.folders import FIRST, load_dataset
from paraisite.cli.errors import fail, guarded, wrong_usage
from paraisite.cli.options import MirrorOption
from paraisite.files.printable import counted

EXAMPLES = """Examples:

\b
  paraisite data export l96 --format id_prop -o l96/
  paraisite data export mix --format extxyz -o mix.xyz
  paraisite data export my_dataset/ --format ase -o my.db
  paraisite data export my_dataset/ --format pymatgen -o my.json.gz

\b
For CGCNN (add its atom_init.json), and for ALIGNN (train_alignn.py --file_format cif):
  paraisite data export mix --format id_prop --loose --no-header --target kappa -o cgcnn/
  paraisite data export mix --format id_prop --loose --no-header --file-names --target kappa -o alignn/

\b
For matgl, in Python:
  records = monty.serialization.loadfn("my.json.gz")
  MGLDataset(structures=[r["structure"] for r in records], labels={"kappa": [r["kappa"] for r in records]}, ...)

\b
Numbers are written with all their digits, and read back by ParAIsite
  from pymatgen    all the same, to the bit
  from extxyz, ase the same, but fractional positions, made of Cartesian ones: to 1e-12
  from id_prop     the same, but the cell: a CIF holds its lengths and angles (to 1e-12), not its orientation;
                   provenance and labels (such as fidelity) are not kept
A row without a value of any target is left out of id_prop, and without a key for it elsewhere."""


class Format(StrEnum):
    """What can be written."""

    id_prop = "id_prop"
    extxyz = "extxyz"
    ase = "ase"
    pymatgen = "pymatgen"


@guarded
def export(
    dataset: Annotated[str, typer.Argument(metavar="DATASET", help="A dataset's name or folder.")],
    format: Annotated[
        Format,
        typer.Option(
            "--format",
            help="id_prop: folder of id_prop.csv and cif.zip; extxyz: .xyz; ase: database, .db; "
            "pymatgen: JSON, .json.gz.",
        ),
    ],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="OUT", help="File, or for id_prop a new folder.")],
    target: Annotated[
        list[str] | None, typer.Option("--target", metavar="NAME", help="Write only this target; may be repeated.")
    ] = None,
    no_header: Annotated[
        bool, typer.Option("--no-header", help="id_prop: omit the header line; one target only.")
    ] = False,
    loose: Annotated[
        bool, typer.Option("--loose", help="id_prop: CIFs beside the table instead of in cif.zip.")
    ] = False,
    file_names: Annotated[
        bool, typer.Option("--file-names", help="id_prop: names of the CIFs (ID.cif) in place of ids.")
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the file OUT if it exists; folders are never replaced.")
    ] = False,
    mirror: MirrorOption = None,
) -> None:
    """Write a dataset for ASE, pymatgen, matgl, CGCNN, ALIGNN and others."""
    if format is not Format.id_prop and (no_header or loose or file_names):
        fail("--no-header, --loose and --file-names belong to --format id_prop")
    with wrong_usage():
        from paraisite.datasets.export import export as export_dataset

        written = export_dataset(
            load_dataset(dataset, mirror),
            output,
            format.value,
            targets=target,
            header=not no_header,
            loose=loose,
            file_names=file_names,
            overwrite=overwrite,
        )
    say(f"{written.path}: {counted(written.rows, 'crystal')}")
    if written.left_out:
        say(f"left out: {counted(written.left_out, 'row')} without a value", err=True)
    if written.renamed:
        n = len(written.renamed)
        shown = ", ".join(f"{before} -> {after}" for before, after in written.renamed[:FIRST])
        more = f" and {n - FIRST} more" if n > FIRST else ""
        say(f"ids renamed, as not unique or not valid as file names: {shown}{more}", err=True)
