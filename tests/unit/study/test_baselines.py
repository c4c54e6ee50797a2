"""Baselines of the study, on made-up rocksalts whose conductivities follow their lattice constants."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="baselines need the extra [train]")
pytest.importorskip("lightning", reason="the study needs the extra [train]")

from paraisite.crystals.crystal import Crystal
from paraisite.datasets.dataset import Dataset
from paraisite.datasets.splits import Split
from paraisite.study import slack
from paraisite.study.baselines import (
    BASELINES,
    baseline_trainings,
    predictions,
    run_baselines,
)
from paraisite.study.estimators import GaussianProcess, Line, Ridge
from paraisite.study.features import Features, composition
from paraisite.study.plan import AGL, Folds, Training
from paraisite.study.table import cells, read_results
from paraisite.training.stage_data import StageSet

WITHOUT_WEIGHTS = [name for name in BASELINES if "megnet" not in name]

CATIONS = {3: 3.8, 11: 4.3, 19: 5.0, 37: 5.3, 12: 4.1, 20: 4.7, 38: 5.1, 56: 5.5}
ANIONS = {9: 0.5, 17: 1.3, 35: 1.5, 53: 1.8, 8: 0.4}
FCC = np.array([[0.0, 0.5, 0.5], [0.5, 0.0, 0.5], [0.5, 0.5, 0.0]])


def rocksalt(cation: int, anion: int, stretch: float = 1.0) -> Crystal:
    edge = (CATIONS[cation] + ANIONS[anion]) * stretch
    return Crystal(FCC * edge, np.array([cation, anion]), np.array([[0.0, 0, 0], [0.5, 0.5, 0.5]]))


@dataclass
class Made:
    """As much of a study as the baselines ask for."""

    sets: dict[str, StageSet]
    folds: Folds
    mirror: None = None


def study(change: dict[str, dict[str, np.ndarray]] | None = None) -> Made:
    """Two small datasets, and AGL with all but two of their formulas; `change` replaces targets."""
    pairs = [(c, a) for c in CATIONS for a in ANIONS]
    made = {}
    for name, chosen in {"l96": pairs[::2], "hh143": pairs[1::2], AGL: pairs[2:]}.items():
        crystals = tuple(rocksalt(*pair) for pair in chosen)
        edge = np.array([crystal.volume for crystal in crystals]) ** (1 / 3)
        targets = {"kappa": 4e3 / edge**4 / (3.0 if name == AGL else 1.0)}
        if name == AGL:
            targets |= {"bulk_modulus_vrh": 3e3 / edge**3, "shear_modulus_vrh": 2e3 / edge**3}
        targets |= (change or {}).get(name, {})
        made[name] = StageSet(Dataset(name, crystals, targets, (name,) * len(crystals)))
    folds = Folds({n: s.loaded for n, s in made.items()}, {n: s.kept for n, s in made.items()})
    return Made(made, folds)


def features(made: Made) -> Features:
    return Features(made.sets, made.folds, made.mirror)


def test_line_is_the_least_squares_line_and_falls_back_to_the_median() -> None:
    x = np.array([[0.0], [1.0], [2.0], [np.nan]])
    line = Line().fit(x, np.array([1.0, 3.0, 5.0, 100.0]))
    assert np.allclose(line.predict(np.array([[10.0], [np.nan]])), [21.0, 4.0])


def test_line_through_one_value_is_refused() -> None:
    with pytest.raises(ValueError, match="1 of 3 training rows"):
        Line().fit(np.array([[1.0], [np.nan], [np.nan]]), np.zeros(3))


def test_gaussian_process_goes_through_rows_it_was_not_tuned_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(GaussianProcess, "TUNED", 30)
    x = np.linspace(0, 6, 80)[:, None]
    y = np.sin(x[:, 0])
    y[40:44] += 0.8  # a bump that the 30 rows need not show
    model = GaussianProcess(1).fit(x, y)
    assert len(model.process.X_train_) == 80
    assert np.array_equal(model.predict(x), GaussianProcess(1).fit(x, y).predict(x))
    assert model.predict(x)[41] > np.sin(x[41, 0]) + 0.3


def test_ridge_stays_near_the_values_it_knows() -> None:
    x = np.random.RandomState(1).normal(size=(50, 3))
    y = x @ [0.5, -0.2, 0.1]
    model = Ridge().fit(x, y)
    assert np.allclose(model.predict(x), y, atol=1e-3)
    assert model.predict(np.array([[1e6, 0.0, 0.0]])) == y.max() + 1


def test_debye_temperatures_of_silicon_and_magnesium_oxide() -> None:
    # elastic constants at room temperature give 640 K and 940 K (O. L. Anderson, 1963; Ashcroft and Mermin, ch. 23)
    volume = np.array([20.02, 9.34])
    along, across = slack.sound_velocities(
        np.array([97.8, 162.0]), np.array([66.6, 131.0]), np.array([28.085, 20.152]), volume
    )
    found = slack.debye_temperature(along, across, volume)
    assert found == pytest.approx([645, 945], rel=0.02)


def test_gruneisen_from_velocities_of_sound_is_the_same() -> None:
    bulk, shear = np.array([160.0, 60.0]), np.array([130.0, 20.0])
    along, across = bulk + 4 * shear / 3, shear  # squares of the velocities, up to the density
    assert slack.gruneisen(bulk, shear) == pytest.approx(9 * (along - 4 * across / 3) / (2 * (along + 2 * across)))


def test_moduli_of_a_scored_or_asked_formula_are_never_seen() -> None:
    made = study()
    agl = made.sets[AGL].dataset
    scored = made.folds.scored_formulas(1)
    row = next(i for i in made.folds.split(AGL, 1).train.tolist() if agl.formulas[i] not in scored)
    hidden = np.array([formula in scored or formula == agl.formulas[row] for formula in agl.formulas])

    def softened(rows: np.ndarray) -> dict[str, np.ndarray]:
        """Slack's conductivities with a hundredth of the moduli in some rows."""
        targets = {name: np.where(rows, agl.targets[name] / 100, agl.targets[name]) for name in slack.MODULI}
        other = study({AGL: targets})
        tables = {name: features(other).table("structure", name, 1) for name in other.folds.datasets}
        return slack.log_slack(other.folds, tables, 1)

    before, after = softened(np.zeros(len(agl), bool)), softened(hidden)
    assert after[AGL][row] == before[AGL][row]
    only_scored = softened(np.array([formula in scored for formula in agl.formulas]))
    for name in before:
        assert np.array_equal(before[name], only_scored[name])
    assert not np.array_equal(before[AGL], after[AGL])  # the row does teach other formulas


