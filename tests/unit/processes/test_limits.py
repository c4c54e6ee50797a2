"""What not every operating system has: the package imports without it, and says what it then cannot tell."""

from __future__ import annotations

import os
import pkgutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import numpy as np
import pytest

import paraisite
from paraisite.processes.limits import TimeExceeded, cores, limited, memory_GB, peak_memory_MB

ABSENT_ON_WINDOWS = ("resource", "fcntl", "termios", "pwd", "grp", "pty", "tty", "curses", "readline", "syslog")
EXTRAS = {"ray", "jax", "nequix", "matgl", "equinox", "e3nn_jax", "jraph", "matminer"}

PROGRAM = """
import signal, sys, os, importlib

# what the libraries below take from the system is theirs to do without
import torch, numpy, scipy.stats, pyarrow.parquet, pymatgen.core, ase.io, typer, rich, requests, filelock  # noqa
for optional in ("lightning", "optuna", "sklearn", "matplotlib.pyplot", "phono3py", "symfc", "mp_api.client"):
    try:
        importlib.import_module(optional)
    except ImportError:
        pass
absent, extras, modules = (line.split() for line in sys.stdin)
for name in absent:
    sys.modules[name] = None
for name in ("SIGALRM", "SIGKILL", "SIGHUP", "setitimer", "pthread_sigmask", "alarm"):
    vars(signal).pop(name, None)
for name in ("fork", "killpg", "setsid", "sched_getaffinity", "geteuid"):
    vars(os).pop(name, None)
for name in modules:
    try:
        importlib.import_module(name)
    except ImportError as error:
        if (error.name or "").split(".")[0] not in extras:
            raise
from paraisite.processes.limits import cores, limited, peak_memory_MB
with limited(1e-3):
    sum(range(1_000_000))
print(cores(), peak_memory_MB())
"""


def modules() -> Iterator[str]:
    for found in pkgutil.walk_packages(paraisite.__path__, "paraisite."):
        yield found.name


@pytest.mark.slow
def test_every_module_imports_where_the_system_is_not_posix() -> None:
    names = list(modules())
    assert len(names) > 150
    given = "\n".join(" ".join(words) for words in (ABSENT_ON_WINDOWS, sorted(EXTRAS), names))
    done = subprocess.run([sys.executable, "-c", PROGRAM], input=given, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == [str(os.cpu_count()), "None"]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="other systems do not tell")
def test_memory_of_processes() -> None:
    before = memory_GB(os.getpid())
    held = np.ones(25_000_000)  # 200 MB
    assert memory_GB(os.getpid()) - before == pytest.approx(0.2, rel=0.2)
    assert (peak_memory_MB() or 0) * 1e-3 >= memory_GB(os.getpid()) * 0.9  # Linux counts in batches of pages
    assert held[0] == 1
    assert memory_GB(None) == 0


def test_cores() -> None:
    assert 1 <= cores() <= (os.cpu_count() or 1)


@pytest.mark.skipif(not hasattr(signal, "SIGALRM"), reason="the system has no alarm")
def test_waiting_for_the_processor_is_not_slow() -> None:
    with limited(0.2):
        time.sleep(0.4)  # as a process does on a busy machine
    with pytest.raises(TimeExceeded), limited(0.2):
        time.sleep(60)  # a hang ends nevertheless
    begin = time.process_time()
    with pytest.raises(TimeExceeded), limited(0.2):  # noqa: PT012
        while time.process_time() < begin + 10:
            pass
    assert time.process_time() < begin + 5
