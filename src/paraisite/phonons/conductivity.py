"""The conductivity tensor of one mesh, by phono3py."""

from __future__ import annotations

import contextlib
import math
import os
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from paraisite.phonons.cells import PhononError
from paraisite.phonons.settings import ROOM, Settings

if TYPE_CHECKING:
    from phono3py import Phono3py

WIGNER = "SMM19"
"""phono3py's Wigner transport equation: M. Simoncelli, N. Marzari and F. Mauri, Nat. Phys. 15, 809 (2019)."""

DEGENERATE = 1e-4
"""THz; modes closer than this are of one frequency (phonopy's tolerance too)."""


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


def check_isotopes(numbers: np.ndarray) -> None:
    """Raise `PhononError` if phonopy knows no natural mixture of isotopes of an element."""
    from ase.data import chemical_symbols
    from phonopy.structure.atomic_data import get_atomic_data

    known = get_atomic_data().isotope_data
    missing = [symbol for n in np.unique(numbers) if not known.get(symbol := chemical_symbols[n])]
    if missing:
        raise PhononError(f"{', '.join(missing)}: natural isotope abundances are unknown; leave out --isotopes")


def prepare(ph3: Phono3py, mesh: tuple[int, int, int] | float) -> int:
    """Set a mesh up, by its numbers or a length in Å, and return the number of irreducible wave vectors.

    Raises
    ------
    PhononError
        If the numbers do not have the symmetry of the crystal.
    """
    from phonopy.phonon.grid import get_ir_grid_points

    try:
        ph3.mesh_numbers = mesh
    except RuntimeError as error:
        shown = "×".join(map(str, mesh)) if isinstance(mesh, tuple) else f"{mesh:g} Å"
        raise PhononError(f"a mesh of {shown} does not have the symmetry of the crystal; use --mesh auto") from error
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
    particle, tunnelling = found.kappa[0], None
    values: dict[str, np.ndarray] = {}
    if settings.coherence:
        particle = (found.kappa_intra_exact if settings.lbte else found.kappa_intra)[0]
        frequencies = ph3.get_phonon_data()[0][found.grid_points]
        tunnelling = coherence(frequencies, found.mode_kappa_matrix[0], math.prod(mesh))
        values = {"kappa_inter": tunnelling, "kappa": particle + tunnelling}
    if settings.lbte:
        values["mode_kappa"] = found.mode_kappa[0]  # phono3py writes that of relaxation times alone
    _write(folder / written.name, values)
    return Conductivity(
        mesh=(int(mesh[0]), int(mesh[1]), int(mesh[2])),
        temperatures=settings.temperatures,
        kappa=particle.tolist(),
        coherence=None if tunnelling is None else tunnelling.tolist(),
        seconds=(time.perf_counter() - start[0], time.process_time() - start[1]),
        file=written.name,
    )


def coherence(frequencies: np.ndarray, pairs: np.ndarray, n_mesh: int) -> np.ndarray:
    """Sum the coherence term over pairs of modes of different frequency, between which phonons tunnel.

    phono3py 4 adds pairs of one frequency. They are not coherences but particles in another basis (M. Simoncelli,
    N. Marzari and F. Mauri, Phys. Rev. X 12, 041011 (2022)), 0.2 % of the conductivity of MgO and 1 % of that of
    argon; but being divided by the linewidth, those of optical modes above a gap, which three phonons do not scatter,
    outweigh all else by nine orders of magnitude in AlSb and six in BAs. They are left out here.

    Parameters
    ----------
    frequencies : numpy.ndarray, shape (n_points, n_bands)
        THz.
    pairs : numpy.ndarray, shape (n_temperatures, n_points, n_bands, n_bands, 6)
        phono3py's conductivity of each pair of modes.
    n_mesh : int
        Wave vectors of the whole mesh.

    Returns
    -------
    numpy.ndarray, shape (n_temperatures, 6)
        W m⁻¹ K⁻¹.
    """
    different = np.abs(frequencies[:, :, None] - frequencies[:, None, :]) > DEGENERATE
    return np.array([modes[different].sum(axis=0) / n_mesh for modes in pairs])


def _write(path: Path, values: dict[str, np.ndarray]) -> None:
    """Write datasets into a file of phono3py's, in place of those of the same names."""
    import h5py

    with h5py.File(path, "r+") as file:
        for name, value in values.items():
            if name in file:
                file[name][...] = value
            else:
                file[name] = value
