"""`paraisite embed`: a row for each structure, whatever becomes of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from pyarrow import csv, parquet
from typer.testing import Result

from paraisite.prediction import Predictor

Invoke = Callable[..., Result]


def test_rows_stream_into_a_table(
    invoke: Invoke, tiny_checkpoint: Path, tiny_dataset: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("paraisite.prediction.predictor.CHUNK", 10)
    monkeypatch.setattr("paraisite.prediction.write.ROW_GROUP", 64)
    bad = tmp_path / "bad.cif"
    bad.write_text("data_x\n")
    out = tmp_path / "v.parquet"
    said = invoke("embed", tiny_dataset, bad, "--model", tiny_checkpoint, "-o", out).stderr
    assert "36 embedded, 1 rejected" in said
    table = parquet.read_table(out)
    assert parquet.ParquetFile(out).num_row_groups > 1
    assert table.column_names[:5] == ["id", "source", "formula", "status", "reason"]
    assert table["status"].to_pylist() == ["ok"] * 36 + ["rejected"]
    assert table["reason"].to_pylist()[-1]
    assert table["vector_0"].to_pylist()[-1] is None
    numbers = table.drop_columns(table.column_names[:5])
    found = np.stack([column.to_numpy() for column in numbers.columns], axis=1)[:36]
    embedded = Predictor.from_pretrained(str(tiny_checkpoint)).embed(tiny_dataset)
    np.testing.assert_allclose(found, np.hstack([embedded.vectors, embedded.descriptors]), rtol=1e-4, atol=1e-5)
    invoke("embed", tiny_dataset, "--model", tiny_checkpoint, "-o", tmp_path / "v.csv", "-q")
    assert csv.read_csv(tmp_path / "v.csv").column_names == table.column_names


def test_nothing_embedded_fails_and_wrong_names_are_refused(
    invoke: Invoke, tiny_checkpoint: Path, tmp_path: Path
) -> None:
    model = ("--model", tiny_checkpoint)
    out = tmp_path / "v.parquet"
    invoke("embed", tmp_path / "none.cif", *model, "-o", out, code=1)
    assert parquet.read_table(out)["status"].to_pylist() == ["rejected"]
    assert "--overwrite" in invoke("embed", tmp_path / "none.cif", *model, "-o", out, code=2).stderr
    assert ".parquet" in invoke("embed", tmp_path / "none.cif", *model, "-o", tmp_path / "v.json", code=2).stderr
