"""`id_prop.csv`: ids and targets, line by line, whatever state the lines are in."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from paraisite.crystals.crystal import Crystal
from paraisite.crystals.formats import without_suffix
from paraisite.crystals.origin import Origin
from paraisite.crystals.rejection import Rejection
from paraisite.datasets.cells import CellsError, read_cells, with_points
from paraisite.datasets.dataset import KAPPA
from paraisite.datasets.units import UNIT, Heading, kappa_factor
from paraisite.files.printable import counted

ID_COLUMNS = ("id", "cif_id", "material_id", "mpd_id", "name")
KAPPA_COLUMNS = (KAPPA, "target", "kappa_w_mk", "κ")
LABEL_COLUMNS = ("formula", "space_group", "spacegroup", "nsites", "n_sites", "n_elements")
ROOM, NEAR = 300.0, 7.5
"""K; the temperature of a conductivity unless another is asked for, and how far from it others count as that."""
PER_CELL = {"heat_capacity_cv": "heat_capacity_cv_atom"}
"""Columns that hold a value per cell, and the target per atom that is made of them."""
MISSING = ("", "-", "na", "n/a", "nan", "none", "null")


class DatasetError(ValueError):
    """A dataset cannot be read at all; the message names the file and what to do."""


@dataclass(frozen=True, slots=True)
class Row:
    """One readable line: its number (from 1, as an editor counts), id and targets (NaN where missing)."""

    line: int
    id: str
    targets: dict[str, float]


@dataclass(frozen=True, slots=True)
class Table:
    """The readable lines of a table, its targets (`kappa` first, if it has it) and the lines that are broken.

    `others` are the lines of other temperatures than the one asked for; `notes` say how numbers were understood.
    """

    path: Path
    targets: tuple[str, ...]
    rows: tuple[Row, ...]
    rejections: tuple[Rejection, ...]
    others: tuple[Rejection, ...] = ()
    notes: tuple[str, ...] = ()

    def reject(self, row: Row, reason: str) -> Rejection:
        """Return the rejection of a line."""
        return Rejection(id=row.id, source=place(self.path, row.line), reason=reason)


def place(path: Path, line: int) -> str:
    """Name a line of a file."""
    return str(Origin(str(path), f"line {line}"))


def read_table(
    path: Path,
    *,
    id_column: str | None = None,
    kappa_column: str | None = None,
    unit: str = "",
    at: float = ROOM,
) -> Table:
    """Read ids and targets of an `id_prop.csv`, or of such a table with other separators or of Excel.

    Without a header the columns are id and kappa. With one (known by an `id` or `kappa` column), `kappa` (or `target`)
    is the conductivity in W/m/K, and every further column that mostly holds numbers is a target of that name; labels
    such as the formula or the space group are not. Empty cells and `nan` are missing values. Empty lines and lines that
    begin with `#` do not count. A broken line (wrong number of columns, no id, a repeated id, a text where a number
    should be, a conductivity that is not positive, no value at all) becomes a `Rejection`; the rest is read. Where a
    column holds temperatures (`is_temperature`), conductivities of others than `at` are left out. The heading of the
    conductivity may name its unit (``kappa (mW/cm K)``), to which its values are converted, and its temperature.

    Parameters
    ----------
    path : Path
    id_column, kappa_column : str, optional
        Columns of the header that hold the ids and the conductivities, where they have other names than these.
    unit : str
        Of the conductivities; by default that of the heading, else W/m/K. Targets are in W/m/K.
    at : float
        Temperature of the conductivities, in K.

    Raises
    ------
    DatasetError
        If the file cannot be opened, is neither UTF-8 nor a workbook, holds no line (of this temperature), its header
        is unusable, or its unit unknown or another one than `unit`.
    """
    try:
        lines = read_cells(path)
    except OSError as error:
        raise DatasetError(f"{path}: cannot be read ({error.strerror}); a dataset needs this table") from error
    except CellsError as error:
        raise DatasetError(f"{path}: {error}") from error
    if not lines:
        raise DatasetError(f"{path}: the table is empty; write lines of id,kappa (kappa in W/m/K)")
    first = lines[0][1]
    header = [Heading.parse(cell).name.casefold() for cell in first]
    named = id_column is not None or kappa_column is not None
    heading = Heading(KAPPA)
    if named or header[0] in ID_COLUMNS or any(cell in KAPPA_COLUMNS for cell in header):
        columns = _columns(path, lines.pop(0)[1], id_column, kappa_column)
        if KAPPA in columns:
            heading = Heading.parse(first[columns.index(KAPPA)])
    elif len(first) > 2 and _names_numbers(first, [cells for _, cells in lines[1:]]):
        raise DatasetError(
            f"{path}: no column for ids; the header names {', '.join(first)}: give --id-column and --kappa-column (or "
            "call them id and kappa)"
        )
    else:
        columns = ["id", KAPPA]
    factor, notes = _factor(path, heading, unit, at)
    lines, commas = with_points(lines, columns.index("id"))
    if commas:
        notes.append("commas in numbers are read as decimal commas: 12,5 is 12.5")
    complete = [cells for _, cells in lines if len(cells) == len(columns)]
    numeric = {column for i, column in enumerate(columns) if is_numeric([cells[i] for cells in complete])}
    temperature = next((i for i, name in enumerate(columns) if KAPPA in columns and is_temperature(name)), None)
    labels = {
        column
        for i, column in enumerate(columns)
        if i == temperature or column.casefold() in ("id_", *ID_COLUMNS, *LABEL_COLUMNS)
    }
    targets = tuple(column for column in columns if column == KAPPA or column in numeric - labels)
    if not targets:
        raise DatasetError(f"{path}: no column of numbers besides the id; name the conductivity (W/m/K) `kappa`")

    rows: list[Row] = []
    rejections: list[Rejection] = []
    others: list[Rejection] = []
    line_of: dict[str, int] = {}
    for number, cells in lines:
        id_ = without_suffix(cells[columns.index("id")]) if len(cells) > columns.index("id") else ""
        try:
            values = row_values(columns, targets, cells, unit or heading.unit)
            if KAPPA in values:
                values[KAPPA] = values[KAPPA] * factor.numerator / factor.denominator
            if temperature is not None and not math.isnan(values[KAPPA]):
                kelvin = in_kelvin(columns[temperature], cells[temperature])
                if not abs(kelvin - at) <= NEAR:
                    reason = f"its kappa is at {kelvin:g} K, not at {at:g} K"
                    others.append(Rejection(id=id_, source=place(path, number), reason=reason))
                    continue
            if not id_:
                raise ValueError("the id is empty; write the name of the CIF without .cif")
            if id_ in line_of:
                raise ValueError(f"the id stands on line {line_of[id_]} already; keep one of the two lines")
        except ValueError as error:
            rejections.append(Rejection(id=id_, source=place(path, number), reason=str(error)))
        else:
            line_of[id_] = number
            rows.append(Row(number, id_, values))
    if others and not rows:
        raise DatasetError(
            f"{path}: no line is at {at:g} K; the first is {Origin.parse(others[0].source).inside}, where "
            f"{others[0].reason}: choose another temperature with `paraisite data import --at`"
        )
    ordered = tuple(sorted(targets, key=lambda target: target != KAPPA))
    return Table(path, ordered, tuple(rows), tuple(rejections), tuple(others), tuple(notes))


def _factor(path: Path, heading: Heading, unit: str, at: float) -> tuple[Fraction, list[str]]:
    """Return what the conductivities are multiplied by, and what to say of it; see `read_table`."""
    if heading.kelvin is not None and not abs(heading.kelvin - at) <= NEAR:
        raise DatasetError(
            f"{path}: its {heading.name} is at {heading.kelvin:g} K, not {at:g} K; choose it with `paraisite data "
            f"import --at {heading.kelvin:g}`"
        )
    try:
        factor = kappa_factor(unit or heading.unit or UNIT)
    except ValueError as error:
        raise DatasetError(f"{path}: {error} (by --unit, else in the heading of {heading.name})") from None
    stated = None
    with suppress(ValueError):  # what stands behind the name need not be a unit
        stated = kappa_factor(heading.unit)
    if stated not in (None, factor):
        raise DatasetError(f"{path}: {heading.name} is in {heading.unit} by its heading, not in {unit}")
    converted = f"{heading.name} is given in {heading.unit}: converted to {UNIT}"
    return factor, [converted] if factor != 1 and not unit else []


def is_temperature(name: str) -> bool:
    """Whether a column holds the temperatures of the conductivities, by its name: temperature, T, T_K, temp (°C), …."""
    bare = _bare(name)
    if bare == "t":  # a small one is as good a name for a tolerance factor
        return "T" in name
    return bool(re.fullmatch(r"(temperature|temp|t)(k|c|kelvin|celsius)?", bare)) and bare != "tc"


def in_kelvin(name: str, cell: str) -> float:
    """Temperature in a cell of a column.

    Raises
    ------
    ValueError
        If the cell holds none.
    """
    if not _is_number(cell):
        raise ValueError(f"the temperature ({name}) is {cell!r}; fill it in, in K, or delete the column")
    return float(cell) + (273.15 if _bare(name).endswith(("c", "celsius")) else 0.0)


def _bare(name: str) -> str:
    return re.sub(r"[^a-z]", "", name.casefold())


def _columns(path: Path, header: list[str], id_column: str | None, kappa_column: str | None) -> list[str]:
    """Give the id and the conductivity their names, leave the others as they are."""
    columns = list(header)
    for name, known, given in (("id", ID_COLUMNS, id_column), (KAPPA, KAPPA_COLUMNS, kappa_column)):
        if given is not None:
            if given not in columns:  # perhaps without the unit behind it
                names = [Heading.parse(column).name for column in columns]
                given = columns[names.index(given)] if names.count(given) == 1 else given
            if given not in columns:
                raise DatasetError(f"{path}: there is no column {given!r}; the header names {', '.join(header)}")
            place = columns.index(given)
            columns = [f"{name}_" if column == name else column for column in columns]  # this one is not meant
            columns[place] = name
            continue
        spelt = [column.casefold() for column in columns], [Heading.parse(c).name.casefold() for c in columns]
        found = next((folded.index(column) for folded in spelt for column in known if column in folded), None)
        if found is not None:
            columns[found] = name
        elif name == "id":
            columns[0] = name
    twice = sorted({column for column in columns if columns.count(column) > 1})
    if twice:
        raise DatasetError(
            f"{path}: the header names {', '.join(map(repr, twice))} twice; every column needs its own name"
        )
    return columns


def _names_numbers(header: Sequence[str], lines: Sequence[Sequence[str]]) -> bool:
    """Tell whether a first line of words alone stands above lines with numbers: a header of other names than ours."""
    if any(_is_number(cell) or cell.casefold() in MISSING for cell in header):
        return False
    below = [cells for cells in lines if len(cells) == len(header)]
    return any(is_numeric([cells[i] for cells in below]) for i in range(len(header)))


def is_numeric(cells: list[str]) -> bool:
    """Tell whether most of the cells that hold anything hold a number."""
    filled = [cell for cell in cells if cell.casefold() not in MISSING]
    return sum(_is_number(cell) for cell in filled) > len(filled) / 2


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def row_values(
    columns: Sequence[str], targets: Sequence[str], cells: Sequence[str], unit: str = ""
) -> dict[str, float]:
    """Return the targets of a line (`unit`: of its conductivity); a ValueError says what is wrong with it."""
    if len(cells) != len(columns):
        hint = "" if len(columns) > 2 else "; a first line with the names of the columns allows more than two"
        if len(cells) > len(columns):
            hint += "; where commas are decimal commas, separate the cells by semicolons"
        raise ValueError(f"{counted(len(cells), 'column')} instead of {len(columns)} ({','.join(columns)}){hint}")
    values = {}
    for target in targets:
        cell = cells[columns.index(target)]
        if cell.casefold() in MISSING:
            values[target] = math.nan
        elif not _is_number(cell):
            raise ValueError(f"{target} is {cell!r}, not a number; correct it or leave it empty")
        else:
            values[target] = float(cell)
            if not math.isfinite(values[target]) or (target == KAPPA and values[target] <= 0):
                demand = "positive and finite" if target == KAPPA else "finite"
                shown = f"{cell} {unit}" if unit and target == KAPPA else cell
                raise ValueError(f"{target} is {shown}, but must be {demand}; correct it or leave it empty")
    if all(math.isnan(value) for value in values.values()):
        raise ValueError(f"no value for {' or '.join(targets)}; fill one in or delete the line")
    return values


def per_atom(targets: dict[str, np.ndarray], crystals: Sequence[Crystal]) -> dict[str, np.ndarray]:
    """Divide what is given per cell by the number of sites."""
    n_sites = np.array([crystal.n_sites for crystal in crystals])
    return {
        PER_CELL.get(target, target): values / n_sites if target in PER_CELL else values
        for target, values in targets.items()
    }
