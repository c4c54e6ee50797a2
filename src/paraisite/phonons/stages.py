"""What a calculation has finished: one small JSON file for each stage, written when the stage is done."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from paraisite.replacing import replacing

FOLDER = "stages"


def read(folder: Path, stage: str) -> dict[str, Any] | None:
    """Return what a stage left, or None if it was not finished."""
    path = folder / FOLDER / f"{stage}.json"
    if not path.is_file():
        return None
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def write(folder: Path, stage: str, record: dict[str, Any]) -> None:
    """Keep what a stage found; numbers come back bit by bit."""
    (folder / FOLDER).mkdir(parents=True, exist_ok=True)
    with replacing(folder / FOLDER / f"{stage}.json") as aside:
        aside.write_text(json.dumps(record, ensure_ascii=False, allow_nan=False), encoding="utf-8")
