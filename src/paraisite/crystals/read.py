"""`read`: crystals from files, folders, globs, archives and standard input, one item for each structure found."""

from __future__ import annotations

import bz2
import glob
import gzip
import io
import lzma
import os
import sqlite3
import sys
import zipfile
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import IO, Any, NamedTuple, TypeVar, cast

from paraisite.crystals import files
from paraisite.crystals.archive import Bounded, Member, is_wanted, read_tar
from paraisite.crystals.budget import largest
from paraisite.crystals.check import check, summary
from paraisite.crystals.crystal import Crystal
from paraisite.crystals.formats import FORMATS, Format, Opened, is_archive, recognise, sniff, split_name, titles
from paraisite.crystals.guard import SECONDS, cause, explain
from paraisite.crystals.known_formats import NESTED
from paraisite.crystals.rejection import CrystalError, Rejection
from paraisite.crystals.sites import Disorder
from paraisite.crystals.streams import Prefixed
from paraisite.crystals.vacuum import check_vacuum
from paraisite.processes.limits import TimeExceeded, arm, rearm

_UNPACKERS: dict[bytes, Callable[..., Any]] = {
    b"\x1f\x8b": lambda file: gzip.GzipFile(fileobj=file),
    b"BZh": bz2.BZ2File,
    b"\xfd7zXZ": lzma.LZMAFile,
}

MAXNESTED = 200
"""How deep folders may be nested."""

Item = Crystal | Rejection
T = TypeVar("T")


def read(inputs: Iterable[str | Path], *, disorder: Disorder = "reject", vacuum: bool = False) -> Iterator[Item]:
    """Read crystals, in order and one at a time.

    Parameters
    ----------
    inputs : iterable of str or pathlib.Path
        Files of any known format, archives of them (.zip, .tar, .tar.gz), folders (searched in sorted order for files
        of known formats), glob patterns, or ``-`` for standard input. The content decides the format; the extension
        does where the content leaves it open.
    disorder : {"reject", "majority"}
        What to do with partly occupied sites: reject the crystal, or take the species that holds most of each site.
    vacuum : bool
        Let slabs, wires and molecules in a box of vacuum pass, as published datasets hold a few.

    Yields
    ------
    Crystal or Rejection
        One item for each structure found, and one for each file or archive member that cannot be read: no input
        vanishes, and none raises.

    Raises
    ------
    TypeError
        If an input is not a path but, say, a structure: that goes to `Predictor.predict` as it is.
    """
    for item in [inputs] if isinstance(inputs, (str, Path)) else inputs:
        if not isinstance(item, (str, Path)):
            raise TypeError(
                f"cannot read a {type(item).__name__}: give paths; objects go to Predictor.predict as they are"
            )
        yield from _read_input(str(item), disorder, vacuum)


def count(inputs: Iterable[str | Path]) -> int | None:
    """Estimate how many items `read` will give, cheaply; None where that takes reading (JSON, XYZ, tar, ``-``)."""
    total = 0
    for item in [inputs] if isinstance(inputs, (str, Path)) else inputs:
        for path in paths(str(item)):
            n = 1 if isinstance(path, Rejection) else _count_file(path)
            if n is None:
                return None
            total += n
    return total


def _count_file(path: Path) -> int | None:
    kind = split_name(path.name)[1]
    if str(path) == "-":
        return None
    if kind is None:
        return 1
    counter = FORMATS[kind].count
    try:
        return None if counter is None else counter(path)
    except (OSError, zipfile.BadZipFile, sqlite3.Error):
        return 1


def paths(item: str) -> Iterator[Path | Rejection]:
    """Files that an input stands for, in order; ``-`` stays as it is."""
    path = Path(item)
    id = split_name(item)[0]
    try:
        if item == "-":
            yield path
        elif path.is_dir():
            yield from _walk(path)
        elif path.exists():
            if files.is_readable(path, path.stat().st_mode):
                yield path
            else:
                yield _special(path)
        elif path.is_symlink():
            yield Rejection(id, item, "broken or circular symbolic link; give the file itself")
        elif glob.has_magic(item):
            matches = sorted(glob.glob(item, recursive=True))
            if not matches:
                yield Rejection(id, item, "no file matches the pattern; check it, and quote it if the shell expands it")
            for match in matches:
                if "**" not in item or not os.path.isdir(match):
                    yield from paths(match)
        else:
            yield Rejection(id, item, "there is no such file or folder; check the path")
    except (OSError, ValueError) as error:
        yield Rejection(id, item, f"the path cannot be used ({cause(error)}); check it and its permissions")
    except RecursionError:  # of glob
        yield Rejection(id, item, f"folders are nested more than {MAXNESTED} deep; give a folder further inside")


