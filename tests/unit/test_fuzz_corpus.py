"""Every seed of fuzz/corpus obeys the rule that the fuzzing holds readers to; needs no fuzzer, so runs everywhere."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))  # for fuzz
from fuzz.rule import Finding, broken, items, judge  # noqa: E402
from fuzz.targets import TARGETS  # noqa: E402

from paraisite.crystals import Crystal, Rejection  # noqa: E402
from paraisite.crystals.read import read_member  # noqa: E402

SEEDS = sorted(path for path in (ROOT / "fuzz" / "corpus").glob("*/*") if path.parent.name in TARGETS)


@pytest.mark.parametrize("path", SEEDS, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_the_rule_holds_for(path: Path) -> None:
    target = TARGETS[path.parent.name]
    judge(target.check, target.errors(), path.read_bytes())


def test_every_target_has_seeds_that_fit_and_its_dictionary() -> None:
    assert {path.parent.name for path in SEEDS} == set(TARGETS)
    assert all(path.stat().st_size <= TARGETS[path.parent.name].longest for path in SEEDS)
    named = {target.dictionary for target in TARGETS.values()} - {""}
    assert {path.stem for path in (ROOT / "fuzz" / "dictionaries").iterdir()} == named


def test_frames_parted_by_a_separator_of_ascii_are_all_there() -> None:
    frame = (ROOT / "fuzz" / "corpus" / "xyz" / "one.xyz").read_bytes()
    assert [type(row) for row in read_member("x.xyz", frame + b"\x1e" + frame, "x.zip")] == [Crystal, Crystal]


def _raises(data: bytes, folder: Path) -> None:
    raise KeyError("x")


def _loses(data: bytes, folder: Path) -> None:
    items([], n=1)


def _speaks_python(data: bytes, folder: Path) -> None:
    items([Rejection("x", "x", "TypeError: float() argument must be a string")])


def _writes(data: bytes, folder: Path) -> None:
    (folder.parent / f"{folder.name}-beside").write_text("")
    (folder.parent / f"{folder.name}-beside").unlink()


def _says_so(data: bytes, folder: Path) -> None:
    broken("anything")


@pytest.mark.parametrize("check", [_raises, _loses, _speaks_python, _writes, _says_so])
def test_the_rule_is_broken_by(check: object) -> None:
    with pytest.raises(Finding):
        judge(check, (ValueError,), b"")  # type: ignore[arg-type]


def _fails_as_stated(data: bytes, folder: Path) -> None:
    raise ValueError("the file is empty; write it again")


def test_a_stated_error_is_an_answer() -> None:
    judge(_fails_as_stated, (ValueError,), b"")
    with pytest.raises(Finding):
        judge(_fails_as_stated, (), b"")
