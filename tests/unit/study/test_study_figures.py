"""Figures of the study, and the predictions and curves they are drawn from."""

from __future__ import annotations

import csv
import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from paraisite.crystals.crystal import Crystal
from paraisite.datasets import Dataset
from paraisite.study import curves, predictions
from paraisite.study.curves import Curve, load_curves
from paraisite.study.predictions import Prediction, load_predictions
from paraisite.study.table import as_runs, cells, gain, read_results, write_result

RUNS = (1, 2, 3)


def data(name: str) -> Dataset:
    """Six rocksalts of the alkali fluorides and chlorides, with conductivities."""
    numbers = [(3, 9), (11, 9), (19, 9), (3, 17), (11, 17), (19, 17)]
    made = tuple(
        Crystal(5.0 * np.eye(3), np.array(pair), np.array([[0, 0, 0], [0.5, 0.5, 0.5]]), f"{name}-{i}")
        for i, pair in enumerate(numbers)
    )
    return Dataset(name, made, {"kappa": np.array([14.0, 16.0, 8.0, 4.0, 7.0, 7.5])}, (name,) * 6)


def result(
    step: str, trained_on: str, run: int, mape: float, agl: str = "", *, off: float = 0.0, network: bool = True
) -> dict[str, Any]:
    """A result file, whose predictions are a factor of 10^off too high on rows run, run + 1 and run + 2."""
    of = data(trained_on)
    rows = range(run, run + 3)
    found = {"mape": mape, "median_ape": mape / 2, "male": mape / 3, "spearman": 0.9, "n": 3.0, "n_invalid": 0.0}
    logs = [round(math.log10(of.kappa[row]) + off, 5) for row in rows]
    curve = [[epoch, round(mape + 1 / epoch, 4), round(mape / 3 + 1 / epoch, 4)] for epoch in range(1, 101)]
    return {
        "step": step, "trained_on": trained_on, "agl": agl, "split": "paper", "run": run,
        "protocols": {name: {"l96": found, "hh143": found} for name in ("paper", "nested")},
        "predictions": {trained_on: {"ids": [of.ids[row] for row in rows], "log_kappa": logs}},
    } | ({"curve": curve} if network else {})  # fmt: skip


def study() -> list[dict[str, Any]]:
    return [
        *(result("I", "l96", run, 0.8 + 0.1 * run) for run in RUNS),
        *(result("II", "l96", run, 0.3 + 0.2 * run, off=0.5) for run in RUNS),
        *(result("II", "aflow_agl", run, 0.3, "no_overlap", off=-0.1) for run in RUNS),
        *(result("III", "l96", run, 0.5, "all", off=-0.2) for run in RUNS),
        *(result("III-kernel", "l96", run, 0.4, "no_overlap", off=0.1, network=False) for run in RUNS),
        *(result("I", "hh143", run, 0.4 + 0.01 * run, off=0.2) for run in RUNS),
        result("median", "l96", 1, 2.0, off=1.0, network=False),
    ]


@pytest.fixture
def runs_csv(tmp_path: Path) -> Path:
    """What `tools/make_study.py` writes: three files beside each other."""
    made = study()
    (tmp_path / "my_runs.csv").write_text(as_runs(cells(made)))
    (tmp_path / "my_predictions.csv").write_text(predictions.as_csv(predictions.gather(made, data)))
    (tmp_path / "my_curves.csv").write_text(curves.as_csv(curves.gather(made)))
    return tmp_path / "my_runs.csv"


def test_predictions_are_those_of_the_last_step_of_each_dataset() -> None:
    found = predictions.gather(reversed(study()), data)
    assert list(dict.fromkeys((p.trained_on, p.step, p.agl) for p in found)) == [
        ("l96", "III-kernel", "no_overlap"),
        ("hh143", "I", ""),
        ("aflow_agl", "II", "no_overlap"),
    ]
    assert [p.run for p in found if p.trained_on == "l96"] == [1, 1, 1, 2, 2, 2, 3, 3, 3]
    assert {p.run for p in found if p.trained_on == "aflow_agl"} == {1}
    first = found[0]
    assert (first.id, first.formula, first.kappa_W_mK) == ("l96-1", "NaF", 16.0)
    assert first.predicted_W_mK == pytest.approx(16 * 10**0.1, rel=1e-4)
    others = predictions.gather(study(), data, agl="all")
    assert {p.step for p in others if p.trained_on == "l96"} == {"III"}
    assert "aflow_agl" not in {p.trained_on for p in others}
    assert predictions.gather([{**study()[0], "predictions": {}}], data) == []


