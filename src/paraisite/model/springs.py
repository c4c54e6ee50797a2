"""A crystal as masses on springs: its dynamical matrices, and the tensor of the heat that its phonons carry.

Each pair of sites closer than `REACH` is joined by a spring: a stiffness along the bond, one across it, and one that
tells two directions across it apart by the surroundings of both ends. Who chooses the stiffnesses is `direction.py`;
here are the standard cell, the wave vectors, what a bond knows of itself, and the lattice dynamics (M. Born and
K. Huang, Dynamical Theory of Crystal Lattices, Oxford (1954)).

Everything is computed in the primitive cell of spglib's idealised standard cell, the frame of the tensors of
`paraisite verify`, at wave vectors that have the symmetry of the lattice: the cell, origin and orientation that a
crystal is written in do not matter.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from paraisite.crystals.crystal import Crystal
from paraisite.crystals.spglib_calls import ask_spglib
from paraisite.graphs.neighbours import find_neighbours
from paraisite.model.descriptors import PROPERTIES, element_table

SYMPREC = 0.01
"""Tolerance of the symmetry in Å, that of `verify`."""

REACH = 5.5
"""Length of the longest spring, in Å; over the last Å before it, springs fade."""

SOFTNESS = 0.37
"""Å over which the valence of a bond falls by e: I. D. Brown and D. Altermatt, Acta Cryst. B 41, 244 (1985)."""

MESH = 14.0
"""Length in Å that the wave vectors resolve, at least two along each axis: a compromise with speed."""

WINDOW = 0.012
"""Share of the highest frequency within which two modes of one wave vector count as one, so that the choice of
eigenvectors in degenerate subspaces does not matter."""

LOWEST = 1e-6
"""Least squared frequency, as a share of the highest: bounds the heat of modes that no spring holds."""

TEMPERATURE = 300.0
"""K."""

HBAR_OVER_K = 7.638233
"""ħ/k_B in K ps (CODATA 2018)."""

_PRIMITIVE = {
    "P": np.eye(3),
    "A": np.array([[2, 0, 0], [0, 1, -1], [0, 1, 1]]) / 2,
    "C": np.array([[1, 1, 0], [-1, 1, 0], [0, 0, 2]]) / 2,
    "I": np.array([[-1, 1, 1], [1, -1, 1], [1, 1, -1]]) / 2,
    "F": np.array([[0, 1, 1], [1, 0, 1], [1, 1, 0]]) / 2,
    "R": np.array([[2, 1, 1], [-1, 1, 1], [-1, -2, 1]]) / 3,
}
"""Primitive lattice vectors as rows, in the standard conventional ones (those that spglib documents)."""

_COSETS = {
    "P": [(0, 0, 0)],
    "A": [(0, 0, 0), (0, 1, 0)],
    "C": [(0, 0, 0), (1, 0, 0)],
    "I": [(0, 0, 0), (1, 0, 0)],
    "F": [(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1)],
    "R": [(0, 0, 0), (1, 0, 0), (-1, 0, 0)],
}
"""Reciprocal vectors of the conventional cell that the primitive one does not have, one of each kind."""


@dataclass(frozen=True, slots=True, eq=False)
class Standard:
    """The primitive cell of a crystal in the standard setting of its space group.

    Attributes
    ----------
    conventional, lattice : numpy.ndarray, shape (3, 3)
        Lattice vectors of the conventional and of the primitive cell as rows, in Å.
    numbers : numpy.ndarray, shape (n,)
    positions : numpy.ndarray, shape (n, 3)
        Fractional, of the primitive cell.
    rotations : numpy.ndarray, shape (g, 3, 3), int
        Point group in the basis of the conventional cell, for columns.
    centring : str
        P, A, C, F, I or R.
    group_number : int
        Of the space group.
    """

    conventional: np.ndarray
    lattice: np.ndarray
    numbers: np.ndarray
    positions: np.ndarray
    rotations: np.ndarray
    centring: str
    group_number: int

    @property
    def volume(self) -> float:
        """Of the primitive cell, in Å³."""
        return float(abs(np.linalg.det(self.lattice)))

    def average(self) -> np.ndarray:
        """Matrix, shape (9, 9), that averages a flattened Cartesian tensor over the point group."""
        basis = self.conventional.T
        turns = basis @ self.rotations @ np.linalg.inv(basis)
        mean: np.ndarray = np.einsum("gij,gkl->ikjl", turns, turns).reshape(9, 9) / len(turns)
        return mean


def standardise(crystal: Crystal) -> Standard | None:
    """Return the standard primitive cell, None if spglib finds no space group (two atoms at one place)."""
    found = ask_spglib("get_symmetry_dataset", crystal.cell, crystal.positions, crystal.numbers, SYMPREC)
    if found is None:
        return None
    conventional, centring = np.array(found.std_lattice), str(found.international)[0]
    lattice = _PRIMITIVE[centring] @ conventional
    first = np.unique(found.std_mapping_to_primitive, return_index=True)[1]
    positions = np.array(found.std_positions)[first] @ conventional @ np.linalg.inv(lattice)
    numbers = np.array(found.std_types, dtype=np.int64)[first]
    rotations = _rotations(int(found.hall_number))
    return Standard(conventional, lattice, numbers, positions, rotations, centring, int(found.number))


@lru_cache(maxsize=530)
def _rotations(hall_number: int) -> np.ndarray:
    """Point group of a space group in its standard setting, whatever supercell a crystal was given in."""
    import spglib

    database = spglib.get_symmetry_from_database(hall_number)
    assert database is not None
    return np.unique(database["rotations"], axis=0).astype(np.int64)


def wave_vectors(cell: Standard, length: float = MESH) -> tuple[np.ndarray, np.ndarray]:
    """Mesh that has the symmetry of the lattice, reduced by the point group and time reversal.

    Along each axis of the reciprocal conventional cell the mesh is shifted by half a step, in the plane of a hexagonal
    one by a third and by two thirds, since half a step would break its symmetry. A zone centre, where no mode moves
    heat, is not in it.

    Parameters
    ----------
    cell : Standard
    length : float
        Å.

    Returns
    -------
    vectors : numpy.ndarray, shape (q, 3)
        Cartesian, with 2π, in Å⁻¹.
    weights : numpy.ndarray, shape (q,)
        Of sum 1.
    """
    reciprocal = np.linalg.inv(cell.conventional).T
    steps = np.maximum(2, np.rint(length * np.linalg.norm(reciprocal, axis=1))).astype(np.int64)
    if cell.group_number >= 195:
        steps[:] = steps.max()
    elif cell.group_number >= 75:
        steps[:2] = steps[:2].max()
    points = 6 * np.indices(steps).reshape(3, -1).T  # in sixths of a step
    shifts = [[2, 2, 3], [4, 4, 3]] if 143 <= cell.group_number < 195 else [[3, 3, 3]]
    points = (points[None] + np.array(shifts)[:, None]).reshape(-1, 3)
    inside = np.concatenate([points / (6 * steps) + np.array(coset) for coset in _COSETS[cell.centring]])
    turns = np.unique(np.concatenate([cell.rotations, -cell.rotations]), axis=0)
    images = np.einsum("qi,gij->gqj", inside, turns) @ _PRIMITIVE[cell.centring].T  # in the reciprocal primitive cell
    digits = np.rint(1e5 * (images - np.floor(images + 1e-6))).astype(np.int64)
    orbit = (digits @ np.array([10**10, 10**5, 1])).min(axis=0)
    _, first, count = np.unique(orbit, return_index=True, return_counts=True)
    return 2 * np.pi * inside[first] @ reciprocal, count / len(inside)


@dataclass(frozen=True, slots=True, eq=False)
class Bonds:
    """Directed bonds of a primitive cell, sorted by destination and source.

    Attributes
    ----------
    src, dst : numpy.ndarray, shape (b,)
    vector : numpy.ndarray, shape (b, 3)
        From `dst` to `src`, in Å.
    length : numpy.ndarray, shape (b,)
        Å.
    features : numpy.ndarray, shape (b, N_FEATURES)
        The same for a bond and its reverse.
    ln_valence : numpy.ndarray, shape (b,)
        Sum of the covalent radii less the length, in Å: valence is its exponential over `SOFTNESS`.
    share : numpy.ndarray, shape (b,)
        Of the bond in the valence of its destination.
    across : numpy.ndarray, shape (b, 3, 3)
        Traceless tensor across the bond of the bonds of both ends, weighted by share.
    """

    src: np.ndarray
    dst: np.ndarray
    vector: np.ndarray
    length: np.ndarray
    features: np.ndarray
    ln_valence: np.ndarray
    share: np.ndarray
    across: np.ndarray

    @property
    def along(self) -> np.ndarray:
        """Dyad of each bond's direction, shape (b, 3, 3)."""
        unit = self.vector / self.length[:, None]
        return unit[:, :, None] * unit[:, None, :]

    @property
    def fade(self) -> np.ndarray:
        """What is left of each spring near `REACH`, shape (b,)."""
        x = np.clip(REACH - self.length, 0.0, 1.0)
        return np.asarray(x * x * (3.0 - 2.0 * x))


