"""`paraisite data clean`: rules, and an account of every row."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from paraisite.cli.console import console, say
from paraisite.cli.data.folders import check_output, load_dataset
from paraisite.cli.errors import guarded, wrong_usage
from paraisite.cli.options import MirrorOption, OverwriteOption
from paraisite.cli.progress import progress_bar
from paraisite.files.printable import counted

if TYPE_CHECKING:
    from rich.table import Table

EXAMPLES = """Examples:

\b
  paraisite data clean aflow_agl -o agl_clean/
  paraisite data clean my_dataset/ -o marked/ --keep-all
  paraisite data clean my_dataset/ -o clean/ --config rules.yml

\b
rules.yml overrides the defaults (listed in docs/cleaning.md), for example
  outlier: {action: drop, sigma: 5}
  duplicates: {action: flag}
  units: {action: off}

DIR receives the dataset (dataset.parquet, card.json), cleaning.csv with a line for every row, and cleaning.json."""

PAIRS = "pairs of crystals"

WorkersOption = Annotated[
    int | None,
    typer.Option(
        "--workers",
        metavar="N",
        min=1,
        help="Number of processes; the result does not depend on it.",
        show_default="one per processor",
    ),
]


@guarded
def clean(
    dataset: Annotated[str, typer.Argument(metavar="DATASET", help="A dataset's name or folder.")],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="Folder of the cleaned dataset.")],
    keep_all: Annotated[bool, typer.Option("--keep-all", help="Only flag rows; keep all of them.")] = False,
    config: Annotated[
        Path | None, typer.Option("--config", metavar="FILE", help="YAML file of rules that override the defaults.")
    ] = None,
    workers: WorkersOption = None,
    overwrite: OverwriteOption = False,
    mirror: MirrorOption = None,
) -> None:
    """Drop, merge or flag implausible rows, and record the reason for each."""
    with wrong_usage():
        from paraisite.datasets.cleaning_rules import Rules, load_rules
        from paraisite.datasets.store import inherited

        check_output(output, overwrite, [dataset])
        rules = load_rules(config) if config is not None else Rules()
        data = load_dataset(dataset, mirror)
        terms = inherited([dataset])

    from paraisite.datasets.clean import clean as apply
    from paraisite.datasets.clean import write_cleaning

    with progress_bar(PAIRS) as show, wrong_usage():
        progress = partial(show, "")
        cleaning = apply(data, rules, keep_all=keep_all, workers=processes(workers), progress=progress)
    with wrong_usage():
        write_cleaning(cleaning, output, terms)

    summary = cleaning.summary
    console().print(_counts(summary))
    rows, fates = summary["rows"], summary["fates"]
    say(f"{data.name}: {counted(rows['before'], 'row')}, {', '.join(f'{n} {fate}' for fate, n in fates.items())}")
    say(f"remaining rows: {rows['after']}")
    for note in summary["notes"]:
        say(f"note: {note}")
    say(f"content: {summary['content_hash']['before'][:12]} -> {summary['content_hash']['after'][:12]}")
    say(f"written: {output} (reasons: {output / 'cleaning.csv'})", err=True)


def processes(workers: int | None) -> int:
    """Number of processes: as asked for, else one per processor."""
    return workers or os.cpu_count() or 1


def _counts(summary: dict[str, Any]) -> Table:
    """What each rule found; a row may be found by several."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("rule")
    table.add_column("rows", justify="right")
    table.add_column("action")
    for rule, found in summary["rules"].items():
        for fate, n in found.items():
            table.add_row(rule, str(n), ("flagged" if summary["keep_all"] else fate) if n else "")
    return table
