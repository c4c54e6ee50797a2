"""`CsvWriter`, `csv_text` and `read_rows`: CSV whose texts neither a spreadsheet nor a terminal takes for a command.

Ids, formulas and names of files come from anywhere. A text that a spreadsheet would compute (one that begins with
``=``, ``+``, ``-`` or ``@``, is longer, and is not a number) is written with an apostrophe before it, as spreadsheets
have it, and `plain` removes it again. Control characters but the end of a line, and bytes that are not text, are
written as backslash escapes.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterable, Iterator
from typing import Any, TextIO

_COMMAND = re.compile(r"'*[=+\-@＝＋－＠].", re.DOTALL)
_NUMBER = re.compile(r"[+-]?((\d+\.?\d*|\.\d+)(e[+-]?\d+)?|inf|nan)", re.IGNORECASE | re.ASCII)
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


class CsvWriter:
    """Comma-separated values, a line for each row; numbers and None as the module `csv` writes them.

    Parameters
    ----------
    stream : TextIO
    """

    def __init__(self, stream: TextIO) -> None:
        self._writer = csv.writer(stream, lineterminator="\n")

    def writerow(self, row: Iterable[Any]) -> None:
        """Write a row."""
        self._writer.writerow([harmless(value) if isinstance(value, str) else value for value in row])

    def writerows(self, rows: Iterable[Iterable[Any]]) -> None:
        """Write rows."""
        for row in rows:
            self.writerow(row)


def csv_text(header: Iterable[Any], rows: Iterable[Iterable[Any]]) -> str:
    """Return a header and rows as text."""
    out = io.StringIO()
    writer = CsvWriter(out)
    writer.writerow(header)
    writer.writerows(rows)
    return out.getvalue()


def read_rows(stream: Iterable[str]) -> Iterator[dict[str, Any]]:
    """Read what `CsvWriter` wrote, the first row as the keys; a cell that a row lacks is None."""
    for row in csv.DictReader(stream):
        yield {key and plain(key): plain(value) if isinstance(value, str) else value for key, value in row.items()}


def harmless(text: str) -> str:
    """Return a text as a cell that nothing takes for a command."""
    shown = _CONTROL.sub(lambda match: match[0].encode("unicode_escape").decode(), text)
    return f"'{shown}" if _COMMAND.match(shown) and not _NUMBER.fullmatch(shown) else shown


def plain(cell: str) -> str:
    """Return the text of a cell that `harmless` made."""
    return cell[1:] if cell.startswith("'") and _COMMAND.match(cell) else cell
