"""Crystallographic Information Files, through gemmi."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from functools import lru_cache

import gemmi
import numpy as np
from gemmi import cif

from paraisite.crystals.cif_sites import asymmetric_unit
from paraisite.crystals.cif_tags import Tags
from paraisite.crystals.contradictions import contradictions, formula_content, stated_formula
from paraisite.crystals.crystal import Crystal
from paraisite.crystals.expand import Content, expand, merge_shared
from paraisite.crystals.guard import guarded
from paraisite.crystals.rejection import CrystalError, Rejection
from paraisite.crystals.sites import Disorder, first_bad, order
from paraisite.crystals.symmetry import UNSTATED, symmetry

_CELL = ("length_a", "length_b", "length_c", "angle_alpha", "angle_beta", "angle_gamma")
_CELL_TAGS = tuple(f"_cell_{name}" for name in _CELL)

_MODULATED = re.compile(
    r"_(cell_modulation|cell_wave_vector|cell_subsystem|(space_group|symmetry)_(symop_)?(magn_)?ssg_|"
    r"atom_sites?_(fourier|modulation|phason|displace|(occ|u|rot|moment|aniso\w*)_(fourier|special|legendre|ortho|xharm)))"
)
_MAGNETIC = re.compile(
    r"_(space_group_(symop_)?magn|symmetry_magn|magnetic_|parent_propagation_vector|atom_sites?_(moment|magn|spin))"
)


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
        remedy = "the file may be cut off: export it again"
        if text.startswith("#\\#CIF_2"):
            remedy = "lists and tables of CIF 2.0 are not read: export it as CIF 1.1"
        yield Rejection(id, source, f"not a readable CIF (line {place}); {remedy}")
        return
    blocks = [(block.name, tags) for block in document if (tags := Tags(block)).has_sites]
    if not blocks:
        found = "no atom sites" if len(document) else "no data block"
        yield Rejection(id, source, f"the CIF has {found}; give a file with _atom_site_fract_x, _y, _z and a cell")
        return
    names = [name for name, _ in blocks]
    for i, (name, tags) in enumerate(blocks):
        if len(blocks) == 1:
            label, place = id, source
        else:
            unique = name and names.count(name) == 1
            label = name if unique else f"{id}-{i}"
            place = f"{source}#{name if unique else i}"
        yield guarded(label, place, _structure, tags, label, place, disorder)


def _structure(tags: Tags, id: str, source: str, disorder: Disorder) -> Crystal | Rejection:
    try:
        return _crystal(tags, id, source, disorder)
    except CrystalError as error:
        stated = tags.text("_chemical_formula_sum")
        n_elements = len(formula_content(stated)) or None
        return Rejection(id, source, str(error), stated_formula(stated), None, n_elements)


def _crystal(tags: Tags, id: str, source: str, disorder: Disorder) -> Crystal:
    if tags.error:
        raise CrystalError(tags.error)
    parameters = [tags.number(tag) for tag in _CELL_TAGS]
    if (bad := first_bad(parameters)) is not None:
        raise CrystalError(f"_cell_{_CELL[bad]} is missing or not a number; add the unit cell to the CIF")
    if min(parameters[:3]) <= 0 or not all(0 < angle < 180 for angle in parameters[3:]):
        raise CrystalError("the cell has a length that is not positive or an angle outside 0 to 180°; correct it")
    unit_cell = gemmi.UnitCell(*parameters)
    cell = _vectors(unit_cell)
    notes = _unusual(tags)
    formula = formula_content(tags.text("_chemical_formula_sum"))
    sites = asymmetric_unit(tags, frozenset(formula))
    sites.notes[:0] = [*tags.notes, *notes]
    hydrogen_mass = sites.hydrogen_mass
    found = symmetry(tags, unit_cell)
    multiplicities = [cif.as_number(m) for m in tags.column("_atom_site_symmetry_multiplicity")] if found.named else []
    sites = expand(sites, found, cell, Content(formula, tags.number("_cell_formula_units_z"), multiplicities))
    sites = merge_shared(sites, cell)
    before = len(sites.notes)
    numbers, positions = order(sites, disorder)
    whole = len(sites.notes) == before
    sites.notes += contradictions(tags, unit_cell.volume, numbers, whole=whole)
    if found.group == UNSTATED:
        sites.notes.append("the file states no symmetry and was read as P 1; if atoms are missing, add its space group")
    return Crystal(cell, numbers, positions, id, source, tuple(sites.notes), hydrogen_mass)


def _unusual(tags: Tags) -> list[str]:
    """Return a note on magnetic moments; raise for modulated structures and magnetic groups."""
    moments = False
    for tag in tags:
        if not _is_unusual(tag) or tags.column(tag) in (["?"], ["."], ["0"]):
            continue
        if _MODULATED.match(tag):
            raise CrystalError(
                f"the structure is modulated ({tag}), so that no cell repeats; give a periodic approximant, or the "
                "basic structure if that is meant"
            )
        if not tag.startswith("_atom_site"):
            raise CrystalError(f"magnetic symmetry is not supported ({tag}); export a non-magnetic CIF, or one in P 1")
        moments = True
    return ["the magnetic moments were ignored: the model does not include magnetism"] if moments else []


@lru_cache(maxsize=4096)
def _is_unusual(tag: str) -> bool:
    return bool(_MODULATED.match(tag) or _MAGNETIC.match(tag))


def _vectors(unit_cell: gemmi.UnitCell) -> np.ndarray:
    if not 1e-3 < unit_cell.volume < math.inf:  # nor NaN
        raise CrystalError("the cell has no volume; correct the cell angles")
    return np.array(unit_cell.orth.mat.tolist(), dtype=float).T
