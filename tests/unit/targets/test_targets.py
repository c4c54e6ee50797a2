"""The registry of targets: one of each name and column, and the transforms that the shipped recipes train in."""

from __future__ import annotations

from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import pytest

from paraisite.targets import TARGETS, column, register, transform, unit
from paraisite.training.recipe import Recipe, load_recipe

RECIPES = sorted(Path(path.name).stem for path in (files("paraisite.training") / "recipes").iterdir())


def test_names_and_columns_are_taken_once() -> None:
    assert next(iter(TARGETS)) == "kappa"
    assert all(name == target.name for name, target in TARGETS.items())
    assert len({target.column for target in TARGETS.values()}) == len(TARGETS)
    for taken in (replace(TARGETS["kappa"], column="new"), replace(TARGETS["kappa"], name="new")):
        with pytest.raises(ValueError, match="kappa"):
            register(taken)
    assert "new" not in TARGETS


def test_parts_of_a_share_are_targets_of_one_unit() -> None:
    share = TARGETS["coherence_share"].share
    assert share is not None
    assert {unit(share.part), unit(share.rest)} == {unit("kappa")}


def test_what_is_not_known_keeps_its_name() -> None:
    assert (unit("colour"), column("colour"), transform("colour")) == ("", "colour", "log10")


@pytest.mark.parametrize("name", RECIPES)
def test_recipes_train_in_the_usual_transforms(name: str) -> None:
    recipe = load_recipe(name)
    assert {k: target.transform for k, target in recipe.targets.items()} == {k: transform(k) for k in recipe.targets}


def test_a_recipe_need_not_name_a_transform() -> None:
    stages = [{"name": "first", "dataset": "mix"}]
    recipe = Recipe.model_validate(
        {"name": "a", "targets": {"kappa": {}, "gruneisen": {"weight": 0.5}, "coherence_share": {}}, "stages": stages}
    )
    assert [target.transform for target in recipe.targets.values()] == ["log10", "identity", "logit"]
    assert recipe.targets["gruneisen"].weight == 0.5
