"""Which network trains on which row: folds times members, as masks over the rows of each stage."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from paraisite.datasets import Dataset, Split, grouped_kfold, holdout, kfold, paper_split
from paraisite.training.recipe import SplitConfig


@dataclass(frozen=True, slots=True, eq=False)
class Replicas:
    """The networks of a training, ordered by fold, then by member.

    Attributes
    ----------
    fold : numpy.ndarray, shape (replicas,), int64
        Fold of each replica.
    splits : list of Split
        Training and held-out rows of the last stage, for each fold.
    training : list of numpy.ndarray, each of shape (folds, rows), bool
        For each stage, the rows a fold may train on.
    formula_fold : dict of str to int
        For every formula of every stage, the fold whose networks were not trained on it; -1 where there is none.
    """

    fold: np.ndarray
    splits: list[Split]
    training: list[np.ndarray]
    formula_fold: dict[str, int]

    @property
    def folds(self) -> int:
        """Number of folds."""
        return len(self.splits)


def plan(
    config: SplitConfig, members: int, stages: Sequence[Dataset], saved: Sequence[Split] | None = None
) -> Replicas:
    """Draw the folds of a training.

    Parameters
    ----------
    config : SplitConfig
    members : int
        Networks for each fold.
    stages : sequence of Dataset
        The dataset of each stage, the last one being scored.
    saved : sequence of Split, optional
        Of the last dataset, where `config` says ``saved``.

    Raises
    ------
    ValueError
        If the rows do not allow such folds, or an earlier stage would train on held-out rows.
    """
    last = stages[-1]
    formula_fold: dict[str, int] = {}
    if config.kind == "paper":
        splits = [paper_split(last.part_sizes, run) for run in config.runs]
    elif config.kind == "holdout":
        splits = [holdout(len(last), config.fraction, config.seed)]
    elif config.kind == "saved":
        if saved is None:
            raise ValueError("kind: saved needs the folds of a file")
        splits = list(saved)
        for f, split in enumerate(splits):
            seen = {last.formulas[i] for i in split.train.tolist()}
            for i in split.validation.tolist():
                if last.formulas[i] not in seen:  # held out as a whole; folds may overlap, the first one counts
                    formula_fold.setdefault(last.formulas[i], f)
    elif config.group == "row":
        splits = kfold(len(last), config.folds, config.seed)
    else:
        splits = grouped_kfold(last.formulas, config.folds, config.seed)
        formula_fold = {last.formulas[i]: f for f, split in enumerate(splits) for i in split.validation.tolist()}
        if config.earlier == "grouped":
            rest = sorted({f for stage in stages[:-1] for f in stage.formulas} - formula_fold.keys())
            if rest:
                dealt = grouped_kfold(rest, config.folds, config.seed)
                formula_fold |= {rest[i]: f for f, split in enumerate(dealt) for i in split.validation.tolist()}

    training = []
    for stage in stages[:-1]:
        mask = np.ones((len(splits), len(stage)), dtype=bool)
        if config.earlier == "all" and _rows(stage) & _rows(last):
            raise ValueError(f"earlier: all would train on held-out rows of {last.name}; use no_overlap or grouped")
        if config.earlier != "all":
            for f, split in enumerate(splits):
                held_out = {last.formulas[i] for i in split.validation.tolist()}
                held_out |= {formula for formula, fold in formula_fold.items() if fold == f}
                mask[f] = [formula not in held_out for formula in stage.formulas]
        training.append(mask)
    mask = np.zeros((len(splits), len(last)), dtype=bool)
    for f, split in enumerate(splits):
        mask[f, split.train] = True
    training.append(mask)
    unseen_by: dict[str, int] = {}
    for formula in sorted({f for stage in stages for f in stage.formulas}):
        fold = formula_fold.get(formula, -1)
        earlier = any(formula in stage.formulas for stage in stages[:-1])
        unseen_by[formula] = -1 if earlier and config.earlier == "all" else fold
    return Replicas(np.repeat(np.arange(len(splits)), members), splits, training, unseen_by)


def _rows(dataset: Dataset) -> set[tuple[str, str]]:
    """What tells rows of all datasets apart: two folders may have one name, and two datasets one id."""
    return set(zip(dataset.provenance, dataset.ids, strict=True))
