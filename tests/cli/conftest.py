"""Runs the command line: within this process (fast), or in a process of its own."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "unit" / "crystals"))  # for bad_inputs


@pytest.fixture
def invoke() -> Callable[..., Result]:
    """Run `paraisite ARGS` and return exit code, stdout and stderr; a traceback fails the test."""

    def run(*args: object, code: int | None = 0) -> Result:
        from paraisite.cli.main import app

        result = CliRunner().invoke(app, [str(arg) for arg in args])
        assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
        assert "Traceback" not in result.output
        if code is not None:
            assert result.exit_code == code, result.output
        return result

    return run


@pytest.fixture
def start() -> Callable[..., subprocess.Popen[str]]:
    """Start `paraisite ARGS` as a process, with pipes for its streams."""

    def run(*args: object, **options: object) -> subprocess.Popen[str]:
        pipes = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
        command = [sys.executable, "-m", "paraisite.cli.main", *(str(arg) for arg in args)]
        # a shell that runs the tests in the background has its children ignore Ctrl-C
        heed: dict[str, object] = {}
        if sys.platform != "win32":
            heed = {"preexec_fn": lambda: signal.signal(signal.SIGINT, signal.default_int_handler)}
        return subprocess.Popen(command, text=True, **(pipes | heed | options))  # type: ignore[call-overload,no-any-return]

    return run


@pytest.fixture
def crystals(tiny_dataset: Path) -> list[Path]:
    """A few good CIFs."""
    return sorted(tiny_dataset.glob("*.cif"))[:4]
