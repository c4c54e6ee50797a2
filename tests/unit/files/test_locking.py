"""`take_lock`: one process at a time, and nothing is done to what only bears the name of a lock."""

from __future__ import annotations

import os
import subprocess
import sys
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
    take_lock(tmp_path / ".lock").release()
    assert (tmp_path / ".lock").read_text() == "mine"


def test_a_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / ".lock")
    with pytest.raises(FolderBusy, match="pipe"):
        take_lock(tmp_path / ".lock")


def test_a_folder_is_no_lock(tmp_path: Path) -> None:
    (tmp_path / ".lock").mkdir()
    with pytest.raises(FolderBusy, match="folder"):
        take_lock(tmp_path / ".lock")


def test_a_killed_process_leaves_no_lock(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from paraisite.files.locking import take_lock;"
        "lock = take_lock(Path(sys.argv[1])); print('taken', flush=True); time.sleep(60)"
    )
    path = tmp_path / ".lock"
    with subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "taken\n"
        with pytest.raises(FolderBusy, match=f"{tmp_path} is in use by another process"):
            take_lock(path)
        process.kill()
        process.wait()
    take_lock(path).release()
