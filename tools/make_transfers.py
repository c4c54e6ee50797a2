"""When does which transfer pay: each step of the study trained on ever more rows of `phonix`, and across datasets.

    PARAISITE_MIRROR=../shared/data OMP_NUM_THREADS=1 .venv/bin/python tools/make_transfers.py [--runs DIR]

One fold of formulas (of five, seed 1) is held out of every stage after the formation energies and scored; its flagged
labels are left out. The other folds give the training rows: nested random choices, the same for every step. Three
networks, which differ in seed and initial head; scores are means over networks, of each network alone. Networks that
were trained on all rows of `phonix`, and networks trained on `l96` or `hh143`, are scored on each other's compounds, as
far as their formula is absent from all training data. Writes results/transfers.csv; finished runs are skipped.
"""

from __future__ import annotations

import argparse
import csv
import os
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from markdown_table import table

from paraisite.datasets import Split, grouped_kfold, load
from paraisite.metrics import scores
from paraisite.model.model import Model
from paraisite.plots.drawing import COLOURS, blank, panels, quiet, save
from paraisite.study.figures.picture import Picture
from paraisite.training.apply import apply
from paraisite.training.recipe import Recipe, load_recipe
from paraisite.training.replicas import Replicas
from paraisite.training.run import begin_stage, train_stage
from paraisite.training.stage_data import StageSet, masks_without_flagged, read_stages

ROOT = Path(__file__).resolve().parents[1]
RESULT = ROOT / "results" / "transfers.csv"
STEPS = {
    "I": "nothing pretrained",
    "II": "formation energy",
    "III": "formation energy, AGL",
    "H": "formation energy, harmonic phonons",
    "III+H": "formation energy, AGL and harmonic phonons",
}
EPOCHS = {250: 70, 500: 55, 1000: 35, 2000: 25, 3500: 20}
"""Passes over as many training rows."""
SMALL = {"l96": 100, "hh143": 100}
MEMBERS = 3
FIELDS = ("step", "train", "rows", "test", "n", "member", "male", "median_ape", "mape", "spearman")


def recipe_of(step: str, train: str, epochs: int) -> Recipe:
    """The recipe of a step whose last stage is a dataset."""
    shipped = load_recipe("kappa")
    cheap = shipped.stages[0]
    renamed = set(cheap.rename["aflow_agl"])  # targets of AGL that have another name here, or are of phonons
    agl = ("kappa_agl", *(t for t in load_recipe("step3").targets if t in cheap.targets and t not in renamed))
    parts: dict[str, dict[str, Any]] = {
        "III": {"dataset": ["aflow_agl"], "targets": agl},
        "H": {"dataset": ["phonondb_harmonic"], "rename": {}, "targets": [t for t in cheap.targets if t not in agl]},
        "III+H": {},
    }
    stages = [cheap.model_dump() | parts[step]] if step in parts else []
    stages.append({"name": train, "dataset": train, "omit_flagged": True, "epochs": epochs, "learning_rate": 2e-3})
    initial = "none" if step == "I" else shipped.initial
    content = shipped.model_dump() | {"name": step, "initial": initial, "members": MEMBERS, "stages": stages}
    return Recipe.model_validate(content)


@cache
def tested() -> set[str]:
    """Formulas of `phonix` that are held out."""
    formulas = load("phonix").formulas
    return {formulas[i] for i in grouped_kfold(formulas, 5, 1)[0].validation.tolist()}


def may_train(part: StageSet, rows: int | None) -> np.ndarray:
    """Rows of a stage that are not held out; of `phonix`, at most so many."""
    allowed = np.array([f not in tested() for f in part.dataset.formulas])
    if rows is not None:
        candidates = np.flatnonzero(allowed & ~part.flagged & np.isfinite(part.dataset.kappa))
        allowed[:] = False
        allowed[np.random.default_rng(1).permutation(candidates)[:rows]] = True
    return allowed


@cache
def read_data(step: str, name: str) -> list[StageSet]:
    """The data of a step's stages."""
    return read_stages(recipe_of(step, name, 1), os.environ["PARAISITE_MIRROR"])


def train(step: str, name: str, rows: int | None, out: Path) -> tuple[Model, set[str]]:
    """Networks of a step, and every formula whose first-principles conductivity they know."""
    recipe = recipe_of(step, name, EPOCHS[rows] if rows else SMALL[name])
    data = read_data(step, name)
    data = [
        part.take(np.flatnonzero(may_train(part, rows if i == len(data) - 1 else None))) for i, part in enumerate(data)
    ]
    training = [np.ones((1, len(part.dataset)), dtype=bool) for part in data]
    split = Split(np.arange(len(data[-1].dataset)), np.zeros(0, dtype=np.int64))
    replicas = Replicas(np.zeros(MEMBERS, dtype=np.int64), [split], training, {})
    replicas = replace(replicas, training=masks_without_flagged(recipe, data, replicas.training))
    model = None
    for i, part in enumerate(data):
        model, mask, _ = begin_stage(model, recipe, i, replicas, os.environ["PARAISITE_MIRROR"])
        folder = out / (f"{name}-{rows or 'all'}" if i == len(data) - 1 else "before")
        folder.mkdir(parents=True, exist_ok=True)
        model = train_stage(model, recipe, i, part, mask, folder, device="cpu", loggers=(), say=lambda line: None)
    assert model is not None
    return model.eval(), set(data[-1].dataset.formulas)


