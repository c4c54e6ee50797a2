"""The page that is committed is what its sources build to."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest

import paraisite
from paraisite.web.app import STATIC

PACKAGE = Path(paraisite.__file__).parent
PAGE = Path(__file__).resolve().parents[3] / "page"


@pytest.mark.slow
def test_sources_build_to_the_same_bytes(tmp_path: Path) -> None:
    node = shutil.which("node")
    if node is None or not (PAGE / "node_modules").is_dir():
        pytest.skip("needs node, and `npm --prefix page ci --ignore-scripts` before")
    subprocess.run([node, PAGE / "build.mjs", tmp_path], check=True, capture_output=True, timeout=120)
    built = {path.relative_to(tmp_path): path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert {path.name for path in built if path.parent.name == "static"} == {path.name for path in STATIC.iterdir()}
    for path, content in built.items():
        assert content == (PACKAGE / path).read_bytes(), f"{path}: run make page"


def test_the_lock_names_no_addresses_and_the_licences_name_every_package() -> None:
    packages = json.loads((PAGE / "package-lock.json").read_text(encoding="utf-8"))["packages"]
    assert not [name for name, package in packages.items() if "resolved" in package]
    licences = (STATIC / "THIRD-PARTY-LICENSES").read_text(encoding="utf-8")
    listed = set(re.findall(r"^(\S+) [\d.]+ \(.+\)$", licences, re.MULTILINE))
    bundled = {
        name.removeprefix("node_modules/") for name, package in packages.items() if name and not package.get("dev")
    }
    assert listed <= bundled
    assert {"3dmol", "pako", "d3-scale", "fflate"} <= listed
    plots = (PACKAGE / "screening" / "report" / "plots.js").read_text(encoding="utf-8")
    assert "d3-scale" in plots.partition("*/")[0]
