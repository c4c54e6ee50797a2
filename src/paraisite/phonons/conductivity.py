"""The conductivity tensor of one mesh, by phono3py."""

from __future__ import annotations

import contextlib
import os
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from paraisite.phonons.settings import ROOM, Settings

if TYPE_CHECKING:
    from phono3py import Phono3py

WIGNER = "SMM19"
"""phono3py's Wigner transport equation: M. Simoncelli, N. Marzari and F. Mauri, Nat. Phys. 15, 809 (2019)."""


@dataclass(frozen=True, slots=True)
class Conductivity:
    """Lattice thermal conductivity on one mesh.

    Attributes
    ----------
    mesh : tuple of int
    temperatures : tuple of float
        K.
    kappa : list of list of float, shape (n_temperatures, 6)
        W m⁻¹ K⁻¹, in the order xx, yy, zz, yz, xz, xy of the standardised cell's Cartesian axes; of phonons as
        particles (the relaxation-time approximation or, with `lbte`, the linearised Boltzmann equation).
    coherence : list of list of float, or None
        What tunnelling between modes adds (Wigner transport equation), in the same order; None where it was left out.
    seconds : tuple of float
        Of a clock, and of the processor.
    file : str
        phono3py's kappa-*.hdf5.
    """

    mesh: tuple[int, int, int]
    temperatures: tuple[float, ...]
    kappa: list[list[float]]
    coherence: list[list[float]] | None
    seconds: tuple[float, float]
    file: str

    def isotropic(self, *, total: bool = True) -> np.ndarray:
        """Trace / 3 at each temperature, with the coherence term if there is one; shape (n_temperatures,)."""
        tensor = np.array(self.kappa)
        if total and self.coherence is not None:
            tensor = tensor + np.array(self.coherence)
        average: np.ndarray = tensor[:, :3].mean(axis=1)
        return average

    def at_room(self, *, total: bool = True) -> float:
        """Isotropic average at 300 K."""
        return float(self.isotropic(total=total)[self.temperatures.index(ROOM)])

    def record(self) -> dict[str, Any]:
        """Return the attributes as a dictionary for a JSON file."""
        return asdict(self)

    @classmethod
    def from_record(cls, record: dict[str, Any]) -> Conductivity:
        """Return the conductivity of a record."""
        return cls(**record | {"mesh": tuple(record["mesh"]), "temperatures": tuple(record["temperatures"])})


def mesh_of(ph3: Phono3py, length: float) -> tuple[int, int, int]:
    """Points along each reciprocal axis of the primitive cell for a length in Å, with the symmetry kept."""
    ph3.mesh_numbers = length
    found = ph3.mesh_numbers
    assert found is not None
    return int(found[0]), int(found[1]), int(found[2])


def prepare(ph3: Phono3py, mesh: tuple[int, int, int] | float) -> int:
    """Set a mesh up, and return the number of irreducible wave vectors."""
    from phonopy.phonon.grid import get_ir_grid_points

    ph3.mesh_numbers = mesh
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
        # without the average, the choice of eigenvectors in degenerate subspaces, which is that of rounding errors,
        # moves the conductivity of coarse meshes by percents
        ph3.init_phph_interaction(average_degenerate_weights=True)
    assert ph3.grid is not None
    return len(get_ir_grid_points(ph3.grid)[0])


def seconds_of_mesh(ph3: Phono3py, n_irreducible: int, settings: Settings) -> float:
    """Estimate, from two wave vectors of the mesh that is set up, what all of it takes."""
    from phonopy.phonon.grid import get_ir_grid_points

    assert ph3.grid is not None
    points = get_ir_grid_points(ph3.grid)[0]
    sample = sorted({int(points[len(points) // 3]), int(points[-1])})
    ph3.run_phonon_solver()
    start = time.perf_counter()
    ph3.run_thermal_conductivity(temperatures=settings.temperatures, grid_points=sample)
    each = (time.perf_counter() - start) / len(sample)
    return each * n_irreducible * (3.0 if settings.lbte else 1.0)


def conduct(ph3: Phono3py, folder: Path, settings: Settings) -> Conductivity:
    """Compute the conductivity on the mesh that is set up, and keep phono3py's kappa-*.hdf5 in a folder.

    Parameters
    ----------
    ph3 : phono3py.Phono3py
        After `prepare`.
    folder : Path
    settings : Settings
    """
    start = time.perf_counter(), time.process_time()
    mesh = ph3.mesh_numbers
    assert mesh is not None
    # phono3py writes into the working folder only
    with tempfile.TemporaryDirectory(dir=folder, prefix=".kappa-") as aside:
        with contextlib.chdir(aside), open(os.devnull, "w") as nowhere, contextlib.redirect_stdout(nowhere):
            ph3.run_thermal_conductivity(
                is_LBTE=settings.lbte,
                temperatures=settings.temperatures,
                is_isotope=settings.isotopes,
                transport_type=WIGNER if settings.coherence else None,
                write_kappa=True,
            )
        written = next(Path(aside).glob("kappa-*.hdf5"))
        os.replace(written, folder / written.name)
    found: Any = ph3.thermal_conductivity
    particle, tunnelling = _parts(found, settings.lbte) if settings.coherence else (found.kappa, None)
    return Conductivity(
        mesh=(int(mesh[0]), int(mesh[1]), int(mesh[2])),
        temperatures=settings.temperatures,
        kappa=particle[0].tolist(),
        coherence=None if tunnelling is None else tunnelling[0].tolist(),
        seconds=(time.perf_counter() - start[0], time.process_time() - start[1]),
        file=written.name,
    )


def _parts(found: Any, lbte: bool) -> tuple[np.ndarray, np.ndarray]:
    """Return the conductivity of particles and of tunnelling, as phono3py names them."""
    return found.kappa_intra_exact if lbte else found.kappa_intra, found.kappa_inter
