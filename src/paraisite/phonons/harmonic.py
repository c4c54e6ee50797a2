"""Harmonic phonons of a crystal by a potential, and the properties that the table `phonondb_harmonic` has.

The primitive cell is relaxed with its symmetry, atoms of one supercell are displaced one at a time, and the properties
are those of `paraisite.datasets.phonondb`, on the same mesh. No Born charges are known to a potential: its optical
modes are not split by electric fields.
"""

from __future__ import annotations

import itertools
import math
import warnings
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from paraisite.datasets.phonondb import BOLTZMANN, LOWEST, PLANCK, properties_of
from paraisite.phonons.cells import PhononError
from paraisite.potentials.cells import StandardCell, standard_cell
from paraisite.potentials.relax import come_to_rest

if TYPE_CHECKING:
    from ase import Atoms
    from ase.calculators.calculator import Calculator
    from phonopy import Phonopy

LENGTH = 12.0
"""Å: no atom of the supercell is nearer to its own image."""
MAX_ATOMS = 160
"""Atoms of the supercell; where `LENGTH` takes more, the supercell with the longest such distance."""
DISPLACEMENT = 0.03
"""Å, as in the full calculation."""
MAX_FORCE, MAX_STRESS, MAX_STEPS = 2e-3, 0.02, 200
"""Where the relaxation ends: eV/Å, GPa, and steps. What is left of the forces is subtracted."""
LARGEST_FORCE = 10.0
"""eV/Å: a larger one in a displaced supercell is nonsense."""
IMAGINARY = 0.1
"""THz, as in the full calculation; a crystal with a mode of a larger imaginary frequency is unstable."""


@dataclass(frozen=True, slots=True, eq=False)
class HarmonicPhonons:
    """Harmonic phonons of a relaxed crystal.

    Attributes
    ----------
    phonons : phonopy.Phonopy
        With force constants, and a mesh with group velocities as `harmonic_properties` left it.
    cell : StandardCell
        Relaxed.
    properties : dict of str to float
        Columns of `phonondb_harmonic`; see `paraisite.datasets.phonondb.properties_of`.
    tensor : numpy.ndarray, shape (3, 3)
        Σ C v⊗v / V at 300 K in the Cartesian frame of `cell`, W/m/K per second of lifetime; the transport integral is
        a third of its trace.
    n_atoms : int
        Of the supercell.
    length : float
        Shortest distance of an atom of the supercell to its image, Å.
    n_displacements : int
    relax_steps : int
    volume_change : float
        By the relaxation, relative.
    """

    phonons: Phonopy
    cell: StandardCell
    properties: dict[str, float]
    tensor: np.ndarray
    n_atoms: int
    length: float
    n_displacements: int
    relax_steps: int
    volume_change: float

    def primitive(self) -> Atoms:
        """Return the relaxed primitive cell, in the frame of `cell`."""
        atoms = _to_ase(self.phonons.primitive)
        atoms.set_masses(self.phonons.primitive.masses)
        return atoms

    def hessian(self) -> np.ndarray:
        """Second derivatives of the energy by the positions in the primitive cell (eV/Å²), shape (3 n, 3 n)."""
        primitive, constants = self.phonons.primitive, np.asarray(self.phonons.force_constants)
        owner = np.array([primitive.p2p_map[i] for i in primitive.s2p_map])
        n = len(primitive)
        summed = np.zeros((n, n, 3, 3))
        for k in range(n):
            summed[:, k] = constants[:, owner == k].sum(axis=1)
        return summed.transpose(0, 2, 1, 3).reshape(3 * n, 3 * n)


def harmonic_phonons(
    crystal: StandardCell,
    calculator: Calculator,
    *,
    symprec: float = 0.01,
    length: float = LENGTH,
    max_atoms: int = MAX_ATOMS,
    max_steps: int = MAX_STEPS,
) -> HarmonicPhonons:
    """Relax a crystal and compute its harmonic phonons.

    Parameters
    ----------
    crystal : StandardCell
    calculator : ase.calculators.calculator.Calculator
    symprec : float
        Tolerance of the symmetry, Å.
    length : float
        Å; see `LENGTH`.
    max_atoms : int
        Of the supercell.
    max_steps : int
        Of the relaxation; with 0 nothing is moved.

    Raises
    ------
    PhononError, paraisite.potentials.cells.RelaxationError
        If the crystal does not come to rest, one cell of it has more atoms than a supercell may have, or the forces
        are nonsense.
    """
    from phonopy import Phonopy
    from phonopy.structure.cells import get_primitive

    atoms = _to_ase(get_primitive(crystal.to_phonopy(), crystal.centring))
    atoms.calc = calculator
    volume = float(atoms.get_volume())
    steps, _, _ = come_to_rest(atoms, symprec, MAX_FORCE, MAX_STRESS, max_steps)
    change = float(atoms.get_volume()) / volume - 1
    cell = standard_cell(atoms.cell.array, atoms.numbers, atoms.get_scaled_positions(), symprec)
    cell = replace(cell, hydrogen_mass=crystal.hydrogen_mass)
    unit = get_primitive(cell.to_phonopy(), cell.centring)
    matrix, found = choose_supercell(cell, length, max_atoms)
    phonons = Phonopy(unit, supercell_matrix=matrix, primitive_matrix=np.eye(3), symprec=symprec, log_level=0)
    phonons.generate_displacements(distance=DISPLACEMENT)
    supercell = phonons.supercell
    rest = _forces(phonons.unitcell, calculator)[[supercell.u2u_map[int(u)] for u in supercell.s2u_map]]
    moved: list[Any] = list(phonons.supercells_with_displacements or [])
    forces = [_forces(displaced, calculator) - rest for displaced in moved]
    if not np.any(forces):
        raise PhononError(
            "the potential gives zero forces on displaced atoms: it does not describe this crystal, use another "
            "potential"
        )
    phonons.forces = forces
    phonons.produce_force_constants(calculate_full_force_constants=False)
    phonons.symmetrize_force_constants()
    properties, tensor = harmonic_properties(phonons)
    return HarmonicPhonons(phonons, cell, properties, tensor, len(phonons.supercell), found, len(moved), steps, change)


