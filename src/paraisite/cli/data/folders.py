"""Folders that verbs of `paraisite data` read and write."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from paraisite.cli.console import say

if TYPE_CHECKING:
    from paraisite.crystals import Rejection
    from paraisite.datasets import Dataset


def check_output(folder: Path, overwrite: bool, inputs: Iterable[str] = ()) -> None:
    """Raise a ValueError if a dataset must not be written to a folder; `inputs` are the datasets that are read."""
    from paraisite.datasets.registry import find
    from paraisite.datasets.store import dataset_folder, is_dataset_folder
    from paraisite.files.outputs import refuse_folder

    folder = folder.expanduser()
    if folder.resolve() in [dataset_folder(given).resolve() for given in inputs if find(given) is None]:
        raise ValueError(f"{folder}: is also an input; name another folder with -o")
    refuse_folder(folder, "stored dataset", is_dataset_folder, overwrite)


MAX_LISTED, FIRST = 10, 5
"""Up to so many rejections are listed one by one; of more the first few."""


def load_dataset(given: str, mirror: Path | None) -> Dataset:
    """Load a dataset; say so where a folder of the current directory is called like a registered one."""
    from paraisite.datasets.load import load

    note_namesake(given)
    return load(given, mirror)


def note_namesake(given: str) -> None:
    """Say on standard error that a registered dataset is meant and not the folder of that name."""
    from paraisite.datasets.registry import find

    if (card := find(given)) is not None and Path(given).is_dir():
        say(f"note: the registered {card.name} is meant; the folder is ./{given}", err=True)


def listed(rejections: Sequence[Rejection], before: str = "  ", more: str = "") -> Iterator[str]:
    """Yield a line for each rejection, or for the first few of many; `more` says where the others are."""
    shown = rejections if len(rejections) <= MAX_LISTED else rejections[:FIRST]
    for rejection in shown:
        label = f" ({rejection.id})" if rejection.id and rejection.id not in rejection.source else ""
        yield f"{before}{rejection.source}{label}: {rejection.reason}"
    if len(shown) < len(rejections):
        yield f"{before}and {len(rejections) - len(shown)} more{more}"


def warnings(dataset: Dataset) -> Iterator[str]:
    """Yield a warning for each thing that cannot be right with the conductivities."""
    from paraisite.datasets.doubts import doubts

    for line in doubts(dataset, FIRST):
        yield f"warning: {line}"


def load_all(datasets: Sequence[str], mirror: Path | None) -> list[Dataset]:
    """Load datasets; where several bear one name, those given as folders are called like their folders."""
    from paraisite.datasets.registry import find
    from paraisite.datasets.store import dataset_folder

    loaded = [load_dataset(given, mirror) for given in datasets]
    times = Counter(data.name for data in loaded)
    return [
        replace(data, name=dataset_folder(given).resolve().name)
        if times[data.name] > 1 and find(given) is None
        else data
        for given, data in zip(datasets, loaded, strict=True)
    ]
