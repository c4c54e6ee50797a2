"""Scores in physical units, protocols, calibration and figures."""
