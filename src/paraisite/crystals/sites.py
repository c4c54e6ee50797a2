"""Sites as a file gives them, possibly shared by several species, and the disorder policy that orders them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from paraisite.crystals.elements import SYMBOLS, is_group
from paraisite.crystals.rejection import CrystalError

Disorder = Literal["reject", "majority"]

OCCUPANCY_TOLERANCE = 1e-3
"""A site is full if its occupancy is 1 within this."""


@dataclass(slots=True)
class Sites:
    """Sites of one cell before the disorder policy.

    Attributes
    ----------
    positions : numpy.ndarray, shape (n_sites, 3)
        Fractional coordinates.
    species : list of dict
        For each site, atomic number -> occupancy.
    names : sequence of str
        For each site, how a message names it.
    notes : list of str
        What was changed or assumed so far.
    whole : bool
        Whether each site is known to hold one element and all of it.
    hydrogen_mass : float or None
        As `Crystal` has it.
    """

    positions: np.ndarray
    species: list[dict[int, float]]
    names: Sequence[str]
    notes: list[str] = field(default_factory=list)
    whole: bool = False
    hydrogen_mass: float | None = None


def order(sites: Sites, disorder: Disorder) -> tuple[np.ndarray, np.ndarray]:
    """Apply the disorder policy: one element to each site.

    Parameters
    ----------
    sites : Sites
        `sites.notes` gains a line for everything that the policy changed.
    disorder : {"reject", "majority"}
        What to do with a site that is partly vacant or shared. ``majority`` takes the species that holds more than
        half of the site, and drops a site that is more than half vacant.

    Returns
    -------
    numbers : numpy.ndarray, shape (n_kept,)
    positions : numpy.ndarray, shape (n_kept, 3)

    Raises
    ------
    CrystalError
        If a site is disordered (`reject`) or has no majority (`majority`), or an occupancy is impossible.
    """
    if sites.whole:
        return np.array([z for species in sites.species for z in species], dtype=np.int64), sites.positions
    numbers = np.zeros(len(sites.species), dtype=np.int64)
    for i, species in enumerate(sites.species):
        if len(species) == 1:
            ((z, occupancy),) = species.items()
            if abs(occupancy - 1.0) <= OCCUPANCY_TOLERANCE:
                numbers[i] = z
                continue
        numbers[i] = _resolve(species, sites.names[i], disorder, sites.notes)
    sites.notes[:] = dict.fromkeys(sites.notes)  # symmetry gives one site many images
    if numbers.all():
        return numbers, sites.positions
    return numbers[numbers > 0], sites.positions[numbers > 0]


def _resolve(species: dict[int, float], name: str, disorder: Disorder, notes: list[str]) -> int:
    content = "".join(f"{SYMBOLS[z]}{occupancy:.4g}" for z, occupancy in species.items())
    total = sum(species.values())
    if any(not 0.0 <= occupancy <= 1.0 + OCCUPANCY_TOLERANCE for occupancy in species.values()) or (
        total > 1.0 + OCCUPANCY_TOLERANCE
    ):
        raise CrystalError(f"{name} has an invalid occupancy: {content}; correct it to at most 1 in total")
    if total <= OCCUPANCY_TOLERANCE:
        notes.append(f"{name} is empty and was left out")
        return 0
    full = [z for z, occupancy in species.items() if occupancy >= 1.0 - OCCUPANCY_TOLERANCE]
    if full:
        return full[0]
    if disorder == "reject":
        raise CrystalError(
            f"{name} is disordered: {content}; give an ordered structure, or take the majority species "
            "with --disorder majority (in Python disorder='majority')"
        )
    z, occupancy = max(species.items(), key=lambda item: item[1])
    if occupancy > 0.5:
        notes.append(f"{name} is disordered ({content}) and was read as {SYMBOLS[z]}")
        return z
    if 1.0 - total > 0.5:
        notes.append(f"{name} is mostly vacant ({content}) and was left out")
        return 0
    raise CrystalError(f"{name} is disordered without a majority: {content}; give an ordered structure")


def unknown_element(name: str, symbol: str) -> CrystalError:
    """Return the error for a site whose species is not an element."""
    if is_group(symbol) or symbol.lower().startswith("wat"):
        return CrystalError(
            f"{name} holds {symbol!r}, which looks like a group of atoms; give each atom a site and its element"
        )
    dummy = symbol.strip("0123456789 ").lower() in ("", "x", "va", "vac", "vacancy", "dum", "dummy", "q")
    remedy = "replace or remove it" if dummy else "give its element"
    return CrystalError(f"{name} holds {symbol!r}, which is not a chemical element; {remedy}")


def first_bad(values: Iterable[float]) -> int | None:
    """Index of the first number that is not finite, or None."""
    return next((i for i, value in enumerate(values) if not math.isfinite(value)), None)


def occupancy_notes(occupancy: Any) -> tuple[str, ...]:
    """Notes on the `occupancy` that stands beside a structure of ASE, by kind of site as its CIF reader keeps it.

    Raises
    ------
    CrystalError
        If a site is disordered.
    """
    if occupancy is None:
        return ()
    if not isinstance(occupancy, Mapping):
        full = isinstance(occupancy, (int, float, str)) and str(occupancy) in ("1", "1.0", "True", "")
        return () if full else (f"it states occupancy={str(occupancy)[:40]}, which was ignored",)
    for kind, content in occupancy.items():
        try:
            full = len(content) == 1 and all(abs(float(share) - 1.0) <= 1e-3 for share in content.values())
            text = "".join(f"{symbol}{float(share):.4g}" for symbol, share in content.items())
        except (TypeError, ValueError, AttributeError):
            return (f"it states an occupancy of site kind {str(kind)[:40]} that is not a number; it was ignored",)
        if not full:
            raise CrystalError(f"site kind {kind} is disordered: {text}; give an ordered structure")
    return ()
