"""The study's trainings: which there are, what each starts from, and which rows each of its nine runs may see."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np

from paraisite.datasets import Dataset, Split, paper_split
from paraisite.datasets.groups import prototypes

DATASETS = ("l96", "hh143", "mix", "aflow_agl")
"""Trained and tested on, in the order of the study's tables."""

STEPS = ("I", "II", "III", "III-kernel", "III-combined")
"""Nothing pretrained; the encoder pretrained on formation energies; that, then AGL values, then the small sets, which
change the weights, as in the study, or correct the networks by a `KernelHead`, as our shipped model does, or both: the
mean of log10 kappa of the two."""

VARIANTS = ("all", "no_overlap")
"""AGL rows a run may train on: all of its training part, or those that share no formula with a scored fold."""

SPLITS = ("paper", "formula", "prototype")
RUNS = tuple(range(1, 10))
AGL = "aflow_agl"


@dataclass(frozen=True, slots=True)
class Training:
    """One row of the study's table: a step, trained on one dataset, in one variant, under one kind of split.

    Attributes
    ----------
    step : {"I", "II", "III", "III-kernel", "III-combined"}
    trained_on : str
        Of `DATASETS`; step III is for the small ones only.
    agl : {"", "all", "no_overlap"}
        Empty where no AGL row is trained on: both variants are then the same.
    split : {"paper", "formula", "prototype"}
        The study's random splits; or a fifth of the formulas, or of the prototypes, held out as a whole.
    """

    step: str
    trained_on: str
    agl: str = ""
    split: str = "paper"

    @property
    def name(self) -> str:
        """Name of its folder."""
        return "-".join(part for part in (self.step, self.trained_on, self.agl, self.split) if part)

    @property
    def start(self) -> Training | None:
        """The training whose networks this one starts from."""
        return Training("II", AGL, self.agl, self.split) if self.step.startswith("III") else None


def trainings(
    steps: Iterable[str] = STEPS,
    trained_on: Iterable[str] = DATASETS,
    variants: Iterable[str] = VARIANTS,
    split: str = "paper",
) -> list[Training]:
    """List the trainings asked for, each after what it starts from.

    Raises
    ------
    ValueError
        If a step, dataset, variant or split is unknown.
    """
    asked: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
        "step": (tuple(steps), STEPS),
        "dataset": (tuple(trained_on), DATASETS),
        "variant": (tuple(variants), VARIANTS),
        "split": ((split,), SPLITS),
    }
    for what, (given, known) in asked.items():
        for name in given:
            if name not in known:
                raise ValueError(f"{what} {name!r} is not part of the study; choose from {', '.join(known)}")
    found: dict[Training, None] = {}
    for step in (s for s in STEPS if s in asked["step"][0]):
        for dataset in (d for d in DATASETS if d in asked["dataset"][0]):
            third = step.startswith("III")
            if third and dataset == AGL:
                continue
            for agl in asked["variant"][0] if third or dataset == AGL else ("",):
                training = Training(step, dataset, agl, split)
                if training.start is not None:
                    found[training.start] = None
                found[training] = None
    return list(found)


def run_split(dataset: Dataset, run: int, kind: str = "paper") -> Split:
    """Split one dataset as run number `run` does.

    ``paper`` is the study's own. ``formula`` and ``prototype`` deal whole groups, in the order of
    `numpy.random.RandomState(run)`, until a fifth of the rows is held out; a dataset of several parts is dealt as one,
    so a formula never stands on both sides.
    """
    if kind == "paper":
        return paper_split(dataset.part_sizes, run)
    groups = dataset.formulas if kind == "formula" else prototypes(dataset.crystals)
    names = list(dict.fromkeys(groups))
    order = np.random.RandomState(run).permutation(len(names))
    rows: dict[str, list[int]] = {}
    for row, group in enumerate(groups):
        rows.setdefault(group, []).append(row)
    held: list[int] = []
    for i in order.tolist():
        if len(held) >= 0.2 * len(dataset):
            break
        held += rows[names[i]]
    mask = np.zeros(len(dataset), dtype=bool)
    mask[held] = True
    return Split(np.flatnonzero(~mask), np.flatnonzero(mask))


class Folds:
    """Rows that train and rows that score, for every dataset, run and variant of one kind of split.

    Parameters
    ----------
    datasets : mapping of str to Dataset
        Of `DATASETS`, complete.
    kept : mapping of str to numpy.ndarray
        Rows of each that have a graph. Splits are drawn on all rows, as the study's are, and then numbered by `kept`.
    kind : {"paper", "formula", "prototype"}
    """

    def __init__(self, datasets: Mapping[str, Dataset], kept: Mapping[str, np.ndarray], kind: str = "paper") -> None:
        self.datasets = {name: dataset.take(kept[name]) for name, dataset in datasets.items()}
        self.kept, self.kind = kept, kind
        self._complete = datasets
        self._splits: dict[tuple[str, int], Split] = {}

    def split(self, name: str, run: int) -> Split:
        """The split of a dataset in a run, ascending; the scored fold is its validation side."""
        key = name, run
        if key not in self._splits:
            split, kept = self._draw(name, run), self.kept[name]
            self._splits[key] = Split(*(np.flatnonzero(np.isin(kept, side)) for side in split))
        return self._splits[key]

    def _draw(self, name: str, run: int) -> Split:
        """Split all rows. Under grouped splits, `l96` and `hh143` hold out what `mix` holds out of them."""
        if self.kind == "paper" or name not in ("l96", "hh143"):
            return run_split(self._complete[name], run, self.kind)
        first = 0 if name == "l96" else len(self._complete["l96"])
        whole = run_split(self._complete["mix"], run, self.kind)
        last = first + len(self._complete[name])
        return Split(*(side[(side >= first) & (side < last)] - first for side in whole))

    def scored_formulas(self, run: int) -> set[str]:
        """Formulas of all rows that are scored in a run."""
        return {
            dataset.formulas[i]
            for name, dataset in self.datasets.items()
            for i in self.split(name, run).validation.tolist()
        }

    def training_mask(self, training: Training, run: int) -> np.ndarray:
        """Rows of the training's dataset that a run may train on, shape (rows,), bool."""
        dataset = self.datasets[training.trained_on]
        mask = np.zeros(len(dataset), dtype=bool)
        mask[self.split(training.trained_on, run).train] = True
        if training.trained_on == AGL and training.agl == "no_overlap":
            scored = self.scored_formulas(run)
            mask &= np.array([formula not in scored for formula in dataset.formulas])
        return mask
