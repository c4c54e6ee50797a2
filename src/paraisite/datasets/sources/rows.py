"""What a source sends, made into rows: a checked crystal with its values, or the reason why not."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from paraisite.crystals.check import check, summary
from paraisite.crystals.crystal import Crystal
from paraisite.crystals.elements import NUMBERS
from paraisite.crystals.rejection import CrystalError, Rejection
from paraisite.datasets.dataset import Dataset
from paraisite.datasets.table import DatasetError


@dataclass(frozen=True, slots=True, eq=False)
class Labelled:
    """A crystal and what its source knows of it.

    Attributes
    ----------
    crystal : Crystal
    targets : mapping of str to float
        As in `Dataset.targets`, in the units of `paraisite.targets`; what is not known is left out.
    labels : mapping of str to str
        As in `Dataset.labels`.
    """

    crystal: Crystal
    targets: Mapping[str, float]
    labels: Mapping[str, str] = field(default_factory=dict)


class Shortfall(Rejection):
    """Rows that a source announced and did not send: the answer is not complete, the same query may complete it."""

    __slots__ = ()


Row = Crystal | Labelled | Rejection


def crystal_or_rejection(make: Callable[[], Crystal], *, id: str, source: str) -> Crystal | Rejection:
    """Return what `make` makes of an entry, checked as every reader checks, or the reason why it is not a crystal."""
    try:
        crystal = make()
    except CrystalError as error:
        return Rejection(id, source, str(error))
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, OverflowError) as error:
        what = f"lacks {error}" if isinstance(error, KeyError) else f"is not as documented ({error})"
        return Rejection(id, source, f"the entry {what}; leave it out, or report it to the database")
    try:
        check(crystal.cell, crystal.numbers, crystal.positions)
    except CrystalError as error:
        return Rejection(id, source, str(error), **summary(crystal.numbers))  # type: ignore[arg-type]
    return crystal


def collect(rows: Iterable[Row], name: str) -> Dataset:
    """Make a dataset of what a query yields; a target that a row lacks is NaN, a label empty.

    Raises
    ------
    DatasetError
        If there is no crystal among the rows.
    """
    kept: list[Labelled] = []
    rejections: list[Rejection] = []
    for row in rows:
        match row:
            case Rejection():
                rejections.append(row)
            case Crystal():
                kept.append(Labelled(row, {}))
            case Labelled():
                kept.append(row)
    if not kept:
        shown = "; ".join(f"{rejection.source}: {rejection.reason}" for rejection in rejections[:3])
        raise DatasetError(f"{name}: the query returned no crystal. {shown or 'No entry matches; widen the query.'}")
    targets = dict.fromkeys(target for row in kept for target in row.targets)
    labels = dict.fromkeys(label for row in kept for label in row.labels)
    return Dataset(
        name=name,
        crystals=tuple(row.crystal for row in kept),
        targets={target: np.array([row.targets.get(target, math.nan) for row in kept]) for target in targets},
        provenance=(name,) * len(kept),
        rejections=tuple(rejections),
        labels={label: tuple(row.labels.get(label, "") for row in kept) for label in labels},
    )


def number(value: Any) -> float:
    """Return a number that a source may send as a text; NaN where it sends none.

    Raises
    ------
    ValueError
        If it is neither.
    """
    if value is None or (isinstance(value, str) and value.strip().casefold() in ("", "null", "none", "nan")):
        return math.nan
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise ValueError(f"{str(value)[:40]!r} is not a number")
    try:
        return float(value)
    except ValueError:
        raise ValueError(f"{str(value)[:40]!r} is not a number") from None


def conductivity(value: float) -> float:
    """Return a conductivity, refused unless positive and finite, as in every table of ours.

    Raises
    ------
    ValueError
        If it is not.
    """
    if not (math.isfinite(value) and value > 0):
        raise ValueError(f"its conductivity is {value:g}, but must be positive and finite")
    return value


def check_elements(elements: Iterable[str]) -> tuple[str, ...]:
    """Return element symbols as given.

    Raises
    ------
    DatasetError
        If one is not an element.
    """
    given = tuple(elements)
    for symbol in given:
        if symbol not in NUMBERS:
            raise DatasetError(f"{symbol!r} is not the symbol of an element; write Si,O")
    return given
