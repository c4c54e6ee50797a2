"""What the folder of a crystal is about, so that it is never gone on with as something else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from paraisite.crystals.crystal import Crystal
from paraisite.phonons import stages
from paraisite.phonons.cells import PhononError
from paraisite.phonons.settings import QuickSettings, Settings
from paraisite.replacing import replacing

INPUT = "input.json"
METHOD = 3
"""Raised when the same settings give other conductivities than before, so that no folder is half of either."""


BOUNDS = {"max_hours", "max_memory_GB"}
LATE = {
    "temperatures", "mesh", "mesh_lengths", "mesh_tolerance", "max_mesh_work", "lbte", "coherence", "isotopes",
    "imaginary", "force",
}  # fmt: skip
"""Settings that forces do not depend on: a calculation can be gone on with after a change of these."""


class Taken(PhononError):
    """A folder is about something else."""

    def __init__(self, folder: Path) -> None:
        super().__init__(
            f"{folder} holds a calculation of another structure or with other settings, or an earlier version's; "
            "choose another folder with -o (crystals of one id have to be named in the order of the first run)"
        )


def fingerprint(crystal: Crystal, settings: Settings | QuickSettings, born: str = "") -> str:
    """Sha256 of what a result depends on; the bounds of time and memory are no part of it."""
    return stages.mark(_made_of(crystal, settings, BOUNDS), born)


def forces_fingerprint(crystal: Crystal, settings: Settings | QuickSettings) -> str:
    """Sha256 of what relaxation and force constants depend on; the same for all that a folder ever holds."""
    return stages.mark(_made_of(crystal, settings, BOUNDS | LATE))


def _made_of(crystal: Crystal, settings: Settings | QuickSettings, without: set[str]) -> dict[str, Any]:
    return {
        "cell": crystal.cell.tolist(),
        "numbers": crystal.numbers.tolist(),
        "positions": crystal.positions.tolist(),
        "settings": settings.model_dump(mode="json", exclude=without),
        "method": METHOD,
    }


def claim(crystal: Crystal, folder: Path, settings: Settings | QuickSettings) -> str:
    """Write what the folder is about, and return the fingerprint of its forces.

    Raises
    ------
    Taken
        If the folder is about another structure or other settings.
    """
    from paraisite.crystals.convert import to_ase

    mark = forces_fingerprint(crystal, settings)
    folder.mkdir(parents=True, exist_ok=True)
    before = claimed(folder)
    if before is not None:
        if before != mark:
            raise Taken(folder)
        return mark
    with replacing(folder / "input.vasp") as aside:
        to_ase(crystal).write(aside, format="vasp", direct=True)
    made_of = {"id": crystal.id, "source": crystal.source, "formula": crystal.formula, "notes": crystal.notes}
    record = made_of | {"settings": settings.model_dump(mode="json", exclude=BOUNDS | LATE), "fingerprint": mark}
    with replacing(folder / INPUT) as aside:
        aside.write_text(json.dumps(record, ensure_ascii=False, indent=1), encoding="utf-8")
    return mark


def claimed(folder: Path) -> str | None:
    """Return the fingerprint of the forces of a folder; None if it is about nothing yet."""
    path = folder / INPUT
    if not path.is_file():
        return None
    try:
        mark: str = json.loads(path.read_text(encoding="utf-8"))["fingerprint"]
    except (ValueError, TypeError, KeyError) as error:
        raise PhononError(f"{path}: not of this program ({error!r}); choose another folder with -o") from None
    return mark
