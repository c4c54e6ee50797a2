"""The study's trainings and folds."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from paraisite.crystals import Crystal
from paraisite.datasets import Dataset, concat, paper_split
from paraisite.study.plan import RUNS, Folds, Training, run_split, trainings

CELL = 4.0 * np.eye(3)
PAIRS = [(3, 9), (11, 17), (19, 35), (37, 53), (12, 8), (20, 16), (38, 34), (56, 52), (5, 7), (13, 15)]


def dataset(name: str, n: int, shift: int = 0) -> Dataset:
    """n crystals of ten formulas, in three structures."""
    crystals = []
    for i in range(n):
        a, b = PAIRS[(i + shift) % len(PAIRS)]
        place = (0.5, 0.25, 0.3)[i % 3]
        crystals.append(Crystal(CELL, np.array([a, b]), np.array([[0.0, 0, 0], [place] * 3]), id=f"{name}-{i}"))
    return Dataset(name, tuple(crystals), {"kappa": np.linspace(1, 9, n)}, (name,) * n)


@pytest.fixture(scope="module")
def data() -> dict[str, Dataset]:
    l96, hh143 = dataset("l96", 20), dataset("hh143", 30, shift=3)
    return {"l96": l96, "hh143": hh143, "mix": concat([l96, hh143], "mix"), "aflow_agl": dataset("aflow_agl", 60)}


def folds(data: dict[str, Dataset], kind: str = "paper", drop: tuple[int, ...] = ()) -> Folds:
    kept = {name: np.setdiff1d(np.arange(len(d)), drop if name == "aflow_agl" else ()) for name, d in data.items()}
    return Folds(data, kept, kind)


def test_every_row_of_the_studys_tables() -> None:
    names = [t.name for t in trainings(steps=("I", "II", "III"))]
    assert len(names) == len(set(names)) == 16  # 8 of steps I and II, AGL in two variants, 3 of step III in two
    rows = {(t.step, t.trained_on) for t in trainings(steps=("I", "II", "III"))}
    assert len(rows) == 11
    assert ("III", "aflow_agl") not in rows


def test_a_start_comes_before_what_goes_on_from_it() -> None:
    found = trainings(steps=("III",), trained_on=("l96",), variants=("no_overlap",))
    assert [t.name for t in found] == ["II-aflow_agl-no_overlap-paper", "III-l96-no_overlap-paper"]
    assert found[1].start == found[0]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [({"steps": ["IV"]}, "step 'IV'"), ({"trained_on": ["x"]}, "dataset 'x'"), ({"split": "random"}, "split 'random'")],
)
def test_what_is_not_part_of_the_study(wrong: dict[str, list[str]], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        trainings(**wrong)  # type: ignore[arg-type]


def test_splits_are_the_studys_on_all_rows_whatever_has_no_graph(data: dict[str, Dataset]) -> None:
    dropped = (0, 7, 59)
    made = folds(data, drop=dropped)
    for run in RUNS:
        split = made.split("aflow_agl", run)
        complete = paper_split(60, run)
        kept = np.setdiff1d(np.arange(60), dropped)
        assert set(kept[split.validation]) == set(complete.validation.tolist()) - set(dropped)
        assert len(split.train) + len(split.validation) == 57


def test_mix_holds_out_what_its_parts_hold_out(data: dict[str, Dataset]) -> None:
    for kind in ("paper", "formula", "prototype"):
        made = folds(data, kind)
        for run in (1, 5):
            parts = set(made.split("l96", run).validation) | {i + 20 for i in made.split("hh143", run).validation}
            assert parts == set(made.split("mix", run).validation)


def test_no_overlap_leaves_no_scored_formula_in_agl(data: dict[str, Dataset]) -> None:
    made = folds(data, "formula")
    for run in RUNS:
        scored = made.scored_formulas(run)
        everything = made.training_mask(Training("II", "aflow_agl", "all", "formula"), run)
        strict = made.training_mask(Training("II", "aflow_agl", "no_overlap", "formula"), run)
        agl = made.datasets["aflow_agl"]
        assert not {agl.formulas[i] for i in np.flatnonzero(strict)} & scored
        assert set(np.flatnonzero(strict)) <= set(np.flatnonzero(everything))


@pytest.mark.parametrize("kind", ["formula", "prototype"])
def test_grouped_splits_keep_groups_whole(data: dict[str, Dataset], kind: str) -> None:
    from paraisite.datasets.groups import prototypes

    mix = data["mix"]
    groups = mix.formulas if kind == "formula" else prototypes(mix.crystals)
    for run in RUNS:
        split = run_split(mix, run, kind)
        train, held = ({groups[i] for i in side} for side in split)
        assert not train & held
        assert held
        assert len(split.validation) >= 0.2 * len(mix)


@pytest.mark.data
def test_the_studys_folds_are_those_that_were_published(mirror: Path) -> None:
    from paraisite.datasets import load

    published = json.loads((mirror / "paper_splits.json").read_text())
    for name in ("l96", "hh143", "mix"):
        complete = load(name, mirror)
        assert published[name]["n"] == len(complete)
        assert set(published[name]["validation"]) == {str(run) for run in RUNS}
        for run, rows in published[name]["validation"].items():
            assert sorted(run_split(complete, int(run)).validation.tolist()) == sorted(rows)
