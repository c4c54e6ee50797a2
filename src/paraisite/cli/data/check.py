"""`paraisite data check`: what a dataset holds, and what is wrong with it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from paraisite.cli.console import cell, console, say
from paraisite.cli.data.folders import listed, load_dataset, note_namesake, warnings
from paraisite.cli.errors import FAILED, fail, guarded
from paraisite.cli.options import MirrorOption
from paraisite.files.printable import counted

if TYPE_CHECKING:
    from rich.table import Table

    from paraisite.crystals import Rejection
    from paraisite.datasets import Dataset

EXAMPLES = """Examples:

\b
  paraisite data check my_dataset/
  paraisite data check l96 --mirror data/

Reads everything: a named dataset, a stored one (dataset.parquet), or a folder of id_prop.csv and CIFs. The exit status
is 1 if a row is rejected, a crystal is impossible, or the content is not that of its card or of the registry."""

SHOWN = 10
"""How many formulas and ids are named that stand on several rows."""


@guarded
def check(
    dataset: Annotated[str, typer.Argument(metavar="DATASET", help="A dataset's name or folder.")],
    mirror: MirrorOption = None,
) -> None:
    """Check a dataset: rows and rejected lines, units, content hash, crystals with equal formulas."""
    from paraisite.datasets import DatasetError
    from paraisite.datasets.registry import find

    card = find(dataset)
    if card is None and not Path(dataset).expanduser().exists():
        fail(f"{dataset}: neither a known dataset nor a folder; see paraisite data list")
    try:
        if card is not None and card.holds == "formulas":
            from paraisite.datasets.formulas import load_formulas

            note_namesake(dataset)
            table = load_formulas(dataset, mirror)
            say(f"{table.name}: {len(table)} formulas, as registered (content {table.content_hash[:12]})")
            return
        data = load_dataset(dataset, mirror)
    except DatasetError as error:
        fail(str(error), FAILED)
    rejected = [*data.rejections, *_impossible(data)]
    good = len(data) - len(rejected) + len(data.rejections)
    say(f"{data.name}: {counted(good, 'good row')}, {len(rejected)} rejected")
    path = Path(dataset).expanduser()
    folder = None if card is not None else path if path.is_dir() else path.parent
    for line in listed(rejected):
        say(line)
    for line in warnings(data):
        say(line)
    if data.targets:
        console().print(_targets(data, _units(data, folder)))
    for line in (*_repeated("formulas", data.formulas), *_repeated("ids", data.ids)):
        say(line)
    if noted := sum(bool(crystal.notes) for crystal in data.crystals):
        say(f"notes: {counted(noted, 'crystal')} read with an assumption, such as {_first_note(data)}")
    said, wrong = _content(data, folder)
    say(f"content hash: {data.content_hash}\n  {said}")
    if rejected or wrong:
        raise typer.Exit(FAILED)


def _impossible(data: Dataset) -> Iterator[Rejection]:
    """Yield a rejection for each crystal that no reader would let pass; a stored dataset may hold such."""
    from paraisite.crystals import CrystalError, Rejection
    from paraisite.crystals.check import check as check_crystal

    for row, crystal in enumerate(data.crystals, start=1):
        try:
            check_crystal(crystal.cell, crystal.numbers, crystal.positions)
        except CrystalError as error:
            yield Rejection(crystal.id, f"row {row} ({crystal.source})", str(error))


def _units(data: Dataset, folder: Path | None) -> dict[str, str]:
    from paraisite.datasets.store import is_dataset_folder, read_card
    from paraisite.targets import unit

    stored = read_card(folder).units if folder is not None and is_dataset_folder(folder) else {}
    return {target: stored.get(target) or unit(target) or "not known" for target in data.targets}


def _targets(data: Dataset, units: dict[str, str]) -> Table:
    import numpy as np
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("target", "unit", "values", "smallest", "median", "largest"):
        table.add_column(heading, justify="left" if heading in ("target", "unit") else "right")
    for target, column in data.targets.items():
        values = column[~np.isnan(column)]
        numbers = [f"{x:.4g}" for x in np.quantile(values, (0, 0.5, 1))] if len(values) else ["-"] * 3
        table.add_row(cell(target), cell(units[target]), str(len(values)), *numbers)
    return table


def _repeated(what: str, values: Iterable[str]) -> Iterator[str]:
    """Say how many different ones there are, and which stand on several rows."""
    counts = Counter(values)
    several = [(value, n) for value, n in counts.most_common() if n > 1]
    yield f"{what}: {len(counts)} different" + (f", of which {len(several)} on several rows" if several else "")
    if several:
        named = ", ".join(f"{value} ({n})" for value, n in several[:SHOWN])
        yield f"  {named}{', …' if len(several) > SHOWN else ''}"


def _first_note(data: Dataset) -> str:
    return next(f"{crystal.id}: {note}" for crystal in data.crystals for note in crystal.notes)


def _content(data: Dataset, folder: Path | None) -> tuple[str, bool]:
    """Compare the content with that of the card and of the registry: what to say, and whether it is wrong."""
    from paraisite.datasets.registry import find, registry
    from paraisite.datasets.store import is_dataset_folder, read_card

    stored = folder is not None and is_dataset_folder(folder)
    if folder is not None and stored and read_card(folder).content_hash != data.content_hash:
        return "differs from that of card.json; make the dataset again with the command that made it", True
    said = ["as card.json says"] if stored else []
    same = next((card.name for card in registry().values() if card.content_hash == data.content_hash), None)
    card = find(data.name)
    if same is not None:
        said.append(f"the content of the registered {same}")
    elif card is not None and not stored:
        return f"not the content of the registered {card.name}; fetch it again, or give your own another name", True
    else:
        said.append("no registered dataset has it")
    return "; ".join(said), False
