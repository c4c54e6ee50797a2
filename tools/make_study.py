"""Gather the runs of a study into results/study_*.csv; the blocks and figures of docs/study.md are made of them.

    PARAISITE_MIRROR=../shared/data .venv/bin/python tools/make_study.py STUDY_DIR...
    .venv/bin/python tools/make_study.py --figures        draws docs/figures/study_*.png again

STUDY_DIR is what `paraisite study run` and `paraisite study baselines` wrote to. `check_readme.py --write` then renews
the blocks, and the figures whose data have changed.
"""

from __future__ import annotations

import argparse
import json
import math
from itertools import groupby
from pathlib import Path

from paraisite.datasets import load
from paraisite.metrics import mape
from paraisite.study import curves, predictions
from paraisite.study.figures import Picture, load_source, pictures
from paraisite.study.plan import DATASETS, STEPS
from paraisite.study.table import Cell, Gain, as_runs, cells, gains, load_cells, read_results, spread

ROOT = Path(__file__).parents[1]
RUNS = ROOT / "results/study_runs.csv"
FIGURES = ROOT / "docs/figures"
PUBLISHED = {
    ("I", "l96"): "0.54 (0.22)", ("I", "hh143"): "0.38 (0.05)", ("I", "mix"): "0.67 (0.10)",
    ("I", "aflow_agl"): "0.60 (0.31)",
    ("II", "l96"): "0.51 (0.24)", ("II", "hh143"): "0.37 (0.08)", ("II", "mix"): "0.71 (0.12)",
    ("II", "aflow_agl"): "0.49 (0.03)",
    ("III", "l96"): "0.29 (0.13)", ("III", "hh143"): "0.69 (0.26)", ("III", "mix"): "0.62 (0.20)",
}  # fmt: skip
"""Best validation error as published (arXiv:2411.18259, table of training results)."""


def shown(cell: Cell | None, metric: str) -> str:
    return "–" if cell is None else spread(cell.values[metric])


class Table:
    """The cells of the study's own splits, by what they are."""

    def __init__(self) -> None:
        self.cells = [cell for cell in load_cells(RUNS) if cell.split == "paper"]
        self.own = [cell for cell in self.cells if cell.trained_on == cell.tested_on]

    def find(self, step: str, trained_on: str, tested_on: str, protocol: str, agl: str) -> Cell | None:
        for cell in self.cells:
            if cell[:4] == (step, trained_on, tested_on, protocol) and cell.agl in ("", agl):
                return cell
        return None


