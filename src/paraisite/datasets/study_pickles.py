"""`read_study`: the study's pickles (pymatgen structures, pandas frames, lists of values) as a `Dataset`."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from paraisite.crystals.budget import MEMORY
from paraisite.crystals.check import MAX_SITES, check, check_periodic
from paraisite.crystals.crystal import Crystal
from paraisite.crystals.elements import species_number
from paraisite.crystals.origin import Origin
from paraisite.crystals.rejection import CrystalError, Rejection
from paraisite.crystals.sites import Sites, order, unknown_element
from paraisite.datasets.dataset import KAPPA, Dataset
from paraisite.datasets.table import LABEL_COLUMNS, DatasetError
from paraisite.datasets.unpickle import NUMPY_NAMES, REMEDY, Record, Values, read_pickle, to_scalar, to_values

ID_COLUMN, KAPPA_COLUMN = "mpd_id", "TC"
"""The study's names for the Materials Project number and the conductivity (W/m/K)."""

STUDY_NAMES = NUMPY_NAMES | {
    *(("pymatgen.core.structure", name) for name in ("Structure", "IStructure")),
    ("pymatgen.core.lattice", "Lattice"),
    ("pymatgen.core.sites", "PeriodicSite"),
    ("pymatgen.core.composition", "Composition"),
    *(("pymatgen.core.periodic_table", name) for name in ("Element", "Species", "Specie")),
    ("pandas.core.frame", "DataFrame"),
    ("pandas.core.internals.managers", "BlockManager"),
    ("pandas._libs.internals", "_unpickle_block"),
    ("pandas.core.indexes.base", "_new_Index"),
    ("pandas.core.indexes.base", "Index"),
    ("pandas.core.indexes.range", "RangeIndex"),
    ("pandas.core.indexes.numeric", "Int64Index"),
    *(("pandas", name) for name in ("DataFrame", "Index", "RangeIndex")),  # how pandas 3 calls them
}
"""Module and name of everything that the study's pickles are written with."""

_MAX_COLUMNS = 1000
_BYTES_PER_SITE = 24
"""Three coordinates take at least so much: a file that gives more sites has its parts refer to one another."""


@dataclass(frozen=True, slots=True)
class _Part:
    """What one file holds; every column is as long as the list of structures, if there is one."""

    path: Path
    structures: Values | None = None
    columns: dict[str, Values] = field(default_factory=dict)


