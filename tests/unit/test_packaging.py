"""What is said of the package in several files is said alike."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import yaml

import paraisite

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
BOUNDS = dict(re.fullmatch(r"([\w.-]+)>=([\d.]+)", line).groups() for line in PROJECT["dependencies"])  # type: ignore[union-attr]
UNTESTED = {"torch"}
"""Whose lowest version could not be had; see constraints-lowest.txt."""


def pins(name: str) -> dict[str, str]:
    return dict(re.findall(r"^([\w.-]+)==([\d.]+)", (ROOT / name).read_text("utf-8"), re.M))


def test_the_lowest_versions_are_those_that_the_project_allows() -> None:
    lowest = pins("constraints-lowest.txt")
    assert set(lowest) == set(BOUNDS)
    assert {
        name for name, bound in BOUNDS.items() if (lowest[name] + ".0.0").startswith(f"{bound}.") is False
    } <= UNTESTED


def test_every_dependency_is_pinned() -> None:
    named = {name for lines in PROJECT["optional-dependencies"].values() for name in lines} | set(
        PROJECT["dependencies"]
    )
    names = {re.match(r"[\w.-]+", line)[0] for line in named}  # type: ignore[index]
    assert names - {"paraisite"} <= set(pins("constraints.txt"))


def test_the_conda_recipe_asks_for_the_same() -> None:
    recipe = yaml.safe_load((ROOT / "recipe/recipe.yaml").read_text("utf-8"))
    asked = dict(line.split(" >=") for line in recipe["requirements"]["run"])
    assert asked.pop("python") == PROJECT["requires-python"].removeprefix(">=")
    assert asked == {{"torch": "pytorch", "PyYAML": "pyyaml"}.get(name, name): bound for name, bound in BOUNDS.items()}
    assert recipe["context"]["version"] == paraisite.__version__


def test_citation_and_archive_agree() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
    archive = json.loads((ROOT / ".zenodo.json").read_text("utf-8"))
    assert citation["version"] == paraisite.__version__
    assert archive["title"] == citation["title"]
    assert archive["creators"] == citation["authors"]
    assert archive["keywords"] == citation["keywords"]
    assert archive["license"] == citation["license"] == PROJECT["license"]
