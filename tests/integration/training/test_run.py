from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from paraisite.crystals import read
from paraisite.files.locking import FolderBusy, locked
from paraisite.model.checkpoint import Checkpoint
from paraisite.prediction import Predictor
from paraisite.training import run as runner
from paraisite.training.recipe import Recipe, RecipeError, load_recipe

SILENT = {"device": "cpu", "loggers": (), "say": lambda line: None}


def recipe(folder: Path, **changes: object) -> Recipe:
    content = {
        "name": "small",
        "seed": 3,
        "members": 2,
        "head": {"attach": "vector", "hidden": [16]},
        "targets": {"kappa": {}, "debye_temperature": {"weight": 0.1}},
        "split": {"folds": 3, "seed": 1},
        "stages": [
            {"name": "first", "dataset": str(folder), "targets": ["kappa", "debye_temperature"], "epochs": 3},
            {"name": "second", "dataset": str(folder), "epochs": 6, "learning_rate": 3e-3, "batch": 16},
        ],
    }
    return Recipe.model_validate(content | changes)


@pytest.fixture(scope="module")
def trained(rocksalts: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("run")
    runner.run(recipe(rocksalts), out, **SILENT)
    return out


def test_a_run_ends_with_a_model_that_predicts_with_intervals(trained: Path, rocksalts: Path) -> None:
    predictor = Predictor.from_pretrained(str(trained / "model"))
    rows = predictor.predict(read([rocksalts]), properties=["debye_temperature"])
    assert len(rows) == 48
    for row in rows:
        assert row.kappa_low_W_mK < row.kappa_high_W_mK
        assert row.log10_std > 0
        assert 0 <= row.applicability <= 1
        assert "in training" in row.nearest_known
        assert row.properties["debye_temperature_K"] > 0


def test_metrics_are_out_of_fold_and_physical(trained: Path) -> None:
    metrics = json.loads((trained / "metrics.json").read_text())
    with (trained / "out_of_fold.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 48
    true = np.array([float(r["kappa_true_W_mK"]) for r in rows])
    predicted = np.array([float(r["kappa_W_mK"]) for r in rows])
    assert metrics["all"]["male"] == pytest.approx(np.abs(np.log10(predicted / true)).mean(), rel=1e-4)
    assert metrics["all"]["mape"] == pytest.approx((np.abs(predicted - true) / true).mean(), rel=1e-4)
    # learned something: better than the training median, although only for a few epochs
    assert metrics["all"]["male"] < np.abs(np.log10(np.median(true) / true)).mean()


def test_the_same_recipe_gives_the_same_numbers(trained: Path, rocksalts: Path, tmp_path: Path) -> None:
    runner.run(recipe(rocksalts), tmp_path / "again", **SILENT)
    assert (tmp_path / "again/metrics.json").read_text() == (trained / "metrics.json").read_text()


class _Stop(Exception):
    pass


def test_an_interrupted_run_goes_on_to_the_same_numbers(
    trained: Path, rocksalts: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "interrupted"
    whole = runner.StageModule.on_train_epoch_start

    def stop_in_the_second_stage(self: runner.StageModule) -> None:
        if self.stage.name == "second" and self.current_epoch == 4:
            raise _Stop
        whole(self)

    monkeypatch.setattr(runner.StageModule, "on_train_epoch_start", stop_in_the_second_stage)
    with pytest.raises(_Stop):
        runner.run(recipe(rocksalts), out, **SILENT)
    assert (out / "stage-1-second" / "state.ckpt").is_file()
    monkeypatch.undo()

    epochs = []
    monkeypatch.setattr(
        runner.StageModule, "on_train_epoch_start", lambda self: (epochs.append(self.current_epoch), whole(self))[1]
    )
    runner.run(recipe(rocksalts), out, **SILENT)
    assert epochs == [4, 5]  # the first stage and four epochs of the second were not done again
    resumed, straight = (Checkpoint.load(p / "model").kappa.state_dict() for p in (out, trained))
    for name, tensor in straight.items():
        np.testing.assert_allclose(resumed[name].numpy(), tensor.numpy(), atol=1e-3, err_msg=name)
    numbers = [json.loads((p / "metrics.json").read_text())["all"]["male"] for p in (out, trained)]
    assert numbers[0] == pytest.approx(numbers[1], rel=1e-4)


@pytest.mark.slow
def test_one_fold_alone_trains_as_in_the_stack(rocksalts: Path, tmp_path: Path) -> None:
    """Members do not see each other: more of them change nothing for the first."""
    outs = [tmp_path / "one", tmp_path / "three"]
    for out, members in zip(outs, (1, 3), strict=True):
        runner.run(recipe(rocksalts, members=members), out, **SILENT)
    one, three = (Checkpoint.load(out / "model").kappa for out in outs)
    alone, stacked = one.state_dict(), three.select([0, 3, 6]).state_dict()
    for name, tensor in alone.items():
        np.testing.assert_allclose(tensor.numpy(), stacked[name].numpy(), atol=2e-3, err_msg=name)


def test_a_frozen_part_does_not_change(rocksalts: Path, tmp_path: Path) -> None:
    frozen = recipe(rocksalts).stages[1].model_copy(update={"freeze": ("encoder",)})
    changed = recipe(rocksalts, stages=[frozen.model_dump()], split={"folds": 2, "seed": 1})
    before = runner.initial_model(changed, np.array([0, 0, 1, 1]), None).state_dict()
    runner.run(changed, tmp_path / "frozen", **SILENT)
    after = Checkpoint.load(tmp_path / "frozen/model").kappa.state_dict()
    for name, tensor in after.items():
        same = (
            np.allclose(tensor.numpy(), before[name].half().float().numpy())
            if tensor.shape == before[name].shape
            else False
        )
        assert same == name.startswith("encoder."), name


def test_stages_that_see_the_same_rows_are_trained_once(rocksalts: Path, tmp_path: Path) -> None:
    said: list[str] = []
    split = {"folds": 3, "group": "row", "earlier": "all", "seed": 1}
    other = tmp_path / "other"
    other.mkdir()
    for file in rocksalts.iterdir():
        (other / file.name).write_bytes(file.read_bytes())
    stages = [stage.model_dump() for stage in recipe(rocksalts).stages]
    stages[0]["dataset"] = str(other)
    out = tmp_path / "shared"
    runner.run(recipe(rocksalts, split=split, stages=stages), out, device="cpu", loggers=(), say=said.append)
    from safetensors.numpy import load_file

    assert len(load_file(out / "stage-0-first.safetensors")["encoder.embedding"]) == 2
    assert len(load_file(out / "stage-1-second.safetensors")["encoder.embedding"]) == 6


def test_a_folder_of_another_recipe_is_refused(trained: Path, rocksalts: Path) -> None:
    with pytest.raises(RecipeError, match="another recipe"):
        runner.run(recipe(rocksalts, seed=4), trained, **SILENT)


def test_a_run_of_an_older_version_goes_on(trained: Path, rocksalts: Path) -> None:
    """Its recipe lacks a setting that has come since."""
    path = trained / "recipe.yml"
    text = path.read_text()
    older = "\n".join(line for line in text.splitlines() if not line.strip().startswith("fit:"))
    assert older.count("\n") < text.count("\n") - 1
    path.write_text(older)
    runner.run(recipe(rocksalts), trained, **SILENT)
    assert path.read_text() == text


def test_a_target_the_dataset_lacks_is_named(rocksalts: Path, tmp_path: Path) -> None:
    stages = [{"name": "only", "dataset": str(rocksalts), "targets": ["kappa", "gruneisen"]}]
    wrong = recipe(rocksalts, stages=stages, targets={"kappa": {}, "gruneisen": {}})
    with pytest.raises(RecipeError, match="no target gruneisen"):
        runner.run(wrong, tmp_path / "wrong", **SILENT)


def test_training_goes_on_from_a_users_own_checkpoint(trained: Path, rocksalts: Path, tmp_path: Path) -> None:
    start = recipe(rocksalts, initial=str(trained / "model"))
    model = runner.initial_model(start, np.array([0, 0, 1, 1, 2, 2]), None)
    own = Checkpoint.load(trained / "model").kappa.state_dict()
    np.testing.assert_array_equal(model.state_dict()["encoder.embedding"].numpy(), own["encoder.embedding"].numpy())


def test_a_start_that_saw_the_formulas_is_said(trained: Path, rocksalts: Path, tmp_path: Path) -> None:
    said: list[str] = []
    quick = [recipe(rocksalts).stages[1].model_copy(update={"epochs": 1}).model_dump()]
    start = recipe(rocksalts, initial=str(trained / "model"), stages=quick)
    runner.run(start, tmp_path / "start", device="cpu", loggers=(), say=said.append)
    assert any(line.startswith("48 of 48 crystals have a formula") for line in said)
    metrics = json.loads((tmp_path / "start/metrics.json").read_text())
    assert metrics["rows_with_a_formula_of_the_start"] == 48
    card = Checkpoint.load(tmp_path / "start/model").card
    assert card.metrics == metrics  # the protocol in the card says so too
    assert "was trained on" in card.metrics["protocol"]


def test_weights_trained_on_other_rows_are_not_gone_on_with(rocksalts: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    for file in rocksalts.iterdir():
        (data / file.name).write_bytes(file.read_bytes())
    quick = [recipe(data).stages[1].model_copy(update={"epochs": 1}).model_dump()]
    runner.run(recipe(data, stages=quick), tmp_path / "out", **SILENT)
    header, *rows = (data / "id_prop.csv").read_text().splitlines()
    (data / "id_prop.csv").write_text("\n".join([header, *reversed(rows)]) + "\n")
    with pytest.raises(RecipeError, match="other data"):
        runner.run(recipe(data, stages=quick), tmp_path / "out", **SILENT)


def test_another_version_of_the_start_is_not_gone_on_with(trained: Path, rocksalts: Path, tmp_path: Path) -> None:
    """Its transforms would belong to other weights than those of the stages that are done."""
    begun = tmp_path / "begun"
    shutil.copytree(trained / "model", begun)
    quick = [recipe(rocksalts).stages[1].model_copy(update={"epochs": 1}).model_dump() | {"rescale": False}]
    start = recipe(rocksalts, initial=str(begun), stages=quick)
    runner.run(start, tmp_path / "out", **SILENT)
    runner.run(start, tmp_path / "out", **SILENT)
    card = json.loads((begun / "card.json").read_text())
    card["kappa"]["transforms"]["kappa"]["shift"][0] += 1.0
    (begun / "card.json").write_text(json.dumps(card))
    with pytest.raises(RecipeError, match="from another version of"):
        runner.run(start, tmp_path / "out", **SILENT)


def test_folders_of_one_name_are_two_data_sets(rocksalts: Path, tmp_path: Path) -> None:
    folders = [tmp_path / place / "data" for place in ("cheap", "good")]
    for folder in folders:
        folder.mkdir(parents=True)
        for file in rocksalts.iterdir():
            (folder / file.name).write_bytes(file.read_bytes())
    table = folders[0] / "id_prop.csv"
    header, *rows = table.read_text().splitlines()
    table.write_text("\n".join([header, *rows[:40]]) + "\n")
    first, second = (stage.model_copy(update={"epochs": 1}) for stage in recipe(rocksalts).stages)
    stages = [s.model_dump() | {"dataset": str(f)} for s, f in zip((first, second), folders, strict=True)]
    runner.run(recipe(rocksalts, stages=stages), tmp_path / "out", **SILENT)
    checkpoint = Checkpoint.load(tmp_path / "out/model")
    assert set(checkpoint.card.datasets) == {"data", "data (2)"}
    assert len(checkpoint.neighbourhood.points) == len(checkpoint.known) == 48
    table.write_text("\n".join([header, *rows[:39]]) + "\n")
    with pytest.raises(RecipeError, match="other data"):
        runner.run(recipe(rocksalts, stages=stages), tmp_path / "out", **SILENT)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"freeze": ("encoder.block.0",)},
            r"freeze: the networks have no encoder\.block\.0; did you mean encoder\.blocks",
        ),
        ({"rates": {"encodr": 0.1}}, "rates: the networks have no encodr; did you mean encoder"),
        ({"rates": {"xyz": 0.1}}, "rates: the networks have no xyz; the parts are encoder, head"),
        ({"freeze": ("encoder", "head")}, "every parameter is frozen"),
    ],
)
def test_what_a_stage_freezes_has_to_be_there(
    rocksalts: Path, tmp_path: Path, changes: dict[str, object], said: str
) -> None:
    wrong = recipe(rocksalts).stages[1].model_copy(update=changes)
    with pytest.raises(RecipeError, match=said):
        runner.run(recipe(rocksalts, stages=[wrong.model_dump()]), tmp_path / "out", **SILENT)