def read_study(
    structures: str | Path,
    targets: str | Path | None = None,
    name: str | None = None,
    *,
    id_column: str = ID_COLUMN,
    kappa_column: str = KAPPA_COLUMN,
    advance: Callable[[], None] = lambda: None,
) -> Dataset:
    """Read the study's pickles; nothing in them is run, and neither pymatgen nor pandas is needed.

    Parameters
    ----------
    structures, targets : str or Path
        In either order: a list of structures (`structures_X.pkl`), a frame with the columns `mpd_id`, `TC` and perhaps
        `structure` (`X.pkl`), a list of conductivities (`TC_AFLOW.pkl`). Together they must hold structures and
        conductivities, of the same rows in the same order; a frame with structures is enough by itself.
    name : str, optional
        Name of the dataset; by default the stem of the first file, without `structures_`.
    id_column, kappa_column : str
        Columns of the frame that hold ids and conductivities (W/m/K).
    advance : callable
        Called after each row.

    Returns
    -------
    Dataset
        Cells and positions to the bit as in the file, in its order. Ids are `mp-N`, or the name and the number of the
        row where there are none; every further column of numbers is a target. Rows without a usable crystal, with no
        positive conductivity or repeat an id are in the rejections.

    Raises
    ------
    DatasetError
        If a file does not hold what it should, or anything besides; if the two do not fit together; if no row is left.
    """
    paths = [Path(structures), *([Path(targets)] if targets is not None else [])]
    parts = [_read_part(path) for path in paths]
    lengths = {part.path: _length(part) for part in parts}
    if len(set(lengths.values())) > 1:
        counts = ", ".join(f"{n} in {path}" for path, n in lengths.items())
        raise DatasetError(
            f"the two files do not hold the same number of rows ({counts}); give files that belong together"
        )
    with_structures = [part for part in parts if part.structures is not None]
    if not with_structures:
        raise DatasetError(f"{paths[0]}: holds no structures; give the pickle with the list of structures too")
    where = f"{' and '.join(map(str, paths))}: "
    columns: dict[str, Values] = {}
    for part in parts:
        if both := [column for column in part.columns if column in columns]:
            raise DatasetError(f"{where}both hold {both[0]!r}; give one of the two")
        columns |= part.columns
    kappa = columns.pop(kappa_column if kappa_column in columns else KAPPA, None)
    if KAPPA in columns:
        raise DatasetError(f"{where}both {kappa_column!r} and {KAPPA!r} are present; choose one by --kappa-column")
    if kappa is None:
        found = f"only the columns {', '.join(map(ascii, columns))}" if columns else "structures only"
        raise DatasetError(
            f"{where}no conductivities, {found}; give the pickle that holds them too (a column {kappa_column!r}, or a "
            "list of one for each structure)"
        )
    name = name or paths[0].stem.removeprefix("structures_")
    ids = [_id(value) or f"{name}-{i + 1}" for i, value in enumerate(columns.pop(id_column, [None] * len(kappa)))]
    further = {
        column: values
        for column, values in columns.items()
        if isinstance(values, np.ndarray) and values.dtype.kind in "fiu" and column.casefold() not in LABEL_COLUMNS
    }

    first, *others = [_Crystals(part) for part in with_structures]
    kept: list[int] = []
    crystals: list[Crystal] = []
    conductivities: list[float] = []
    rejections: list[Rejection] = []
    seen: dict[str, int] = {}
    for i, id_ in enumerate(ids):
        place = str(Origin(str(first.part.path), f"row {i + 1}"))
        advance()
        try:
            crystal = first.read(i, id_, place)
            for other in others:
                if sorted(other.read(i, id_, place).numbers) != sorted(crystal.numbers):
                    raise DatasetError(
                        f"{where}row {i + 1} is not the same crystal in both; give files that belong together"
                    )
            value = _conductivity(kappa[i])
            if id_ in seen:
                raise ValueError(f"the id stands in row {seen[id_]} already; keep one of the two rows")
        except DatasetError:
            raise
        except ValueError as error:
            rejections.append(Rejection(id_, place, str(error)))
        else:
            seen[id_] = i + 1
            kept.append(i)
            crystals.append(crystal)
            conductivities.append(value)
    if not crystals:
        reasons = "; ".join(f"row {Origin.parse(r.source).number}: {r.reason}" for r in rejections[:3])
        raise DatasetError(f"{where}no row can be read: {reasons or 'the table has no rows'}")
    return Dataset(
        name=name,
        crystals=tuple(crystals),
        targets={
            KAPPA: np.array(conductivities),
            **{column: np.asarray(values, dtype=np.float64)[kept] for column, values in further.items()},
        },
        provenance=(name,) * len(crystals),
        rejections=tuple(rejections),
    )


class _Crystals:
    """The structures of a file, with a bound on how often its parts are used again."""

    def __init__(self, part: _Part) -> None:
        self.part = part
        self._sites_left = part.path.stat().st_size // _BYTES_PER_SITE

    def read(self, i: int, id: str, source: str) -> Crystal:
        assert self.part.structures is not None
        structure = self.part.structures[i]
        sites = structure.fields.get("_sites") if _is_structure(structure) else None
        self._sites_left -= len(sites) if isinstance(sites, (list, tuple)) else 0
        if self._sites_left < 0:
            raise DatasetError(f"{self.part.path}: gives more sites than its size can hold; {REMEDY}")
        return _crystal(structure, id, source)


