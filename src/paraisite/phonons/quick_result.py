"""`calculate_quick`: the quick look at one crystal, in a folder of its own."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

from paraisite.phonons import elastic, quick
from paraisite.phonons.claim import claim, fingerprint
from paraisite.phonons.result import Result, package_versions
from paraisite.potentials.cells import standard_cell

if TYPE_CHECKING:
    from pathlib import Path

    from ase.calculators.calculator import Calculator

    from paraisite.crystals.crystal import Crystal
    from paraisite.phonons.settings import QuickSettings


def calculate_quick(crystal: Crystal, folder: Path, calculator: Calculator, settings: QuickSettings) -> Result:
    """Take a quick look at one crystal; `Result.details["quick"]` holds the `QuickLook`.

    Parameters
    ----------
    crystal : Crystal
    folder : Path
        For this crystal alone.
    calculator : ase.calculators.calculator.Calculator
        Energy, forces and stress in ASE's units.
    settings : QuickSettings

    Raises
    ------
    PhononError
        If the crystal does not come to rest, or the folder is about something else.
    """
    claim(crystal, folder, settings)
    start = standard_cell(crystal.cell, crystal.numbers, crystal.positions, settings.symprec)
    result = Result(crystal.id, crystal.source, crystal.formula, space_group=start.space_group)
    result.details = {
        "settings": settings.model_dump(mode="json"),
        "fingerprint": fingerprint(crystal, settings),
        "choices": {
            "max_force": quick.MAX_FORCE,
            "max_stress": quick.MAX_STRESS,
            "max_relax_steps": quick.MAX_STEPS,
            "displacement": quick.DISPLACEMENT,
            "strain": elastic.STRAIN,
            "volume_step": quick.VOLUME_STEP,
            "gruneisen_range": quick.GRUNEISEN,
        },
        "versions": package_versions(),
    }
    atoms = crystal.to_ase()
    atoms.calc = calculator
    try:
        look = quick.quick_look(atoms, settings.temperature, settings.symprec)
    except quick.Unstable as error:
        result.status, result.reason = "unstable", str(error)
        return result
    result.n_primitive = look.n_sites
    result.seconds, result.cpu_seconds = round(look.seconds, 3), round(look.cpu_seconds, 3)
    result.details["quick"] = asdict(look)
    taken = quick.within_range(look.gruneisen)
    if taken != look.gruneisen:
        result.notes.append(f"Grüneisen parameter {look.gruneisen:.2g} out of range; {taken:g} used in Slack's formula")
    return result
