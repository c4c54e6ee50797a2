"""`import_dataset`: a user's own files as a `Dataset`: the study's pickles, a table and crystals, labelled crystals."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from paraisite.crystals.archive import is_wanted
from paraisite.crystals.crystal import Crystal
from paraisite.crystals.foreign_json import ID_KEYS
from paraisite.crystals.formats import split_name
from paraisite.crystals.origin import Origin
from paraisite.crystals.read import read
from paraisite.crystals.rejection import Rejection
from paraisite.datasets.carried import Carried
from paraisite.datasets.cells import TABLES
from paraisite.datasets.dataset import KAPPA, Dataset
from paraisite.datasets.registry import registry
from paraisite.datasets.store import TABLE, is_dataset_folder
from paraisite.datasets.table import (
    ID_COLUMNS,
    KAPPA_COLUMNS,
    LABEL_COLUMNS,
    MISSING,
    NEAR,
    ROOM,
    DatasetError,
    Table,
    in_kelvin,
    is_numeric,
    is_temperature,
    per_atom,
    read_table,
    row_values,
)
from paraisite.datasets.units import UNIT, kappa_factor
from paraisite.files.printable import counted

NO_KAPPA = "-"
"""Given as `kappa_column`: the data have no conductivities."""

_PICKLES = (".pkl", ".pickle", ".p")


def import_dataset(
    source: str | Path,
    targets: str | Path | None = None,
    *,
    name: str | None = None,
    id_column: str | None = None,
    kappa_column: str | None = None,
    unit: str | None = None,
    at: float = ROOM,
    advance: Callable[[], None] = lambda: None,
    say: Callable[[str], None] = lambda line: None,
) -> Dataset:
    """Read labelled crystals from files of a user's own.

    Parameters
    ----------
    source : str or Path
        One of: a pickle of the study (see `read_study`); a folder with an `id_prop.csv`, or such a table of any name
        ending in .csv or .xlsx, and the crystals beside it; or anything `paraisite.crystals.read` reads, with the
        values in the files themselves (extended XYZ, ASE database, JSON) or in `targets`.
    targets : str or Path, optional
        A table whose ids are those of the crystals (or the stems of their files); for a pickle, the second pickle.
    name : str, optional
        Name of the dataset; by default the stem of `source`.
    id_column, kappa_column : str, optional
        What holds the ids (of tables and pickles) and the conductivities, where the names are not the usual ones;
        `NO_KAPPA` as `kappa_column` where there are none.
    unit : str, optional
        Unit that the conductivities are given in, one of `units.FACTORS`; by default that of the heading of a table,
        else W/m/K.
    at : float
        Temperature (K) of the rows to take, where a table or the crystals have one beside each value.
    advance : callable
        Called after each crystal or row.
    say : callable
        Told in a line how many rows of other temperatures there are, and how numbers were understood.

    Returns
    -------
    Dataset
        In the order of the table, else of the crystals; conductivities in W/m/K. Lines without a crystal, crystals
        without a line, and what cannot be read at all are in the rejections.

    Raises
    ------
    DatasetError
        If nothing can be imported, or an argument does not fit the files; it says what to change.
    """
    try:
        factor = kappa_factor(unit or UNIT)
    except ValueError as error:
        raise DatasetError(str(error)) from None
    source = Path(source).expanduser()
    targets = Path(targets).expanduser() if targets is not None else None
    for path in (source, *([targets] if targets is not None else [])):
        if not path.exists():
            raise DatasetError(f"{path}: there is no such file or folder; check the path")
    name = name or (source.resolve().name if source.is_dir() else split_name(source.name)[0])
    if is_pickle(source) or (targets is not None and is_pickle(targets)):
        dataset = _as_registered(_read_pickles(source, targets, name, id_column, kappa_column, advance))
    elif (table := _table(source, targets)) is not None:
        apart = source if targets is not None else None
        return _read_labelled(table, apart, name, (id_column, kappa_column, unit or "", at), advance, say)
    else:
        if id_column is not None:
            raise DatasetError(f"{source}: its ids are in fields of known names; --id-column is for tables")
        dataset = _read_carrying(source, name, kappa_column, unit or "", at, advance, say)
    if factor == 1 or KAPPA not in dataset.targets:
        return dataset
    scaled = dataset.kappa * factor.numerator / factor.denominator
    return replace(dataset, targets={**dataset.targets, KAPPA: scaled})


def is_pickle(path: Path) -> bool:
    """Whether a file is a pickle, by its name or its first bytes."""
    if not path.is_file() or path.suffix.lower() in _PICKLES:
        return path.is_file()
    with path.open("rb") as file:
        head = file.read(2)
    return len(head) == 2 and head[0] == 0x80 and head[1] <= 5


def _table(source: Path, targets: Path | None) -> Path | None:
    """Return the table that goes with the crystals, if there is one."""
    if source.is_dir() and is_dataset_folder(source):
        raise DatasetError(f"{source}: is a stored dataset already; use it as it is, or `paraisite data export` it")
    if targets is not None:
        if targets.is_dir() or split_name(targets.name)[1] is not None:
            raise DatasetError(
                f"{targets}: give the table of targets here (.csv, .xlsx), and the crystals as the first input"
            )
        return targets
    if source.is_dir():
        return source / TABLE if (source / TABLE).is_file() else None
    if source.suffix.lower() in (".xls", ".ods"):
        raise DatasetError(f"{source}: workbooks of this format are not read; save it as .xlsx, or as CSV")
    return source if source.suffix.lower() in TABLES else None


def _beside(table: Path) -> list[Path]:
    """Crystal files in the folder of a table, not below it."""
    found = sorted(path for path in table.parent.iterdir() if is_wanted(path.name) and path.is_file())
    if not found:
        raise DatasetError(f"{table}: no crystal file lies beside this table; {_crystals_first(table)}")
    return found


def _crystals_first(table: Path) -> str:
    return f"name the crystals first: paraisite data import FOLDER {table}"


def _read_pickles(
    source: Path,
    targets: Path | None,
    name: str,
    id_column: str | None,
    kappa_column: str | None,
    advance: Callable[[], None],
) -> Dataset:
    from paraisite.datasets.study_pickles import ID_COLUMN, KAPPA_COLUMN, read_study

    for path in (source, *([targets] if targets is not None else [])):
        if not is_pickle(path):
            raise DatasetError(f"{path}: not a pickle; combine a pickle only with a pickle of the same rows")
    if kappa_column == NO_KAPPA:
        raise DatasetError(f"{source}: pickles are read with their conductivities; give --kappa-column their name")
    return read_study(
        source,
        targets,
        name.removeprefix("structures_"),
        id_column=id_column or ID_COLUMN,
        kappa_column=kappa_column or KAPPA_COLUMN,
        advance=advance,
    )


def _as_registered(dataset: Dataset) -> Dataset:
    """Return pickles of the study in the form of the registry where they hold a registered dataset, others as read.

    The neutral copies, and with them the registered content, went through CIFs of ten digits (see `upstream`).
    """
    hashes = {card.content_hash for card in registry().values() if card.rows == len(dataset)}
    if not hashes or dataset.content_hash in hashes:
        return dataset
    from paraisite.datasets.upstream import through_cif

    try:
        same = replace(dataset, crystals=tuple(map(through_cif, dataset.crystals)))
    except DatasetError:  # a crystal that the reader of CIFs refuses: none of ours
        return dataset
    return same if same.content_hash in hashes else dataset


def _read_labelled(
    path: Path,
    source: Path | None,
    name: str,
    columns: tuple[str | None, str | None, str, float],
    advance: Callable[[], None],
    say: Callable[[str], None],
) -> Dataset:
    """Join a table with crystals, those beside it if `source` is None, by id."""
    id_column, kappa_column, unit, at = columns
    without = kappa_column == NO_KAPPA
    table = read_table(path, id_column=id_column, kappa_column=None if without else kappa_column, unit=unit, at=at)
    names = tuple(target for target in table.targets if target != KAPPA or not without)
    if not without and table.rows and all(np.isnan(row.targets.get(KAPPA, np.nan)) for row in table.rows):
        others = ", ".join(target for target in names if target != KAPPA) or "nothing else"
        raise DatasetError(
            f"{path}: no column is named {' or '.join(KAPPA_COLUMNS)}; found: {others}. Name the conductivity by "
            f"--kappa-column, or give --kappa-column {NO_KAPPA} to import the crystals alone"
        )
    inputs = [source] if source is not None else _beside(path)
    found = _Found(inputs, advance)
    if table.rows and not any(found.has(row.id) for row in table.rows) and found.ids():
        raise _none_matches(table, found.ids(), beside=source is None)
    crystals: list[Crystal] = []
    rows = []
    rejections = list(table.rejections)
    for row in table.rows:
        match found.take(row.id):
            case Crystal() as crystal:
                crystals.append(replace(crystal, id=row.id))
                rows.append(row)
            case Rejection() as rejection:
                rejections.append(table.reject(row, f"{rejection.source}: {rejection.reason}"))
            case None:
                where = inputs[0] if len(inputs) == 1 else inputs[0].parent
                reason = f"no crystal of this id in {where}; add it, correct the id or delete the line"
                rejections.append(table.reject(row, reason))
    for rejection in (*table.rejections, *table.others):
        found.take(rejection.id)  # its crystal is accounted for
    rejections.sort(key=_line)
    rejections.extend(found.left(table))
    for note in table.notes:
        say(note)
    _say_left_out(len(table.others), at, say)
    if not crystals:
        raise _nothing(path, rejections)
    return Dataset(
        name=name,
        crystals=tuple(crystals),
        targets=per_atom(
            {target: np.array([row.targets.get(target, np.nan) for row in rows]) for target in names}, crystals
        ),
        provenance=(name,) * len(crystals),
        rejections=tuple(rejections),
    )


def _none_matches(table: Table, ids: Sequence[str], *, beside: bool) -> DatasetError:
    def some(all_: Sequence[str]) -> str:
        return ", ".join(all_[:3]) + (", …" if len(all_) > 3 else "")

    wanted = [row.id for row in table.rows]
    none = f"{table.path}: none of its ids ({some(wanted)}) was found"
    look = f"the ids there look like {some(ids)}"
    if beside:
        return DatasetError(f"{none} beside {table.path.name}, where {look}; {_crystals_first(table.path)}")
    return DatasetError(
        f"{none} among the crystals: {look}; an id is the field {', '.join(ID_KEYS)} of a crystal, else the name of "
        "its file: correct the ids, or give --id-column"
    )


class _Found:
    """Crystals by id, and by the stem of their file."""

    def __init__(self, inputs: Sequence[Path], advance: Callable[[], None]) -> None:
        self.items: list[Crystal | Rejection] = []
        self._by_id: dict[str, list[int]] = {}
        self._by_stem: dict[str, list[int]] = {}
        self._taken: set[int] = set()
        for i, item in enumerate(_progressing(inputs, advance)):
            self.items.append(item)
            self._by_id.setdefault(item.id, []).append(i)
            self._by_stem.setdefault(Origin.parse(item.source).stem, []).append(i)

    def has(self, id: str) -> bool:
        """Tell whether anything has this id."""
        return id in self._by_id or id in self._by_stem

    def ids(self) -> list[str]:
        """Ids of the crystals."""
        return [item.id for item in self.items if isinstance(item, Crystal)]

    def take(self, id: str) -> Crystal | Rejection | None:
        """Return the one item with this id, a rejection where there are several, None where there is none."""
        found = self._by_id.get(id) or self._by_stem.get(id) or []
        self._taken.update(found)
        if len(found) > 1:  # a file beside the table goes before one in the archive
            found = [i for i in found if not Origin.parse(self.items[i].source).inside] or found
        if len(found) > 1:
            first, second = (self.items[i] for i in found[:2])
            return Rejection(id, first.source, f"{second.source} is a second structure with this id; keep one")
        return self.items[found[0]] if found else None

    def left(self, table: Table) -> Iterator[Rejection]:
        """Yield what no line of the table asked for."""
        for i, item in enumerate(self.items):
            if i in self._taken:
                continue
            if isinstance(item, Rejection):
                yield item
            else:
                yield Rejection(item.id, item.source, f"no line of {table.path} that can be read has this id; add one")


def _read_carrying(
    source: Path,
    name: str,
    kappa_column: str | None,
    unit: str,
    at: float,
    advance: Callable[[], None],
    say: Callable[[str], None],
) -> Dataset:
    """Read crystals with the values that their files carry."""
    carried = Carried()
    items: list[Crystal | Rejection] = []
    values = []
    for item in _progressing([source], advance):
        items.append(item)
        values.append(carried.of(item.source) if isinstance(item, Crystal) else {})
    filled = Counter(key for row in values for key in row)
    labels = {*LABEL_COLUMNS, *ID_COLUMNS, *ID_KEYS, "provenance", "pbc", "unique_id"}
    cells = {key: [_cell(row.get(key)) for row in values] for key in filled}
    numeric = [key for key in filled if key.casefold() not in labels and is_numeric(cells[key])]
    columns = {key: key for key in numeric}
    if kappa_column is not None and kappa_column != NO_KAPPA:
        if kappa_column not in filled:
            raise DatasetError(f"{source}: no crystal has {kappa_column!r}; {_carries(numeric)}")
        columns = {key: f"{key}_" if key == KAPPA else key for key in numeric} | {kappa_column: KAPPA}
    elif kappa_column is None:
        found = [key for known in KAPPA_COLUMNS for key in numeric if key.casefold() == known]
        if not found and any(isinstance(item, Crystal) for item in items):
            raise DatasetError(
                f"{source}: no conductivities; {_carries(numeric)}. Give a table of id,kappa as TARGETS"
                + (f" or name the conductivity by --kappa-column ({NO_KAPPA} for none)" if numeric else "")
                + ("" if numeric else f", or give --kappa-column {NO_KAPPA} to import the crystals alone")
            )
        columns |= dict.fromkeys(found[:1], KAPPA)
    else:
        columns.pop(KAPPA, None)
    temperature = next((key for key in columns if KAPPA in columns.values() and is_temperature(key)), None)
    columns = {key: target for key, target in columns.items() if key != temperature}
    targets = tuple(sorted(columns.values(), key=lambda target: target != KAPPA))
    looked = ", ".join(key for key, target in columns.items() if target != KAPPA)
    looked = ", ".join([kappa_column or ", ".join(KAPPA_COLUMNS), *([looked] if looked else [])])
    crystals: list[Crystal] = []
    rows = []
    rejections: list[Rejection] = []
    left_out = 0
    for i, item in enumerate(items):
        if isinstance(item, Rejection):
            rejections.append(item)
            continue
        try:
            own = [cells[key][i] for key in columns]
            if all(cell.casefold() in MISSING for cell in own):
                if kappa_column != NO_KAPPA:
                    raise ValueError(f"has no {' or '.join(targets)} (looked for {looked}); add it")
                row = dict.fromkeys(targets, np.nan)
            else:
                row = row_values(list(columns.values()), targets, own, unit)
                if temperature is not None and not np.isnan(row[KAPPA]):
                    kelvin = in_kelvin(temperature, cells[temperature][i])
                    if not abs(kelvin - at) <= NEAR:
                        left_out += 1
                        continue
        except ValueError as error:
            rejections.append(Rejection(item.id, item.source, str(error)))
        else:
            crystals.append(item)
            rows.append(row)
    _say_left_out(left_out, at, say)
    if not crystals and left_out:
        raise DatasetError(
            f"{source}: no value is at {at:g} K ({left_out} at other temperatures); choose another temperature: --at"
        )
    if not crystals:
        raise _nothing(source, rejections)
    return Dataset(
        name=name,
        crystals=tuple(crystals),
        targets=per_atom({target: np.array([row[target] for row in rows]) for target in targets}, crystals),
        provenance=(name,) * len(crystals),
        rejections=tuple(rejections),
    )


def _say_left_out(n: int, at: float, say: Callable[[str], None]) -> None:
    if n:
        say(f"left out: {counted(n, 'row')} at temperatures other than {at:g} K (choose another by --at)")


def _cell(value: float | str | None) -> str:
    return "" if value is None else value if isinstance(value, str) else repr(float(value))


def _carries(numeric: Sequence[str]) -> str:
    return f"found: {', '.join(numeric)}" if numeric else "the files hold no numbers besides their crystals"


def _progressing(inputs: Sequence[Path], advance: Callable[[], None]) -> Iterator[Crystal | Rejection]:
    for item in read(inputs):
        advance()
        yield item


def _line(rejection: Rejection) -> int:
    return Origin.parse(rejection.source).number


def _nothing(path: Path, rejections: Sequence[Rejection]) -> DatasetError:
    shown = "; ".join(f"{rejection.source}: {rejection.reason}" for rejection in rejections[:3])
    more = f"; and {len(rejections) - 3} more" if len(rejections) > 3 else ""
    return DatasetError(f"{path}: no row can be imported. {shown or 'There are none.'}{more}")
