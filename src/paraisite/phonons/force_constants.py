"""Second- and third-order force constants: displaced supercells, their forces, and the fit."""

from __future__ import annotations

import math
import sys
import time
import warnings
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile

import numpy as np

from paraisite.files.printable import counted
from paraisite.files.replacing import replacing
from paraisite.files.writing import write_bytes
from paraisite.phonons.cells import Multiples, PhononError
from paraisite.phonons.settings import Settings
from paraisite.potentials.cells import StandardCell

if TYPE_CHECKING:
    from ase.calculators.calculator import Calculator
    from phono3py import Phono3py

FORCES = "forces.npz"
FIT_GB = 5.0
"""Memory of the fit beyond which third-order elements are cut off; a constant, for it decides about numbers."""
SAVE_EVERY = 20.0
"""Seconds of force calls that a kill may cost."""


@dataclass(frozen=True, slots=True)
class Displacements:
    """The displaced supercells of a calculation, planned.

    Attributes
    ----------
    n_supercells : int
        Displaced supercells for the third order.
    n_harmonic : int
        Displaced supercells for the second order.
    n_free : int
        Free elements of the second- and third-order force constants; 0 for finite displacements.
    n_free_harmonic : int
        Free elements of the second order in its own supercell.
    n_atoms, n_atoms_harmonic : int
        Atoms of a supercell of the third and of the second order.
    fc3_cutoff : float or None
        Å.
    """

    n_supercells: int
    n_harmonic: int
    n_free: int
    n_free_harmonic: int
    n_atoms: int
    n_atoms_harmonic: int
    fc3_cutoff: float | None


@contextmanager
def _recursion_limited() -> Iterator[None]:
    """Undo what importing symfc does: with 100,000 levels a deeply nested JSON ends Python, not the reading."""
    limit = sys.getrecursionlimit()
    try:
        yield
    finally:
        sys.setrecursionlimit(limit)


def new_phono3py(cell: StandardCell, supercell: Multiples, fc2_supercell: Multiples) -> Phono3py:
    """Return phono3py's object for a cell and its multiples for the third and second order, without displacements."""
    from phono3py import Phono3py

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that the primitive cell is not the conventional one is meant so
        return Phono3py(
            cell.to_phonopy(),
            supercell_matrix=list(supercell),
            phonon_supercell_matrix=list(fc2_supercell),
            primitive_matrix=cell.centring,
            log_level=0,
        )


def displace(ph3: Phono3py, settings: Settings) -> Displacements:
    """Generate the displaced supercells of a phono3py object; the same settings give the same ones.

    Second order: finite displacements of single atoms, in both directions where these differ; few, and exact
    however many elements the third order has. Third order, random snapshots: every atom of each is moved by
    `displacement` in a random direction, and in another one by the opposite. How many, and whether third-order
    elements beyond a cutoff are left out, is said in `Settings`; free elements are counted by symfc (A. Seko and
    A. Togo, Phys. Rev. B 110, 214302 (2024)).
    """
    atoms = len(ph3.supercell), len(ph3.phonon_supercell)
    ph3.generate_fc2_displacements(distance=settings.displacement)
    harmonic = len(ph3.phonon_supercells_with_displacements)
    free = count_free_harmonic(ph3)
    if settings.reference:
        ph3.generate_displacements(distance=settings.displacement, cutoff_pair_distance=settings.fc3_cutoff)
        needed = [cell for cell in ph3.supercells_with_displacements if cell is not None]
        return Displacements(len(needed), harmonic, 0, free, *atoms, settings.fc3_cutoff)
    cutoff, n_free = _choose_cutoff(ph3, settings)
    n = settings.snapshots or max(settings.min_snapshots, _needed(n_free, atoms[0], cutoff, settings))
    ph3.generate_displacements(
        distance=settings.displacement, number_of_snapshots=n // 2, is_plusminus=True, random_seed=settings.seed
    )
    return Displacements(n, harmonic, n_free, free, *atoms, cutoff)


@_recursion_limited()
def count_free(ph3: Phono3py, fc3_cutoff: float | None) -> int:
    """Free elements of the second- and third-order force constants under the symmetry of the supercell.

    Raises
    ------
    PhononError
        If none of the third order is left.
    """
    from phonopy.interface.symfc import SymfcFCSolver

    options = None if fc3_cutoff is None else {"cutoff": {3: fc3_cutoff}}
    solver = SymfcFCSolver(ph3.supercell, symmetry=ph3.symmetry, options=options)
    sizes = solver.estimate_basis_size(orders=[2, 3])
    if not sizes[3]:
        within = "" if fc3_cutoff is None else f" within {fc3_cutoff:g} Å"
        raise PhononError(
            f"kappa would diverge: no scattering, as symmetry forbids third-order force constants in a supercell of "
            f"{counted(len(ph3.supercell), 'atom')}{within}; use a larger --supercell or --fc3-cutoff"
        )
    return sum(sizes.values())


