"""Space-group operators of a CIF block, and the orbits of its sites under them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import gemmi
import numpy as np
from gemmi import cif

from paraisite.crystals.cif_tags import Tags
from paraisite.crystals.rejection import CrystalError
from paraisite.crystals.space_groups import by_hall, by_name, by_number, settings

OPERATOR_TAGS = ("_space_group_symop_operation_xyz", "_symmetry_equiv_pos_as_xyz")
HALL_TAGS = ("_space_group_name_hall", "_symmetry_space_group_name_hall")
NAME_TAGS = (
    "_space_group_name_h-m_alt",
    "_symmetry_space_group_name_h-m",
    "_space_group_name_h-m",
    "_space_group_name_h-m_full",
    "_space_group_name_h-m_ref",
)
NUMBER_TAGS = ("_space_group_it_number", "_symmetry_int_tables_number")

MAX_OPERATORS = 768
"""Most operators that a file may list: four times those of the largest space group in its conventional cell."""

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


@dataclass(frozen=True, slots=True, eq=False)
class Symmetry:
    """What a block says about its symmetry.

    Attributes
    ----------
    listed : Operators or None
        The operators written out, if they are a group.
    named : tuple of Operators
        The group that the file names, if nothing is listed or the list is only a part of it; two where the name leaves
        the origin choice open, the first of them origin choice 1, which gemmi and pymatgen assume then.
    group : str
        What was resolved, for messages; `UNSTATED` if there is nothing.
    completes : bool
        Whether the list may be completed to the group named: it is a part of it and is not named itself.
    notes : tuple of str
        What was completed or contradicts itself.
    """

    listed: Operators | None
    named: tuple[Operators, ...]
    group: str
    completes: bool = True
    notes: tuple[str, ...] = ()


def symmetry(tags: Tags, cell: gemmi.UnitCell) -> Symmetry:
    """Find the symmetry of a block: written out, or implied by the Hall symbol, the name or the number.

    A list that is not a group is completed to the one that the file names, if that contains it in a tabulated setting.

    Raises
    ------
    CrystalError
        If operators or a space group are given but cannot be understood, or the operators do not form a group and the
        file names none that contains them.
    """
    triplets: tuple[str, ...] = ()
    for tag in OPERATOR_TAGS:
        if (n := tags.count(tag)) > MAX_OPERATORS:
            raise CrystalError(
                f"{tag} lists {n} operators, more than the limit of {MAX_OPERATORS}; list each operator of the "
                "conventional cell once, or export the file in P 1"
            )
        if n and (triplets := tuple(t for t in tags.column(tag) if t not in "?.")):
            break
    names = tuple(name for tag in NAME_TAGS if (name := tags.text(tag)))
    # gemmi's criterion of hexagonal axes
    hexagonal = cell.gamma > 1.125 * cell.alpha
    found = _resolve(triplets, tags.text(*HALL_TAGS), names, tags.text(*NUMBER_TAGS), hexagonal)
    if found.complete is not None:
        return found.complete
    return _fitting(found, cell)


@dataclass(frozen=True, slots=True, eq=False)
class _Stated:
    """A space group by one of its names."""

    label: str
    number: int
    groups: tuple[str, ...]
    """Hall symbols, two where the origin choice is open."""
    sure: bool = True
    """Whether these are the settings that the name means."""


@dataclass(frozen=True, slots=True, eq=False)
class _Resolved:
    """What can be said of a list and names without the cell: `complete`, or what the list may be completed to."""

    complete: Symmetry | None = None
    listed: Operators | None = None
    n_listed: int = 0
    completes: bool = True
    generated: Operators | None = None
    larger: tuple[_Stated, ...] = ()
    """Groups that the list may be a part of, the most likely first."""


@lru_cache(maxsize=1024)
def _resolve(triplets: tuple[str, ...], hall: str, names: tuple[str, ...], number: str, hexagonal: bool) -> _Resolved:
    stated = _stated(hall, names, number, hexagonal)
    if not triplets:
        return _Resolved(_unlisted(stated, [text for text in (hall, *names, number) if text]))
    ops = _parse(triplets)
    listed = frozenset(ops)
    exact = any(listed == _triplets(symbol) for group in stated for symbol in group.groups)
    generated = ops if exact else _generate(list(ops.values()))
    group = f"the {len(triplets)} operators of the file"
    is_group = generated is not None and len(generated) == len(ops)
    n = _n_rotations(ops.values())
    # the sites of a cell written out in P 1 say themselves whether the number beside it is that of their group
    larger = [part for g in stated if not (exact and n == 1) and (part := _holding(listed, g)) is not None]
    completes = not exact
    if not larger and not exact:
        more = [g for g in stated if not is_group or len(_triplets(g.groups[0])) > len(ops)]
        others = [_Stated(g.label, g.number, tuple(s.hall for s in settings(g.number))) for g in more]
        larger = [part for g in others if (part := _holding(listed, g)) is not None]
        if not larger and is_group:
            larger = [g for g in more if _n_rotations(gemmi.symops_from_hall(g.groups[0])) > n]
            completes = False
    elif not exact and n == 1:  # any group holds the identity; other settings than that named only raise the question
        larger += [
            _Stated(g.label, g.number, tuple(s.hall for s in settings(g.number)), sure=False)
            for g in stated
            if g.number > 1
        ]
    if is_group and not larger:
        return _Resolved(Symmetry(_arrays(list(ops.values())), (), group))
    enough = False
    if generated is not None and not is_group:
        n = _n_rotations(generated.values())
        named = [gemmi.symops_from_hall(g.groups[0]) for g in stated]
        alike = any(_n_rotations(g) == n and len(generated) <= len(list(g)) for g in named)
        enough = alike or 2 * len(listed | {"x,y,z"}) > len(generated)
    return _Resolved(
        listed=_arrays(list(ops.values())) if is_group else None,
        n_listed=len(triplets),
        completes=completes,
        generated=_arrays(list(generated.values())) if generated and enough else None,
        larger=tuple(larger),
    )


def _fitting(found: _Resolved, unit_cell: gemmi.UnitCell) -> Symmetry:
    """Choose among the groups that the list is a part of by the cell."""
    cell = np.array(unit_cell.orth.mat.tolist(), dtype=float).T
    group = f"the {found.n_listed} operators of the file"
    for larger in found.larger:
        named = tuple(ops for symbol in larger.groups if keeps_metric(ops := _group(symbol), cell))
        if not named:
            continue
        if found.listed is not None:
            return Symmetry(found.listed, named, larger.label, found.completes and larger.sure)
        note = (
            f"the {found.n_listed} operators listed do not form a group and were completed to the "
            f"{len(named[0].rotations)} of {larger.label}; list them all to be sure"
        )
        return Symmetry(None, named, larger.label, notes=(note,))
    if found.listed is not None:
        return Symmetry(found.listed, (), group)
    if found.generated is not None:
        note = (
            f"the {found.n_listed} operators listed do not form a group and were completed to the "
            f"{len(found.generated.rotations)} that follow from them; list them all to be sure"
        )
        return Symmetry(found.generated, (), group, notes=(note,))
    raise CrystalError(
        f"the {found.n_listed} symmetry operators listed do not form a group, nor part of a space group that the "
        "file names; list all operators, or export the file in P 1"
    )


def _stated(hall: str, names: Sequence[str], number: str, hexagonal: bool) -> list[_Stated]:
    found = []
    if hall != "P 1" and (group := by_hall(hall)) is not None:  # some programs write P 1 beside any name
        known = gemmi.find_spacegroup_by_ops(group)
        found.append(_Stated(f"Hall symbol {hall}", known.number if known else 0, (hall,)))
    for name in names:
        if groups := by_name(name, hexagonal):
            found.append(_Stated(f"space group {name}", groups[0].number, tuple(g.hall for g in groups)))
    if groups := by_number(cif.as_number(number or "?"), hexagonal):
        found.append(_Stated(f"space group number {number}", groups[0].number, tuple(g.hall for g in groups)))
    return found


def _unlisted(stated: Sequence[_Stated], texts: Sequence[str]) -> Symmetry:
    """Take the first of the groups that a file without operators states."""
    if not stated:
        if texts and texts[0] != "P 1":
            raise CrystalError(
                f"space group {', '.join(map(repr, texts))} is unknown and the file lists no symmetry operators; add "
                "_space_group_symop_operation_xyz, or export the file in P 1"
            )
        return Symmetry(_IDENTITY, (), "P 1" if texts else UNSTATED)
    first = stated[0]
    notes = tuple(
        f"the file states {first.label} (number {first.number}) and {other.label}"
        + ("" if str(other.number) in other.label else f" (number {other.number})")
        + "; the first was used, correct the other"
        for other in stated
        if other.number and first.number and other.number != first.number
    )[:1]
    named = tuple(map(_group, first.groups))
    if len(named) == 1:
        return Symmetry(named[0], (), first.label, notes=notes)
    return Symmetry(None, named, first.label, notes=notes)


def _holding(listed: frozenset[str], group: _Stated) -> _Stated | None:
    """Return the group with only those origin choices that hold a list and more."""
    symbols = tuple(symbol for symbol in group.groups if listed < _triplets(symbol))
    return _Stated(group.label, group.number, symbols) if symbols else None


UNSTATED = "P 1, as the file states no symmetry"
"""What a file without operators and without a space group counts as."""


def check_metric(ops: Operators, cell: np.ndarray, group: str) -> None:
    """Raise `CrystalError` if the operators do not keep lengths and angles of the cell (within 2 %)."""
    if not keeps_metric(ops, cell):
        raise CrystalError(
            f"{group} does not fit the cell: an operator changes lengths or angles; correct the cell or the setting "
            "of the space group, or export the file in P 1"
        )


def keeps_metric(ops: Operators, cell: np.ndarray) -> bool:
    """Tell whether the operators keep lengths and angles of the cell within 2 %."""
    metric = cell @ cell.T
    images = ops.rotations.transpose(0, 2, 1) @ metric @ ops.rotations
    return bool(np.abs(images - metric).max() <= 0.02 * metric.diagonal().max())


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


@lru_cache(maxsize=1024)
def _parse(triplets: tuple[str, ...]) -> dict[str, gemmi.Op]:
    """Return the operators, each once, by their canonical triplet."""
    ops: dict[str, gemmi.Op] = {}
    for triplet in triplets:
        text = cif.as_string(triplet).strip()
        try:
            op = gemmi.Op(re.sub(r"\s+", "", text)).wrap()
        except (RuntimeError, ValueError) as error:
            raise CrystalError(f"symmetry operator {text!r} cannot be read ({error}); correct it") from error
        if abs(op.det_rot()) != gemmi.Op.DEN**3 or any(x % gemmi.Op.DEN for row in op.rot for x in row):
            raise CrystalError(f"symmetry operator {text!r} does not map a lattice onto itself; correct it")
        ops.setdefault(op.triplet(), op)
    return ops


def _generate(ops: Sequence[gemmi.Op]) -> dict[str, gemmi.Op] | None:
    """Return the group that the operators generate, the operators first; None if it has too many."""
    identity = gemmi.Op("x,y,z")
    group = {identity.triplet(): identity}
    generators: list[gemmi.Op] = []
    for op in ops:
        if op.triplet() in group:
            continue
        generators.append(op)
        fresh = list(group.values())
        while fresh:
            products = [(a * b).wrap() for a in fresh for b in generators]
            fresh = []
            for product in products:
                if (triplet := product.triplet()) not in group:
                    group[triplet] = product
                    fresh.append(product)
            if len(group) > MAX_OPERATORS:
                return None
    return {op.triplet(): op for op in ops if op.triplet() in group} | group


@lru_cache(maxsize=600)
def _group(hall: str) -> Operators:
    return _arrays(list(gemmi.symops_from_hall(hall)))


@lru_cache(maxsize=600)
def _triplets(hall: str) -> frozenset[str]:
    return frozenset(op.wrap().triplet() for op in gemmi.symops_from_hall(hall))


def _n_rotations(ops: Iterable[gemmi.Op]) -> int:
    return len({str(op.rot) for op in ops})


def _arrays(ops: list[gemmi.Op]) -> Operators:
    rotations = np.array([op.rot for op in ops], dtype=float) / gemmi.Op.DEN
    translations = np.array([op.tran for op in ops], dtype=float) / gemmi.Op.DEN
    identity = len(ops) == 1 and np.array_equal(rotations[0], np.eye(3)) and not translations.any()
    return Operators(rotations, translations, identity)


_IDENTITY = _arrays([gemmi.Op("x,y,z")])
