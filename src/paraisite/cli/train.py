"""`paraisite train`: a recipe to a model."""

from __future__ import annotations

import json
import shlex
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from paraisite.cli.console import console, say
from paraisite.cli.errors import INTERRUPTED, fail, guarded, load_libraries, wrong_usage
from paraisite.cli.options import Device, DeviceOption, MirrorOption, tell_replaced
from paraisite.cli.scores import LEGEND, card_scores, scores_table

if TYPE_CHECKING:
    from paraisite.training.recipe import Recipe

EXAMPLES = """Examples:

\b
  paraisite train --list
  paraisite train step3 --mirror data/
  paraisite train step3 --members 4 --set stages.0.epochs=60 --output runs/longer
  paraisite train my_recipe.yml --device cuda --logger csv --logger tensorboard

A recipe for your own data, for few values (for many, replace fit: kernel by epochs: 50):

\b
  name: mine
  initial: kappa
  members: 3
  stages:
    - {name: mine, dataset: my_dataset/, fit: kernel}

Relative paths in a recipe start from the current directory; docs/recipes.md has every key.
To resume an interrupted training, repeat the command."""


COMMON = ("output", "members", "device", "mirror", "list_")


@guarded
def train(
    recipe: Annotated[
        str, typer.Argument(metavar="RECIPE", help="A YAML file, or the name of a shipped recipe.", show_default=False)
    ] = "",
    settings: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change a key of the recipe, such as stages.0.epochs=60."),
    ] = None,
    mirror: MirrorOption = None,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="DIR", help="Folder of the run.", show_default="runs/<recipe's name>"),
    ] = None,
    device: DeviceOption = Device.auto,
    members: Annotated[int | None, typer.Option("--members", min=1, help="Ensemble members per fold.")] = None,
    logger: Annotated[
        list[str] | None,
        typer.Option("--logger", metavar="NAME", help="csv, tensorboard or mlflow.", show_default="csv"),
    ] = None,
    list_: Annotated[bool, typer.Option("--list", help="List the shipped recipes and exit.")] = False,
) -> None:
    """Train a model from a recipe; finished stages are kept.

    The output folder receives model/ (for `predict --model`), metrics.json, out_of_fold.csv and rejections.csv.
    """
    load_libraries()
    with wrong_usage():
        from paraisite.training.recipe import RecipeError, load_recipe, shipped_recipes

        if list_:
            for name in shipped_recipes():
                say(f"{name}: {load_recipe(name).description}")
            return
        if not recipe:
            raise ValueError(f"name a recipe: a YAML file, or one of {', '.join(shipped_recipes())}")
        if find_spec("lightning") is None:
            raise ValueError(
                "training needs lightning: pip install 'paraisite[train]', in a clone pip install -e '.[train]'"
            )
        changes = [*(settings or []), *([f"members={members}"] if members is not None else [])]
        loaded = with_current_start(load_recipe(recipe, changes))
        folder = output or Path("runs") / loaded.name

    from paraisite.datasets import DatasetError
    from paraisite.model.checkpoint import CheckpointError
    from paraisite.model.registry import ModelError
    from paraisite.training.run import run

    try:
        run(
            loaded,
            folder,
            mirror=mirror,
            device=device.value,
            loggers=tuple(logger or ["csv"]),
            say=lambda line: say(line, err=True),
        )
    except KeyboardInterrupt:
        command = shlex.join(["paraisite", *sys.argv[1:]])
        fail(f"interrupted; to resume, repeat the command:\n  {command}", INTERRUPTED)
    except (RecipeError, DatasetError, ModelError, CheckpointError) as error:
        fail(str(error))
    metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    say(f"scores, {metrics['protocol']}:")
    console().print(scores_table(card_scores(metrics)))
    say(LEGEND)
    say(f"predict with it: paraisite predict --model {shlex.quote(str(folder / 'model'))} structure.cif")


def with_current_start(recipe: Recipe) -> Recipe:
    """Replace the start by its successor if it is a model that has one, and say so."""
    from paraisite.model.registry import current

    return recipe.model_copy(update={"initial": current(tell_replaced(recipe.initial) or "none")})
