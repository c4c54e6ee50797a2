"""Learning curves of a study: the scores of the scored fold over the epochs of every training."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from paraisite.files.csv_cells import csv_text, read_rows
from paraisite.study.plan import STEPS

COLUMNS = ("step", "trained_on", "agl", "split", "run", "epoch", "mape", "male")
POINTS = 30
"""Epochs kept of each curve at most; early ones stand closer, as the scores change faster there."""


class Curve(NamedTuple):
    """MAPE and mean absolute log10 error of one run on its scored fold, after each of some epochs."""

    step: str
    trained_on: str
    agl: str
    split: str
    run: int
    points: list[tuple[int, float, float]]


def gather(results: Iterable[Mapping[str, Any]]) -> list[Curve]:
    """Thinned curves of the results of a study; a result without a curve (a baseline, a kernel) has none."""
    found = []
    for result in results:
        curve = result.get("curve")
        if curve and result["step"] in STEPS:
            kept = np.unique(np.geomspace(1, len(curve), min(POINTS, len(curve))).round().astype(int)) - 1
            points = [(int(curve[i][0]), float(curve[i][1]), float(curve[i][2])) for i in kept]
            found.append(
                Curve(result["step"], result["trained_on"], result["agl"], result["split"], result["run"], points)
            )
    return sorted(found, key=lambda curve: (STEPS.index(curve.step), curve[1:5]))


def as_csv(curves: Sequence[Curve]) -> str:
    """One line for each point, in the digits of the result files."""
    points = ([*curve[:5], epoch, f"{mape:g}", f"{male:g}"] for curve in curves for epoch, mape, male in curve.points)
    return csv_text(COLUMNS, points)


def load_curves(path: Path) -> list[Curve]:
    """Read what `as_csv` wrote.

    Raises
    ------
    ValueError
        If a line is not of that form.
    """
    found: dict[tuple[str, str, str, str, int], list[tuple[int, float, float]]] = {}
    with path.open(encoding="utf-8", newline="") as file:
        for number, row in enumerate(read_rows(file), start=2):
            try:
                key = (row["step"], row["trained_on"], row["agl"], row["split"], int(row["run"]))
                point = (int(row["epoch"]), float(row["mape"]), float(row["male"]))
            except (KeyError, TypeError, ValueError):
                raise ValueError(
                    f"{path}: line {number} is not a point of a learning curve; write it again with tools/make_study.py"
                ) from None
            found.setdefault(key, []).append(point)
    return [Curve(*key, points) for key, points in found.items()]
