"""The atom sites of a CIF block: coordinates, species and occupancies; what is not a whole atom."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from gemmi import cif

from paraisite.crystals.check import MAX_SITES
from paraisite.crystals.cif_tags import COORDINATES, Tags
from paraisite.crystals.elements import SYMBOLS, label_number, mixture, species_number
from paraisite.crystals.isotopes import heavy_hydrogen
from paraisite.crystals.rejection import CrystalError
from paraisite.crystals.sites import Sites, first_bad, unknown_element
from paraisite.files.printable import counted

_UNKNOWN = ("?", ".", "")
_WATER = re.compile(r"(?:O[Ww]|OH|W|W[Aa][Tt])(?![a-z])")


def asymmetric_unit(tags: Tags, elements: frozenset[int]) -> Sites:
    """Return the sites that a block lists.

    Parameters
    ----------
    tags : Tags
    elements : frozenset of int
        Atomic numbers of the formula that the file states, which settle what a label means; empty if unknown.

    Raises
    ------
    CrystalError
        If a site has no coordinates or no element, or stands for something else than an atom.
    """
    n = tags.count(COORDINATES[0])
    if not n or any(tags.count(tag) != n for tag in COORDINATES):
        raise CrystalError(_without_coordinates(tags))
    if n > MAX_SITES:
        raise CrystalError(f"{n} sites are more than the limit of {MAX_SITES}; give the primitive cell")
    labels, types = _column(tags, "_atom_site_label", n), _column(tags, "_atom_site_type_symbol", n)
    if not labels and not types:
        raise CrystalError("the atom sites name no element; add _atom_site_type_symbol")
    names: Sequence[str] = _Names(labels or types)
    notes: list[str] = []
    occupancies = _occupancies(tags, names)
    keep = _atoms(tags, names, occupancies, notes)
    columns = [tags.column(tag) for tag in COORDINATES]
    positions = np.array([_numbers(column) for column in columns]).T[keep]
    if not math.isfinite(positions.sum()) and not np.isfinite(positions).all():
        i, axis = np.argwhere(~np.isfinite(positions))[0].tolist()
        site = keep[i] if isinstance(keep, list) else i
        given = columns[axis][site]
        raise CrystalError(f"{names[site]} has {COORDINATES[axis]} = {given}, not a number; correct or remove the site")
    plain = {symbol: species_number(cif.as_string(symbol)) for symbol in set(types)}
    species: list[dict[int, float]] = []
    hydrogen: list[tuple[str, str]] = []
    simple = bool(types) and min(plain.values()) > 1 and not isinstance(keep, list)
    if simple:  # nearly always
        species = [{plain[symbol]: occupancy} for symbol, occupancy in zip(types, occupancies, strict=True)]
    else:
        for i in keep if isinstance(keep, list) else range(n):
            if types and plain[types[i]] > 1:
                species.append({plain[types[i]]: occupancies[i]})
                continue
            label = cif.as_string(labels[i]) if labels else ""
            symbol = cif.as_string(types[i]) if types and types[i] not in _UNKNOWN else ""
            shares = _species(symbol, label, elements)
            if not shares:
                raise unknown_element(names[i], symbol or label)
            if any(share != share for share in shares.values()):
                both = " and ".join(SYMBOLS[z] for z in shares)
                raise CrystalError(f"{names[i]} is shared by {both}; give each a line with its occupancy")
            species.append({z: share * occupancies[i] for z, share in shares.items()})
            if 1 in shares:
                hydrogen.append((names[i], symbol or label))
    heavy, mass = heavy_hydrogen(hydrogen)
    notes += heavy
    if isinstance(keep, list):
        names, labels = [names[i] for i in keep], [labels[i] for i in keep if labels]
    if labels and (wet := _hydrated(labels, species)):
        notes.append(f"the label {wet} stands for water or hydroxyl, but no hydrogen has a site: atoms may be missing")
    whole = set(occupancies) == {1.0} and (simple or all(share == 1 for s in species for share in s.values()))
    return Sites(positions, species, names, notes, whole, mass)


class _Names(Sequence[str]):
    """How messages name the sites, made when it is asked for."""

    def __init__(self, labels: Sequence[str]) -> None:
        self._labels = labels

    def __len__(self) -> int:
        return len(self._labels)

    def __getitem__(self, i):  # type: ignore[no-untyped-def]
        label = cif.as_string(self._labels[i])
        return f"site {i + 1} ({label})" if label else f"site {i + 1}"


def _numbers(column: Sequence[str]) -> list[float]:
    """Return the numbers of a column, NaN for what is none."""
    if "_" not in "".join(column):  # which Python allows within a number
        try:
            return list(map(float, column))
        except ValueError:  # an uncertainty in parentheses, or no number
            pass
    return list(map(cif.as_number, column))


def _without_coordinates(tags: Tags) -> str:
    if "_atom_site_cartn_x" in tags:
        if "_atom_site_label_atom_id" in tags or "_atom_site_group_pdb" in tags:
            return (
                "this is an mmCIF with coordinates in Å, as for proteins; export a CIF with _atom_site_fract_x, _y, _z"
            )
        return "the coordinates are Cartesian (_atom_site_Cartn_x); export a CIF with _atom_site_fract_x, _y and _z"
    return "the atom sites have no fractional coordinates; give _atom_site_fract_x, _y and _z"


def _hydrated(labels: Sequence[str], species: Sequence[dict[int, float]]) -> str:
    """Return the label of an oxygen that means water or hydroxyl in a crystal without hydrogen, else nothing."""
    found = {z for shares in species for z in shares}
    if 8 not in found or 1 in found or 74 in found:
        return ""
    oxygens = (label for label, shares in zip(labels, species, strict=True) if 8 in shares)
    return next(filter(_WATER.match, map(cif.as_string, oxygens)), "")


def _atoms(tags: Tags, names: Sequence[str], occupancies: Sequence[float], notes: list[str]) -> list[int] | slice:
    """Return which lines are atoms; raise where one is an alternative or lacks its hydrogens."""
    n = len(names)
    if "_atom_site_disorder_group" in tags:
        groups = _texts(tags, "_atom_site_disorder_group", n)
        assemblies = _texts(tags, "_atom_site_disorder_assembly", n) or [""] * n
        alternatives: dict[str, set[str]] = {}
        for group, assembly, occupancy, name in zip(groups, assemblies, occupancies, names, strict=False):
            if group in (*_UNKNOWN, "0") or occupancy < 0.999:
                continue
            alternatives.setdefault(assembly, set()).add(group)
            if group.startswith("-") or len(alternatives[assembly]) > 1:
                raise CrystalError(
                    f"{name} is an alternative position (disorder group {group}) without an occupancy; keep one group "
                    "of atoms, or give _atom_site_occupancy"
                )
    if "_atom_site_attached_hydrogens" in tags:
        for value, name in zip(_column(tags, "_atom_site_attached_hydrogens", n), names, strict=True):
            if cif.as_number(value) > 0:
                raise CrystalError(f"{name} stands for an atom with attached hydrogen ({value}); give each atom a site")
    if "_atom_site_calc_flag" in tags:
        flags = [flag.lower() for flag in _texts(tags, "_atom_site_calc_flag", n)]
        if "dum" in flags:
            dummies = [name for name, flag in zip(names, flags, strict=True) if flag == "dum"]
            notes += [f"{name} is flagged as a dummy and was left out" for name in dummies[:3]]
            if len(dummies) > 3:
                notes.append(f"left out as dummies: {counted(len(dummies) - 3, 'more site')}")
            return [i for i, flag in enumerate(flags) if flag != "dum"]
    return slice(None)


def _column(tags: Tags, tag: str, n: int) -> list[str]:
    """Return a column of the sites, empty if it is absent."""
    if (found := tags.count(tag)) not in (0, n):
        raise CrystalError(
            f"{tag} has {counted(found, 'value')} for {counted(n, 'site')}; write all columns of the sites in one loop"
        )
    return tags.column(tag)


def _texts(tags: Tags, tag: str, n: int) -> list[str]:
    return [value if value.isalnum() else cif.as_string(value) for value in _column(tags, tag, n)]


def _occupancies(tags: Tags, names: Sequence[str]) -> list[float]:
    tag = "_atom_site_occupancy"
    values = _column(tags, tag, len(names))
    if not values:
        return [1.0] * len(names)
    known = {value: 1.0 if value in "?." else cif.as_number(value) for value in set(values)}
    occupancies = [known[value] for value in values]
    if first_bad(known.values()) is not None:
        bad = next(i for i, occupancy in enumerate(occupancies) if not math.isfinite(occupancy))
        raise CrystalError(f"{names[bad]} has occupancy {values[bad]}, not a number; correct it")
    return occupancies


@lru_cache(maxsize=4096)
def _species(symbol: str, label: str, elements: frozenset[int]) -> dict[int, float]:
    """Shares of the elements on a site by its type, or by its label where it has none; empty if they say nothing."""
    if not symbol:
        if len(shares := mixture(label)) > 1:
            return shares
        z = label_number(label, elements)
        return {z: 1.0} if z else {}
    z = species_number(symbol)
    if symbol == "T" and elements and 1 not in elements:  # the tetrahedral site of a zeolite
        z = 0
    if z:
        return {z: 1.0}
    if shares := mixture(symbol):
        return shares
    meant = [z for text in (symbol, label) if (z := label_number(text, elements)) in elements]
    return {meant[0]: 1.0} if meant else {}
