"""From the asymmetric unit of a CIF to the sites of the whole cell."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from paraisite.crystals.check import MAX_SITES, closest_below
from paraisite.crystals.rejection import CrystalError
from paraisite.crystals.sites import Sites
from paraisite.crystals.symmetry import SITE_TOLERANCE, Operators, Symmetry, check_metric, orbit

_DISTORTION = 0.8
"""A cell whose atoms are this close to the images of a group, in Å, is a distorted crystal of that group."""


@dataclass(frozen=True, slots=True)
class Content:
    """What a file says of the atoms in its cell.

    Attributes
    ----------
    formula : mapping
        Atomic number -> count of the chemical formula, empty if unknown.
    units : float
        Formula units in the cell, NaN if unknown.
    multiplicities : sequence of float
        Images of each site, empty if unknown.
    """

    formula: Mapping[int, float]
    units: float
    multiplicities: Sequence[float]


def expand(sites: Sites, symmetry: Symmetry, cell: np.ndarray, content: Content) -> Sites:
    """Apply the operators to the sites.

    Parameters
    ----------
    sites : Sites
        Of the asymmetric unit; `sites.notes` gains a line for what had to be decided.
    symmetry : Symmetry
    cell : numpy.ndarray, shape (3, 3)
    content : Content
        Settles what the symmetry leaves open: an origin choice, or whether a short list of operators is meant.
    """
    sites.notes += symmetry.notes
    if not symmetry.named:
        return _applied(symmetry.listed, sites, cell, symmetry.group)
    if symmetry.listed is None:
        check_metric(symmetry.named[0], cell, symmetry.group)
        return _images(sites, _origin(symmetry.named, symmetry.group, sites, cell, content), cell)
    return _listed_or_named(sites, symmetry, symmetry.listed, cell, content)


def merge_shared(sites: Sites, cell: np.ndarray) -> Sites:
    """Join partly occupied sites that coincide: one site with the sum of their occupancies."""
    if sites.whole:
        return sites
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


def _applied(ops: Operators | None, sites: Sites, cell: np.ndarray, group: str) -> Sites:
    if ops is None or ops.is_identity:
        return sites
    check_metric(ops, cell, group)
    return _images(sites, ops, cell)


def _images(sites: Sites, ops: Operators, cell: np.ndarray) -> Sites:
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
    return Sites(np.concatenate(positions), species, names, sites.notes, sites.whole)


def _origin(candidates: Sequence[Operators], group: str, sites: Sites, cell: np.ndarray, content: Content) -> Operators:
    """Settle the origin choice, where the file leaves it open, by what it says of its content."""
    if len(candidates) == 1:
        return candidates[0]
    agreeing = [ops for ops in candidates if _agrees(ops, sites, cell, content)]
    if len(agreeing) == 1:
        return agreeing[0]
    sites.notes.append(f"origin choice 1 assumed for {group}; list the symmetry operators in the file to be sure")
    return candidates[0]


def _listed_or_named(sites: Sites, symmetry: Symmetry, listed: Operators, cell: np.ndarray, content: Content) -> Sites:
    """Decide between the operators listed and the larger group that the file names.

    A cell written out in P 1 that keeps the name of its group is the same crystal with both. Else the name wins where
    atoms keep their distances and nothing that the file says of its content supports the list.
    """
    small = _applied(listed, sites, cell, symmetry.group)
    if any(_is_invariant(small, ops, cell, SITE_TOLERANCE) for ops in symmetry.named):
        return small
    roomy = [full for ops in symmetry.named if (full := _roomy(sites, ops, cell)) is not None]
    if not roomy or any(_is_invariant(small, ops, cell, _DISTORTION) for ops in symmetry.named):
        return small
    by_list = _agrees(listed, sites, cell, content)
    sound = [ops for ops, overlap in roomy if not overlap]
    by_name = [ops for ops in sound if _agrees(ops, sites, cell, content)]
    if by_list and not by_name:
        return small
    n = len(listed.rotations)
    counted = "only the identity" if n == 1 else f"only {n} operators"
    if not sound or not symmetry.completes:
        sites.notes.append(
            f"the file names {symmetry.group} but lists {counted}; the list was used, check whether atoms are missing"
        )
        return small
    ops = _origin(by_name or sound, symmetry.group, sites, cell, content)
    sites.notes.append(
        f"the file lists {counted} but names {symmetry.group}, whose {len(ops.rotations)} operators were used; list "
        "them all to be sure"
    )
    return _images(sites, ops, cell)


def _agrees(ops: Operators, sites: Sites, cell: np.ndarray, content: Content) -> bool:
    """Tell whether the cell that the operators give is the one that the file describes."""
    found = [len(orbit(ops, position, cell)) for position in sites.positions]
    if len(content.multiplicities):
        return content.multiplicities == found
    atoms: Counter[int] = Counter()
    for species, n in zip(sites.species, found, strict=True):
        for z, occupancy in species.items():
            atoms[z] += n * occupancy  # type: ignore[assignment]
    if not content.formula or atoms.keys() != content.formula.keys():
        return False
    units = content.units if content.units > 0 else sum(atoms.values()) / sum(content.formula.values())
    return any(all(abs(atoms[z] - k * content.formula[z]) < 0.01 for z in atoms) for k in (units, 1))


def _is_invariant(sites: Sites, ops: Operators, cell: np.ndarray, tolerance: float) -> bool:
    """Tell whether the operators map every site onto one with the same species."""
    kinds = np.unique([repr(sorted(species.items())) for species in sites.species], return_inverse=True)[1]
    n = len(kinds)
    some = np.unique(np.linspace(0, n - 1, min(n, max(8, 20_000 // n))).astype(int))
    alike = kinds[some][:, None] == kinds[None]
    for rotation, translation in zip(ops.rotations, ops.translations, strict=True):
        images = sites.positions[some] @ rotation.T + translation
        differences = images[:, None] - sites.positions[None]
        differences -= np.rint(differences)
        if not ((((differences @ cell) ** 2).sum(axis=-1) < tolerance**2) & alike).any(axis=1).all():
            return False
    return True


def _roomy(sites: Sites, ops: Operators, cell: np.ndarray) -> tuple[Operators, bool] | None:
    """Return the operators, and whether they make atoms overlap; None if the cell has no room for the atoms."""
    try:
        full = merge_shared(
            _images(Sites(sites.positions, sites.species, sites.names, whole=sites.whole), ops, cell), cell
        )
        hydrogen = any(1 in species for species in full.species)
        if abs(float(np.linalg.det(cell))) < (2.0 if hydrogen else 4.5) * len(full.species):
            return None
        return ops, closest_below(cell, full.positions, 0.6 if hydrogen else 1.0) is not None
    except CrystalError:
        return None
