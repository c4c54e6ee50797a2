"""`paraisite report`: from a table to a folder that a person looks at and `predict` reads again."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import pytest
from predictions import prediction, write_predictions
from typer.testing import Result

Invoke = Callable[..., Result]

pytest.importorskip("matplotlib", reason="reports need the extra [train]")


@pytest.fixture
def table(invoke: Invoke, tiny_checkpoint: Path, tiny_dataset: Path, tmp_path: Path) -> Path:
    path = tmp_path / "out.parquet"
    invoke("predict", tiny_dataset, "--model", tiny_checkpoint, "-o", path, "-q")
    return path


def shortlist(folder: Path) -> list[dict[str, str]]:
    with (folder / "shortlist.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def test_report_of_a_prediction(invoke: Invoke, table: Path, tmp_path: Path, tiny_checkpoint: Path) -> None:
    out = tmp_path / "report"
    result = invoke("report", table, "--top", 6, "-o", out)
    assert f"6 candidates: {out}" in result.stderr
    rows = shortlist(out)
    kappa = [float(row["kappa_W_mK"]) for row in rows]
    assert kappa == sorted(kappa)
    assert sorted(row["cif"] for row in rows) == sorted(p.name for p in (out / "cifs").iterdir())
    again = invoke("predict", out / "cifs", "--model", tiny_checkpoint, "-q").stdout
    predicted = {row["id"]: float(row["kappa_W_mK"]) for row in csv.DictReader(again.splitlines())}
    for row in rows:
        assert predicted[row["id"]] == pytest.approx(float(row["kappa_W_mK"]), rel=1e-4)


def test_high_values_and_conditions(invoke: Invoke, table: Path, tmp_path: Path) -> None:
    out = tmp_path / "report"
    invoke("report", table, "--above", 1e-3, "--where", "'Li' in elements", "--per-system", 1, "-o", out)
    rows = shortlist(out)
    assert {row["formula"] for row in rows} == {"LiF", "LiCl", "LiBr", "LiI"}
    kappa = [float(row["kappa_W_mK"]) for row in rows]
    assert kappa == sorted(kappa, reverse=True)
    assert all(0 <= float(row["probability"]) <= 1 for row in rows)


def test_crystals_that_moved(invoke: Invoke, tiny_dataset: Path, tmp_path: Path) -> None:
    rows = [prediction(i, i, k, n_sites=8, source=f"gone/{i}.cif") for i, k in (("LiF", 3.0), ("NaCl", 2.0))]
    table = write_predictions(tmp_path / "t.parquet", rows)
    result = invoke("report", table, "-o", tmp_path / "a")
    assert "2 of 2 crystals are no longer where they were read, NaCl for one" in result.stderr
    result = invoke("report", table, "--structures", tiny_dataset, "-o", tmp_path / "b")
    assert "warning" not in result.stderr
    assert sorted(p.name for p in (tmp_path / "b" / "cifs").iterdir()) == ["LiF.cif", "NaCl.cif"]


def test_wrong_usage(invoke: Invoke, table: Path, tmp_path: Path) -> None:
    out = tmp_path / "r"
    assert "not readable as Parquet" in invoke("report", tmp_path / "none.parquet", "-o", out, code=2).stderr
    assert "below or above" in invoke("report", table, "--rank", "probability", "-o", out, code=2).stderr
    assert "there is no column kapa" in invoke("report", table, "--where", "kapa < 1", "-o", out, code=2).stderr
    assert "positive" in invoke("report", table, "--below", 0, "-o", out, code=2).stderr
    assert not out.exists()
    assert "0 candidates" in invoke("report", table, "--below", 1e-9, "-o", out, code=1).stderr
    assert "--force" in invoke("report", table, "-o", out, code=2).stderr
    invoke("report", table, "-o", out, "--force")
    (out / "index.html").unlink()  # as an end on the way leaves it
    invoke("report", table, "-o", out)
