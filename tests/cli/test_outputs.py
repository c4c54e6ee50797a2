"""One rule for all outputs: what stands there is not replaced unless `--overwrite` is given, and every help says so."""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import Result

Invoke = Callable[..., Result]

WRITERS = {
    "predict": "out.csv",
    "screen": "out.shortlist.csv",
    "pack": "out.parquet",
    "evaluate": "scores/metrics.json",
    "data export": "out.xyz",
    "data describe": "look/summary.md",
    "data split": "splits/mine.json",
    "data import": None,
    "data clean": None,
    "data merge": None,
    "report": None,
    "study report": None,
    "study figures": None,
}


@pytest.mark.parametrize("verb", WRITERS)
def test_help_says_how_to_replace_an_output(invoke: Invoke, verb: str) -> None:
    assert "--overwrite" in invoke(*verb.split(), "--help").stdout


@pytest.mark.parametrize("verb", [verb for verb, name in WRITERS.items() if name])
def test_what_exists_is_replaced_only_when_asked(
    invoke: Invoke, verb: str, tiny_checkpoint: Path, tiny_dataset: Path, tmp_path: Path
) -> None:
    model = ["--model", tiny_checkpoint]
    rows = sorted(tiny_dataset.glob("*.cif"))[:2]
    arguments: dict[str, list[object]] = {
        "predict": [*rows, *model, "-o", tmp_path / "out.csv"],
        "screen": [*rows, *model, "--top", 1, "--workers", 0, "-o", tmp_path / "out.parquet"],
        "pack": [*rows, "--workers", 0, "-o", tmp_path / "out.parquet"],
        "evaluate": [tiny_checkpoint, tiny_dataset, "-o", tmp_path / "scores"],
        "data export": [tiny_dataset, "--format", "extxyz", "-o", tmp_path / "out.xyz"],
        "data describe": [tiny_dataset, "-o", tmp_path / "look"],
        "data split": [tiny_dataset, "--by", "kfold", "--name", "mine", "-o", tmp_path / "splits"],
    }
    mine = tmp_path / str(WRITERS[verb])
    mine.parent.mkdir(exist_ok=True)
    mine.write_text("mine")
    command = [*verb.split(), *arguments[verb]]
    said = " ".join(invoke(*command, code=2).stderr.split())
    assert "--overwrite" in said
    assert mine.name in said
    assert mine.read_text() == "mine"
    assert [p for p in tmp_path.rglob("*") if p.is_file()] == [mine]  # refused before the work
    invoke(*command, "--overwrite")
    assert mine.read_bytes() != b"mine"


def test_a_shortlist_is_refused_when_a_run_is_resumed_and_it_is_another(
    invoke: Invoke, tiny_checkpoint: Path, tiny_dataset: Path, tmp_path: Path
) -> None:
    out, chosen = tmp_path / "out.parquet", tmp_path / "out.shortlist.csv"
    command = ["screen", tiny_dataset, "--model", tiny_checkpoint, "--workers", 0, "--resume", "-o", out]
    invoke(*command, "--top", 3)
    first = chosen.read_bytes()
    invoke(*command, "--top", 3)  # the same command may be given again
    assert "out.shortlist.csv exists already; move it away" in invoke(*command, "--top", 2, code=2).stderr
    assert chosen.read_bytes() == first


@pytest.fixture
def predict(tiny_checkpoint: Path, tiny_dataset: Path) -> list[object]:
    return ["predict", sorted(tiny_dataset.glob("*.cif"))[0], "--model", tiny_checkpoint]


@pytest.mark.slow
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux only")
def test_a_full_disk_under_standard_output_is_told(start: Callable[..., Any], predict: list[object]) -> None:
    with Path("/dev/full").open("w") as full:
        process = start(*predict, "-q", stdout=full)
        said = process.communicate(timeout=120)[1]
    assert process.returncode == 1
    assert said == "error: standard output: No space left on device; write to another place\n"


@pytest.mark.slow
def test_a_closed_standard_output_is_told_and_no_file_takes_its_place(predict: list[object], tmp_path: Path) -> None:
    command = " ".join(map(shlex.quote, [sys.executable, "-m", "paraisite.cli.main", *map(str, predict), "-q"]))
    told = subprocess.run(f"{command} >&-", shell=True, stderr=subprocess.PIPE, text=True)
    assert told.returncode == 1
    assert told.stderr.startswith("error: standard output: ")
    assert len(told.stderr.splitlines()) == 1
    out = tmp_path / "out.csv"
    done = subprocess.run(f"{command} -o {out} <&- >&- 2>&-", shell=True)
    assert done.returncode == 0
    assert out.read_text().startswith("id,source,formula")


def test_escapes_and_commands_of_a_file_reach_no_pipe(
    invoke: Invoke, tiny_checkpoint: Path, tiny_dataset: Path, tmp_path: Path
) -> None:
    text = sorted(tiny_dataset.glob("*.cif"))[0].read_text()
    (tmp_path / "=1+1\x1b[31m\x9b2J.cif").write_text(text)
    shown = invoke("predict", tmp_path, "--model", tiny_checkpoint, "-q").stdout
    assert "\x1b" not in shown
    assert "\x9b" not in shown
    assert "'=1+1\\x1b[31m\\x9b2J" in shown
    model = Path(shutil.copytree(tiny_checkpoint, tmp_path / "model"))
    card = json.loads((model / "card.json").read_text())
    card |= {"description": "a\x1b]0;mine\x07", "licence": "\x1b[2J", "datasets": {"\x1b[1m": "x"}}
    card["metrics"]["by_dataset"] = {"\x1b[31mred": {"n": 1, "mape": 0.1}}
    (model / "card.json").write_text(json.dumps(card))
    for said in (invoke("models", "info", model), invoke("evaluate", model, tiny_dataset)):
        assert "\x1b" not in said.stdout + said.stderr
    card["metrics"] = {"over_folds": [1], "properties": 7}
    (model / "card.json").write_text(json.dumps(card))
    assert "card.json: not as a training writes it" in invoke("models", "info", model, code=2).stderr
