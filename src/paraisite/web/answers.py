"""What an answer looks like: formats, and rows that are written to a file and sent from there.

Rows go through a file, so that a worker never waits for a slow client, and no answer is held in memory.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import BinaryIO

from paraisite.prediction.write import json_object, open_writer
from paraisite.web.jobs import Row
from paraisite.web.problems import Problem, unforeseen
from paraisite.web.visit import Visit

PIECE = 1 << 18
"""Bytes sent at a time."""


class Form(StrEnum):
    """Formats of an answer."""

    json = "json"
    csv = "csv"
    parquet = "parquet"
    ndjson = "ndjson"


MEDIA_TYPES = {
    Form.json: "application/json",
    Form.ndjson: "application/x-ndjson",
    Form.csv: "text/csv; charset=utf-8",
    Form.parquet: "application/vnd.apache.parquet",
}
"""Media type of each format; the first is what a client gets that takes anything."""


def negotiated(accept: str) -> Form:
    """Return the format that an Accept header prefers.

    Raises
    ------
    Problem
        If it takes none.
    """
    wanted: list[tuple[float, str]] = []
    for entry in accept.split(","):
        kind, *parameters = (part.strip().lower() for part in entry.split(";"))
        quality = next((p[2:] for p in parameters if p.startswith("q=")), "1")
        try:
            wanted.append((-float(quality), kind))
        except ValueError:
            continue
    for negative, kind in sorted(wanted, key=lambda pair: pair[0]):
        for form, media_type in MEDIA_TYPES.items():
            known = media_type.partition(";")[0]
            if negative < 0 and kind in (known, "*/*", "", f"{known.partition('/')[0]}/*"):
                return form
    offered = ", ".join(media_type.partition(";")[0] for media_type in MEDIA_TYPES.values())
    raise Problem(406, "not-acceptable", f"Answers are {offered}; name one in Accept, or give format=.")


async def write_table(
    chunks: AsyncGenerator[list[Row], None], columns: Sequence[str], form: Form, visit: Visit
) -> Path:
    """Write rows to a file, as `paraisite predict -o` does, and return it."""
    path = visit.folder / f"predictions.{form}"
    with open_writer(path, columns) as writer:
        async with aclosing(chunks) as rows:
            async for chunk in rows:
                for row in chunk:
                    writer.write(row)
                visit.count += len(chunk)
    return path


@dataclass(eq=False)
class Lines:
    """JSON lines that are sent while they are written.

    Parameters
    ----------
    chunks : async generator of list of Row
    columns : sequence of str
    visit : Visit
    """

    chunks: AsyncGenerator[list[Row], None]
    columns: Sequence[str]
    visit: Visit
    _more: asyncio.Event = field(default_factory=asyncio.Event)
    _path: Path = field(init=False)
    _written: int = 0
    _done: bool = False

    def __post_init__(self) -> None:
        self._path = self.visit.folder / "predictions.ndjson"
        self._path.touch()

    async def write(self) -> None:
        """Write all rows; a problem takes the last line, as ``{"problem": …}``."""
        with self._path.open("wb") as file:
            try:
                async with aclosing(self.chunks) as rows:
                    async for chunk in rows:
                        self._add(file, "".join(f"{json_object(row, self.columns)}\n" for row in chunk))
                        self.visit.count += len(chunk)
            except Problem as problem:
                self._add(file, json_object({"problem": problem.content()}, ["problem"]) + "\n")
            except Exception as error:
                self._add(file, json_object({"problem": unforeseen(error).content()}, ["problem"]) + "\n")
            finally:
                self._done = True
                self._more.set()

    def _add(self, file: BinaryIO, text: str) -> None:
        self._written += file.write(text.encode("utf-8", "backslashreplace"))
        file.flush()
        self._more.set()

    async def read(self) -> AsyncIterator[bytes]:
        """Yield what is written, until the last line."""
        sent = 0
        with self._path.open("rb") as file:
            while True:
                while sent < self._written:
                    piece = file.read(PIECE)
                    sent += len(piece)
                    yield piece
                if self._done:
                    return
                self._more.clear()
                await self._more.wait()