@_recursion_limited()
def count_free_harmonic(ph3: Phono3py) -> int:
    """Free elements of the second-order force constants in their own supercell."""
    from phonopy.interface.symfc import SymfcFCSolver

    solver = SymfcFCSolver(ph3.phonon_supercell, symmetry=ph3.phonon_supercell_symmetry)
    return int(solver.estimate_basis_size(orders=[2])[2])


def _needed(n_free: int, n_atoms: int, cutoff: float | None, settings: Settings) -> int:
    """Snapshots that are enough for some free elements; both of a pair give one set of third-order forces."""
    factor = settings.oversampling if cutoff is None else settings.oversampling_cut
    return 2 * math.ceil(factor * n_free / (3 * n_atoms))


def _choose_cutoff(ph3: Phono3py, settings: Settings) -> tuple[float | None, int]:
    """Third-order cutoff (Å; None for none), and the free elements that are left."""
    if settings.fc3_cutoff is not None:
        return settings.fc3_cutoff, count_free(ph3, settings.fc3_cutoff)
    n_atoms = len(ph3.supercell)

    def affordable(n_free: int, cutoff: float | None) -> bool:
        within = settings.snapshots is not None or _needed(n_free, n_atoms, cutoff, settings) <= settings.max_snapshots
        return within and fit_memory_GB(n_free, n_atoms) <= FIT_GB

    n_free = count_free(ph3, None)
    if affordable(n_free, None):
        return None, n_free
    vectors, _ = ph3.primitive.get_smallest_vectors()
    distances = np.linalg.norm(vectors.reshape(-1, 3) @ ph3.primitive.cell, axis=1)
    shells = np.unique(np.round(distances[distances > 0.1], 1)) + 0.1
    low, high = 0, len(shells)  # the nearest shell is always kept
    found = count_free(ph3, float(shells[0]))
    while high - low > 1:
        middle = (low + high) // 2
        n_free = count_free(ph3, float(shells[middle]))
        if affordable(n_free, float(shells[middle])):
            low, found = middle, n_free
        else:
            high = middle
    return round(float(shells[low]), 3), found


def fit_memory_GB(n_free: int, n_atoms: int) -> float:
    """Memory of symfc's fit, as phonopy estimates it: of the normal matrix, and of a batch of 100 snapshots."""
    return (24 * n_free**2 + 2400 * n_free * n_atoms) / 1e9


def measure(
    ph3: Phono3py,
    calculator: Calculator,
    folder: Path,
    fingerprint: str,
    tick: Callable[[int, int], None] = lambda done, total: None,
    max_force: float = 10.0,
    say: Callable[[str], None] = lambda text: None,
) -> None:
    """Compute the forces of all displaced supercells, and put them into the phono3py object.

    What is done is kept in `folder` / `FORCES`, from which a later call resumes. The forces left in the perfect
    supercells are subtracted.

    Parameters
    ----------
    ph3 : phono3py.Phono3py
        With displacements.
    calculator : ase.calculators.calculator.Calculator
    folder : Path
    fingerprint : str
        Of what the forces depend on; stored forces of another one are not used.
    tick : callable
        Told how many supercells are done, and of how many.
    max_force : float
        eV/Å; a larger one in a supercell displaced by a few hundredths of an Å is nonsense.
    say : callable
        Told if stored forces are damaged, which are computed again.

    Raises
    ------
    PhononError
        If a force is not finite, or larger than `max_force`.
    """
    harmonic = ph3.phonon_supercells_with_displacements
    cells = [*harmonic, *ph3.supercells_with_displacements]
    wanted = [i for i, cell in enumerate(cells) if cell is not None]  # phono3py leaves out pairs beyond a cutoff
    second = np.zeros((len(harmonic), len(ph3.phonon_supercell), 3))
    third = np.zeros((len(cells) - len(harmonic), len(ph3.supercell), 3))
    forces = [*second, *third]
    done = _stored(folder / FORCES, fingerprint, second, third, len(wanted), say)
    rest = forces_of(ph3.supercell, calculator)
    same = np.array_equal(ph3.phonon_supercell_matrix, ph3.supercell_matrix)
    rest_harmonic = rest if same else forces_of(ph3.phonon_supercell, calculator)
    saved = time.monotonic()
    tick(done, len(wanted))
    for k, i in enumerate(wanted[done:], start=done + 1):
        found = forces_of(cells[i], calculator)
        largest = float(np.abs(found).max())
        if not largest <= max_force:
            raise PhononError(
                f"the potential gives a force of {largest:.3g} eV/Å in displaced supercell {k}; it cannot describe "
                "this crystal, use another potential"
            )
        forces[i][:] = found - (rest_harmonic if i < len(harmonic) else rest)
        if k == len(wanted) or time.monotonic() - saved > SAVE_EVERY:
            with replacing(folder / FORCES) as aside, aside.open("wb") as file:
                np.savez(file, second=second, third=third, done=k, fingerprint=fingerprint)
            saved = time.monotonic()
        tick(k, len(wanted))
    ph3.phonon_forces, ph3.forces = second, third