def test_a_crystal_that_the_dataset_does_not_have() -> None:
    wrong = result("I", "l96", 2, 0.5)
    wrong["predictions"]["l96"]["ids"][1] = "mp-0"
    with pytest.raises(ValueError, match="I on l96, run 2: l96 has no crystal 'mp-0'"):
        predictions.gather([wrong], data)


def test_predictions_written_and_read_again(tmp_path: Path) -> None:
    found = predictions.gather(study(), data)
    path = tmp_path / "predictions.csv"
    path.write_text(predictions.as_csv(found))
    again = load_predictions(path)
    assert [p[:7] for p in again] == [p[:7] for p in found]
    assert [p.predicted_W_mK for p in again] == pytest.approx([p.predicted_W_mK for p in found], rel=5e-4)
    path.write_text(path.read_text().replace("NaF,16,", "NaF,?,", 1))
    with pytest.raises(ValueError, match=r"predictions\.csv: line 2 is not a prediction"):
        load_predictions(path)


def test_curves_are_thinned_and_read_again(tmp_path: Path) -> None:
    found = curves.gather(study())
    assert {curve.step for curve in found} == {"I", "II", "III"}  # a kernel and a baseline have none
    for curve in found:
        epochs = [epoch for epoch, _, _ in curve.points]
        assert epochs[:3] == [1, 2, 3]
        assert epochs[-1] == 100
        assert epochs == sorted(set(epochs))
        assert len(epochs) <= curves.POINTS
    short = {**study()[0], "curve": [[4, 0.5, 0.2], [8, 0.4, 0.1]]}
    assert curves.gather([short])[0].points == [(4, 0.5, 0.2), (8, 0.4, 0.1)]
    path = tmp_path / "curves.csv"
    path.write_text(curves.as_csv(found))
    assert load_curves(path) == found
    path.write_text(path.read_text().replace("I,hh143,,paper,1,1,", "I,hh143,,paper,1,one,", 1))
    with pytest.raises(ValueError, match=r"curves\.csv: line \d+ is not a point"):
        load_curves(path)


@pytest.mark.slow
def test_a_picture_is_current_until_its_data_change(runs_csv: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="figures need the extra [train]")
    from paraisite.study.figures import load_source, pictures

    made = pictures(load_source(runs_csv))
    assert [picture.name for picture in made] == [
        "study_cross.png", "study_gains.png", "study_curves.png", "study_parity.png",
        "study_elements_l96.png", "study_elements_hh143.png", "study_elements_aflow_agl.png",
    ]  # fmt: skip
    assert not any(picture.is_current(tmp_path) for picture in made)
    for picture in made:
        assert picture.save(tmp_path).stat().st_size < 80_000
    assert all(picture.is_current(tmp_path) for picture in pictures(load_source(runs_csv)))

    def stale(file: str, old: str, new: str) -> list[str]:
        path = tmp_path / file
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new, 1))
        found = [picture.name for picture in pictures(load_source(runs_csv)) if not picture.is_current(tmp_path)]
        path.write_text(text)
        return found

    assert stale("my_runs.csv", "I,l96,hh143,nested,,paper,1,0.9,", "I,l96,hh143,nested,,paper,1,0.91,") == [
        "study_cross.png"  # not train = test
    ]
    assert stale("my_runs.csv", "I,l96,l96,nested,,paper,1,0.9,", "I,l96,l96,nested,,paper,1,0.91,") == [
        "study_cross.png", "study_gains.png",
    ]  # fmt: skip
    assert stale("my_runs.csv", "paper,,paper,1,0.9,", "paper,,paper,1,0.91,") == []  # another protocol
    assert stale("my_runs.csv", "median,l96,l96,nested,,paper,1,2,", "median,l96,l96,nested,,paper,1,3,") == []
    assert stale("my_curves.csv", "I,l96,,paper,1,2,", "I,l96,,paper,1,2,1") == ["study_curves.png"]
    assert stale("my_predictions.csv", "NaF,16,", "NaF,17,") == ["study_parity.png", "study_elements_l96.png"]