N_FEATURES = 15 + 2 * len(PROPERTIES)


def find_bonds(cell: Standard) -> Bonds:
    """Find the bonds of a cell and describe them; there may be none.

    Lengths relative to covalent radii and to the nearest neighbours, valences, coordination (R. Hoppe,
    Z. Kristallogr. 150, 23 (1979)), differences of electronegativity, and the elemental properties of both ends.
    """
    crystal = Crystal(cell.lattice, cell.numbers, cell.positions)
    found = find_neighbours(crystal, REACH)
    order = np.lexsort((found.src, found.dst))
    src, dst, length = found.src[order], found.dst[order], found.distance[order]
    vector = (cell.positions[src] - cell.positions[dst] + found.shift[order]) @ cell.lattice
    n, z = len(cell.numbers), cell.numbers
    table = element_table()
    radius = _radii()[z]
    radii = radius[src] + radius[dst]

    valence = np.exp((radii - length) / SOFTNESS)
    strength = np.bincount(dst, valence, n) + 1e-9
    share, other = valence / strength[dst], valence / strength[src]
    relative = length / radii
    nearest = np.full(n, np.inf)
    np.minimum.at(nearest, dst, relative)
    near, far = relative / nearest[dst], relative / nearest[src]
    coordination = np.bincount(dst, np.exp(1.0 - near**6), n)
    chi = table[:, PROPERTIES.index("electronegativity")][z]
    polarity = np.bincount(dst, valence * (chi[dst] - chi[src]), n) / strength

    def ends(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return x[dst] + x[src], np.abs(x[dst] - x[src])

    properties = table.copy()
    mass = PROPERTIES.index("mass")
    properties[:, mass] = np.log(np.maximum(properties[:, mass], 1.0))
    polarities = ends(polarity)
    with np.errstate(divide="ignore"):  # of sites without a bond, which none has at its end
        ln_strength, ln_coordination = np.log(strength), np.log(coordination)
    columns = [
        length,
        relative,
        (radii - length) / (4 * SOFTNESS),
        np.log(np.maximum(share, other)),
        np.log(np.minimum(share, other)),
        np.minimum(near, far),
        np.maximum(near, far),
        *ends(ln_strength),
        *ends(ln_coordination),
        polarities[0],
        polarity[dst] * polarity[src],
        polarities[1],
        (src == dst).astype(float),
        *ends(properties[z]),
    ]
    unit = vector / length[:, None]
    along = unit[:, :, None] * unit[:, None, :]
    sites = np.zeros((n, 3, 3))
    np.add.at(sites, dst, share[:, None, None] * (along - np.eye(3) / 3))
    plane = np.eye(3) - along
    across = plane @ (0.5 * (sites[src] + sites[dst])) @ plane
    across -= 0.5 * np.trace(across, axis1=1, axis2=2)[:, None, None] * plane
    return Bonds(src, dst, vector, length, np.column_stack(columns), radii - length, share, across)


def transport(
    cell: Standard,
    bonds: Bonds,
    stiffness: np.ndarray,
    vectors: np.ndarray,
    weights: np.ndarray,
    window: float = WINDOW,
) -> np.ndarray:
    """Σ C v⊗v of the phonons, up to a factor: the conductivity if each mode lived equally long.

    Parameters
    ----------
    cell : Standard
    bonds : Bonds
    stiffness : numpy.ndarray, shape (b, 3, 3)
        Force constants of each bond, u ps⁻².
    vectors, weights : numpy.ndarray
        Of `wave_vectors`.
    window : float
        As `WINDOW`.

    Returns
    -------
    numpy.ndarray, shape (3, 3)
        In the frame of the standard cell, averaged over its point group.
    """
    n, q = len(cell.numbers), len(vectors)
    mass = element_table()[:, PROPERTIES.index("mass")][cell.numbers]
    held = np.zeros((n, 3, 3))
    np.add.at(held, bonds.dst, stiffness)
    pair = bonds.dst * n + bonds.src
    first = np.flatnonzero(np.diff(pair, prepend=-1))
    weighted = (stiffness / np.sqrt(mass[bonds.src] * mass[bonds.dst])[:, None, None]).reshape(-1, 1, 9)
    phase = np.exp(1j * bonds.vector @ vectors.T)[:, :, None]
    slopes = np.concatenate([np.ones((len(pair), 1)), 1j * bonds.vector], axis=1)[:, None, :]
    terms = (phase * slopes).reshape(len(pair), 4 * q, 1) * weighted
    blocks = np.zeros((n * n, 4 * q, 9), dtype=complex)
    blocks[pair[first]] = -np.add.reduceat(terms, first)
    matrices = blocks.reshape(n, n, q, 4, 3, 3).transpose(2, 3, 0, 4, 1, 5).reshape(q, 4, 3 * n, 3 * n)
    sites = np.arange(n)
    matrices[:, 0].reshape(q, n, 3, n, 3)[:, sites, :, sites, :] += (held / mass[:, None, None])[:, None]
    square, modes = np.linalg.eigh(matrices[:, 0])
    highest = square.max()
    frequency = np.sqrt(np.maximum(square, LOWEST * highest))
    moved = np.conj(modes.swapaxes(1, 2))[:, None] @ matrices[:, 1:] @ modes[:, None]
    x = np.minimum(frequency * HBAR_OVER_K / TEMPERATURE / 2, 30.0)
    root_heat = x / np.sinh(x) / frequency / 2
    apart = (frequency[:, :, None] - frequency[:, None, :]) / (window * np.sqrt(highest))
    kernel = np.exp(-(apart**2)) * root_heat[:, :, None] * root_heat[:, None, :] * weights[:, None, None]
    rows = moved.reshape(q, 3, -1)
    tensor = ((rows * kernel.reshape(q, 1, -1)) @ np.conj(rows.swapaxes(1, 2))).real.sum(axis=0)
    averaged: np.ndarray = (cell.average() @ tensor.reshape(9)).reshape(3, 3)
    return averaged


@lru_cache(maxsize=1)
def _radii() -> np.ndarray:
    """Covalent radius in Å by atomic number: B. Cordero et al., Dalton Trans. 2832 (2008)."""
    from ase.data import covalent_radii

    return np.asarray(covalent_radii, dtype=np.float64)
