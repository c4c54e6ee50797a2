"""The error by element, on a periodic table."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from paraisite.plots.periodic_table import by_element, periodic_table
from paraisite.study.predictions import Prediction

LIMITS = (0.0, 0.3)
"""Mean absolute log10 errors at the ends of the colours; 0.3 is a factor of 2."""


def draw_elements(predictions: Sequence[Prediction], path: Path, made_from: str = "") -> None:
    """Draw the mean absolute log10 error over the predictions for crystals that contain each element."""
    log_errors = [abs(float(np.log10(p.predicted_W_mK / p.kappa_W_mK))) for p in predictions]
    errors = by_element([p.formula for p in predictions], log_errors, list)
    means = {symbol: float(np.mean(found)) for symbol, found in errors.items()}
    first = predictions[0]
    periodic_table(
        means,
        path,
        title=f"{first.trained_on}, step {first.step}",
        label="mean |Δ log₁₀ κ| with the element; below: held-out predictions",
        texts={symbol: f"{means[symbol]:.2f}\n{len(found)}" for symbol, found in errors.items()},
        limits=LIMITS,
        made_from=made_from,
    )
