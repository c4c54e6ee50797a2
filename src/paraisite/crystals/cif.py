"""Crystallographic Information Files, through gemmi."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache

import gemmi
import numpy as np
from gemmi import cif

from paraisite.crystals.check import MAX_SITES
from paraisite.crystals.crystal import Crystal
from paraisite.crystals.elements import SYMBOLS, element_number, reduced_formula, species_number
from paraisite.crystals.rejection import CrystalError, Rejection
from paraisite.crystals.sites import Disorder, Sites, first_bad, order, unknown_element
from paraisite.crystals.symmetry import SITE_TOLERANCE, UNSTATED, Operators, check_metric, operators, orbit

_COORDINATES = ("_atom_site_fract_x", "_atom_site_fract_y", "_atom_site_fract_z")
_CELL = ("length_a", "length_b", "length_c", "angle_alpha", "angle_beta", "angle_gamma")


def read_cif(text: str, *, id: str, source: str, disorder: Disorder = "reject") -> Iterator[Crystal | Rejection]:
    """Yield a crystal or a rejection for each block that describes a structure.

    Blocks without atom sites (publication data) are passed over when another block has some; a file without any gives
    one rejection.
    """
    try:
        try:
            document = cif.read_string(text, 0)
        except ValueError:
            if text.isascii():
                raise
            # bare values outside ASCII are not CIF, but only names and titles hold such
            document = cif.read_string(text.encode("ascii", "replace").decode(), 0)
    except (ValueError, RuntimeError) as error:
        place = str(error).removeprefix("string:").strip()
        yield Rejection(id, source, f"not a readable CIF (line {place}); the file may be cut off: export it again")
        return
    blocks = [block for block in document if _has_sites(block)]
    if not blocks:
        found = "no atom sites" if len(document) else "no data block"
        yield Rejection(id, source, f"the CIF has {found}; give a file with _atom_site_fract_x, _y, _z and a cell")
        return
    names = [block.name for block in blocks]
    for i, block in enumerate(blocks):
        if len(blocks) == 1:
            label, place = id, source
        else:
            unique = block.name and names.count(block.name) == 1
            label = block.name if unique else f"{id}-{i}"
            place = f"{source}#{block.name if unique else i}"
        try:
            yield _crystal(block, label, place, disorder)
        except CrystalError as error:
            stated = block.find_value("_chemical_formula_sum") or ""
            yield Rejection(label, place, str(error), _stated_formula(stated), None, len(_content(stated)) or None)


def _has_sites(block: cif.Block) -> bool:
    return any(len(block.find_values(tag)) for tag in (*_COORDINATES, "_atom_site_label", "_atom_site_type_symbol"))


def _crystal(block: cif.Block, id: str, source: str, disorder: Disorder) -> Crystal:
    parameters = [cif.as_number(block.find_value(f"_cell_{name}") or "?") for name in _CELL]
    if (bad := first_bad(parameters)) is not None:
        raise CrystalError(f"_cell_{_CELL[bad]} is missing or not a number; add the unit cell to the CIF")
    if min(parameters[:3]) <= 0 or not all(0 < angle < 180 for angle in parameters[3:]):
        raise CrystalError("the cell has a length that is not positive or an angle outside 0 to 180°; correct it")
    unit_cell = gemmi.UnitCell(*parameters)
    cell = _vectors(unit_cell)
    sites = _asymmetric_unit(block)
    candidates, group = operators(block, unit_cell)
    if not candidates[0].is_identity:
        check_metric(candidates[0], cell, group)
        ops = _origin(candidates, sites, cell, block, group)
        sites = _expand(sites, ops, cell)
    sites = _merge_shared(sites, cell)
    numbers, positions = order(sites, disorder)
    if not sites.notes and (given := _stated_formula(block.find_value("_chemical_formula_sum") or "")):
        found = reduced_formula(numbers)
        if given != found:
            sites.notes.append(f"the file states {given}, but its sites give {found}: atoms may be missing")
    if group == UNSTATED:
        sites.notes.append("the file states no symmetry and was read as P 1; if atoms are missing, add its space group")
    return Crystal(cell, numbers, positions, id, source, tuple(sites.notes))


def _vectors(unit_cell: gemmi.UnitCell) -> np.ndarray:
    cell = np.array(unit_cell.orth.mat.tolist(), dtype=float).T
    if not (np.isfinite(cell).all() and unit_cell.volume > 1e-3):
        raise CrystalError("the cell has no volume; correct the cell angles")
    return cell


def _asymmetric_unit(block: cif.Block) -> Sites:
    columns = [block.find_values(tag) for tag in _COORDINATES]
    n = len(columns[0])
    if not n or any(len(column) != n for column in columns):
        raise CrystalError("the atom sites have no fractional coordinates; give _atom_site_fract_x, _y and _z")
    if n > MAX_SITES:
        raise CrystalError(f"{n} sites are more than the limit of {MAX_SITES}; give the primitive cell")
    labels = _strings(block, "_atom_site_label", n)
    types = _strings(block, "_atom_site_type_symbol", n)
    if not labels and not types:
        raise CrystalError("the atom sites name no element; add _atom_site_type_symbol")
    names = [f"site {i + 1}" + (f" ({label})" if label else "") for i, label in enumerate(labels or types)]
    positions = np.array([[cif.as_number(text) for text in column] for column in columns]).T
    if not np.isfinite(positions).all():
        site, axis = np.argwhere(~np.isfinite(positions))[0]
        raise CrystalError(
            f"{names[site]} has {_COORDINATES[axis]} = {columns[axis][site]}, not a number; correct or remove the site"
        )
    occupancies = _occupancies(block, names)
    species: list[dict[int, float]] = []
    for i in range(n):
        if types and types[i] not in ("?", ".", ""):
            symbol, z = types[i], species_number(types[i])
        else:
            symbol = labels[i] if labels else ""
            z = element_number(symbol)
        if not z:
            raise unknown_element(names[i], symbol)
        species.append({z: occupancies[i]})
    return Sites(positions, species, names)


def _strings(block: cif.Block, tag: str, n: int) -> list[str]:
    values = [cif.as_string(value) for value in block.find_values(tag)]
    return values if len(values) == n else []


def _occupancies(block: cif.Block, names: Sequence[str]) -> list[float]:
    values = list(block.find_values("_atom_site_occupancy"))
    if len(values) != len(names):
        return [1.0] * len(names)
    occupancies = [1.0 if value in ("?", ".") else cif.as_number(value) for value in values]
    if (bad := first_bad(occupancies)) is not None:
        raise CrystalError(f"{names[bad]} has occupancy {values[bad]}, not a number; correct it")
    return occupancies


def _origin(candidates: list[Operators], sites: Sites, cell: np.ndarray, block: cif.Block, group: str) -> Operators:
    """Settle the origin choice, where the file leaves it open, by the multiplicities or the content that it states."""
    if len(candidates) == 1:
        return candidates[0]
    stated = [cif.as_number(m) for m in _strings(block, "_atom_site_symmetry_multiplicity", len(sites.species))]
    content = _content(block.find_value("_chemical_formula_sum") or "")
    units = cif.as_number(block.find_value("_cell_formula_units_Z") or "?")
    agreeing = []
    for ops in candidates:
        found = [len(orbit(ops, position, cell)) for position in sites.positions]
        atoms: Counter[int] = Counter()
        for species, n in zip(sites.species, found, strict=True):
            for z, occupancy in species.items():
                atoms[z] += n * occupancy  # type: ignore[assignment]
        if stated == found or (not stated and content and _same_content(atoms, content, units)):
            agreeing.append(ops)
    if len(agreeing) == 1:
        return agreeing[0]
    sites.notes.append(f"origin choice 1 assumed for {group}; list the symmetry operators in the file to be sure")
    return candidates[0]


def _same_content(atoms: Mapping[int, float], content: Mapping[int, float], units: float) -> bool:
    if atoms.keys() != content.keys():
        return False
    if not units > 0:
        units = sum(atoms.values()) / sum(content.values())
    return all(abs(atoms[z] - units * content[z]) < 0.01 for z in atoms)


@lru_cache(maxsize=4096)
def _content(formula_sum: str) -> dict[int, float]:
    """Atomic number -> count of `_chemical_formula_sum`, empty if it cannot be read."""
    content: dict[int, float] = {}
    for symbol, count in re.findall(r"([A-Z][a-z]?)([\d.]*)", cif.as_string(formula_sum)):
        z = species_number(symbol)
        try:
            content[z] = content.get(z, 0.0) + float(count or 1)
        except ValueError:
            return {}
    return {} if 0 in content else content


@lru_cache(maxsize=4096)
def _stated_formula(formula_sum: str) -> str:
    """Reduced formula that `_chemical_formula_sum` gives, empty if it cannot be read."""
    content = _content(formula_sum)
    if all(n == int(n) for n in content.values()):
        return reduced_formula(z for z, n in content.items() for _ in range(min(int(n), MAX_SITES)))
    return "".join(f"{SYMBOLS[z]}{n:g}" for z, n in content.items())


def _expand(sites: Sites, ops: Operators, cell: np.ndarray) -> Sites:
    positions: list[np.ndarray] = []
    species: list[dict[int, float]] = []
    names: list[str] = []
    for i, content in enumerate(sites.species):
        images = orbit(ops, sites.positions[i], cell)
        positions.append(images)
        species += [dict(content) for _ in images]
        names += [sites.names[i]] * len(images)
        if len(species) > MAX_SITES:
            raise CrystalError(f"more than {MAX_SITES} sites in the full cell; give the primitive cell")
    return Sites(np.concatenate(positions), species, names, sites.notes)


def _merge_shared(sites: Sites, cell: np.ndarray) -> Sites:
    """Join partly occupied sites that coincide: one site with the sum of their occupancies."""
    partial = [i for i, species in enumerate(sites.species) if min(species.values()) < 0.999]
    if len(partial) < 2:
        return sites
    gone: set[int] = set()
    for k, i in enumerate(partial):
        if i in gone:
            continue
        rest = np.array([j for j in partial[k + 1 :] if j not in gone], dtype=int)
        if not len(rest):
            break
        difference = sites.positions[rest] - sites.positions[i]
        difference -= np.rint(difference)
        for j in rest[((difference @ cell) ** 2).sum(axis=1) < SITE_TOLERANCE**2].tolist():
            for z, occupancy in sites.species[j].items():
                sites.species[i][z] = sites.species[i].get(z, 0.0) + occupancy
            gone.add(j)
    keep = [i for i in range(len(sites.species)) if i not in gone]
    return Sites(sites.positions[keep], [sites.species[i] for i in keep], [sites.names[i] for i in keep], sites.notes)
