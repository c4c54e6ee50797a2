"""Encoder, heads, target transforms, calibration, checkpoints and the registry of models."""
