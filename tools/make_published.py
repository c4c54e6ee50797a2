"""Train on all but the test rows of three published splits of Phonix, and score beside a published network.

    PARAISITE_MIRROR=../shared/data .venv/bin/python tools/make_published.py SPLIT [formulas] [--out DIR]

SPLIT is `random`, `space_group` or `low_kappa` (arXiv:2605.11610). The crystals of the test rows are left out of every
dataset with conductivities: rows of the same id, and AGL rows that are the same crystal; with `formulas`, every row of
the same formula. For `low_kappa` only first-principles conductivities above 0.8 W/m/K are trained on. Stages and
settings are those of the recipe `kappa` without its last stage; three networks, their mean is scored. Writes
results/published-SPLIT[-formulas].csv and, of `random`, results/few_values.json, from which `check_readme.py` makes
the tables.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
from markdown_table import table

from paraisite.datasets import Dataset, Split
from paraisite.datasets.duplicates import same_crystals
from paraisite.model.checkpoint import Checkpoint
from paraisite.model.descriptors import blocks
from paraisite.model.kernel import KernelHead
from paraisite.model.neighbourhood import Neighbourhood, scale_features
from paraisite.model.registry import locate
from paraisite.training.apply import apply
from paraisite.training.recipe import Recipe, load_recipe
from paraisite.training.replicas import Replicas
from paraisite.training.run import begin_stage, train_stage
from paraisite.training.stage_data import StageSet, masks_without_flagged, read_stages

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "results"
LOWEST = {"low_kappa": 0.8}
"""W/m/K: a split's training values lie above."""
KAPPAS = ("kappa", "kappa_particle", "kappa_coherence", "kappa_l96", "kappa_hh143")


COLUMNS = ("id", "log10_kappa", "log10_kappa_aliegnn", "log10_kappa_paraisite", "low", "high")
LEVEL = 0.9
FEW, DRAWS = 40, 20
"""Values that `few_values` gives to the kernel, and how often it draws them."""
TITLES = {"random": "random", "space_group": "other space groups", "low_kappa": "low κ"}


def published_table() -> str:
    """Errors on the published test rows, ours and the published network's."""
    rows = []
    for split, title in TITLES.items():
        for variant, left_out in (("", "their crystals"), ("-formulas", "their formulas")):
            path = RESULTS / f"published-{split}{variant}.csv"
            if not path.is_file():
                continue
            with path.open(encoding="utf-8", newline="") as file:
                columns = [[float(row[name]) for name in COLUMNS[1:]] for row in csv.DictReader(file)]
            true, theirs, ours, low, high = np.array(columns).T
            covered = f"{100 * ((low <= true) & (true <= high)).mean():.1f} %"
            shown = [f"{np.abs(found - true).mean():.3f}" for found in (ours, theirs)]
            biases = [f"{(found - true).mean():+.3f}" for found in (ours, theirs)]
            rows.append([title, left_out, f"{len(true)}", *shown, *biases, covered])
    header = ["split", "left out of training", "rows", "MALE, ours", "MALE, published network", "bias, ours"]
    return table([*header, "bias, published", "our 90 % interval covers"], rows)


def few_table() -> str:
    """What a kernel from a few values adds to networks that saw none of the crystals."""
    path = RESULTS / "few_values.json"
    found = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    titles = {"networks": "networks as they are", "kernel": f"and `fit: kernel` on {found.get('values')} values"}
    rows = [[title, f"{found[name]['male']:.3f} ({found[name]['std']:.3f})"] for name, title in titles.items() if found]
    return table(["", f"MALE, {found.get('scored')} other crystals, {found.get('draws')} draws"], rows)


def published(split: str) -> list[tuple[str, float, float]]:
    """Id and log10 kappa of the test rows, and what the published network predicts; some crystals are there twice."""
    table = Path(os.environ["PARAISITE_MIRROR"]) / "phonix" / "published_test.csv"
    with table.open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["split"] == split]
    return [(row["id"], float(row["log10_kappa"]), float(row["log10_kappa_aliegnn"])) for row in rows]


def held_out(last: Dataset, tested: set[str], formulas: bool) -> set[tuple[str, str]]:
    """Id and formula of the rows that must not be trained on in any stage; the last stage has the rows of all."""
    test = np.array([id_ in tested for id_ in last.ids])
    of_test = {last.formulas[i] for i in np.flatnonzero(test)}
    held = np.array([formula in of_test for formula in last.formulas])
    if not formulas:
        candidates = np.flatnonzero(held)
        held = test.copy()
        for group in same_crystals([last.crystals[i] for i in candidates]):
            rows = candidates[list(group)]
            held[rows] |= test[rows].any()
    return {(last.ids[i], last.formulas[i]) for i in np.flatnonzero(held)}


def without_low(part: StageSet, lowest: float) -> StageSet:
    """The data without first-principles conductivities up to a bound; what else is known of these crystals stays."""
    targets = dict(part.dataset.targets)
    low = np.zeros(len(part.dataset), dtype=bool)
    for name in ("kappa", "kappa_l96", "kappa_hh143"):
        if name in targets:
            low |= targets[name] <= lowest
    for name in KAPPAS:
        if name in targets:
            targets[name] = np.where(low, np.nan, targets[name])
    part.dataset = replace(part.dataset, targets=targets)
    return part


