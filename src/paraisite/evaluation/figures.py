"""Figures of evaluations."""

from __future__ import annotations

from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING

import numpy as np

from paraisite.evaluation.evaluate import NEW
from paraisite.plots.drawing import blank

if TYPE_CHECKING:
    from paraisite.evaluation.evaluate import Evaluation

BAND = 2.0
"""Half width of the band around the diagonal, as a factor."""

TITLE = 40
"""Characters of a line of the title, which ends with the error; more would not fit the figure."""


def parity(evaluation: Evaluation, path: Path) -> None:
    """Draw predicted over true kappa with intervals, both axes logarithmic, and the band of a factor of 2.

    Parameters
    ----------
    evaluation : Evaluation
    path : Path
        PNG, SVG or PDF, by the extension.
    """
    rows = [row for row in evaluation.rows if row.scored]
    true = np.array([row.kappa_true for row in rows], dtype=float)
    bounds = np.array(
        [
            [p.kappa_W_mK, p.kappa_low_W_mK or np.nan, p.kappa_high_W_mK or np.nan]
            for p in (row.prediction for row in rows)
        ],
        dtype=float,
    )
    new = np.array([row.in_training == NEW for row in rows])
    values = np.concatenate([true, bounds[:, 0]])
    ends = np.array([values.min() / 1.5, values.max() * 1.5])

    figure = blank(5, 5)
    axes = figure.add_subplot()
    axes.fill_between(ends, ends / BAND, ends * BAND, color="0.92", label=f"factor {BAND:g}", zorder=0)
    axes.plot(ends, ends, color="0.5", linewidth=1, zorder=1)
    for which, label, colour in ((new, "formula not in training", "C0"), (~new, "formula in training", "C1")):
        if which.any():
            y, low, high = bounds[which].T
            size = np.clip(np.stack([y - low, high - y]), 0, None)  # the centre may lie outside an interval
            axes.errorbar(
                true[which], y, yerr=size, fmt="o", markersize=4, linewidth=0.5, alpha=0.7, color=colour, label=label
            )
    axes.set(xscale="log", yscale="log", xlim=ends, ylim=ends, aspect="equal")
    axes.set_xlabel("κ, data (W m⁻¹ K⁻¹)")
    axes.set_ylabel("κ, predicted (W m⁻¹ K⁻¹)")
    found = evaluation.scores["all"]
    axes.set_title(
        fill(f"{evaluation.model} on {evaluation.dataset} ({evaluation.split}): n = {len(rows)}", TITLE)
        + f", MALE {found['male']:.3f}",
        fontsize="medium",
    )
    axes.legend(loc="upper left", fontsize="small", frameon=False)
    figure.savefig(path, dpi=150)
