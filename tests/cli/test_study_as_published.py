"""`paraisite study run --as-published`: usage, and one training from the command line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

Invoke = Callable[..., Result]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--without", "foreign_scaler"], "requires --as-published"),
        (["--as-published", "--without", "scalers"], "switch 'scalers'"),
        (["--as-published", "--steps", "III-kernel"], "step 'III-kernel'"),
        (["--as-published", "--split", "formula"], "cannot be used with --as-published"),
        (["--as-published", "--set", "members=2"], "members: 1"),
    ],
)
def test_wrong_usage(invoke: Invoke, tmp_path: Path, arguments: list[str], message: str) -> None:
    result = invoke("study", "run", "-o", tmp_path / "out", *arguments, code=2)
    assert message in result.output
    assert not (tmp_path / "out").exists()


@pytest.mark.data
def test_a_training_and_its_table(invoke: Invoke, mirror: Path, tmp_path: Path) -> None:
    args = ("study", "run", "--as-published", "--steps", "II", "--train", "l96", "--runs", "3", "--mirror", mirror)
    few = ("--set", "small.epochs=2", "-o", tmp_path)
    result = invoke(*args, *few)
    assert "| II | `l96` | – | 1 | 0.510 (0.236) |" in result.stdout
    assert "--resume" in invoke(*args, *few, code=2).output
    again = invoke(*args, *few, "--without", "scaler_sees_fold,foreign_scaler", "--resume")
    assert "| II | `l96` | `scaler_sees_fold` | 1 |" in again.stdout
    assert result.stdout.splitlines()[-1] in again.stdout  # what was there is not trained again
    assert "II as published without scaler_sees_fold" in invoke("study", "report", tmp_path).output
