"""Every bad input goes through the command line: a row with a reason, good neighbours predicted, no traceback."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

from paraisite.files.csv_cells import harmless


@pytest.fixture
def inputs(tmp_path: Path) -> dict[str, Path]:
    from bad_inputs import BAD_INPUTS

    made = {}
    for name, build in BAD_INPUTS.items():
        folder = tmp_path / name
        folder.mkdir()
        made[name] = build(folder)
    return made


def test_bad_inputs(
    inputs: dict[str, Path], invoke: Callable[..., Result], tiny_checkpoint: Path, crystals: list[Path]
) -> None:
    from bad_inputs import GOOD

    good = str(crystals[0])
    arguments = [argument for path in inputs.values() for argument in (str(path), good)]
    result = invoke("predict", *arguments, "--model", tiny_checkpoint)
    rows = list(csv.DictReader(io.StringIO(result.stdout)))
    assert len(inputs) >= 30
    assert sum(row["source"] == good and row["status"] == "ok" for row in rows) == len(inputs)
    at = 0
    for name, path in inputs.items():
        mine = []
        while rows[at]["source"] != good:
            mine.append(rows[at])
            at += 1
        at += 1
        assert mine, name
        assert all(row["source"].startswith(harmless(str(path))) for row in mine), name
        rejected = [row for row in mine if row["status"] == "rejected"]
        assert len(mine) - len(rejected) <= GOOD.get(name, 0), name
        assert rejected, name
        assert all(row["reason"] for row in rejected), name
        assert all(not row["kappa_W_mK"] for row in rejected), name
    assert at == len(rows)


def test_only_bad_inputs_exit_with_1(
    inputs: dict[str, Path], invoke: Callable[..., Result], tiny_checkpoint: Path
) -> None:
    for name in ("empty_file", "missing_file", "folder_without_crystals"):
        result = invoke("predict", inputs[name], "--model", tiny_checkpoint, code=1)
        assert "0 predicted (0 with a warning), 1 rejected" in result.stderr
