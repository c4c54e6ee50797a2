"""`paraisite tune`: from a recipe to a better one, and how it ends when it does not get there."""

from __future__ import annotations

import csv
import json
import os
import re
import signal
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

pytest.importorskip("lightning", reason="tuning needs the extra [train]")
pytest.importorskip("optuna", reason="tuning needs the extra [train]")

Invoke = Callable[..., Result]


@pytest.fixture
def space(tmp_path: Path) -> Path:
    path = tmp_path / "space.yml"
    path.write_text("head.width: [4, 8]\nstages.last.learning_rate: {low: 1e-4, high: 1e-2, log: true}\n")
    return path


@pytest.mark.slow
def test_a_recipe_becomes_another_that_trains(
    invoke: Invoke, tiny_recipe: Path, space: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    args = ("tune", tiny_recipe, "--inner-folds", 2, "--space", space, "--device", "cpu", "--set", "members=1")
    first = invoke(*args, "--trials", 2)
    out = tmp_path / "runs" / "tune-tiny"
    assert "fold 1: 18 of 36 crystals to search with" in first.stderr
    assert "fold 1, trial 2 of 2" in first.stderr
    for chatter in ("GPU available", "Tip", "num_workers", "LeafSpec", "Trainer.fit", "[I ", "alembic"):
        assert chatter not in first.output
    result = json.loads((out / "tune.json").read_text())
    scored = result["folds"][0]["outer"]
    assert f"{scored['as_it_was']['male']:.3f}" in first.stdout
    assert f"{scored['best']['male']:.3f}" in first.stdout

    again = invoke(*args, "--trials", 3)  # goes on
    assert "1 of 3 trials left" in again.stderr
    rows = list(csv.DictReader((out / "trials.csv").open()))
    assert [row["trial"] for row in rows] == ["1", "2", "3"]
    assert {row["head.width"] for row in rows} <= {"4", "8"}
    trained = invoke("train", out / "best.yml", "--device", "cpu")
    assert "tiny-tuned" in trained.stdout


@pytest.mark.parametrize(
    ("args", "says"),
    [
        ([], "name a recipe.*step3.*--study-step"),
        (["step2", "--study-step", "II:l96"], "or --study-step"),
        (["no_such_recipe"], "no_such_recipe"),
        (["RECIPE", "--metric", "rmse"], "rmse"),
        (["RECIPE", "--trials", "0"], "trials"),
        (["RECIPE", "--outer-folds", "3"], "has 2"),
        (["RECIPE", "--inner-folds", "1"], "inner-folds"),
        (["RECIPE", "--inner-folds", "30"], "inner folds.*18"),
        (["RECIPE", "--space", "none.yml"], "none.yml"),
        (["RECIPE", "--set", "stages.1.dataset=/no/such"], "/no/such"),
        (["RECIPE", "--set", "initial=no-such-model"], "no-such-model"),
        (["--study-step", "II"], "STEP:DATASET.*III-kernel"),
        (["--study-step", "IV:l96"], "step 'IV'"),
        (["--study-step", "II:x"], "dataset 'x'"),
        (["--study-step", "III:aflow_agl"], "step III is for the small datasets"),
        (["--study-step", "II:l96", "--set", "stages.0.epoch=3"], "epoch"),
    ],
)
def test_wrong_usage(args: list[str], says: str, invoke: Invoke, tiny_recipe: Path, tmp_path: Path) -> None:
    args = [str(tiny_recipe) if arg == "RECIPE" else arg for arg in args]
    err = invoke("tune", *args, "--device", "cpu", "--out", tmp_path / "run", code=2).stderr
    assert re.search(says, err, re.S), err
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_a_folder_of_another_search_is_left_alone(
    invoke: Invoke, tiny_recipe: Path, space: Path, tmp_path: Path
) -> None:
    args = ("tune", tiny_recipe, "--trials", 1, "--inner-folds", 2, "--space", space, "--device", "cpu")
    invoke(*args, "-o", tmp_path / "run", "--set", "members=1")
    before = (tmp_path / "run" / "best.yml").read_text()
    err = invoke(*args, "-o", tmp_path / "run", "--set", "members=3", code=2).stderr
    assert "another recipe" in err
    assert (tmp_path / "run" / "best.yml").read_text() == before


@pytest.mark.data
def test_steps_of_the_study_become_recipes(mirror: Path) -> None:
    from paraisite.cli.tune import _of_study

    second, third, kernel = (_of_study(name, ["members=2"]) for name in ("II:l96", "III:hh143", "III-kernel:l96"))
    assert [stage.dataset for stage in second.stages] == ["l96"]
    assert [stage.dataset for stage in third.stages] == ["aflow_agl", "hh143"]
    assert len(third.stages[0].targets) == 10
    assert third.stages[1].targets == ("kappa",)
    assert [stage.fit for stage in kernel.stages] == ["network", "kernel"]
    for recipe in (second, third, kernel):
        assert (recipe.members, recipe.split.kind, recipe.split.earlier) == (2, "paper", "no_overlap")
        assert recipe.initial == "megnet-mp-2018.6.1-eform"
    assert _of_study("I:l96", []).initial == "none"


@pytest.mark.slow
def test_an_interrupted_search_says_how_to_go_on(
    start: Callable[..., subprocess.Popen[str]], invoke: Invoke, tiny_recipe: Path, space: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    args = ("tune", tiny_recipe, "--inner-folds", 2, "--space", space, "--device", "cpu", "--out", out)
    process = start(*args, env=os.environ | {"OMP_NUM_THREADS": "1"})
    assert process.stderr is not None
    watchdog = threading.Timer(120, process.kill)
    watchdog.start()
    for line in process.stderr:
        if line.startswith("fold 1, trial 2 of 40"):
            break
    process.send_signal(signal.SIGINT)
    err = process.stderr.read()
    code = process.wait()
    watchdog.cancel()
    assert code == 130, err
    assert "Traceback" not in err
    assert f"paraisite tune {tiny_recipe}" in err
    done = 2 + len(re.findall(r"trial \d+ of 40", err))
    result = invoke(*args, "--trials", done + 1)
    assert f"1 of {done + 1} trials left" in result.stderr
    assert len(list(csv.DictReader((out / "trials.csv").open()))) == done + 1
