"""Made-up tables of predictions, for tests of what is done with them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pyarrow import parquet

from paraisite.prediction.prediction import COLUMNS, Prediction
from paraisite.prediction.write import arrow_schema


def prediction(id: str, formula: str, kappa: float | None, std: float | None = 0.2, **more: Any) -> dict[str, Any]:
    """A row with the interval of a normal distribution of log10 kappa."""
    spread = 10 ** (1.645 * std) if std is not None else None
    known = kappa is not None and spread is not None
    row = Prediction(
        id,
        f"{id}.cif",
        formula,
        n_sites=2,
        n_elements=2,
        kappa_W_mK=kappa,
        kappa_low_W_mK=kappa / spread if known else None,  # type: ignore[operator]
        kappa_high_W_mK=kappa * spread if known else None,  # type: ignore[operator]
        log10_std=std if known else None,
        applicability=0.5 if known else None,
        status="rejected" if kappa is None else "ok",
        reason="there is nothing in it" if kappa is None else "",
    ).row()
    return row | more


def write_predictions(path: Path, rows: Iterable[Mapping[str, Any]], row_group: int = 7) -> Path:
    """Write rows to Parquet, in small row groups."""
    import pyarrow as pa

    table = pa.Table.from_pylist([dict(row) for row in rows], schema=arrow_schema(COLUMNS))
    parquet.write_table(table, path, row_group_size=row_group)
    return path
