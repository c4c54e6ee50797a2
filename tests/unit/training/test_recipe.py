from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import yaml
from pydantic import BaseModel

from paraisite.model.model import HeadConfig
from paraisite.training.recipe import Recipe, RecipeError, SplitConfig, Stage, Target, load_recipe, shipped_recipes

MINIMAL = "name: own\nstages:\n  - {name: only, dataset: somewhere}\n"


@pytest.mark.parametrize("name", shipped_recipes())
def test_shipped_recipes_are_valid(name: str) -> None:
    recipe = load_recipe(name)
    assert recipe.name == name
    assert recipe.description


def test_the_steps_differ_only_in_what_comes_before_the_last_stage() -> None:
    one, two, three = (load_recipe(name) for name in ("step1", "step2", "step3-finetune"))
    assert one.stages[-1] == two.stages[-1] == three.stages[-1]
    assert one.split == two.split == three.split
    assert (one.initial, len(one.stages)) == ("none", 1)
    assert two.initial == three.initial == "megnet-mp-2018.6.1-eform"
    assert [stage.dataset for stage in three.stages] == ["aflow_agl", "mix"]


def test_the_kernel_recipe_is_step_three_but_for_the_last_stage() -> None:
    network, kernel = load_recipe("step3-finetune"), load_recipe("step3")
    changed = {"name", "description", "stages"}
    assert network.model_dump(exclude=changed) == kernel.model_dump(exclude=changed)
    assert network.stages[:-1] == kernel.stages[:-1]
    assert [stage.fit for stage in network.stages] == ["network", "network"]
    assert [stage.fit for stage in kernel.stages] == ["network", "kernel"]


def test_a_file_is_read_and_defaults_filled_in(tmp_path: Path) -> None:
    path = tmp_path / "own.yml"
    path.write_text(MINIMAL)
    recipe = load_recipe(path)
    assert recipe.stages[0].epochs == 100
    assert list(recipe.targets) == ["kappa"]


def test_settings_reach_every_depth(tmp_path: Path) -> None:
    path = tmp_path / "own.yml"
    path.write_text(MINIMAL)
    recipe = load_recipe(path, ["members=4", "stages.0.epochs=7", "head.hidden=[8, 4]", "split.seed=3"])
    assert recipe.members == 4
    assert recipe.stages[0].epochs == 7
    assert recipe.head.hidden == (8, 4)
    assert recipe.split.seed == 3


