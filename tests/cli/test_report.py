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
    assert "2 of 2 structures were not found, such as NaCl" in result.stderr
    result = invoke("report", table, "--structures", tiny_dataset, "-o", tmp_path / "b")
    assert "warning" not in result.stderr
    assert sorted(p.name for p in (tmp_path / "b" / "cifs").iterdir()) == ["LiF.cif", "NaCl.cif"]


def test_wrong_usage(invoke: Invoke, table: Path, tmp_path: Path) -> None:
    out = tmp_path / "r"
    assert "not readable as Parquet" in invoke("report", tmp_path / "none.parquet", "-o", out, code=2).stderr
    assert "below or above" in invoke("report", table, "--rank", "probability", "-o", out, code=2).stderr
    assert "unknown column kapa" in invoke("report", table, "--where", "kapa < 1", "-o", out, code=2).stderr
    assert "--below 0" in invoke("report", table, "--below", 0, "-o", out, code=2).stderr
    assert not out.exists()
    assert "0 candidates" in invoke("report", table, "--below", 1e-9, "-o", out, code=1).stderr
    assert "--overwrite" in invoke("report", table, "-o", out, code=2).stderr
    invoke("report", table, "-o", out, "--force")
    (out / "index.html").unlink()  # as an end on the way left it
    assert "--overwrite" in invoke("report", table, "-o", out, code=2).stderr
    invoke("report", table, "-o", out, "--overwrite")


def test_nothing_of_the_user_is_removed(invoke: Invoke, table: Path, tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    (mine / "cifs").mkdir(parents=True)
    (mine / "cifs" / "mine.cif").write_text("years of work")
    for options in ([], ["--overwrite"]):
        assert "does not hold a report" in invoke("report", table, "-o", mine, *options, code=2).stderr
    (mine / "shortlist.csv").write_text("id,why\n1,good\n")
    (mine / "index.html").write_text("<p>mine")
    for options in ([], ["--force"]):
        assert "does not hold a report" in invoke("report", table, "-o", mine, *options, code=2).stderr
    assert sorted(p.name for p in mine.rglob("*")) == ["cifs", "index.html", "mine.cif", "shortlist.csv"]

    out = tmp_path / "report"
    invoke("report", table, "--top", 6, "-o", out)
    (out / "cifs" / "mine.cif").write_text("added later")
    invoke("report", table, "--top", 2, "-o", out, "--overwrite")
    named = {row["cif"] for row in shortlist(out)}
    assert {p.name for p in (out / "cifs").iterdir()} == {*named, "mine.cif"}  # those of the first report are gone
    assert not [p for p in out.iterdir() if p.name.startswith(".")]


def test_a_report_that_fails_leaves_nothing(
    invoke: Invoke, table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from paraisite.screening.report import write

    def full(*args: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(write, "page", full)
    invoke("report", table, "-o", tmp_path / "report", code=2)
    assert not (tmp_path / "report").exists()
