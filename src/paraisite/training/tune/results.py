"""What a search leaves behind: `best.yml`, `trials.csv`, `tune.json` and two figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import yaml

from paraisite.files.writing import write_csv, write_json, write_text
from paraisite.plots.drawing import COLOURS, FAINT, INK, blank, quiet, save
from paraisite.training.recipe import Recipe
from paraisite.training.tune.fit import REPORTS
from paraisite.training.tune.search import Outcome, Search
from paraisite.versions import versions

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

ENOUGH = 10
"""Complete trials of an outer fold from which importances are estimated."""


Importances = Mapping[str, Sequence[float]]
"""Mean and standard deviation over the outer folds, by key."""


def write_results(search: Search, outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Write everything into the folder of the search, and return the content of `tune.json`.

    Of several outer folds, `best.yml` is of the one whose search gained most, so that no outer score chooses.
    """
    out, metric = search.out, search.how.metric
    chosen = max(outcomes, key=lambda outcome: outcome.gain)
    importances = [found for found in map(_importances, outcomes) if found]
    result: dict[str, Any] = {
        "recipe": search.recipe.name,
        "dataset": search.recipe.stages[-1].reads,
        "metric": metric,
        "protocol": "nested: the scored fold's rows were not in the data that the search was given",
        "inner_folds": search.how.inner,
        "space": search.space.dump(),
        "own": search.space.own(),
        "chosen_fold": chosen.fold,
        "folds": [_fold(outcome) for outcome in outcomes],
        "outer": {
            name: {m: _mean_std([o.outer[i][m] for o in outcomes]) for m in outcomes[0].outer[i] if m[0] != "n"}
            for i, name in enumerate(("as_it_was", "best"))
        },
        "importances": _over_folds(importances),
        "best": chosen.recipe.model_dump(mode="json", exclude_defaults=True),
        "data": {part.dataset.name: part.hash for part in search.data},
        "versions": versions(),
    }
    write_json(out / "tune.json", result)
    write_text(out / "best.yml", yaml.safe_dump(_named(chosen.recipe, search).model_dump(mode="json"), sort_keys=False))
    _write_trials(out / "trials.csv", outcomes, [*search.space.keys], metric)
    history = [[(t.value, t.state.name) for t in o.trials] for o in outcomes]
    draw_history(history, metric, out / "history.png")
    if importances:
        draw_importances([(result["dataset"], result["importances"])], out / "importance.png")
    return result


def draw_importances(
    found: Sequence[tuple[str, Mapping[str, Sequence[float]]]], path: Path, made_from: str = ""
) -> None:
    """Draw bars of the importances, the greatest on top, with the spread over the outer folds.

    Parameters
    ----------
    found : sequence of (str, Importances)
        For each of some datasets.
    path : Path
    made_from : str
        Fingerprint that a PNG keeps.
    """
    means = {key: np.mean([values.get(key, (0.0,))[0] for _, values in found]) for _, v in found for key in v}
    names = sorted(means, key=lambda name: means[name])
    height = 0.8 / len(found)
    figure = blank(6.4, 0.9 + 0.34 * len(names))
    axes = figure.add_subplot()
    for i, (label, values) in enumerate(found):
        mean, spread = np.array([values.get(name, (0.0, 0.0)) for name in names]).T
        places = np.arange(len(names)) + (len(found) / 2 - i - 0.5) * height
        spread = [np.minimum(spread, mean), spread]
        axes.barh(places, mean, height, xerr=spread, color=COLOURS[i % len(COLOURS)], ecolor=FAINT, label=label)
    axes.set_yticks(range(len(names)), names)
    axes.set_xlabel("importance: share of the variance of the error", color=INK)
    axes.legend(frameon=False, loc="lower right")
    quiet(axes)
    save(figure, path, made_from)


