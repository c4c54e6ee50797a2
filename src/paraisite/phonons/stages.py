"""What a calculation has finished: one small JSON file for each stage, written when the stage is done."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from paraisite.replacing import replacing

FOLDER, MADE_FROM = "stages", "made_from"


def mark(*things: Any) -> str:
    """Return a digest of what a stage depends on, beyond what its whole folder does."""
    return hashlib.sha256(json.dumps(things, sort_keys=True).encode()).hexdigest()


def read(folder: Path, stage: str, made_from: str = "") -> dict[str, Any] | None:
    """Return what a stage left, or None if it was not finished; what it left of other settings is removed."""
    path = folder / FOLDER / f"{stage}.json"
    if not path.is_file():
        return None
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    if found.pop(MADE_FROM, "") != made_from:
        path.unlink()
        return None
    return found


def write(folder: Path, stage: str, record: dict[str, Any], made_from: str = "") -> None:
    """Keep what a stage found; numbers come back bit by bit."""
    (folder / FOLDER).mkdir(parents=True, exist_ok=True)
    with replacing(folder / FOLDER / f"{stage}.json") as aside:
        kept = record | {MADE_FROM: made_from}
        aside.write_text(json.dumps(kept, ensure_ascii=False, allow_nan=False), encoding="utf-8")
