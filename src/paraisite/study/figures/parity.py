"""Predicted over true conductivities of the held-out folds, with the band of a factor of 2."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from paraisite.evaluation.figures import BAND
from paraisite.metrics import male
from paraisite.plots.drawing import COLOURS, FAINT, INK, blank, panels, quiet, save
from paraisite.study.predictions import Prediction


def draw_parity(predictions: Sequence[Prediction], path: Path, made_from: str = "") -> None:
    """Draw every prediction of every run, both axes logarithmic and alike, a panel for each dataset."""
    from matplotlib.ticker import LogLocator, NullFormatter

    datasets = list(dict.fromkeys(p.trained_on for p in predictions))
    figure = blank(3.8 * min(len(datasets), 2), 3.9 * -(-len(datasets) // 2))
    for axes, name in zip(panels(figure, len(datasets)), datasets, strict=True):
        of = [p for p in predictions if p.trained_on == name]
        true, predicted = np.array([(p.kappa_W_mK, p.predicted_W_mK) for p in of]).T
        ends = np.array([min(true.min(), predicted.min()) / 1.4, max(true.max(), predicted.max()) * 1.4])
        within = float(np.mean(np.abs(np.log10(predicted / true)) <= np.log10(BAND)))
        axes.fill_between(ends, ends / BAND, ends * BAND, color="0.92", linewidth=0, zorder=0)
        axes.plot(ends, ends, color=FAINT, linewidth=1, zorder=1)
        axes.scatter(true, predicted, s=14, color=COLOURS[0], alpha=0.45, linewidth=0, zorder=2)
        axes.set(xscale="log", yscale="log", xlim=ends, ylim=ends, aspect="equal")
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_locator(LogLocator(subs=(1, 2, 5) if ends[1] < 100 * ends[0] else (1,)))
            axis.set_major_formatter("{x:g}")
            axis.set_minor_formatter(NullFormatter())
        axes.set_title(f"{name}, step {of[0].step}", fontsize=12, color=INK, loc="left")
        runs = len({p.run for p in of})
        note = (
            f"{len(of)} predictions, {runs} run{'s' if runs > 1 else ''}\n{100 * within:.0f} % within a factor of 2\n"
            f"MALE {male(true, predicted):.3f}"
        )
        axes.text(0.04, 0.96, note, transform=axes.transAxes, va="top", fontsize=9, color=INK)
        quiet(axes)
    figure.supxlabel("κ, data (W m⁻¹ K⁻¹)", fontsize=11, color=INK)
    figure.supylabel("κ, predicted (W m⁻¹ K⁻¹)", fontsize=11, color=INK)
    save(figure, path, made_from)
