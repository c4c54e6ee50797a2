"""`paraisite models`: what there is, and what a card says."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

from paraisite.model.registry import DEFAULT, ENCODER, registry

Invoke = Callable[..., Result]

OLD = {
    "kappa-mix": "e124680aaf07c9c7a0625cdab6e04208a4d257d7c3e7488bb61df8689f40d310",
    "kappa-mix-by-formula": "74fb952c27e98992663aa5db91ddf6f840a2e54fe647ab1ec6b218635845d1b0",
}
"""Models that shipped earlier, and the sha256 of their weights at commit 62fd265."""


@pytest.fixture(autouse=True)
def _no_fetched_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARAISITE_CACHE", str(tmp_path))
    monkeypatch.delenv("PARAISITE_MIRROR", raising=False)


def test_list_names_every_model(invoke: Invoke) -> None:
    out = invoke("models", "list").stdout
    assert all(name in out for name in registry())
    line = next(line for line in out.splitlines() if line.strip().startswith(ENCODER))
    assert line.split()[1] == "no"


def test_info_shows_the_card(invoke: Invoke, tiny_checkpoint: Path) -> None:
    out = invoke("models", "info", tiny_checkpoint).stdout
    card = json.loads((tiny_checkpoint / "card.json").read_text())
    male = card["metrics"]["all"]["male"]
    for said in (
        "name: tiny",
        "limits: Lattice part",
        "members: 4, in 2 folds",
        "properties, as columns: bulk_modulus_GPa",
        "elements: 89, H to Pu, without Po, At, Rn, Fr, Ra",
        "calibrated on 36 held-out rows",
        "held-out predictions: yes, for 36 formulas",
        f"data: rocksalts (content {card['datasets']['rocksalts'][:12]})",
        "stage 1, first:",
        "stage 2, second:",
        "earlier grouped",
        "out of fold",
        f"{male:.3f}",
        "bulk_modulus_GPa: mean absolute error",
    ):
        assert said in out, said


def test_info_of_a_model_of_few_rows(invoke: Invoke, tiny_checkpoint: Path, tmp_path: Path) -> None:
    """Folds of one row have no rank correlation."""
    from paraisite.training.finish import mean_and_std

    few = Path(shutil.copytree(tiny_checkpoint, tmp_path / "few"))
    card = json.loads((few / "card.json").read_text())
    card["metrics"]["over_folds"]["spearman"] = mean_and_std([float("nan")] * 3)
    card["metrics"]["over_folds"]["male"] = mean_and_std([float("nan"), 0.1, 0.3])
    (few / "card.json").write_text(json.dumps(card, allow_nan=False))
    out = invoke("models", "info", few).stdout
    assert "spearman –" in out
    assert "male 0.200 (0.100)" in out


def test_info_of_a_model_that_is_not_a_checkpoint(invoke: Invoke) -> None:
    out = invoke("models", "info", ENCODER).stdout
    assert "BSD-3-Clause" in out
    assert "sha256 35381368" in out
    assert f"here: no; paraisite models fetch {ENCODER}" in out


def test_info_of_the_shipped_model(invoke: Invoke) -> None:
    out = invoke("models", "info", DEFAULT).stdout
    assert re.search(r"here: .*pretrained.kappa$", out, re.M)
    assert "limits: Lattice part" in out
    assert re.search(r"stage 2, all: phonix \+ phonondb_harmonic \+ .*, \d+ epochs", out)
    assert "data: phonix (content" in out


@pytest.mark.parametrize("name", OLD)
def test_a_replaced_model_gives_its_successor(name: str, invoke: Invoke) -> None:
    (line,) = [line for line in invoke("models", "list").stdout.splitlines() if line.split()[:1] == [name]]
    assert line.split()[1:4] == ["replaced", "gives", f"{DEFAULT};"]
    info = invoke("models", "info", name)
    assert info.stdout == invoke("models", "info", DEFAULT).stdout
    assert f"replaces: {name} (git checkout 62fd265; kappa.safetensors of sha256 {OLD[name]})" in info.stdout
    fetched = invoke("models", "fetch", name.upper())
    assert fetched.stdout == invoke("models", "fetch", DEFAULT).stdout
    for said in (info.stderr.replace(name, name.upper()), fetched.stderr):
        assert said.count("has been replaced by kappa") == 1
        assert f"{name.upper()} has been replaced by kappa, which is used here" in said
        assert f"git checkout 62fd265 (kappa.safetensors, sha256 {OLD[name][:12]}" in said
    assert invoke("models", "info", DEFAULT).stderr == ""


def test_fetch_of_a_shipped_model_gives_its_folder(invoke: Invoke) -> None:
    folder = Path(invoke("models", "fetch", DEFAULT).stdout.strip())
    assert (folder / "card.json").is_file()


@pytest.mark.parametrize("verb", ["info", "fetch"])
def test_unknown_models_are_wrong_usage(verb: str, invoke: Invoke) -> None:
    err = invoke("models", verb, "no-such-model", code=2).stderr
    assert "no-such-model" in err
    assert DEFAULT in err


def test_info_of_another_folder_is_wrong_usage(invoke: Invoke, tmp_path: Path) -> None:
    assert "no card.json" in invoke("models", "info", tmp_path, code=2).stderr


@pytest.mark.data
def test_the_encoder_is_found_in_the_mirror(invoke: Invoke, mirror: Path) -> None:
    assert str(mirror) in invoke("models", "info", ENCODER, "--mirror", mirror).stdout
