"""The mesh: finer ones until the conductivity stops changing."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from paraisite.phonons import stages
from paraisite.phonons.cells import PhononError
from paraisite.phonons.conductivity import Conductivity, conduct, mesh_of, prepare, seconds_of_mesh
from paraisite.phonons.settings import Settings

if TYPE_CHECKING:
    from phono3py import Phono3py


def converge(
    ph3: Phono3py, folder: Path, settings: Settings, born: str = "", say: Callable[[str], None] = lambda text: None
) -> tuple[list[Conductivity], str]:
    """Compute the conductivity on one mesh after the other.

    Meshes already in the folder, by the same settings and Born charges, are not computed again.

    Returns
    -------
    list of Conductivity
        The last is the result; the one before it was computed on the next coarser mesh.
    str
        Why there is no finer one.

    Raises
    ------
    PhononError
        If a mesh would take longer than `max_hours`, which must not decide about numbers; coarser ones are kept. Or if
        a given one lacks the crystal's symmetry.
    """
    # what sets each mesh up; of some, such as body-centred tetragonal ones, the three numbers do not say everything
    meshes: dict[tuple[int, int, int], tuple[int, int, int] | float]
    if settings.mesh is not None:
        meshes = {settings.mesh: settings.mesh}
    else:
        meshes = {mesh_of(ph3, length): length for length in settings.mesh_lengths}
    made_from = stages.mark(settings.temperatures, settings.lbte, settings.coherence, settings.isotopes, born)
    done: list[Conductivity] = []
    reason = "the mesh was given" if settings.mesh is not None else "finest mesh of the profile"
    for mesh, made_by in meshes.items():
        stage = "mesh-" + "x".join(map(str, mesh))
        kept = stages.read(folder, stage, made_from, say)
        if kept is not None:
            done.append(Conductivity.from_record(kept))
        else:
            shown = "×".join(map(str, mesh))
            n_irreducible = prepare(ph3, made_by)
            n_bands = 3 * len(ph3.primitive)
            if done and n_irreducible * math.prod(mesh) * n_bands**3 > settings.max_mesh_work:
                reason = f"mesh {shown} exceeds max_mesh_work"
                break
            seconds = seconds_of_mesh(ph3, n_irreducible, settings)
            say(f"mesh {shown} (about {seconds:.0f} s)")
            if seconds > settings.max_hours * 3600:
                raise PhononError(
                    f"mesh {shown} would take {seconds / 3600:.1f} h, more than the {settings.max_hours:g} h allowed; "
                    "use --resume --retry with a larger --max-hours, or a coarser --mesh" + _so_far(done)
                )
            done.append(conduct(ph3, folder, settings))
            stages.write(folder, stage, done[-1].record(), made_from, files=(done[-1].file,))
        if len(done) > 1 and change(done) < settings.mesh_tolerance:
            reason = f"changed by less than {settings.mesh_tolerance:.0%}"
            break
    return done, reason


def _so_far(done: list[Conductivity]) -> str:
    found = [f"{item.at_room():.3g} W/m/K on {'×'.join(map(str, item.mesh))}" for item in done]
    return f" (so far: {', '.join(found)})" if found else ""


def change(done: list[Conductivity]) -> float:
    """Relative change of what phonons carry as particles, at 300 K, between the last two meshes; 0 with one only.

    The coherence term is left out: where it is large it would hide such a change.
    """
    if len(done) < 2:
        return 0.0
    return abs(done[-1].at_room(total=False) / done[-2].at_room(total=False) - 1)
