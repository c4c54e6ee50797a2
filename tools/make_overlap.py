"""Measure what the datasets and the study's splits have in common, and write results/overlap.json.

    PARAISITE_MIRROR=../shared/data .venv/bin/python tools/make_overlap.py

Takes about a minute. `overlap` makes the block of docs/overlap.md (see check_readme.py).
"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from markdown_table import table

from paraisite.datasets import Dataset, concat, load, paper_split
from paraisite.datasets.duplicates import Matching
from paraisite.datasets.groups import SYMPREC
from paraisite.datasets.overlap import common, labels, partners, recalibrate, shared_kappa
from paraisite.datasets.overlap import overlap as overlap_of

RESULTS = Path(__file__).parents[1] / "results/overlap.json"
RUNS = range(1, 10)
SMALL = ("l96", "hh143")


def measure(mirror: Path | None = None) -> dict[str, Any]:
    """All figures of results/overlap.json."""
    agl = load("aflow_agl", mirror)
    small = [load(name, mirror) for name in SMALL]
    mix = concat(small, "mix")
    same = {dataset.name: partners(dataset.crystals, agl.crystals) for dataset in small}
    same[mix.name] = [rows for dataset in small for rows in same[dataset.name]]
    datasets = [*small, mix]
    return {
        "matching": Matching().model_dump(),
        "symprec": SYMPREC,
        "content_hash": {dataset.name: dataset.content_hash for dataset in (*datasets, agl)},
        "in_aflow_agl": {d.name: asdict(common(d.crystals, agl.crystals, same[d.name])) for d in datasets},
        "recalibration": {d.name: _recalibration(d, agl, same[d.name]) for d in datasets},
        "folds": {d.name: _folds(d, agl, same[d.name]) for d in datasets},
    }


def _recalibration(dataset: Dataset, agl: Dataset, same: list[list[int]]) -> dict[str, float]:
    kappa, kappa_agl = shared_kappa(dataset, agl, same)
    return {name: _round(value) for name, value in asdict(recalibrate(kappa_agl, kappa)).items()}


def _folds(dataset: Dataset, agl: Dataset, same: list[list[int]]) -> dict[str, Any]:
    """Validation rows of each run that share something with its training rows, or with aflow_agl."""
    known = labels(dataset.crystals)
    formulas_agl = set(agl.formulas)
    found: dict[str, Any] = {}
    for run in RUNS:
        split = paper_split(dataset.part_sizes, run)
        shared = overlap_of(known, split)
        found[str(run)] = {
            "validation": len(split.validation),
            "in_training": {kind: of_kind.rows for kind, of_kind in shared.items()},
            "in_aflow_agl": {
                "formula": sum(dataset.formulas[row] in formulas_agl for row in split.validation),
                "crystal": sum(bool(same[row]) for row in split.validation),
            },
        }
    return found


def _round(value: float) -> float:
    return float(f"{value:.6g}")


def overlap() -> str:
    """The block of docs/overlap.md, from results/overlap.json."""
    result = json.loads(RESULTS.read_text())
    counts, folds, lines = (result[key] for key in ("in_aflow_agl", "folds", "recalibration"))
    text = "### In `aflow_agl`\n\n"
    text += table(
        ["dataset", "formulas", "of them in `aflow_agl`", "rows", "with such a formula", "same crystal"],
        [
            [f"`{name}`"]
            + [str(c[k]) for k in ("formulas", "shared_formulas", "rows", "rows_of_shared_formula", "shared_crystals")]
            for name, c in counts.items()
        ],
    )
    text += "\n### Validation rows of the study's nine runs whose formula also stands in training\n\n"
    runs = [str(run) for run in RUNS]
    rows = []
    for name, of in folds.items():
        size, shared = of["1"]["validation"], [of[run]["in_training"]["formula"] for run in runs]
        rows.append([f"`{name}`", str(size), *map(str, shared), f"{np.mean(shared):.1f}"])
    text += table(["dataset", "validation rows", *(f"run {run}" for run in runs), "mean"], rows)
    text += "\n### … and on the other measures, rows over the nine runs: mean (lowest to highest)\n\n"
    text += table(
        [
            "dataset",
            "prototype in training",
            "crystal in training",
            "formula in `aflow_agl`",
            "crystal in `aflow_agl`",
        ],
        [
            [f"`{name}`"]
            + [
                _spread([of[run][where][kind] for run in runs], of["1"]["validation"])
                for where, kind in (
                    ("in_training", "prototype"),
                    ("in_training", "crystal"),
                    ("in_aflow_agl", "formula"),
                    ("in_aflow_agl", "crystal"),
                )
            ]
            for name, of in folds.items()
        ],
    )
    text += "\n### κ of the shared crystals: first principles (y) against AGL (x)\n\n"
    text += table(
        [
            "dataset",
            "crystals",
            "median y/x",
            "rank correlation",
            "error of x",
            "line: log10 y =",
            "error of the line",
        ],
        [
            [
                f"`{name}`",
                str(int(r["n"])),
                f"{r['ratio']:.2f}",
                f"{r['spearman']:.2f}",
                f"{r['male_before']:.3f}",
                f"{r['intercept']:.3f} + {r['slope']:.3f} log10 x",
                f"{r['male']:.3f}",
            ]
            for name, r in lines.items()
        ],
    )
    return text


def _spread(values: list[int], whole: int) -> str:
    return f"{np.mean(values):.1f} ({min(values)} to {max(values)}) of {whole}"


def main() -> None:
    RESULTS.write_text(json.dumps(measure(), indent=1) + "\n")
    print(overlap(), end="")


if __name__ == "__main__":
    main()