def harmonic_properties(phonons: Phonopy) -> tuple[dict[str, float], np.ndarray]:
    """Return the columns of `phonondb_harmonic` and the tensor of the transport integral at 300 K, shape (3, 3)."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Mesh .* is incompatible")  # such a mesh is used without the point group
        properties = properties_of(phonons)
    return properties, transport_tensor(phonons, 300.0)


def transport_tensor(phonons: Phonopy, temperature: float) -> np.ndarray:
    """Σ C v⊗v / V over the mesh of a phonopy object, symmetrised by the point group.

    Parameters
    ----------
    phonons : phonopy.Phonopy
        With a mesh and its group velocities.
    temperature : float
        K.

    Returns
    -------
    numpy.ndarray, shape (3, 3)
        W/m/K per second of lifetime, in the frame of the cell.
    """
    mesh, cell = phonons.mesh, phonons.primitive.cell
    frequencies, velocities = np.asarray(mesh.frequencies), 100.0 * np.asarray(mesh.group_velocities)  # THz Å = 100 m/s
    weights = np.asarray(mesh.weights, dtype=np.float64)
    x = np.minimum(PLANCK * 1e12 / (2 * BOLTZMANN * temperature) * np.abs(frequencies), 300.0)
    x = np.where(frequencies > LOWEST, x, 300.0)
    heat = (weights / weights.sum())[:, None] * (x / np.sinh(x)) ** 2
    raw = np.einsum("qb,qbi,qbj->ij", heat, velocities, velocities) * BOLTZMANN / (phonons.primitive.volume * 1e-30)
    rotations = phonons.primitive_symmetry.symmetry_operations["rotations"]
    turned = [cell.T @ rotation @ np.linalg.inv(cell.T) for rotation in rotations]
    return np.asarray(np.mean([r @ raw @ r.T for r in turned], axis=0))


def choose_supercell(cell: StandardCell, length: float, max_atoms: int) -> tuple[np.ndarray, float]:
    """Choose the supercell of fewest atoms in which no atom is nearer to its image than a length.

    Candidates are multiples of the conventional cell, equal along axes that symmetry may exchange, and those of the
    primitive cell, equal along all three; both keep the point group.

    Parameters
    ----------
    cell : StandardCell
    length : float
        Å.
    max_atoms : int
        Of the supercell. Where all candidates of that length have more, the longest one within is taken.

    Returns
    -------
    numpy.ndarray, shape (3, 3), int
        For phonopy: the supercell's vectors are its columns, in those of the primitive cell.
    float
        The shortest distance between images, Å.

    Raises
    ------
    PhononError
        If the primitive cell has more atoms.
    """
    from phonopy.structure.cells import get_primitive_matrix_by_centring

    to_primitive = np.linalg.inv(np.asarray(get_primitive_matrix_by_centring(cell.centring)))
    together = (0, 0, 0) if cell.group_number >= 195 else (0, 0, 1) if cell.group_number >= 75 else (0, 1, 2)
    most = [1 + math.ceil(length / edge) for edge in np.linalg.norm(cell.cell, axis=1)]
    ranges = [range(1, 1 + max(m for m, t in zip(most, together, strict=True) if t == k)) for k in sorted({*together})]
    conventional = (np.diag([chosen[k] for k in together]) for chosen in itertools.product(*ranges))
    matrices = [np.rint(to_primitive @ multiples).astype(int) for multiples in conventional]
    matrices += [n * np.eye(3, dtype=int) for n in range(1, 2 * max(most))]
    primitive = np.linalg.inv(to_primitive).T @ cell.cell
    sites = len(cell.numbers) / np.linalg.det(to_primitive)
    options = []
    for matrix in matrices:
        n_atoms = round(sites * np.linalg.det(matrix))
        if n_atoms <= max_atoms:
            distance = _shortest(matrix.T @ primitive)
            options.append((distance < length, n_atoms if distance >= length else -distance, n_atoms, matrix, distance))
    if not options:
        raise PhononError(
            f"its primitive cell of {round(sites)} sites is larger than a supercell may be ({max_atoms} atoms); "
            "use the full calculation with a larger supercell"
        )
    *_, matrix, distance = min(options, key=lambda option: option[:3])
    return matrix, distance


def _shortest(vectors: np.ndarray) -> float:
    """Length of the shortest lattice vector, for vectors (rows) that are not extremely skewed."""
    steps = np.array(list(itertools.product(range(-2, 3), repeat=3)))
    lengths = np.linalg.norm(steps @ vectors, axis=1)
    return float(lengths[lengths > 0].min())


def _to_ase(cell: Any) -> Atoms:
    """A phonopy cell as `ase.Atoms`."""
    from ase import Atoms

    return Atoms(numbers=cell.numbers, cell=cell.cell, scaled_positions=cell.scaled_positions, pbc=True)


def _forces(cell: Any, calculator: Calculator) -> np.ndarray:
    """Forces on the atoms of a phonopy cell, shape (n, 3), eV/Å."""
    forces = np.asarray(calculator.get_forces(_to_ase(cell)), dtype=np.float64)
    largest = float(np.abs(forces).max())
    if not largest <= LARGEST_FORCE:
        raise PhononError(
            f"the potential gives a force of {largest:.3g} eV/Å in a displaced supercell; it cannot describe this "
            "crystal, use another potential"
        )
    return forces
