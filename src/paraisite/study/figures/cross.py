"""The cross table as a heatmap: trained on rows, tested on columns, a panel for each step."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from paraisite.plots.drawing import INK, blank, ink_on, panels, save
from paraisite.study.plan import DATASETS, STEPS
from paraisite.study.table import Cell

LIMITS = (0.25, 4.0)
"""MAPE at the ends of the colours, which follow its logarithm."""


def draw_cross(cells: Sequence[Cell], path: Path, made_from: str = "") -> None:
    """Draw the mean over runs of MAPE, its std below it, of cells of one protocol and one variant."""
    from matplotlib import colormaps
    from matplotlib.colors import LogNorm
    from matplotlib.patches import Rectangle

    steps = [step for step in STEPS if any(cell.step == step for cell in cells)]
    tested = [name for name in DATASETS if any(cell.tested_on == name for cell in cells)]
    trained = {s: [d for d in DATASETS if any(c[:2] == (s, d) for c in cells)] for s in steps}
    norm, colours = LogNorm(*LIMITS, clip=True), colormaps["viridis_r"]
    heights = [max(len(trained[step]) for step in steps[i : i + 2]) for i in range(0, len(steps), 2)]
    height = max(1.0 + 0.4 * len(heights) + 0.52 * sum(heights), 2.6)  # the colour bar's label fits
    figure = blank(2.2 + 0.7 * len(tested) * min(len(steps), 2), height)
    made = panels(figure, len(steps), height_ratios=heights)
    for i, (axes, step) in enumerate(zip(made, steps, strict=True)):
        means = np.full((len(trained[step]), len(tested)), np.nan)
        for cell in cells:
            if cell.step == step:
                y, x = trained[step].index(cell.trained_on), tested.index(cell.tested_on)
                row = cell.row()
                means[y, x] = row["mape_mean"]
                style: dict[str, Any] = {"ha": "center", "va": "center", "color": ink_on(colours(norm(means[y, x])))}
                axes.text(x, y - 0.1, _short(means[y, x]), fontsize=11, **style)
                if row["mape_std"] is not None:
                    axes.text(x, y + 0.27, f"±{_short(row['mape_std'])}", fontsize=8, **style)
                if cell.trained_on == cell.tested_on:
                    frame = Rectangle((x - 0.47, y - 0.47), 0.94, 0.94, fill=False, edgecolor=INK, linewidth=1.8)
                    axes.add_patch(frame)
        image = axes.imshow(means, norm=norm, cmap=colours, aspect="auto")
        axes.set_title(f"step {step}", fontsize=12, color=INK)
        lowest, named = i + 2 >= len(steps), i % 2 == 1 and trained[step] == trained[steps[i - 1]]
        turned: dict[str, Any] = {"rotation": 30, "ha": "right", "rotation_mode": "anchor"}
        axes.set_xticks(range(len(tested)), tested if lowest else [], color=INK, **turned)
        axes.set_yticks(range(len(means)), [] if named else trained[step], color=INK)
        axes.tick_params(length=0, pad=6)
        axes.spines[:].set_visible(False)
    figure.supylabel("trained on", fontsize=11, color=INK)
    figure.supxlabel("tested on", fontsize=11, color=INK)
    bar = figure.colorbar(image, ax=made, extend="both", pad=0.02, aspect=28, ticks=(0.25, 0.5, 1, 2, 4))
    bar.ax.yaxis.set_major_formatter("{x:g}")
    bar.ax.minorticks_off()
    bar.outline.set_visible(False)
    bar.ax.tick_params(length=0, labelcolor=INK)
    bar.set_label("MAPE, mean ± std of the runs", color=INK)
    save(figure, path, made_from)


def _short(value: float) -> str:
    return f"{value:.2f}" if value < 9.995 else f"{value:.0f}"
