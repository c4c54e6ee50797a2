"""Figures of evaluations."""

from __future__ import annotations

from pathlib import Path
from textwrap import fill
from typing import TYPE_CHECKING

from paraisite import plots
from paraisite.evaluation.evaluate import NEW
from paraisite.plots.drawing import blank

if TYPE_CHECKING:
    from paraisite.evaluation.evaluate import Evaluation

TITLE = 40
"""Characters of a line of the title; more would not fit the figure."""


def parity(evaluation: Evaluation, path: Path) -> None:
    """Draw predicted over true kappa with intervals, both axes logarithmic, and the band of a factor of 2.

    Parameters
    ----------
    evaluation : Evaluation
    path : Path
        PNG, SVG or PDF, by the extension.
    """
    rows = [row for row in evaluation.rows if row.scored]
    predicted = [row.prediction for row in rows]
    figure = blank(5, 5)
    axes = plots.parity(
        [row.kappa_true for row in rows],  # type: ignore[arg-type]
        [row.kappa_W_mK for row in predicted],  # type: ignore[arg-type]
        low=[row.kappa_low_W_mK for row in predicted],  # type: ignore[arg-type]
        high=[row.kappa_high_W_mK for row in predicted],  # type: ignore[arg-type]
        groups=[f"formula {'not ' if row.in_training == NEW else ''}in training" for row in rows],
        ax=figure.add_subplot(),
    )
    title = f"{evaluation.model} on {evaluation.dataset} ({evaluation.split})"
    axes.set_title(fill(title, TITLE), fontsize="medium")
    figure.savefig(path, dpi=150)
