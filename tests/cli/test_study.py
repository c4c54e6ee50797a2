"""`paraisite study`: usage, and reports from results."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

Invoke = Callable[..., Result]

VALUES = {"median_ape": 0.2, "male": 0.15, "spearman": 0.9, "n": 19.0, "n_invalid": 0.0}


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """Two steps, three runs each, as `study run` writes them."""
    for step, mape in (("I", 0.8), ("II", 0.4)):
        folder = tmp_path / "study" / f"{step}-l96-paper"
        folder.mkdir(parents=True)
        for run in (1, 2, 3):
            found = {"l96": {"mape": mape + 0.01 * run**2, **VALUES}}
            (folder / f"run-{run}.json").write_text(
                json.dumps(
                    {
                        "step": step, "trained_on": "l96", "agl": "", "split": "paper", "run": run,
                        "protocols": {"paper": found, "nested": found},
                    }
                )
            )  # fmt: skip
    return tmp_path / "study"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--steps", "IV"], "step 'IV' is not part of the study"),
        (["--train", "l96,x"], "dataset 'x'"),
        (["--agl", "some"], "variant 'some'"),
        (["--split", "random"], "split 'random'"),
        (["--runs", "1-x"], "write numbers and ranges"),
        (["--runs", "0-2"], "numbered from 1"),
        (["--set", "small.epoch=3"], "epoch"),
        (["--settings", "none.yml"], "none.yml"),
    ],
)
def test_wrong_usage(invoke: Invoke, tmp_path: Path, arguments: list[str], message: str) -> None:
    result = invoke("study", "run", "-o", tmp_path / "out", *arguments, code=2)
    assert message in result.output
    assert not (tmp_path / "out").exists()


def test_results_are_not_mixed_with_others(invoke: Invoke, results: Path) -> None:
    result = invoke("study", "run", "-o", results, code=2)
    assert "--resume" in result.output
    result = invoke("study", "run", "-o", results, "--resume", code=2)
    assert "other settings" in result.output


def test_baselines_leave_the_folder_free(results: Path) -> None:
    from paraisite.study.run import claim
    from paraisite.study.settings import load_settings
    from paraisite.training.recipe import RecipeError

    (results / "I-l96-paper").rename(results / "slack-l96-paper")
    (results / "II-l96-paper").rename(results / "ridge-l96-paper")
    claim(results, load_settings(), resume=False)
    (results / "II-l96-paper").mkdir()
    (results / "II-l96-paper/run-1.json").write_text("{}")
    with pytest.raises(RecipeError, match="--resume"):
        claim(results, load_settings(), resume=False)


def test_report_of_a_single_run(invoke: Invoke, results: Path) -> None:
    for path in results.glob("*/run-[23].json"):
        path.unlink()
    table = invoke("study", "report", results)
    assert "| II | l96 | l96 | nested | – | paper | 1 |" in table.output
    assert "step II over I" not in table.output


def test_report_in_every_format(invoke: Invoke, results: Path, tmp_path: Path) -> None:
    table = invoke("study", "report", results)
    assert "| II | l96 | l96 | nested | – | paper | 3 |" in table.output
    assert "step II over I (l96, nested, paper): MAPE lower by 0.400 in the mean, in 3 of 3 runs" in table.output
    written = tmp_path / "runs.csv"
    invoke("study", "report", results, "--format", "runs", "-o", written)
    assert len(written.read_text().splitlines()) == 1 + 2 * 2 * 3
    again = invoke("study", "report", written, "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(again.stdout)))
    assert [row["runs"] for row in rows] == ["3"] * 4
    assert "tabular" in invoke("study", "report", results, "--format", "latex").output


def test_a_folder_without_results(invoke: Invoke, tmp_path: Path) -> None:
    result = invoke("study", "report", tmp_path, code=2)
    assert "no results" in result.output


def test_baselines_that_are_not_there(invoke: Invoke, tmp_path: Path) -> None:
    result = invoke("study", "baselines", "-o", tmp_path, "--names", "oracle", code=2)
    assert "oracle is not a baseline" in result.output


def _session(leader: int) -> list[int]:
    """Processes of the session of a process that has ended, as Linux lists them."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = stat.read_text().rpartition(")")[2].split()
            if int(fields[3]) == leader and fields[0] != "Z":
                found.append(int(stat.parent.name))
    return found


@pytest.mark.data
@pytest.mark.slow
def test_an_interrupted_study_stops_its_trainings_and_goes_on(
    start: Callable[..., subprocess.Popen[str]], invoke: Invoke, mirror: Path, tmp_path: Path
) -> None:
    out = tmp_path / "study"
    args = ("study", "run", "--steps", "II", "--train", "l96", "--runs", "2", "-o", out, "--mirror", mirror)
    few = ("--set", "small.epochs=150")
    process = start(*args, *few, env=os.environ | {"OMP_NUM_THREADS": "1"}, start_new_session=True)
    assert process.stderr is not None
    watchdog = threading.Timer(120, process.kill)
    watchdog.start()
    state = out / "II-l96-paper/runs-2/stage-0-l96/state.ckpt"
    while process.poll() is None and not state.is_file():
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    err = process.stderr.read()
    code = process.wait()
    watchdog.cancel()
    assert code == 130, err
    for unwanted in ("Traceback", "GPU available", "Tip", "num_workers", "LeafSpec"):
        assert unwanted not in err
    deadline = time.monotonic() + 20
    while _session(process.pid) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not _session(process.pid)  # no training goes on
    assert "1 training of 1 run" in invoke(*args, *few, "--resume").output
    assert (out / "II-l96-paper/run-2.json").is_file()
