"""`elements`: one number for each element, as a colour and a text in the periodic table."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from paraisite.crystals.elements import NUMBERS
from paraisite.plots.charts import axes_or_new
from paraisite.plots.drawing import INK, blank, element_cells, save

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SIZE = (11.0, 6.0)
"""Width and height in inches."""


def by_element(
    formulas: Iterable[str], values: Iterable[float], gather: Callable[[Sequence[float]], Any] = np.mean
) -> dict[str, Any]:
    """Gather a number of each crystal by the elements of its formula.

    Parameters
    ----------
    formulas : iterable of str, length n
    values : iterable of float, length n
    gather : callable
        What becomes of the numbers of an element; the mean by default.
    """
    found: dict[str, list[float]] = {}
    for formula, value in zip(formulas, values, strict=True):
        for symbol in set(re.findall(r"[A-Z][a-z]?", formula)):
            found.setdefault(symbol, []).append(value)
    return {symbol: gather(of) for symbol, of in found.items()}


def elements(
    values: Mapping[str, float],
    *,
    title: str = "",
    label: str = "",
    texts: Mapping[str, str] | None = None,
    limits: tuple[float, float] | None = None,
    log: bool = False,
    ax: Axes | None = None,
) -> Axes:
    """Draw a number for each element; dark is high.

    Parameters
    ----------
    values : mapping of str to float
        By element symbol, as of `by_element`; elements that are not in it stay pale.
    title, label : str
        Heading, and what the numbers are, with their unit.
    texts : mapping of str to str, optional
        Written below the symbols; by default the values to two digits.
    limits : (float, float), optional
        Of the colours; by default the lowest and the highest value. What lies outside gets the colour of the end.
    log : bool
        Whether colours follow the logarithm; values must then be positive.
    ax : matplotlib.axes.Axes, optional
        About twice as wide as high.

    Raises
    ------
    ValueError
        If there are no values, or a symbol is not an element.
    """
    from matplotlib import colormaps
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import LogNorm, Normalize

    if not values:
        raise ValueError("a periodic table needs the value of at least one element")
    if unknown := [symbol for symbol in values if symbol not in NUMBERS]:
        raise ValueError(f"{unknown[0]!r} is not an element")
    low, high = limits or (min(values.values()), max(values.values()))
    if low == high:  # one colour needs a scale, too
        low, high = (low / 2, high * 2) if log else (low - 0.5, high + 0.5)
    norm = (LogNorm if log else Normalize)(low, high, clip=True)
    colours = colormaps["viridis_r"]
    axes = axes_or_new(ax, *SIZE)
    faces = {symbol: colours(norm(value)) for symbol, value in values.items()}
    element_cells(axes, faces, texts if texts is not None else {s: f"{v:.2g}" for s, v in values.items()})
    # in the gap above the transition metals
    axes.text(2.6, 0.35, title, fontsize=16, fontweight="bold", color=INK, va="center")
    axes.text(2.6, 0.95, label, fontsize=11, color=INK, va="center")
    scale = axes.inset_axes((2.6 / 18, 1 - 1.75 / 9.5, 7.0 / 18, 0.28 / 9.5))
    below, above = min(values.values()) < low, max(values.values()) > high
    extend = {(True, True): "both", (True, False): "min", (False, True): "max"}.get((below, above), "neither")
    bar = axes.figure.colorbar(ScalarMappable(norm, colours), cax=scale, orientation="horizontal", extend=extend)
    bar.outline.set_visible(False)
    bar.ax.tick_params(which="both", length=2, labelsize=9, color=INK, labelcolor=INK)
    return axes


def periodic_table(values: Mapping[str, float], path: Path, *, made_from: str = "", **options: Any) -> None:
    """Write `elements` to a PNG, SVG or PDF, by the extension; see `paraisite.plots.drawing.save` for `made_from`."""
    figure = blank(*SIZE)
    elements(values, ax=figure.add_subplot(), **options)
    save(figure, path, made_from)
