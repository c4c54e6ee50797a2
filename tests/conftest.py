"""Fixtures shared by all tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def mirror() -> Path:
    """The data folder: PARAISITE_MIRROR, else ../shared/data beside the repository; skips where there is none."""
    named = os.environ.get("PARAISITE_MIRROR")
    folder = Path(named) if named else REPOSITORY.parent / "shared" / "data"
    if not (folder / "l96" / "id_prop.csv").is_file():
        pytest.skip(f"no data folder at {folder}: set PARAISITE_MIRROR to one that holds l96/, hh143/, aflow_agl/")
    return folder.resolve()