def _read_part(path: Path) -> _Part:
    content = read_pickle(path, STUDY_NAMES)
    try:
        if isinstance(content, Record) and content.is_a("DataFrame"):
            columns = _frame(content)
            structures = columns.pop("structure", None)
            return _Part(path, structures, columns)
        values = to_values(content)
    except ValueError as error:
        raise DatasetError(f"{path}: not a list of structures or values, nor a frame ({error}); {REMEDY}") from error
    if any(_is_structure(value) for value in values):
        return _Part(path, list(values))
    return _Part(path, None, {KAPPA: values})


def _length(part: _Part) -> int:
    return len(part.structures if part.structures is not None else next(iter(part.columns.values()), []))


def _is_structure(value: Any) -> bool:
    return isinstance(value, Record) and value.is_a("Structure", "IStructure")


def _frame(frame: Record) -> dict[str, Values]:
    """Return the columns of a `pandas.DataFrame` by name.

    A frame holds a block manager, that the index of the columns and that of the rows, and blocks: arrays of columns of
    one type, each with the positions of its columns (pandas 1.3 and later).
    """
    manager = frame.fields.get("_mgr")
    if not isinstance(manager, Record) or not manager.is_a("BlockManager") or len(manager.arguments) != 2:
        raise ValueError("the frame is not written as pandas 1.3 or later does it")
    blocks, axes = manager.arguments
    if not isinstance(blocks, (tuple, list)) or not isinstance(axes, (tuple, list)) or len(axes) != 2:
        raise ValueError("the frame is not written as pandas 1.3 or later does it")
    names = _index(axes[0])
    if len(names) > _MAX_COLUMNS or len(blocks) > len(names) or len(set(names)) < len(names):
        raise ValueError(f"the frame has more than {_MAX_COLUMNS} columns, two of one name, or too many blocks")
    columns: dict[str, Values] = {}
    memory = 0
    for block in blocks:
        if not isinstance(block, Record) or not block.is_a("_unpickle_block") or len(block.arguments) != 3:
            raise ValueError("a block of the frame is not written as pandas does it")
        rows = to_values(block.arguments[0])
        memory += sum(v.nbytes if isinstance(v, np.ndarray) else 8 * len(v) for v in rows if hasattr(v, "__len__"))
        if memory > MEMORY:  # one block, named again and again
            raise ValueError(f"the blocks of the frame take more than {MEMORY >> 30} GiB")
        places = _placement(block.arguments[1], len(names))
        if len(places) != len(rows):
            raise ValueError("a block of the frame does not hold as many columns as it says")
        for place, values in zip(places, rows, strict=True):
            if not isinstance(values, (list, np.ndarray)):
                raise ValueError("a block of the frame is not a table")
            columns[names[place]] = values
    if set(columns) != set(names) or len({len(values) for values in columns.values()}) > 1:
        raise ValueError("the columns of the frame are not complete or not of one length")
    return {name: columns[name] for name in names}


def _index(index: Any) -> list[str]:
    fields = index.arguments[1] if isinstance(index, Record) and len(index.arguments) == 2 else None
    values = to_values(fields.get("data")) if isinstance(fields, dict) else None
    if values is None or not all(isinstance(value, str) for value in values):
        raise ValueError("the columns of the frame have no names")
    return list(values)


def _placement(value: Any, n: int) -> list[int]:
    """Positions of a block's columns among `n`."""
    if isinstance(value, Record) and value.is_a("slice"):
        if len(value.arguments) != 3 or not all(
            type(x) is int and abs(x) <= 10 * _MAX_COLUMNS for x in value.arguments
        ):
            raise ValueError("a block of the frame has invalid positions")
        start, stop, step = value.arguments
        found = list(range(start, stop, step))  # a step of zero is a ValueError too
    else:
        found = [int(place) for place in to_values(value) if isinstance(place, (int, np.integer))]
    if len(set(found)) < len(found) or not all(0 <= place < n for place in found):
        raise ValueError("a block of the frame has invalid positions")
    return found


