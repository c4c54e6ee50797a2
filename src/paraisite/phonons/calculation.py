"""`calculate`: one crystal, stage after stage, in a folder of its own."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from paraisite.crystals.crystal import Crystal
from paraisite.files.printable import counted
from paraisite.files.replacing import replacing
from paraisite.phonons import stages
from paraisite.phonons.cells import PhononError, choose_supercells, plane_spacing
from paraisite.phonons.charges import read_born
from paraisite.phonons.claim import claim, fingerprint
from paraisite.phonons.conductivity import check_isotopes
from paraisite.phonons.cumulative import LONG, SHARE, cumulative, long_lived, write_cumulative
from paraisite.phonons.estimate import check, estimate
from paraisite.phonons.force_constants import (
    displace,
    fit,
    measure,
    new_phono3py,
    read_force_constants,
    write_force_constants,
)
from paraisite.phonons.mesh import change, converge
from paraisite.phonons.result import Result, package_versions
from paraisite.phonons.settings import Settings
from paraisite.phonons.stability import BANDS, DOS, polar, stability, to_phonopy, write_harmonic
from paraisite.potentials.cells import StandardCell, standard_cell
from paraisite.potentials.relax import relax

if TYPE_CHECKING:
    from ase.calculators.calculator import Calculator
    from phono3py import Phono3py

Say = Callable[[str], None]

SMALL = 9.0
"""Å; a supercell with a smaller inscribed sphere is worth a note."""


class Clock:
    """Seconds, and processor seconds, of each stage; an earlier, interrupted run's are kept with its stages."""

    def __init__(self) -> None:
        self.laps: dict[str, tuple[float, float]] = {}
        self._start = self._now()

    @staticmethod
    def _now() -> tuple[float, float]:
        return time.perf_counter(), time.process_time()

    def lap(self, stage: str) -> tuple[float, float]:
        """End a stage."""
        now = self._now()
        self.laps[stage] = (now[0] - self._start[0], now[1] - self._start[1])
        self._start = now
        return self.laps[stage]

    def keep(self, stage: str, seconds: Sequence[float]) -> None:
        """Take a stage over from an earlier run."""
        self.laps[stage] = (seconds[0], seconds[1])
        self._start = self._now()


