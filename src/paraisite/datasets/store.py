"""Datasets on disk: one Parquet file with the packed crystals and their targets, and a JSON card beside it.

`dataset.parquet` has one row for each crystal and can be read by anything that reads Parquet (pandas, polars, DuckDB):

=============  =====================  ==============================================================================
column         type                   content
=============  =====================  ==============================================================================
id             string                 id of the crystal
formula        string                 reduced formula; written for other programs, not read back
(each target)  double                 its values, null where missing; the unit stands in the metadata of the field
(each label)   dictionary of string   its texts
provenance     dictionary of string   dataset that the row came from
source         string                 file (member, block, line) that the crystal was read from
notes          list of string         what a reader changed or assumed
cell           9 doubles              lattice vectors in Å, one after the other
numbers        list of int16          atomic numbers
positions      list of double         fractional coordinates x, y, z of the first site, then of the second, …
=============  =====================  ==============================================================================

Targets and labels stand under their own names. One whose name is taken (upper and lower case alike) by a column above
or by an earlier target gets underscores at its end; the metadata of the file under `paraisite` says, in JSON, which
column holds which target and label, beside the name, the format version and the content hash.

`card.json` says what people and `paraisite data info` want to know, and holds the sha256 of the Parquet file: a damaged
or exchanged file, and a pair of which only one was written before a crash, are noticed on opening.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from paraisite.crystals.crystal import Crystal
from paraisite.crystals.elements import SYMBOLS
from paraisite.crystals.rejection import Rejection
from paraisite.datasets.dataset import Dataset
from paraisite.datasets.registry import DatasetCard, find
from paraisite.datasets.table import DatasetError
from paraisite.files.writing import write_json, write_parquet
from paraisite.targets import unit as unit_of
from paraisite.versions import versions

if TYPE_CHECKING:
    import pyarrow as pa

TABLE = "id_prop.csv"
"""The table of a dataset that is not stored in this form."""
PARQUET, CARD = "dataset.parquet", "card.json"
FORMAT = 1
"""Version of the stored form; a reader refuses a newer one."""

COLUMNS = ("id", "formula", "provenance", "source", "notes", "cell", "numbers", "positions")
"""The columns that every dataset has."""

ACCOUNTS = ("cleaning.csv", "cleaning.json", "merging.csv", "merging.json")
"""What `clean` and `merge` write beside a dataset; of one that is replaced they would be wrong."""

_METADATA = b"paraisite"


class StoredCard(BaseModel):
    """What is known of a stored dataset.

    Attributes
    ----------
    format : int
        Version of the stored form.
    name : str
        Name of the dataset.
    rows : int
        Number of crystals.
    content_hash : str
        `Dataset.content_hash` of what is stored.
    sha256 : str
        Of the Parquet file.
    units : dict
        Unit of each target; empty where it is not known.
    licence : str
        Terms of values and structures.
    citation : tuple of str
        What to cite.
    notes : tuple of str
        What a user should know.
    origin : dict
        How the dataset was made (its query, upstream files, rules, …), in words of whoever made it.
    rejections : tuple of Rejection
        Rows of the source that could not be read.
    versions : dict
        Versions of the software that wrote it.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: int = Field(ge=1)
    name: str
    rows: int = Field(ge=0)
    content_hash: str = Field(pattern=r"^[0-9a-f]{64}$")
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    units: dict[str, str]
    licence: str = ""
    citation: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    origin: dict[str, Any] = Field(default_factory=dict)
    rejections: tuple[Rejection, ...] = ()
    versions: dict[str, str] = Field(default_factory=dict)


def is_dataset_folder(folder: str | Path) -> bool:
    """Whether a folder holds a stored dataset (perhaps a damaged one)."""
    return (Path(folder) / PARQUET).is_file()


