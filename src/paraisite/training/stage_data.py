"""The data of a stage: its datasets joined, their graphs and descriptors, and the values of its targets."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import replace
from pathlib import Path

import numpy as np

from paraisite.datasets import Dataset, join, load
from paraisite.datasets.dataset import FLAGS
from paraisite.graphs import CUTOFF, GraphBatch, build
from paraisite.model.descriptors import described
from paraisite.targets import TARGETS
from paraisite.training.recipe import Recipe, RecipeError


class StageSet:
    """The data of one stage with its graphs; rows without a graph are dropped and stand in `rejections`.

    Parameters
    ----------
    dataset : Dataset
    environment : bool
        Whether the graphs shall have the descriptors of `paraisite.model.environment` too.
    hashes : dict of str to str, optional
        Content hash of each dataset that was joined, by name.
    cutoff : float
        Of the graphs, in Å.

    Attributes
    ----------
    loaded, dataset : Dataset
        Before and after dropping them.
    kept : numpy.ndarray, int64
        Rows of `loaded` that `dataset` has, in order.
    graphs : GraphBatch
        Of `dataset`, with descriptors.
    flagged : numpy.ndarray, shape (rows,), bool
        Rows that their dataset doubts.
    """

    def __init__(
        self,
        dataset: Dataset,
        *,
        environment: bool = False,
        hashes: dict[str, str] | None = None,
        cutoff: float = CUTOFF,
    ) -> None:
        graphs, kept, rejected = build(dataset.crystals, cutoff=cutoff)
        self.rejections = (*dataset.rejections, *rejected.values())
        self.loaded, self.kept = dataset, np.asarray(kept, dtype=np.int64)
        self.dataset = dataset if len(kept) == len(dataset) else dataset.take(kept)
        self.graphs: GraphBatch = described(self.dataset.crystals, graphs, environment=environment)
        self.hash = dataset.content_hash
        self.hashes = hashes or {dataset.name: self.hash}
        flags = self.dataset.labels.get(FLAGS)
        self.flagged = np.array([bool(text) for text in flags] if flags else [False] * len(kept), dtype=bool)

    def take(self, rows: np.ndarray) -> StageSet:
        """Return some rows as if they were all: rows that no network may see only thin out the batches."""
        part = copy(self)
        part.dataset, part.graphs = self.dataset.take(rows), self.graphs.take(rows)
        part.kept, part.flagged = self.kept[rows], self.flagged[rows]
        return part


def read_stages(recipe: Recipe, mirror: str | Path | None) -> list[StageSet]:
    """Read the data of every stage; stages that read the same have one `StageSet`."""
    sets: dict[str, StageSet] = {}
    loaded: dict[str, Dataset] = {}
    for stage in recipe.stages:
        if stage.reads in sets:
            continue
        for name in stage.datasets:
            if name not in loaded:
                loaded[name] = load(name, mirror)
        parts = [loaded[name] for name in stage.datasets]
        whole = (
            parts[0]
            if len(parts) == 1 and not stage.rename
            else join(
                [_renamed(part, stage.rename.get(name, {})) for name, part in zip(stage.datasets, parts, strict=True)],
                " + ".join(part.name for part in parts),
            )
        )
        hashes = (
            {part.name: part.content_hash for part in parts} if len({p.name for p in parts}) == len(parts) else None
        )
        sets[stage.reads] = StageSet(whole, environment=recipe.head.environment, hashes=hashes, cutoff=recipe.cutoff)
    return [sets[stage.reads] for stage in recipe.stages]


def _renamed(dataset: Dataset, names: dict[str, str]) -> Dataset:
    for old in names:
        if old not in dataset.targets:
            raise RecipeError(f"rename: {dataset.name} has no target {old}; it has {', '.join(dataset.targets)}")
        if names[old] in dataset.targets.keys() - names.keys() or [*names.values()].count(names[old]) > 1:
            raise RecipeError(f"rename: {dataset.name} has a target {names[old]} already; give {old} another name")
    return replace(dataset, targets={names.get(name, name): values for name, values in dataset.targets.items()})


def usable(dataset: Dataset, name: str, recipe: Recipe) -> np.ndarray:
    """Values of a target, NaN where unknown or outside the domain of its transform.

    Raises
    ------
    RecipeError
        If the dataset has no such target.
    """
    share = TARGETS[name].share if name in TARGETS else None
    if share and {share.part, share.rest} <= dataset.targets.keys():
        with np.errstate(invalid="ignore", divide="ignore"):
            values = dataset.targets[share.part] / (dataset.targets[share.rest] + dataset.targets[share.part])
    elif name in dataset.targets:
        values = dataset.targets[name]
    else:
        raise RecipeError(f"{dataset.name} has no target {name}; it has {', '.join(dataset.targets)}")
    lowest, highest = DOMAIN[recipe.targets[name].transform]
    return np.where((values > lowest) & (values < highest), values, np.nan)


DOMAIN = {
    "identity": (-np.inf, np.inf),
    "log10": (0.0, np.inf),
    "log10p1": (-1.0, np.inf),
    "logit": (0.0, 1.0),
}
"""Between which values each transform is defined."""


def masks_without_flagged(recipe: Recipe, data: Sequence[StageSet], training: list[np.ndarray]) -> list[np.ndarray]:
    """Rows each fold may train on, without the flagged ones where the stage says so."""
    return [
        mask & ~part.flagged if stage.omit_flagged else mask
        for stage, part, mask in zip(recipe.stages, data, training, strict=True)
    ]
