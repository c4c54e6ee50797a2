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

DIR gets index.html (one file, for any browser, without a network), shortlist.csv and a CIF of each candidate in
cifs/."""


BelowOption = Annotated[float | None, typer.Option("--below", metavar="KAPPA", help="Wanted is less (W/m/K).")]
AboveOption = Annotated[float | None, typer.Option("--above", metavar="KAPPA", help="Wanted is more (W/m/K).")]
TopOption = Annotated[int, typer.Option("--top", metavar="N", min=1, help="Candidates at most.")]


@guarded
def report(
    table: Annotated[Path, typer.Argument(metavar="TABLE", help="Predictions in Parquet.")],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="A new folder.")],
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
            help="Files, folder, archive or graph store where crystals are that moved since; may be repeated.",
        ),
    ] = None,
    overwrite: OverwriteOption = False,
) -> None:
    """Choose candidates of a table that `screen` or `predict` wrote, and make a page of it.

    Low conductivities are wanted, or high ones if only --above is given.
    """
    if find_spec("matplotlib") is None:
        fail("a report needs matplotlib: pip install 'paraisite[train]'")
    with wrong_usage():
        from paraisite.screening.report.write import write_report
        from paraisite.screening.shortlist import Wish, condition

        wish = Wish(below, above, rank.value, top, per_system, condition(where, table))
        made = write_report(table, output, wish, structures=structures or (), where=where, overwrite=overwrite)
    if made.not_found:
        n = len(made.not_found)
        say(
            f"warning: {n} of {made.table.num_rows} crystals are no longer where they were read, {made.not_found[0]} "
            "for one; say where they are: --structures SOURCE",
            err=True,
        )
    say(f"{made.table.num_rows} candidates: {made.page}", err=True)
    if not made.table.num_rows:
        raise typer.Exit(FAILED)
