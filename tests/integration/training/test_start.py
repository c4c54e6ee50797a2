"""Short recipes that start from a model of conductivity, and what is said before anything is trained."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml

from paraisite.crystals import read
from paraisite.datasets import load
from paraisite.datasets.saved_split import make_split, write_split
from paraisite.model.checkpoint import Checkpoint
from paraisite.model.registry import ModelError
from paraisite.model.tensors import GraphTensors
from paraisite.prediction import Predictor
from paraisite.training import run as runner
from paraisite.training.recipe import Recipe, RecipeError
from paraisite.training.stage_data import StageSet

SILENT = {"device": "cpu", "loggers": (), "say": lambda line: None}


def recipe(stage: dict[str, object], **changes: object) -> Recipe:
    return Recipe.model_validate({"name": "own", "stages": [{"name": "own", **stage}], **changes})


@pytest.fixture(scope="module")
def start(rocksalts: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model of six networks with two targets, to start from."""
    content = {
        "name": "start",
        "members": 2,
        "head": {"attach": "vector", "hidden": [16], "descriptors": True},
        "targets": {"kappa": {}, "debye_temperature": {"weight": 0.1}},
        "split": {"folds": 3},
        "stages": [
            {"name": "first", "dataset": str(rocksalts), "targets": ["kappa", "debye_temperature"], "epochs": 15},
            {"name": "correct", "dataset": str(rocksalts), "fit": "kernel"},
        ],
    }
    return runner.run(Recipe.model_validate(content), tmp_path_factory.mktemp("start"), **SILENT)


