"""What figures share: colours, an empty figure, the cells of a periodic table, and PNG files that know their data."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from paraisite.crystals.elements import SYMBOLS
from paraisite.files.replacing import replacing

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442", "#000000")
"""The palette of M. Okabe and K. Ito (Color Universal Design, 2008), which the colour-blind can tell apart."""

INK, FAINT = "0.15", "0.55"
NOBLE = (0, 2, 10, 18, 36, 54, 86, 118)
"""Last atomic number of each period."""

_MADE_FROM = "Data SHA-256"


def blank(width: float, height: float) -> Figure:
    """Return an empty figure, in inches; made without pyplot, so that no display or backend matters."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def panels(figure: Figure, n: int, **options: Any) -> list[Axes]:
    """Return n axes in rows of two, with the options of `Figure.subplots`."""
    columns = min(n, 2)
    made = figure.subplots(-(-n // columns), columns, squeeze=False, **options).ravel().tolist()
    for axes in made[n:]:
        axes.remove()
    found: list[Axes] = made[:n]
    return found


def quiet(axes: Axes) -> None:
    """Leave nothing of the frame but two faint axes."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(FAINT)
    axes.tick_params(which="both", color=FAINT, labelcolor=INK, labelsize=10)
    axes.set_axisbelow(True)


def ink_on(face: Any) -> str:
    """Colour of text with the greater contrast to a face (sRGB, each 0 to 1).

    Contrast is that of WCAG 2.2, (L1 + 0.05) / (L2 + 0.05) of relative luminances: white gives more below L = 0.22.
    """
    srgb = np.asarray(face[:3], dtype=float)
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    return "white" if np.dot(linear, (0.2126, 0.7152, 0.0722)) < 0.22 else INK


def save(figure: Figure, path: Path, made_from: str = "") -> None:
    """Write a figure; a PNG has 256 colours (a third of the size), and the fingerprint of what it was made from."""
    form = path.suffix[1:].lower()
    with replacing(path) as aside:
        if form == "png":
            _save_png(figure, aside, made_from)
        else:
            figure.savefig(aside, format=form, facecolor="white")


def _save_png(figure: Figure, path: Path, made_from: str) -> None:
    from PIL import Image
    from PIL.PngImagePlugin import PngInfo

    buffer = io.BytesIO()
    figure.savefig(buffer, dpi=120, format="png", facecolor="white")
    info = PngInfo()
    if made_from:
        info.add_text(_MADE_FROM, made_from)
    with Image.open(buffer) as image:
        image.convert("RGB").quantize(256).save(path, format="PNG", optimize=True, pnginfo=info)


def fingerprint(data: Any) -> str:
    """Sha256 (hexadecimal) of numbers, texts, and lists, tuples, mappings and arrays of them."""
    text = json.dumps(data, default=np.ndarray.tolist, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def made_from(path: Path) -> str:
    """Fingerprint of the data that a PNG was made from; empty if it does not say, or is not there."""
    from PIL import Image

    if not path.is_file():
        return ""
    with Image.open(path) as image:
        return str(image.info.get(_MADE_FROM, ""))


def element_cells(axes: Axes, faces: Mapping[str, Any], texts: Mapping[str, str]) -> None:
    """Fill axes with a periodic table of 18 columns, f elements below.

    Parameters
    ----------
    axes : Axes
        Column and row then are its coordinates, from (0, 0) at hydrogen.
    faces : mapping of str to colour
        By element symbol, as red, green, blue (0 to 1); elements without one are pale.
    texts : mapping of str to str
        Written below the symbol, one line or two.
    """
    from matplotlib.patches import Rectangle

    for z in range(1, len(SYMBOLS)):
        symbol = SYMBOLS[z]
        x, y = element_place(z)
        face = faces.get(symbol, "0.96")
        ink = ink_on(face) if symbol in faces else "0.65"
        axes.add_patch(Rectangle((x + 0.03, y + 0.03), 0.94, 0.94, facecolor=face, edgecolor="none"))
        text = texts.get(symbol, "")
        rise = 0.12 if "\n" in text else 0.0
        style: dict[str, Any] = {"ha": "center", "va": "center", "color": ink}
        axes.text(x + 0.5, y + 0.42 - rise, symbol, fontsize=12, fontweight="bold", **style)
        axes.text(x + 0.5, y + 0.76 - rise / 2, text, fontsize=8, **style)
    for x, y, text in ((2, 5, "57–71"), (2, 6, "89–103")):
        axes.text(x + 0.5, y + 0.5, text, ha="center", va="center", color=FAINT, fontsize=8)
    axes.set(xlim=(0, 18), ylim=(9.5, 0), aspect="equal")
    axes.axis("off")


def element_place(z: int) -> tuple[float, float]:
    """Column and row, from 0, in the table of 18 columns; f elements stand below."""
    period = next(i for i, last in enumerate(NOBLE) if z <= last)
    if z in (1, 2):
        return (0 if z == 1 else 17), 0
    for first, last, row in ((57, 71, 7.5), (89, 103, 8.5)):
        if first <= z <= last:
            return z - first + 2.5, row
    from_left, from_right = z - NOBLE[period - 1] - 1, NOBLE[period] - z
    return (from_left if from_left < 2 else 17 - from_right), period - 1
