"""`Result`: what a calculation found; result.json is one."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from paraisite.files.writing import write_json

RESULT = "result.json"
Status = Literal["ok", "unstable", "failed"]


@dataclass(slots=True)
class Result:
    """The outcome for one crystal.

    Attributes
    ----------
    id, source, formula : str
    status : {"ok", "unstable", "failed"}
        ``unstable``: imaginary modes, and no conductivity unless `force` was set.
    reason : str
        Of anything but ``ok``, with what a person can do.
    notes : list of str
        What to know when the numbers are used.
    space_group : str
    n_primitive : int or None
        Atoms of the primitive cell.
    kappa_W_mK : float or None
        Isotropic average at 300 K, the coherence term included where it was computed.
    kappa_coherence_W_mK : float or None
        That term.
    mesh : list of int or None
    mesh_change : float or None
        Relative change of the conductivity at 300 K (of phonons as particles) from the next coarser mesh; None where
        there was one mesh only.
    long_lived_share : float or None
        Share of the conductivity carried by modes weakly scattered by three-phonon processes (`cumulative.long_lived`).
    min_frequency_THz : float or None
        Lowest phonon frequency; imaginary ones are negative.
    seconds, cpu_seconds : float
        Of all stages together, those that an interrupted run had finished included; the second is the same on a busy
        machine.
    details : dict
        Of every stage: settings, cells, displacements, tensors over temperature, timings, versions.
    """

    id: str
    source: str
    formula: str
    status: Status = "ok"
    reason: str = ""
    notes: list[str] = field(default_factory=list)
    space_group: str = ""
    n_primitive: int | None = None
    kappa_W_mK: float | None = None
    kappa_coherence_W_mK: float | None = None
    mesh: list[int] | None = None
    mesh_change: float | None = None
    long_lived_share: float | None = None
    min_frequency_THz: float | None = None
    seconds: float = 0.0
    cpu_seconds: float = 0.0
    details: dict[str, Any] = field(default_factory=dict)

    def write(self, folder: Path) -> None:
        """Write result.json."""
        write_json(folder / RESULT, asdict(self), end="", ensure_ascii=False, allow_nan=False)

    @classmethod
    def read(cls, folder: Path) -> Result | None:
        """Read result.json; None if there is none."""
        path = folder / RESULT
        if not path.is_file():
            return None
        try:
            found = cls(**json.loads(path.read_text(encoding="utf-8")))
            if found.status not in get_args(Status) or not isinstance(found.details, dict):
                raise ValueError("no status or details")
            return found
        except (ValueError, TypeError, RecursionError) as error:
            raise ValueError(f"{path}: damaged, or not a result of this version ({error})") from None


def package_versions() -> dict[str, str]:
    """Return the versions of what a result was computed with."""
    from importlib.metadata import PackageNotFoundError, version

    from paraisite.versions import versions

    found = versions()
    for package in ("phono3py", "phonopy", "symfc", "phonors", "matgl", "nequix", "jax"):
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found
