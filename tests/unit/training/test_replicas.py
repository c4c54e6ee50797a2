from __future__ import annotations

import numpy as np
import pytest

from paraisite.crystals import Crystal
from paraisite.datasets import Dataset, Split
from paraisite.training.recipe import SplitConfig
from paraisite.training.replicas import plan

NUMBERS = [(z, w) for z in (3, 11, 19, 37) for w in (9, 17, 35, 53)]


def dataset(name: str, pairs: list[tuple[int, int]]) -> Dataset:
    crystals = tuple(
        Crystal(4.0 * np.eye(3), np.array(pair), np.array([[0.0] * 3, [0.5] * 3]), id=str(i))
        for i, pair in enumerate(pairs)
    )
    return Dataset(name, crystals, {"kappa": np.ones(len(pairs))}, (name,) * len(pairs))


@pytest.fixture
def stages() -> list[Dataset]:
    # the last dataset has two formulas twice; the first shares half of its formulas with it
    return [dataset("big", [*NUMBERS, (12, 8), (20, 8), (38, 8)]), dataset("small", NUMBERS[:8] + NUMBERS[:2])]


def overlap(stage: Dataset, mask: np.ndarray, held_out: set[str]) -> set[str]:
    return {f for f, m in zip(stage.formulas, mask, strict=True) if m} & held_out


@pytest.mark.parametrize("seed", range(4))
def test_no_overlap_hides_the_formulas_of_the_scored_fold(stages: list[Dataset], seed: int) -> None:
    replicas = plan(SplitConfig(folds=3, group="row", earlier="no_overlap", seed=seed), 2, stages)
    assert replicas.fold.tolist() == [0, 0, 1, 1, 2, 2]
    for f, split in enumerate(replicas.splits):
        held_out = {stages[1].formulas[i] for i in split.validation}
        assert not overlap(stages[0], replicas.training[0][f], held_out)
        # and hides nothing else
        assert (
            set(stages[0].formulas) - overlap(stages[0], replicas.training[0][f], set(stages[0].formulas)) <= held_out
        )
        assert np.flatnonzero(replicas.training[1][f]).tolist() == sorted(split.train.tolist())


def test_all_hides_nothing_in_earlier_stages(stages: list[Dataset]) -> None:
    replicas = plan(SplitConfig(folds=3, group="row", earlier="all"), 1, stages)
    assert replicas.training[0].all()
    assert not replicas.training[1].all()


@pytest.mark.parametrize("seed", range(4))
def test_grouped_folds_hold_every_row_of_every_stage_out_once(stages: list[Dataset], seed: int) -> None:
    replicas = plan(SplitConfig(folds=3, earlier="grouped", seed=seed), 1, stages)
    for mask, stage in zip(replicas.training, stages, strict=True):
        assert ((~mask).sum(axis=0) == 1).all()
        for f in range(3):
            held_out = {formula for formula, fold in replicas.formula_fold.items() if fold == f}
            assert not overlap(stage, mask[f], held_out)
    assert set(replicas.formula_fold) == {f for stage in stages for f in stage.formulas}


@pytest.mark.parametrize(
    ("group", "earlier", "big_only", "both"),
    [
        ("row", "all", 0, 0),
        ("row", "no_overlap", 0, 0),
        ("formula", "all", 0, 0),
        ("formula", "no_overlap", 0, 8),
        ("formula", "grouped", 11, 8),
    ],
)
def test_every_formula_is_listed_and_only_unseen_ones_have_a_fold(
    stages: list[Dataset], group: str, earlier: str, big_only: int, both: int
) -> None:
    split = SplitConfig.model_validate({"folds": 3, "group": group, "earlier": earlier})
    fold = plan(split, 1, stages).formula_fold
    assert set(fold) == set(stages[0].formulas)
    small = set(stages[1].formulas)
    assert sum(f >= 0 for name, f in fold.items() if name not in small) == big_only
    assert sum(f >= 0 for name, f in fold.items() if name in small) == both


def test_the_studys_splits(stages: list[Dataset]) -> None:
    replicas = plan(SplitConfig(kind="paper", group="row", earlier="all"), 1, stages)
    assert replicas.folds == 9
    order = np.random.RandomState(4).permutation(10)
    assert replicas.splits[3].validation.tolist() == order[8:].tolist()


def test_a_holdout_is_one_fold(stages: list[Dataset]) -> None:
    replicas = plan(SplitConfig(kind="holdout", fraction=0.2, group="row", earlier="all"), 5, stages)
    assert replicas.fold.tolist() == [0] * 5
    assert (~replicas.training[1]).sum() == 2


def test_the_same_configuration_gives_the_same_plan(stages: list[Dataset]) -> None:
    first, second = (plan(SplitConfig(folds=3), 2, stages) for _ in range(2))
    assert first.formula_fold == second.formula_fold
    for a, b in zip(first.training, second.training, strict=True):
        assert (a == b).all()


def test_a_stage_that_would_train_on_held_out_rows_is_refused(stages: list[Dataset]) -> None:
    with pytest.raises(ValueError, match="held-out rows of small"):
        plan(SplitConfig(folds=3, group="formula", earlier="all"), 1, [stages[1], stages[1]])


@pytest.mark.parametrize("earlier", ["no_overlap", "all"])
def test_saved_folds_hold_a_formula_out_only_as_a_whole(stages: list[Dataset], earlier: str) -> None:
    # rows 0 and 8 have one formula, rows 1 and 9 another; rows 0, 8 and 2 are held out twice
    rows = [[0, 8, 2], [1, 3], [0, 8, 2, 4]]
    saved = [Split(np.setdiff1d(np.arange(10), r), np.array(r)) for r in rows]
    split = SplitConfig.model_validate({"kind": "saved", "file": "a.json", "earlier": earlier})
    replicas = plan(split, 2, stages, saved)
    assert replicas.fold.tolist() == [0, 0, 1, 1, 2, 2]
    fold = {stages[1].formulas[i]: f for i, f in {0: 0, 2: 0, 3: 1, 4: 2}.items()}
    if earlier == "all":  # the first stage has seen all of them
        fold = {}
    assert {formula: f for formula, f in replicas.formula_fold.items() if f >= 0} == fold
    for f, r in enumerate(rows):
        assert np.flatnonzero(~replicas.training[1][f]).tolist() == sorted(r)
        hidden = {stages[1].formulas[i] for i in r} if earlier == "no_overlap" else set()
        assert {n for n, m in zip(stages[0].formulas, replicas.training[0][f], strict=True) if not m} == hidden