def score(model: Model, part: StageSet, wanted: np.ndarray) -> list[dict[str, float]]:
    """Scores of each network on some rows."""
    rows = np.flatnonzero(wanted & ~part.flagged & np.isfinite(part.dataset.kappa))
    values, _ = apply(model, part.graphs.take(rows), "cpu")
    return [scores(part.dataset.kappa[rows], own) for own in values["kappa"]]


def read() -> list[dict[str, str]]:
    """Every line of the results; none before they are made."""
    if not RESULT.is_file():
        return []
    with RESULT.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _mean(lines: list[dict[str, str]], metric: str = "male") -> str:
    values = np.array([float(line[metric]) for line in lines])
    return f"{values.mean():.3f} ({values.std(ddof=1):.3f})" if len(values) > 1 else "–"


def learning_curve() -> str:
    """MALE on the held-out fold of `phonix` over the number of training rows."""
    lines = [line for line in read() if line["train"] == line["test"] == "phonix"]
    rows = [
        [step, title, *(_mean([x for x in lines if x["step"] == step and x["rows"] == str(n)]) for n in EPOCHS)]
        for step, title in STEPS.items()
    ]
    return table(["step", "pretrained on", *(f"{n} rows" for n in EPOCHS)], rows)


def transfers() -> str:
    """MALE across datasets."""
    lines = [line for line in read() if line["train"] != line["test"]]
    pairs = list(dict.fromkeys((line["train"], line["test"]) for line in lines))
    rows = []
    for train_, test in pairs:
        here = [line for line in lines if (line["train"], line["test"]) == (train_, test)]
        rows.append([f"`{train_}`", f"`{test}`", here[0]["n"]])
        rows[-1] += [_mean([line for line in here if line["step"] == step]) for step in STEPS]
    return table(["trained on", "tested on", "compounds", *STEPS], rows)


def draw(lines: Sequence[Any], path: Path, made_from: str = "") -> None:
    """Draw MALE over the number of training rows, a line for each step; dots are single networks."""
    figure = blank(6.0, 4.0)
    (axes,) = panels(figure, 1)
    for colour, (step, title) in zip(COLOURS, STEPS.items(), strict=False):
        own = [line for line in lines if line["step"] == step]
        sizes = sorted({int(line["rows"]) for line in own})
        found = [[float(line["male"]) for line in own if int(line["rows"]) == n] for n in sizes]
        axes.plot(sizes, [np.mean(values) for values in found], color=colour, linewidth=2, label=f"{step}: {title}")
        for n, values in zip(sizes, found, strict=True):
            axes.scatter([n] * len(values), values, s=12, color=colour, edgecolor="white", linewidth=0.4, zorder=3)
    axes.set(xscale="log", xlabel="first-principles training rows", ylabel="mean absolute error of log10 κ, held out")
    axes.set_xticks(list(EPOCHS), [str(n) for n in EPOCHS])
    axes.minorticks_off()
    axes.legend(frameon=False, fontsize=8)
    quiet(axes)
    save(figure, path, made_from)


def pictures() -> list[Picture]:
    """The learning curve, where there are results."""
    lines = [line for line in read() if line["train"] == line["test"] == "phonix"]
    return [Picture("transfers.png", lines, draw)] if lines else []


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=Path, default=ROOT / "runs" / "transfers")
    out: Path = parser.parse_args().runs
    sets = {name: StageSet(load(name), environment=True) for name in ("phonix", "l96", "hh143")}
    lines = []
    for name, rows in [*(("phonix", rows) for rows in EPOCHS), *((name, None) for name in SMALL)]:
        for step in STEPS:
            model, known = train(step, name, rows, out / step)
            for test, part in sets.items():
                if test == "phonix":
                    wanted = np.array([f in tested() and f not in known for f in part.dataset.formulas])
                elif rows in (None, max(EPOCHS)) and test != name:
                    wanted = np.array([f not in known for f in part.dataset.formulas])
                else:
                    continue
                for member, found in enumerate(score(model, part, wanted)):
                    line = {"step": step, "train": name, "rows": rows or len(known), "test": test, "member": member}
                    lines.append(line | {"n": int(found["n"])} | {k: f"{found[k]:.5f}" for k in FIELDS[6:]})
            print({k: lines[-1][k] for k in ("step", "train", "rows", "test", "male")}, flush=True)
    with RESULT.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, FIELDS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(lines)


if __name__ == "__main__":
    main()
