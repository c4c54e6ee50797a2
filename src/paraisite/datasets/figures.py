"""Figures of data sets, with matplotlib: conductivities, elements, and what data sets have in common."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from paraisite.crystals.elements import SYMBOLS
from paraisite.datasets.dataset import KAPPA, Dataset

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from paraisite.datasets.describe import SharedKappa
    from paraisite.datasets.overlap import Common, Recalibration

COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442", "#000000")
"""The palette of M. Okabe and K. Ito (Color Universal Design, 2008), which the colour-blind can tell apart."""

BINS_PER_DECADE = 8
NOBLE = (0, 2, 10, 18, 36, 54, 86, 118)
"""Last atomic number of each period."""
INK, FAINT = "0.15", "0.55"


def kappa_histograms(datasets: Sequence[Dataset], path: Path) -> bool:
    """Draw the number of crystals over conductivity (logarithmic), one panel for each data set that has any.

    Returns
    -------
    bool
        Whether there was anything to draw.
    """
    known = {
        dataset.name: dataset.targets[KAPPA][dataset.targets[KAPPA] > 0]  # neither NaN nor nonsense
        for dataset in datasets
        if KAPPA in dataset.targets and (dataset.targets[KAPPA] > 0).any()
    }
    if not known:
        return False
    logs = np.log10(np.concatenate(list(known.values())))
    first, last = int(np.floor(logs.min() * BINS_PER_DECADE)), int(np.floor(logs.max() * BINS_PER_DECADE)) + 1
    bins = 10 ** (np.arange(first, last + 1) / BINS_PER_DECADE)

    figure = _figure(7.0, 0.7 + 1.7 * len(known))
    panels = figure.subplots(len(known), 1, sharex=True, squeeze=False)[:, 0]
    for axes, (name, kappa), colour in zip(panels, known.items(), _cycle(len(known)), strict=True):
        axes.hist(kappa, bins=bins, color=colour, alpha=0.85, edgecolor="white", linewidth=0.6)
        median = float(np.median(kappa))
        axes.axvline(median, color=INK, linewidth=1.2, linestyle="--")
        axes.set(xscale="log", xlim=(bins[0], bins[-1]))
        axes.set_title(f"{name}:  {len(kappa)} crystals, median {median:.3g}", loc="left", fontsize=11, color=INK)
        axes.margins(y=0.12)
        axes.yaxis.get_major_locator().set_params(integer=True, nbins=4)
        _quiet(axes)
    figure.supylabel("crystals", fontsize=11, color=INK)
    panels[-1].set_xlabel("lattice thermal conductivity κ at 300 K (W m⁻¹ K⁻¹)", fontsize=11, color=INK)
    _save(figure, path)
    return True


def periodic_table(rows: Mapping[str, int], name: str, path: Path) -> None:
    """Draw how many crystals contain each element, as colours and numbers in the periodic table.

    Parameters
    ----------
    rows : mapping of str to int
        Number of crystals by element symbol.
    name : str
        Of the data set.
    path : Path
    """
    from matplotlib import colormaps
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import LogNorm
    from matplotlib.patches import Rectangle

    norm = LogNorm(1, max(10, *rows.values()) if rows else 10)
    colours = colormaps["viridis_r"]
    figure = _figure(11.0, 6.2)
    axes = figure.add_subplot()
    for z in range(1, len(SYMBOLS)):
        symbol = SYMBOLS[z]
        x, y = _place(z)
        n = rows.get(symbol, 0)
        face = colours(norm(n)) if n else "0.96"
        dark = n > 0 and np.dot(face[:3], (0.299, 0.587, 0.114)) < 0.5
        ink = "white" if dark else INK if n else "0.65"
        axes.add_patch(Rectangle((x + 0.03, y + 0.03), 0.94, 0.94, facecolor=face, edgecolor="none"))
        axes.text(x + 0.5, y + 0.42, symbol, ha="center", va="center", color=ink, fontsize=12, fontweight="bold")
        if n:
            axes.text(x + 0.5, y + 0.76, f"{n}", ha="center", va="center", color=ink, fontsize=8)
    for x, y, text in ((2, 5, "57–71"), (2, 6, "89–103")):
        axes.text(x + 0.5, y + 0.5, text, ha="center", va="center", color=FAINT, fontsize=8)
    axes.set(xlim=(0, 18), ylim=(9.5, 0), aspect="equal")
    axes.axis("off")
    # in the gap above the transition metals
    axes.text(2.6, 0.35, name, fontsize=17, fontweight="bold", color=INK, va="center")
    axes.text(2.6, 0.95, "crystals that contain each element", fontsize=11, color=INK, va="center")
    scale = axes.inset_axes((2.6 / 18, 1 - 1.75 / 9.5, 7.0 / 18, 0.28 / 9.5))
    bar = figure.colorbar(ScalarMappable(norm, colours), cax=scale, orientation="horizontal")
    bar.ax.xaxis.set_major_formatter("{x:.0f}")
    bar.outline.set_visible(False)
    bar.ax.tick_params(which="both", length=2, labelsize=9, color=INK, labelcolor=INK)
    _save(figure, path)


def overlaps(names: Sequence[str], common: Mapping[tuple[str, str], Common], path: Path) -> None:
    """Draw which share of the formulas, and of the crystals, of each data set also stands in each other one.

    Parameters
    ----------
    names : sequence of str
        Data sets.
    common : mapping of (str, str) to Common
        For every ordered pair of them.
    path : Path
    """
    n = len(names)
    figure = _figure(2.4 + 2.1 * n, 2.2 + 0.75 * n)
    panels = figure.subplots(1, 2, sharey=True)
    for axes, what in zip(panels, ("formulas", "crystals"), strict=True):
        counts = np.full((n, n, 2), np.nan)
        for i, of in enumerate(names):
            for j, in_ in enumerate(names):
                if i != j:
                    found = common[of, in_]
                    by_formula = found.shared_formulas, found.formulas
                    counts[i, j] = by_formula if what == "formulas" else (found.shared_crystals, found.rows)
        share = counts[..., 0] / np.where(counts[..., 1] > 0, counts[..., 1], np.nan)  # one may have no rows
        axes.set_facecolor("0.93")
        image = axes.imshow(share, cmap="Blues", vmin=0, vmax=1, aspect="auto")
        for i, j in np.argwhere(np.isfinite(share)):
            ink = "white" if share[i, j] > 0.55 else INK
            shared, whole = counts[i, j].astype(int)
            style: dict[str, Any] = {"ha": "center", "color": ink}
            axes.annotate(f"{100 * share[i, j]:.0f} %", (j, i), (0, 1), textcoords="offset points", size=13, **style)
            axes.annotate(f"{shared} of {whole}", (j, i), (0, -13), textcoords="offset points", size=9, **style)
        axes.set_title(what, fontsize=12, color=INK)
        axes.set_xticks(range(n), names, color=INK)
        axes.set_yticks(range(n), names, color=INK)
        axes.set_xlabel("that also stand in", fontsize=11, color=INK)
        axes.set_xticks(np.arange(n - 1) + 0.5, minor=True)
        axes.set_yticks(np.arange(n - 1) + 0.5, minor=True)
        axes.grid(which="minor", color="white", linewidth=3)
        axes.tick_params(which="both", length=0)
        axes.spines[:].set_visible(False)
    panels[0].set_ylabel("share of", fontsize=11, color=INK)
    bar = figure.colorbar(image, ax=panels, shrink=0.85, pad=0.02, ticks=(0, 0.5, 1), format="{x:.0%}")
    bar.outline.set_visible(False)
    bar.ax.tick_params(length=0, labelcolor=INK)
    _save(figure, path)


def shared_kappa(shared: SharedKappa, path: Path) -> None:
    """Draw the conductivities of crystals that data sets share, the diagonal and the recalibration line."""
    from matplotlib.lines import Line2D

    figure = _figure(5.8, 6.4 + 0.25 * len(shared.points))
    axes = figure.add_subplot()
    values = np.concatenate([np.concatenate(xy) for xy in shared.points.values()])
    ends = np.array([values.min() / 1.6, values.max() * 1.6])
    handles = [
        *axes.plot(ends, ends, color=FAINT, linewidth=1, linestyle="--", label="y = x", zorder=1),
        *axes.plot(ends, shared.line(ends), color=INK, linewidth=1.6, label=_say("all", shared.line), zorder=2),
    ]
    for (name, (x, y)), colour, marker in zip(
        shared.points.items(), _cycle(len(shared.points)), cycle("osD^vP*X"), strict=False
    ):
        axes.scatter(x, y, s=32, color=colour, marker=marker, edgecolor="white", linewidth=0.5, alpha=0.75, zorder=3)
        label, stroke = f"{name}: {len(x)} crystals", 0.0
        if (own := shared.lines.get(name)) is not None and len(shared.points) > 1:
            reach = np.array([x.min(), x.max()])
            axes.plot(reach, own(reach), color=colour, linewidth=1.6, zorder=2)
            label, stroke = _say(name, own), 1.6
        handles.append(Line2D([], [], color=colour, marker=marker, linewidth=stroke, label=label))
    axes.set(xscale="log", yscale="log", xlim=ends, ylim=ends, aspect="equal")
    axes.set_xlabel(f"x = κ in {shared.base} (W m⁻¹ K⁻¹)", fontsize=11, color=INK)
    axes.set_ylabel(f"y = κ in {', '.join(shared.points)} (W m⁻¹ K⁻¹)", fontsize=11, color=INK)
    _quiet(axes)
    axes.grid(which="major", color="0.92", linewidth=0.8)
    legend = figure.legend(
        handles=handles,
        loc="outside upper left",
        title="crystals, line, mean absolute error of log$_{10}$ x → of the line",
        fontsize=10,
        title_fontsize=10,
        frameon=False,
        labelcolor=INK,
        alignment="left",
    )
    legend.get_title().set_color(INK)
    _save(figure, path)


def _say(name: str, line: Recalibration) -> str:
    """Describe a recalibration line in a legend."""
    power = f"y = {10**line.intercept:.2f} $x^{{{line.slope:.2f}}}$"
    return f"{name}: {line.n}, {power}, {line.male_before:.2f} → {line.male:.2f}"


def _place(z: int) -> tuple[float, float]:
    """Column and row, from 0, in the table of 18 columns; f elements stand below."""
    period = next(i for i, last in enumerate(NOBLE) if z <= last)
    if z in (1, 2):
        return (0 if z == 1 else 17), 0
    for first, last, row in ((57, 71, 7.5), (89, 103, 8.5)):
        if first <= z <= last:
            return z - first + 2.5, row
    from_left, from_right = z - NOBLE[period - 1] - 1, NOBLE[period] - z
    return (from_left if from_left < 2 else 17 - from_right), period - 1


def _cycle(n: int) -> list[str]:
    return [COLOURS[i % len(COLOURS)] for i in range(n)]


def _quiet(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(FAINT)
    axes.tick_params(which="both", color=FAINT, labelcolor=INK, labelsize=10)
    axes.set_axisbelow(True)


def _figure(width: float, height: float) -> Figure:
    """Return an empty figure, in inches; made without pyplot, so that no display or backend matters."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def _save(figure: Figure, path: Path) -> None:
    from paraisite.replacing import replacing

    with replacing(path) as aside:
        figure.savefig(aside, dpi=160, format=path.suffix[1:], facecolor="white", bbox_inches="tight", pad_inches=0.12)
