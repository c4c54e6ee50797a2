"""`paraisite pack`: crystals with their graphs in one file, to be screened again and again."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from paraisite.cli.console import say
from paraisite.cli.errors import FAILED, guarded, wrong_usage
from paraisite.cli.options import Disorder, DisorderOption, OverwriteOption
from paraisite.cli.screen import (
    EngineOption,
    FilterOption,
    InputsArgument,
    LimitOption,
    MpOption,
    OptimadeOption,
    PartSizeOption,
    QuietOption,
    RayAddressOption,
    ResumeOption,
    WorkersOption,
    carried_out,
    check_places,
    sources_of,
)

EXAMPLES = """Examples:

\b
  paraisite pack archive.zip -o graphs.parquet
  paraisite pack --mp 'elements=Mg,O stable' -o oxides.parquet
  paraisite screen graphs.parquet -o out.parquet

\b
Exit status: 0 if a crystal was packed; 1 if none was, or if the work stopped early; 2 on wrong usage."""


@guarded
def pack(
    output: Annotated[Path, typer.Option("--output", "-o", metavar="STORE.parquet", help="Graph store to write.")],
    inputs: InputsArgument = None,
    optimade: OptimadeOption = None,
    filter: FilterOption = "",
    mp: MpOption = None,
    limit: LimitOption = None,
    cutoff: Annotated[
        float, typer.Option("--cutoff", metavar="Å", min=0.5, max=20, help="Neighbour cutoff in Å.")
    ] = 4.0,
    tolerance: Annotated[
        float, typer.Option("--tolerance", metavar="Å", min=0, max=0.5, help="Tolerance for equal distances in Å.")
    ] = 1e-3,
    disorder: DisorderOption = Disorder.reject,
    workers: WorkersOption = None,
    engine: EngineOption = "processes",
    ray_address: RayAddressOption = None,
    part_size: PartSizeOption = 512,
    resume: ResumeOption = False,
    overwrite: OverwriteOption = False,
    quiet: QuietOption = False,
) -> None:
    """Build the graphs of crystals once and store them, with the crystals, for `paraisite screen`.

    The defaults of --cutoff and --tolerance are those of the shipped models. Models that need other graphs build them
    from the crystals in the store.
    """
    with wrong_usage():
        check_places(inputs, output, resume=resume, overwrite=overwrite)

        from paraisite.screening.packing import Packing
        from paraisite.screening.run import pack as run

        sources = sources_of(inputs, optimade, filter, mp, limit, disorder)
        work = Packing(cutoff, tolerance, disorder.value)
    options = {"workers": workers, "engine": engine, "part_size": part_size, "address": ray_address}
    with carried_out(sources, output, quiet, resume=resume, overwrite=overwrite, **options) as how:
        run(sources, output, work, how)

    from pyarrow import parquet

    file = parquet.ParquetFile(output)
    rejected = 0
    for group in range(file.num_row_groups):
        reasons = file.read_row_group(group, columns=["reason"]).column("reason").to_pylist()
        rejected += sum(bool(reason) for reason in reasons)
    packed = file.metadata.num_rows - rejected
    if not quiet:
        say(f"{packed} packed, {rejected} rejected", err=True)
        say(f"written: {output}", err=True)
    if not packed:
        raise typer.Exit(FAILED)
