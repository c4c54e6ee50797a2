"""`load_formulas`: named datasets whose rows are formulas without crystals."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from paraisite.datasets.places import cached_folder, in_mirror, mirror_folder, not_here
from paraisite.datasets.registry import DatasetCard, find, registry
from paraisite.datasets.table import DatasetError, place


@dataclass(frozen=True, eq=False)
class FormulaTable:
    """Formulas with their conductivities, in the parts of a published split.

    Attributes
    ----------
    name : str
        Name of the dataset.
    formulas : tuple of str, length n
        As published: elements in alphabetical order, each with its count.
    kappa : numpy.ndarray, shape (n,), float64
        Conductivity in W m⁻¹ K⁻¹.
    parts : tuple of str, length n
        `train`, `val` or `test`.
    """

    name: str
    formulas: tuple[str, ...]
    kappa: np.ndarray
    parts: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.formulas)

    def rows(self, part: str) -> np.ndarray:
        """Indices of the rows of a part."""
        return np.flatnonzero(np.array(self.parts) == part)

    @cached_property
    def content_hash(self) -> str:
        """Sha256 (hexadecimal) of parts, formulas and conductivities, in row order."""
        digest = hashlib.sha256()
        for part, formula, value in zip(self.parts, self.formulas, self.kappa, strict=True):
            digest.update(f"{part}\0{formula}\0".encode() + np.float64(value).astype("<f8").tobytes())
        return digest.hexdigest()


def load_formulas(name: str, mirror: str | Path | None = None) -> FormulaTable:
    """Load a named dataset of formulas, from the mirror or the cache.

    Parameters
    ----------
    name : str
        `crabnet_agl_split`.
    mirror : str or Path, optional
        Folder that holds the named datasets; by default the environment's PARAISITE_MIRROR.

    Raises
    ------
    DatasetError
        If there is no such dataset, it is not here, or its files are not the registered ones.
    """
    card = find(name)
    if card is None or card.holds != "formulas":
        names = ", ".join(card.name for card in registry().values() if card.holds == "formulas")
        raise DatasetError(f"{name}: not a dataset of formulas; choose from {names}")
    root = mirror_folder(mirror)
    if root is not None and in_mirror(card, root):
        paths = [root / file for file in card.mirror]
    else:
        paths = [cached_folder(card) / Path(file).name for file in card.mirror]
        if not all(path.is_file() for path in paths):
            raise DatasetError(not_here(card, mirror))
    return read_formulas(card, paths)


def read_formulas(card: DatasetCard, paths: Sequence[Path]) -> FormulaTable:
    """Read the files of a dataset of formulas, one for each part, and compare the content with the registry.

    Raises
    ------
    DatasetError
        If a file is missing, broken or not the registered one.
    """
    formulas: list[str] = []
    kappa: list[float] = []
    parts: list[str] = []
    for path in paths:
        try:
            with path.open(encoding="utf-8", newline="") as file:
                for line, row in enumerate(csv.DictReader(file), start=2):
                    try:
                        kappa.append(float(row["target"]))
                        formulas.append(row["formula"])
                    except (KeyError, TypeError, ValueError):
                        raise DatasetError(
                            f"{place(path, line)}: not a formula and a number in the columns formula and target; "
                            "fetch the file again"
                        ) from None
                    parts.append(path.stem)
        except OSError as error:
            raise DatasetError(f"{path}: cannot be read ({error.strerror}); fetch the file again") from error
    table = FormulaTable(card.name, tuple(formulas), np.array(kappa), tuple(parts))
    if table.content_hash != card.content_hash:
        raise DatasetError(
            f"{card.name}: {', '.join(map(str, paths))} hold {len(table)} rows with content hash "
            f"{table.content_hash[:12]}…, not the {card.rows} of the registry ({card.content_hash[:12]}…); "
            "replace them in the mirror"
        )
    return table