def _id(value: Any) -> str:
    """Id of a row: `mp-N` for the number N, else the text; empty where there is none or it cannot be written."""
    value = to_scalar(value)
    if isinstance(value, (float, np.floating)) and value.is_integer():  # pandas makes floats of numbers with a gap
        value = int(value)
    if isinstance(value, (int, np.integer)) and not isinstance(value, bool):
        return f"mp-{value}" if 0 <= value < 10**12 else ""
    if not isinstance(value, str) or len(value) > 200 or not value.isprintable():
        return ""
    return f"mp-{value}" if value.isascii() and value.isdigit() else value.strip()


def _conductivity(value: Any) -> float:
    value = to_scalar(value)
    if isinstance(value, bool) or not isinstance(value, (int, float, np.integer, np.floating)):
        raise ValueError("kappa is not a number; correct it")
    if isinstance(value, int) and abs(value) > 10**9:
        raise ValueError("kappa exceeds every known conductivity; correct it")
    found = float(value)
    if not math.isfinite(found) or found <= 0:
        raise ValueError(f"kappa is {found}, but must be positive and finite; correct it or delete the row")
    return found


def _crystal(structure: Any, id: str, source: str) -> Crystal:
    """Convert a structure.

    Raises
    ------
    CrystalError
        If it is none, is disordered or is not physical.
    """
    if not _is_structure(structure):
        raise CrystalError("the row holds no pymatgen structure; give one")
    lattice, entries = structure.fields.get("_lattice"), structure.fields.get("_sites")
    if not isinstance(lattice, Record) or not isinstance(entries, (list, tuple)):
        raise CrystalError(
            "the structure has no lattice or no sites, as pymatgen writes them; export it as CIF or JSON"
        )
    if len(entries) > MAX_SITES:
        raise CrystalError(f"{len(entries)} sites are more than the limit of {MAX_SITES}; give the primitive cell")
    if isinstance(pbc := lattice.fields.get("_pbc"), (list, tuple)):  # older pymatgen has none
        check_periodic(pbc)
    cell = _numbers(lattice.fields.get("_matrix"), (3, 3), "the lattice")
    names = [f"site {i + 1}" for i in range(len(entries))]
    fields = [entry.fields if isinstance(entry, Record) else {} for entry in entries]
    positions = [_numbers(f.get("_frac_coords"), (3,), name) for f, name in zip(fields, names, strict=True)]
    species = [_species(f.get("_species"), name) for f, name in zip(fields, names, strict=True)]
    sites = Sites(np.array(positions).reshape(-1, 3), species, names)
    numbers, kept = order(sites, "reject")
    check(cell, numbers, kept)
    return Crystal(cell, numbers, kept, id, source, tuple(sites.notes))


def _numbers(value: Any, shape: tuple[int, ...], what: str) -> np.ndarray:
    try:
        array = np.asarray(to_values(value))
    except ValueError as error:
        raise CrystalError(f"{what} is not given by numbers ({error}); export the structure as CIF or JSON") from error
    if array.shape != shape or array.dtype.kind not in "fiu":
        raise CrystalError(f"{what} is not given by {math.prod(shape)} numbers; export the structure as CIF or JSON")
    return array.astype(np.float64)


def _species(composition: Any, name: str) -> dict[int, float]:
    """Atomic number -> occupancy; oxidation states are dropped."""
    data = composition.fields.get("_data") if isinstance(composition, Record) else None
    if not isinstance(data, dict) or len(data) > 20:
        raise CrystalError(f"{name} has no species, as pymatgen writes them; export the structure as CIF or JSON")
    found: dict[int, float] = {}
    for species, amount in data.items():
        element = species.fields.get("_el") if isinstance(species, Record) and "_el" in species.fields else species
        symbol = element.arguments[0] if isinstance(element, Record) and len(element.arguments) == 1 else None
        if not isinstance(symbol, str) or len(symbol) > 3 or not (z := species_number(symbol)):
            raise unknown_element(name, symbol[:20] if isinstance(symbol, str) else "something")
        amount = to_scalar(amount)
        if not isinstance(amount, (int, float)) or not 0 <= amount <= 1000:
            raise CrystalError(f"{name} has an occupancy that is not a number from 0 to 1; correct it")
        found[z] = found.get(z, 0.0) + float(amount)
    return found
