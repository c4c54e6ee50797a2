"""Harmonic phonons: imaginary modes, bands and density of states."""

from __future__ import annotations

import itertools
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from paraisite.files.replacing import replacing

if TYPE_CHECKING:
    from phono3py import Phono3py
    from phonopy import Phonopy

BANDS, DOS = "band.yaml.xz", "total_dos.dat"
DOS_LENGTH = 60.0
"""Å; the mesh of the density of states, and of the search for imaginary modes."""


@dataclass(frozen=True, slots=True)
class Stability:
    """The lowest mode of a crystal.

    Attributes
    ----------
    min_frequency : float
        THz, over the wave vectors that fit into the supercell of the second order and those of a mesh; imaginary ones
        are negative.
    qpoint : tuple of float
        Where, in reciprocal primitive lattice vectors.
    band : int
        From 0.
    eigenvector : list of [float, float, float, float, float, float]
        Real and imaginary parts of x, y, z for each atom of the primitive cell.
    min_commensurate : float
        THz; lowest over the wave vectors that fit into the supercell alone.
    max_frequency : float
        THz.
    """

    min_frequency: float
    qpoint: tuple[float, float, float]
    band: int
    eigenvector: list[list[float]]
    min_commensurate: float
    max_frequency: float


def to_phonopy(ph3: Phono3py) -> Phonopy:
    """Return phonopy's object with the second-order force constants of a phono3py object."""
    from phonopy import Phonopy

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        phonopy = Phonopy(
            ph3.unitcell,
            supercell_matrix=ph3.phonon_supercell_matrix,
            primitive_matrix=ph3.primitive_matrix,
            log_level=0,
        )
    phonopy.nac_params = ph3.nac_params
    phonopy.force_constants = ph3.fc2
    return phonopy


def stability(phonopy: Phonopy) -> Stability:
    """Find the lowest mode among the wave vectors of the supercell, where nothing is interpolated, and of a mesh."""
    points = commensurate_points(phonopy)
    mesh = _run_mesh(phonopy, is_gamma_center=True)
    n_commensurate = len(points)
    points = np.concatenate([points, mesh.qpoints])
    frequencies = phonopy.run_qpoints(points).frequencies
    where, band = np.unravel_index(int(np.argmin(frequencies)), frequencies.shape)
    vectors = phonopy.run_qpoints([points[where]], with_eigenvectors=True).eigenvectors
    mode = vectors[0][:, band].reshape(-1, 3)
    return Stability(
        float(frequencies[where, band]),
        tuple(float(x) for x in points[where]),  # type: ignore[arg-type]
        int(band),
        np.hstack([mode.real, mode.imag]).round(6).tolist(),
        float(frequencies[:n_commensurate].min()),
        float(frequencies.max()),
    )


def commensurate_points(phonopy: Phonopy) -> np.ndarray:
    """Wave vectors that fit into the supercell, shape (n, 3), in reciprocal primitive lattice vectors."""
    from phonopy.harmonic.dynmat_to_fc import get_commensurate_points_in_integers

    primitive_in_supercell = phonopy.primitive.primitive_matrix  # in supercell vectors, other than Phonopy's own
    matrix = np.rint(np.linalg.inv(primitive_in_supercell)).astype(int)
    points: np.ndarray = get_commensurate_points_in_integers(matrix) / round(abs(np.linalg.det(matrix)))
    return points


def _run_mesh(phonopy: Phonopy, **options: bool) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # body-centred tetragonal crystals need a generalised mesh
        return phonopy.run_mesh(DOS_LENGTH, **options)


def write_harmonic(phonopy: Phonopy, folder: Path) -> None:
    """Write the bands along ASE's path (W. Setyawan and S. Curtarolo, 2010), and the density of states."""
    paths, labels, connections = band_path(phonopy.primitive.cell)
    phonopy.run_band_structure(paths, path_connections=connections, labels=labels)
    with replacing(folder / BANDS) as aside:
        phonopy.write_yaml_band_structure(filename=str(aside), compression="lzma")
    _run_mesh(phonopy)
    phonopy.run_total_dos()
    with replacing(folder / DOS) as aside:
        phonopy.write_total_dos(str(aside))


def band_path(cell: np.ndarray, n: int = 51) -> tuple[list[np.ndarray], list[str], list[bool]]:
    """Segments of n wave vectors between special points, the points' labels, and which segments the next one continues.

    Labels stand in turn, one for each special point of each run of connected segments, as phonopy wants them.

    Parameters
    ----------
    cell : numpy.ndarray, shape (3, 3)
        Primitive lattice vectors as rows, in Å.
    n : int
    """
    from ase.cell import Cell
    from ase.dft.kpoints import parse_path_string

    path = Cell(cell).bandpath(npoints=0)
    names = {"G": "$\\Gamma$"}
    paths, labels, connections = [], [], []
    for part in parse_path_string(path.path):
        for start, end in itertools.pairwise(part):
            a, b = path.special_points[start], path.special_points[end]
            paths.append(np.linspace(a, b, n))
            labels.append(names.get(start, start))
        connections += [True] * (len(part) - 2) + [False]
        labels.append(names.get(part[-1], part[-1]))
    return paths, labels, connections


def polar(numbers: Any) -> bool:
    """Whether a crystal may be polar, so that long-range Coulomb forces split its optical modes."""
    return len(set(np.asarray(numbers).tolist())) > 1
