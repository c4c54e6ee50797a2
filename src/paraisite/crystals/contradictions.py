"""What a CIF states about its crystal, against what its cell and sites give."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from functools import lru_cache

import gemmi
import numpy as np
from gemmi import cif

from paraisite.crystals.check import MAX_SITES
from paraisite.crystals.cif_tags import Tags
from paraisite.crystals.elements import SYMBOLS, reduced_formula, species_number

_GRAMS = 1.66053907
"""One atomic mass unit in 1 Å³, in g/cm³."""


def contradictions(tags: Tags, volume: float, numbers: np.ndarray, *, whole: bool) -> list[str]:
    """Return a note for each stated fact that is off by more than rounding.

    Parameters
    ----------
    tags : Tags
    volume : float
        Of the cell, in Å³.
    numbers : numpy.ndarray, shape (n_sites,)
        Atomic numbers.
    whole : bool
        Whether the sites are those of the file, so that its formula and its density are theirs.
    """
    notes = []
    if "_cell_volume" in tags and _differ(text := tags.text("_cell_volume"), volume, 0.005):
        notes.append(f"the file states a cell volume of {text} Å³, but its cell has {volume:.2f} Å³; check the cell")
    if not whole:
        return notes
    if stated := tags.text("_chemical_formula_sum"):
        notes += _by_formula(stated, tags.number("_cell_formula_units_z"), numbers)
    if (text := tags.text("_exptl_crystal_density_diffrn")) and not re.search(r"\b[DT]\d*\b", stated):
        density = _GRAMS * sum(_mass(z) * n for z, n in Counter(numbers.tolist()).items()) / volume
        if _differ(text, density, 0.02):
            notes.append(
                f"the file states a density of {text} g/cm³, but its sites give {density:.2f} g/cm³: check the atoms "
                "and the symmetry"
            )
    return notes


@lru_cache(maxsize=4096)
def formula_content(formula_sum: str) -> dict[int, float]:
    """Atomic number -> count of `_chemical_formula_sum`, empty if it cannot be read."""
    content: dict[int, float] = {}
    for symbol, count in re.findall(r"([A-Z][a-z]?)([\d.]*)", formula_sum):
        z = species_number(symbol)
        try:
            content[z] = content.get(z, 0.0) + float(count or 1)
        except ValueError:
            return {}
    return {} if 0 in content else content


@lru_cache(maxsize=4096)
def stated_formula(formula_sum: str) -> str:
    """Reduced formula that `_chemical_formula_sum` gives, empty if it cannot be read."""
    content = formula_content(formula_sum)
    if all(n == int(n) for n in content.values()):
        return reduced_formula(z for z, n in content.items() for _ in range(min(int(n), MAX_SITES)))
    return "".join(f"{SYMBOLS[z]}{n:g}" for z, n in content.items())


def _by_formula(stated: str, units: float, numbers: np.ndarray) -> list[str]:
    content, atoms = formula_content(stated), Counter(numbers.tolist())
    if not content or atoms == content:
        return []
    if content.keys() == atoms.keys():
        # the formula may be that of the cell, whatever the number of units beside it
        if units >= 1 and _times(content, units, atoms):
            return []
        n = sum(atoms.values()) / sum(content.values())
        if not units >= 1 and _times(content, n, atoms):
            return []
    given, found = stated_formula(stated), reduced_formula(numbers)
    if given != found:
        return [f"the file states {given}, but its sites give {found}: atoms may be missing"]
    if units >= 1:
        n = sum(atoms.values()) / sum(content.values())
        return [
            f"the file states Z = {units:g} for {stated}, but its sites Z = {n:g}: check the atoms and the symmetry"
        ]
    return []


def _times(content: Mapping[int, float], units: float, atoms: Mapping[int, float]) -> bool:
    return all(abs(atoms[z] - units * content[z]) < 0.01 for z in atoms)


def _differ(stated: str, found: float, tolerance: float) -> bool:
    """Tell whether a number as written differs from what was found by more than its rounding and the tolerance."""
    value = cif.as_number(stated)
    if not value > 0 or abs(value - found) <= tolerance * found:
        return False
    digits = re.search(r"\.(\d+)", stated)
    rounding = 0.5 * 10.0 ** -(len(digits[1]) if digits else 0)
    return abs(value - found) > rounding + tolerance * found


@lru_cache(maxsize=128)
def _mass(z: int) -> float:
    return float(gemmi.Element(z).weight)
