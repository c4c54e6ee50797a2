"""Tables and paired gains of the study, from result files."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import ttest_rel

from paraisite.study.table import (
    COLUMNS,
    FORMATS,
    as_csv,
    as_latex,
    as_markdown,
    as_runs,
    cells,
    gain,
    gains,
    load_cells,
    read_results,
)


def result(step: str, run: int, mape: float, trained_on: str = "l96", agl: str = "") -> dict[str, object]:
    found = {"mape": mape, "median_ape": mape / 2, "male": mape / 3, "spearman": 0.9, "n": 19.0, "n_invalid": 0.0}
    both = {"l96": found, "hh143": found}
    return {
        "step": step, "trained_on": trained_on, "agl": agl, "split": "paper", "run": run,
        "protocols": {"paper": both, "nested": both},
    }  # fmt: skip


RESULTS = [
    *(result("I", run, 0.8 + 0.01 * run) for run in (1, 2, 3)),
    *(result("II", run, 0.5 + 0.02 * run) for run in (1, 2, 3)),
    *(result("III", run, 0.6 - 0.1 * run, agl="all") for run in (1, 2, 3)),
    result("median", 1, 1.0),
]


def test_cells_gather_runs_in_the_order_of_the_study() -> None:
    made = cells(reversed(RESULTS))
    assert [(c.step, c.tested_on) for c in made if c.protocol == "paper"] == [
        (step, tested) for step in ("I", "II", "III", "median") for tested in ("l96", "hh143")
    ]
    first = made[0]
    assert first.runs == (1, 2, 3)
    row = first.row()
    assert row["mape_mean"] == pytest.approx(0.82)
    assert row["mape_std"] == pytest.approx(np.std([0.81, 0.82, 0.83], ddof=1))
    assert made[-1].row()["mape_std"] is None  # of a single run there is none


def test_a_table_of_every_format_has_every_cell() -> None:
    made = cells(RESULTS)
    rows = list(csv.DictReader(io.StringIO(as_csv(made))))
    assert len(rows) == len(made)
    assert tuple(rows[0]) == COLUMNS
    assert float(rows[0]["mape_mean"]) == pytest.approx(0.82)
    assert as_latex(made).count(r"\\") == len(made) + 1
    for name, form in FORMATS.items():
        assert form(made).count("median") >= len([c for c in made if c.step == "median"]), name


def test_runs_written_and_read_again_are_the_same_cells(tmp_path: Path) -> None:
    made = cells(RESULTS)
    path = tmp_path / "runs.csv"
    path.write_text(as_runs(made))
    again = load_cells(path)
    assert as_markdown(again) == as_markdown(made)
    path.write_text(path.read_text().replace("0.81", "x"))
    with pytest.raises(ValueError, match=r"runs\.csv: line 2 is not a run"):
        load_cells(path)


def test_the_corrected_t_test() -> None:
    made = {(c.step, c.protocol, c.tested_on): c for c in cells(RESULTS)}
    better, worse = made["II", "nested", "l96"], made["I", "nested", "l96"]
    plain = gain(better, worse, "mape", test_share=0.0)
    reference = ttest_rel(worse.values["mape"], better.values["mape"])
    assert plain.p_value == pytest.approx(reference.pvalue)
    corrected = gain(better, worse, "mape", test_share=0.25)
    assert corrected.p_value > plain.p_value
    assert (corrected.wins, corrected.runs) == (3, 3)
    assert corrected.difference == pytest.approx(0.28)


def test_gains_compare_like_with_like() -> None:
    found = gains(cells(RESULTS))
    assert {(g.better.step, g.worse.step) for g in found} == {("II", "I"), ("III", "II")}
    for g in found:
        assert g.better.protocol == g.worse.protocol
        assert g.better.tested_on == g.worse.tested_on == "l96"


def test_what_is_not_a_result(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no results"):
        read_results(tmp_path)
    (tmp_path / "I-l96-paper").mkdir()
    path = tmp_path / "I-l96-paper/run-1.json"
    path.write_text(json.dumps(RESULTS[0]))
    assert len(read_results(tmp_path)) == 1
    path.write_text("{")
    with pytest.raises(ValueError, match=r"run-1\.json: not a result file"):
        read_results(tmp_path)
