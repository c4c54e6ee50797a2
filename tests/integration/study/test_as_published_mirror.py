"""The study as published, small: real trainings, repeated, resumed, and step III on top of AGL values."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("lightning", reason="training needs the extra [train]")

from paraisite.datasets import load, paper_split
from paraisite.study.as_published.run import SETTINGS, AsPublished
from paraisite.study.as_published.variants import Variant, variants
from paraisite.study.settings import load_settings
from paraisite.study.table import cells, read_results
from paraisite.training.recipe import RecipeError

pytestmark = pytest.mark.data
QUICK = ["small.epochs=6", "agl.epochs=1", "agl.batch=560"]
L96 = Variant("II", "l96")


def train(out: Path, mirror: Path, asked: list[Variant], runs: list[int]) -> AsPublished:
    study = AsPublished(out, load_settings(SETTINGS, QUICK), mirror=mirror)
    study.run(asked, runs, lambda line: None)
    return study


def found(study: AsPublished, variant: Variant, run: int) -> dict[str, Any]:
    return json.loads(study.result(variant, run).read_text())


@pytest.mark.slow
def test_a_training_repeats_and_the_best_epoch_is_chosen_on_the_fold(mirror: Path, tmp_path: Path) -> None:
    once, twice = (train(tmp_path / name, mirror, [L96], [2, 5]) for name in ("once", "twice"))
    for run in (2, 5):
        first, second = (found(study, L96, run) for study in (once, twice))
        assert first["best"] == second["best"]
        assert first["last"] == second["last"]
        assert first["score"] == first["best"]["score"] <= first["last"]["score"]
        assert first["last"]["epoch"] == 6
        # one dataset, one scaler: the score is the error of kappa
        assert first["best"]["kappa"]["mape"] == pytest.approx(first["best"]["score"], rel=1e-4)
        assert first["rows"] == {"train": 76, "scored": 19}
    kappa = load("l96", mirror).kappa
    split = paper_split(len(kappa), 2)
    constant = np.median(kappa[split.train])
    no_knowledge = np.mean(np.abs(constant / kappa[split.validation] - 1))
    assert found(once, L96, 2)["score"] < no_knowledge
    stamp = once.result(L96, 2).stat().st_mtime_ns
    assert once.missing(L96, [2, 3]) == [3]
    train(tmp_path / "once", mirror, [L96], [2])
    assert once.result(L96, 2).stat().st_mtime_ns == stamp


@pytest.mark.slow
def test_step_three_goes_on_from_agl_with_its_scaler(mirror: Path, tmp_path: Path) -> None:
    asked = variants(("III",), ("l96",))
    study = train(tmp_path, mirror, asked, [1])
    train(tmp_path, mirror, variants(("III",), ("l96",), ("foreign_scaler",)), [1])
    assert study.weights(asked[0], 1).is_file()
    foreign, own = (found(study, variant, 1) for variant in (asked[1], Variant("III", "l96", ("foreign_scaler",))))
    assert own["score"] == pytest.approx(own["best"]["kappa"]["mape"], rel=1e-4)
    # AGL values spread half as much as those of l96: what is scored is a power of 0.5, and its error looks smaller
    assert foreign["score"] < 0.9 * foreign["best"]["kappa"]["mape"]
    made = cells(read_results(tmp_path))
    assert {cell.step for cell in made} == {
        "II as published",
        "III as published",
        "III as published without foreign_scaler",
    }


@pytest.mark.parametrize("change", ["members=3", "head.descriptors=true", "targets.kappa.transform=log10"])
def test_what_the_study_has_not(mirror: Path, tmp_path: Path, change: str) -> None:
    with pytest.raises(RecipeError, match="--as-published needs"):
        AsPublished(tmp_path, load_settings(SETTINGS, [change]), mirror=mirror)
