"""The table of scores that `evaluate`, `train` and `models info` print."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from paraisite.cli.console import cell

if TYPE_CHECKING:
    from rich.table import Table

SCORES = {
    "n": ("rows", "{:.0f}"),
    "mape": ("MAPE", "{:.3f}"),
    "median_ape": ("median APE", "{:.3f}"),
    "male": ("MALE", "{:.3f}"),
    "spearman": ("Spearman", "{:.3f}"),
    "coverage": ("coverage", "{:.1%}"),
    "width": ("width", "{:.2f}"),
    "interval_score": ("interval score", "{:.3f}"),
}
"""Heading and format of each score."""

LEGEND = (
    "kappa in W/m/K. MAPE, median APE: relative errors; MALE: mean absolute log10 error (0.30 is a factor of 2); "
    "width: median of upper over lower bound; interval score in log10 kappa, lower is better."
)


def scores_table(groups: Mapping[str, Mapping[str, Any]]) -> Table:
    """One line for each group of rows, one column for each score that any of them has."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("")
    present = [name for name in SCORES if any(name in group for group in groups.values())]
    for name in present:
        table.add_column(SCORES[name][0], justify="right")
    for label, group in groups.items():
        table.add_row(cell(str(label)), *(_shown(name, group.get(name)) for name in present))
    return table


def card_scores(metrics: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Groups of rows in the metrics that a training writes; none if they are laid out otherwise."""
    groups = {"all": metrics.get("all"), **(metrics.get("by_dataset") or {})}
    return {label: group for label, group in groups.items() if isinstance(group, Mapping)}


def _shown(name: str, value: Any) -> str:
    return SCORES[name][1].format(value) if isinstance(value, (int, float)) else "–"
