"""`paraisite tune`: a search for a better recipe."""

from __future__ import annotations

import shlex
import sys
from enum import StrEnum
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from paraisite.cli.console import console, say
from paraisite.cli.errors import INTERRUPTED, fail, guarded, load_libraries, wrong_usage
from paraisite.cli.options import Device, DeviceOption, MirrorOption
from paraisite.cli.scores import LEGEND, scores_table
from paraisite.cli.train import with_current_start
from paraisite.files.printable import counted

if TYPE_CHECKING:
    from paraisite.training.recipe import Recipe

EXAMPLES = """Examples:

\b
  paraisite tune step2 --trials 40 --mirror data/
  paraisite tune my_recipe.yml --hours 1 --set stages.0.epochs=60 --space my_space.yml
  paraisite tune --study-step II:hh143 --outer-folds 3 --mirror data/ -o tuned/
  paraisite train tuned/best.yml

The split of the recipe defines the held-out rows. The search uses the other rows only and compares recipes on inner
folds of them; the original and the best recipe are then trained on all of these rows and scored on the held-out rows.
To resume an interrupted search, repeat the command. Details: docs/tune.md."""


class Metric(StrEnum):
    """Metrics that a search can minimise."""

    male = "male"
    mape = "mape"
    median_ape = "median_ape"


@guarded
def tune(
    recipe: Annotated[
        str, typer.Argument(metavar="RECIPE", help="A YAML file, or the name of a shipped recipe.", show_default=False)
    ] = "",
    study_step: Annotated[
        str,
        typer.Option(
            "--study-step",
            metavar="STEP:DATASET",
            help="Training of the study instead of a recipe, such as II:hh143; its runs are the outer folds.",
            show_default=False,
        ),
    ] = "",
    trials: Annotated[int, typer.Option("--trials", min=1, help="Recipes to try in each outer fold.")] = 40,
    hours: Annotated[
        float | None,
        typer.Option("--hours", min=0, help="Time limit of the search.", show_default=False),
    ] = None,
    timeout: Annotated[float | None, typer.Option("--timeout", min=0, hidden=True)] = None,
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change a key of the recipe and exclude it from the search."),
    ] = None,
    space_file: Annotated[
        Path | None,
        typer.Option(
            "--space",
            metavar="FILE",
            help="YAML file: recipe keys with a list of choices or a range.",
            show_default="widths, depth, dropout, attachment, freezing, rates, loss, epochs, auxiliary weights",
        ),
    ] = None,
    outer_folds: Annotated[
        int, typer.Option("--outer-folds", min=1, help="Number of outer folds, each with its own search.")
    ] = 1,
    inner_folds: Annotated[int, typer.Option("--inner-folds", min=2, help="Number of inner folds.")] = 4,
    metric: Annotated[Metric, typer.Option("--metric", help="Metric to minimise.")] = Metric.male,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="DIR", help="Folder of the search.", show_default="runs/tune-<recipe>"),
    ] = None,
    device: DeviceOption = Device.auto,
    mirror: MirrorOption = None,
) -> None:
    """Search for a better recipe and score it on held-out rows.

    The folder receives best.yml (for `paraisite train`), trials.csv, tune.json, history.png and, from ten complete
    trials, importance.png.
    """
    load_libraries()
    if timeout is not None:  # in seconds, the option of the version before
        _say("note: --timeout is deprecated, use --hours")
        hours = timeout / 3600
    with wrong_usage():
        from paraisite.training.recipe import RecipeError, load_recipe, shipped_recipes

        if bool(recipe) == bool(study_step):
            known = ", ".join(shipped_recipes())
            raise ValueError(f"name a recipe (a YAML file, or one of {known}), or --study-step STEP:DATASET")
        for module, package in (("lightning", "lightning"), ("optuna", "optuna"), ("sklearn", "scikit-learn")):
            if find_spec(module) is None:
                raise ValueError(
                    f"tuning needs {package}: pip install 'paraisite[train]', in a clone pip install -e '.[train]'"
                )
        changes = settings or []
        loaded = with_current_start(load_recipe(recipe, changes) if recipe else _of_study(study_step, changes))

        from paraisite.datasets import DatasetError
        from paraisite.model.checkpoint import CheckpointError
        from paraisite.model.registry import ModelError
        from paraisite.training.tune.results import write_results
        from paraisite.training.tune.search import Plan, Search, completed_recipe
        from paraisite.training.tune.space import load_space

        complete, known_formulas = completed_recipe(loaded, mirror)
        space, left_out = load_space(complete, space_file, [change.partition("=")[0] for change in changes])
        how = Plan(trials, None if hours is None else 3600 * hours, outer_folds, inner_folds, metric.value)
        folder = output or Path("runs") / f"tune-{loaded.name}"
        search = Search(space, folder, how, mirror=mirror, device=device.value, say=_say)
    for line in left_out:
        _say(f"not searched: {line}")
    seen = sum(formula in known_formulas for formula in search.data[-1].dataset.formulas)
    if seen:
        _say(f"{counted(seen, 'crystal')} with a formula that {complete.initial} was trained on: not test data")
    try:
        outcomes = search.run()
    except KeyboardInterrupt:
        command = shlex.join(["paraisite", *sys.argv[1:]])
        fail(f"interrupted; to resume, repeat the command:\n  {command}", INTERRUPTED)
    except (RecipeError, DatasetError, ModelError, CheckpointError) as error:
        fail(str(error))
    result = write_results(search, outcomes)
    table = {}
    for fold in result["folds"]:
        for name in ("as_it_was", "best"):
            table[f"fold {fold['fold']}, {'original recipe' if name == 'as_it_was' else 'best'}"] = fold["outer"][name]
    say("scores on the outer folds, whose rows were held out from the search:")
    console().print(scores_table(table))
    say(LEGEND)
    best = result["folds"][result["chosen_fold"] - 1]
    say(f"best of fold {best['fold']}: {metric.value} {best['inner']['best']:.4f} in the search, ", nl=False)
    say(f"{best['inner']['as_it_was']:.4f} for the original recipe", nl=False)
    found = best["best_trial"] > 1
    say(":" if found else "; nothing better was found")
    if found:
        for key, value in best["values"].items():
            say(f"  {key} = {value:.4g}" if isinstance(value, float) else f"  {key} = {value}")
    say(f"train it: paraisite train {shlex.quote(str(folder / 'best.yml'))}")


def _of_study(name: str, changes: list[str]) -> Recipe:
    """The recipe of one training of the study, with its runs as folds; step III begins with AGL values."""
    from paraisite.study.plan import STEPS, trainings
    from paraisite.study.settings import load_settings
    from paraisite.training.recipe import assign
    from paraisite.training.tune.space import validated

    step, colon, dataset = name.partition(":")
    if not colon:
        raise ValueError(f"--study-step {name}: expected STEP:DATASET, such as II:hh143; steps are {', '.join(STEPS)}")
    chain = [load_settings().recipe(training) for training in trainings([step], [dataset], ["no_overlap"])]
    if not chain:
        raise ValueError(f"--study-step {name}: the study has no such training; step III is for the small datasets")
    content = chain[-1].model_dump(mode="json")
    content["initial"] = chain[0].initial
    content["stages"] = [recipe.stages[0].model_dump(mode="json") for recipe in chain]
    if step == "III-kernel":
        content["stages"][-1]["fit"] = "kernel"
    content["split"] = {"kind": "paper", "earlier": "no_overlap"}
    for change in changes:
        assign(content, change)
    return validated(content, f"--study-step {name}")


def _say(line: str) -> None:
    say(line, err=True)
