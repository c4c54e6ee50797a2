"""Which calculation the folder of a crystal belongs to, so that only that one is resumed in it."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from paraisite.crystals.crystal import Crystal
from paraisite.files.replacing import replacing
from paraisite.files.writing import write_json
from paraisite.phonons import stages
from paraisite.phonons.cells import PhononError
from paraisite.phonons.force_constants import FORCES
from paraisite.phonons.result import RESULT
from paraisite.phonons.settings import QuickSettings, Settings

if TYPE_CHECKING:
    from paraisite.model.lifetime import Expected

INPUT = "input.json"
MADE = (
    "relaxed.vasp", "forces.npz", "fc2.hdf5", "fc3.hdf5", "phono3py_params.yaml.xz", "band.yaml.xz", "total_dos.dat",
    "cumulative.csv",
)  # fmt: skip
"""Files of a calculation that would be lost if they were someone else's."""
METHOD = 3
"""Raised when the same settings give other conductivities than before, so that no folder is half of either."""
QUICK_METHOD = 4
"""The same of quick looks; those before had no conductivity."""

BOUNDS = {"max_hours", "max_memory_GB"}
LATE = {
    "temperatures", "mesh", "mesh_lengths", "mesh_tolerance", "max_mesh_work", "lbte", "coherence", "isotopes",
    "imaginary", "force",
}  # fmt: skip
"""Settings that forces do not depend on: a calculation can be resumed after they change."""


class Taken(PhononError):
    """A folder belongs to another calculation."""

    def __init__(self, folder: Path, what: str = "") -> None:
        super().__init__(
            what
            or f"{folder} belongs to another calculation (another structure, other settings or another version); "
            "choose another folder with -o (crystals of one id have to be named in the order of the first run)"
        )


def fingerprint(
    crystal: Crystal, settings: Settings | QuickSettings, born: str = "", expected: Expected | None = None
) -> str:
    """Sha256 of what a result depends on; the bounds of time and memory are not part of it."""
    said = [] if expected is None else [asdict(expected)]
    return stages.mark(_made_of(crystal, settings, BOUNDS), born, *said)


def forces_fingerprint(crystal: Crystal, settings: Settings | QuickSettings) -> str:
    """Sha256 of what relaxation and force constants depend on; the same for all that a folder ever holds."""
    return stages.mark(_made_of(crystal, settings, BOUNDS | LATE))


def _made_of(crystal: Crystal, settings: Settings | QuickSettings, without: set[str]) -> dict[str, Any]:
    isotope = {} if crystal.hydrogen_mass is None else {"hydrogen_mass": crystal.hydrogen_mass}
    return isotope | {
        "cell": crystal.cell.tolist(),
        "numbers": crystal.numbers.tolist(),
        "positions": crystal.positions.tolist(),
        "settings": settings.model_dump(mode="json", exclude=without),
        "method": QUICK_METHOD if isinstance(settings, QuickSettings) else METHOD,
    }


def claim(crystal: Crystal, folder: Path, settings: Settings | QuickSettings) -> str:
    """Write what the folder is about, and return the fingerprint of its forces.

    Raises
    ------
    Taken
        If the folder is about another structure or other settings.
    """
    mark = forces_fingerprint(crystal, settings)
    folder.mkdir(parents=True, exist_ok=True)
    for path in folder.glob(".*.part"):  # half-written when its process was killed
        path.unlink(missing_ok=True)
    before = claimed(folder)
    if before:
        if before != mark:
            raise Taken(folder)
        return mark
    stages.forget(folder)  # of what is not known: it is all done again
    (folder / FORCES).unlink(missing_ok=True)
    with replacing(folder / "input.vasp") as aside:
        crystal.to_ase().write(aside, format="vasp", direct=True)
    made_of = {"id": crystal.id, "source": crystal.source, "formula": crystal.formula, "notes": crystal.notes}
    record = made_of | {"settings": settings.model_dump(mode="json", exclude=BOUNDS | LATE), "fingerprint": mark}
    write_json(folder / INPUT, record, end="", ensure_ascii=False)
    return mark


def claimed(folder: Path) -> str | None:
    """Return the fingerprint of the forces of a folder; None if it is about nothing yet, "" if that is damaged.

    Raises
    ------
    Taken
        If its files are not those of a calculation of ours.
    """
    path = folder / INPUT
    if not path.is_file():
        if (folder / stages.FOLDER).is_dir() or _is_result(folder / RESULT):
            return ""
        for name in (RESULT, *MADE):
            if (folder / name).exists():
                raise Taken(folder, f"{folder / name}: not written by paraisite; choose another folder with -o")
        return None
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError):
        return ""
    if not isinstance(record, dict) or not isinstance(record.get("fingerprint"), str):
        raise Taken(folder, f"{path}: not written by paraisite (no fingerprint); choose another folder with -o")
    mark: str = record["fingerprint"]
    return mark


def _is_result(path: Path) -> bool:
    """Whether a file begins as `Result.write` begins it."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(6) == b'{\n "id'