def few_values(test: StageSet, log_members: np.ndarray, vectors: np.ndarray) -> dict[str, object]:
    """Errors on crystals outside the training data, without and with a `KernelHead` from a few other ones."""
    described = test.graphs.descriptors
    assert described is not None
    rows = np.flatnonzero(np.isfinite(test.dataset.kappa) & ~test.flagged)
    log_true = np.log10(test.dataset.kappa)
    errors = []
    for draw in range(DRAWS):
        few, others = np.split(np.random.default_rng(draw).permutation(rows), [FEW])
        seen = np.zeros((len(log_members), len(log_true)), dtype=bool)
        seen[:, few] = True
        kernel = KernelHead.fit(log_members, vectors, described, log_true, seen, blocks(environment=True))
        found = (log_members, kernel.log_kappa(log_members, vectors, described))
        errors.append([float(np.abs(x.mean(axis=0) - log_true)[others].mean()) for x in found])
    mean, std = np.mean(errors, axis=0), np.std(errors, axis=0, ddof=1)
    names = ("networks", "kernel")
    scores = {name: {"male": round(m, 4), "std": round(s, 4)} for name, m, s in zip(names, mean, std, strict=True)}
    return {"values": FEW, "draws": DRAWS, "scored": len(rows) - FEW, **scores}


def predict(recipe: Recipe, split: str, formulas: bool, out: Path) -> dict[str, tuple[float, float, float]]:
    """log10 kappa of the test rows and the bounds of its 90 % interval, by id.

    The interval is made with the shipped model's calibration and errors on its own held-out formulas, from the
    distances to the compounds trained on here.
    """
    mirror = os.environ["PARAISITE_MIRROR"]
    tested = {id_ for id_, _, _ in published(split)}
    data = read_stages(recipe, mirror)
    last = data[-1].dataset
    everything = [i for i, id_ in enumerate(last.ids) if id_ in tested]
    left_out = held_out(last, tested, formulas)
    test = data[-1].take(np.array(everything))
    for i, part in enumerate(data):
        held = [row in left_out for row in zip(part.dataset.ids, part.dataset.formulas, strict=True)]
        print(f"{part.dataset.name}: {sum(held)} of {len(held)} rows left out", flush=True)
        data[i] = part.take(np.flatnonzero(~np.array(held)))
    training = [np.ones((1, len(part.dataset)), dtype=bool) for part in data]
    rows = Split(np.arange(len(data[-1].dataset)), np.zeros(0, dtype=np.int64))
    replicas = Replicas(np.zeros(recipe.members, dtype=np.int64), [rows], training, {})
    replicas = replace(replicas, training=masks_without_flagged(recipe, data, replicas.training))
    if split in LOWEST:
        data = [without_low(part, LOWEST[split]) for part in data]
    model = None
    out.mkdir(parents=True, exist_ok=True)
    for i, part in enumerate(data):
        model, mask, _ = begin_stage(model, recipe, i, replicas, mirror)
        model = train_stage(
            model, recipe, i, part, mask, out, device="cpu", loggers=(), say=lambda line: print(line, flush=True)
        )
    assert model is not None
    values, vectors = apply(model.eval(), test.graphs, "cpu")
    log_members = np.log10(values["kappa"])
    if split == "random" and not formulas:
        few = few_values(test, log_members, vectors)
        (RESULTS / "few_values.json").write_text(json.dumps(few, indent=1) + "\n", encoding="utf-8")
    last, described, tested_as = data[-1].dataset, data[-1].graphs.descriptors, test.graphs.descriptors
    assert described is not None
    assert tested_as is not None
    kappa = last.kappa
    known = np.flatnonzero(replicas.training[-1][0] & np.isfinite(kappa))
    shipped = Checkpoint.load(locate("kappa"))
    assert shipped.neighbourhood is not None
    assert shipped.card.calibration is not None
    by_id = dict(zip((k.id for k in shipped.known), shipped.neighbourhood.error, strict=True))
    errors = np.array([by_id.get(last.ids[i], np.nan) for i in known])
    seen = np.ones((1, len(known)), dtype=bool)
    labelled = Neighbourhood.fit(described[known], np.log10(kappa[known]), seen, errors)
    folds = (tuple(range(recipe.members)),)
    features = scale_features(log_members, folds, labelled.find(tested_as), tested_as)
    made = shipped.card.calibration
    calibration = made.model_copy(update={"folds": folds, "row_fold": (0,) * len(made.row_fold)})
    low, high, _ = calibration.interval(log_members, features, LEVEL)
    columns = zip(log_members.mean(axis=0).tolist(), low.tolist(), high.tolist(), strict=True)
    return dict(zip(test.dataset.ids, columns, strict=True))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("split", choices=("random", "space_group", "low_kappa"))
    parser.add_argument("variant", nargs="?", choices=("crystals", "formulas"), default="crystals")
    parser.add_argument("--out", type=Path, default=None)
    given = parser.parse_args()
    name = f"published-{given.split}" + ("-formulas" if given.variant == "formulas" else "")
    recipe = load_recipe("kappa")
    recipe = recipe.model_copy(update={"stages": tuple(s for s in recipe.stages if not s.distil)})
    found = predict(recipe, given.split, given.variant == "formulas", given.out or ROOT / "runs" / name)
    rows = published(given.split)
    with (RESULTS / f"{name}.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for id_, true, theirs in rows:
            if id_ in found:  # all but a crystal without a graph
                writer.writerow([id_, *(f"{x:.6f}" for x in (true, theirs, *found[id_]))])
    print(published_table())


if __name__ == "__main__":
    main()
