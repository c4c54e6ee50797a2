"""`load`: a named dataset, a stored one, or any folder with an `id_prop.csv` and CIFs."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from paraisite.crystals.crystal import Crystal
from paraisite.crystals.origin import Origin
from paraisite.crystals.rejection import Rejection
from paraisite.datasets.dataset import FLAGS, Dataset, concat
from paraisite.datasets.places import cached_folder, in_mirror, mirror_folder, not_here, not_in_mirror
from paraisite.datasets.registry import DatasetCard, find, registry
from paraisite.datasets.store import PARQUET, TABLE, dataset_folder, is_dataset_folder, read_card, read_dataset
from paraisite.datasets.table import DatasetError, Table, per_atom, place, read_table
from paraisite.files.printable import counted

ARCHIVE = "cif.zip"


def load(name_or_path: str | Path, mirror: str | Path | None = None) -> Dataset:
    """Load a labelled dataset.

    Parameters
    ----------
    name_or_path : str or Path
        A name or alias of `datasets.yml` (`l96`, `hh143`, `mix`, `aflow_agl`, …; `Dataset1`, `Dataset2`, `MIX`,
        `AFLOW`; upper and lower case alike), or a folder: a stored dataset (`dataset.parquet`, `card.json`), or
        `id_prop.csv` and, beside it or in `cif.zip`, one CIF per id. A folder that is called like a dataset is
        reached as `./mix`.
    mirror : str or Path, optional
        Folder that holds the named datasets; by default the environment's PARAISITE_MIRROR. What is not there is
        looked for among what `paraisite data fetch` has put into the cache.

    Returns
    -------
    Dataset
        Rows in the order of the table; lines that cannot be read stand in its `rejections`. Rows of a named dataset
        have the label `fidelity`, and `flags` where the registry knows reasons to doubt some.

    Raises
    ------
    DatasetError
        If there is no such dataset, a named one is not the registered one, or none of its rows can be read.
    """
    card = find(name_or_path) if isinstance(name_or_path, str) else None
    if card is not None:
        return _load_named(card, mirror)
    folder = dataset_folder(name_or_path)
    if not folder.is_dir():
        raise DatasetError(
            f"{name_or_path}: neither a known dataset ({', '.join(registry())}) nor a folder with {PARQUET}, or with "
            f"{TABLE} and CIFs"
        )
    return read_dataset(folder) if is_dataset_folder(folder) else _load_folder(folder, folder.resolve().name)


def _load_named(card: DatasetCard, mirror: str | Path | None) -> Dataset:
    if card.holds == "formulas":
        raise DatasetError(f"{card.name}: holds formulas without crystals; read it with load_formulas")
    if card.parts:
        return concat([load(part, mirror) for part in card.parts], card.name)
    root = mirror_folder(mirror)
    if root is not None and in_mirror(card, root):
        return read_mirror(card, root)
    folder = cached_folder(card)
    if not is_dataset_folder(folder):
        raise DatasetError(not_here(card, mirror))
    if read_card(folder).content_hash != card.content_hash:
        raise DatasetError(
            f"{card.name}: {folder} does not hold what the registry of this ParAIsite names; renew it with "
            f"`paraisite data fetch {card.name}`"
        )
    return with_labels(read_dataset(folder), card)  # flags of this version, whichever wrote the cache


def read_mirror(card: DatasetCard, root: Path) -> Dataset:
    """Read a named dataset that is not made of parts from a mirror folder, and compare it with the registry.

    Raises
    ------
    DatasetError
        If the mirror does not hold it, or holds something else.
    """
    if not in_mirror(card, root):
        raise DatasetError(not_in_mirror(card, root))
    table = root / card.mirror[0]
    if card.converter == "matcalc":  # kept as published
        from paraisite.datasets.upstream import convert

        dataset = convert(card, {upstream.url: table for upstream in card.upstream})
    elif card.converter == "scan":
        dataset = _load_index(table, card.name)
    elif card.converter == "harmonic":
        from paraisite.datasets.harmonic import read_harmonic

        dataset = read_harmonic(table, card.name)
    else:
        dataset = _load_folder(table.parent, card.name, card)
    rows = len(dataset) + len(dataset.rejections)
    if rows != card.rows:
        raise DatasetError(
            f"{card.name}: {table} has {counted(rows, 'row')} instead of {card.rows}; replace it in the mirror"
        )
    if dataset.content_hash != card.content_hash:  # 0.03 s for 5578 crystals that took 3 s to read
        raise DatasetError(
            f"{card.name}: {table} and what belongs to it are not the registered data (content hash "
            f"{dataset.content_hash[:12]}…, expected {card.content_hash[:12]}…){_first_broken(dataset)}; replace "
            "them in the mirror"
        )
    return with_labels(dataset, card)


def with_labels(dataset: Dataset, card: DatasetCard) -> Dataset:
    """Label the rows of a named dataset with how its values were made, and with what there is to doubt."""
    labels = {**dataset.labels, "fidelity": (card.fidelity,) * len(dataset)}
    if card.suspects:
        with Path(__file__).with_name(card.suspects).open(encoding="utf-8", newline="") as file:
            evidence = {row["id"]: row["evidence"] for row in csv.DictReader(file)}
        labels[FLAGS] = tuple(evidence.get(id_, "") for id_ in dataset.ids)
    return replace(dataset, labels=labels)


def _load_index(index: Path, name: str) -> Dataset:
    """Read crystals without targets: a table with a column `id`, and CIFs as beside an `id_prop.csv`."""
    with index.open(encoding="utf-8", newline="") as file:
        ids = [row["id"] for row in csv.DictReader(file)]
    found = _read_crystals(index.parent, set(ids))
    crystals: list[Crystal] = []
    rejections = []
    for line, id_ in enumerate(ids, start=2):
        match found.get(id_):
            case Crystal() as crystal:
                crystals.append(crystal)
            case Rejection() as rejection:
                rejections.append(Rejection(id_, place(index, line), f"{rejection.source}: {rejection.reason}"))
            case None:
                rejections.append(Rejection(id_, place(index, line), _missing(index.parent, id_)))
    return Dataset(name, tuple(crystals), {}, (name,) * len(crystals), tuple(rejections))


def _first_broken(dataset: Dataset) -> str:
    return "".join(f"; {rejection.source}: {rejection.reason}" for rejection in dataset.rejections[:1])


def _load_folder(folder: Path, name: str, card: DatasetCard | None = None) -> Dataset:
    """Read `id_prop.csv` and CIFs; of a named dataset, only the columns that its card names."""
    table = read_table(folder / TABLE)
    found = _read_crystals(folder, {row.id for row in table.rows})
    crystals: list[Crystal] = []
    rows = []
    rejections = [*table.rejections, *table.others]
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
    wanted = [target for target in table.targets if card is None or target in card.units]
    targets = {target: np.array([row.targets.get(target, np.nan) for row in rows]) for target in wanted}
    return Dataset(
        name=name,
        crystals=tuple(crystals),
        targets=per_atom(targets, crystals),
        provenance=(name,) * len(crystals),
        rejections=tuple(sorted(rejections, key=lambda rejection: Origin.parse(rejection.source).number)),
        labels=_labels(table.path, card.labels, [row.id for row in rows]) if card else {},
    )


def _labels(table: Path, columns: Sequence[str], ids: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Return columns of a table as labels of the rows with these ids, empty where it has none."""
    with table.open(encoding="utf-8-sig", newline="") as file:
        cells = {row["id"]: row for row in csv.DictReader(file)} if columns else {}
    return {column: tuple(cells.get(id_, {}).get(column) or "" for id_ in ids) for column in columns}


def _read_crystals(folder: Path, wanted: set[str]) -> dict[str, Crystal | Rejection]:
    """Read the CIFs of the wanted ids; one beside the table goes before one in the archive."""
    from paraisite.crystals.read import read

    beside = sorted(file for file in folder.iterdir() if file.suffix.lower() == ".cif" and file.stem in wanted)
    archive = [folder / ARCHIVE] if (folder / ARCHIVE).is_file() else []
    found: dict[str, Crystal | Rejection] = {}
    for inputs in (archive, beside):
        here: dict[str, Crystal | Rejection] = {}
        for result in read(inputs, vacuum=True):
            if isinstance(result, Rejection) and result.source == str(folder / ARCHIVE):
                raise DatasetError(f"{result.source}: {result.reason}")
            # By the name of the file, not the id: a CIF of several blocks has an id for each.
            stem = Origin.parse(result.source).stem
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
