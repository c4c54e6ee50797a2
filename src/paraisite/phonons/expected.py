"""What the default model says of crystals, as the lifetime model reads it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from paraisite.model.lifetime import EXPECTED, Expected
from paraisite.targets import column

if TYPE_CHECKING:
    from paraisite.crystals.crystal import Crystal
    from paraisite.crystals.rejection import Rejection
    from paraisite.prediction import Predictor


def expectations(predictor: Predictor, items: Sequence[Crystal | Rejection]) -> list[Expected | None]:
    """Predict crystals by networks not trained on their formulas; None where there is no prediction.

    Parameters
    ----------
    predictor : Predictor
        Of the default model.
    items : sequence of Crystal or Rejection
    """
    found: list[Expected | None] = []
    for item, row in zip(items, predictor.predict(items, properties=EXPECTED, held_out=True), strict=True):
        if row.kappa_W_mK is None or row.log10_std is None:
            found.append(None)
            continue
        values = {name: _rounded(row.properties[column(name)]) for name in EXPECTED}
        fold = predictor.card.formula_fold.get(item.formula, -1)
        near = None if row.applicability is None else _rounded(row.applicability)
        found.append(Expected(_rounded(np.log10(row.kappa_W_mK)), _rounded(row.log10_std), values, fold, near))
    return found


def _rounded(value: float) -> float:
    """Without the last digits, which may depend on the crystals beside it; a resumed run knows its results by these."""
    return float(f"{value:.5g}")
