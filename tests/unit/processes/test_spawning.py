"""Processes that Ctrl-C does not reach."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import signal
from multiprocessing import get_context

from paraisite.processes.spawning import deaf


def tell(pipe):
    pipe.send(signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, ()))


def start():
    ours, theirs = context.Pipe()
    context.Process(target=tell, args=(theirs,)).start()
    return ours


if __name__ == "__main__":
    context = get_context("spawn")
    with deaf():
        pipes = [start(), start()]
    pipes.append(start())
    print([pipe.recv() for pipe in pipes])
"""


@pytest.mark.skipif(os.name == "nt", reason="Windows has no mask of signals")
def test_even_the_first_process_does_not_hear(tmp_path: Path) -> None:
    """In a fresh interpreter: the first process starts the resource tracker, and that unblocks signals."""
    (tmp_path / "program.py").write_text(PROGRAM)
    result = subprocess.run([sys.executable, tmp_path / "program.py"], capture_output=True, text=True, timeout=120)
    assert result.stdout == "[True, True, False]\n", result.stderr


@pytest.mark.skipif(os.name == "nt", reason="Windows has no mask of signals")
def test_the_mask_is_given_back() -> None:
    from paraisite.processes.spawning import deaf

    before = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    with pytest.raises(InterruptedError), deaf():
        raise InterruptedError
    assert signal.pthread_sigmask(signal.SIG_BLOCK, ()) == before
