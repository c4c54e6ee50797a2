"""`Dataset`: crystals with their targets, where each row comes from, and the rows that could not be read."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import groupby
from typing import Any, overload

import numpy as np

from paraisite.crystals.crystal import Crystal
from paraisite.crystals.rejection import Rejection

KAPPA = "kappa"
FLAGS = "flags"
"""The label that says, in words, who doubts a row: rules of cleaning, or evidence of a named dataset's own table."""


@dataclass(frozen=True, eq=False)
class Dataset:
    """Crystals and what is known of them.

    Attributes
    ----------
    name : str
        Name of the dataset.
    crystals : tuple of Crystal, length n
        One per row.
    targets : dict of str to numpy.ndarray, shape (n,), float64
        `kappa` and auxiliary targets in the units of `paraisite.targets`; NaN where a value is missing. The arrays are
        read-only.
    provenance : tuple of str, length n
        Name of the dataset that each row came from.
    rejections : tuple of Rejection
        Rows of the table that could not be read: the line is in `source`, what to do about it in `reason`.
    labels : dict of str to tuple of str, each of length n
        What else is known of a row in words, such as `fidelity` (how its values were made) or `flags` (what cleaning
        found); an empty text where nothing is. Labels do not enter the content hash.

    Raises
    ------
    ValueError
        If the lengths disagree.
    """

    name: str
    crystals: tuple[Crystal, ...]
    targets: dict[str, np.ndarray]
    provenance: tuple[str, ...]
    rejections: tuple[Rejection, ...] = field(default=())
    labels: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        n = len(self.crystals)
        for what, column in {"provenance": self.provenance, **self.labels}.items():
            if len(column) != n:
                raise ValueError(f"dataset {self.name!r}: {len(column)} entries of {what!r} for {n} crystals")
        frozen = {}
        for target, values in self.targets.items():
            array = np.array(values, dtype=np.float64)  # a copy: freezing must not reach the caller's array
            if array.shape != (n,):
                raise ValueError(f"dataset {self.name!r}: target {target!r} has shape {array.shape}, not ({n},)")
            array.setflags(write=False)
            frozen[target] = array
        object.__setattr__(self, "targets", frozen)

    def __len__(self) -> int:
        return len(self.crystals)

    @overload
    def __getitem__(self, rows: int) -> Crystal: ...
    @overload
    def __getitem__(self, rows: slice | Sequence[int] | np.ndarray) -> Dataset: ...
    def __getitem__(self, rows: Any) -> Crystal | Dataset:
        """Return one crystal for an integer, else the same as `take`."""
        if isinstance(rows, (int, np.integer)):
            return self.crystals[rows]
        return self.take(np.arange(len(self))[rows] if isinstance(rows, slice) else rows)

    def take(self, indices: Sequence[int] | np.ndarray) -> Dataset:
        """Return the rows at `indices` (integers, repeats allowed, or one boolean per row), in that order.

        Rejections belong to the table as a whole and stay behind.
        """
        indices = np.asarray(indices)
        if indices.size == 0:
            indices = indices.astype(np.int64)
        rows = np.arange(len(self))[indices]
        return Dataset(
            name=self.name,
            crystals=tuple(self.crystals[i] for i in rows),
            targets={target: values[rows] for target, values in self.targets.items()},
            provenance=tuple(self.provenance[i] for i in rows),
            labels={label: tuple(column[i] for i in rows) for label, column in self.labels.items()},
        )

    @property
    def kappa(self) -> np.ndarray:
        """Conductivity in W m⁻¹ K⁻¹, shape (n,).

        Raises
        ------
        ValueError
            If the dataset has none.
        """
        if KAPPA not in self.targets:
            known = ", ".join(self.targets) or "no targets at all"
            raise ValueError(f"dataset {self.name!r} has no conductivities; it has {known}")
        return self.targets[KAPPA]

    @property
    def ids(self) -> tuple[str, ...]:
        """Id of each crystal."""
        return tuple(crystal.id for crystal in self.crystals)

    @cached_property
    def formulas(self) -> tuple[str, ...]:
        """Reduced formula of each crystal."""
        return tuple(crystal.formula for crystal in self.crystals)

    @property
    def part_sizes(self) -> tuple[int, ...]:
        """Number of rows of each stretch of equal provenance: (95, 143) for `mix`; for `paper_split`."""
        return tuple(len(list(rows)) for _, rows in groupby(self.provenance))

    @cached_property
    def content_hash(self) -> str:
        """Sha256 (hexadecimal) of crystals and targets, in row order.

        Cells (Å) and fractional positions count to 1e-6, names, ids and sources not at all; the same content gives
        the same hash in every process.
        """
        digest = hashlib.sha256()
        for crystal in self.crystals:
            digest.update(crystal.n_sites.to_bytes(8, "little"))
            digest.update(crystal.numbers.astype("<i8").tobytes())
            for array in (crystal.cell, crystal.positions):
                digest.update(np.rint(array * 1e6).astype("<i8").tobytes())
        for target in sorted(self.targets):
            values = self.targets[target]
            canonical = np.where(np.isnan(values), np.nan, values + 0.0)  # one NaN, one zero
            digest.update(target.encode() + b"\0" + canonical.astype("<f8").tobytes())
        return digest.hexdigest()


def concat(datasets: Iterable[Dataset], name: str) -> Dataset:
    """Put datasets one after another; a target that one of them lacks is NaN on its rows, a label empty.

    Raises
    ------
    ValueError
        If there is nothing to put together.
    """
    parts = list(datasets)
    if not parts:
        raise ValueError("no datasets to put together")
    targets = dict.fromkeys(target for part in parts for target in part.targets)
    labels = dict.fromkeys(label for part in parts for label in part.labels)
    return Dataset(
        name=name,
        crystals=tuple(crystal for part in parts for crystal in part.crystals),
        targets={
            target: np.concatenate([part.targets.get(target, np.full(len(part), np.nan)) for part in parts])
            for target in targets
        },
        provenance=tuple(row for part in parts for row in part.provenance),
        rejections=tuple(rejection for part in parts for rejection in part.rejections),
        labels={
            label: tuple(text for part in parts for text in part.labels.get(label, ("",) * len(part)))
            for label in labels
        },
    )


def join(datasets: Iterable[Dataset], name: str) -> Dataset:
    """Put datasets together like `concat`, rows of different ones that have one id and one formula becoming one row.

    Such a row has the crystal, the provenance and the labels of the first dataset, and of each target the first value
    that is known.
    """
    parts = list(datasets)
    every = concat(parts, name)
    part = np.repeat(np.arange(len(parts)), [len(p) for p in parts])
    first: dict[tuple[str, str], int] = {}
    owner = np.arange(len(every))
    for row, key in enumerate(zip(every.ids, every.formulas, strict=True)):
        earlier = first.setdefault(key, row)
        if part[earlier] != part[row]:  # else a dataset repeats its own ids
            owner[row] = earlier
    targets = {}
    for target, values in every.targets.items():
        filled = values.copy()
        for row in np.flatnonzero((owner != np.arange(len(every))) & np.isfinite(values)).tolist():
            if not np.isfinite(filled[owner[row]]):
                filled[owner[row]] = values[row]
        targets[target] = filled
    kept = np.flatnonzero(owner == np.arange(len(every)))
    return replace(replace(every, targets=targets).take(kept), rejections=every.rejections)
