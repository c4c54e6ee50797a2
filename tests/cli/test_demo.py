"""`paraisite demo`: the example crystals, with the shipped model and with a user's own."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

import paraisite
from paraisite.cli import demo

Invoke = Callable[..., Result]
EXAMPLES = ["Si", "C", "NaCl", "MgO", "PbTe", "GaAs", "BAs", "TiNiSn", "CsI", "ZnO"]


def table(out: str) -> dict[str, list[str]]:
    """Cells of each crystal's line."""
    lines = [re.split(r" {2,}", line.strip()) for line in out.splitlines()]
    return {cells[0]: cells for cells in lines if cells[0] in EXAMPLES}


def test_demo_with_the_shipped_model(invoke: Invoke, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # the examples are found beside the package
    out = invoke("demo").stdout
    lines = table(out)
    assert list(lines) == EXAMPLES
    for cells in lines.values():
        assert re.fullmatch(r"[\d.]+ \[[\d.]+ – [\d.]+\]", cells[2])
        assert cells[4] in ("yes", "inside"), cells
    assert "10 of 10 lie within a factor of 3" in out


def test_demo_says_what_was_in_training(invoke: Invoke, tiny_checkpoint: Path) -> None:
    lines = table(invoke("demo", "--model", tiny_checkpoint).stdout)
    assert list(lines) == EXAMPLES
    assert lines["NaCl"][5] == "itself"
    assert lines["NaCl"][6] != lines["NaCl"][2], "networks that saw NaCl speak for it"
    assert {lines[name][5] for name in EXAMPLES if name != "NaCl"} == {"no"}
    assert lines["Si"][6] == lines["Si"][2]


def test_missing_examples_are_wrong_usage(invoke: Invoke, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(paraisite, "__file__", str(tmp_path / "src" / "paraisite" / "__init__.py"))
    err = invoke("demo", code=2).stderr
    assert str(tmp_path / "examples") in err
    assert "clone" in err


@pytest.mark.parametrize(
    ("kappa", "low", "high", "says"),
    [(20.0, 15.0, 30.0, "yes"), (3.4, 3.0, 4.0, "yes"), (2.0, 1.0, 12.0, "inside"), (2.0, 1.0, 9.0, "no")],
)
def test_agreement_with_a_reference_of_10(kappa: float, low: float, high: float, says: str) -> None:
    from paraisite.prediction import Prediction

    row = Prediction("a", "a.cif", kappa_W_mK=kappa, kappa_low_W_mK=low, kappa_high_W_mK=high)
    assert demo._agreement(row, 10.0) == says