@pytest.mark.parametrize("training", baseline_trainings(WITHOUT_WEIGHTS, ["l96", AGL]), ids=lambda t: t.name)
def test_conductivities_of_scored_rows_change_no_prediction(training: Training) -> None:
    made = study()
    change = {}
    for name, part in made.sets.items():
        if name != AGL or "agl" not in training.step:  # there, a compound's AGL value is known
            kappa = part.dataset.kappa.copy()
            kappa[made.folds.split(name, 2).validation] *= 100
            change[name] = {"kappa": kappa}
    before, after = (predictions(training, 2, features(s)) for s in (made, study(change)))
    assert before.keys() == after.keys()
    for name, (rows, values) in before.items():
        assert np.array_equal(rows, after[name][0])
        assert np.array_equal(values, after[name][1])


def test_composition_does_not_see_the_structure() -> None:
    small, large = rocksalt(12, 8), rocksalt(12, 8, 1.2)
    twice = Crystal(np.diag([1, 1, 2]) @ small.cell, np.repeat(small.numbers, 2), np.zeros((4, 3)))
    found = composition([small, large, twice, rocksalt(20, 8)])
    assert np.array_equal(found[0], found[1])
    assert np.allclose(found[0], found[2])
    n = found.shape[1] // 4
    mean, std, low, high = found[0].reshape(4, n)
    assert np.allclose(mean, (low + high) / 2)
    assert np.allclose(std, (high - low) / 2)
    assert not np.allclose(found[0], found[3])