@pytest.mark.parametrize("setting", ["epochs", "stages.9.epochs=1", "stages.x=1", "name.deeper=1", "members=[1"])
def test_a_setting_that_fits_nowhere_is_named(setting: str) -> None:
    with pytest.raises(RecipeError, match="--set"):
        load_recipe("step3", [setting])


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "name: Field required"),
        ("- 1", "mapping"),
        ("name: [", "not valid YAML"),
        ("name: x", "stages: Field required"),
        ("name: x\nstages: []", "stages"),
        (MINIMAL + "mebmers: 2", "mebmers: unknown key, did you mean members"),
        (MINIMAL + "members: 0", "members"),
        (MINIMAL + "targets: {debye_temperature: {}}", "  targets: kappa is missing"),
        ("name: x\nstages: [{name: a, dataset: b, targets: [kappa, gamma]}]", "gamma"),
        ("name: x\nstages: [{name: a, dataset: b, epochs: 0}]", "stages.0.epochs"),
        ("name: x\nstages: [{name: a, dataset: b, loss: rmse}]", "stages.0.loss"),
        ("name: x\nstages: [{name: a, dataset: b, fit: kernel}]", "stage a: fit: kernel .* initial: kappa or"),
        (
            "name: x\ninitial: megnet-mp-2018.6.1-eform\nstages: [{name: a, dataset: b, fit: kernel}]",
            "initial: kappa or",
        ),
        (
            "name: x\nstages: [{name: a, dataset: b}, {name: c, dataset: b, fit: kernel}, {name: d, dataset: b}]",
            "stage",
        ),
        (
            "name: x\ntargets: {kappa: {}, gruneisen: {}}\n"
            "stages: [{name: a, dataset: b}, {name: c, dataset: b, fit: kernel, targets: [kappa, gruneisen]}]",
            "kappa only",
        ),
        (
            "name: x\ntargets: {kappa: {}, gruneisen: {}}\n"
            "stages: [{name: a, dataset: b, targets: [gruneisen]}, {name: c, dataset: b, fit: kernel}]",
            "the previous stage",
        ),
        (MINIMAL + "split: {kind: holdout}", "grouped"),
        (MINIMAL + "split: {group: row}", "grouped"),
        (MINIMAL + "split: {kind: saved}", "file"),
        (MINIMAL + "split: {file: a.json}", "kind: saved"),
        (MINIMAL + "split: {kind: saved, file: a.json, earlier: grouped}", "grouped"),
        (MINIMAL + "split: {fold: 3}", "split.fold: unknown key, did you mean folds"),
        (MINIMAL + "targets: {kappa: {tranform: log10}}", "targets.kappa.tranform: .*transform"),
        ("name: x\nstages: [{name: a, dataset: []}]", "stages.0: stage a: no dataset"),
        (
            "name: x\nstages: [{name: a, dataset: [b, c], rename: {d: {kappa: kappa_d}}}]",
            "stage a: rename: d is not among its datasets",
        ),
        ("name: x\nstages: [{name: a, dataset: b, distil: true}]", "stage a: distil: true is for the last of several"),
        (
            "name: x\nstages: [{name: a, dataset: b}, {name: c, dataset: b, distil: true}, {name: d, dataset: b}]",
            "stage c: distil: true is for the last of several",
        ),
        (
            "name: x\nstages: [{name: a, dataset: b}, {name: c, dataset: b, distil: true, kernels: [kappa]}]",
            "stage c: kernels: kappa must be a target other than kappa",
        ),
        (
            "name: x\ntargets: {kappa: {}, k: {}}\n"
            "stages: [{name: a, dataset: b}, {name: c, dataset: b, targets: [kappa, k], distil: true, kernels: [k]}]",
            "stage c: kernels: k must be .* this stage and the previous one train",
        ),
        (
            "name: x\ntargets: {kappa: {}, k: {}}\n"
            "stages: [{name: a, dataset: b, targets: [kappa, k]}, {name: c, dataset: b, kernels: [k]}]",
            "stage c: kernels: k must be .* distil must be true",
        ),
        (
            "name: x\nstages: [{name: a, dataset: b}, {name: c, dataset: b, distil: true, fit: kernel}]",
            "stage c: distil: true is for the last of several stages that train",
        ),
        (MINIMAL + "head: {environment: true}", "head: environment: true needs descriptors: true"),
        (MINIMAL + "targets: {kappa: {}, share: {transform: probit}}", "targets.share.transform: .*logit"),
        (MINIMAL + "head: {zzz: 1}", "head.zzz: unknown key; the keys are attach, hidden"),
    ],
)
def test_mistakes_are_named_with_their_place(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "wrong.yml"
    path.write_text(text)
    with pytest.raises(RecipeError, match=says) as caught:
        load_recipe(path)
    assert "wrong.yml" in str(caught.value)
    assert "Value error" not in str(caught.value)


def test_a_misspelt_key_is_all_that_is_said(tmp_path: Path) -> None:
    path = tmp_path / "wrong.yml"
    path.write_text("name: x\nstages: [{name: a, dataset: b, epoch: 2}]")
    with pytest.raises(RecipeError) as caught:
        load_recipe(path)
    assert str(caught.value) == f"{path}: not a valid recipe\n  stages.0.epoch: unknown key, did you mean epochs?"


def test_a_saved_split_hides_shared_formulas_if_nothing_else_is_said() -> None:
    assert SplitConfig.model_validate({"kind": "saved", "file": "a.json"}).earlier == "no_overlap"
    assert SplitConfig.model_validate({"kind": "saved", "file": "a.json", "earlier": "all"}).earlier == "all"


def test_what_a_stage_reads_tells_it_from_others() -> None:
    def reads(dataset: object, **more: object) -> str:
        return Stage.model_validate({"name": "a", "dataset": dataset, **more}).reads

    assert reads("b") == reads(["b"]) == "b"
    assert reads(["b", "c"]) == "b + c"
    assert reads(["b", "c"], rename={"c": {"kappa": "kappa_c"}}) == "b + c (c: kappa as kappa_c)"
    assert reads(["b", "c"]) != reads(["c", "b"])


PAGE = Path(__file__).parents[3] / "docs" / "recipes.md"


@pytest.mark.parametrize(
    ("section", "model"),
    [
        ("## Keys of a recipe", Recipe),
        ("### `head`", HeadConfig),
        ("### `targets`", Target),
        ("### `stages`", Stage),
        ("### `split`", SplitConfig),
    ],
)
def test_every_key_is_documented(section: str, model: type[BaseModel]) -> None:
    text = PAGE.read_text(encoding="utf-8").partition(f"\n{section}\n")[2].partition("\n##")[0]
    assert set(re.findall(r"^\| `(\w+)`", text, re.M)) == set(model.model_fields)


def test_the_examples_of_the_pages_are_recipes() -> None:
    for page, least in ((PAGE, 3), (PAGE.with_name("have-measurements.md"), 1)):
        examples = re.findall(r"```yaml\n(.*?)```", page.read_text(encoding="utf-8"), re.S)
        assert len(examples) >= least
        for example in examples:
            Recipe.model_validate(yaml.safe_load(example))


def test_an_unknown_name_lists_the_shipped_recipes() -> None:
    with pytest.raises(RecipeError, match="step3"):
        load_recipe("step4")


def test_kappa_comes_first() -> None:
    recipe = Recipe.model_validate(
        {
            "name": "x",
            "targets": {"gruneisen": {}, "kappa": {}},
            "stages": [{"name": "a", "dataset": "b", "targets": ["gruneisen", "kappa"]}],
        }
    )
    assert list(recipe.targets) == ["kappa", "gruneisen"]


@pytest.mark.parametrize("name", ["../../x", "/tmp/x", "a/b", "..", ".hidden", "", "a\nb", "x" * 101, "a\\b", "-o"])
def test_a_name_stays_in_its_folder(tmp_path: Path, name: str) -> None:
    path = tmp_path / "recipe.yml"
    for content in (
        {"name": name, "stages": [{"name": "a", "dataset": "mix"}]},
        {"name": "a", "stages": [{"name": name, "dataset": "mix"}]},
    ):
        path.write_text(json.dumps(content))
        with pytest.raises(RecipeError, match="names files too"):
            load_recipe(path)


def test_a_recipe_that_is_no_utf8_is_named(tmp_path: Path) -> None:
    path = tmp_path / "recipe.yml"
    path.write_bytes("name: caf\xe9\n".encode("latin-1"))
    with pytest.raises(RecipeError, match=r"recipe\.yml: not UTF-8 \(byte 10\)"):
        load_recipe(path)
    path.write_bytes("\ufeffname: café\nstages: [{name: a, dataset: mix}]\n".encode())
    assert load_recipe(path).name == "café"


@pytest.mark.parametrize(
    ("encoder", "said"),
    [("nothing", "unknown encoder nothing"), ("{hidden: 3}", "encoder.hidden: unknown key"), ("3", "encoder: ")],
)
def test_what_is_wrong_with_an_encoder(encoder: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "a.yml"
    path.write_text(f"name: a\nencoder: {encoder}\nstages: [{{name: b, dataset: mix}}]\n")
    with pytest.raises(RecipeError, match=said):
        load_recipe(path)


def test_a_recipe_without_an_encoder_is_written_without_one() -> None:
    assert "encoder" not in load_recipe("kappa").model_dump(mode="json")
