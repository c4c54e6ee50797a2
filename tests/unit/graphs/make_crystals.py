"""Crystals for tests: prototypes, random ones, and rewritings that leave a crystal the same."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import strategies as st

from paraisite.crystals.check import check
from paraisite.crystals.crystal import Crystal
from paraisite.crystals.elements import NUMBERS
from paraisite.crystals.rejection import CrystalError

CUTOFF = 4.0

_FCC = np.array([[0.0, 0.5, 0.5], [0.5, 0.0, 0.5], [0.5, 0.5, 0.0]])
_CUBIC = np.eye(3)
_PROTOTYPES: dict[str, tuple[np.ndarray, list[list[float]]]] = {
    "sc": (_CUBIC, [[0, 0, 0]]),
    "fcc": (_FCC, [[0, 0, 0]]),
    "bcc": (0.5 * (np.ones((3, 3)) - 2 * np.eye(3)), [[0, 0, 0]]),
    "rocksalt": (_FCC, [[0, 0, 0], [0.5, 0.5, 0.5]]),
    "zincblende": (_FCC, [[0, 0, 0], [0.25, 0.25, 0.25]]),
    "cscl": (_CUBIC, [[0, 0, 0], [0.5, 0.5, 0.5]]),
    "half_heusler": (_FCC, [[0, 0, 0], [0.25, 0.25, 0.25], [0.5, 0.5, 0.5]]),
    "perovskite": (_CUBIC, [[0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]]),
}


def cubic(prototype: str, symbols: str, a: float) -> Crystal:
    """A crystal of a cubic prototype, `symbols` separated by blanks in the order of its sites; a in Å."""
    cell, positions = _PROTOTYPES[prototype]
    numbers = np.array([NUMBERS[s] for s in symbols.split()], dtype=np.int64)
    return Crystal(a * cell, numbers, np.array(positions, dtype=float), id=symbols.replace(" ", ""), source=prototype)


def wurtzite(first: str, second: str, a: float, c: float, u: float) -> Crystal:
    cell = np.array([[a, 0, 0], [-a / 2, a * np.sqrt(3) / 2, 0], [0, 0, c]])
    numbers = np.array([NUMBERS[first]] * 2 + [NUMBERS[second]] * 2)
    third = [1 / 3, 2 / 3], [2 / 3, 1 / 3]
    heights = [[*third[0], 0.0], [*third[1], 0.5], [*third[0], u], [*third[1], 0.5 + u]]
    return Crystal(cell, numbers, np.array(heights), id=first + second, source="wurtzite")


def isolated(symbol: str = "Ar", a: float = 12.0) -> Crystal:
    """One site without a neighbour within the cutoff."""
    return replace(cubic("sc", symbol, a), id=f"isolated-{symbol}", source="alone.cif")


def some_crystals() -> list[Crystal]:
    """Nine crystals of known symmetry, one to five sites, among them cells of one atom."""
    return [
        cubic("rocksalt", "Na Cl", 5.69),
        cubic("zincblende", "Si Si", 5.469),
        cubic("fcc", "Cu", 3.62),
        cubic("bcc", "Fe", 2.83),
        cubic("sc", "Po", 3.35),
        cubic("cscl", "Cs Cl", 4.1437),
        cubic("half_heusler", "Ti Ni Sn", 5.94),
        cubic("perovskite", "Sr Ti O O O", 3.94),
        wurtzite("Zn", "O", 3.25, 5.2, 0.38),
    ]


def known_crystals() -> list[Crystal]:
    """`some_crystals` whose elements the encoder knows."""
    return [c for c in some_crystals() if c.id != "Po"]


def supercell(crystal: Crystal, repeats: tuple[int, int, int]) -> Crystal:
    """The same crystal in a cell repeated along its vectors."""
    shifts = np.array(list(np.ndindex(*repeats)), dtype=float)
    positions = (crystal.positions[None] + shifts[:, None]).reshape(-1, 3) / np.array(repeats)
    numbers = np.tile(crystal.numbers, len(shifts))
    return replace(crystal, cell=crystal.cell * np.array(repeats)[:, None], numbers=numbers, positions=positions)


def recell(crystal: Crystal, unimodular: np.ndarray) -> Crystal:
    """The same crystal described by other vectors of the same lattice."""
    return replace(crystal, cell=unimodular @ crystal.cell, positions=crystal.positions @ np.linalg.inv(unimodular))


def rotate(crystal: Crystal, rotation: np.ndarray) -> Crystal:
    return replace(crystal, cell=crystal.cell @ rotation)


def translate(crystal: Crystal, vector: np.ndarray) -> Crystal:
    """Move all sites by a vector in fractional coordinates."""
    return replace(crystal, positions=crystal.positions + vector)


def permute(crystal: Crystal, order: np.ndarray) -> Crystal:
    return replace(crystal, numbers=crystal.numbers[order], positions=crystal.positions[order])


def shake(crystal: Crystal, size: float, seed: int) -> Crystal:
    """Move each site at random by up to `size` Å along each axis."""
    noise = np.random.default_rng(seed).uniform(-size, size, (crystal.n_sites, 3))
    return replace(crystal, positions=crystal.positions + noise @ np.linalg.inv(crystal.cell))


def random_rotation(rng: np.random.Generator) -> np.ndarray:
    """A proper or improper rotation."""
    return np.linalg.qr(rng.normal(size=(3, 3)))[0]


def random_unimodular(rng: np.random.Generator, steps: int = 3, size: int = 3) -> np.ndarray:
    """An integer matrix of determinant 1; many steps make a very skewed cell."""
    matrix = np.eye(3, dtype=int)
    for _ in range(steps):
        i, j = rng.choice(3, size=2, replace=False)
        matrix[i] += int(rng.integers(-size, size + 1)) * matrix[j]
    return matrix


def distances_near(crystal: Crystal, cutoff: float) -> np.ndarray:
    """Distances within 1e-6 Å of the cutoff, by pymatgen."""
    distance = crystal.to_pymatgen().get_neighbor_list(cutoff + 1e-6)[3]
    return distance[distance > cutoff - 1e-6]


@st.composite
def crystals(
    draw: st.DrawFn, *, elements: tuple[int, ...] = (1, 8, 11, 14, 17, 26, 55, 82), skewed: bool = True
) -> Crystal:
    """Triclinic crystals of one to eight sites at least 0.5 Å apart; no pair is within 1e-6 Å of the cutoff.

    The cell is any of those of the lattice when `skewed`, very flat ones included, and sites lie outside of it too.
    """
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1), label="seed"))
    n_sites = draw(st.integers(1, 8), label="sites")
    while True:  # ends soon: about half of the draws are usable
        cell = rng.uniform(2.0, 7.0, 3)[:, None] * (np.eye(3) + rng.uniform(-0.5, 0.5, (3, 3)))
        numbers, positions = rng.choice(elements, n_sites).astype(np.int64), rng.random((n_sites, 3))
        crystal = Crystal(cell @ random_rotation(rng), numbers, positions, id="random")
        try:
            check(crystal.cell, numbers, positions)
        except CrystalError:
            continue
        if skewed and draw(st.booleans(), label="skew"):
            crystal = translate(recell(crystal, random_unimodular(rng)), rng.integers(-3, 4, (n_sites, 3)))
        if not len(distances_near(crystal, CUTOFF)):
            return crystal
