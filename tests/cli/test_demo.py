"""`paraisite demo`: the example crystals, with the shipped model and with a user's own."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

from paraisite.cli import demo

Invoke = Callable[..., Result]
EXAMPLES = """
    Si C NaCl MgO PbTe GaAs BAs TiNiSn CsI ZnO Bi2Te3 SnSe CoSb3 SrTiO3 Mg3Sb2 CaF2 CuInSe2 Mg2SiO4 BN La2Zr2O7
""".split()
COUNT = re.compile(
    r"(.+): (\d+) of 20 agree with the reference: (\d+) within a factor of 3, (\d+) more within the interval"
)


def table(out: str) -> dict[str, list[str]]:
    """Cells of each crystal's line."""
    lines = [re.split(r" {2,}", line.strip()) for line in out.splitlines()]
    return {cells[0]: cells for cells in lines if cells[0] in EXAMPLES}


def test_demo_with_the_shipped_model(invoke: Invoke, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # the examples are found in the package
    out = invoke("demo").stdout
    lines = table(out)
    assert list(lines) == EXAMPLES
    for cells in lines.values():
        assert len(cells) == 9
        assert cells[2] in ("itself", "formula", "no")
        for first in (3, 6):
            assert re.fullmatch(r"[\d.]+ \[[\d.]+ – [\d.]+\]", cells[first])
            assert cells[first + 2] in ("yes", "inside", "no")
    counts = COUNT.findall(out)
    assert [count[0] for count in counts] == ["all members", "members not trained on the formula"]
    for (_, total, near, inside), column in zip(counts, (5, 8), strict=True):
        said = [cells[column] for cells in lines.values()]
        assert (int(near), int(inside)) == (said.count("yes"), said.count("inside"))
        assert int(total) == int(near) + int(inside)
        assert int(total) >= 15


def test_demo_with_a_model_that_holds_no_formula_out(invoke: Invoke, tiny_checkpoint: Path, tmp_path: Path) -> None:
    model = Path(shutil.copytree(tiny_checkpoint, tmp_path / "model"))
    card = json.loads((model / "card.json").read_text())
    (model / "card.json").write_text(json.dumps(card | {"formula_fold": {}}))
    out = invoke("demo", "--model", model).stdout
    lines = table(out)
    assert list(lines) == EXAMPLES
    assert {len(cells) for cells in lines.values()} == {6}
    assert [count[0] for count in COUNT.findall(out)] == ["all members"]


def test_demo_says_what_was_in_training(invoke: Invoke, tiny_checkpoint: Path) -> None:
    lines = table(invoke("demo", "--model", tiny_checkpoint).stdout)
    assert list(lines) == EXAMPLES
    assert lines["NaCl"][2] == "itself"
    assert lines["NaCl"][6] != lines["NaCl"][3], "networks that saw NaCl are used for it"
    assert {lines[name][2] for name in EXAMPLES if name != "NaCl"} == {"no"}
    assert lines["Si"][6] == lines["Si"][3]


@pytest.mark.parametrize(
    ("kappa", "low", "high", "says"),
    [(20.0, 15.0, 30.0, "yes"), (3.4, 3.0, 4.0, "yes"), (2.0, 1.0, 12.0, "inside"), (2.0, 1.0, 9.0, "no")],
)
def test_agreement_with_a_reference_of_10(kappa: float, low: float, high: float, says: str) -> None:
    from paraisite.prediction import Prediction

    row = Prediction("a", "a.cif", kappa_W_mK=kappa, kappa_low_W_mK=low, kappa_high_W_mK=high)
    assert demo._agreement(row, 10.0) == says
