"""`paraisite evaluate`: scores, what was in training, and the files of -o."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from typer.testing import Result

Invoke = Callable[..., Result]


@pytest.fixture
def labelled(tiny_dataset: Path, tmp_path: Path) -> Path:
    """Two compounds of the training, two new ones, one with an unknown element, one without a file or a value each."""
    folder = tmp_path / "labelled"
    folder.mkdir()
    text = (tiny_dataset / "NaCl.cif").read_text()
    for name in ("NaCl", "NaBr"):
        shutil.copy(tiny_dataset / f"{name}.cif", folder)
    for name, cation, anion in (("PbTe", "Pb", "Te"), ("PbSe", "Pb", "Se"), ("PoS", "Po", "S"), ("CdTe", "Cd", "Te")):
        (folder / f"{name}.cif").write_text(text.replace("Na", cation).replace("Cl", anion))
    lines = ["id,kappa,other", "NaCl,6,1", "NaBr,2,1", "PbTe,3,1", "PbSe,2,1", "PoS,1,1", "CdTe,,1", "gone,1,1"]
    (folder / "id_prop.csv").write_text("\n".join(lines) + "\n")
    return folder


def test_scores_agree_with_the_predictions(
    invoke: Invoke, tiny_checkpoint: Path, labelled: Path, tmp_path: Path
) -> None:
    out = tmp_path / "scores"
    shown = invoke("evaluate", tiny_checkpoint, labelled, "--split", "all", "-o", out).stdout
    found = json.loads((out / "metrics.json").read_text())
    with (out / "predictions.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["id"] for row in rows] == ["NaCl", "NaBr", "PbTe", "PbSe", "PoS", "CdTe", "gone"]
    assert [row["scored"] for row in rows] == list("1111000")
    assert [row["formula_in_training"] for row in rows[:4]] == ["same formula"] * 2 + ["no"] * 2
    assert (found["n_rows"], found["n_scored"], found["n_rejected"], found["n_unlabelled"]) == (7, 4, 2, 1)
    assert found["n_training"] == {"same formula": 2, "earlier stage": 0, "no": 2}
    true = np.array([float(row["kappa_true_W_mK"]) for row in rows[:4]])
    predicted = np.array([float(row["kappa_W_mK"]) for row in rows[:4]])
    error = np.abs(np.log10(predicted / true))
    for group, which in (
        ("all", slice(0, 4)),
        ("formula in training", slice(0, 2)),
        ("formula not in training", slice(2, 4)),
    ):
        assert found["scores"][group]["male"] == pytest.approx(error[which].mean(), rel=1e-4)
        assert f"{found['scores'][group]['mape']:.3f}" in shown
    inside = [
        float(row["kappa_low_W_mK"]) <= t <= float(row["kappa_high_W_mK"]) for row, t in zip(rows, true, strict=False)
    ]
    assert found["scores"]["all"]["coverage"] == np.mean(inside)
    assert "4 of 7 rows scored, 2 rejected, 1 without a value" in shown
    assert "2 have the formula of a high-quality training compound" in shown
    assert (out / "parity.png").read_bytes().startswith(b"\x89PNG")
    assert sorted(path.name for path in out.iterdir()) == ["metrics.json", "parity.png", "predictions.csv"]


def test_unseen_scores_new_formulas_only(invoke: Invoke, tiny_checkpoint: Path, labelled: Path) -> None:
    out = invoke("evaluate", tiny_checkpoint, labelled, "--split", "unseen").stdout
    assert "2 of 7 rows scored" in out
    assert "protocol: unseen, all members: 2 rows" in out


def test_formulas_that_every_network_has_seen_are_not_held_out(
    invoke: Invoke, tiny_checkpoint: Path, tiny_dataset: Path, tmp_path: Path
) -> None:
    model = Path(shutil.copytree(tiny_checkpoint, tmp_path / "model"))
    whole = invoke("evaluate", model, tiny_dataset, "--split", "held-out").stdout
    assert "held out: every row" in whole
    card = json.loads((model / "card.json").read_text())
    seen = sorted(card["formula_fold"])[:3]
    card["formula_fold"] |= dict.fromkeys(seen, -1)
    (model / "card.json").write_text(json.dumps(card))
    out = invoke("evaluate", model, tiny_dataset, "--split", "held-out").stdout
    assert "left out: 3 rows" in out
    rows = invoke("predict", tiny_dataset, "--model", model, "--held-out").stdout
    assert rows.count("every network has seen a compound of this formula") == 3


def test_held_out_repeats_the_out_of_fold_scores(invoke: Invoke, tiny_checkpoint: Path, tiny_dataset: Path) -> None:
    """Networks that never saw a formula are those that the training itself was scored with; they are the default."""
    out = invoke("evaluate", tiny_checkpoint, tiny_dataset).stdout
    assert "split held-out: 36 rows of 36" in out
    assert (
        out.split("protocol:")[1]
        == invoke("evaluate", tiny_checkpoint, tiny_dataset, "--split", "held-out").stdout.split("protocol:")[1]
    )
    metrics = json.loads((tiny_checkpoint.parent / "metrics.json").read_text())["all"]
    line = next(line for line in out.splitlines() if line.strip().startswith("all"))
    assert line.split()[1:6] == ["36", *(f"{metrics[name]:.3f}" for name in ("mape", "median_ape", "male", "spearman"))]
    assert "held out" in out
    assert "paraisite models info" in out


def test_models_side_by_side(invoke: Invoke, tiny_checkpoint: Path, labelled: Path, tmp_path: Path) -> None:
    """Compared on the rows that every model scores: the second holds no formula out, and scores new ones only."""
    blind = Path(shutil.copytree(tiny_checkpoint, tmp_path / "blind"))
    card = json.loads((blind / "card.json").read_text())
    card["formula_fold"] = dict.fromkeys(card["formula_fold"], -1)
    (blind / "card.json").write_text(json.dumps(card))
    out = tmp_path / "scores"
    shown = invoke("evaluate", tiny_checkpoint, blind, labelled, "-o", out).stdout
    assert "split held-out: 2 rows of 5" in shown
    assert "split unseen: 2 rows of 5" in shown
    table = shown.partition("side by side, on the 2 rows")[2].splitlines()
    lines = {line.split()[0]: line.split()[1:] for line in table if line.split()[:1] and line.split()[0][:4] == "tiny"}
    assert sorted(lines) == sorted(path.name for path in out.iterdir()) == ["tiny", "tiny-2"]
    for name, cells in lines.items():
        with (out / name / "predictions.csv").open() as file:
            rows = [row for row in csv.DictReader(file) if row["id"] in ("PbTe", "PbSe")]
        error = [abs(np.log10(float(row["kappa_W_mK"]) / float(row["kappa_true_W_mK"]))) for row in rows]
        assert cells[3] == f"{np.mean(error):.3f}"


def test_a_start_whose_data_the_card_does_not_list_is_named(
    invoke: Invoke, tiny_checkpoint: Path, labelled: Path, tmp_path: Path
) -> None:
    model = tmp_path / "model"
    shutil.copytree(tiny_checkpoint, model)
    card = json.loads((model / "card.json").read_text())
    card["formula_fold"] = {}
    card["recipe"]["initial"] = "kappa"
    (model / "card.json").write_text(json.dumps(card))
    out = invoke("evaluate", model, labelled, "--split", "all").stdout
    assert "does not list the formulas that kappa" in out
    refused = invoke("evaluate", model, labelled, "--split", "held-out", code=2).stderr
    assert "--split unseen" in refused


def test_nothing_left_to_score_is_wrong_usage(invoke: Invoke, tiny_checkpoint: Path, tiny_dataset: Path) -> None:
    err = invoke("evaluate", tiny_checkpoint, tiny_dataset, "--split", "unseen", code=2).stderr
    assert "--split held-out or all" in err


def test_unknown_data_are_wrong_usage(invoke: Invoke, tiny_checkpoint: Path, tmp_path: Path) -> None:
    assert "l96" in invoke("evaluate", tiny_checkpoint, tmp_path / "nothing", code=2).stderr
    assert "id_prop.csv" in invoke("evaluate", tiny_checkpoint, tmp_path, code=2).stderr


@pytest.mark.data
def test_named_data_are_scored_by_part(invoke: Invoke, tiny_checkpoint: Path, mirror: Path) -> None:
    out = invoke("evaluate", tiny_checkpoint, "mix", "--mirror", mirror).stdout
    assert "238 of 238 rows scored" in out
    assert {"l96", "hh143"} <= {line.split()[0] for line in out.splitlines() if line.strip()}