@pytest.mark.parametrize("epochs", [5, 10])
def test_ten_steps(rocksalts: Path, tmp_path: Path, epochs: int) -> None:
    """The first tenth of the schedule is then a single step, for which torch has no slope."""
    short = recipe(rocksalts).stages[1].model_copy(update={"epochs": epochs, "batch": 32 if epochs == 5 else 48})
    whole = recipe(rocksalts, stages=[short.model_dump()], split={"folds": 2, "group": "row", "earlier": "all"})
    runner.run(whole, tmp_path / "out", **SILENT)


def test_two_processes_do_not_train_in_one_folder(rocksalts: Path, tmp_path: Path) -> None:
    with locked(tmp_path / "out"), pytest.raises(FolderBusy, match="another process"):
        runner.run(recipe(rocksalts), tmp_path / "out", **SILENT)


def test_rows_without_kappa_and_small_holdouts(rocksalts: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    for file in rocksalts.iterdir():
        (data / file.name).write_bytes(file.read_bytes())
    lines = (data / "id_prop.csv").read_text().splitlines()
    name, formula, _, theta = lines[5].split(",")
    lines[5] = f"{name},{formula},,{theta}"
    (data / "id_prop.csv").write_text("\n".join(lines) + "\n")
    quick = [recipe(data).stages[1].model_copy(update={"epochs": 1}).model_dump()]
    runner.run(recipe(data, stages=quick), tmp_path / "out", **SILENT)
    assert json.loads((tmp_path / "out/metrics.json").read_text())["all"]["n"] == 47
    assert len(Checkpoint.load(tmp_path / "out/model").known) == 47
    small = recipe(data, stages=quick, split={"kind": "holdout", "group": "row", "earlier": "all", "fraction": 0.2})
    with pytest.raises(RecipeError, match="left to calibrate"):
        runner.run(small, tmp_path / "small", **SILENT)


def test_a_model_of_someone_else_is_not_replaced(tiny_recipe: Path, tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "thesis.tex").write_text("years of work")
    with pytest.raises(RecipeError, match=r"recipe\.yml"):
        runner.run(load_recipe(tiny_recipe), tmp_path, device="cpu")
    assert [p.name for p in tmp_path.rglob("*")] == ["model", "thesis.tex"]
