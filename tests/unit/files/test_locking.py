"""`take_lock`: one process at a time, and nothing is done to what only bears the name of a lock."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from paraisite.files.locking import FolderBusy, locked, take_lock


def test_a_lock_is_taken_once(tmp_path: Path) -> None:
    with locked(tmp_path / "run"), pytest.raises(FolderBusy, match="another process"):
        take_lock(tmp_path / "run" / ".lock")
    with locked(tmp_path / "run"):
        pass


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    thesis = tmp_path / "thesis.tex"
    thesis.write_text("years of work")
    (tmp_path / ".lock").symlink_to(thesis)
    with pytest.raises(FolderBusy, match=r"\.lock: a link"):
        take_lock(tmp_path / ".lock")
    assert thesis.read_text() == "years of work"


def test_nothing_is_cut_off(tmp_path: Path) -> None:
    (tmp_path / ".lock").write_text("mine")
    file = take_lock(tmp_path / ".lock")
    assert file is not None
    file.close()
    assert (tmp_path / ".lock").read_text() == "mine"


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / ".lock")
    with pytest.raises(FolderBusy, match="pipe"):
        take_lock(tmp_path / ".lock")
