"""`paraisite models`: what there is, what it is made of, and how to get it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from paraisite.cli.console import console, say
from paraisite.cli.errors import FAILED, fail, guarded, wrong_usage
from paraisite.cli.options import MirrorOption, tell_replaced
from paraisite.cli.progress import progress_bar
from paraisite.cli.scores import LEGEND, card_scores, scores_table
from paraisite.files.printable import counted

if TYPE_CHECKING:
    from paraisite.model.checkpoint import Card

app = typer.Typer(
    rich_markup_mode=None,
    no_args_is_help=True,
    help="List models, show the card of one, or fetch one.",
    epilog="""Examples:

\b
  paraisite models list
  paraisite models info kappa
  paraisite models fetch megnet-mp-2018.6.1-eform""",
)


@app.command(
    "list",
    epilog="""Examples:

\b
  paraisite models list
  paraisite models list --mirror data/""",
)
@guarded
def list_(mirror: MirrorOption = None) -> None:
    """List the models that `predict --model` and recipes accept by name."""
    from rich import box
    from rich.table import Table

    from paraisite.model.registry import registry

    made = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("name", "installed", "description", "licence"):
        made.add_column(heading, no_wrap=heading in ("name", "installed"))
    for name, entry in registry().items():
        place = _place(name, mirror)
        made.add_row(name, "no" if place is None else "ships" if entry.shipped else "yes", entry.title, entry.licence)
        for old, replaced in entry.replaces.items():
            made.add_row(old, "replaced", f"gives {name}; the old model: git checkout {replaced.commit}")
    console().print(made)
    say("to install one: paraisite models fetch NAME")


@app.command(
    epilog="""Examples:

\b
  paraisite models info kappa
  paraisite models info runs/step3/model""",
)
@guarded
def info(
    name: Annotated[str, typer.Argument(metavar="NAME|DIR", help="A model's name or folder.", callback=tell_replaced)],
    mirror: MirrorOption = None,
) -> None:
    """Show the card of a model: data, protocol, scores, limits, elements and training."""
    from paraisite.model.registry import current, locate, registry

    key = current(name)
    entry = registry().get(key)
    if entry is not None:
        say(f"{key}: {entry.title}")
        say(f"licence: {entry.licence}\ncitation: {entry.citation}")
        say(f"here: {_place(key, mirror) or f'no; paraisite models fetch {key}'}")
        for old, replaced in entry.replaces.items():
            say(f"replaces: {old} (git checkout {replaced.commit}; kappa.safetensors of sha256 {replaced.sha256})")
        if entry.kind != "checkpoint":
            if entry.properties:
                say(f"predicts: {', '.join(entry.properties)}")
            for file in entry.files:
                say(f"file: {file.name}, {file.bytes} bytes, sha256 {file.sha256}\n      {file.url}")
            return
    with wrong_usage():
        folder = locate(name, mirror)
        from paraisite.model.checkpoint import read_card

        card = read_card(folder)
    if entry is None:
        say(f"folder: {folder}")
    try:
        lines, further = list(_card_lines(card)), list(_further_scores(card.metrics))
        groups = card_scores(card.metrics)
        table = scores_table(groups)
    except (ValueError, TypeError, LookupError, AttributeError) as error:  # what is free in a card may be anything
        fail(f"{folder / 'card.json'}: not as a training writes it ({type(error).__name__}: {error})")
    for line in lines:
        say(line)
    if groups:
        say(f"\nscores, {card.metrics.get('protocol', 'protocol unknown')}:")
        console().print(table)
        for line in further:
            say(line)
        say(LEGEND)


@app.command(
    epilog="""Examples:

\b
  paraisite models fetch megnet-mp-2018.6.1-eform""",
)
@guarded
def fetch(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="A name of `paraisite models list`.", callback=tell_replaced)
    ],
) -> None:
    """Download a registered model, verify it, and print its folder."""
    from paraisite.model import registry

    with wrong_usage():
        if registry.current(name) not in registry.registry():
            raise ValueError(f"{name}: unknown model; choose from {', '.join(registry.registry())}")
    try:
        with progress_bar("bytes", names=(), kept=True) as progress:
            folder = registry.fetch(name, progress=progress)
        say(str(folder))
    except registry.ModelError as error:
        fail(str(error), FAILED)


def _place(name: str, mirror: Path | None) -> Path | None:
    """Folder of a registered model, if it is on this machine."""
    from paraisite.model.registry import ModelError, locate

    try:
        return locate(name, mirror)
    except ModelError:
        return None


def _card_lines(card: Card) -> Iterator[str]:
    from paraisite.crystals.elements import SYMBOLS

    if card.name:
        yield f"name: {card.name}"
    if card.description:
        yield f"description: {card.description}"
    if card.licence:
        yield f"licence: {card.licence}"
    yield f"limits: {card.limits or 'not stated'}"
    members = card.kappa.config.members
    yield f"members: {members}, in {len(card.folds)} folds" if card.folds else f"members: {members}"
    from paraisite.targets import column

    targets = (card.properties or card.kappa).config.targets
    properties = [column(target) for target in targets if target != "kappa"]
    yield f"properties, as columns: {', '.join(properties) or 'none'}"
    elements = card.kappa.config.encoder.elements
    missing = [SYMBOLS[z] for z in range(1, max(elements) + 1) if z not in elements]
    without = f", without {', '.join(missing)}" if missing else ""
    yield f"elements: {len(elements)}, {SYMBOLS[min(elements)]} to {SYMBOLS[max(elements)]}{without}"
    if card.calibration is not None:
        n = len(card.calibration.score)
        highest = int(1000 * n / (n + 1)) / 1000
        yield f"intervals: calibrated on {n} held-out rows; levels up to {highest}"
    else:
        yield "intervals: none, the model is not calibrated"
    n = sum(fold >= 0 for fold in card.formula_fold.values())
    held_out = f"yes, for {n} formulas" if card.holds_formulas_out else "no"
    yield f"held-out predictions: {held_out}"
    for dataset, digest in card.datasets.items():
        yield f"data: {dataset} (content {digest[:12]})"
    if card.recipe:
        yield from _recipe_lines(card.recipe)
    if card.versions:
        yield f"versions: {', '.join(f'{k} {v}' for k, v in card.versions.items())}"


def _recipe_lines(recipe: Mapping[str, Any]) -> Iterator[str]:
    yield f"trained from: {recipe.get('initial', 'none')}, seed {recipe.get('seed')}"
    split = recipe.get("split", {})
    yield f"split: {', '.join(f'{k} {v}' for k, v in split.items() if k in _SPLIT_KEYS.get(split.get('kind'), ()))}"
    for i, stage in enumerate(recipe.get("stages", []), start=1):
        named = stage["dataset"]
        data = named if isinstance(named, str) else " + ".join(named)
        if stage.get("fit") == "kernel":
            yield f"stage {i}, {stage['name']}: {data}, Gaussian processes on the members as they are"
            continue
        frozen = f", frozen {', '.join(stage['freeze'])}" if stage.get("freeze") else ""
        yield (
            f"stage {i}, {stage['name']}: {data}, {stage['epochs']} epochs of batches of {stage['batch']}, "
            f"peak rate {stage['learning_rate']:g}, {stage['schedule']}, loss {stage['loss']}{frozen}, "
            f"on {', '.join(stage['targets'])}"
        )


_SPLIT_KEYS = {
    "kfold": ("kind", "folds", "group", "earlier", "seed"),
    "paper": ("kind", "runs", "earlier"),
    "holdout": ("kind", "fraction", "earlier", "seed"),
}


def _further_scores(metrics: Mapping[str, Any]) -> Iterator[str]:
    over_folds = metrics.get("over_folds", {})
    if over_folds:
        parts = [
            f"{name} –" if found["mean"] is None else f"{name} {found['mean']:.3f} ({found['std']:.3f})"
            for name, found in over_folds.items()
        ]
        yield f"mean (std) over folds: {', '.join(parts)}"
    from paraisite.targets import column

    for name, found in metrics.get("properties", {}).items():
        error = f"mean absolute error {found['mae']:.4g}, median APE {found['median_ape']:.3f}"
        yield f"{column(name)}: {error}, {counted(found['n'], 'row')}"