def _walk(folder: Path) -> Iterator[Path | Rejection]:
    """Files of a folder and of those inside it, in the order of their names."""
    found = False
    visited: set[tuple[int, int]] = set()
    left: list[tuple[Path, int] | Path | Rejection] = [(folder, 0)]  # folders with their depth, and what is to yield
    while left:
        item = left.pop()
        if not isinstance(item, tuple):
            found = True
            yield item
            continue
        path, depth = item
        try:
            info = path.stat()
            if (info.st_dev, info.st_ino) in visited:  # a link back to a folder already seen
                continue
            visited.add((info.st_dev, info.st_ino))
            entries = sorted(os.scandir(path), key=lambda entry: entry.name, reverse=True)
        except OSError as error:
            left.append(
                Rejection(path.name, str(path), f"the folder cannot be read ({cause(error)}); check permissions")
            )
            continue
        for entry in entries:
            inner = path / entry.name
            if os.path.isdir(entry):  # it raises nothing where permission is missing
                if depth == MAXNESTED:
                    reason = f"folders are nested more than {MAXNESTED} deep; give a folder further inside"
                    left.append(Rejection(entry.name, str(inner), reason))
                elif not entry.name.startswith("."):
                    left.append((inner, depth + 1))
            elif is_wanted(entry.name):
                left.append(inner if os.path.isfile(entry) or not os.path.exists(entry) else _special(inner))
    if not found:
        yield Rejection(folder.name, str(folder), f"the folder holds no crystal file; known formats: {titles()}")


def _special(path: Path) -> Rejection:
    return Rejection(split_name(str(path))[0], str(path), f"{files.SPECIAL}; give a regular file")


def _read_input(item: str, disorder: Disorder, vacuum: bool) -> Iterator[Item]:
    for path in paths(item):
        if isinstance(path, Rejection):
            yield path
            continue
        source = str(path)
        id = "stdin" if source == "-" else split_name(path.name)[0]
        found = _read_stdin(disorder) if source == "-" else _read_path(path, disorder)
        for crystal in _to_the_end(found, id, source, "the file"):
            yield checked(crystal, vacuum=vacuum)


def _to_the_end(items: Iterator[T], id: str, source: str, what: str) -> Iterator[T | Rejection]:
    """Yield what a reader yields; whatever it missed costs one more row, not the run, and so does waiting too long."""
    while True:
        outer = arm(2 * SECONDS)  # a reader bounds its items itself
        item: T | Rejection | None
        try:
            item = next(items, None)
        except files.DAMAGED as error:
            reason = f"{what} cannot be read ({cause(error)}); check permissions, or copy or pack it again"
            item, items = Rejection(id, source, reason), iter(())
        except (Exception, TimeExceeded) as error:
            item = Rejection(id, source, f"{what} cannot be read to its end: {explain(error)}")
            items = iter(())
        finally:  # before anything is yielded: the time of whoever takes the items is not theirs
            rearm(outer)
        if item is None:
            return
        yield item


def checked(item: Item, *, vacuum: bool = False) -> Item:
    """Return a crystal that can be one, else the rejection; `vacuum` lets slabs and molecules in a box pass."""
    if isinstance(item, Rejection):
        return item
    try:
        check(item.cell, item.numbers, item.positions)
        if not vacuum:
            check_vacuum(item.cell, item.positions)
    except CrystalError as error:
        return Rejection(item.id, item.source, str(error), **summary(item.numbers))  # type: ignore[arg-type]
    return item


def _read_stdin(disorder: Disorder) -> Iterator[Item]:
    return _read_stream(sys.stdin.buffer, "", "stdin", "-", disorder)


def _read_path(path: Path, disorder: Disorder) -> Iterator[Item]:
    with files.open_regular(path) as file:
        yield from _read_stream(file, path.name, split_name(path.name)[0], str(path), disorder, path)


def _read_stream(
    file: IO[bytes],
    name: str,
    id: str,
    source: str,
    disorder: Disorder,
    path: Path | None = None,
    packed: int | None = None,
) -> Iterator[Item]:
    """Read a binary stream: a file (`path` given), an archive member (of `packed` bytes) or standard input."""
    found = _opened(file, name, id, source, disorder, path, packed)
    if isinstance(found, Rejection):
        yield found
    elif found[0].takes == "archive":
        for member in _members(*found):
            yield from member.items
    else:
        yield from _read_opened(*found)


def _opened(
    file: IO[bytes], name: str, id: str, source: str, disorder: Disorder, path: Path | None, packed: int | None = None
) -> tuple[Format, Opened] | Rejection:
    """Recognise and unpack a binary stream; see `_read_stream`."""
    raw = Prefixed(file)
    stream: Prefixed = raw
    head = raw.head
    for magic, unpack in _UNPACKERS.items():
        if head.startswith(magic):
            stream, path = Prefixed(cast("IO[bytes]", Bounded(unpack(raw), lambda: raw.consumed))), None
            head = stream.head
    if not head:
        return Rejection(id, source, "the file is empty; write it again")
    format = recognise(head, name)

    def bytes_read() -> int:
        return raw.consumed if packed is None else packed

    if format is None:
        return Rejection(id, source, f"the format is not recognised; known formats: {titles()}")
    return format, Opened(id, source, disorder, path, raw, stream, bytes_read)