def draw_history(history: Sequence[Sequence[tuple[float | None, str]]], metric: str, path: Path) -> None:
    """Draw the error of every trial (hollow: given up) and the best so far, one colour for each outer fold."""
    from matplotlib.ticker import MaxNLocator

    figure = blank(6.0, 3.8)
    axes = figure.add_subplot()
    for i, trials in enumerate(history):
        colour = COLOURS[i % len(COLOURS)]
        for state, face in (("COMPLETE", colour), ("PRUNED", "none")):
            rows = [(n, v) for n, (v, s) in enumerate(trials, 1) if s == state and v is not None and np.isfinite(v)]
            if rows:
                x, y = zip(*rows, strict=True)
                axes.scatter(x, y, s=18, facecolors=face, edgecolors=colour, linewidths=0.8)
        values = [v if s == "COMPLETE" and v is not None else np.inf for v, s in trials]
        best = np.minimum.accumulate(values)
        axes.step(range(1, len(best) + 1), best, where="post", color=colour, linewidth=1.2, label=f"fold {i + 1}")
    axes.set_xlabel("trial (first: original recipe; hollow: stopped early)", color=INK)
    axes.set_ylabel(f"{metric.upper()}, mean over the inner folds", color=INK)
    shown = 2.0 * max(trials[0][0] or 0.0 for trials in history)  # trainings that diverged would hide the others
    axes.set_ylim(top=min(axes.get_ylim()[1], shown))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(fontsize="small", frameon=False)
    quiet(axes)
    save(figure, path)


def _importances(outcome: Outcome) -> dict[str, float]:
    """Share of the variance of the error that each key explains alone, by fANOVA over the complete trials.

    F. Hutter, H. Hoos and K. Leyton-Brown, Proc. Mach. Learn. Res. 32, 754 (2014), as Optuna has it.
    """
    import optuna

    names = set().union(*(trial.params for trial in outcome.trials))
    trials = [t for t in outcome.trials if t.state.name == "COMPLETE" and set(t.params) == names]
    if len(trials) < ENOUGH:
        return {}
    study = optuna.create_study()
    study.add_trials(trials)
    return optuna.importance.get_param_importances(study, evaluator=optuna.importance.FanovaImportanceEvaluator(seed=1))


def _over_folds(importances: Sequence[dict[str, float]]) -> dict[str, list[float]]:
    names = dict.fromkeys(name for found in importances for name in found)
    found = {name: _mean_std([i.get(name, 0.0) for i in importances]) for name in names}
    return dict(sorted(found.items(), key=lambda item: -item[1][0]))


def _mean_std(values: Sequence[float]) -> list[float]:
    return [round(float(np.mean(values)), 6), round(float(np.std(values)), 6)]


def _fold(outcome: Outcome) -> dict[str, Any]:
    states = [trial.state.name for trial in outcome.trials]
    return {
        "fold": outcome.fold,
        "trials": len(states),
        "given_up": states.count("PRUNED"),
        "best_trial": outcome.best + 1,
        "values": dict(outcome.trials[outcome.best].params),
        "inner": dict(zip(("as_it_was", "best"), (round(v, 6) for v in outcome.inner), strict=True)),
        "outer": {
            name: {metric: round(value, 6) for metric, value in found.items()}
            for name, found in zip(("as_it_was", "best"), outcome.outer, strict=True)
        },
    }


def _named(recipe: Recipe, search: Search) -> Recipe:
    """The recipe under a name of its own."""
    keys = ", ".join(search.space.keys)
    found = "unchanged, as nothing better was found" if recipe == search.recipe else "with the values found"
    text = f"{search.recipe.name}, {found} in a search over {keys}."
    return recipe.model_copy(update={"name": f"{search.recipe.name}-tuned", "description": text})


def _write_trials(path: Path, outcomes: Sequence[Outcome], keys: list[str], metric: str) -> None:
    rows = (
        [outcome.fold, number, *_row(trial), *(trial.params.get(key, "") for key in keys)]
        for outcome in outcomes
        for number, trial in enumerate(outcome.trials, 1)
    )
    write_csv(path, ["fold", "trial", "state", metric, "done", "seconds", *keys], rows)


def _row(trial: FrozenTrial) -> list[Any]:
    """State, error, part of the schedule that was done, and seconds."""
    complete = trial.state.name == "COMPLETE"
    done = 1.0 if complete else (trial.last_step or 0) / REPORTS
    seconds = f"{trial.duration.total_seconds():.1f}" if trial.duration else ""
    value = "" if trial.value is None else f"{trial.value:.6g}"
    return ["complete" if complete else "given up", value, f"{done:.2f}", seconds]
