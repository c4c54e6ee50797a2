"""Predictions as a person likes to read them: a table for a terminal, and what there is to say at the end."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from paraisite.files.printable import printable
from paraisite.prediction.options import KAPPA, Options
from paraisite.prediction.prediction import Prediction

if TYPE_CHECKING:
    from rich.table import Table

SHOWN = 5
"""Kinds of reasons that a summary spells out."""

_MARKS = {"ok": ("", ""), "warning": ("!", "yellow"), "rejected": ("×", "red")}


def short(value: float | None) -> str:
    """Two significant digits, without an exponent where that reads well: 0.035, 7.1, 12, 2200."""
    if value is None or not math.isfinite(value):
        return "–"
    if value == 0 or not 1e-4 <= abs(value) < 1e6:
        return f"{value:.2g}"
    rounded = float(f"{value:.2g}")
    return f"{rounded:.{max(0, 1 - math.floor(math.log10(abs(rounded))))}f}"


def interval(row: Prediction) -> str:
    """Conductivity with its interval, as ``7.1 [4.2 – 12]``; what there is of it."""
    if row.kappa_W_mK is None:
        return "–"
    if row.kappa_low_W_mK is None or row.kappa_high_W_mK is None:
        return short(row.kappa_W_mK)
    return f"{short(row.kappa_W_mK)} [{short(row.kappa_low_W_mK)} – {short(row.kappa_high_W_mK)}]"


def kind(dimensionality: int | None, band_gap: float | None, is_metal: bool | None) -> str:
    """Dimensionality and band gap (eV) in a few characters, as ``2D 1.2 eV`` or ``3D metal``; what there is of it."""
    electrons = "metal" if is_metal else "" if band_gap is None else f"{band_gap:.1f} eV"
    return " ".join(filter(None, ("" if dimensionality is None else f"{dimensionality}D", electrons)))


def table(rows: Sequence[Prediction], options: Options = KAPPA) -> Table:
    """Lay predictions out for a terminal.

    Parameters
    ----------
    rows : sequence of Prediction
    options : Options
        What was asked for.
    """
    from rich import box
    from rich.table import Table
    from rich.text import Text

    made = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0))
    made.add_column("", width=1)
    made.add_column("crystal", overflow="fold")
    made.add_column("formula", overflow="fold")
    made.add_column("kind", no_wrap=True)
    made.add_column(Text(f"κ (W/m/K) [{100 * options.level:.4g} %]"), no_wrap=True)
    made.add_column("applic.", justify="right")
    columns = [name for name in options.further if not name.endswith(("_low_W_mK", "_high_W_mK"))]
    for column in columns:
        made.add_column(column.replace("_", " "), justify="right")
    made.add_column("nearest known (κ)")
    ids = [row.id for row in rows]
    unique = len(set(ids)) == len(ids)  # else, as for many files called POSCAR, the path tells them apart
    for row in rows:
        mark, style = _MARKS[row.status]
        cells = [
            mark,
            row.id if unique else row.source,
            row.formula,
            kind(row.dimensionality, row.band_gap_eV, row.is_metal),
            "rejected" if row.status == "rejected" else interval(row),
            "–" if row.applicability is None else f"{row.applicability:.2f}",
            *(short(row.properties.get(column)) for column in columns),
            row.nearest_known.replace(" W/m/K", ""),
        ]
        made.add_row(*(Text(printable(cell)) for cell in cells), style=style)
    return made


class Summary:
    """Counts rows as they pass, and keeps a first example of each kind of reason."""

    def __init__(self) -> None:
        self.counts = {"ok": 0, "warning": 0, "rejected": 0}
        self._kinds: dict[str, dict[str, tuple[int, Prediction]]] = {"warning": {}, "rejected": {}}

    def add(self, row: Prediction) -> None:
        """Count a row."""
        self.counts[row.status] += 1
        if row.status != "ok":
            kinds = self._kinds[row.status]
            kind = re.sub(r"\d+(\.\d+)?", "#", row.reason)  # reasons that differ in numbers only are of one kind
            number, first = kinds.get(kind, (0, row))
            kinds[kind] = (number + 1, first)

    @property
    def predicted(self) -> int:
        """Rows with a prediction, with or without a warning."""
        return self.counts["ok"] + self.counts["warning"]

    @property
    def rejected(self) -> int:
        """Rows without a prediction."""
        return self.counts["rejected"]

    def lines(self) -> list[str]:
        """Reasons, the most frequent first, and the counts last."""
        said = []
        for status, kinds in self._kinds.items():
            ordered = sorted(kinds.values(), key=lambda kind: -kind[0])
            for number, row in ordered[:SHOWN]:
                also = f" and {number - 1} more" if number > 1 else ""
                said.append(f"{status}: {printable(row.source or row.id)}{also}: {printable(row.reason)}")
            if rest := sum(number for number, _ in ordered[SHOWN:]):
                said.append(f"{status}: {rest} more for other reasons; they stand in the column `reason`")
        warnings = self.counts["warning"]
        said.append(f"{self.predicted} predicted ({warnings} with a warning), {self.rejected} rejected")
        return said
