"""Gather the runs of a study into results/study_runs.csv; the blocks of docs/study.md are made of it.

    .venv/bin/python tools/make_study.py STUDY_DIR...

STUDY_DIR is what `paraisite study run` and `paraisite study baselines` wrote to.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from paraisite.evaluation.study.plan import DATASETS, STEPS
from paraisite.evaluation.study.table import Cell, Gain, as_runs, cells, gains, load_cells, read_results

RUNS = Path(__file__).parents[1] / "results/study_runs.csv"
PUBLISHED = {
    ("I", "l96"): "0.54 (0.22)", ("I", "hh143"): "0.38 (0.05)", ("I", "mix"): "0.67 (0.10)",
    ("I", "aflow_agl"): "0.60 (0.31)",
    ("II", "l96"): "0.51 (0.24)", ("II", "hh143"): "0.37 (0.08)", ("II", "mix"): "0.71 (0.12)",
    ("II", "aflow_agl"): "0.49 (0.03)",
    ("III", "l96"): "0.29 (0.13)", ("III", "hh143"): "0.69 (0.26)", ("III", "mix"): "0.62 (0.20)",
}  # fmt: skip
"""Best validation error as published (arXiv:2411.18259, table of training results)."""


def shown(cell: Cell | None, metric: str) -> str:
    if cell is None:
        return "–"
    row = cell.row()
    return f"{row[f'{metric}_mean']:.3f} ({row[f'{metric}_std']:.3f})"


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


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path)
    results = [result for folder in parser.parse_args().folders for result in read_results(folder)]
    RUNS.write_text(as_runs(cells(results)), encoding="utf-8")
    print(f"{RUNS}: {len(results)} results")


if __name__ == "__main__":
    main()