def write_dataset(
    dataset: Dataset,
    folder: str | Path,
    *,
    notes: Sequence[str] = (),
    licence: str | None = None,
    citation: Sequence[str] | None = None,
    units: Mapping[str, str] | None = None,
    origin: Mapping[str, Any] | None = None,
) -> Path:
    """Store a dataset; what it held before is replaced once the new content is complete.

    `read_dataset` gives the same back, numbers to the bit. (What is not Unicode, such as the bytes of an ill-named
    file in an id, is stored as backslash escapes, and every NaN of a target is the same NaN.)

    Parameters
    ----------
    dataset : Dataset
    folder : str or Path
        Folder of the dataset, made where it does not exist.
    notes : sequence of str
        What a user should know.
    licence : str, optional
    citation : sequence of str, optional
        By default those of the registered datasets that the rows came from.
    units : mapping, optional
        Unit of targets that `paraisite.targets` does not know, or that are kept in another one.
    origin : mapping, optional
        How the dataset was made, as far as JSON can say it.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    DatasetError
        If the folder cannot be written, holds an `id_prop.csv` (which it would hide), or a crystal is invalid.
    """
    folder = Path(folder).expanduser()
    if (folder / TABLE).exists():
        raise DatasetError(f"{folder}: holds a dataset as id_prop.csv, which would be hidden; name another folder")
    known = {target: unit_of(target) for target in dataset.targets} | dict(units or {})
    sources = [card for name in dict.fromkeys(dataset.provenance) if (card := find(name)) is not None]
    if licence is None:
        licence = "; ".join(f"{card.name}: {card.licence}" for card in sources)
    if citation is None:
        citation = tuple(dict.fromkeys(text for card in sources for text in card.citation))
    table = _pack(dataset, known)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_parquet(folder / PARQUET, table, compression="zstd")
        digest = hashlib.sha256((folder / PARQUET).read_bytes()).hexdigest()
        fields = {
            "format": FORMAT,
            "name": dataset.name,
            "rows": len(dataset),
            "content_hash": dataset.content_hash,
            "sha256": digest,
            "units": known,
            "licence": licence,
            "citation": list(citation),
            "notes": list(notes),
            "origin": dict(origin or {}),
            "rejections": [asdict(rejection) for rejection in dataset.rejections],
            "versions": versions(),
        }
        write_json(
            folder / CARD, fields, ensure_ascii=False, errors="replace"
        )  # of what is not Unicode, a question mark
        for account in ACCOUNTS:
            (folder / account).unlink(missing_ok=True)
    except OSError as error:
        raise DatasetError(f"{folder}: cannot be written ({error.strerror or error}); name another folder") from error
    return folder


def inherited(inputs: Iterable[str]) -> dict[str, Any]:
    """Return what a dataset made of others gets from their cards: arguments of `write_dataset`.

    Parameters
    ----------
    inputs : iterable of str
        Names and folders, as `load` takes them. Folders with an `id_prop.csv` have no card and give nothing.

    Raises
    ------
    DatasetError
        If the same target has different units, or a card cannot be read.
    """
    cards: dict[str, DatasetCard | StoredCard] = {}
    for given in inputs:
        if (named := find(given)) is not None:
            cards[given] = named
        elif is_dataset_folder(folder := dataset_folder(given)):
            cards[given] = read_card(folder)
    alone = len(cards) == 1
    units: dict[str, str] = {}
    notes: list[str] = []
    for given, card in cards.items():
        if isinstance(card, DatasetCard):  # its notes are about the data as published, its units those of `targets`
            continue
        for target, unit in card.units.items():
            if unit and units.setdefault(target, unit) != unit:
                raise DatasetError(
                    f"{given}: {target} is in {unit}, in another of the datasets in {units[target]}; bring them to "
                    "one unit, or give them different names"
                )
        notes += [note if alone else f"{card.name}: {note}" for note in card.notes]
    terms = [
        card.licence if alone and isinstance(card, StoredCard) else f"{card.name}: {card.licence}"
        for card in cards.values()
        if card.licence
    ]
    citation = [text for card in cards.values() for text in card.citation]
    found = {"licence": "; ".join(dict.fromkeys(terms)), "citation": list(dict.fromkeys(citation))}
    return {
        key: value for key, value in (found | {"units": units, "notes": list(dict.fromkeys(notes))}).items() if value
    }


def dataset_folder(path: str | Path) -> Path:
    """Return the folder of a dataset that is given as a folder, or as the table or Parquet file in it."""
    path = Path(path).expanduser()
    return path.parent if path.name in (TABLE, PARQUET) else path


