"""Gather the study as published into results/as_published.json; the tables of docs/as-published.md are made of it.

    .venv/bin/python tools/make_as_published.py DIR...

DIR is what `paraisite study run --as-published` wrote to.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np

from paraisite.study.as_published.table import PUBLISHED, summary
from paraisite.study.as_published.variants import SWITCHES
from paraisite.study.table import read_results, spread

RESULTS = Path(__file__).parents[1] / "results/as_published.json"
BOUNDS = {
    ("II", "l96"): 0.06,
    ("II", "hh143"): 0.03,
    ("III", "l96"): 0.10,
    ("III", "hh143"): 0.10,
    ("III", "mix"): 0.10,
}
"""How near the mean over nine runs was asked to come."""


def read() -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = json.loads(RESULTS.read_text(encoding="utf-8"))
    return rows


def lines(header: list[str], rows: list[list[str]]) -> str:
    return "".join("| " + " | ".join(line) + " |\n" for line in (header, ["---"] * len(header), *rows))


def as_published() -> str:
    """All switches on, beside what was published."""
    rows = []
    for row in read():
        if row["without"]:
            continue
        key = row["step"], row["trained_on"]
        mean, std = PUBLISHED[key]
        away = float(np.mean(row["score"])) - mean
        bound = f"{BOUNDS[key]:.2f}" if key in BOUNDS else "–"
        figures = [spread(row["score"]), f"{away:+.3f}", bound, *(spread(row[e]["kappa"]) for e in ("best", "last"))]
        rows.append([key[0], f"`{key[1]}`", f"{mean:.3f} ({std:.3f})", *figures])
    header = ["step", "dataset", "published", "ours, as published", "difference", "asked for"]
    return lines([*header, "the same epoch, MAPE of κ", "last epoch, MAPE of κ"], rows)


def switches() -> str:
    """Each switch off alone: the score, and how it moved."""
    found = {(row["step"], row["trained_on"], tuple(row["without"])): row for row in read()}
    cells = [key[:2] for key in found if not key[2] and any(k[:2] == key[:2] and k[2] for k in found)]

    def cell(step: str, dataset: str, switch: str) -> str:
        base = found[step, dataset, ()]
        if switch == "best_epoch_on_fold":  # of the same training
            off = base["last"]["score"]
        elif (step, dataset, (switch,)) in found:
            off = found[step, dataset, (switch,)]["score"]
        else:
            return "–"
        away = np.array(off) - np.array(base["score"])
        return f"{spread(off)}, {round(away.mean(), 3) + 0.0:+.3f}, {int((away > 0).sum())} of {len(away)}"

    rows = [["all on", *(spread(found[*key, ()]["score"]) for key in cells)]]
    rows += [[f"without `{switch}`", *(cell(*key, switch) for key in cells)] for switch in SWITCHES]
    return lines(["", *(f"{step}, `{dataset}`" for step, dataset in cells)], rows)


def quirks() -> str:
    """What each switch stands for."""
    return "".join(f"- `{switch}`: {text}.\n" for switch, text in SWITCHES.items())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path)
    rows = summary(result for folder in parser.parse_args().folders for result in read_results(folder))
    RESULTS.write_text("[\n" + ",\n".join(json.dumps(row) for row in rows) + "\n]\n", encoding="utf-8")
    print(f"{RESULTS}: {len(rows)} trainings")


if __name__ == "__main__":
    main()
