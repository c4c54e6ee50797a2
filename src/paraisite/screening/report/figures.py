"""Figure of a screening: which elements matter."""

from __future__ import annotations

from pathlib import Path

from paraisite.plots.periodic_table import periodic_table
from paraisite.screening.report.census import Census


def elements(census: Census, path: Path) -> None:
    """Draw the elements of the crystals: the share within the bounds, or the median without bounds."""
    counts = census.element_counts
    if census.wish.bounded:
        values = {symbol: 100 * share for symbol, share in census.element_shares.items()}
        title, label = f"Share with {census.wish.words}", "expected, in % of the crystals with the element"
        texts = {symbol: f"{value:.0f} %\n{counts[symbol]}" for symbol, value in values.items()}
        limits = (0.0, max(*values.values(), 1.0))
        periodic_table(values, path, title=title, label=f"{label}; below it their number", texts=texts, limits=limits)
        return
    values = census.element_medians
    texts = {symbol: f"{value:.2g}\n{counts[symbol]}" for symbol, value in values.items()}
    label = "W/m/K, of the crystals with the element; below it their number"
    periodic_table(values, path, title="Median conductivity", label=label, texts=texts, log=True)
