"""What GitHub runs cannot run here; what its workflows name is here, and versions agree."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

import paraisite

REPOSITORY = Path(__file__).resolve().parents[3]
WORKFLOWS = sorted((REPOSITORY / ".github" / "workflows").glob("*.yml"))
FORMS = sorted((REPOSITORY / ".github" / "ISSUE_TEMPLATE").glob("*.yml"))
TARGETS = set(re.findall(r"^([a-z-]+):", (REPOSITORY / "Makefile").read_text(encoding="utf-8"), re.M))


def parsed(path: Path) -> dict[Any, Any]:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def steps(path: Path) -> list[dict[str, Any]]:
    return [step for job in parsed(path)["jobs"].values() for step in job["steps"]]


def commands(path: Path) -> list[str]:
    return [line.strip() for step in steps(path) for line in step.get("run", "").splitlines()]


def test_there_are_workflows_and_forms() -> None:
    assert {path.stem for path in WORKFLOWS} == {"release", "tests"}
    assert len(FORMS) >= 3


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow(path: Path) -> None:
    workflow = parsed(path)
    assert workflow[True]  # `on`, as YAML 1.1 reads it
    assert workflow["permissions"] == {"contents": "read"}
    for job in workflow["jobs"].values():
        assert job["timeout-minutes"] <= 90
        assert set(job.get("needs", "").split()) <= set(workflow["jobs"])
    for step in steps(path):
        assert ("uses" in step) != ("run" in step)
        if "uses" in step:  # a tag can be moved, a commit cannot
            assert re.fullmatch(r"[\w.-]+/[\w.-]+@[0-9a-f]{40}", step["uses"])
    pins = re.findall(r"uses: (\S+)@(\S+) # v[\d.]+$", path.read_text(encoding="utf-8"), re.M)
    assert len(pins) == sum("uses" in step for step in steps(path))


@pytest.mark.parametrize("path", [*WORKFLOWS, REPOSITORY / ".ci" / "run"], ids=lambda path: path.stem)
def test_what_is_named_exists(path: Path) -> None:
    lines = commands(path) if path.suffix == ".yml" else path.read_text(encoding="utf-8").splitlines()
    extras = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    for line in lines:
        assert set(re.findall(r"^\s*make ([a-z-]+)", line)) <= TARGETS
        for file in re.findall(r"(?:^| )(\.ci/\w+|tools/\w+\.py|[\w-]+\.txt)\b", line):
            assert (REPOSITORY / file).is_file(), file
        for extra in re.findall(r"\.\[([\w,]+)\]", line):
            assert set(extra.split(",")) <= set(extras["optional-dependencies"])
        for program in re.findall(r"(?:^|&& )(paraisite) ", line):
            assert program in extras["scripts"]


def test_nothing_is_left_out_of_the_checks() -> None:
    run = (REPOSITORY / ".ci" / "run").read_text(encoding="utf-8")
    called = set(re.findall(r"^\s*make ([a-z-]+)", run, re.M))
    assert called >= {"test", "test-slow", "lint", "types", "check", "fuzz"}
    first_line = dict(re.findall(r"^([a-z-]+):.*\n\t(.*)", (REPOSITORY / "Makefile").read_text(encoding="utf-8"), re.M))
    assert first_line["test"] == '$(PYTEST) -m "not slow"'
    assert first_line["test-slow"] == "$(PYTEST) -m slow"
    assert {".ci/run"} <= set(commands(REPOSITORY / ".github" / "workflows" / "tests.yml"))


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.stem)
def test_an_issue_form(path: Path) -> None:
    form = parsed(path)
    if path.stem == "config":
        assert set(form) == {"blank_issues_enabled"}
        return
    assert form["name"]
    assert form["description"]
    assert {part["type"] for part in form["body"]} <= {"textarea", "input", "dropdown", "markdown"}
    for part in form["body"]:
        assert part["attributes"]["label"]


def test_the_citation_names_the_version() -> None:
    assert parsed(REPOSITORY / "CITATION.cff")["version"] == paraisite.__version__
