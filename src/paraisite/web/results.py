"""`Results`: a table of predictions, and what was verified, for the page."""

from __future__ import annotations

import math
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from pyarrow import parquet

from paraisite.crystals.write_cif import cif_text
from paraisite.prediction.prediction import Prediction
from paraisite.prediction.write import RELAXED_CIF
from paraisite.screening.shortlist import Wish, check_table, row_groups, shortlist
from paraisite.screening.structures import find_structures
from paraisite.screening.unfinished import finished_manifest

MOST = 20_000
"""Rows that a page gets; of larger tables those with the lowest kappa."""

VERIFIED = {
    "kappa_W_mK": "verified_kappa_W_mK",
    "status": "verified_status",
    "verdict": "verified_verdict",
    "reason": "verified_reason",
}
"""Columns of a summary of `paraisite verify`, and what they are called beside a prediction."""


@dataclass(frozen=True)
class Results:
    """Rows that the page opens with.

    Parameters
    ----------
    table : Path, optional
        Predictions in Parquet.
    verified : sequence of mapping
        Rows of the summary of `paraisite verify`, as text.
    name : str
        What the page calls it.

    Raises
    ------
    paraisite.screening.shortlist.ShortlistError
        If the table is missing or damaged, or is none of predictions.
    """

    table: Path | None = None
    verified: Sequence[Mapping[str, str]] = ()
    name: str = ""
    rows: list[dict[str, Any]] = field(init=False, repr=False)
    total: int = field(init=False)
    _reading: threading.Lock = field(default_factory=threading.Lock, init=False, repr=False)

    def __post_init__(self) -> None:
        found: list[dict[str, Any]] = []
        total = 0
        if self.table is not None:
            check_table(self.table)
            total = parquet.read_metadata(self.table).num_rows
            if total <= MOST:
                found = [row for group in row_groups(self.table) for row in group.to_pylist()]
            else:
                found = shortlist(self.table, Wish(top=MOST)).to_pylist()
        empty = Prediction("", "").row()  # an older table lacks columns
        rows = [empty | {name: _plain(value) for name, value in row.items()} for row in found]
        here = {(row["id"], row["formula"]): row for row in rows}
        for told in self.verified:
            row = here.get((told["id"], told.get("formula", "")))
            if row is None:
                rows.append(row := _alone(told))
                total += 1
            row |= {ours: told.get(theirs) or None for theirs, ours in VERIFIED.items()}
            row["verified_kappa_W_mK"] = _number(told.get("kappa_W_mK"))
        object.__setattr__(self, "rows", rows)
        object.__setattr__(self, "total", total)

    @property
    def facts(self) -> dict[str, Any]:
        """What the rows are."""
        return {
            "name": self.name,
            "rows": len(self.rows),
            "rows_in_all": self.total,
            "level": self._options.get("level"),
            "verified": len(self.verified),
        }

    @cached_property
    def _options(self) -> Mapping[str, Any]:
        """Options of the screening, where the table has them."""
        manifest = (finished_manifest(self.table) if self.table is not None else None) or {}
        found = manifest.get("options") if isinstance(manifest, dict) else None
        return found if isinstance(found, dict) else {}

    def columns(self) -> list[str]:
        """Columns of the rows, but the structure."""
        names = dict.fromkeys(name for row in self.rows for name in row)
        return [name for name in names if name != RELAXED_CIF]

    def structure(self, row: int) -> str | None:
        """CIF of a row's crystal; None where it is not found."""
        with self._reading:  # one at a time: a source may be large
            (crystal,) = find_structures([self.rows[row]])
        return None if crystal is None else cif_text(crystal, crystal.id or "crystal")


def _alone(told: Mapping[str, str]) -> dict[str, Any]:
    """Row of a verified crystal that stands in no table."""
    kappa, low, high = (_number(told.get(f"predicted{end}_W_mK")) for end in ("", "_low", "_high"))
    row = Prediction(
        told["id"],
        told.get("source", ""),
        told.get("formula", ""),
        kappa_W_mK=kappa,
        kappa_low_W_mK=low,
        kappa_high_W_mK=high,
    )
    return row.row()


def _plain(value: Any) -> Any:
    """A value as JSON has it: a table may have further columns of any kind."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if value is None or isinstance(value, (str, int, float)) else str(value)


def _number(text: str | None) -> float | None:
    try:
        return _plain(float(text or ""))
    except ValueError:
        return None
