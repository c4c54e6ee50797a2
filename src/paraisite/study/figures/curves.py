"""Learning curves: the error on the held-out fold over epochs, step by step."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from paraisite.plots.drawing import COLOURS, INK, blank, panels, quiet, save
from paraisite.study.curves import Curve
from paraisite.study.plan import DATASETS, STEPS


def draw_curves(curves: Sequence[Curve], path: Path, made_from: str = "") -> None:
    """Draw the median over runs of MAPE, and its quartiles as a band, a panel for each dataset."""
    from matplotlib.ticker import FixedLocator, NullFormatter

    datasets = [name for name in DATASETS if any(curve.trained_on == name for curve in curves)]
    figure = blank(0.5 + 3.7 * min(len(datasets), 2), 0.7 + 2.5 * -(-len(datasets) // 2))
    made = panels(figure, len(datasets), sharey=True)
    drawn = {}
    ends = []
    for axes, name in zip(made, datasets, strict=True):
        for step, colour in zip(STEPS, COLOURS, strict=False):
            of = [curve for curve in curves if (curve.step, curve.trained_on) == (step, name)]
            if not of:
                continue
            scores = [{epoch: mape for epoch, mape, _ in curve.points} for curve in of]
            epochs = sorted(set.intersection(*(set(found) for found in scores)))
            low, middle, high = np.quantile([[found[e] for e in epochs] for found in scores], (0.25, 0.5, 0.75), axis=0)
            axes.fill_between(epochs, low, high, color=colour, alpha=0.2, linewidth=0)
            (drawn[step],) = axes.plot(epochs, middle, color=colour, linewidth=1.8)
            ends += [low.min(), high.max()]
        axes.set(xscale="log", yscale="log")
        for axis, ticks in ((axes.xaxis, (1, 3, 10, 30, 100, 300, 1000)), (axes.yaxis, (0.1, 0.2, 0.5, 1, 2, 5, 10))):
            axis.set_major_locator(FixedLocator(ticks))
            axis.set_major_formatter("{x:g}")
            axis.set_minor_formatter(NullFormatter())
        axes.grid(which="major", color="0.93", linewidth=0.8)
        axes.set_title(name, fontsize=12, color=INK)
        quiet(axes)
    made[0].set_ylim(min(ends) / 1.1, max(ends) * 1.1)
    figure.supylabel("MAPE on the held-out fold", fontsize=11, color=INK)
    figure.supxlabel("epoch", fontsize=11, color=INK)
    figure.legend(
        list(drawn.values()),
        [f"step {step}" for step in drawn],
        loc="outside upper center",
        ncols=len(drawn),
        frameon=False,
        labelcolor=INK,
        title="median of the runs, quartiles as a band",
        title_fontsize=10,
    )
    save(figure, path, made_from)
