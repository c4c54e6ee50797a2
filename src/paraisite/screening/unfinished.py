"""`Unfinished`: the folder of a table that is being made, part by part, and can be resumed after any end.

``.OUT.parquet.parts``, beside the table ``OUT.parquet`` and hidden from a screening of the folder that it is in, holds
a manifest of what is being made of what, a file for each part that is done, and a list of the rows and checksums of
these: a part that is not as it was written is done again. A file appears under its name only when it is complete. At
the end the parts become the table and the folder vanishes.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from pyarrow import parquet

from paraisite.files.locking import FolderBusy, take_lock
from paraisite.files.outputs import OutputExists, refuse_existing
from paraisite.files.replacing import naming
from paraisite.files.writing import write_bytes, write_json
from paraisite.prediction.write import ROW_GROUP
from paraisite.screening.work import Work

if TYPE_CHECKING:
    from filelock import BaseFileLock

MANIFEST = "manifest.json"
DONE = "done.jsonl"
"""The list of the parts: a line for each, with its number, rows and checksum."""
METADATA = b"paraisite"
"""Where the manifest stands in the metadata of a finished table."""


_HALF = re.compile(r"\..*\.part|\.whole\.parquet")
_OURS = re.compile(rf"{re.escape(MANIFEST)}|{re.escape(DONE)}|lock|pages|part-\d+\.parquet|{_HALF.pattern}")
"""What the folder of an unfinished table holds, half-written files included."""


def unfinished_folder(out: Path) -> Path:
    """Return the folder of a table in the making."""
    return out.with_name(f".{out.name}.parts")


class ResumeError(ValueError):
    """A table cannot be started or resumed; the message says what differs and what to do."""


class Unfinished:
    """A table in the making.

    Parameters
    ----------
    out : Path
        The table.
    manifest : mapping
        What the table depends on, as far as JSON can say it.
    """

    def __init__(self, out: Path, manifest: Mapping[str, Any]) -> None:
        self.out = out
        self.folder = unfinished_folder(out)
        self.manifest: dict[str, Any] = json.loads(json.dumps(manifest))
        self._lock: BaseFileLock | None = None
        self._written: dict[int, tuple[int, str]] = {}
        """Rows and checksum of each part."""

    @property
    def pages(self) -> Path:
        """Folder for what a database answered."""
        return self.folder / "pages"

    def begin(self, *, resume: bool, overwrite: bool) -> bool:
        """Make the folder, or resume it; return whether the table is finished already.

        Raises
        ------
        ResumeError
            If something is there that may be neither resumed nor overwritten, if it was made of something
            else, or if another process is at it.
        """
        if resume and self.out.is_file() and not self._differences(finished_manifest(self.out)):
            self._remove()
            return True
        begun = self.folder.exists()
        if begun and resume and (self.folder / MANIFEST).is_file():
            if said := self._differences(_read_manifest(self.folder / MANIFEST)):
                raise ResumeError(
                    f"{self.folder} was started with other inputs or options: {'; '.join(said)}. Repeat that command, "
                    "or start again with --overwrite"
                )
        elif begun and not (resume or overwrite):
            raise ResumeError(
                f"{self.folder} holds an unfinished run: resume it with --resume, or start again with --overwrite"
            )
        elif self.out.exists() and not overwrite:
            if resume:
                said = self._differences(finished_manifest(self.out))
                raise ResumeError(
                    f"{self.out} was made with other inputs or options: {'; '.join(said)}; name another file, or give "
                    "--overwrite"
                )
            try:
                refuse_existing(self.out)
            except OutputExists as error:
                raise ResumeError(str(error)) from None
        self.folder.mkdir(exist_ok=True)
        self._take_lock()
        if not (begun and resume and (self.folder / MANIFEST).is_file()):
            left = [path for path in self.folder.iterdir() if path.name != "lock"]
            for path in left:
                if not _OURS.fullmatch(path.name):
                    raise ResumeError(f"{path} is not part of a table; move it away, or name another file")
            for path in left:
                _delete(path)
            write_json(self.folder / MANIFEST, self.manifest, end="")
        return False

    def finished(self, schema: pa.Schema, say: Callable[[str], object] = lambda line: None) -> set[int]:
        """Return the numbers of the parts that are done; what is damaged is removed, told, and will be done again."""
        listed = dict(self._listed())
        for path in self.folder.iterdir():
            if match := re.fullmatch(r"part-(\d+)\.parquet", path.name):
                index = int(match[1])
                try:
                    damaged = path != self._part(index) or _facts(path.read_bytes(), schema) != listed.get(index)
                except (pa.ArrowException, OSError, ValueError):
                    damaged = True
                if damaged:
                    say(f"{path}: damaged or from an older version; this part is repeated")
                    _delete(path)
                else:
                    self._written[index] = listed[index]
            elif _HALF.fullmatch(path.name):  # half-written when its process was killed
                _delete(path)
        return set(self._written)

    def _listed(self) -> Iterator[tuple[int, tuple[int, str]]]:
        """Yield number, rows and checksum of each part that was written, as far as the list can be read."""
        path = self.folder / DONE
        unreadable = (ValueError, TypeError, KeyError, OverflowError, RecursionError)
        for line in path.read_bytes().splitlines() if path.is_file() else ():
            with suppress(*unreadable):  # a line cut short or changed; its part is done again
                entry = json.loads(line)
                yield int(entry["part"]), (int(entry["rows"]), str(entry["sha256"]))

    def write(self, index: int, content: bytes) -> None:
        """Keep the rows of a part."""
        rows, digest = self._written[index] = _facts(content)
        write_bytes(self._part(index), content)
        path = self.folder / DONE
        with naming(path), path.open("a", encoding="utf-8") as file:
            # a line begins with its end: one that a full disk cut short spoils no later one
            file.write("\n" + json.dumps({"part": index, "rows": rows, "sha256": digest}))

    def assemble(self, n: int, work: Work, metadata: Mapping[bytes, bytes], *, regroup: bool) -> None:
        """Put the n parts together as the table, in their order, and remove the folder.

        Parameters
        ----------
        n : int
        work : Work
        metadata : mapping of bytes to bytes
            Stands in the file beside the manifest.
        regroup : bool
            Make row groups of `ROW_GROUP` rows; else each part is one.
        """
        whole = {**metadata, METADATA: json.dumps(self.manifest).encode()}
        aside = self.folder / ".whole.parquet"
        with naming(self.out, aside):
            with parquet.ParquetWriter(aside, work.schema.with_metadata(whole), **work.parquet_options) as writer:
                tables = (self._read(i) for i in range(n))
                for table in _regrouped(tables) if regroup else tables:
                    writer.write_table(table, row_group_size=max(table.num_rows, 1))
            with aside.open("rb") as file:
                os.fsync(file.fileno())
            os.replace(aside, self.out)
        self.release()
        self._remove()

    def _read(self, index: int) -> pa.Table:
        """Return the rows of a part, which may have been damaged since it was written."""
        content = self._part(index).read_bytes()
        if _facts(content) != self._written[index]:
            raise ResumeError(f"{self._part(index)} changed during the run; repeat the command with --resume")
        return parquet.ParquetFile(pa.BufferReader(content)).read()

    def leave(self) -> None:
        """End here for now; a folder in which nothing is done vanishes."""
        self.release()
        if self.folder.is_dir() and not any(
            p.name.startswith("part-") or p == self.pages for p in self.folder.iterdir()
        ):
            self._remove()

    def release(self) -> None:
        """Let another process start."""
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def _remove(self) -> None:
        """Remove what is ours, and the folder unless anything else is in it."""
        if self.folder.is_dir() and not self.folder.is_symlink():
            for path in self.folder.iterdir():
                if _OURS.fullmatch(path.name):
                    _delete(path)
            with suppress(OSError):
                self.folder.rmdir()

    def _part(self, index: int) -> Path:
        return self.folder / f"part-{index:06d}.parquet"

    def _take_lock(self) -> None:
        try:
            self._lock = take_lock(self.folder / "lock")
        except FolderBusy as error:
            raise ResumeError(str(error)) from None

    def _differences(self, before: Any) -> list[str]:
        if before is None:
            return ["it does not record its inputs"]
        return list(_compare(before, self.manifest))


def _facts(content: bytes, schema: pa.Schema | None = None) -> tuple[int, str]:
    """Rows and checksum of the content of a part.

    Raises
    ------
    ValueError
        If it has other columns.
    """
    file = parquet.ParquetFile(pa.BufferReader(content))
    if schema is not None and not file.schema_arrow.equals(schema):
        raise ValueError("it has other columns")
    return file.metadata.num_rows, hashlib.sha256(content).hexdigest()


def _delete(path: Path) -> None:
    shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()


def finished_manifest(path: Path) -> Any:
    """Return the manifest in a finished table; None where it has none."""
    try:
        stored = (parquet.read_schema(path).metadata or {}).get(METADATA)
        return None if stored is None else json.loads(stored)
    except (pa.ArrowException, OSError, ValueError):
        return None


def _read_manifest(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None


def _compare(before: Any, now: Any, place: str = "") -> Iterator[str]:
    """Say what differs: ``model sha256: 1a2b before, 3c4d now``."""
    if isinstance(before, dict) and isinstance(now, dict):
        for key in dict.fromkeys([*before, *now]):
            yield from _compare(before.get(key), now.get(key), f"{place} {key}".strip())
    elif isinstance(before, list) and isinstance(now, list) and len(before) == len(now):
        for number, (one, other) in enumerate(zip(before, now, strict=True), start=1):
            yield from _compare(one, other, f"{place} {number}")
    elif (before or None) != (now or None):  # an option that an older run did not know yet is at its default
        yield f"{place}: {_short(before)} before, {_short(now)} now"


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 40 else f"{text[:40]}…"


def _regrouped(tables: Iterator[pa.Table]) -> Iterator[pa.Table]:
    waiting: list[pa.Table] = []
    rows = 0
    for table in tables:
        waiting.append(table)
        rows += table.num_rows
        if rows >= ROW_GROUP:
            whole = pa.concat_tables(waiting)
            full = rows - rows % ROW_GROUP
            for start in range(0, full, ROW_GROUP):
                yield whole.slice(start, ROW_GROUP)
            waiting, rows = [whole.slice(full)], rows - full
    if rows:
        yield pa.concat_tables(waiting)