def test_without_predictions_and_curves(runs_csv: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="figures need the extra [train]")
    from paraisite.study.figures import load_source, pictures

    for what in ("predictions", "curves"):
        (tmp_path / f"my_{what}.csv").unlink()
    assert [p.name for p in pictures(load_source(runs_csv))] == ["study_cross.png", "study_gains.png"]
    one = tmp_path / "one"
    write_result(one / "I-l96-paper/run-1.json", {**result("I", "l96", 1, 0.5), "predictions": {}, "curve": None})
    assert [p.name for p in pictures(load_source(one))] == ["study_cross.png"]  # no step to compare with
    with pytest.raises(ValueError, match="no result of a step of the study with split 'formula'"):
        load_source(one, split="formula")


def test_both_variants_can_be_drawn(runs_csv: Path) -> None:
    pytest.importorskip("matplotlib", reason="figures need the extra [train]")
    from paraisite.study.figures import load_source

    steps = {agl: {cell.step for cell in load_source(runs_csv, agl=agl).cells} for agl in ("all", "no_overlap")}
    assert steps == {"all": {"I", "II", "III"}, "no_overlap": {"I", "II", "III-kernel"}}


@pytest.fixture
def drawn(tmp_path: Path) -> Callable[..., list[str]]:
    """Draw a figure as SVG and return the texts on it."""
    matplotlib = pytest.importorskip("matplotlib", reason="figures need the extra [train]")

    def draw(how: Callable[..., None], what: object) -> list[str]:
        path = tmp_path / "figure.svg"
        with matplotlib.rc_context({"svg.fonttype": "none"}):
            how(what, path)
        return re.findall(r"<(?:text|tspan)[^>]*>([^<\n]+)</", path.read_text(encoding="utf-8"))

    return draw


def test_the_cross_table_shows_mean_and_std(drawn: Callable[..., list[str]]) -> None:
    from paraisite.study.figures.cross import draw_cross

    made = [c for c in cells(study()) if c.protocol == "nested" and c.step in ("I", "II", "III-kernel")]
    found = drawn(draw_cross, made)
    assert [text for text in found if text.startswith("step")] == ["step I", "step II", "step III-kernel"]
    for cell in made:
        row = cell.row()
        assert f"{row['mape_mean']:.2f}" in found
        assert f"±{row['mape_std']:.2f}" in found
    assert "MAPE, mean ± std of the runs" in found


