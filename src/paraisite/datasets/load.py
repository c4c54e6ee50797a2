"""`load`: a named data set from the mirror, or any folder with an `id_prop.csv` and CIFs."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from paraisite.crystals.crystal import Crystal
from paraisite.crystals.rejection import Rejection
from paraisite.datasets.dataset import Dataset, concat
from paraisite.datasets.registry import DatasetCard, find, registry
from paraisite.datasets.table import DatasetError, Table, read_table

TABLE = "id_prop.csv"
ARCHIVE = "cif.zip"
PER_CELL = {"heat_capacity_cv": "heat_capacity_cv_atom"}
"""Columns that hold a value per cell, and the target per atom that is made of them."""


def load(name_or_path: str | Path, mirror: str | Path | None = None) -> Dataset:
    """Load a labelled data set.

    Parameters
    ----------
    name_or_path : str or Path
        A name or alias of `datasets.yml` (`l96`, `hh143`, `mix`, `aflow_agl`; `Dataset1`, `Dataset2`, `MIX`, `AFLOW`;
        upper and lower case alike), or a folder that holds `id_prop.csv` and, beside it or in `cif.zip`, one CIF per
        id. A folder that is called like a data set is reached as `./mix`.
    mirror : str or Path, optional
        Folder that holds the named data sets; by default the environment's PARAISITE_MIRROR.

    Returns
    -------
    Dataset
        Rows in the order of the table; lines that cannot be read stand in its `rejections`.

    Raises
    ------
    DatasetError
        If there is no such data set, or none of its rows can be read.
    """
    card = find(name_or_path) if isinstance(name_or_path, str) else None
    if card is not None:
        return _load_named(card, mirror)
    path = Path(name_or_path).expanduser()
    folder = path.parent if path.name == TABLE else path
    if not folder.is_dir():
        raise DatasetError(
            f"{name_or_path}: neither a known data set ({', '.join(registry())}) nor a folder with {TABLE} and CIFs"
        )
    return _load_folder(folder, folder.resolve().name)


def _load_named(card: DatasetCard, mirror: str | Path | None) -> Dataset:
    if card.parts:
        return concat([load(part, mirror) for part in card.parts], card.name)
    root = mirror if mirror is not None else os.environ.get("PARAISITE_MIRROR") or None
    remedy = f"a folder that holds {card.name}/{TABLE} and {card.name}/{ARCHIVE}"
    if root is None:
        raise DatasetError(
            f"{card.name}: no mirror is named; give mirror= (--mirror) or set PARAISITE_MIRROR to {remedy}"
        )
    folder = Path(root).expanduser() / card.name
    if not (folder / TABLE).is_file():
        raise DatasetError(f"{card.name}: {folder / TABLE} does not exist; the mirror must be {remedy}")
    dataset = _load_folder(folder, card.name)
    rows = len(dataset) + len(dataset.rejections)
    if rows != card.rows:
        raise DatasetError(f"{card.name}: {folder / TABLE} has {rows} rows instead of {card.rows}; renew the mirror")
    return dataset


def _load_folder(folder: Path, name: str) -> Dataset:
    table = read_table(folder / TABLE)
    found = _read_crystals(folder, {row.id for row in table.rows})
    crystals: list[Crystal] = []
    rows = []
    rejections = list(table.rejections)
    for row in table.rows:
        match found.get(row.id):
            case Crystal() as crystal:
                crystals.append(crystal)
                rows.append(row)
            case Rejection() as rejection:
                rejections.append(table.reject(row, f"{rejection.source}: {rejection.reason}"))
            case None:
                rejections.append(table.reject(row, _missing(folder, row.id)))
    if not crystals:
        raise DatasetError(f"{table.path}: no row can be read. {_first(table, rejections)}")
    targets = {target: np.array([row.targets.get(target, np.nan) for row in rows]) for target in table.targets}
    return Dataset(
        name=name,
        crystals=tuple(crystals),
        targets=_per_atom(targets, crystals),
        provenance=(name,) * len(crystals),
        rejections=tuple(sorted(rejections, key=lambda rejection: int(rejection.source.rsplit(" ", 1)[1]))),
    )


def _read_crystals(folder: Path, wanted: set[str]) -> dict[str, Crystal | Rejection]:
    """Read the CIFs of the wanted ids; one beside the table goes before one in the archive."""
    from paraisite.crystals.files import split_name
    from paraisite.crystals.read import read

    beside = sorted(file for file in folder.iterdir() if file.suffix.lower() == ".cif" and file.stem in wanted)
    archive = [folder / ARCHIVE] if (folder / ARCHIVE).is_file() else []
    found: dict[str, Crystal | Rejection] = {}
    for inputs in (archive, beside):
        here: dict[str, Crystal | Rejection] = {}
        for result in read(inputs):
            if isinstance(result, Rejection) and result.source == str(folder / ARCHIVE):
                raise DatasetError(f"{result.source}: {result.reason}")
            # By the name of the file, not the id: a CIF of several blocks has an id for each.
            file = result.source.removeprefix(f"{folder / ARCHIVE}::").partition("::")[0]
            stem = split_name(file)[0]
            if (first := here.get(stem)) is None:
                here[stem] = result
            else:
                reason = f"{result.source} is a second structure with this id; keep one"
                here[stem] = Rejection(id=stem, source=first.source, reason=reason)
        found |= here
    return found


def _missing(folder: Path, id_: str) -> str:
    archive = f"or in {ARCHIVE}" if (folder / ARCHIVE).is_file() else f"(and there is no {ARCHIVE})"
    return f"no {id_}.cif in {folder} {archive}; add the file or delete the line"


def _first(table: Table, rejections: list[Rejection]) -> str:
    """Describe the first few rejections, or the lack of rows."""
    shown = "; ".join(f"{rejection.source}: {rejection.reason}" for rejection in rejections[:3])
    more = f"; and {len(rejections) - 3} more" if len(rejections) > 3 else ""
    return shown + more if rejections else "It has a header but no rows."


def _per_atom(targets: dict[str, np.ndarray], crystals: list[Crystal]) -> dict[str, np.ndarray]:
    """Divide what is given per cell by the number of sites."""
    n_sites = np.array([crystal.n_sites for crystal in crystals])
    return {
        PER_CELL.get(target, target): values / n_sites if target in PER_CELL else values
        for target, values in targets.items()
    }
