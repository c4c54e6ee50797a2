"""One service for the tests of a process."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("fastapi", reason="the service needs the extra [serve]")
pytest.importorskip("python_multipart", reason="the service needs the extra [serve]")

from services import Running, serving

import paraisite

EXAMPLES = Path(paraisite.__file__).parent / "examples" / "crystals"


@pytest.fixture(scope="session")
def service() -> Iterator[Running]:
    with serving("--workers", 2) as running:
        yield running


@pytest.fixture(scope="session")
def cif() -> bytes:
    return (EXAMPLES / "Si.cif").read_bytes()
