"""Crystals to predictions: `Predictor`, `Prediction`."""

from typing import TYPE_CHECKING, Any

from paraisite.prediction.options import Options
from paraisite.prediction.prediction import COLUMNS, Prediction
from paraisite.prediction.predictions import Predictions
from paraisite.prediction.prepared import Prepared

if TYPE_CHECKING:
    from paraisite.prediction.predictor import Predictor, PropertyError

__all__ = ["COLUMNS", "Options", "Prediction", "Predictions", "Predictor", "Prepared", "PropertyError"]


def __getattr__(name: str) -> Any:
    if name in ("Predictor", "PropertyError"):  # only on use, for it imports torch
        from paraisite.prediction import predictor

        return getattr(predictor, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
