"""Gather searches into results/tune.json; the blocks and the figure of docs/tune.md are made of it.

    .venv/bin/python tools/make_tune.py SEARCH_DIR...

SEARCH_DIR is what `paraisite tune` wrote to, one for each dataset.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

from paraisite.study.figures.picture import Picture
from paraisite.study.table import METRICS, Cell, gain
from paraisite.training.tune.results import draw_importances

ROOT = Path(__file__).parents[1]
RESULT = ROOT / "results/tune.json"
NAMES = {"as_it_was": "as it was", "best": "best found"}


def read() -> dict[str, Any]:
    content: dict[str, Any] = json.loads(RESULT.read_text(encoding="utf-8"))
    return content


def space() -> str:
    """The shipped space."""
    return "```yaml\n" + (ROOT / "src/paraisite/training/tune/space.yml").read_text(encoding="utf-8") + "```\n"


def tune() -> str:
    """Each outer fold: error in the search, and on the fold; then the means, and what the search gains."""
    lines = [
        "| dataset | fold | trials (given up) | recipe | MALE, inner folds | MALE, outer fold | MAPE | Spearman |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    notes = []
    for dataset, result in read().items():
        folds = result["folds"]
        for fold in folds:
            trials = f"{fold['trials']} ({fold['given_up']})"
            for which, name in NAMES.items():
                scores = fold["outer"][which]
                found = [fold["inner"][which], *(scores[metric] for metric in ("male", "mape", "spearman"))]
                start = [f"`{dataset}`", str(fold["fold"]), trials, name]
                lines.append("| " + " | ".join([*start, *(f"{value:.3f}" for value in found)]) + " |")
        for which, name in NAMES.items():
            inner = np.mean([fold["inner"][which] for fold in folds])
            outer = (result["outer"][which][metric] for metric in ("male", "mape", "spearman"))
            found = [f"{inner:.3f}", *(f"{mean:.3f} ({std:.3f})" for mean, std in outer)]
            lines.append("| " + " | ".join([f"**`{dataset}`**", "mean (std)", "", f"**{name}**", *found]) + " |")
        notes.append(compared(dataset, folds))
    return "\n".join(lines) + "\n\n" + "\n".join(notes) + "\n"


def compared(dataset: str, folds: list[dict[str, Any]]) -> str:
    """What the search gains, in the search and out of it."""
    before, after = (cell(dataset, folds, which) for which in NAMES)
    inner = 1 - np.mean([f["inner"]["best"] for f in folds]) / np.mean([f["inner"]["as_it_was"] for f in folds])
    said = []
    for metric, name in (("male", "MALE"), ("mape", "MAPE")):
        found = gain(after, before, metric)
        part = 1 - np.mean(after.values[metric]) / np.mean(before.values[metric])
        more = "lower" if part > 0 else "higher"
        wins = f"lower in {found.wins} of {found.runs} folds (p = {found.p_value:.2g})"
        said.append(f"{name} {more} by {abs(part):.1%} in the mean, {wins}")
    return f"- `{dataset}`: MALE on the inner folds lower by {inner:.1%}; on the outer folds " + "; ".join(said) + "."


def cell(dataset: str, folds: list[dict[str, Any]], which: str) -> Cell:
    values = {metric: np.array([fold["outer"][which][metric] for fold in folds]) for metric in METRICS}
    return Cell(which, dataset, dataset, "nested", "", "paper", tuple(fold["fold"] for fold in folds), values)


def tuned() -> str:
    """The values of the recipe as it was, and those found in each outer fold."""
    lines = []
    for dataset, result in read().items():
        folds = result["folds"]
        lines += [
            f"| `{dataset}` | as it was | " + " | ".join(f"fold {fold['fold']}" for fold in folds) + " |",
            "| --- | --- |" + " --- |" * len(folds),
        ]
        for key in result["space"]:
            values = [result["own"].get(key), *(fold["values"].get(key) for fold in folds)]
            lines.append(f"| `{key}` | " + " | ".join(map(shown, values)) + " |")
        lines.append("")
    return "\n".join(lines)


def shown(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.2g}"
    return "–" if value is None else str(value).replace('"', "")


def pictures() -> list[Picture]:
    """The figure of docs/tune.md, as results/ have it."""
    data = [[dataset, result["importances"]] for dataset, result in read().items() if result["importances"]]
    return [Picture("tune_importance.png", data, draw_importances)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path)
    results = [json.loads((f / "tune.json").read_text(encoding="utf-8")) for f in parser.parse_args().folders]
    RESULT.write_text(json.dumps({r["dataset"]: r for r in results}, indent=1) + "\n", encoding="utf-8")
    print(f"{RESULT}: {len(results)} searches")


if __name__ == "__main__":
    main()
