"""The study, small: a training repeated, alone and side by side, resumed, and step III on top of step II."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from paraisite.study.plan import Training, trainings
from paraisite.study.run import claim, run_study
from paraisite.study.settings import Settings, load_settings
from paraisite.study.table import cells, gains, read_results
from paraisite.training.recipe import RecipeError

pytestmark = pytest.mark.data
QUICK = ["members=2", "small.epochs=4", "agl.epochs=1", "agl.batch=256"]
L96 = Training("II", "l96")


def run(out: Path, mirror: Path, which: list[Training], runs: list[int], settings: Settings | None = None) -> None:
    failed = run_study(which, runs, out, settings or load_settings(changes=QUICK), mirror=mirror, say=lambda line: None)
    assert failed == []


def results(out: Path, training: Training, number: int) -> dict[str, object]:
    return json.loads((out / training.name / f"run-{number}.json").read_text())


@pytest.mark.slow
def test_a_run_alone_gives_what_it_gives_beside_others(mirror: Path, tmp_path: Path) -> None:
    run(tmp_path / "together", mirror, [L96], [1, 2, 3])
    for again in ("once", "twice"):
        run(tmp_path / again, mirror, [L96], [3])
    once, twice = (results(tmp_path / name, L96, 3) for name in ("once", "twice"))
    assert once["protocols"] == twice["protocols"]
    assert once["curve"] == twice["curve"]
    together = results(tmp_path / "together", L96, 3)
    assert together["layout"] == {"runs": [1, 2, 3], "threads": 1, "device": "cpu"} | {
        "threads": together["layout"]["threads"]
    }
    for protocol, tested in once["protocols"].items():
        for dataset, found in tested.items():
            assert together["protocols"][protocol][dataset] == pytest.approx(found, rel=1e-5)


@pytest.mark.slow
def test_steps_follow_each_other_and_a_study_goes_on(mirror: Path, tmp_path: Path) -> None:
    which = trainings(("II", "III", "III-kernel", "III-combined"), ("l96",), ("no_overlap",))
    assert [t.step for t in which] == ["II", "II", "III", "III-kernel", "III-combined"]
    run(tmp_path, mirror, which, [4])
    stamp = {path: path.stat().st_mtime_ns for path in tmp_path.glob("*/run-4.json")}
    assert len(stamp) == 5
    (tmp_path / which[2].name / "run-4.json").unlink()
    run(tmp_path, mirror, which, [4, 5])
    renewed = [path for path, before in stamp.items() if path.stat().st_mtime_ns != before]
    assert renewed == [tmp_path / which[2].name / "run-4.json"]

    made = cells(read_results(tmp_path))
    assert {cell.runs for cell in made} == {(4, 5)}
    assert {cell.tested_on for cell in made} == {"l96", "hh143", "mix", "aflow_agl"}
    later = ("III", "III-kernel", "III-combined")
    expected = {(step, protocol) for step in later for protocol in ("paper", "nested")}
    assert {(g.better.step, g.better.protocol) for g in gains(made)} == expected
    kernel = results(tmp_path, which[3], 4)
    assert kernel["protocols"]["paper"] == kernel["protocols"]["nested"]  # there is no epoch to choose
    agl = results(tmp_path, which[1], 4)
    before, after = (found["protocols"]["nested"]["l96"]["male"] for found in (agl, kernel))
    assert after < 0.6 * before  # a few dozen good values mend what one epoch on AGL says

    tuned, median, combined = (results(tmp_path, t, 4)["predictions"]["l96"] for t in which[2:])
    assert tuned["ids"] == median["ids"] == combined["ids"]
    # the networks of III and III-combined are the same; of the density beside them its (-1)-median, below the median
    relative = 2 * np.array(combined["log_kappa"]) - tuned["log_kappa"]
    assert (relative < np.array(median["log_kappa"]) - 1e-4).all()
    assert (relative > np.array(median["log_kappa"]) - 1.0).all()

    with pytest.raises(RecipeError, match="--resume"):
        claim(tmp_path, load_settings(changes=QUICK), resume=False)


DYING = """
import os, sys
if any("spawn_main" in word for word in sys.orig_argv):
    with open({log!r}, "a") as log:
        log.write("x")
    if os.path.getsize({log!r}) <= {times}:
        os.kill(os.getpid(), 9)
"""


@pytest.mark.slow
@pytest.mark.parametrize("times", [1, 2])
def test_a_process_that_is_killed_costs_no_training_unless_it_is_killed_again(
    mirror: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, times: int
) -> None:
    (tmp_path / "sitecustomize.py").write_text(DYING.format(log=str(tmp_path / "log"), times=times))
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    settings = load_settings(changes=QUICK)
    which = trainings(("I",), ("l96", "hh143"))
    failed = run_study(which, [1], tmp_path / "out", settings, mirror=mirror, say=lambda line: None)
    assert len(failed) == times - 1
    assert all("I-l96-paper: its process ended twice" in line for line in failed)
    assert (tmp_path / "out/I-hh143-paper/run-1.json").is_file()


@pytest.mark.slow
def test_a_failed_start_is_reported_and_stops_only_what_needs_it(mirror: Path, tmp_path: Path) -> None:
    settings = load_settings(changes=[*QUICK, "initial=nowhere"])
    which = trainings(("I", "III"), ("l96",), ("all",))
    failed = run_study(which, [1], tmp_path, settings, mirror=mirror, say=lambda line: None)
    assert len(failed) == 2
    assert "nowhere" in failed[0]
    assert "II-aflow_agl-all-paper failed" in failed[1]
    assert (tmp_path / "I-l96-paper/run-1.json").is_file()
