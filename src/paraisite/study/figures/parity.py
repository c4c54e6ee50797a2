"""Predicted over true conductivities of the held-out folds, with the band of a factor of 2."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from paraisite.metrics import male
from paraisite.plots.charts import BAND, DATA, PREDICTED, parity
from paraisite.plots.drawing import INK, blank, panels, save
from paraisite.study.predictions import Prediction


def draw_parity(predictions: Sequence[Prediction], path: Path, made_from: str = "") -> None:
    """Draw every prediction of every run, both axes logarithmic and alike, a panel for each dataset."""
    datasets = list(dict.fromkeys(p.trained_on for p in predictions))
    figure = blank(3.8 * min(len(datasets), 2), 3.9 * -(-len(datasets) // 2))
    for axes, name in zip(panels(figure, len(datasets)), datasets, strict=True):
        of = [p for p in predictions if p.trained_on == name]
        true, predicted = np.array([(p.kappa_W_mK, p.predicted_W_mK) for p in of]).T
        within = float(np.mean(np.abs(np.log10(predicted / true)) <= np.log10(BAND)))
        runs = len({p.run for p in of})
        note = (
            f"{len(of)} predictions, {runs} run{'s' if runs > 1 else ''}\n{100 * within:.0f} % within a factor of 2\n"
            f"MALE {male(true, predicted):.3f}"
        )
        parity(true, predicted, note=note, ax=axes).set(xlabel="", ylabel="")
        axes.set_title(f"{name}, step {of[0].step}", fontsize=12, color=INK, loc="left")
    figure.supxlabel(DATA, fontsize=11, color=INK)
    figure.supylabel(PREDICTED, fontsize=11, color=INK)
    save(figure, path, made_from)