def _read_opened(format: Format, opened: Opened) -> Iterator[Item]:
    """Read what is not an archive."""
    id, source, stream = opened.id, opened.source, opened.stream
    if format.takes == "file":
        yield from format.read(opened)
    elif files.is_binary(stream.head):
        yield Rejection(id, source, "the file holds binary data, not text; write it again (as UTF-8)")
    elif format.takes == "lines":
        yield from format.read(_lines(stream), opened)
    else:
        most = format.max_bytes
        text = _text(stream, most, opened.bytes_read)
        if text is None:
            limit = (
                f"{most >> 20} MiB, or unpacks to more than the memory limit"
                if stream is not opened.raw
                else f"{most >> 20} MiB"
            )
            yield Rejection(id, source, f"the file is larger than {limit}; {format.remedy}")
        elif not text.strip():
            yield Rejection(id, source, "the file is empty; write it again")
        else:
            yield from format.read(text, opened)


def _text(stream: Prefixed, most: int, bytes_read: Callable[[], int]) -> str | None:
    """Read a stream to its end; None if it is longer than `most` bytes, or than the budget of memory allows."""
    parts: list[bytes] = []
    size = 0
    while part := stream.read(1 << 20 if parts else files.HEAD_BYTES):
        parts.append(part)
        size += len(part)
        if size > min(most, largest(bytes_read())):
            return None
    data = b"".join(parts)
    del parts
    return files.to_text(data)


class Part(NamedTuple):
    """A file, or a member of an archive, whose content is read as the iterator `items` advances."""

    id: str
    source: str
    items: Iterator[Item]


def _members(format: Format, opened: Opened) -> Iterator[Part]:
    found = False
    for member in format.read(opened):
        found = True
        if isinstance(member, Rejection):
            yield _alone(member)
            continue
        name, data = member
        items = read_member(name, data, opened.source, opened.disorder)
        yield Part(split_name(name)[0], f"{opened.source}::{name}", items)
    if not found:
        reason = f"the archive holds no crystal file; known formats: {titles()}"
        yield _alone(Rejection(opened.id, opened.source, reason))


def _alone(item: Rejection) -> Part:
    return Part(item.id, item.source, iter((item,)))


def read_parts(path: Path, name: str, *, disorder: Disorder = "reject", vacuum: bool = False) -> Iterator[Part]:
    """Read a file that goes by another name than its own, as an upload does, part by part.

    Parameters
    ----------
    path : Path
        A regular file.
    name : str
        Stands in ids and sources, and decides the format where the content leaves it open.
    disorder : {"reject", "majority"}
    vacuum : bool
        As of `read`.

    Yields
    ------
    Part
        One for each member of an archive, else one. It is read before the next is asked for; one that is passed over is
        not parsed.
    """
    id = split_name(name)[0]

    def parts() -> Iterator[Part]:
        with files.open_regular(path) as file:
            found = _opened(file, name, id, name, disorder, path)
            if isinstance(found, Rejection):
                yield _alone(found)
            elif found[0].takes == "archive":
                yield from _members(*found)
            else:
                yield Part(id, name, _to_the_end(_read_opened(*found), id, name, "the file"))

    for part in _to_the_end(parts(), id, name, "the file"):
        part = _alone(part) if isinstance(part, Rejection) else part
        yield part._replace(items=map(partial(checked, vacuum=vacuum), part.items))


def read_member(name: str, data: bytes, source: str, disorder: Disorder = "reject") -> Iterator[Item]:
    """Yield what one member of an archive holds, not `checked` yet; whatever goes wrong costs its row only.

    Parameters
    ----------
    name, data : str, bytes
        The member, unpacked.
    source : str
        The archive.
    disorder : {"reject", "majority"}
    """
    label, place = split_name(name)[0], f"{source}::{name}"
    if is_archive(data[: files.HEAD_BYTES]):
        yield Rejection(label, place, NESTED)
        return
    # how much it was packed to is not known here; real files shrink by 20 at most
    items = _read_stream(io.BytesIO(data), name, label, place, disorder, packed=len(data) // 20)
    yield from _to_the_end(items, label, place, "the member")


def tar_members(path: Path) -> Iterator[Member | Rejection]:
    """Yield the members of a .tar, packed or not: name and content, or a rejection in its place.

    Yields nothing for a file that is not a tar or damaged from the beginning: the ordinary reader reports it.
    """
    id, source = split_name(path.name)[0], str(path)
    with files.open_regular(path) as file:
        raw = Prefixed(file)
        unpack = next((unpack for magic, unpack in _UNPACKERS.items() if raw.head.startswith(magic)), None)
        try:
            stream = Prefixed(unpack(raw)) if unpack else raw
        except files.DAMAGED:
            return
        if sniff(stream.head) == "tar":
            packed = (lambda: raw.consumed) if unpack else None
            yield from read_tar(cast("IO[bytes]", stream), id, source, packed)


def _lines(stream: Prefixed) -> Iterator[str]:
    """Lines of a stream, none longer than `MAX_FILE_BYTES`."""
    reader = io.BufferedReader(cast("io.RawIOBase", stream), files.HEAD_BYTES)
    while line := reader.readline(files.MAX_FILE_BYTES):
        yield files.to_text(line)
