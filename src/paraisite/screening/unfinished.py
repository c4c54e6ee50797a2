"""`Unfinished`: the folder of a table that is being made, part by part, and can be gone on with after any end.

``.OUT.parts``, hidden from a screening of the folder that it is in, holds a manifest of what is being made of what, and
a file for each part that is done. A file appears under its name only when it is complete. At the end the parts become
``OUT`` and the folder vanishes.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import parquet

from paraisite.locking import FolderBusy, take_lock
from paraisite.prediction.write import ROW_GROUP
from paraisite.replacing import replacing
from paraisite.screening.work import Work

MANIFEST = "manifest.json"
METADATA = b"paraisite"
"""Where the manifest stands in the metadata of a finished table."""


_OURS = re.compile(rf"{re.escape(MANIFEST)}|pages|part-\d+\.parquet|\..*")
"""What the folder of an unfinished table holds, half-written files included."""


def unfinished_folder(out: Path) -> Path:
    """Return the folder of a table in the making."""
    return out.with_name(f".{out.name}.parts")


class ResumeError(ValueError):
    """A table cannot be begun or gone on with; the message says what differs and what to do."""


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
        self._lock: Any = None

    @property
    def pages(self) -> Path:
        """Folder for what a database answered."""
        return self.folder / "pages"

    def begin(self, *, resume: bool, overwrite: bool) -> bool:
        """Make the folder, or go on with it; return whether the table is finished already.

        Raises
        ------
        ResumeError
            If something is there that is neither to be gone on with nor to be overwritten, if it was made of something
            else, or if another process is at it.
        """
        if resume and self.out.is_file() and not self._differences(finished_manifest(self.out)):
            shutil.rmtree(self.folder, ignore_errors=True)
            return True
        begun = self.folder.exists()
        if begun and resume and (self.folder / MANIFEST).is_file():
            if said := self._differences(_read_manifest(self.folder / MANIFEST)):
                raise ResumeError(
                    f"{self.folder} was begun otherwise, so that its rows would not fit: {'; '.join(said)}. "
                    "Give the same command, or begin anew with --overwrite"
                )
        elif begun and not (resume or overwrite):
            raise ResumeError(
                f"{self.folder} holds an unfinished run: go on with --resume, or start again: --overwrite"
            )
        elif self.out.exists() and not overwrite:
            if resume:
                said = self._differences(finished_manifest(self.out))
                raise ResumeError(
                    f"{self.out} is finished, and made otherwise: {'; '.join(said)}; name another file, or give "
                    "--overwrite"
                )
            raise ResumeError(f"{self.out} exists already; name another file, or give --overwrite")
        self.folder.mkdir(exist_ok=True)
        self._take_lock()
        if not (begun and resume and (self.folder / MANIFEST).is_file()):
            left = [path for path in self.folder.iterdir() if path.name != "lock"]
            for path in left:
                if not _OURS.fullmatch(path.name):
                    raise ResumeError(f"{path} is no part of a table; move it away, or name another file")
            for path in left:
                shutil.rmtree(path) if path.is_dir() else path.unlink()
            with replacing(self.folder / MANIFEST) as aside:
                aside.write_text(json.dumps(self.manifest, indent=1), encoding="utf-8")
        return False

    def finished(self, schema: pa.Schema) -> set[int]:
        """Return the numbers of the parts that are done; what is damaged is removed and will be done again."""
        done = set()
        for path in self.folder.iterdir():
            if match := re.fullmatch(r"part-(\d+)\.parquet", path.name):
                try:
                    if parquet.read_schema(path).equals(schema):
                        done.add(int(match[1]))
                        continue
                except (pa.ArrowException, OSError):
                    pass
                path.unlink()
            elif path.name.startswith("."):  # half-written when its process was killed
                path.unlink()
        return done

    def write(self, index: int, content: bytes) -> None:
        """Keep the rows of a part."""
        with replacing(self._part(index)) as aside:
            aside.write_bytes(content)

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
        with parquet.ParquetWriter(aside, work.schema.with_metadata(whole), **work.parquet_options) as writer:
            tables = (parquet.ParquetFile(self._part(i)).read() for i in range(n))
            for table in _regrouped(tables) if regroup else tables:
                writer.write_table(table, row_group_size=max(table.num_rows, 1))
        with aside.open("rb") as file:
            os.fsync(file.fileno())
        os.replace(aside, self.out)
        self.release()
        shutil.rmtree(self.folder)

    def leave(self) -> None:
        """End here for now; a folder in which nothing is done vanishes."""
        self.release()
        if self.folder.is_dir() and not any(
            p.name.startswith("part-") or p == self.pages for p in self.folder.iterdir()
        ):
            shutil.rmtree(self.folder)

    def release(self) -> None:
        """Let another process go on."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def _part(self, index: int) -> Path:
        return self.folder / f"part-{index:06d}.parquet"

    def _take_lock(self) -> None:
        try:
            self._lock = take_lock(self.folder / "lock")
        except FolderBusy as error:
            raise ResumeError(str(error)) from None

    def _differences(self, before: Any) -> list[str]:
        if before is None:
            return ["it does not say what it was made of"]
        return list(_compare(before, self.manifest))


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
    elif before != now:
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