@pytest.mark.parametrize("steps", [("I",), ("I", "II")])
def test_no_text_of_a_small_study_is_cut_off(steps: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("matplotlib", reason="figures need the extra [train]")
    from matplotlib.text import Text

    from paraisite.study.figures import cross, gains

    def check(figure: Any, path: Path, made_from: str) -> None:
        figure.canvas.draw()
        whole = figure.bbox.padded(0.5)
        free = [figure, *(axes for axes in figure.axes)]  # not the ticks, which are drawn within their limits only
        for text in (t for artist in free for t in artist.get_children() if isinstance(t, Text) and t.get_text()):
            ends = text.get_window_extent().corners()
            assert all(whole.contains(*end) for end in ends), text
        for axes in figure.axes:
            for label in (axes.xaxis.label, axes.yaxis.label):
                assert all(whole.contains(*end) for end in label.get_window_extent().corners()), label

    own = [c for c in cells(study()) if c[1:4] == ("l96", "l96", "nested") and c.step in steps]
    for module, draw in ((cross, cross.draw_cross), (gains, gains.draw_gains)):
        monkeypatch.setattr(module, "save", check)
        draw(own, Path("figure.png"))


def test_a_single_run_has_no_std(drawn: Callable[..., list[str]]) -> None:
    from paraisite.study.figures.cross import draw_cross
    from paraisite.study.table import as_csv, as_markdown

    one = cells([result("I", "l96", 1, 0.5)])
    assert not [text for text in drawn(draw_cross, [c for c in one if c.protocol == "nested"]) if "±0" in text]
    assert "(" not in as_markdown(one)
    assert {row["mape_std"] for row in csv.DictReader(as_csv(one).splitlines())} == {""}


def test_gains_say_wins_and_the_corrected_p(drawn: Callable[..., list[str]]) -> None:
    from paraisite.study.figures.gains import draw_gains

    own = {c.step: c for c in cells(study()) if c[1:4] == ("l96", "l96", "nested") and c.step in ("I", "II")}
    expected = gain(own["II"], own["I"], "mape")
    found = drawn(draw_gains, list(own.values()))
    assert expected.wins == 3
    assert "3 of 3" in found
    assert f"p = {expected.p_value:.2g}" in found
    assert found.count("l96") == 1


def test_parity_says_what_is_within_a_factor_of_two(drawn: Callable[..., list[str]]) -> None:
    from paraisite.study.figures.parity import draw_parity

    of = [
        Prediction("II", "l96", "", "paper", run, f"{i}", "NaCl", kappa, factor * kappa)
        for run in (1, 2)
        for i, (kappa, factor) in enumerate([(1.0, 1.9), (10.0, 2.1), (100.0, 0.51), (50.0, 0.49)])
    ]
    found = drawn(draw_parity, of)
    male = np.mean(np.abs(np.log10([1.9, 2.1, 0.51, 0.49])))
    assert "8 predictions, 2 runs" in found
    assert "50 % within a factor of 2" in found
    assert f"MALE {male:.3f}" in found
    assert "l96, step II" in found


def test_elements_show_the_mean_error_of_their_crystals(drawn: Callable[..., list[str]]) -> None:
    from paraisite.study.figures.elements import draw_elements

    of = [
        Prediction("II", "mix", "", "paper", 1, "a", "NaCl", 1.0, 10**0.1),
        Prediction("II", "mix", "", "paper", 1, "b", "Na2S", 1.0, 10**-0.3),
    ]
    found = drawn(draw_elements, of)
    assert {s: tuple(found[found.index(s) + i] for i in (1, 2)) for s in ("Na", "Cl", "S")} == {
        "Na": ("0.20", "2"),
        "Cl": ("0.10", "1"),
        "S": ("0.30", "1"),
    }


def test_curves_of_runs_that_stopped_early(drawn: Callable[..., list[str]]) -> None:
    from paraisite.study.figures.curves import draw_curves

    points = [(1, 0.9, 0.3), (2, 0.5, 0.2), (3, 0.4, 0.2)]
    found = drawn(
        draw_curves, [Curve("I", "l96", "", "paper", 1, points), Curve("I", "l96", "", "paper", 2, points[:2])]
    )
    assert "step I" in found
    assert "epoch" in found


@pytest.mark.data
def test_a_folder_of_results_is_drawn_with_the_data(mirror: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="figures need the extra [train]")
    from paraisite.datasets import load
    from paraisite.study.figures import load_source, pictures

    l96 = load("l96", mirror)
    for made in (result("I", "l96", run, 0.5) for run in RUNS):
        rows = range(made["run"], 95, 5)
        made["predictions"] = {
            "l96": {"ids": [l96.ids[i] for i in rows], "log_kappa": [math.log10(l96.kappa[i]) for i in rows]}
        }
        write_result(tmp_path / "study/I-l96-paper" / f"run-{made['run']}.json", made)
    source = load_source(tmp_path / "study", mirror=mirror)
    assert len(read_results(tmp_path / "study")) == 3
    assert {p.formula for p in source.predictions} <= set(l96.formulas)
    assert [p.predicted_W_mK for p in source.predictions] == pytest.approx([p.kappa_W_mK for p in source.predictions])
    names = [picture.save(tmp_path).name for picture in pictures(source)]
    assert names == ["study_cross.png", "study_curves.png", "study_parity.png", "study_elements_l96.png"]
    with (tmp_path / "p.csv").open("w") as file:
        file.write(predictions.as_csv(source.predictions))
    with (tmp_path / "p.csv").open() as file:
        assert len(list(csv.DictReader(file))) == len(source.predictions)