def test_agl_value_is_the_one_of_the_same_crystal_else_the_median_of_the_formula() -> None:
    pairs = [(3, 9), (11, 17), (12, 8), (20, 8)]
    small = Dataset("l96", tuple(rocksalt(*p) for p in pairs), {"kappa": np.ones(4)}, ("l96",) * 4)
    others = [(3, 9, 1.3), (3, 9, 1.0), (11, 17, 1.3), (11, 17, 1.4), (11, 17, 1.5), (12, 8, 1.3)]
    kappa = np.array([1e3, 1e1, 1e2, 1e4, 1e3, 1e-1])
    agl = Dataset(AGL, tuple(rocksalt(*p) for p in others), {"kappa": kappa}, (AGL,) * 6)
    sets = {"l96": StageSet(small), AGL: StageSet(agl)}
    folds = Folds({n: s.loaded for n, s in sets.items()}, {n: s.kept for n, s in sets.items()})
    found = Features(sets, folds).table("agl", "l96", 1)
    assert found[:3, 0] == pytest.approx([1.0, 3.0, -1.0])
    assert np.isnan(found[3, 0])


@pytest.mark.slow
def test_results_have_the_form_of_the_study_and_stay(tmp_path: Path) -> None:
    made = study()
    run_baselines(made, [1, 2], tmp_path, WITHOUT_WEIGHTS, say=lambda line: None)
    results = read_results(tmp_path)
    assert len(results) == 2 * len(baseline_trainings(WITHOUT_WEIGHTS, made.sets))
    steps = {(cell.step, cell.trained_on, cell.tested_on): cell for cell in cells(results)}
    assert steps["median", "l96", "hh143"].runs == (1, 2)
    assert steps["median", "l96", "l96"].protocol == "nested"
    assert ("agl-linear", AGL, AGL) not in steps
    assert ("agl-linear", "l96", AGL) not in steps
    kappa, split = made.sets["l96"].dataset.kappa, made.folds.split("l96", 1)
    result = json.loads((tmp_path / "median-l96-paper" / "run-1.json").read_text())
    away = np.log10(kappa[split.validation]) - np.median(np.log10(kappa[split.train]))
    assert result["protocols"]["nested"]["l96"]["male"] == pytest.approx(np.abs(away).mean(), rel=1e-5)
    assert result["rows"] == {"train": len(split.train), "scored": len(split.validation)}
    assert steps["agl-linear-known", "l96", "l96"].values["mape"].max() < 1e-6  # made a third of kappa, exactly

    path = tmp_path / "extra-trees-structure-l96-paper" / "run-2.json"
    first = json.loads(path.read_text())["protocols"]
    path.unlink()
    marked = tmp_path / "slack-l96-no_overlap-paper" / "run-2.json"
    marked.write_text("kept")
    run_baselines(made, [2], tmp_path, WITHOUT_WEIGHTS, say=lambda line: None)
    assert json.loads(path.read_text())["protocols"] == first
    assert marked.read_text() == "kept"


def test_run_without_training_rows_is_told_and_left_out(tmp_path: Path) -> None:
    made = study()
    n = len(made.sets["l96"].dataset)
    made.folds._splits["l96", 1] = Split(np.arange(0), np.arange(n))
    said: list[str] = []
    run_baselines(made, [1], tmp_path, ["median"], said.append)
    assert said[0] == "median-l96-paper: run 1 has nothing to train on"
    assert not (tmp_path / "median-l96-paper").exists()
    result = json.loads((tmp_path / "median-hh143-paper" / "run-1.json").read_text())
    assert result["protocols"]["nested"]["l96"]["n"] == n


def test_unknown_baseline_is_refused() -> None:
    with pytest.raises(ValueError, match=r"'forest' is not a baseline; choose from median"):
        baseline_trainings(["forest"])