def read_card(folder: str | Path) -> StoredCard:
    """Read the card of a stored dataset.

    Raises
    ------
    DatasetError
        If it is missing, damaged, not the card of a dataset, or of a newer format.
    """
    path = Path(folder).expanduser() / CARD
    try:
        document = json.loads(path.read_bytes())
    except FileNotFoundError as error:
        raise DatasetError(f"{path}: does not exist; {_AGAIN}") from error
    except OSError as error:
        raise DatasetError(f"{path}: cannot be read ({error.strerror}); check its permissions") from error
    except (ValueError, RecursionError) as error:
        raise DatasetError(f"{path}: not readable JSON ({error}); {_AGAIN}") from error
    version = document.get("format") if isinstance(document, dict) else None
    if isinstance(version, int) and version > FORMAT:
        raise DatasetError(f"{path}: has format {version}, this ParAIsite reads up to {FORMAT}; update ParAIsite")
    try:
        return StoredCard.model_validate(document)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "the document"
        raise DatasetError(f"{path}: not the card of a dataset ({place}: {first['msg']}); {_AGAIN}") from error


def read_dataset(folder: str | Path) -> Dataset:
    """Open a stored dataset.

    Raises
    ------
    DatasetError
        If the Parquet file or the card is missing, damaged, of a newer format, or they do not belong together.
    """
    import pyarrow as pa
    from pyarrow import parquet

    card = read_card(folder)
    path = Path(folder).expanduser() / PARQUET
    try:
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise DatasetError(f"{path}: does not exist, though its card does; {_AGAIN}") from error
    except OSError as error:
        raise DatasetError(f"{path}: cannot be read ({error.strerror}); check its permissions") from error
    if hashlib.sha256(content).hexdigest() != card.sha256:
        raise DatasetError(
            f"{path}: is not the file that {CARD} describes (its sha256 differs): it is damaged, was changed, or the "
            f"writing was interrupted; {_AGAIN}"
        )
    try:
        table = parquet.ParquetFile(pa.BufferReader(content)).read()
        stored = json.loads((table.schema.metadata or {})[_METADATA])
        if table.num_rows != card.rows or stored["content_hash"] != card.content_hash:
            raise ValueError(f"it has other rows or another content hash than {CARD} states")
        return _unpack(table, stored, card)
    except (pa.ArrowException, KeyError, IndexError, TypeError, ValueError, AttributeError, RecursionError) as error:
        detail = f"{type(error).__name__}: {error}".splitlines()[0]
        raise DatasetError(f"{path}: not a stored dataset ({detail}); {_AGAIN}") from error


_AGAIN = "copy the folder again, or make it again with the command that made it"


def _pack(dataset: Dataset, units: Mapping[str, str]) -> pa.Table:
    import pyarrow as pa

    crystals = dataset.crystals
    cells = np.array([crystal.cell for crystal in crystals], dtype=np.float64).reshape(-1, 9)
    counts = np.array([crystal.n_sites for crystal in crystals], dtype=np.int64)
    numbers = np.concatenate([np.empty(0, np.int64), *(crystal.numbers for crystal in crystals)])
    positions = np.concatenate([np.empty((0, 3)), *(crystal.positions for crystal in crystals)]).ravel()
    try:
        _check(cells, numbers, positions, counts)
    except ValueError as error:
        raise DatasetError(f"dataset {dataset.name!r}: {error}; clean it before it is stored") from error
    columns: dict[str, pa.Array] = {"id": _texts(dataset.ids), "formula": _texts(dataset.formulas)}
    taken = set(COLUMNS)
    roles: dict[str, dict[str, str]] = {"targets": {}, "labels": {}}
    for target, values in dataset.targets.items():
        roles["targets"][target] = column = free_name(target, taken)
        columns[column] = pa.array(values, mask=np.isnan(values))
    for label, texts in dataset.labels.items():
        roles["labels"][label] = column = free_name(label, taken)
        columns[column] = _texts(texts).dictionary_encode()
    columns["provenance"] = _texts(dataset.provenance).dictionary_encode()
    columns["source"] = _texts(crystal.source for crystal in crystals)
    columns["notes"] = pa.ListArray.from_arrays(
        _offsets(len(crystal.notes) for crystal in crystals),
        _texts(note for crystal in crystals for note in crystal.notes),
    )
    columns["cell"] = pa.FixedSizeListArray.from_arrays(pa.array(cells.ravel()), 9)
    columns["numbers"] = pa.ListArray.from_arrays(_offsets(counts), pa.array(numbers, pa.int16()))
    columns["positions"] = pa.ListArray.from_arrays(_offsets(3 * counts), pa.array(positions))
    unit_of = {roles["targets"][target]: units.get(target) for target in dataset.targets} | {"cell": "angstrom"}
    fields = [
        pa.field(name, array.type, metadata={"unit": unit} if (unit := unit_of.get(name)) else None)
        for name, array in columns.items()
    ]
    stored = {"format": FORMAT, "name": dataset.name, "content_hash": dataset.content_hash, **roles}
    return pa.table(list(columns.values()), schema=pa.schema(fields, {_METADATA: json.dumps(stored)}))


