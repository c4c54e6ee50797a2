"""`paraisite study figures`."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

from paraisite.plots.drawing import made_from

pytest.importorskip("matplotlib", reason="figures need the extra [train]")

Invoke = Callable[..., Result]
VALUES = {"median_ape": 0.2, "male": 0.15, "spearman": 0.9, "n": 19.0, "n_invalid": 0.0}


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """Two steps, three runs each, as `study run` wrote them before it kept predictions."""
    for step, mape in (("I", 0.8), ("II", 0.4)):
        folder = tmp_path / "study" / f"{step}-l96-paper"
        folder.mkdir(parents=True)
        for run in (1, 2, 3):
            found = {"l96": {"mape": round(mape + 0.01 * run**2, 6), **VALUES}}
            content = {
                "step": step, "trained_on": "l96", "agl": "", "split": "paper", "run": run,
                "protocols": {"paper": found, "nested": found},
                "curve": [[1, 2.0, 0.5], [2, mape, 0.15]],
            }  # fmt: skip
            (folder / f"run-{run}.json").write_text(json.dumps(content))
    return tmp_path / "study"


def test_figures_of_a_folder_and_of_its_table_are_the_same(invoke: Invoke, results: Path, tmp_path: Path) -> None:
    written = invoke("study", "figures", results, "-o", tmp_path / "a/b")
    assert "no predictions" in written.output
    names = ["study_cross.png", "study_curves.png", "study_gains.png"]
    assert sorted(path.name for path in (tmp_path / "a/b").iterdir()) == names
    table = tmp_path / "table.csv"
    invoke("study", "report", results, "--format", "runs", "-o", table)
    again = invoke("study", "figures", table, "-o", tmp_path / "c")
    assert "no learning curves" in again.output
    assert sorted(path.name for path in (tmp_path / "c").iterdir()) == ["study_cross.png", "study_gains.png"]
    for name in ("study_cross.png", "study_gains.png"):
        assert made_from(tmp_path / "a/b" / name) == made_from(tmp_path / "c" / name) != ""


def test_nothing_to_draw(invoke: Invoke, results: Path, tmp_path: Path) -> None:
    result = invoke("study", "figures", results, "--split", "formula", "-o", tmp_path / "out", code=2)
    assert "split 'formula'" in result.output
    (tmp_path / "wrong.csv").write_text("a,b\n1,2\n")
    result = invoke("study", "figures", tmp_path / "wrong.csv", "-o", tmp_path / "out", code=2)
    assert "line 2 is not a run" in result.output
    assert not (tmp_path / "out").exists()
    invoke("study", "figures", tmp_path / "nowhere", code=2)
