"""What happens before a verb runs."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable

import pytest
from typer.testing import Result

VERBS = [
    "demo",
    "predict",
    "embed",
    "screen",
    "serve",
    "pack",
    "evaluate",
    "train",
    "models",
    "models list",
    "models info",
    "models fetch",
]


def test_help_imports_nothing_heavy() -> None:
    script = (
        "import sys\n"
        "from paraisite.cli.main import app\n"
        "for args in (['--help'], ['predict', '--help'], ['models', '--help']):\n"
        "    app(args, standalone_mode=False)\n"
        "heavy = {'fastapi', 'uvicorn', 'requests'}\n"
        "heavy |= {'torch', 'numpy', 'scipy', 'pyarrow', 'pymatgen', 'ase', 'gemmi', 'lightning', 'matplotlib'}\n"
        "print('HEAVY', sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert "HEAVY []" in done.stdout
    assert "evaluate" in done.stdout


@pytest.mark.parametrize("verb", ["", *VERBS])
def test_help_ends_with_examples(verb: str, invoke: Callable[..., Result]) -> None:
    out = invoke(*verb.split(), "--help").stdout
    assert "Examples:" in out
    assert f"\n    paraisite {verb}" in out


def test_version_names_libraries_and_devices(invoke: Callable[..., Result]) -> None:
    import torch

    import paraisite

    lines = invoke("--version").stdout.splitlines()
    assert lines[0] == f"paraisite {paraisite.__version__}"
    assert f"torch {torch.__version__}" in lines
    assert lines[-1].startswith("devices: cpu (")


@pytest.mark.parametrize(
    "args", [["no-such-verb"], ["predict"], ["predict", "a.cif", "--device", "abacus"], ["models", "x"]]
)
def test_wrong_words_are_wrong_usage(args: list[str], invoke: Callable[..., Result]) -> None:
    assert invoke(*args, code=2).stderr
