"""The space of a search: what of a recipe it may change, and what it makes of a trial's values."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

optuna = pytest.importorskip("optuna", reason="tuning needs the extra [train]")
pytest.importorskip("lightning", reason="training needs the extra [train]")

from paraisite.training.recipe import Recipe, RecipeError  # noqa: E402
from paraisite.training.tune.search import completed_recipe  # noqa: E402
from paraisite.training.tune.space import Choices, Range, Space, load_space  # noqa: E402


def recipe(**changes: Any) -> Recipe:
    content = {
        "name": "small",
        "head": {"attach": "vector", "hidden": [64, 32]},
        "targets": {"kappa": {}, "bulk_modulus_vrh": {"weight": 0.2}, "shear_modulus_vrh": {"weight": 0.2}},
        "stages": [
            {"name": "first", "dataset": "a", "targets": ["kappa", "bulk_modulus_vrh", "shear_modulus_vrh"]},
            {"name": "second", "dataset": "b", "epochs": 60, "learning_rate": 2e-3, "loss": "ape"},
        ],
    }
    return completed_recipe(Recipe.model_validate(content | changes), None)[0]


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "space.yml"
    path.write_text(text)
    return path


def test_the_shipped_space_has_the_recipes_own_values() -> None:
    space, left_out = load_space(recipe())
    assert not left_out
    assert space.own() == {
        "head.attach": "vector", "head.width": 64, "head.depth": 2, "head.dropout": 0.0, "stages.last.freeze": "[]",
        "stages.last.learning_rate": 2e-3, "stages.last.rates.encoder": 1.0, "stages.last.weight_decay": 0.0,
        "stages.last.loss": "ape", "stages.last.epochs": 60, "targets.*.weight": 0.2,
    }  # fmt: skip
    assert space.keys.keys() == space.own().keys()


def test_own_values_that_the_space_lacks_are_left_open() -> None:
    space, _ = load_space(recipe(head={"hidden": [450, 350, 350]}))
    assert space.own().keys().isdisjoint({"head.width", "head.depth"})
    stages = [{"name": "only", "dataset": "a", "epochs": 55, "learning_rate": 0.5}]
    space, _ = load_space(recipe(stages=stages))
    assert space.own().keys().isdisjoint({"stages.last.epochs", "stages.last.learning_rate"})


def test_values_become_a_recipe() -> None:
    space, _ = load_space(recipe())
    values = {
        "head.width": 32, "head.depth": 4, "head.dropout": 0.25, "head.attach": "readout",
        "stages.last.freeze": ["encoder.blocks"], "stages.last.learning_rate": 1.25e-7,
        "stages.last.rates.encoder": 0.5, "stages.last.epochs": 30, "targets.*.weight": 0.05,
    }  # fmt: skip
    found = space.changed(values)
    assert found.head.model_dump() == {
        "attach": "readout", "hidden": (32, 16, 8, 8), "dropout": 0.25, "descriptors": False, "environment": False,
    }  # fmt: skip
    first, second = found.stages
    assert first == recipe().stages[0]
    assert (second.freeze, second.learning_rate, second.rates) == (("encoder.blocks",), 1.25e-7, {"encoder": 0.5})
    assert (second.epochs, second.loss) == (30, "ape")
    assert [target.weight for target in found.targets.values()] == [1.0, 0.05, 0.05]
    assert space.changed({}) == recipe()


def test_the_own_values_make_the_recipe_itself() -> None:
    space, _ = load_space(recipe())
    own = space.own()
    values = {key: space.keys[key].suggest(optuna.trial.FixedTrial(own), key) for key in own}
    expected = recipe().stages[1].model_copy(update={"rates": {"encoder": 1.0}})
    assert space.changed(values) == recipe().model_copy(update={"stages": (recipe().stages[0], expected)})


def test_trials_choose_within_the_space() -> None:
    space, _ = load_space(recipe())
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))
    found = [space.suggest(study.ask()) for _ in range(40)]
    for key, values in space.keys.items():
        assert all(values.has(values_of[key]) for values_of in found), key
    assert {tuple(values["stages.last.freeze"]) for values in found} > {(), ("encoder",)}
    assert {values["stages.last.epochs"] % 10 for values in found} == {0}
    for values in found:
        space.changed(values)


@pytest.mark.parametrize(
    ("changes", "fixed", "left_out"),
    [
        ({}, ["stages.1.epochs"], "stages.last.epochs: set by --set"),
        ({}, ["head.hidden"], "head.width: set by --set"),
        ({}, ["targets.bulk_modulus_vrh.weight"], "targets.*.weight: set by --set"),
        ({"stages": [{"name": "only", "dataset": "a"}]}, [], "no stage trains another target than kappa"),
    ],
)
def test_keys_that_are_not_searched(changes: dict[str, Any], fixed: list[str], left_out: str) -> None:
    space, reasons = load_space(recipe(**changes), None, fixed)
    assert any(left_out in reason for reason in reasons), reasons
    assert space.keys.keys().isdisjoint(reason.partition(":")[0] for reason in reasons)


def test_the_last_stage_is_the_last_that_trains_weights() -> None:
    stages = [{"name": "first", "dataset": "a"}, {"name": "second", "dataset": "b", "fit": "kernel"}]
    space, _ = load_space(recipe(stages=stages))
    found = space.changed({"stages.last.loss": "l2"})
    assert [stage.loss for stage in found.stages] == ["l2", "l1"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[1, 2]", "mapping of keys"),
        ("{a: [", "not valid YAML"),
        ("", "nothing to search.*empty"),
        ("stages.last.epoch: [1, 2]", "no such key"),
        ("stages.7.epochs: [1, 2]", "stages.7.epochs"),
        ("targets.nonsense.weight: [1, 2]", "no such key"),
        ("stages.last.loss: [l1]", "at least two choices"),
        ("stages.last.loss: [l1, l1]", "all different"),
        ("stages.last.loss: [l1, l3]", "l3 is not usable.*l1"),
        ("stages.last.epochs: {low: 0, high: 9}", "0 is not usable"),
        ("stages.last.epochs: {low: 9, high: 3}", "must be below"),
        ("stages.last.epochs: {low: 0, high: 3, log: true}", "above 0"),
        ("stages.last.epochs: {low: 1, high: 9, step: 0.5}", "whole"),
        ("stages.last.epochs: 30", "list of choices, or a range"),
        ("stages.last.epochs: {from: 1, to: 3}", "list of choices, or a range"),
    ],
)
def test_unusable_spaces(text: str, says: str, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=says) as error:
        load_space(recipe(), write(tmp_path, text))
    assert "space.yml" in str(error.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"none\.yml"):
        load_space(recipe(), tmp_path / "none.yml")


def test_ranges() -> None:
    assert Range(low=1, high=3).has(2)
    assert not Range(low=1, high=3).has(2.5)
    assert Range(low=1.0, high=3).has(2.5)
    assert not Range(low=1, high=3).has(True)
    assert not Range(low=10, high=30, step=10).has(15)
    assert Range.model_validate({"low": "1e-4", "high": 1}).low == 1e-4  # what YAML makes of 1e-4


def test_a_space_of_one_key(tmp_path: Path) -> None:
    space, _ = load_space(recipe(), write(tmp_path, "head.width: [16, 32]\nhead.dropout: {low: 0, high: 0.5}"))
    assert space == Space(recipe(), {"head.width": Choices([16, 32]), "head.dropout": Range(low=0, high=0.5)})
    assert space.changed({"head.width": 16}).head.hidden == (16, 8)


def test_a_recipe_that_goes_on_from_a_conductivity_model_keeps_its_head(tmp_path: Path) -> None:
    stage = {"name": "mine", "dataset": "a"}
    mine, formulas = completed_recipe(Recipe(name="mine", initial="kappa", stages=[stage]), None)
    assert "NaCl" in formulas
    space, left_out = load_space(mine)
    assert mine.head.hidden == (128, 64)
    assert not any(key.startswith("head.") for key in space.keys)
    assert "head.width: the head comes with kappa" in " ".join(left_out)
    asked, left_out = load_space(mine, write(tmp_path, "head.width: [16, 32]"))
    assert [*asked.keys] == ["head.width"]
    assert not left_out

    kernel = Recipe(name="mine", initial="kappa", stages=[stage | {"fit": "kernel"}])
    with pytest.raises(RecipeError, match=r"nothing to search.*no stage trains weights"):
        load_space(completed_recipe(kernel, None)[0])
