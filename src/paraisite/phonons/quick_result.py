"""`calculate_quick`: the quick look at one crystal, in a folder of its own."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from paraisite.phonons import elastic, harmonic, quick
from paraisite.phonons.cells import PhononError
from paraisite.phonons.claim import claim, fingerprint
from paraisite.phonons.result import Result, package_versions
from paraisite.potentials.cells import standard_cell

if TYPE_CHECKING:
    from pathlib import Path

    from ase.calculators.calculator import Calculator

    from paraisite.crystals.crystal import Crystal
    from paraisite.model.lifetime import Expected
    from paraisite.phonons.settings import QuickSettings
    from paraisite.potentials.cells import StandardCell


def calculate_quick(
    crystal: Crystal, folder: Path, calculator: Calculator, settings: QuickSettings, expected: Expected | None = None
) -> Result:
    """Take a quick look at one crystal; `Result.details["quick"]` holds what it finds.

    Parameters
    ----------
    crystal : Crystal
    folder : Path
        For this crystal alone.
    calculator : ase.calculators.calculator.Calculator
        Energy, forces and stress in ASE's units.
    settings : QuickSettings
    expected : Expected, optional
        What the default model says; without it there is no conductivity.

    Raises
    ------
    PhononError
        If the crystal does not come to rest, is too large, or the folder is about something else.
    """
    claim(crystal, folder, settings)
    start = standard_cell(crystal.cell, crystal.numbers, crystal.positions, settings.symprec)
    start = replace(start, hydrogen_mass=crystal.hydrogen_mass)
    result = Result(crystal.id, crystal.source, crystal.formula, space_group=start.space_group)
    result.details = {
        "settings": settings.model_dump(mode="json"),
        "fingerprint": fingerprint(crystal, settings, expected=expected),
        "choices": {
            "max_force": harmonic.MAX_FORCE,
            "max_stress": harmonic.MAX_STRESS,
            "max_relax_steps": harmonic.MAX_STEPS,
            "displacement": harmonic.DISPLACEMENT,
            "strain": elastic.STRAIN,
            "volume_step": quick.VOLUME_STEP,
            "gruneisen_range": quick.GRUNEISEN,
        },
        "versions": package_versions(),
    }
    begin = quick.now()
    with quick.counted(calculator) as calls:
        try:
            _look(start, calculator, settings, expected, result)
        except quick.Unstable as error:
            result.status, result.reason = "unstable", str(error)
        finally:
            spent = quick.now() - begin - calls[0] if calls else np.zeros(2)  # some potentials compile in the first one
            result.seconds, result.cpu_seconds = (round(float(seconds), 3) for seconds in spent)
            result.details["calls"] = {"n": len(calls), "first_seconds": float(calls[0][0]) if calls else 0.0}
    return result


def _look(
    start: StandardCell, calculator: Calculator, settings: QuickSettings, expected: Expected | None, result: Result
) -> None:
    """Fill in a result; everything but what it cost."""
    found = harmonic.harmonic_phonons(
        start,
        calculator,
        symprec=settings.symprec,
        length=settings.supercell_length,
        max_atoms=settings.max_supercell_atoms,
    )
    properties = found.properties
    result.space_group, result.n_primitive = found.cell.space_group, len(found.phonons.primitive)
    result.min_frequency_THz = properties["min_frequency"]
    look: dict[str, Any] = {
        "cell": found.cell.record(),
        "properties": {name: value for name, value in properties.items() if np.isfinite(value)},
        "transport_tensor": found.tensor.tolist(),
        "supercell": {
            "matrix": np.asarray(found.phonons.supercell_matrix).tolist(),
            "n_atoms": found.n_atoms,
            "length": found.length,
            "n_displacements": found.n_displacements,
        },
        "relax_steps": found.relax_steps,
        "volume_change": found.volume_change,
    }
    result.details["quick"] = look
    if (lowest := properties["min_frequency"]) < -harmonic.IMAGINARY:
        raise quick.Unstable(
            f"{properties['imag_share']:.2%} of the modes of the mesh are imaginary (lowest {-lowest:.2f}i "
            f"THz) with a supercell whose images are {found.length:.1f} Å apart"
        )
    if expected is None:
        result.notes.append("no prediction, which the lifetime is learned upon: no conductivity")
    else:
        tensors = {t: harmonic.transport_tensor(found.phonons, t) for t in settings.temperatures}
        room, rows = quick.conductivities(found, tensors, expected, settings.potential)
        result.kappa_W_mK, result.kappa_coherence_W_mK = room.kappa, room.coherence
        look["conductivity"] = room._asdict()
        look["temperatures"] = [asdict(row) for row in rows]
    try:
        sound = quick.sound(found, calculator)
    except quick.Unstable:
        result.kappa_W_mK = result.kappa_coherence_W_mK = None
        raise
    except PhononError as error:
        result.notes.append(f"no Slack estimate: {error}")
        return
    look["sound"] = asdict(sound)
    taken = quick.within_range(sound.gruneisen)
    if taken != sound.gruneisen:
        result.notes.append(
            f"Grüneisen parameter {sound.gruneisen:.2g} out of range; {taken:g} used in Slack's formula"
        )
