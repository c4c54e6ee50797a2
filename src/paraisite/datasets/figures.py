"""Figures of datasets, with matplotlib: conductivities, elements, and what datasets have in common."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from paraisite.datasets.dataset import KAPPA, Dataset
from paraisite.files.printable import counted
from paraisite.plots.drawing import COLOURS, FAINT, INK, blank, element_cells, quiet, save

if TYPE_CHECKING:
    from paraisite.datasets.describe import SharedKappa
    from paraisite.datasets.overlap import Common, Recalibration

BINS_PER_DECADE = 8


def kappa_histograms(datasets: Sequence[Dataset], path: Path) -> bool:
    """Draw the number of crystals over conductivity (logarithmic), one panel for each dataset that has any.

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

    figure = blank(7.0, 0.7 + 1.7 * len(known))
    panels = figure.subplots(len(known), 1, sharex=True, squeeze=False)[:, 0]
    for axes, (name, kappa), colour in zip(panels, known.items(), _cycle(len(known)), strict=True):
        axes.hist(kappa, bins=bins, color=colour, alpha=0.85, edgecolor="white", linewidth=0.6)
        median = float(np.median(kappa))
        axes.axvline(median, color=INK, linewidth=1.2, linestyle="--")
        axes.set(xscale="log", xlim=(bins[0], bins[-1]))
        axes.set_title(
            f"{name}:  {counted(len(kappa), 'crystal')}, median {median:.3g}", loc="left", fontsize=11, color=INK
        )
        axes.margins(y=0.12)
        axes.yaxis.get_major_locator().set_params(integer=True, nbins=4)
        quiet(axes)
    figure.supylabel("crystals", fontsize=11, color=INK)
    panels[-1].set_xlabel("lattice thermal conductivity κ at 300 K (W m⁻¹ K⁻¹)", fontsize=11, color=INK)
    save(figure, path)
    return True


def periodic_table(rows: Mapping[str, int], name: str, path: Path) -> None:
    """Draw how many crystals contain each element, as colours and numbers in the periodic table.

    Parameters
    ----------
    rows : mapping of str to int
        Number of crystals by element symbol.
    name : str
        Of the dataset.
    path : Path
    """
    from matplotlib import colormaps
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import LogNorm

    norm = LogNorm(1, max(10, *rows.values()) if rows else 10)
    colours = colormaps["viridis_r"]
    figure = blank(11.0, 6.2)
    axes = figure.add_subplot()
    faces = {symbol: colours(norm(n)) for symbol, n in rows.items() if n}
    element_cells(axes, faces, {symbol: f"{rows[symbol]}" for symbol in faces})
    # in the gap above the transition metals
    axes.text(2.6, 0.35, name, fontsize=17, fontweight="bold", color=INK, va="center")
    axes.text(2.6, 0.95, "crystals that contain each element", fontsize=11, color=INK, va="center")
    scale = axes.inset_axes((2.6 / 18, 1 - 1.75 / 9.5, 7.0 / 18, 0.28 / 9.5))
    bar = figure.colorbar(ScalarMappable(norm, colours), cax=scale, orientation="horizontal")
    bar.ax.xaxis.set_major_formatter("{x:.0f}")
    bar.outline.set_visible(False)
    bar.ax.tick_params(which="both", length=2, labelsize=9, color=INK, labelcolor=INK)
    save(figure, path)


def overlaps(names: Sequence[str], common: Mapping[tuple[str, str], Common], path: Path) -> None:
    """Draw which share of the formulas, and of the crystals, of each dataset also stands in each other one.

    Parameters
    ----------
    names : sequence of str
        Datasets.
    common : mapping of (str, str) to Common
        For every ordered pair of them.
    path : Path
    """
    n = len(names)
    figure = blank(2.4 + 2.1 * n, 2.2 + 0.75 * n)
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
        axes.set_xlabel("that are also in", fontsize=11, color=INK)
        axes.set_xticks(np.arange(n - 1) + 0.5, minor=True)
        axes.set_yticks(np.arange(n - 1) + 0.5, minor=True)
        axes.grid(which="minor", color="white", linewidth=3)
        axes.tick_params(which="both", length=0)
        axes.spines[:].set_visible(False)
    panels[0].set_ylabel("share of", fontsize=11, color=INK)
    bar = figure.colorbar(image, ax=panels, shrink=0.85, pad=0.02, ticks=(0, 0.5, 1), format="{x:.0%}")
    bar.outline.set_visible(False)
    bar.ax.tick_params(length=0, labelcolor=INK)
    save(figure, path)


def shared_kappa(shared: SharedKappa, path: Path) -> None:
    """Draw the conductivities of crystals that datasets share, the diagonal and the recalibration line."""
    from matplotlib.lines import Line2D

    figure = blank(5.8, 6.4 + 0.25 * len(shared.points))
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
        label, stroke = f"{name}: {counted(len(x), 'crystal')}", 0.0
        if (own := shared.lines.get(name)) is not None and len(shared.points) > 1:
            reach = np.array([x.min(), x.max()])
            axes.plot(reach, own(reach), color=colour, linewidth=1.6, zorder=2)
            label, stroke = _say(name, own), 1.6
        handles.append(Line2D([], [], color=colour, marker=marker, linewidth=stroke, label=label))
    axes.set(xscale="log", yscale="log", xlim=ends, ylim=ends, aspect="equal")
    axes.set_xlabel(f"x = κ in {shared.base} (W m⁻¹ K⁻¹)", fontsize=11, color=INK)
    others = ", ".join(shared.points) if len(shared.points) < 3 else "the other datasets"  # which the legend names
    axes.set_ylabel(f"y = κ in {others} (W m⁻¹ K⁻¹)", fontsize=11, color=INK)
    quiet(axes)
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
    save(figure, path)


def _say(name: str, line: Recalibration) -> str:
    """Describe a recalibration line in a legend."""
    power = f"y = {10**line.intercept:.2f} $x^{{{line.slope:.2f}}}$"
    return f"{name}: {line.n}, {power}, {line.male_before:.2f} → {line.male:.2f}"


def _cycle(n: int) -> list[str]:
    return [COLOURS[i % len(COLOURS)] for i in range(n)]
