"""Folders that verbs of `paraisite data` read and write."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from paraisite.datasets import Dataset

ForceOption = Annotated[bool, typer.Option("--force", help="Replace the data set that DIR holds.")]


def check_output(folder: Path, force: bool, inputs: Iterable[str] = ()) -> None:
    """Raise a ValueError if a data set must not be written to a folder; `inputs` are the data sets that are read."""
    from paraisite.datasets.registry import find
    from paraisite.datasets.store import dataset_folder, is_dataset_folder

    folder = folder.expanduser()
    if folder.resolve() in [dataset_folder(given).resolve() for given in inputs if find(given) is None]:
        raise ValueError(f"{folder}: is read itself; name another folder with -o")
    if not folder.exists():
        return
    if not folder.is_dir():
        raise ValueError(f"{folder}: is a file; name a folder with -o")
    if is_dataset_folder(folder):
        if not force:
            raise ValueError(f"{folder}: holds a data set already; --force replaces it, or name another folder with -o")
    elif any(folder.iterdir()):
        raise ValueError(f"{folder}: is not empty and holds no stored data set; name a new folder with -o")


def load_all(datasets: Sequence[str], mirror: Path | None) -> list[Dataset]:
    """Load data sets; where several bear one name, those given as folders are called like their folders."""
    from paraisite.datasets.load import load
    from paraisite.datasets.registry import find
    from paraisite.datasets.store import dataset_folder

    loaded = [load(given, mirror) for given in datasets]
    times = Counter(data.name for data in loaded)
    return [
        replace(data, name=dataset_folder(given).resolve().name)
        if times[data.name] > 1 and find(given) is None
        else data
        for given, data in zip(datasets, loaded, strict=True)
    ]
