"""A search: what it sees, how it goes on, what it gives up, and what it leaves behind."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

optuna = pytest.importorskip("optuna", reason="tuning needs the extra [train]")
pytest.importorskip("lightning", reason="training needs the extra [train]")

from paraisite.datasets import load  # noqa: E402
from paraisite.training.recipe import Recipe, RecipeError, load_recipe  # noqa: E402
from paraisite.training.stage_data import StageSet  # noqa: E402
from paraisite.training.tune import search as searching  # noqa: E402
from paraisite.training.tune.fit import Folds, Watch, fit  # noqa: E402
from paraisite.training.tune.results import draw_history, draw_importances, write_results  # noqa: E402
from paraisite.training.tune.search import Plan, Search, completed_recipe, finished  # noqa: E402
from paraisite.training.tune.space import Choices, Range, Space  # noqa: E402

KEYS = {
    "stages.last.learning_rate": Range(low=1e-5, high=3e-2, log=True),
    "head.width": Choices([8, 16]),
    "head.dropout": Range(low=0.0, high=0.3),
}


def recipe(folder: Path, **changes: Any) -> Recipe:
    content = {
        "name": "tiny",
        "head": {"attach": "vector", "hidden": [8]},
        "split": {"kind": "kfold", "folds": 3, "group": "formula", "earlier": "grouped"},
        "stages": [{"name": "only", "dataset": str(folder), "epochs": 4, "batch": 8, "learning_rate": 1e-2}],
    }
    return completed_recipe(Recipe.model_validate(content | changes), None)[0]


def search(recipe: Recipe, out: Path, keys: dict[str, Any] = KEYS, **how: Any) -> Search:
    plan = Plan(**({"trials": 4, "inner": 2} | how))
    return Search(Space(recipe, keys), out, plan, device="cpu", say=lambda line: None)


def trials(found: Search, fold: int = 0) -> list[tuple[Any, ...]]:
    return [(t.params, t.value, t.intermediate_values, t.state) for t in finished(found.study(fold))]


def copied(source: Path, folder: Path, change: dict[str, str]) -> Path:
    """A dataset with other values of kappa for some ids."""
    shutil.copytree(source, folder)
    path = folder / "id_prop.csv"
    rows = list(csv.reader(path.open()))
    path.write_text("".join(",".join([row[0], change.get(row[0], row[1]), *row[2:]]) + "\n" for row in rows))
    return folder


@pytest.fixture(scope="module")
def done(tiny_dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Search, list[searching.Outcome]]:
    """A search of four trials in each of two outer folds."""
    found = search(recipe(tiny_dataset), tmp_path_factory.mktemp("done") / "out", outer=2)
    return found, found.run()


@pytest.mark.slow
def test_no_outer_row_reaches_the_search(
    tiny_dataset: Path, tmp_path: Path, done: tuple[Search, list[searching.Outcome]]
) -> None:
    before, outcomes = done
    ids = load(str(tiny_dataset)).ids
    held = [ids[row] for row in before.replicas.splits[0].validation]
    assert len(held) == 12

    folder = copied(tiny_dataset, tmp_path / "other" / tiny_dataset.name, dict.fromkeys(held, "123.0"))
    after = search(recipe(folder), tmp_path / "out")
    (outcome,) = after.run()
    assert after.data[-1].dataset.kappa[before.replicas.splits[0].validation].tolist() == [123.0] * 12
    assert trials(after) == trials(before)
    assert outcome.recipe.stages[0].learning_rate == outcomes[0].recipe.stages[0].learning_rate
    assert outcome.outer[1]["male"] > outcomes[0].outer[1]["male"] + 0.1  # scored on the changed rows

    # and the search does look at its own rows
    other = next(id_ for id_ in ids if id_ not in held)
    folder = copied(tiny_dataset, tmp_path / "third" / tiny_dataset.name, {other: "123.0"})
    again = search(recipe(folder), tmp_path / "again")
    again.run()
    assert trials(again)[0] != trials(before)[0]


def test_earlier_stages_of_a_search_lack_the_outer_formulas(tiny_dataset: Path, tmp_path: Path) -> None:
    stages = [
        {"name": "first", "dataset": str(tiny_dataset), "targets": ["kappa"], "epochs": 1},
        {"name": "second", "dataset": str(tiny_dataset), "epochs": 1},
    ]
    found = search(recipe(tiny_dataset, stages=stages), tmp_path)
    held = {found.data[-1].dataset.formulas[row] for row in found.replicas.splits[1].validation}
    for rows in found.training_rows(1):
        assert len(rows) == 24
        assert held.isdisjoint(rows.formulas)


@pytest.mark.slow
def test_the_first_trial_is_the_recipe_as_it_was(done: tuple[Search, list[searching.Outcome]]) -> None:
    found, outcomes = done
    for outcome in outcomes:
        assert len(outcome.trials) == 4
        assert outcome.trials[0].params == found.space.own()
        assert outcome.inner[1] == min(t.value for t in outcome.trials if t.state.name == "COMPLETE")
        assert outcome.inner[1] <= outcome.inner[0]
        assert outcome.outer[0]["n"] == 12
    assert trials(found, 0) != trials(found, 1)


def test_trials_report_while_they_train(done: tuple[Search, list[searching.Outcome]]) -> None:
    found, _ = done
    assert [[*t[2]] for t in trials(found)] == [[5, 10, 15]] * 4  # of 20 parts, after epochs 1 to 3 of 4


@pytest.mark.slow
def test_an_interrupted_search_goes_on_with_the_same_trials(
    tiny_dataset: Path, tmp_path: Path, done: tuple[Search, list[searching.Outcome]]
) -> None:
    before, _ = done
    search(recipe(tiny_dataset), tmp_path, trials=2).run()
    search(recipe(tiny_dataset), tmp_path).study(0).ask()  # begun, and never ended
    resumed = search(recipe(tiny_dataset), tmp_path)
    resumed.run()
    assert trials(resumed) == trials(before)
    states = [t.state.name for t in resumed.study(0).get_trials()]
    assert states.count("FAIL") == 1
    assert "RUNNING" not in states

    outcomes = search(recipe(tiny_dataset), tmp_path).run()  # nothing is left to do
    assert [len(outcome.trials) for outcome in outcomes] == [4]


@pytest.mark.slow
def test_an_interrupted_first_trial_is_made_up_for(tiny_dataset: Path, tmp_path: Path) -> None:
    begun = search(recipe(tiny_dataset), tmp_path)
    begun.study(0).enqueue_trial(begun.space.own(), user_attrs={"as_it_was": True})
    begun.study(0).ask()
    (outcome,) = search(recipe(tiny_dataset), tmp_path, trials=1).run()
    assert outcome.best == 0
    assert outcome.recipe == recipe(tiny_dataset)
    assert outcome.trials[0].params == begun.space.own()
    assert outcome.outer[0] == outcome.outer[1]


@pytest.mark.slow
def test_a_folder_holds_one_search(tiny_dataset: Path, tmp_path: Path) -> None:
    search(recipe(tiny_dataset), tmp_path)
    search(recipe(tiny_dataset), tmp_path, trials=9, outer=3)  # more of the same
    others: list[tuple[dict[str, Any], dict[str, Any], str]] = [
        ({"seed": 2}, {}, "another recipe"),
        ({}, {"inner": 3}, "another inner"),
        ({}, {"metric": "mape"}, "another metric"),
        ({}, {"keys": {"head.width": Choices([8, 32])}}, "another space"),
    ]
    for changes, how, says in others:
        with pytest.raises(RecipeError, match=f"{says}.*--out"):
            search(recipe(tiny_dataset, **changes), tmp_path, **how)


def test_a_stage_that_distils_is_refused(tiny_dataset: Path, tmp_path: Path) -> None:
    stages = [{"name": name, "dataset": str(tiny_dataset), "epochs": 1} for name in ("first", "second")]
    with pytest.raises(RecipeError, match="stage second: distil"):
        search(recipe(tiny_dataset, stages=[stages[0], stages[1] | {"distil": True}]), tmp_path)


@pytest.mark.slow
def test_other_data_are_another_search(tiny_dataset: Path, tmp_path: Path) -> None:
    folder = copied(tiny_dataset, tmp_path / tiny_dataset.name, {})
    search(recipe(folder), tmp_path / "out")
    text = (folder / "id_prop.csv").read_text()
    (folder / "id_prop.csv").write_text(text.replace("LiF,", "LiF,1"))
    with pytest.raises(RecipeError, match="another data"):
        search(recipe(folder), tmp_path / "out")


@pytest.mark.parametrize(
    ("how", "says"),
    [({"outer": 4}, "has 3"), ({"inner": 30}, "inner folds"), ({"metric": "rmse"}, "male"), ({"trials": 0}, "1 trial")],
)
def test_impossible_plans(tiny_dataset: Path, tmp_path: Path, how: dict[str, Any], says: str) -> None:
    with pytest.raises(RecipeError, match=says):
        search(recipe(tiny_dataset), tmp_path / "out", **how)
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_no_trial_begins_after_the_time_is_over(tiny_dataset: Path, tmp_path: Path) -> None:
    outcomes = search(recipe(tiny_dataset), tmp_path, timeout=0.0, outer=2).run()
    assert [len(outcome.trials) for outcome in outcomes] == [1, 1]  # but the recipe as it was


@pytest.mark.slow
def test_hopeless_trials_are_given_up(tiny_dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(searching, "STARTUP", 3)
    keys = {"stages.last.learning_rate": Choices([1e-2, 1.1e-2, 1e-9, 1.1e-9, 1.2e-9, 1.3e-9])}
    stages = recipe(tiny_dataset).stages[0].model_copy(update={"epochs": 8, "schedule": "constant"})
    found = search(recipe(tiny_dataset, stages=(stages,)), tmp_path, keys, trials=8)
    (outcome,) = found.run()
    given_up = [t for t in outcome.trials if t.state.name == "PRUNED"]
    assert given_up
    assert all(t.params["stages.last.learning_rate"] < 1e-8 for t in given_up)
    assert all(5 <= t.last_step < 20 for t in given_up)
    assert outcome.recipe.stages[0].learning_rate > 1e-3
    write_results(found, [outcome])
    rows = list(csv.DictReader((tmp_path / "trials.csv").open()))
    assert [row["state"] for row in rows].count("given up") == len(given_up)
    assert not list(tmp_path.glob("fold-1/*/last"))


@pytest.mark.slow
def test_stages_that_trials_share_are_trained_once(tiny_dataset: Path, tmp_path: Path) -> None:
    stages = [
        {"name": "first", "dataset": str(tiny_dataset), "epochs": 2, "batch": 12},
        {"name": "second", "dataset": str(tiny_dataset), "epochs": 2, "batch": 12},
    ]
    keys = {"stages.last.learning_rate": Range(low=1e-4, high=1e-2)}
    found = search(recipe(tiny_dataset, stages=stages), tmp_path, keys, trials=3)
    found.run()
    assert len({t[0]["stages.last.learning_rate"] for t in trials(found)}) == 3
    assert len({t[1] for t in trials(found)}) == 3
    assert len(list(tmp_path.glob("fold-1/search/earlier-*/stage-0-first.safetensors"))) == 1


@pytest.mark.slow
def test_a_recipe_that_ends_in_gaussian_processes(tiny_dataset: Path, tmp_path: Path) -> None:
    stages = [
        {"name": "first", "dataset": str(tiny_dataset), "epochs": 2, "batch": 12},
        {"name": "second", "dataset": str(tiny_dataset), "fit": "kernel"},
    ]
    (outcome,) = search(recipe(tiny_dataset, stages=stages), tmp_path, trials=2).run()
    assert all(np.isfinite(t.value) and not t.intermediate_values for t in outcome.trials)
    assert outcome.recipe.stages[1].fit == "kernel"
    assert outcome.outer[0]["male"] < 0.1  # smooth data, which Gaussian processes learn; the networks alone do not


@pytest.mark.slow
def test_watching_a_training_does_not_change_it(tiny_dataset: Path, tmp_path: Path) -> None:
    with_dropout = recipe(tiny_dataset, head={"hidden": [8], "dropout": 0.3})
    found = search(with_dropout, tmp_path / "out")
    part = StageSet(load(str(tiny_dataset)))
    seen: list[tuple[int, float]] = []
    held = [split.validation for split in found.replicas.splits]
    folds = Folds(part.dataset.kappa, held, found.replicas.fold, "male")
    watch = Watch(part.graphs, folds, lambda step, error: seen.append((step, error)))
    fitted = [
        fit(with_dropout, [part], found.replicas, tmp_path / name, mirror=None, device="cpu", callbacks=callbacks)
        for name, callbacks in (("a", [watch]), ("b", []))
    ]
    first, second = (f.log_kappa(part.graphs, "cpu") for f in fitted)
    np.testing.assert_array_equal(first, second)
    assert [step for step, _ in seen] == [5, 10, 15]
    errors = folds.errors(first)
    assert len(errors) == 3
    rows = held[1]
    assert errors[1] == pytest.approx(np.mean(np.abs(first[1, rows] - np.log10(part.dataset.kappa[rows]))))


def test_results(done: tuple[Search, list[searching.Outcome]]) -> None:
    found, outcomes = done
    result = write_results(found, outcomes)
    chosen = outcomes[result["chosen_fold"] - 1]
    assert chosen.gain == max(outcome.gain for outcome in outcomes)
    best = load_recipe(found.out / "best.yml")
    assert best.model_copy(update={"name": "tiny", "description": ""}) == chosen.recipe
    assert best.name == "tiny-tuned"
    rows = list(csv.DictReader((found.out / "trials.csv").open()))
    assert [(row["fold"], row["trial"]) for row in rows] == [(str(f), str(t)) for f in (1, 2) for t in (1, 2, 3, 4)]
    assert float(rows[0]["male"]) == pytest.approx(outcomes[0].inner[0], rel=1e-5)
    assert float(rows[5]["stages.last.learning_rate"]) == outcomes[1].trials[1].params["stages.last.learning_rate"]
    mean, std = result["outer"]["best"]["mape"]
    values = [outcome.outer[1]["mape"] for outcome in outcomes]
    assert (mean, std) == pytest.approx((np.mean(values), np.std(values)), abs=1e-6)
    assert (found.out / "history.png").read_bytes().startswith(b"\x89PNG")
    assert not (found.out / "importance.png").exists()  # of four trials nothing can be said
    assert not result["importances"]


def test_importances_tell_what_matters_from_what_does_not(tmp_path: Path) -> None:
    def objective(trial: optuna.Trial) -> float:
        return (trial.suggest_float("matters", 0, 1) - 0.3) ** 2 + 1e-3 * trial.suggest_float("does not", 0, 1)

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))
    study.optimize(objective, n_trials=30)
    from paraisite.training.tune.results import _importances

    outcome = searching.Outcome(1, finished(study), 0, Recipe.model_construct(), (1.0, 1.0), ({}, {}))
    found = _importances(outcome)
    assert list(found) == ["matters", "does not"]
    assert found["matters"] > 0.8
    assert sum(found.values()) == pytest.approx(1.0)
    shown = {name: (value, 0.1) for name, value in found.items()}
    draw_importances([("one", shown), ("other", {"matters": (1.0, 0.0)})], tmp_path / "importance.png")
    draw_history([[(t.value, t.state.name) for t in study.trials]], "male", tmp_path / "history.png")
    assert {path.name for path in tmp_path.iterdir()} == {"importance.png", "history.png"}