def calculate(
    crystal: Crystal,
    folder: Path,
    calculator: Calculator,
    settings: Settings,
    *,
    born: str = "",
    say: Say = lambda text: None,
    tick: Callable[[int, int], None] = lambda done, total: None,
    expect: Callable[[float], None] = lambda seconds: None,
) -> Result:
    """Compute the conductivity of one crystal; finished stages in the folder are not repeated.

    Parameters
    ----------
    crystal : Crystal
    folder : Path
        For this crystal alone.
    calculator : ase.calculators.calculator.Calculator
        Energy, forces and stress in ASE's units.
    settings : Settings
    born : str
        Content of a BORN file (phonopy's format, for the standardised primitive cell); empty without one.
    say, tick : callable
        Told what begins, and how many supercells of how many are done.
    expect : callable
        Told how many seconds forces and fit will take, before they begin.

    Raises
    ------
    PhononError
        If it cannot be done within the bounds, or not sensibly.
    """
    mark = claim(crystal, folder, settings)
    clock = Clock()
    result = Result(crystal.id, crystal.source, crystal.formula)
    details = result.details = {
        "settings": settings.model_dump(mode="json"),
        "fingerprint": fingerprint(crystal, settings, born),
    }
    if settings.isotopes:
        check_isotopes(crystal.numbers)

    cell = _relaxed(crystal, folder, calculator, settings, details, clock, say)
    cell = replace(cell, hydrogen_mass=crystal.hydrogen_mass)
    result.space_group = cell.space_group
    if crystal.hydrogen_mass is not None:
        result.notes.append(f"hydrogen has a mass of {crystal.hydrogen_mass:.3f} u")
    if before := details["relaxation"].get("from_space_group"):
        result.notes.append(f"relaxed from {before} into {cell.space_group}")
    ph3 = new_phono3py(cell, *choose_supercells(cell, settings))
    charges = read_born(born, ph3.primitive) if born else None
    _force_constants(ph3, folder, calculator, settings, mark, details, clock, say, tick, expect)
    result.n_primitive = len(ph3.primitive)
    across = details["supercell"]["inscribed_sphere"]
    if across < SMALL:
        n_atoms = details["supercell"]["n_atoms"]
        result.notes.append(
            f"the supercell of {counted(n_atoms, 'atom')} is only {across:.1f} Å across; raise --max-atoms"
        )
    if settings.fc3_cutoff is None and (cutoff := details["displacements"]["fc3_cutoff"]) is not None:
        result.notes.append(
            f"third-order force constants beyond {cutoff:.1f} Å are neglected to limit their number; this may change "
            "kappa by 10 %, a shorter cutoff by more"
        )
    if charges is not None:
        ph3.nac_params = charges
    elif polar(cell.numbers):
        result.notes.append(
            "without the non-analytical term correction: in a polar crystal, longitudinal optical modes near Γ "
            f"are too low; give Born charges with --born (a file, or a folder that holds {crystal.id}.BORN)"
        )

    stable = _harmonic(ph3, folder, born, details, clock, say)
    result.min_frequency_THz = stable["min_frequency"]
    if stable["min_frequency"] < -settings.imaginary:
        q = ", ".join(f"{x:.3g}" for x in stable["qpoint"])
        result.status = "unstable"
        result.reason = (
            f"imaginary modes down to {stable['min_frequency']:.2f} THz at q = ({q}): the structure is not at a "
            "minimum of the potential; inspect the mode in result.json, or compute kappa despite it with --force"
        )
    if result.status == "ok" or settings.force:
        _conductivity(ph3, folder, settings, born, result, details, clock, say)
    details["seconds"] = {stage: [round(s, 3) for s in seconds] for stage, seconds in clock.laps.items()}
    details["versions"] = package_versions()
    result.seconds, result.cpu_seconds = (round(sum(column), 3) for column in zip(*clock.laps.values(), strict=True))
    return result


def _relaxed(
    crystal: Crystal,
    folder: Path,
    calculator: Calculator,
    settings: Settings,
    details: dict[str, Any],
    clock: Clock,
    say: Say,
) -> StandardCell:
    kept = stages.read(folder, "relax", say=say)
    if kept is None:
        say("relaxation")
        start = standard_cell(crystal.cell, crystal.numbers, crystal.positions, settings.symprec)
        cell, how = relax(start, calculator, settings)
        kept = {"cell": cell.record(), "relaxation": asdict(how), "seconds": clock.lap("relax")}
        with replacing(folder / "relaxed.vasp") as aside:
            cell.to_ase().write(aside, format="vasp", direct=True)
        stages.write(folder, "relax", kept)
    else:
        clock.keep("relax", kept["seconds"])
    details["cell"], details["relaxation"] = kept["cell"], kept["relaxation"]
    return StandardCell.from_record(kept["cell"])