def _unpack(table: pa.Table, stored: Mapping[str, Any], card: StoredCard) -> Dataset:
    columns = {name: table.column(name).combine_chunks() for name in table.column_names}
    ids, sources = columns["id"].to_pylist(), columns["source"].to_pylist()
    notes = [tuple(row) for row in columns["notes"].to_pylist()]
    # all numbers come out in three arrays, of which each crystal gets its slices
    cells = _numbers(columns["cell"].flatten(), np.float64)
    counts = _numbers(columns["numbers"].value_lengths(), np.int64)
    numbers = _numbers(columns["numbers"].flatten(), np.int64)
    positions = _numbers(columns["positions"].flatten(), np.float64)
    wrong = np.flatnonzero(_numbers(columns["positions"].value_lengths(), np.int64) != 3 * counts)
    if len(wrong):
        raise ValueError(f"invalid crystal at row {wrong[0] + 1}: not three coordinates for each atomic number")
    _check(cells, numbers, positions, counts)
    cells, positions = cells.reshape(-1, 3, 3), positions.reshape(-1, 3)
    ends = np.cumsum(counts).tolist()
    crystals = tuple(
        Crystal(cell, numbers[start:end], positions[start:end], id_, source, note)
        for cell, start, end, id_, source, note in zip(
            cells, [0, *ends[:-1]], ends, ids, sources, notes, strict=bool(ends)
        )
    )
    return Dataset(
        name=card.name,
        crystals=crystals,
        targets={target: _floats(columns[column]) for target, column in stored["targets"].items()},
        provenance=_words(columns["provenance"]),
        rejections=card.rejections,
        labels={label: _words(columns[column]) for label, column in stored["labels"].items()},
    )


def _check(cells: np.ndarray, numbers: np.ndarray, positions: np.ndarray, counts: np.ndarray) -> None:
    """Raise a ValueError that names a row without a crystal; the physics is for readers and cleaning to judge."""
    if len(positions) != 3 * counts.sum() or len(numbers) != counts.sum() or cells.size != 9 * len(counts):
        raise ValueError("the numbers of sites, coordinates and lattice vectors are inconsistent")
    rows = np.arange(1, len(counts) + 1)
    at = np.repeat(rows, counts)
    for wrong, what in (
        (rows[counts < 1], "it has no sites"),
        (at[(numbers < 1) | (numbers >= len(SYMBOLS))], "an atomic number is out of range"),
        (at[~np.isfinite(positions.reshape(-1, 3)).all(axis=1)], "a position is not finite"),
        (rows[~np.isfinite(cells.reshape(-1, 9)).all(axis=1)], "the cell is not finite"),
    ):
        if len(wrong):
            raise ValueError(f"invalid crystal at row {wrong[0]}: {what}")


def free_name(name: str, taken: set[str]) -> str:
    """Return a name for a column that is not taken (upper and lower case alike) nor empty, and take it."""
    column = utf8(name) or "_"
    while column.casefold() in taken:
        column += "_"
    taken.add(column.casefold())
    return column


def _offsets(lengths: Iterable[int]) -> pa.Array:
    import pyarrow as pa

    return pa.array(np.cumsum([0, *lengths]), pa.int32())


def utf8(text: str) -> str:
    """Return what UTF-8 can hold; bytes of a file name that is none become backslash escapes."""
    return text.encode("utf-8", "backslashreplace").decode()


def _texts(texts: Iterable[str]) -> pa.Array:
    import pyarrow as pa

    return pa.array([utf8(text) for text in texts], pa.string())


def _words(column: pa.DictionaryArray) -> tuple[str, ...]:
    words = column.dictionary.to_pylist()
    return tuple([words[i] for i in column.indices.to_pylist()])


def _numbers(column: pa.Array, dtype: type) -> np.ndarray:
    # by DLPack, for to_numpy (and fill_null below) would import pandas, if installed, for longer than all else takes
    return np.array(np.from_dlpack(column), dtype=dtype)


def _floats(column: pa.Array) -> np.ndarray:
    values = np.full(len(column), np.nan)
    values[_numbers(column.is_valid().cast("int8"), bool)] = _numbers(column.drop_null(), np.float64)
    return values
