"""`periodic_table`: one number for each element, as a colour and a text in the periodic table."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from paraisite.crystals.elements import NUMBERS
from paraisite.plots.drawing import INK, blank, element_cells, save


def periodic_table(
    values: Mapping[str, float],
    path: Path,
    *,
    title: str,
    label: str,
    texts: Mapping[str, str] | None = None,
    limits: tuple[float, float] | None = None,
    log: bool = False,
    made_from: str = "",
) -> None:
    """Draw a number for each element; dark is high.

    Parameters
    ----------
    values : mapping of str to float
        By element symbol; elements that are not in it stay pale.
    path : Path
        PNG, SVG or PDF, by the extension.
    title, label : str
        Heading, and what the numbers are, with their unit.
    texts : mapping of str to str, optional
        Written below the symbols; by default the values to two digits.
    limits : (float, float), optional
        Of the colours; by default the lowest and the highest value. What lies outside gets the colour of the end.
    log : bool
        Whether colours follow the logarithm; values must then be positive.
    made_from : str
        See `paraisite.plots.drawing.save`.

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
    figure = blank(11.0, 6.0)
    axes = figure.add_subplot()
    faces = {symbol: colours(norm(value)) for symbol, value in values.items()}
    element_cells(axes, faces, texts if texts is not None else {s: f"{v:.2g}" for s, v in values.items()})
    # in the gap above the transition metals
    axes.text(2.6, 0.35, title, fontsize=16, fontweight="bold", color=INK, va="center")
    axes.text(2.6, 0.95, label, fontsize=11, color=INK, va="center")
    scale = axes.inset_axes((2.6 / 18, 1 - 1.75 / 9.5, 7.0 / 18, 0.28 / 9.5))
    below, above = min(values.values()) < low, max(values.values()) > high
    extend = {(True, True): "both", (True, False): "min", (False, True): "max"}.get((below, above), "neither")
    bar = figure.colorbar(ScalarMappable(norm, colours), cax=scale, orientation="horizontal", extend=extend)
    bar.outline.set_visible(False)
    bar.ax.tick_params(which="both", length=2, labelsize=9, color=INK, labelcolor=INK)
    save(figure, path, made_from)