def study() -> str:
    """Train = test: each step, both protocols, both variants, beside what was published."""
    table = Table()
    lines = [
        "| step | dataset | AGL rows | published | MAPE, `paper` | MAPE, `nested` | MALE, `nested` | Spearman |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for step in STEPS:
        for dataset in DATASETS:
            variants = dict.fromkeys(c.agl for c in table.own if c.step == step and c.trained_on == dataset)
            for agl in variants:
                paper, nested = (table.find(step, dataset, dataset, p, agl) for p in ("paper", "nested"))
                found = [shown(paper, "mape"), *(shown(nested, m) for m in ("mape", "male", "spearman"))]
                start = [step, f"`{dataset}`", f"`{agl}`" if agl else "none", PUBLISHED.get((step, dataset), "–")]
                lines.append("| " + " | ".join([*start, *found]) + " |")
    return "\n".join(lines) + "\n"


def cross() -> str:
    """MAPE of the nested protocol, trained on rows, tested on columns."""
    table = Table()
    lines = [
        "| step | trained on | AGL rows | " + " | ".join(f"`{d}`" for d in DATASETS) + " |",
        "| --- | --- | --- |" + " --- |" * len(DATASETS),
    ]
    for step in STEPS:
        for trained_on in DATASETS:
            variants = dict.fromkeys(c.agl for c in table.cells if c.step == step and c.trained_on == trained_on)
            for agl in variants:
                found = [shown(table.find(step, trained_on, t, "nested", agl), "mape") for t in DATASETS]
                start = [step, f"`{trained_on}`", f"`{agl}`" if agl else "none"]
                lines.append("| " + " | ".join([*start, *found]) + " |")
    return "\n".join(lines) + "\n"


def baselines() -> str:
    """MALE and MAPE of every baseline and of our steps, nested protocol, train = test."""
    table = Table()
    names = dict.fromkeys(c.step for c in table.own if c.step not in STEPS)
    lines = [
        "| model | " + " | ".join(f"`{d}`" for d in DATASETS) + " |",
        "| --- |" + " --- |" * len(DATASETS),
    ]
    for step in (*names, *reversed(STEPS)):
        found = []
        for dataset in DATASETS:
            cell = table.find(step, dataset, dataset, "nested", "all") or table.find(
                step, dataset, dataset, "nested", "no_overlap"
            )
            found.append(f"{shown(cell, 'male')}; {cell.row()['mape_mean']:.2f}" if cell else "–")
        name = f"**step {step}**" if step in STEPS else step
        lines.append("| " + " | ".join([name, *found]) + " |")
    return "\n".join(lines) + "\n"


def steps() -> str:
    """What each step gains, paired by run."""
    lines = [
        "| step | over | dataset | protocol | AGL rows | mean gain in MAPE | runs won | p |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]

    def order(found: Gain) -> tuple[int, int, str, str]:
        better = found.better
        return STEPS.index(better.step), DATASETS.index(better.trained_on), better.protocol, better.agl

    for found in sorted(gains(Table().own), key=order):
        better, worse = found.better, found.worse
        start = [better.step, worse.step, f"`{better.trained_on}`", f"`{better.protocol}`", f"`{better.agl or 'none'}`"]
        figures = [f"{found.difference:+.3f}", f"{found.wins} of {found.runs}", f"{found.p_value:.2g}"]
        lines.append("| " + " | ".join([*start, *figures]) + " |")
    return "\n".join(lines) + "\n"


def grouped() -> str:
    """Train = test where whole formulas are held out beside rows at random, nested protocol: MAPE, then MALE."""
    cells = [c for c in load_cells(RUNS) if c.trained_on == c.tested_on and c.protocol == "nested"]
    names = dict.fromkeys(c.step for c in cells if c.split != "paper")
    lines = [
        "| model | dataset | rows at random | whole formulas |",
        "| --- | --- | --- | --- |",
    ]
    for step in sorted(names, key=lambda s: (s in STEPS, STEPS.index(s) if s in STEPS else s)):
        for dataset in (d for d in DATASETS[:3] if any((c.step, c.trained_on) == (step, d) for c in cells)):
            of = {
                c.split: c for c in cells if (c.step, c.trained_on) == (step, dataset) and c.agl in ("", "no_overlap")
            }
            found = [
                f"{shown(of[s], 'mape')}; {of[s].row()['male_mean']:.3f}" if s in of else "–"
                for s in ("paper", "formula")
            ]
            lines.append("| " + " | ".join([step, f"`{dataset}`", *found]) + " |")
    return "\n".join(lines) + "\n"


def crabnet() -> str:
    """Our errors on CrabNet's test part beside the published ones."""
    found = json.loads((RUNS.parent / "crabnet.json").read_text(encoding="utf-8"))
    rows = found["rows"]
    ours = f"ours, {found['members']} networks, {rows['training_crystals']} crystals to train on"
    lines = [
        "| model | mean absolute error, W m⁻¹ K⁻¹ | of log10 κ | MAPE |",
        "| --- | --- | --- | --- |",
        f"| {ours} | {found['mae_W_mK']:.2f} | {found['male']:.3f} | {found['mape']:.3f} |",
        "| CrabNet, formula alone (published) | 2.32 | 0.154 | – |",
        "| random forest, formula alone (published) | 2.66 | 0.192 | – |",
    ]
    missing = found["fallback"]
    note = (
        f"\nOf the {rows['test_formulas']} test formulas {len(missing['formulas'])} have no crystal "
        f"({', '.join(missing['formulas'])}); they get the {missing['what']}, {missing['kappa_W_mK']:.2f} W m⁻¹ K⁻¹.\n"
    )
    return "\n".join(lines) + "\n" + note


def figures() -> list[Picture]:
    """The figures of docs/study.md, as the files of results/ have them."""
    return pictures(load_source(RUNS))


def contradictions() -> list[str]:
    """Runs whose predictions have another error than the table says; predictions are kept to four digits."""
    source = load_source(RUNS)
    said = {
        (*cell[:2], cell.agl, run): error
        for cell in source.cells
        if cell.trained_on == cell.tested_on
        for run, error in zip(cell.runs, cell.values["mape"], strict=True)
    }
    found = []
    for key, of in groupby(source.predictions, lambda p: (p.step, p.trained_on, p.agl, p.run)):
        true, predicted = zip(*((p.kappa_W_mK, p.predicted_W_mK) for p in of), strict=True)
        if abs(mape(true, predicted) - said.get(key, math.inf)) > 1e-3:
            found.append(f"step {key[0]} on {key[1]}, run {key[3]}: predictions and scores are of different trainings")
    return found


def gather(folders: list[Path]) -> None:
    results = [result for folder in folders for result in read_results(folder)]
    own = [result for result in results if result["split"] == "paper"]
    texts = {
        "runs": as_runs(cells(results)),
        "predictions": predictions.as_csv(predictions.gather(own, load)),
        "curves": curves.as_csv(curves.gather(own)),
    }
    for what, text in texts.items():
        path = RUNS.with_name(f"study_{what}.csv")
        path.write_text(text, encoding="utf-8")
        print(f"{path}: {text.count(chr(10)) - 1} lines of {len(results)} results")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="*", type=Path)
    parser.add_argument("--figures", action="store_true", help="draw the figures")
    arguments = parser.parse_args()
    if not (arguments.folders or arguments.figures):
        parser.error("give folders of results, or --figures")
    if arguments.folders:
        gather(arguments.folders)
    if arguments.figures:
        FIGURES.mkdir(exist_ok=True)
        for picture in figures():
            print(picture.save(FIGURES))


if __name__ == "__main__":
    main()
