"""Every bad input ends in rejections with file, place and remedy; good neighbours come through."""

from __future__ import annotations

import io
import os
import re
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from bad_inputs import BAD_INPUTS, GOOD, SAYS, cif

from paraisite.crystals import Crystal, Rejection, count, read

VERBS = (
    "again|add|attempt|check|correct|copy|export|give|known formats|needs|pack|quote|remove|rename|replace|report|"
    "split|unpack|write|set|take"
)


@pytest.mark.parametrize("name", BAD_INPUTS)
def test_bad_input_is_rejected_with_file_and_remedy(name: str, tmp_path: Path) -> None:
    path = BAD_INPUTS[name](tmp_path)
    items = list(read([path]))
    rejections = [item for item in items if isinstance(item, Rejection)]
    assert len(items) - len(rejections) == GOOD.get(name, 0)
    assert rejections, "nothing was rejected"
    assert any(re.search(SAYS[name], r.reason) for r in rejections), [r.reason for r in rejections]
    for rejection in rejections:
        assert rejection.source.startswith(str(path))
        assert rejection.id
        assert ";" in rejection.reason
        assert re.search(VERBS, rejection.reason.rsplit(";", 1)[1]), "no remedy"
        assert "\n" not in rejection.reason
        assert "please report" not in rejection.reason, "an exception that no reader foresaw"
    estimate = count([path])
    assert estimate is None or estimate >= 1


def test_bad_inputs_do_not_stop_the_run(tmp_path: Path) -> None:
    good = tmp_path / "good.cif"
    good.write_text(cif())
    inputs = [good]
    for name, build in BAD_INPUTS.items():
        folder = tmp_path / name
        folder.mkdir()
        inputs += [build(folder), good]
    items = list(read(inputs))
    from_good = [item for item in items if item.source == str(good)]
    assert len(from_good) == len(BAD_INPUTS) + 1
    assert all(isinstance(item, Crystal) for item in from_good)


def test_nothing_outside_the_archive_is_written(tmp_path: Path) -> None:
    folder = tmp_path / "inner"
    folder.mkdir()
    path = BAD_INPUTS["zip_with_parent_names"](folder)
    list(read([path]))
    assert [p.name for p in tmp_path.rglob("*") if p.is_file()] == [path.name]


def test_a_foreign_database_is_left_as_it_was(tmp_path: Path) -> None:
    path = BAD_INPUTS["database_of_something_else"](tmp_path)
    before = path.read_bytes()
    list(read([path]))
    assert path.read_bytes() == before


@pytest.mark.parametrize("content", [b"", b"\0\1\2junk", b"hello"])
def test_bad_standard_input(content: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(content)))
    (item,) = read(["-"])
    assert isinstance(item, Rejection)
    assert item.source == "-"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_unreadable_file_and_folder(tmp_path: Path) -> None:
    file, folder = tmp_path / "a.cif", tmp_path / "folder"
    file.write_text(cif())
    folder.mkdir()
    file.chmod(0)
    folder.chmod(0)
    try:
        items = list(read([file, folder]))
    finally:
        folder.chmod(0o700)
    assert all(isinstance(item, Rejection) and "permissions" in item.reason for item in items)
    assert len(items) == 2
