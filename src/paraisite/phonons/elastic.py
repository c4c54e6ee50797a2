"""Elastic constants from a few strained cells, as many as the symmetry leaves unknown."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from ase import Atoms

STRAIN = 0.004
"""Norm of the strains: the stress is then thousands of times the rounding of a potential in single precision."""

FORCE = 2e-3
"""eV/Å; atoms in a strained cell are relaxed until no force component is larger."""

NEWTON_STEPS = 8

CANDIDATES = 200
"""Sets of strains drawn, of which the one that determines the constants best is taken."""

_ROOT = np.sqrt(0.5)
KELVIN = np.array(
    [
        [[1, 0, 0], [0, 0, 0], [0, 0, 0]],
        [[0, 0, 0], [0, 1, 0], [0, 0, 0]],
        [[0, 0, 0], [0, 0, 0], [0, 0, 1]],
        [[0, 0, 0], [0, 0, _ROOT], [0, _ROOT, 0]],
        [[0, 0, _ROOT], [0, 0, 0], [_ROOT, 0, 0]],
        [[0, _ROOT, 0], [_ROOT, 0, 0], [0, 0, 0]],
    ]
)
"""Orthonormal symmetric 3×3 matrices, shape (6, 3, 3): in these (Kelvin's) components a rotation is orthogonal."""


def elastic_constants(atoms: Atoms, hessian: np.ndarray) -> np.ndarray:
    """Relaxed-ion elastic constants, shape (6, 6), in Kelvin's components and GPa.

    Central differences of the stress about the cell as it is: under pressure these are the coefficients that the
    velocities of sound follow from (D. C. Wallace, Phys. Rev. 162, 776 (1967)). Atoms move by Newton's steps.

    Parameters
    ----------
    atoms : ase.Atoms
        At rest, with a calculator; it is not changed.
    hessian : numpy.ndarray, shape (3 n, 3 n)
        Second derivatives of the energy by the positions (eV/Å²), exact or nearly so.
    """
    from ase.units import GPa

    basis = _invariant_constants(_rotations(atoms))
    strains = _strains(basis)
    inverse = np.linalg.pinv(hessian, rcond=1e-6, hermitian=True)
    responses = []
    for strain in strains:
        stress = []
        for sign in (1, -1):
            strained = atoms.copy()
            strained.calc = atoms.calc
            deformation = np.eye(3) + sign * STRAIN * np.einsum("a,aij->ij", strain, KELVIN)
            strained.set_cell(atoms.cell.array @ deformation, scale_atoms=True)
            settle(strained, inverse)
            stress.append(np.einsum("aij,ij->a", KELVIN, strained.get_stress(voigt=False)) / GPa)
        responses.append((stress[0] - stress[1]) / (2 * STRAIN))
    design = np.concatenate([np.einsum("bij,j->ib", basis, strain) for strain in strains])
    weights = np.linalg.lstsq(design, np.concatenate(responses), rcond=None)[0]
    return np.einsum("b,bij->ij", weights, basis)


def settle(atoms: Atoms, inverse_hessian: np.ndarray) -> None:
    """Move the atoms to rest in a fixed cell, in place."""
    for _ in range(NEWTON_STEPS):
        forces = atoms.get_forces()
        if np.abs(forces - forces.mean(axis=0)).max() < FORCE:
            return
        atoms.positions += (inverse_hessian @ forces.ravel()).reshape(-1, 3)


def moduli(constants: np.ndarray) -> tuple[float, float]:
    """Bulk and shear modulus by Voigt, Reuss and Hill, in the unit of the constants (Kelvin's components).

    R. Hill, Proc. Phys. Soc. A 65, 349 (1952).
    """
    volume = np.array([1.0, 1, 1, 0, 0, 0]) / np.sqrt(3)
    compliance = np.linalg.inv(constants)
    bulk_voigt, bulk_reuss = volume @ constants @ volume / 3, 1 / (3 * volume @ compliance @ volume)
    shear_voigt = (np.trace(constants) - volume @ constants @ volume) / 10
    shear_reuss = 2.5 / (np.trace(compliance) - volume @ compliance @ volume)
    return float(bulk_voigt + bulk_reuss) / 2, float(shear_voigt + shear_reuss) / 2


def _rotations(atoms: Atoms, symprec: float = 0.01) -> np.ndarray:
    """Cartesian rotations of the space group, shape (k, 3, 3)."""
    import spglib

    found = spglib.get_symmetry_dataset((atoms.cell.array, atoms.get_scaled_positions(), atoms.numbers), symprec)
    fractional = np.unique(found.rotations, axis=0) if found is not None else np.eye(3)[None]
    columns = atoms.cell.array.T
    return columns @ fractional @ np.linalg.inv(columns)


def _invariant_constants(rotations: np.ndarray) -> np.ndarray:
    """Orthonormal basis of the elastic constants that the rotations leave unchanged, shape (b, 6, 6)."""
    turned = np.einsum("aij,kil,kjm,blm->kab", KELVIN, rotations, rotations, KELVIN)
    average = np.einsum("kac,kbd->abcd", turned, turned).reshape(36, 36) / len(turned)
    exchange = np.eye(36).reshape(6, 6, 36).transpose(1, 0, 2).reshape(36, 36)
    values, vectors = np.linalg.eigh((average + average @ exchange + average.T + exchange @ average.T) / 4)
    basis = vectors.T[values > 0.99].reshape(-1, 6, 6)
    return (basis + basis.transpose(0, 2, 1)) / 2


def _strains(basis: np.ndarray) -> np.ndarray:
    """Fewest unit strains (Kelvin's components) whose stresses determine the constants, shape (s, 6)."""
    candidates = _candidates()
    for n in range(1, 7):
        sets = candidates[:, :n]
        designs = np.einsum("bij,csj->csib", basis, sets).reshape(len(sets), 6 * n, len(basis))
        smallest = np.linalg.svd(designs, compute_uv=False)[:, len(basis) - 1] if 6 * n >= len(basis) else np.zeros(1)
        if smallest.max() > 0.1:
            return sets[smallest.argmax()]
    return np.eye(6)


@cache
def _candidates() -> np.ndarray:
    drawn = np.random.default_rng(0).normal(size=(CANDIDATES, 6, 6))
    return drawn / np.linalg.norm(drawn, axis=2, keepdims=True)
