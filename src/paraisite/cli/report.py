"""`paraisite report`: the shortlist of a screening, as a page to look at and crystals to verify."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from paraisite.cli.console import say
from paraisite.cli.errors import FAILED, fail, guarded, wrong_usage
from paraisite.cli.options import OverwriteOption, PerSystemOption, Ranking, RankOption, WhereOption

EXAMPLES = """Examples:

\b
  paraisite screen crystals.zip -o out.parquet
  paraisite report out.parquet --below 1 -o report/
  paraisite report out.parquet --below 1 --rank probability --per-system 1 --where "'Pb' not in elements" -o report/
  paraisite verify report/cifs/ -o verified/

DIR receives index.html (one file, works offline), shortlist.csv and a CIF of each candidate in cifs/."""


COMMON = ("output", "below", "above", "top", "rank", "overwrite")

BelowOption = Annotated[float | None, typer.Option("--below", metavar="KAPPA", help="Upper limit on kappa (W/m/K).")]
AboveOption = Annotated[float | None, typer.Option("--above", metavar="KAPPA", help="Lower limit on kappa (W/m/K).")]
TopOption = Annotated[int, typer.Option("--top", metavar="N", min=1, help="Maximum number of candidates.")]


@guarded
def report(
    table: Annotated[Path, typer.Argument(metavar="TABLE", help="Predictions in Parquet.")],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="Folder of the report.")],
    below: BelowOption = None,
    above: AboveOption = None,
    rank: RankOption = Ranking.expected,
    top: TopOption = 100,
    per_system: PerSystemOption = None,
    where: WhereOption = "",
    structures: Annotated[
        list[str] | None,
        typer.Option(
            "--structures",
            metavar="SOURCE",
            help="New location of structures that were moved: file, folder, archive or graph store; may be repeated.",
        ),
    ] = None,
    overwrite: OverwriteOption = False,
) -> None:
    """Select candidates from a table of `screen` or `predict`, and write a page about them.

    Low conductivities come first; with --above alone, high ones do.
    """
    if find_spec("matplotlib") is None:
        fail("the figures of a report need matplotlib: pip install 'paraisite[plots]'")
    with wrong_usage():
        from paraisite.screening.report.write import write_report
        from paraisite.screening.shortlist import Wish, condition

        wish = Wish(below, above, rank.value, top, per_system, condition(where, table))
        made = write_report(table, output, wish, structures=structures or (), where=where, overwrite=overwrite)
    if made.not_found:
        n = len(made.not_found)
        say(
            f"warning: {n} of {made.table.num_rows} structures were not found, such as {made.not_found[0]}; give their "
            "new location with --structures SOURCE",
            err=True,
        )
    say(f"{made.table.num_rows} candidates: {made.page}", err=True)
    if not made.table.num_rows:
        raise typer.Exit(FAILED)