@pytest.fixture(scope="module")
def few(rocksalts: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with 24 of the rocksalts, the values of which are three times theirs."""
    folder = tmp_path_factory.mktemp("own") / "few"
    folder.mkdir()
    header, *lines = (rocksalts / "id_prop.csv").read_text().splitlines()
    rows = [header]
    for line in lines[::2]:
        name, formula, kappa, theta = line.split(",")
        shutil.copy(rocksalts / f"{name}.cif", folder)
        rows.append(f"{name},{formula},{3 * float(kappa):.5f},{theta}")
    (folder / "id_prop.csv").write_text("\n".join(rows) + "\n")
    return folder


def test_what_a_recipe_leaves_out_is_that_of_its_start(start: Path, few: Path) -> None:
    source = Checkpoint.load(start).kappa
    short = runner.completed(recipe({"dataset": str(few)}, initial=str(start)), source)
    assert short.head == source.config.head
    assert list(short.targets) == ["kappa"]
    assert short.stages[0].rescale is False
    model = runner.initial_model(short, np.arange(8), None)
    expected = source.select([0, 1, 2, 3, 4, 5, 0, 1], ("kappa",))
    assert model.transforms == expected.transforms
    for name, tensor in expected.state_dict().items():
        np.testing.assert_array_equal(model.state_dict()[name].numpy(), tensor.numpy(), err_msg=name)


def test_common_targets_keep_their_outputs_and_new_ones_are_drawn(start: Path, few: Path) -> None:
    source = Checkpoint.load(start).kappa
    targets = {"kappa": {}, "gruneisen": {}, "debye_temperature": {"transform": "identity"}}
    more = runner.completed(recipe({"dataset": str(few)}, initial=str(start), targets=targets), source)
    model = runner.initial_model(more, np.arange(6), None)
    assert list(model.transforms) == ["kappa"]  # the Debye temperature is transformed in another way
    ours, theirs = (m.state_dict()["head.layers.1.weight"].numpy() for m in (model, source))
    np.testing.assert_array_equal(ours[:, :, 0], theirs[:, :, 0])
    assert not np.isclose(ours[:, :, 1:], theirs[:, :, 1:2]).all(axis=1).any()


def test_another_head_takes_the_encoder_alone(start: Path, few: Path) -> None:
    source = Checkpoint.load(start).kappa
    other = runner.completed(recipe({"dataset": str(few)}, initial=str(start), head={"hidden": [4]}), source)
    model = runner.initial_model(other, np.arange(6), None)
    assert other.head.hidden == (4,)
    assert model.transforms == {}
    np.testing.assert_array_equal(
        model.state_dict()["encoder.embedding"].numpy(), source.state_dict()["encoder.embedding"].numpy()
    )


def test_fine_tuning_starts_from_what_the_start_says(start: Path, few: Path, tmp_path: Path) -> None:
    """With a learning rate of almost nothing the networks still say what they said, unless they are rescaled."""
    crystals = list(read([few]))
    source = Checkpoint.load(start).kappa
    said = {}
    for rescale in (None, True):
        out = tmp_path / str(rescale)
        stage = {"dataset": str(few), "epochs": 1, "learning_rate": 1e-12, "rescale": rescale}
        runner.run(recipe(stage, initial=str(start)), out, **SILENT)
        card = Checkpoint.load(out / "model").card
        assert card.recipe["stages"][0]["rescale"] is bool(rescale)
        assert card.recipe["head"]["hidden"] == [16]
        said[rescale] = card.kappa.transforms["kappa"]
    assert said[None] == source.transforms["kappa"].select([0, 1, 2, 3, 4])
    assert np.mean(said[True].shift) - np.mean(said[None].shift) == pytest.approx(np.log10(3), abs=0.1)
    ours = Checkpoint.load(tmp_path / "None/model").kappa
    graphs = StageSet(load(str(few))).graphs
    tensors = GraphTensors.from_batch(graphs)
    assert len(crystals) == len(graphs)
    before, after = (m.predict(tensors)[0]["kappa"] for m in (source.select([0, 1, 2, 3, 4]), ours))
    np.testing.assert_allclose(after, before, rtol=0.01)


def test_a_kernel_alone_corrects_the_networks_of_the_start(start: Path, few: Path, tmp_path: Path) -> None:
    said: list[str] = []
    short = recipe({"dataset": str(few), "fit": "kernel"}, initial=str(start), members=2)
    runner.run(short, tmp_path / "out", device="cpu", loggers=(), say=said.append)
    source, ours = Checkpoint.load(start), Checkpoint.load(tmp_path / "out/model")
    wrapped = source.kappa.select([0, 1, 2, 3, 4, 5, 0, 1, 2, 3])
    assert ours.kappa.config == wrapped.config
    assert ours.kappa.transforms == wrapped.transforms
    for name, tensor in wrapped.state_dict().items():
        np.testing.assert_array_equal(ours.kappa.state_dict()[name].numpy(), tensor.numpy(), err_msg=name)
    assert any(line.startswith("24 of 24 crystals have a formula") for line in said)
    assert set(ours.card.formula_fold.values()) == {-1}
    metrics = json.loads((tmp_path / "out/metrics.json").read_text())
    assert metrics["all"]["male"] < 0.1  # the start alone is wrong by a factor of three, 0.48
    rows = Predictor(ours).predict(read([few]), properties=["debye_temperature"])
    assert all(
        r.kappa_low_W_mK < r.kappa_W_mK < r.kappa_high_W_mK and r.properties["debye_temperature_K"] for r in rows
    )
    again = yaml.safe_load((tmp_path / "out/recipe.yml").read_text())  # every default written out
    runner.run(Recipe.model_validate(again), tmp_path / "again", **SILENT)
    assert json.loads((tmp_path / "again/metrics.json").read_text()) == metrics


def test_a_kernel_alone_is_not_written_over(start: Path, few: Path, tmp_path: Path) -> None:
    few = Path(shutil.copytree(few, tmp_path / "few"))
    stage = {"dataset": str(few), "fit": "kernel"}
    model = runner.run(recipe(stage, initial=str(start), members=2), tmp_path / "out", **SILENT)
    before = {path.name: path.read_bytes() for path in model.iterdir()}
    with pytest.raises(RecipeError, match="holds a run of another recipe"):
        runner.run(recipe(stage, initial=str(start), members=1), tmp_path / "out", **SILENT)
    (few / "id_prop.csv").write_text("\n".join((few / "id_prop.csv").read_text().splitlines()[:-1]) + "\n")
    with pytest.raises(RecipeError, match="holds a run on other data"):
        runner.run(recipe(stage, initial=str(start), members=2), tmp_path / "out", **SILENT)
    assert {path.name: path.read_bytes() for path in model.iterdir()} == before


def test_a_kernel_alone_takes_the_networks_as_they_are(start: Path, few: Path, tmp_path: Path) -> None:
    other = recipe({"dataset": str(few), "fit": "kernel"}, initial=str(start), head={"hidden": [4]})
    with pytest.raises(RecipeError, match="remove head and targets"):
        runner.run(other, tmp_path / "out", **SILENT)
    assert not (tmp_path / "out").exists()


def test_a_saved_split_is_the_one_that_is_scored(rocksalts: Path, start: Path, tmp_path: Path) -> None:
    data = tmp_path / "data"
    shutil.copytree(rocksalts, data)
    rows = (data / "id_prop.csv").read_text().splitlines()
    made = make_split(load(str(data)), "kfold", folds=3, seed=7)
    path = write_split(made, data / "splits")
    stage = {"dataset": str(data), "fit": "kernel"}
    short = recipe(stage, initial=str(start), split={"kind": "saved", "file": str(path)})
    runner.run(short, tmp_path / "out", **SILENT)
    card = Checkpoint.load(tmp_path / "out/model").card
    assert card.split_hash == made.split_hash
    assert len(card.folds) == 3
    scored = [line.split(",") for line in (tmp_path / "out/out_of_fold.csv").read_text().splitlines()[1:]]
    ids = load(str(data)).ids
    for f, fold in enumerate(made.folds):
        assert {row[0] for row in scored if row[3] == str(f)} == {ids[i] for i in fold.validation}

    (data / "id_prop.csv").write_text("\n".join([rows[0], *reversed(rows[1:])]) + "\n")
    with pytest.raises(RecipeError, match=rf"{path}: split .* belongs to data with content .* split the data again"):
        runner.run(short, tmp_path / "other", **SILENT)
    lost = recipe(stage, initial=str(start), split={"kind": "saved", "file": "no/such.json"})
    with pytest.raises(RecipeError, match=rf"{Path.cwd()}/no/such\.json.*paraisite data split"):
        runner.run(lost, tmp_path / "other", **SILENT)
    assert not (tmp_path / "other").exists()


def test_rows_without_a_graph_are_left_out_of_a_saved_split(rocksalts: Path) -> None:
    part = StageSet(load(str(rocksalts)))
    made = make_split(part.loaded, "kfold", folds=3, seed=7)
    part.kept = np.delete(np.arange(48), [3, 20])
    part.dataset = part.loaded.take(part.kept)
    for split, fold in zip(runner._of_kept_rows(made, part), made.folds, strict=True):
        held = {part.dataset.ids[i] for i in split.validation}
        assert held == {part.loaded.ids[i] for i in fold.validation if i not in (3, 20)}
        assert len(split.train) + len(split.validation) == 46


@pytest.mark.parametrize(
    ("rows", "folds", "needed", "remedy"),
    [
        (12, 5, 13, "use split.folds=6"),
        (11, 5, 13, "use split.folds=11"),
        (4, 5, 13, "any number of folds needs at least 11"),
        (14, 3, 15, "use split.folds=4"),
        (19, 2, 20, "use split.folds=3"),
    ],
    ids=lambda value: str(value),
)
def test_too_few_crystals_say_how_many_are_needed(
    rows: int, folds: int, needed: int, remedy: str, rocksalts: Path, tmp_path: Path
) -> None:
    data = tmp_path / "cifs"
    shutil.copytree(rocksalts, data)
    lines = (data / "id_prop.csv").read_text().splitlines()
    stage = {"dataset": str(data), "epochs": 1}
    says = f"^cifs has {rows} crystals with kappa; {folds} folds need at least {needed}; {remedy}$"
    (data / "id_prop.csv").write_text("\n".join(lines[: rows + 1]) + "\n")
    with pytest.raises(RecipeError, match=says):
        runner.run(recipe(stage, split={"folds": folds}), tmp_path / "out", **SILENT)
    assert not (tmp_path / "out").exists()
    (data / "id_prop.csv").write_text("\n".join(lines[: needed + 1]) + "\n")
    runner.run(recipe(stage, split={"folds": folds}, head={"hidden": [4]}), tmp_path / "out", **SILENT)


def test_an_unknown_start_is_said_before_data_are_looked_for(tmp_path: Path) -> None:
    wrong = recipe({"dataset": "no_such_data"}, initial="no-such-model")
    with pytest.raises(ModelError, match="initial: no-such-model"):
        runner.run(wrong, tmp_path / "out", **SILENT)
    assert not (tmp_path / "out").exists()


def test_a_potential_is_no_start(tmp_path: Path) -> None:
    wrong = recipe({"dataset": "no_such_data"}, initial="nequix-mp-1-pft")
    with pytest.raises(RecipeError, match=r"initial: nequix-mp-1-pft is a potential; start from kappa,"):
        runner.run(wrong, tmp_path / "out", **SILENT)


def test_missing_data_are_said_with_the_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(RecipeError, match=rf"stage own: dataset my/data .*{tmp_path}/my/data .*current directory"):
        runner.run(recipe({"dataset": "my/data"}), tmp_path / "out", **SILENT)
    assert not (tmp_path / "out").exists()
