"""Space-group operators of a CIF block, and the orbits of its sites under them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

import gemmi
import numpy as np
from gemmi import cif

from paraisite.crystals.rejection import CrystalError

OPERATOR_TAGS = (
    "_space_group_symop_operation_xyz",
    "_symmetry_equiv_pos_as_xyz",
    "_space_group_symop.operation_xyz",
    "_symmetry_equiv.pos_as_xyz",
)
HALL_TAGS = ("_space_group_name_Hall", "_symmetry_space_group_name_Hall", "_space_group.name_Hall")
NAME_TAGS = (
    "_space_group_name_H-M_alt",
    "_symmetry_space_group_name_H-M",
    "_space_group_name_H-M",
    "_space_group_name_H-M_full",
    "_space_group.name_H-M_alt",
    "_symmetry.space_group_name_H-M",
)
NUMBER_TAGS = ("_space_group_IT_number", "_symmetry_Int_Tables_number", "_space_group.IT_number")

SITE_TOLERANCE = 0.05
"""Images of one site closer than this, in Å, are one site.

A coordinate rounded to 0.333 in a cell of 15 Å is 0.005 Å off, and its images up to three times that apart; two atoms
are never this close. (pymatgen's 1e-4 in fractional coordinates would leave duplicates there.)
"""


@dataclass(frozen=True, slots=True, eq=False)
class Operators:
    """Symmetry operators as arrays: x' = rotations @ x + translations, in fractional coordinates.

    Attributes
    ----------
    rotations : numpy.ndarray, shape (n_operators, 3, 3)
    translations : numpy.ndarray, shape (n_operators, 3)
    is_identity : bool
        Whether the identity is the only operator.
    """

    rotations: np.ndarray
    translations: np.ndarray
    is_identity: bool


def operators(block: cif.Block, cell: gemmi.UnitCell) -> tuple[list[Operators], str]:
    """Find the operators of a block: written out, or implied by the Hall symbol, the name or the number.

    Returns
    -------
    candidates : list of Operators
        One, or two where the file names a group with two origin choices and does not say which it uses;
        the first is origin choice 1, which gemmi and pymatgen assume then.
    group : str
        What was resolved, for messages.

    Raises
    ------
    CrystalError
        If operators or a space group are given but cannot be understood.
    """
    for tag in OPERATOR_TAGS:
        triplets = tuple(t for t in block.find_values(tag) if t not in "?.")
        if triplets:
            return [_parse(triplets)], f"the {len(triplets)} operators in {tag}"
    if block.find_values("_space_group_symop_magn_operation.xyz"):
        raise CrystalError("magnetic symmetry is not supported; export a non-magnetic CIF, or one in P 1")
    hall, name, number = (_first(block, tags) for tags in (HALL_TAGS, NAME_TAGS, NUMBER_TAGS))
    if hall and hall != "P 1":
        try:
            return [_expand(gemmi.symops_from_hall(hall))], f"Hall symbol {hall}"
        except (RuntimeError, ValueError):
            pass
    if name and (groups := _by_name(name, cell)):
        return [_group(g.hall) for g in groups], f"space group {name}"
    if number and (groups := _by_number(number, cell)):
        return [_group(g.hall) for g in groups], f"space group number {number}"
    given = ", ".join(repr(x) for x in (hall, name, number) if x)
    if given and hall != "P 1":
        raise CrystalError(
            f"space group {given} is not known and the file lists no symmetry operators; add "
            "_space_group_symop_operation_xyz, or export the file in P 1"
        )
    return [_IDENTITY], "P 1" if hall or name or number else UNSTATED


UNSTATED = "P 1, for want of anything stated"
"""What a file without operators and without a space group counts as."""


def check_metric(ops: Operators, cell: np.ndarray, group: str) -> None:
    """Raise `CrystalError` if the operators do not keep lengths and angles of the cell (within 2 %)."""
    metric = cell @ cell.T
    images = ops.rotations.transpose(0, 2, 1) @ metric @ ops.rotations
    if np.abs(images - metric).max() > 0.02 * metric.diagonal().max():
        raise CrystalError(
            f"{group} does not fit the cell: an operator changes lengths or angles; correct the cell or the setting "
            "of the space group, or export the file in P 1"
        )


def orbit(ops: Operators, position: np.ndarray, cell: np.ndarray) -> np.ndarray:
    """All images of a site in the cell, each once.

    A site within `SITE_TOLERANCE` of a special position is first moved onto it (the mean of the images that coincide
    with it), so that 0.3333 and 1/3 give the same crystal.

    Parameters
    ----------
    ops : Operators
    position : numpy.ndarray, shape (3,)
        Fractional coordinates.
    cell : numpy.ndarray, shape (3, 3)
        Lattice vectors as rows, in Å.

    Returns
    -------
    numpy.ndarray, shape (n_images, 3)
        Fractional coordinates in [0, 1); the first image is that of the first operator.
    """
    images = ops.rotations @ position + ops.translations
    shift = images - position
    shift -= np.rint(shift)
    same = _lengths(shift, cell) < SITE_TOLERANCE
    if same.sum() > 1:
        images = ops.rotations @ (position + shift[same].mean(axis=0)) + ops.translations
        # images on a special position coincide to rounding errors, so a grid finds them, save across its lines
        grid = (np.rint(images * 1e5) % 1e5).astype(np.int64)
        first = np.unique((grid[:, 0] * 100_000 + grid[:, 1]) * 100_000 + grid[:, 2], return_index=True)[1]
        if len(first) * same.sum() != len(images):  # the orbit-stabiliser theorem says that some were split
            differences = images[:, None] - images[None]
            differences -= np.rint(differences)
            nearest = (_lengths(differences, cell) < SITE_TOLERANCE).argmax(axis=1)
            first = np.flatnonzero(nearest == np.arange(len(images)))
        images = images[np.sort(first)]
    wrapped: np.ndarray = images - np.floor(images)
    wrapped[wrapped > 1.0 - 1e-9] = 0.0
    return wrapped


def _lengths(fractional: np.ndarray, cell: np.ndarray) -> np.ndarray:
    lengths: np.ndarray = np.sqrt(((fractional @ cell) ** 2).sum(axis=-1))
    return lengths


def _first(block: cif.Block, tags: tuple[str, ...]) -> str:
    for tag in tags:
        value = block.find_value(tag)
        if value and (text := cif.as_string(value).strip()) and text not in "?.":
            return text
    return ""


@lru_cache(maxsize=1024)
def _parse(triplets: tuple[str, ...]) -> Operators:
    ops = []
    for triplet in triplets:
        text = cif.as_string(triplet).strip()
        try:
            ops.append(gemmi.Op(re.sub(r"\s+", "", text)))
        except (RuntimeError, ValueError) as error:
            raise CrystalError(f"symmetry operator {text!r} cannot be read ({error}); correct it") from error
    return _arrays(ops)


@lru_cache(maxsize=600)
def _group(hall: str) -> Operators:
    return _expand(gemmi.symops_from_hall(hall))


def _expand(group: gemmi.GroupOps) -> Operators:
    return _arrays(list(group))


def _arrays(ops: list[gemmi.Op]) -> Operators:
    rotations = np.array([op.rot for op in ops], dtype=float) / gemmi.Op.DEN
    translations = np.array([op.tran for op in ops], dtype=float) / gemmi.Op.DEN
    identity = len(ops) == 1 and np.array_equal(rotations[0], np.eye(3)) and not translations.any()
    return Operators(rotations, translations, identity)


_IDENTITY = _arrays([gemmi.Op("x,y,z")])


def _by_name(name: str, cell: gemmi.UnitCell) -> list[gemmi.SpaceGroup]:
    text = re.sub(r"[_()]|\s*\[.*?\]", "", name).strip()
    # ICSD marks the setting by a last letter: S and Z are origin choices 1 and 2, H and R the axes
    icsd = re.fullmatch(r"(.*\S)\s*([SZHR])", text)
    names = [text] + ([f"{icsd[1]}:{icsd[2].translate(str.maketrans('SZ', '12'))}"] if icsd else [])
    for candidate in names:
        group = gemmi.find_spacegroup_by_name(candidate, cell.alpha, cell.gamma)
        if group is not None:
            return [group] if ":" in candidate else _origins(group)
    return []


def _by_number(number: str, cell: gemmi.UnitCell) -> list[gemmi.SpaceGroup]:
    value = cif.as_number(number)
    if not (value == value and 1 <= value <= 230 and value == int(value)):
        return []
    group = gemmi.find_spacegroup_by_number(int(value))
    if group.ext in ("H", "R"):
        group = gemmi.find_spacegroup_by_name(group.hm, cell.alpha, cell.gamma)
    return _origins(group)


def _origins(group: gemmi.SpaceGroup) -> list[gemmi.SpaceGroup]:
    if group.ext != "1":
        return [group]
    return [group, gemmi.find_spacegroup_by_name(f"{group.hm}:2")]
