"""What crystals have in common: formula, chemical system, prototype, elements, or the structure itself."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache, partial
from string import ascii_lowercase, ascii_uppercase
from types import MappingProxyType
from typing import TYPE_CHECKING

from paraisite.crystals.elements import SYMBOLS
from paraisite.datasets import duplicates
from paraisite.processes.limits import cores

if TYPE_CHECKING:
    from paraisite.crystals.crystal import Crystal

SYMPREC = 0.01
"""Distance in Å within which spglib counts two sites as equivalent when a prototype is made (spglib's own examples use
1e-5 for exact coordinates, pymatgen 0.01 for databases)."""


def formulas(crystals: Sequence[Crystal]) -> tuple[str, ...]:
    """Reduced formula of each crystal."""
    return tuple(crystal.formula for crystal in crystals)


def elements(crystal: Crystal) -> tuple[str, ...]:
    """Distinct elements of a crystal by atomic number."""
    return tuple(SYMBOLS[z] for z in sorted(set(crystal.numbers.tolist())))


def chemical_systems(crystals: Sequence[Crystal]) -> tuple[str, ...]:
    """Elements of each crystal in alphabetical order, such as ``Mg-O``."""
    return tuple("-".join(sorted(elements(crystal))) for crystal in crystals)


def anonymous_formula(crystal: Crystal) -> str:
    """Formula with letters in place of elements, the rarest first, such as ``AB2`` for CaF₂."""
    counts = Counter(crystal.numbers.tolist()).values()
    factor = math.gcd(*counts)
    letters = ascii_uppercase + ascii_lowercase  # as in pymatgen
    return "".join(
        f"{letter}{n // factor if n > factor else ''}" for letter, n in zip(letters, sorted(counts), strict=False)
    )


def space_group(crystal: Crystal, symprec: float = SYMPREC) -> int:
    """Number of the space group that spglib finds, 0 if it finds none (atoms too close together).

    Parameters
    ----------
    crystal : Crystal
    symprec : float
        In Å.
    """
    return _space_group(crystal.cell.tobytes(), crystal.positions.tobytes(), crystal.numbers.tobytes(), symprec)


@lru_cache(maxsize=20_000)  # datasets that are compared share most crystals
def _space_group(cell: bytes, positions: bytes, numbers: bytes, symprec: float) -> int:
    import numpy as np

    from paraisite.crystals.spglib_calls import ask_spglib

    vectors, sites = np.frombuffer(cell).reshape(3, 3), np.frombuffer(positions).reshape(-1, 3)
    species = np.frombuffer(numbers, dtype=np.int64)
    found = ask_spglib("get_symmetry_dataset", vectors, sites, species, symprec)
    return 0 if found is None else int(found.number)


def prototypes(
    crystals: Sequence[Crystal], symprec: float = SYMPREC, advance: Callable[[], object] = lambda: None
) -> tuple[str, ...]:
    """Anonymous formula and space group of each crystal, such as ``AB-225`` for rocksalt.

    Coarser than a crystallographer's structure type: which positions are occupied does not enter, so that two types
    with the same formula and space group are one prototype. Takes some 5 ms a crystal and core; `advance` is called
    after each.
    """
    found = []
    with ThreadPoolExecutor(cores()) as pool:  # spglib lets other threads run
        for crystal, number in zip(crystals, pool.map(partial(space_group, symprec=symprec), crystals), strict=True):
            found.append(f"{anonymous_formula(crystal)}-{number}")
            advance()
    return tuple(found)


def same_crystals(crystals: Sequence[Crystal]) -> tuple[int, ...]:
    """Number of the first crystal that is the same as each (`paraisite.datasets.duplicates`); some 8 ms a pair."""
    label = list(range(len(crystals)))
    for group in duplicates.same_crystals(crystals):
        for row in group:
            label[row] = group[0]
    return tuple(label)


def pairs(crystals: Sequence[Crystal]) -> int:
    """Number of pairs of equal formula, which `same_crystals` compares at most."""
    return sum(math.comb(n, 2) for n in Counter(formulas(crystals)).values())


GROUPS: MappingProxyType[str, Callable[[Sequence[Crystal]], tuple[object, ...]]] = MappingProxyType(
    {
        "formula": formulas,
        "chemical-system": chemical_systems,
        "prototype": prototypes,
        "crystal": same_crystals,
    }
)
"""What two crystals may have in common, and the function that labels crystals by it."""
