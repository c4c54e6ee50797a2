"""What is predicted: one `Target` for each quantity, in one registry that every room above reads."""

from __future__ import annotations

from paraisite.targets.known import KNOWN
from paraisite.targets.target import Share, Target, Transform

__all__ = ["LEVEL", "TARGETS", "Share", "Target", "Transform", "column", "register", "transform", "unit"]

LEVEL = 0.9
"""Nominal coverage of intervals, unless another level is asked for."""

TARGETS: dict[str, Target] = {}
"""Every known target by name, kappa first."""


def register(target: Target) -> Target:
    """Add a target.

    Raises
    ------
    ValueError
        If its name or its column is taken.
    """
    if target.name in TARGETS or any(target.column == other.column for other in TARGETS.values()):
        raise ValueError(f"target {target.name}, column {target.column}: there is one of this name already")
    TARGETS[target.name] = target
    return target


def unit(name: str) -> str:
    """Unit of a target; empty where it is not known, as for one of a user's own table."""
    return TARGETS[name].unit if name in TARGETS else ""


def column(name: str) -> str:
    """Column of a target in tables of predictions; its name where it is not known."""
    return TARGETS[name].column if name in TARGETS else name


def transform(name: str) -> Transform:
    """Transform a target is trained in unless a recipe says otherwise."""
    return TARGETS[name].transform if name in TARGETS else "log10"


for _target in KNOWN:
    register(_target)
