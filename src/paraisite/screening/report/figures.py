"""Figures of a screening: how many crystals conduct how well, how sure that is, and which elements matter."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from paraisite.plots.drawing import COLOURS, INK, blank, quiet, save
from paraisite.plots.periodic_table import periodic_table
from paraisite.screening.report.census import EDGES, Census
from paraisite.screening.shortlist import Wish

if TYPE_CHECKING:
    from matplotlib.axes import Axes

KAPPA = "lattice thermal conductivity κ at 300 K (W/m/K)"
BARS = 10
"""Bins of the census in a bar: a tenth of a decade."""


def histogram(census: Census, path: Path) -> None:
    """Draw the number of crystals by conductivity."""
    counts = census.bins.reshape(-1, BARS).sum(axis=1)
    edges = 10 ** EDGES[::BARS]
    used = np.flatnonzero(counts)
    first, last = (used[0], used[-1] + 1) if len(used) else (0, len(counts))
    figure = blank(6.2, 4.0)
    axes = figure.add_subplot()
    quiet(axes)
    axes.bar(edges[first:last], counts[first:last], np.diff(edges[first : last + 1]), align="edge", color=COLOURS[4])
    _threshold(axes, census.wish)
    axes.set(xscale="log", xlabel=KAPPA, ylabel="crystals")
    save(figure, path)


def uncertainty(census: Census, chosen: np.ndarray, path: Path) -> None:
    """Draw conductivity and spread; `chosen` holds those of the shortlist, shape (2, n)."""
    kappa, std, score = census.points
    figure = blank(6.2, 4.0)
    axes = figure.add_subplot()
    quiet(axes)
    size = float(np.clip(40_000 / max(len(kappa), 1), 2, 20))
    shades = np.nan_to_num(score)
    drawn = axes.scatter(kappa, std, s=size, c=shades, cmap="viridis", vmin=0, vmax=1, linewidths=0, alpha=0.7)
    axes.scatter(
        chosen[0], chosen[1], s=2 * size, facecolors="none", edgecolors=COLOURS[5], linewidths=0.7, label="shortlist"
    )
    _threshold(axes, census.wish)
    axes.set(xscale="log", xlabel=KAPPA, ylabel="spread of log10 κ")
    bar = figure.colorbar(drawn, ax=axes)
    bar.set_label("applicability", color=INK)
    bar.outline.set_visible(False)
    if bar.solids is not None:
        bar.solids.set_alpha(1)
    axes.legend(frameon=False, loc="lower right", bbox_to_anchor=(1.0, 0.99), borderpad=0, fontsize=9)
    save(figure, path)


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


def _threshold(axes: Axes, wish: Wish) -> None:
    for bound in (wish.above, wish.below):
        if bound is not None:
            axes.axvline(bound, color=COLOURS[5], linewidth=1.2, linestyle="--")
            axes.annotate(
                f" {bound:g}", (bound, 1.0), xycoords=("data", "axes fraction"), va="top", fontsize=9, color=COLOURS[5]
            )
