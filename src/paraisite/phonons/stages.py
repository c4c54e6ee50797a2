"""What a calculation has finished: one small JSON file for each stage, written when the stage is done.

It holds checksums of itself and of the larger files that the stage made: a stage of which anything is damaged is done
again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from paraisite.files.writing import write_json
from paraisite.network.downloading import sha256

FOLDER, MADE_FROM = "stages", "made_from"
FILES, CHECK = "files", "check"
"""Keys of the checksums of files, and of all else in a record; those of earlier versions have none."""


def mark(*things: Any) -> str:
    """Return a digest of what a stage depends on, beyond what its whole folder does."""
    return hashlib.sha256(json.dumps(things, sort_keys=True).encode()).hexdigest()


def read(
    folder: Path, stage: str, made_from: str = "", say: Callable[[str], None] = lambda text: None
) -> dict[str, Any] | None:
    """Return what a stage left, or None if it was not finished.

    What it left of other settings is removed; so is what is damaged, which `say` is told.
    """
    path = folder / FOLDER / f"{stage}.json"
    if not path.is_file():
        return None
    damaged = path
    try:
        found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        check = found.pop(CHECK, None)
        if check is not None and check != mark(found):
            raise ValueError
        before, files = found.pop(MADE_FROM), found.pop(FILES, {})
        if before == made_from:
            for name, digest in files.items():
                damaged = folder / name
                if sha256(damaged) != digest:
                    raise ValueError
            return found
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        say(f"{damaged}: missing or damaged; the stage {stage} is repeated")
    path.unlink()
    return None


def write(folder: Path, stage: str, record: dict[str, Any], made_from: str = "", files: Iterable[str] = ()) -> None:
    """Keep what a stage found, numbers bit by bit, and what its files hold."""
    (folder / FOLDER).mkdir(parents=True, exist_ok=True)
    kept = record | {MADE_FROM: made_from, FILES: {name: sha256(folder / name) for name in files}}
    kept = json.loads(json.dumps(kept, allow_nan=False))
    whole = kept | {CHECK: mark(kept)}
    write_json(folder / FOLDER / f"{stage}.json", whole, indent=None, end="", ensure_ascii=False)


def forget(folder: Path) -> None:
    """Have nothing be finished."""
    for path in (folder / FOLDER).glob("*.json"):
        path.unlink()