def _force_constants(
    ph3: Phono3py,
    folder: Path,
    calculator: Calculator,
    settings: Settings,
    mark: str,
    details: dict[str, Any],
    clock: Clock,
    say: Say,
    tick: Callable[[int, int], None],
    expect: Callable[[float], None],
) -> None:
    kept = stages.read(folder, "force_constants", say=say)
    if kept is not None and read_force_constants(ph3, folder, say):
        clock.keep("forces", kept["seconds_forces"])
        clock.keep("fit", kept["seconds_fit"])
    else:
        plan = displace(ph3, settings)
        expected = estimate(ph3, calculator, plan, settings)
        check(expected, settings)
        expect(expected.forces_s + expected.fit_s)
        say(
            f"{counted(plan.n_harmonic, 'supercell')} of {counted(plan.n_atoms_harmonic, 'atom')} and "
            f"{plan.n_supercells} of {plan.n_atoms}, free elements: {plan.n_free} (about "
            f"{expected.forces_s + expected.fit_s:.0f} s, {expected.memory_GB:.1f} GB)"
        )
        measure(ph3, calculator, folder, mark, tick, say=say)
        if not (np.any(ph3.phonon_forces) and np.any(ph3.forces)):
            raise PhononError(
                f"the potential {settings.potential} gives zero forces on displaced atoms: it does not describe this "
                "crystal, use another potential"
            )
        forces_s = clock.lap("forces")
        say("force constants")
        fit(ph3, plan)
        write_force_constants(ph3, folder)
        kept = {
            "displacements": asdict(plan),
            "estimate": asdict(expected),
            "seconds_forces": forces_s,
            "seconds_fit": clock.lap("fit"),
        }
        stages.write(folder, "force_constants", kept, files=("fc2.hdf5", "fc3.hdf5"))
    for name, matrix, supercell in (
        ("supercell", ph3.supercell_matrix, ph3.supercell),
        ("fc2_supercell", ph3.phonon_supercell_matrix, ph3.phonon_supercell),
    ):
        details[name] = {
            "multiples": matrix.diagonal().tolist(),
            "n_atoms": len(supercell),
            "inscribed_sphere": float(plane_spacing(supercell.cell).min()),
        }
    details["displacements"] = kept["displacements"] | {"distance": settings.displacement, "seed": settings.seed}
    details["estimate"] = kept["estimate"]


def _harmonic(
    ph3: Phono3py, folder: Path, born: str, details: dict[str, Any], clock: Clock, say: Say
) -> dict[str, Any]:
    kept = stages.read(folder, "harmonic", made_from := stages.mark(born), say)
    if kept is None or not ((folder / BANDS).is_file() and (folder / DOS).is_file()):
        say("phonons")
        phonopy = to_phonopy(ph3)
        found = asdict(stability(phonopy))
        write_harmonic(phonopy, folder)
        kept = {"lowest_mode": found, "seconds": clock.lap("harmonic")}
        stages.write(folder, "harmonic", kept, made_from, files=(BANDS, DOS))
    else:
        clock.keep("harmonic", kept["seconds"])
    details["lowest_mode"] = kept["lowest_mode"]
    lowest: dict[str, Any] = kept["lowest_mode"]
    return lowest


def _conductivity(
    ph3: Phono3py,
    folder: Path,
    settings: Settings,
    born: str,
    result: Result,
    details: dict[str, Any],
    clock: Clock,
    say: Say,
) -> None:
    done, why = converge(ph3, folder, settings, born, say)
    last = done[-1]
    if not last.at_room() > 0:
        raise PhononError(
            f"the conductivity is {last.at_room():g} W/m/K on a mesh of {'×'.join(map(str, last.mesh))}, which is too "
            "coarse; use --mesh auto"
        )
    result.kappa_W_mK = last.at_room()
    if last.coherence is not None:
        result.kappa_coherence_W_mK = last.at_room() - last.at_room(total=False)
    result.mesh = list(last.mesh)
    result.mesh_change = change(done) if len(done) > 1 else None
    if result.mesh_change is not None and result.mesh_change > settings.mesh_tolerance:
        result.notes.append(f"kappa still changes by {result.mesh_change:.0%} with the mesh ({why})")
    if result.mesh_change is None and settings.mesh is None:
        result.notes.append(f"convergence of kappa with the mesh was not tested ({why})")
    result.long_lived_share = share = long_lived(folder / last.file)
    if share > SHARE:
        more = [] if settings.isotopes else ["isotopes (--isotopes)"]
        more += ["Born charges (--born)"] if ph3.nac_params is None and polar(ph3.primitive.numbers) else []
        result.notes.append(
            f"{share:.0%} of kappa is carried by modes weakly scattered by three-phonon processes (lifetimes above "
            f"{LONG:g} ns)" + (f"; consider {' and '.join(more)}" if more else "")
        )
    details["conductivity"] = [item.record() | {"isotropic": item.isotropic().tolist()} for item in done]
    write_cumulative(*cumulative(folder / last.file), folder)
    details["mesh"] = {"ended": why, "change": result.mesh_change}
    clock.keep("conductivity", [sum(column) for column in zip(*(item.seconds for item in done), strict=True)])
