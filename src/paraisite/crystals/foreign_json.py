"""Structures in the JSON of other programs than pymatgen: JARVIS, OPTIMADE and ASE, and texts of CIF within JSON."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from paraisite.crystals.check import MAX_SITES, check_periodic
from paraisite.crystals.crystal import Crystal
from paraisite.crystals.elements import species_number
from paraisite.crystals.isotopes import heavy_hydrogen
from paraisite.crystals.rejection import CrystalError
from paraisite.crystals.sites import Disorder, Sites, order, unknown_element

ID_KEYS = ("material_id", "mp_id", "id", "_id", "task_id", "jid", "identifier", "mat_id", "entry_id")
"""Keys of a record that hold its database id, the first that is present counts."""

Reader = Callable[[Mapping[str, Any], str, str, Disorder], Crystal]

_VACANT = ("vacancy", "vac", "va")


def foreign_reader(value: Any) -> Reader | None:
    """Return what reads a structure of another program, None where it is none of these."""
    if not isinstance(value, dict):
        return None
    for keys, reader in _FORMS:
        if keys <= value.keys():
            return reader
    return None


def jarvis(structure: Mapping[str, Any], id: str, source: str, disorder: Disorder = "reject") -> Crystal:
    """Read ``Atoms.to_dict()`` of JARVIS-Tools."""
    cell = array(structure["lattice_mat"], (3, 3), "lattice_mat")
    symbols = listed(structure["elements"], "elements")
    positions = array(structure["coords"], (len(symbols), 3), "coords")
    if structure.get("cartesian"):
        positions = fractional(cell, positions)
    names = [f"site {i} ({symbol})" for i, symbol in enumerate(symbols, start=1)]
    species: list[dict[int, float]] = [
        {_element(name, symbol): 1.0} for name, symbol in zip(names, symbols, strict=True)
    ]
    return _ordered(cell, positions, species, names, list(map(str, symbols)), id, source, disorder)


def optimade(structure: Mapping[str, Any], id: str, source: str, disorder: Disorder = "reject") -> Crystal:
    """Read the attributes of an OPTIMADE structure."""
    if structure.get("dimension_types"):
        check_periodic(structure["dimension_types"])
    features = listed(structure.get("structure_features") or [], "structure_features")
    if missing := {"implicit_atoms", "site_attachments", "assemblies"} & set(map(str, features)):
        raise CrystalError(f"its sites are incomplete (structure_features {', '.join(sorted(missing))}); leave it out")
    at_sites = list(map(str, listed(structure["species_at_sites"], "species_at_sites")))
    cell = array(structure["lattice_vectors"], (3, 3), "lattice_vectors")
    positions = fractional(
        cell, array(structure["cartesian_site_positions"], (len(at_sites), 3), "cartesian_site_positions")
    )
    known = {
        str(s["name"]): s
        for s in listed(structure.get("species") or [], "species")
        if isinstance(s, dict) and "name" in s
    }
    names = [f"site {i} ({label})" for i, label in enumerate(at_sites, start=1)]
    species: list[dict[int, float]] = []
    for name, label in zip(names, at_sites, strict=True):
        content: dict[int, float] = {}
        symbols = listed(known.get(label, {}).get("chemical_symbols") or [label], "chemical_symbols")
        shares = listed(known.get(label, {}).get("concentration") or [1.0] * len(symbols), "concentration")
        for symbol, share in zip(symbols, shares, strict=False):
            if str(symbol).lower() not in _VACANT:
                z = _element(name, symbol)
                content[z] = content.get(z, 0.0) + number(share, name, "concentration")
        species.append(content)
    return _ordered(cell, positions, species, names, at_sites, id, source, disorder)


def ase(structure: Mapping[str, Any], id: str, source: str, disorder: Disorder = "reject") -> Crystal:
    """Read ``Atoms`` as ASE writes them in JSON, and rows of its databases."""
    cell = plain(structure["cell"])
    if isinstance(cell, dict):  # {"array": …, "__ase_objtype__": "cell"}
        cell = plain(cell.get("array"))
    arrays = (cell, plain(structure.get("pbc", False)), plain(structure["numbers"]), plain(structure["positions"]))
    return Crystal.from_arrays(*arrays, id=id, source=source)


_FORMS: tuple[tuple[frozenset[str], Reader], ...] = (
    (frozenset({"lattice_mat", "coords", "elements"}), jarvis),
    (frozenset({"lattice_vectors", "cartesian_site_positions", "species_at_sites"}), optimade),
    (frozenset({"numbers", "positions", "cell"}), ase),
)
"""Keys by which a form is known, and what reads it."""


def plain(value: Any) -> Any:
    """Return an array that ASE writes as ``{"__ndarray__": [shape, type, numbers]}``; anything else as it is.

    Raises
    ------
    CrystalError
        If it does not hold as many numbers as its shape says: numpy would repeat them.
    """
    if not isinstance(value, dict) or "__ndarray__" not in value:
        return value
    parts = value["__ndarray__"]
    if not isinstance(parts, list) or len(parts) != 3 or not isinstance(parts[2], list):
        raise CrystalError("an array (__ndarray__) is not written as ASE does it; write the file again")
    shape, _, numbers = parts
    if not isinstance(shape, list) or not all(type(n) is int and n >= 0 for n in shape):
        raise CrystalError("an array (__ndarray__) has an invalid shape; write the file again")
    if math.prod(shape) != len(numbers):
        raise CrystalError(f"an array of shape {shape} holds {len(numbers)} numbers; write the file again")
    return array(numbers, (len(numbers),), "__ndarray__").reshape(shape)


def array(value: Any, shape: tuple[int, ...], name: str) -> np.ndarray:
    """Return numbers of a certain shape, or raise `CrystalError`."""
    if shape[0] > MAX_SITES * 3:
        raise CrystalError(f"{shape[0]} sites are more than the limit of {MAX_SITES}; give the primitive cell")
    try:
        found = np.array(value, dtype=float)
    except (TypeError, ValueError, OverflowError):
        found = np.zeros(0)
    if found.shape != shape and not (found.size == 0 == math.prod(shape)):
        raise CrystalError(f"{name} is not {' x '.join(map(str, shape))} numbers; correct it")
    return found.reshape(shape)


def listed(value: Any, name: str) -> Sequence[Any]:
    """Return a list, or raise `CrystalError`."""
    if not isinstance(value, list):
        raise CrystalError(f"{name} is not a list; correct it")
    return value


def number(value: Any, site: str, name: str) -> float:
    """Return a number, or raise `CrystalError`."""
    try:
        if not isinstance(value, bool) and math.isfinite(found := float(value)):
            return found
    except (TypeError, ValueError, OverflowError):
        pass
    shown = "null" if value is None else str(value)[:40]
    raise CrystalError(f"{site} has {name} {shown}, which is not a number; correct it")


def fractional(cell: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """Fractional coordinates of Cartesian ones, or raise `CrystalError` where the cell has no volume."""
    if not np.isfinite(cell).all() or abs(np.linalg.det(cell)) < 1e-12:
        raise CrystalError("the cell has no volume; correct the lattice vectors")
    return np.asarray(np.linalg.solve(cell.T, positions.T).T)


def _element(name: str, symbol: Any) -> int:
    if not (z := species_number(str(symbol))):
        raise unknown_element(name, str(symbol))
    return z


def _ordered(
    cell: np.ndarray,
    positions: np.ndarray,
    species: list[dict[int, float]],
    names: list[str],
    symbols: list[str],
    id: str,
    source: str,
    disorder: Disorder,
) -> Crystal:
    if not names:
        raise CrystalError("the structure has no sites; give at least one atom")
    sites = Sites(positions, species, names)
    numbers, positions = order(sites, disorder)
    hydrogen = [(f"site {i} ({symbol})", symbol) for i, symbol in enumerate(symbols, 1) if species_number(symbol) == 1]
    heavy, mass = heavy_hydrogen(hydrogen)
    return Crystal(cell, numbers, positions, id, source, (*sites.notes, *heavy), mass)


def record_id(record: Mapping[str, Any]) -> str:
    """Database id that a record gives, else an empty string; ``{"string": id}`` and ``{"$oid": id}`` count as texts."""
    for key in ID_KEYS:
        value = record.get(key)
        if isinstance(value, dict):
            value = value.get("string", value.get("$oid"))
        if isinstance(value, (str, int)) and not isinstance(value, bool) and str(value):
            return str(value)
    return ""
