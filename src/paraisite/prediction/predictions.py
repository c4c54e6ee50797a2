"""`Predictions`: a list of predictions that is a data frame when asked, and a table in a notebook."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from html import escape
from math import log10
from typing import TYPE_CHECKING, Any, Literal

from paraisite.prediction.options import KAPPA, Options
from paraisite.prediction.prediction import Prediction
from paraisite.prediction.table import interval, kind
from paraisite.prediction.write import arrow_table

if TYPE_CHECKING:
    import pyarrow as pa

SHOWN = 25
"""Rows of a table in a notebook."""


class Predictions(list[Prediction]):
    """Predictions in the order of their inputs.

    Parameters
    ----------
    rows : iterable of Prediction
    options : Options
        What was asked for; says the columns.

    Examples
    --------
    >>> import paraisite
    >>> frame = paraisite.predict(["a.cif", None], ids=["a", "none"]).to_frame()                # doctest: +SKIP
    >>> frame[frame.status != "rejected"].sort_values("kappa_W_mK")                             # doctest: +SKIP
    """

    def __init__(self, rows: Iterable[Prediction] = (), options: Options = KAPPA) -> None:
        super().__init__(rows)
        self.options = options

    def __getitem__(self, key: Any) -> Any:
        found = super().__getitem__(key)
        return Predictions(found, self.options) if isinstance(key, slice) else found

    def __repr__(self) -> str:
        counts = Counter(row.status for row in self)
        return f"<{len(self)} predictions: {', '.join(f'{n} {status}' for status, n in counts.items()) or 'none'}>"

    def to_arrow(self) -> pa.Table:
        """Return a `pyarrow.Table`, with the units in the metadata of its fields."""
        return arrow_table([row.row() for row in self], self.options.columns)

    def to_frame(self, library: Literal["pandas", "polars"] = "pandas") -> Any:
        """Return a data frame, one row for each prediction; what is missing is null.

        Parameters
        ----------
        library : {"pandas", "polars"}

        Raises
        ------
        ImportError
            If the library is not installed; no part of ParAIsite needs it otherwise.
        ValueError
            If it is neither of the two.
        """
        return frame(self.to_arrow(), library)

    def _repr_html_(self) -> str:
        return html_table(self, self.options)


def frame(table: pa.Table, library: Literal["pandas", "polars"]) -> Any:
    """Return an Arrow table as a data frame; see `Predictions.to_frame`."""
    if library not in ("pandas", "polars"):
        raise ValueError(f"library {library!r}: choose pandas or polars")
    try:
        if library == "polars":
            import polars

            return polars.from_arrow(table)
        import pandas
    except ImportError as error:
        raise ImportError(f"to_frame needs {library}; run pip install {library}, or use to_arrow()") from error
    # integers and truth values stay what they are beside a rejected row
    nullable = {"int32": pandas.Int32Dtype(), "bool": pandas.BooleanDtype()}
    return table.to_pandas(types_mapper=lambda kind: nullable.get(str(kind)))


def html_table(rows: list[Prediction], options: Options = KAPPA) -> str:
    """Lay predictions out for a notebook: kappa, its interval in words and as a bar on a common logarithmic axis."""
    shown = rows[:SHOWN]
    bounds = [b for row in shown for b in (row.kappa_low_W_mK, row.kappa_high_W_mK, row.kappa_W_mK) if b]
    first, last = (log10(min(bounds)), log10(max(bounds))) if bounds else (0.0, 1.0)

    def place(kappa: float) -> float:
        return 100.0 * (log10(kappa) - first) / (last - first or 1.0)

    def bar(row: Prediction) -> str:
        if not (row.kappa_W_mK and row.kappa_low_W_mK and row.kappa_high_W_mK):
            return ""
        low, middle, high = (place(k) for k in (row.kappa_low_W_mK, row.kappa_W_mK, row.kappa_high_W_mK))
        return (
            '<svg width="160" height="12" viewBox="-3 0 106 10" preserveAspectRatio="none">'
            f'<line x1="{low:.1f}" x2="{high:.1f}" y1="5" y2="5" stroke="#56B4E9" stroke-width="3"/>'
            f'<circle cx="{middle:.1f}" cy="5" r="2.4" fill="#0072B2"/></svg>'
        )

    lines = [
        (
            *(row.id or row.source, row.formula, kind(row.dimensionality, row.band_gap_eV, row.is_metal)),
            interval(row),
            bar(row),
            "" if row.applicability is None else f"{row.applicability:.2f}",
            row.nearest_known,
            row.status if row.status == "ok" else f"{row.status}: {row.reason}",
        )
        for row in shown
    ]
    heads = ("crystal", "formula", "kind", f"κ (W/m/K) [{100 * options.level:.4g} %]", "", "applic.", "nearest known")

    def cell(i: int, text: str) -> str:
        style = ' style="white-space: nowrap"' if i < 4 else ""
        return f"<td{style}>{text if i == 4 else escape(text)}</td>"

    body = "".join(f"<tr>{''.join(cell(i, text) for i, text in enumerate(line))}</tr>" for line in lines)
    more = f"<p>… and {len(rows) - SHOWN} more rows</p>" if len(rows) > SHOWN else ""
    head = "".join(f"<th>{escape(name)}</th>" for name in (*heads, "status"))
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{more}"
