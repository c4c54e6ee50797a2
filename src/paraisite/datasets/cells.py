"""`read_cells`: the cells of a table, line by line: text separated by commas, semicolons, tabs or bars, or Excel."""

from __future__ import annotations

import codecs
import csv
import re
import zipfile
from collections.abc import Sequence
from pathlib import Path

from paraisite.files.csv_cells import plain

SEPARATORS = ";\t|"
"""Besides the comma."""

EXCEL = (".xlsx", ".xlsm")
TABLES = (".csv", ".txt", ".tsv", *EXCEL)
"""Suffixes of tables."""

MAX_EXCEL_BYTES = 256 << 20
"""Unpacked size of a workbook."""

MAX_CELLS = 20_000_000
"""Cells of a sheet: a table of a million rows of 20 columns."""

Line = tuple[int, list[str]]
"""Number of a line, from 1, and its cells."""

_DECIMAL_COMMA = re.compile(r"[+-]?\d+,\d+(e[+-]?\d+)?", re.IGNORECASE)
_POINT_THOUSANDS = re.compile(r"[+-]?\d{1,3}(\.\d{3})+,\d+")
_COMMA_THOUSANDS = re.compile(r"[+-]?\d{1,3}(,\d{3})+(\.\d+)?")


class CellsError(ValueError):
    """A table has no cells that can be read; the message says what to do, without the path."""


def read_cells(path: Path) -> list[Line]:
    """Read the lines of a table that are neither empty nor begin with ``#``.

    Parameters
    ----------
    path : Path
        UTF-8 text, or an Excel workbook with one filled sheet, of which values are read and formulas are not computed.

    Raises
    ------
    CellsError
        If it is neither, is too large, or a library is missing.
    OSError
        If the file cannot be opened.
    """
    if path.suffix.lower() in EXCEL:
        return _excel(path)
    content = path.read_bytes()
    if content.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
        raise CellsError("not text but perhaps an Excel workbook; save it as .xlsx, and give it that name")
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or content[1:4:2] == b"\0\0":
        raise CellsError("not UTF-8 but perhaps UTF-16; save it as CSV UTF-8")
    text = content.decode("utf-8-sig", errors="replace").replace("\r\n", "\n").replace("\r", "\n")
    # Line by line, so that an unbalanced quote spoils its own line and not the rest of the file.
    lines = [
        (number, line)
        for number, line in enumerate(text.split("\n"), start=1)
        if line.strip() and not line.lstrip().startswith("#")
    ]
    if lines and (told := re.fullmatch("sep=(.)", lines[0][1].strip())):  # a line that Excel writes and reads
        return [(number, _split(line, told[1])) for number, line in lines[1:]]
    separator = _separator([line for _, line in lines[:20]])
    return [(number, _split(line, separator)) for number, line in lines]


def _separator(lines: Sequence[str]) -> str:
    """Return what splits most of the lines into as many cells as the first one; a comma if nothing else does."""
    for separator in SEPARATORS:
        widths = [len(_split(line, separator)) for line in lines]
        printable = bool(lines) and lines[0].replace(separator, "").isprintable()  # binary junk is no table
        if printable and widths[0] > 1 and 2 * widths.count(widths[0]) > len(widths):
            return separator
    return ","


def _split(line: str, separator: str) -> list[str]:
    try:
        return [plain(cell.strip()) for cell in next(csv.reader([line], delimiter=separator))]
    except csv.Error:  # a cell beyond any sensible length: no table
        return [line[:20] + "…"]


def _excel(path: Path) -> list[Line]:
    try:
        import openpyxl
    except ImportError as error:
        raise CellsError("Excel workbooks need openpyxl; run pip install 'paraisite[data]', or save as CSV") from error
    try:
        with zipfile.ZipFile(path) as archive:
            size = sum(info.file_size for info in archive.infolist())
        if size > MAX_EXCEL_BYTES:
            raise CellsError(f"unpacks to more than {MAX_EXCEL_BYTES >> 20} MiB; save the sheet as CSV")
        book = openpyxl.load_workbook(path, read_only=True, data_only=True, keep_links=False)
        filled = [(sheet.title, lines) for sheet in book.worksheets if (lines := _sheet(sheet))]
        book.close()
    except (CellsError, OSError):
        raise
    except Exception as error:  # openpyxl raises whatever a damaged file leads to
        raise CellsError("not a workbook that can be read; save it again as .xlsx, or as CSV") from error
    if len(filled) > 1:
        titles = ", ".join(title for title, _ in filled)
        raise CellsError(f"{len(filled)} sheets are filled ({titles}); keep one, or save it as CSV")
    return filled[0][1] if filled else []


def _sheet(sheet: object) -> list[Line]:
    lines: list[Line] = []
    left = MAX_CELLS
    for number, row in enumerate(sheet.iter_rows(values_only=True), start=1):  # type: ignore[attr-defined]
        left -= len(row)
        if left < 0:
            raise CellsError(f"more than {MAX_CELLS:,} cells; save the filled part as CSV")
        cells = ["" if value is None else str(value).strip() for value in row]
        if any(cells) and not cells[0].startswith("#"):
            lines.append((number, cells))
    width = max((i + 1 for _, cells in lines for i, cell in enumerate(cells) if cell), default=0)
    return [(number, (cells + [""] * width)[:width]) for number, cells in lines]  # columns that are empty to the end


def with_points(lines: Sequence[Line], skip: int) -> tuple[list[Line], bool]:
    """Write numbers with decimal commas, or with commas between thousands, as Python reads them.

    Commas separate thousands where a number has a point after them (1,234.5); else they are decimal commas.

    Parameters
    ----------
    lines : sequence of Line
        Without the header.
    skip : int
        Column that stays as it is: the ids.

    Returns
    -------
    lines : list of Line
    commas : bool
        Whether decimal commas were there.
    """
    every = [cell for _, cells in lines for i, cell in enumerate(cells) if i != skip and "," in cell]
    if any("." in cell and _COMMA_THOUSANDS.fullmatch(cell) for cell in every):
        return [(n, [_thousands(c) if i != skip else c for i, c in enumerate(cells)]) for n, cells in lines], False
    commas = any(_DECIMAL_COMMA.fullmatch(cell) or _POINT_THOUSANDS.fullmatch(cell) for cell in every)
    return [(n, [_decimal(c) if i != skip else c for i, c in enumerate(cells)]) for n, cells in lines], commas


def _thousands(cell: str) -> str:
    return cell.replace(",", "") if _COMMA_THOUSANDS.fullmatch(cell) else cell


def _decimal(cell: str) -> str:
    if _POINT_THOUSANDS.fullmatch(cell):
        cell = cell.replace(".", "")
    return cell.replace(",", ".") if _DECIMAL_COMMA.fullmatch(cell) else cell
