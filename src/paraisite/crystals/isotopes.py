"""Deuterium and tritium: predictions take them for hydrogen, phonons take their mass."""

from __future__ import annotations

import re
from collections.abc import Sequence

MASSES = {"D": 2.01410177812, "T": 3.0160492779}
"""Atomic mass in u (AME2020: M. Wang et al., Chin. Phys. C 45, 030003 (2021))."""


def heavy_hydrogen(sites: Sequence[tuple[str, str]]) -> tuple[list[str], float | None]:
    """Look for heavier isotopes among the sites of hydrogen of a crystal.

    Parameters
    ----------
    sites : sequence of tuple of str
        How to call each site of hydrogen in a note, and its species or label as the file has it.

    Returns
    -------
    notes : list of str
        One, or none where there is no isotope.
    mass : float or None
        Of all hydrogen in u, where all of it is one heavier isotope.
    """
    found = [re.match(r"\s*(?:(D|2H)|T|3H)(?![a-z])", symbol) for _, symbol in sites]
    heavy = [(name, "D" if match[1] else "T") for (name, _), match in zip(sites, found, strict=True) if match]
    if not heavy:
        return [], None
    others = f" and {len(heavy) - 1} more" if len(heavy) > 1 else ""
    note = f"{heavy[0][0]}{others} is deuterium or tritium and was read as hydrogen; predictions ignore isotopes"
    kinds = {kind for _, kind in heavy}
    return [note], MASSES[kinds.pop()] if len(heavy) == len(sites) and len(kinds) == 1 else None
