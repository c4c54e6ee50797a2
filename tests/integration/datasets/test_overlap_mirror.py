"""The figures of results/overlap.json, measured again."""

from __future__ import annotations

import json
import sys
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

from paraisite.datasets import load
from paraisite.datasets.saved_split import make_split

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    """tools/make_overlap.py."""
    sys.path.insert(0, str(ROOT / "tools"))  # which it finds when it is run
    try:
        return import_module("make_overlap")
    finally:
        sys.path.pop(0)


@pytest.mark.data
def test_results_are_what_is_measured(mirror: Path, tool: ModuleType) -> None:
    committed = json.loads(tool.RESULTS.read_text())
    measured = json.loads(json.dumps(tool.measure(mirror)))
    lines, again = committed.pop("recalibration"), measured.pop("recalibration")
    assert measured == committed
    for name, line in lines.items():
        assert again[name] == pytest.approx(line, rel=1e-4)


def test_the_page_says_what_the_results_say(tool: ModuleType) -> None:
    page = (ROOT / "docs/overlap.md").read_text(encoding="utf-8")
    assert f"<!-- begin overlap -->\n{tool.overlap()}<!-- end overlap -->" in page


def test_known_counts(tool: ModuleType) -> None:
    committed = json.loads(tool.RESULTS.read_text())
    found = committed["in_aflow_agl"]
    assert (found["l96"]["rows_of_shared_formula"], found["l96"]["rows"]) == (94, 95)
    assert (found["hh143"]["rows_of_shared_formula"], found["hh143"]["rows"]) == (75, 143)
    shared = [fold["in_training"]["formula"] for fold in committed["folds"]["l96"].values()]
    assert (min(shared), max(shared), len(shared)) == (5, 12, 9)
    for fold in committed["folds"]["mix"].values():
        assert fold["in_training"]["crystal"] == 0


@pytest.mark.data
def test_splits_of_mix_are_frozen(mirror: Path) -> None:
    # Of the real data; the splits by prototype rest on spglib besides.
    mix = load("mix", mirror)
    kinds = ("kfold", "paper", "formula", "chemical-system", "prototype", "element", "kappa")
    found = {kind: make_split(mix, kind).split_hash[:12] for kind in kinds}
    assert found == {
        "kfold": "bd76334435ec",
        "paper": "07336ec5dd9f",
        "formula": "d29f31d07167",
        "chemical-system": "d29f31d07167",
        "prototype": "489a56a4d607",
        "element": "f9ed767bc223",
        "kappa": "cc247817d4aa",
    }