def _stored(
    path: Path, fingerprint: str, second: np.ndarray, third: np.ndarray, most: int, say: Callable[[str], None]
) -> int:
    """Fill in stored forces, and return of how many supercells they are."""
    if not path.is_file():
        return 0
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as stored:
            if str(stored["fingerprint"]) != fingerprint:
                return 0
            found, done = (stored["second"], stored["third"]), int(stored["done"])
        if not 0 <= done <= most or not all(np.isfinite(forces).all() for forces in found):
            raise ValueError
    except (OSError, EOFError, ValueError, TypeError, KeyError, AttributeError, BadZipFile, zlib.error):
        say(f"{path}: damaged; the forces are recomputed")
        path.unlink()
        return 0
    if found[0].shape != second.shape or found[1].shape != third.shape:
        return 0
    second[:], third[:] = found
    return done


def forces_of(cell: Any, calculator: Calculator) -> np.ndarray:
    """Forces (n, 3), in eV/Å, on the atoms of a phonopy cell."""
    from ase import Atoms

    atoms = Atoms(numbers=cell.numbers, cell=cell.cell, scaled_positions=cell.scaled_positions, pbc=True)
    return np.asarray(calculator.get_forces(atoms), dtype=float)


@_recursion_limited()
def fit(ph3: Phono3py, plan: Displacements) -> None:
    """Make the force constants of displacements and forces, with acoustic sum rules and permutation symmetry.

    In the normal equations of snapshots that come with their opposites the second order is decoupled from the third,
    which is then fitted by itself to the mean of both forces: half the equations for the same force constants.
    """
    from phono3py.interface.fc_calculator import FC3Solver

    ph3.produce_fc2(fc_calculator="symfc")
    if plan.n_free == 0:
        ph3.produce_fc3()
        ph3.symmetrize_fc3(use_symfc_projector=True)
        return
    moved, forces = ph3.displacements, ph3.forces
    half = len(moved) // 2
    paired = np.array_equal(moved[:half], -moved[half:])
    if paired:
        moved, forces = moved[:half], (forces[:half] + forces[half:]) / 2
    solver = FC3Solver(
        "symfc",
        ph3.supercell,
        symmetry=ph3.symmetry,
        dataset={"displacements": moved, "forces": forces},
        is_compact_fc=True,
        primitive=ph3.primitive,
        orders=[3] if paired else [2, 3],
        options=None if plan.fc3_cutoff is None else f"cutoff = {plan.fc3_cutoff}",
    )
    ph3.fc3 = solver.force_constants[3]
    nonzero = solver.fc_solver.get_nonzero_atomic_indices_fc3()
    if nonzero is not None:
        nonzero = np.array(nonzero[ph3.primitive.p2s_map], dtype="byte", order="C")
    ph3.fc3_nonzero_indices = nonzero


def write_force_constants(ph3: Phono3py, folder: Path) -> None:
    """Write fc2.hdf5, fc3.hdf5 and phono3py_params.yaml.xz, which phono3py and phonopy read back."""
    import lzma

    from phono3py.file_IO import write_fc2_to_hdf5, write_fc3_to_hdf5

    assert ph3.fc2 is not None
    assert ph3.fc3 is not None
    packed = lzma.compress(str(ph3.to_phono3py_yaml()).encode(), preset=3)
    write_bytes(folder / "phono3py_params.yaml.xz", packed)
    second, third = ph3.phonon_primitive.p2s_map, ph3.primitive.p2s_map
    with replacing(folder / "fc2.hdf5") as aside:
        write_fc2_to_hdf5(ph3.fc2, str(aside), p2s_map=second, physical_unit="eV/angstrom^2")
    with replacing(folder / "fc3.hdf5") as aside:
        write_fc3_to_hdf5(ph3.fc3, ph3.fc3_nonzero_indices, str(aside), p2s_map=third)


def read_force_constants(ph3: Phono3py, folder: Path, say: Callable[[str], None] = lambda text: None) -> bool:
    """Put stored force constants into a phono3py object; False if they are not all there and whole."""
    from phono3py.file_IO import read_fc2_from_hdf5, read_fc3_from_hdf5

    if not ((folder / "fc2.hdf5").is_file() and (folder / "fc3.hdf5").is_file()):
        return False
    path = folder / "fc2.hdf5"
    try:
        ph3.fc2 = read_fc2_from_hdf5(str(path), p2s_map=ph3.phonon_primitive.p2s_map)
        path = folder / "fc3.hdf5"
        found = read_fc3_from_hdf5(str(path), p2s_map=ph3.primitive.p2s_map)
    except (OSError, RuntimeError, ValueError, TypeError, KeyError):
        say(f"{path}: damaged; the force constants are recomputed")
        return False
    if isinstance(found, dict):
        ph3.fc3, ph3.fc3_nonzero_indices = found["fc3"], found["fc3_nonzero_indices"]
    else:
        ph3.fc3 = found
    return True
