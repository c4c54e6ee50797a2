"""`paraisite data merge`: several datasets become one."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from paraisite.cli.console import cell, console, say
from paraisite.cli.data.clean import PAIRS, WorkersOption, processes
from paraisite.cli.data.folders import check_output, load_all, load_dataset
from paraisite.cli.errors import guarded, wrong_usage
from paraisite.cli.options import MirrorOption, OverwriteOption
from paraisite.cli.progress import progress_bar
from paraisite.files.printable import counted

if TYPE_CHECKING:
    from rich.table import Table

EXAMPLES = """Examples:

\b
  paraisite data merge l96 hh143 -o mix/
  paraisite data merge l96 hh143 aflow_agl -o all/ --prefer l96,hh143,aflow_agl
  paraisite data merge l96 my_dataset/ -o both/ --policy keep-all
  paraisite data merge l96 -o l96_moduli/ --join aflow_agl --join matcalc_elasticity
  paraisite data merge my_dataset/ -o more/ --join debye_temperatures.csv

DIR receives the dataset (dataset.parquet, card.json), merging.csv with a line for every row, and merging.json.
Crystals are compared between datasets, not within one: `paraisite data clean` does that."""


class Policy(StrEnum):
    """What happens to a crystal that several datasets hold."""

    prefer = "prefer"
    median = "median"
    keep_all = "keep-all"


class Same(StrEnum):
    """What counts as the same row."""

    crystal = "crystal"
    id = "id"


@guarded
def merge(
    datasets: Annotated[list[str], typer.Argument(metavar="DATASET...", help="Names or folders of datasets.")],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="Folder of the merged dataset.")],
    policy: Annotated[
        Policy,
        typer.Option(
            "--policy",
            help="For crystals in several datasets: keep the row of the preferred dataset, the median, or all rows.",
        ),
    ] = Policy.prefer,
    prefer: Annotated[
        str,
        typer.Option("--prefer", metavar="LIST", help="Datasets in order of preference.", show_default="as given"),
    ] = "",
    same: Annotated[Same, typer.Option("--same", help="Match rows by crystal or by id.")] = Same.crystal,
    join: Annotated[
        list[str] | None,
        typer.Option(
            "--join",
            metavar="TABLE|DATASET",
            help="Add further targets from a CSV table (by id) or another dataset (by crystal; not kappa).",
        ),
    ] = None,
    name: Annotated[
        str, typer.Option("--name", metavar="NAME", help="Name of the result.", show_default="that of DIR")
    ] = "",
    workers: WorkersOption = None,
    overwrite: OverwriteOption = False,
    mirror: MirrorOption = None,
) -> None:
    """Merge datasets and record the fate of every row."""
    with wrong_usage():
        from paraisite.datasets.merge import join as fill
        from paraisite.datasets.merge import merge as combine
        from paraisite.datasets.merge import note_join, write_merging
        from paraisite.datasets.registry import find
        from paraisite.datasets.store import inherited

        tables = [given for given in join or [] if given.lower().endswith(".csv")]
        inputs = [*datasets, *(given for given in join or [] if given not in tables)]
        check_output(output, overwrite, inputs)
        terms = inherited(inputs)
        parts = load_all(datasets, mirror)
        names = [part.name for part in parts]
        wanted = [given.strip() for given in prefer.split(",") if given.strip()]
        called = {
            name: part.name for given, part in zip(datasets, parts, strict=True) for name in (given, _last(given))
        }
        called |= {part.name: part.name for part in parts}
        best = [called.get(given) or (card.name if (card := find(given)) else given) for given in wanted]
        if unknown := [given for given, name in zip(wanted, best, strict=True) if name not in names]:
            raise ValueError(f"--prefer {', '.join(unknown)}: the datasets given are {', '.join(names)}")
        others = [Path(given) if given in tables else load_dataset(given, mirror) for given in join or []]
        options: dict[str, Any] = {"workers": processes(workers)}
        title = name or output.expanduser().resolve().name
        with progress_bar(PAIRS) as show:
            options["progress"] = partial(show, "")
            merged, account = combine(parts, policy.value, best, by=same.value, name=title, **options)
        for other in others:
            with progress_bar(PAIRS) as show:
                options["progress"] = partial(show, "")
                merged, report = fill(merged, other, **options)
            if reason := _not_joined(report, merged.ids):
                raise ValueError(f"--join {report['from']}: no value could be joined: {reason}")
            account = note_join(account, merged, report)
        write_merging(merged, account, output, terms)

    summary = account.summary
    console().print(_counts(summary))
    rows, shared = summary["rows"], counted(summary["same_crystals"], "crystal")
    say(f"{counted(rows['before'], 'row')}, {shared} in several datasets, {counted(rows['after'], 'row')} remain")
    if summary["mixed_fidelities"]:
        say(f"warning: {summary['mixed_fidelities']} medians combine values of different fidelity", err=True)
    if summary["renamed_ids"]:
        say(f"note: {summary['renamed_ids']} ids occur in two datasets; the later ones are written ID@DATASET")
    for report in summary.get("joined", []):
        filled = ", ".join(f"{target} {n}" for target, n in report["filled"].items())
        rest = f"{report['unmatched']} of its rows match no crystal, {report['broken']} are broken"
        say(f"joined {report['from']} by {report['by']}: {filled or 'nothing'}; {rest}")
    say(f"content: {summary['content_hash']['merged'][:12]}")
    say(f"written: {output} (row by row: {output / 'merging.csv'})", err=True)


def _not_joined(report: dict[str, Any], ids: Sequence[str]) -> str:
    """Why nothing came of a join; empty where something did, or where all that could be filled is there already."""
    if not report["filled"]:
        return "it has no targets" + ("" if report["by"] == "id" else " but kappa, which is not joined (merge it)")
    if report["matched"]:
        return ""
    broken = f" ({report['broken']} lines are broken)" if report["broken"] else ""
    if report["by"] == "crystal":
        return f"none of its {report['unmatched']} crystals is among those of the result{broken}"
    named = ", ".join(ids[:3])
    return f"none of its {report['unmatched']} ids is one of the result, which look like {named}{broken}"


def _last(given: str) -> str:
    return Path(given).expanduser().resolve().name


def _counts(summary: dict[str, Any]) -> Table:
    """What became of the rows of each dataset."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("dataset", "kept", "merged", "dropped"):
        table.add_column(heading, justify="left" if heading == "dataset" else "right")
    for dataset, found in summary["datasets"].items():
        table.add_row(cell(dataset), *(str(found[action]) for action in ("kept", "merged", "dropped")))
    return table
