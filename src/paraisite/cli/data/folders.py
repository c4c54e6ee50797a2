"""Folders that verbs of `paraisite data` read and write."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from paraisite.cli.console import say

if TYPE_CHECKING:
    from paraisite.crystals import Rejection
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


MAX_LISTED, FIRST = 10, 5
"""Up to so many rejections are listed one by one; of more the first few."""

HIGHEST_KAPPA = 3500.0
"""W/m/K at 300 K: natural diamond has 2400, the model fitted to it nearly half as much again without 13C
(A. V. Inyushkin et al., Phys. Rev. B 97, 144305 (2018))."""


def load_dataset(given: str, mirror: Path | None) -> Dataset:
    """Load a data set; say so where a folder of the current directory is called like a registered one."""
    from paraisite.datasets.load import load

    note_namesake(given)
    return load(given, mirror)


def note_namesake(given: str) -> None:
    """Say on standard error that a registered data set is meant and not the folder of that name."""
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


def beyond_diamond(dataset: Dataset) -> Iterator[str]:
    """Yield a warning where conductivities are higher than any crystal has."""
    import numpy as np

    from paraisite.datasets.dataset import KAPPA

    kappa = dataset.targets.get(KAPPA, np.empty(0))
    high = np.flatnonzero(kappa > HIGHEST_KAPPA)  # NaN is not
    if len(high):
        named = ", ".join(f"{dataset.crystals[i].id} {kappa[i]:.4g}" for i in high[:FIRST])
        yield (
            f"warning: {len(high)} values of kappa are above {HIGHEST_KAPPA:g} W/m/K, more than diamond has ({named}"
            f"{', …' if len(high) > FIRST else ''}); if they are in another unit, import them with --unit"
        )


def load_all(datasets: Sequence[str], mirror: Path | None) -> list[Dataset]:
    """Load data sets; where several bear one name, those given as folders are called like their folders."""
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
