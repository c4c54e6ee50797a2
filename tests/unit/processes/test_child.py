"""`Child`: it works, can be ended, and does not outlive the process that started it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

PROGRAM = """
import os
import time

from paraisite.processes.child import Child


def serve(pipe, power):
    pipe.send(os.getpid())
    while True:
        pipe.send(pipe.recv() ** power)


if __name__ == "__main__":
    child, other = Child(serve, 2), Child(serve, 3)
    pids = child.pipe.recv(), other.pipe.recv()
    child.pipe.send(7)
    other.pipe.send(7)
    print(child.pipe.recv(), other.pipe.recv())
    child.end()
    print(child.process.exitcode)
    print(pids[1], flush=True)
    time.sleep(60)
"""


@pytest.mark.skipif(os.name == "nt", reason="looks for a process by its id")
def test_it_works_ends_and_leaves_with_its_parent(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(PROGRAM)
    with subprocess.Popen([sys.executable, str(tmp_path / "program.py")], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        said = [parent.stdout.readline().strip() for _ in range(3)]
        assert said[:2] == ["49 343", str(-signal.SIGKILL)]
        parent.kill()
    deadline = time.monotonic() + 10
    while _runs(int(said[2])):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    status = Path(f"/proc/{pid}/stat")  # what nobody waits for any more may stay as a zombie
    return not (status.exists() and status.read_text().rpartition(")")[2].split()[0] == "Z")
