"""What the folder of a crystal is about, so that it is never gone on with as something else."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from paraisite.crystals.crystal import Crystal
from paraisite.phonons.cells import PhononError
from paraisite.phonons.settings import QuickSettings, Settings
from paraisite.replacing import replacing

INPUT = "input.json"
METHOD = 2
"""Raised when the same settings give other conductivities than before, so that no folder is half of either."""


def fingerprint(crystal: Crystal, settings: Settings | QuickSettings, born: str = "") -> str:
    """Sha256 of what a result depends on; the bounds of time and memory are no part of it."""
    made_of = {
        "cell": crystal.cell.tolist(),
        "numbers": crystal.numbers.tolist(),
        "positions": crystal.positions.tolist(),
        "settings": settings.model_dump(mode="json", exclude={"max_hours", "max_memory_GB"}),
        "born": born,
    }
    if isinstance(settings, Settings):
        made_of["method"] = METHOD
    return hashlib.sha256(json.dumps(made_of, sort_keys=True).encode()).hexdigest()


def claim(crystal: Crystal, folder: Path, settings: Settings | QuickSettings, born: str = "") -> str:
    """Write what the folder is about, and return its fingerprint.

    Raises
    ------
    PhononError
        If the folder is about another structure or other settings.
    """
    from paraisite.crystals.convert import to_ase

    mark = fingerprint(crystal, settings, born)
    folder.mkdir(parents=True, exist_ok=True)
    before = claimed(folder)
    if before is not None:
        if before != mark:
            raise PhononError(taken(folder))
        return mark
    with replacing(folder / "input.vasp") as aside:
        to_ase(crystal).write(aside, format="vasp", direct=True)
    made_of = {"id": crystal.id, "source": crystal.source, "formula": crystal.formula, "notes": crystal.notes}
    record = made_of | {"settings": settings.model_dump(mode="json"), "fingerprint": mark}
    with replacing(folder / INPUT) as aside:
        aside.write_text(json.dumps(record, ensure_ascii=False, indent=1), encoding="utf-8")
    return mark


def claimed(folder: Path) -> str | None:
    """Return the fingerprint of what a folder is about; None if it is about nothing yet."""
    path = folder / INPUT
    if not path.is_file():
        return None
    try:
        mark: str = json.loads(path.read_text(encoding="utf-8"))["fingerprint"]
    except (ValueError, TypeError, KeyError) as error:
        raise PhononError(f"{path}: not of this program ({error!r}); choose another folder with -o") from None
    return mark


def taken(folder: Path) -> str:
    """Say that a folder is about something else."""
    return (
        f"{folder} holds a calculation of another structure or with other settings, or an earlier version's; "
        "remove it, or choose another folder with -o"
    )
