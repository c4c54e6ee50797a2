"""`paraisite train`: from a recipe to a model that predicts, and how it ends when it does not get there."""

from __future__ import annotations

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

pytest.importorskip("lightning", reason="training needs the extra [train]")

Invoke = Callable[..., Result]


def test_a_recipe_becomes_a_model_that_predicts(
    invoke: Invoke, tiny_recipe: Path, crystals: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = invoke("train", tiny_recipe, "--device", "cpu", "--members", 1, "--set", "name=small")
    run = tmp_path / "runs" / "small"
    card = json.loads((run / "model" / "card.json").read_text())
    assert card["kappa"]["config"]["members"] == 2  # folds of one member
    assert f"{card['metrics']['all']['male']:.3f}" in result.stdout
    assert "runs/small/model" in result.stdout
    assert "stage second: epoch 1 of 1" in result.stderr
    for chatter in ("GPU available", "Tip", "num_workers", "LeafSpec", "Trainer.fit"):
        assert chatter not in result.output
    out = invoke("predict", *crystals, "--model", run / "model").stdout
    assert all(re.match(r"[^,]+,[^,]+,[^,]+,8,2,[\d.]+,[\d.]+,[\d.]+,", line) for line in out.splitlines()[1:])
    again = invoke("train", tiny_recipe, "--device", "cpu", "--members", 1, "--set", "name=small")
    assert "already done" in again.stderr
    assert again.stdout == result.stdout


def test_list_shows_the_shipped_recipes(invoke: Invoke) -> None:
    from paraisite.training.recipe import shipped_recipes

    lines = invoke("train", "--list").stdout.splitlines()
    assert [line.partition(":")[0] for line in lines] == shipped_recipes()
    assert all(len(line.partition(":")[2]) > 20 for line in lines)


def test_a_start_from_a_replaced_model_starts_from_its_successor(
    invoke: Invoke, tiny_dataset: Path, tmp_path: Path
) -> None:
    recipe = tmp_path / "mine.yml"
    stage = f"{{name: mine, dataset: {tiny_dataset}, fit: kernel}}"
    said, models = {}, {}
    for initial in ("kappa", "kappa-mix"):
        recipe.write_text(f"name: mine\ninitial: {initial}\nsplit: {{folds: 2}}\nstages: [{stage}]\n")
        said[initial] = invoke("train", recipe, "--device", "cpu", "--out", tmp_path / initial)
        models[initial] = (tmp_path / initial / "model" / "kappa.safetensors").read_bytes()
    assert models["kappa-mix"] == models["kappa"]
    assert said["kappa-mix"].stdout.replace("kappa-mix/", "kappa/") == said["kappa"].stdout
    assert json.loads((tmp_path / "kappa-mix" / "model" / "card.json").read_text())["recipe"]["initial"] == "kappa"
    assert said["kappa-mix"].stderr.count("note: kappa-mix has been replaced by kappa") == 1
    assert "has been replaced" not in said["kappa"].stderr


@pytest.mark.parametrize(
    ("args", "says"),
    [
        ([], "name a recipe.*step3"),
        (["no_such_recipe"], "no_such_recipe.*step3"),
        (["step3", "--set", "members"], "key=value"),
        (["step3", "--set", "members=none"], "members"),
        (["step3", "--members", "0"], "members"),
        (["RECIPE", "--logger", "paper"], "paper.*csv"),
        (["RECIPE", "--set", "stages.0.dataset=/no/such"], "/no/such"),
        (["RECIPE", "--set", "initial=no-such-model"], "no-such-model"),
    ],
)
def test_wrong_usage(args: list[str], says: str, invoke: Invoke, tiny_recipe: Path, tmp_path: Path) -> None:
    args = [str(tiny_recipe) if arg == "RECIPE" else arg for arg in args]
    err = invoke("train", *args, "--device", "cpu", "--out", tmp_path / "run", code=2).stderr
    assert re.search(says, err, re.S), err


@pytest.mark.slow
def test_an_interrupted_training_says_how_to_go_on(
    start: Callable[..., subprocess.Popen[str]], tiny_recipe: Path, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    args = ("train", tiny_recipe, "--set", "stages.0.epochs=5000", "--device", "cpu", "--out", out)
    process = start(*args, env=os.environ | {"OMP_NUM_THREADS": "1"})
    assert process.stderr is not None
    watchdog = threading.Timer(60, process.kill)
    watchdog.start()
    for line in process.stderr:
        if line.startswith("4 members"):
            break
    for _ in iter(lambda: list(out.glob("logs/*/hparams.yaml")), []):  # the trainer is at work
        if process.poll() is not None:
            break
    process.send_signal(signal.SIGINT)
    err = process.stderr.read()
    code = process.wait()
    watchdog.cancel()
    assert code == 130, err
    assert "Traceback" not in err
    assert f"paraisite train {tiny_recipe} --set stages.0.epochs=5000" in err
