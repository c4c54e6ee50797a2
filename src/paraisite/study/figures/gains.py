"""The gain of each transfer step, paired by run: dots and lines, with the corrected resampled t-test."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np

from paraisite.plots.drawing import COLOURS, INK, blank, panels, quiet, save
from paraisite.study.plan import DATASETS, STEPS
from paraisite.study.table import Cell, gain

METRIC = "mape"


def draw_gains(cells: Sequence[Cell], path: Path, made_from: str = "") -> None:
    """Draw MAPE of every run over the steps, a panel for each dataset, of cells with train = test.

    Between steps stands in how many runs the later one is better, and p of `table.gain`.
    """
    from matplotlib.ticker import FixedLocator, NullFormatter

    datasets = [name for name in DATASETS if any(cell.trained_on == name for cell in cells)]
    figure = blank(0.5 + 3.7 * min(len(datasets), 2), 0.4 + 3.0 * -(-len(datasets) // 2))
    made = panels(figure, len(datasets), sharey=True)
    values = np.concatenate([cell.values[METRIC] for cell in cells])
    for axes, name in zip(made, datasets, strict=True):
        by_step = {cell.step: cell for cell in cells if cell.trained_on == name}
        steps = [by_step[step] for step in STEPS if step in by_step]
        for run in sorted({run for cell in steps for run in cell.runs}):
            at = [i for i, cell in enumerate(steps) if run in cell.runs]
            y = [steps[i].values[METRIC][steps[i].runs.index(run)] for i in at]
            axes.plot(at, y, color="0.7", linewidth=1, zorder=1)
            axes.scatter(at, y, s=22, color=COLOURS[0], edgecolor="white", linewidth=0.5, zorder=2)
        for i, cell in enumerate(steps):
            axes.plot(
                [i - 0.05 * len(steps), i + 0.05 * len(steps)],
                [cell.values[METRIC].mean()] * 2,
                color=INK,
                linewidth=2.5,
                zorder=3,
            )
        for i, (worse, better) in enumerate(pairwise(steps)):
            if len(set(worse.runs) & set(better.runs)) > 1:
                found = gain(better, worse, METRIC)
                text = f"{found.wins} of {found.runs}\n{_p(found.p_value)}"
                over = axes.get_xaxis_transform()
                axes.text(i + 0.5, 0.99, text, transform=over, ha="center", va="top", fontsize=8, color=INK)
        axes.set(yscale="log", xlim=(-0.45, max(len(steps), 2) - 0.55))
        axes.set_ylim(values.min() / 1.15, values.max() * 1.9)  # room for what stands between the steps
        axes.set_xticks(range(len(steps)), [cell.step.replace("-", "-\n") for cell in steps])
        axes.yaxis.set_major_locator(FixedLocator([0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50]))
        axes.yaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_minor_formatter(NullFormatter())
        axes.yaxis.grid(True, color="0.93", linewidth=0.8)
        axes.set_title(name, fontsize=12, color=INK)
        quiet(axes)
    figure.supylabel("MAPE on the held-out fold", fontsize=11, color=INK)
    lines = "step (lines: runs; bars: means;", "above: runs that the later step wins, p of the corrected t-test)"
    figure.supxlabel(
        (" " if len(datasets) > 1 else "\n").join(lines),  # one panel is narrower than the sentence
        fontsize=9,
        color=INK,
    )
    save(figure, path, made_from)


def _p(value: float) -> str:
    return "p < 0.001" if value < 0.001 else f"p = {value:.2g}"
