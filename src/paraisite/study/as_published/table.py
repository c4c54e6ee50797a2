"""The study as published beside what it published: from result files to a table."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from paraisite.study.as_published.variants import STEPS
from paraisite.study.plan import DATASETS
from paraisite.study.table import spread

PUBLISHED = {
    ("I", "l96"): (0.539, 0.224), ("I", "hh143"): (0.382, 0.054), ("I", "mix"): (0.738, 0.104),
    ("I", "aflow_agl"): (0.598, 0.331),
    ("II", "l96"): (0.510, 0.236), ("II", "hh143"): (0.371, 0.076), ("II", "mix"): (0.712, 0.115),
    ("II", "aflow_agl"): (0.488, 0.028),
    ("III", "l96"): (0.288, 0.127), ("III", "hh143"): (0.685, 0.264), ("III", "mix"): (0.617, 0.215),
}  # fmt: skip
"""Mean and standard deviation over the study's nine runs of its error, trained on and tested on the same dataset
(github.com/liudakl/ParAIsite, main/src/results_on_train_test)."""


def summary(results: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Gather result files by variant, in the order of the study's tables.

    Returns
    -------
    list of dict
        For each variant ``step``, ``trained_on``, ``without`` and ``runs``; ``epochs`` and ``batch`` of the training;
        for each run ``score``, and of the ``best`` epoch on the fold and of the ``last`` one, ``score`` as the study
        computes it and ``kappa``, the mean absolute percentage error of kappa.
    """
    gathered: dict[tuple[str, str, tuple[str, ...]], list[dict[str, Any]]] = {}
    for result in results:
        if "variant" not in result:  # a baseline's, in the same folder
            continue
        variant = result["variant"]
        key = variant["step"], result["trained_on"], tuple(variant["without"])
        gathered.setdefault(key, []).append(result)

    def rank(key: tuple[str, str, tuple[str, ...]]) -> tuple[int, int, int, tuple[str, ...]]:
        return STEPS.index(key[0]), DATASETS.index(key[1]), len(key[2]), key[2]

    rows = []
    for key in sorted(gathered, key=rank):
        runs = sorted(gathered[key], key=lambda result: result["run"])
        stage = runs[0]["recipe"]["stages"][0]
        rows.append(
            {
                "step": key[0],
                "trained_on": key[1],
                "without": list(key[2]),
                "runs": [result["run"] for result in runs],
                "epochs": stage["epochs"],
                "batch": stage["batch"],
                "score": [result["score"] for result in runs],
                **{
                    which: {
                        "epoch": [result[which]["epoch"] for result in runs],
                        "score": [result[which]["score"] for result in runs],
                        "kappa": [result[which]["kappa"]["mape"] for result in runs],
                    }
                    for which in ("best", "last")
                },
            }
        )
    return rows


def as_markdown(rows: Iterable[dict[str, Any]]) -> str:
    """The variants beside the published figures."""
    heads = ("step", "dataset", "without", "runs", "published", "ours", "MAPE, best epoch", "MAPE, last epoch")
    lines = ["| " + " | ".join(heads) + " |", "| " + " | ".join(["---"] * len(heads)) + " |"]
    for row in rows:
        mean, std = PUBLISHED[row["step"], row["trained_on"]]
        off = ", ".join(f"`{switch}`" for switch in row["without"]) or "–"
        figures = [spread(values) for values in (row["score"], row["best"]["kappa"], row["last"]["kappa"])]
        cells = [row["step"], f"`{row['trained_on']}`", off, str(len(row["runs"])), f"{mean:.3f} ({std:.3f})", *figures]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"
