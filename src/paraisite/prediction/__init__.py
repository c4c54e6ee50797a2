"""Crystals to predictions: `Predictor`, `Prediction`."""

from paraisite.prediction.prediction import COLUMNS, PROPERTY_COLUMNS, Prediction
from paraisite.prediction.predictor import Predictor, PropertyError

__all__ = ["COLUMNS", "PROPERTY_COLUMNS", "Prediction", "Predictor", "PropertyError"]
