"""`paraisite data clean`."""

from __future__ import annotations

import csv
import json
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import Result

from paraisite.datasets import load
from paraisite.datasets.store import read_card, read_dataset, write_dataset

Invoke = Callable[..., Result]


@pytest.fixture
def folder(tiny_dataset: Path, tmp_path: Path) -> Path:
    """36 good rows, one twice with another value, one with an impossible modulus, and a line without a crystal."""
    mine = Path(shutil.copytree(tiny_dataset, tmp_path / "mine"))
    shutil.copy(mine / "NaCl.cif", mine / "again.cif")
    lines = (mine / "id_prop.csv").read_text().splitlines()
    row = next(i for i, line in enumerate(lines) if line.startswith("KBr,"))
    lines[row] = lines[row].rpartition(",")[0] + ",-5"
    (mine / "id_prop.csv").write_text("\n".join([*lines, "again,100,33", "ghost,1,1"]) + "\n")
    return mine


def account(folder: Path) -> dict[str, dict[str, str]]:
    with (folder / "cleaning.csv").open(newline="", encoding="utf-8") as file:
        return {row["id"]: row for row in csv.DictReader(file)}


def test_clean(invoke: Invoke, folder: Path, tmp_path: Path) -> None:
    result = invoke("data", "clean", folder, "-o", tmp_path / "out", "--workers", 1)
    assert "mine: 38 rows, 34 kept, 1 flagged, 1 merged, 2 dropped" in result.stdout
    assert "outlier skipped: 36 rows" in result.stdout
    rows = account(tmp_path / "out")
    assert len(rows) == 38
    assert (rows["KBr"]["action"], rows["KBr"]["rule"]) == ("dropped", "bulk_modulus")
    assert rows["KBr"]["reason"] == "bulk_modulus_vrh is -5 GPa, not positive"
    assert (rows["ghost"]["action"], rows["ghost"]["rule"]) == ("dropped", "unreadable")
    assert {rows[id_]["action"] for id_ in ("NaCl", "again")} == {"merged", "flagged"}
    cleaned = load(tmp_path / "out")
    assert len(cleaned) == 35
    assert cleaned.labels["flags"].count("conflict") == 1
    assert json.loads((tmp_path / "out" / "cleaning.json").read_text())["content_hash"]["after"] == cleaned.content_hash


def test_keep_all(invoke: Invoke, folder: Path, tmp_path: Path) -> None:
    result = invoke("data", "clean", folder, "-o", tmp_path / "out", "--keep-all")
    assert "33 kept" not in result.stdout
    kept = read_dataset(tmp_path / "out")
    assert kept.content_hash == load(folder).content_hash
    flags = dict(zip(kept.ids, kept.labels["flags"], strict=True))
    assert flags["KBr"] == "bulk_modulus"
    assert {flags["NaCl"], flags["again"]} == {"conflict", "duplicates conflict"}


def test_rules(invoke: Invoke, folder: Path, tmp_path: Path) -> None:
    rules = tmp_path / "rules.yml"
    rules.write_text("bulk_modulus: {action: flag}\nduplicates: {action: off}\n")
    result = invoke("data", "clean", folder, "-o", tmp_path / "out", "--config", rules)
    assert "38 rows, 36 kept, 1 flagged, 0 merged, 1 dropped" in result.stdout
    rules.write_text("bulk: {action: flag}\n")
    result = invoke("data", "clean", folder, "-o", tmp_path / "other", "--config", rules, code=2)
    assert "rules.yml: bulk: Extra inputs" in result.stderr
    assert not (tmp_path / "other").exists()


def test_the_result_can_be_cleaned_again(invoke: Invoke, folder: Path, tmp_path: Path) -> None:
    invoke("data", "clean", folder, "-o", tmp_path / "one")
    invoke("data", "clean", tmp_path / "one", "-o", tmp_path / "two")
    assert read_dataset(tmp_path / "two").content_hash == read_dataset(tmp_path / "one").content_hash


def test_a_data_set_is_replaced_on_demand_only(invoke: Invoke, folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    invoke("data", "merge", folder, "-o", out)
    assert "--overwrite replaces it" in invoke("data", "clean", folder, "-o", out, code=2).stderr
    invoke("data", "clean", folder, "-o", out, "--force")
    assert (out / "cleaning.csv").exists()
    assert not (out / "merging.csv").exists()  # of what was there before


def test_terms_are_handed_on(invoke: Invoke, folder: Path, tmp_path: Path) -> None:
    mine = load(folder)
    colours = replace(mine, targets=mine.targets | {"colour": mine.kappa})
    terms = {"licence": "CC0", "citation": ["who"], "notes": ["measured on Sunday"], "units": {"colour": "nm"}}
    write_dataset(colours, tmp_path / "one", **terms)
    invoke("data", "clean", tmp_path / "one", "-o", tmp_path / "two")
    card = read_card(tmp_path / "two")
    assert (card.licence, card.citation, card.notes) == ("CC0", ("who",), ("measured on Sunday",))
    assert card.units == {"kappa": "W/m/K", "bulk_modulus_vrh": "GPa", "colour": "nm"}


def test_wrong_use(invoke: Invoke, folder: Path, tmp_path: Path) -> None:
    assert "is also an input" in invoke("data", "clean", folder, "-o", folder, code=2).stderr
    (tmp_path / "file").write_text("")
    assert "is a file" in invoke("data", "clean", folder, "-o", tmp_path / "file", code=2).stderr
    shutil.copytree(folder, tmp_path / "full")
    assert "does not hold a stored dataset" in invoke("data", "clean", folder, "-o", tmp_path / "full", code=2).stderr
    assert "nowhere" in invoke("data", "clean", tmp_path / "nowhere", "-o", tmp_path / "x", code=2).stderr
    assert "Examples:" in invoke("data", "clean", "--help").stdout


@pytest.mark.data
@pytest.mark.slow
def test_interrupted(start: Callable[..., subprocess.Popen[str]], mirror: Path, tmp_path: Path) -> None:
    process = start("data", "clean", "aflow_agl", "--mirror", mirror, "-o", tmp_path / "out", "--workers", 2)
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    if not children.exists():
        process.kill()
        pytest.skip("no /proc to see processes in")
    while process.poll() is None and len(children.read_text().split()) < 2:  # until crystals are being compared
        time.sleep(0.1)
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    _, complaint = process.communicate(timeout=60)
    assert process.returncode == 130
    assert complaint.strip() == "error: interrupted"
    assert not (tmp_path / "out").exists()
