"""Starting processes: with an environment of their own, and deaf to Ctrl-C, which a terminal sends to all of them."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "RAYON_NUM_THREADS")
"""How many threads OpenMP, linear algebra and Rust (phono3py's kernels) take; they read it as they are loaded."""


def one_thread() -> dict[str, str]:
    """Variables with which a process, and jax in it, takes one thread."""
    flags = os.environ.get("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false")
    return dict.fromkeys(THREADS, "1") | {"XLA_FLAGS": flags}


@contextmanager
def environment(values: Mapping[str, str]) -> Iterator[None]:
    """Have variables of the environment, which processes started within inherit, for a while."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


@contextmanager
def held(*signals: signal.Signals) -> Iterator[None]:
    """Hold signals back until the end; on Windows nothing is changed."""
    hold = getattr(signal, "pthread_sigmask", None)
    if hold is None:
        yield
        return
    before = hold(signal.SIG_BLOCK, signals)
    try:
        yield
    finally:
        hold(signal.SIG_SETMASK, before)


@contextmanager
def deaf() -> Iterator[None]:
    """Have processes that are spawned within never hear Ctrl-C; the mask of signals is inherited.

    `ignore_interrupts`, which they may call themselves, comes too late for their imports, but works on Windows, too.
    """
    if hasattr(signal, "pthread_sigmask"):
        from multiprocessing import resource_tracker

        resource_tracker.ensure_running()  # started by the first process, it would unblock what is blocked here
    with held(signal.SIGINT):
        yield


def ignore_interrupts() -> None:
    """Have this process ignore Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
