"""Members of .zip and .tar archives, read one by one without extraction and within limits."""

from __future__ import annotations

import io
import re
import tarfile
import zipfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO

from paraisite.crystals.budget import largest
from paraisite.crystals.files import DAMAGED, MAX_FILE_BYTES, open_regular
from paraisite.crystals.formats import FORMATS, split_name
from paraisite.crystals.rejection import Rejection
from paraisite.crystals.zip_index import ZipMember

MAX_MEMBERS = 5_000_000
"""Largest number of members of an archive."""

MAX_TOTAL_BYTES = 64 << 30
"""Largest sum of member sizes, unpacked."""

MAX_RATIO = 200
"""Largest ratio of unpacked to packed size, asked of anything above 1 MiB. Crystal files reach about 10."""

_RATIO_FROM = 1 << 20

Member = tuple[str, bytes]


def read_zip(file: IO[bytes], id: str, source: str) -> Iterator[Member | Rejection]:
    """Yield name and content of every crystal file of a zip archive, or a rejection in its place."""
    try:
        with zipfile.ZipFile(file) as archive:
            infos = archive.infolist()
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OSError) as error:
        yield Rejection(id, source, f"not a readable zip archive ({error}); it may be cut off: copy or pack it again")
        return
    if len(infos) > MAX_MEMBERS:
        yield Rejection(id, source, f"the archive has {len(infos)} members, more than {MAX_MEMBERS}; split it")
        return
    for info in wanted_members(infos, source):
        if isinstance(info, Rejection):
            yield info
            continue
        try:
            yield info.filename, ZipMember.of(info).read(file)
        except (OSError, ValueError) as error:
            reason = f"the member cannot be unpacked ({error}); pack the archive again"
            yield member_rejection(info.filename, source, reason)


def zip_members(path: Path) -> Iterator[ZipMember | Rejection]:
    """List the crystal files of a zip archive, each with a rejection in its place where it is not to be read.

    Nothing comes of an archive that is damaged or empty: the ordinary reader knows what to say of it.
    """
    try:
        with open_regular(path) as file, zipfile.ZipFile(file) as archive:
            infos = archive.infolist()
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OSError):
        return
    if len(infos) > MAX_MEMBERS:
        return
    for i in wanted_members(infos, str(path)):
        if isinstance(i, Rejection):
            yield i
        else:
            yield ZipMember.of(i)


def wanted_members(infos: Iterable[zipfile.ZipInfo], source: str) -> Iterator[zipfile.ZipInfo | Rejection]:
    """Yield the crystal files of a zip archive, or a rejection in place of one that is not to be read."""
    total = 0
    for info in infos:
        name = info.filename
        if name.endswith("/") or not is_wanted(name):  # is_dir() needs a name
            continue
        reason = _objection(name, info.file_size, info.compress_size)
        if not reason and info.flag_bits & 1:
            reason = "the member is encrypted; unpack it with its password first"
        if not reason and total + info.file_size > MAX_TOTAL_BYTES:
            reason = f"the archive unpacks to more than {MAX_TOTAL_BYTES >> 30} GiB; split it"
        if not reason:
            total += info.file_size
        yield member_rejection(name, source, reason) if reason else info


def read_tar(file: IO[bytes], id: str, source: str, packed: Callable[[], int] | None) -> Iterator[Member | Rejection]:
    """Yield name and content of every crystal file of a tar stream, or a rejection in its place.

    Parameters
    ----------
    file : binary file
        The unpacked stream; it is read once, forward.
    packed : callable or None
        Number of packed bytes read so far, to notice a compression bomb; None where nothing is packed.
    """
    bounded = Bounded(file, packed)
    try:
        with tarfile.open(fileobj=bounded, mode="r|") as archive:
            for n, info in enumerate(archive):
                if n >= MAX_MEMBERS:
                    yield Rejection(id, source, f"the archive has more than {MAX_MEMBERS} members; split it")
                    return
                name = info.name
                if info.isdir() or not is_wanted(name):
                    continue
                # of a packed stream, the member's own bytes are still to come: real files shrink by 20 at most
                reason = _objection(name, info.size, None if packed is None else packed() + info.size // 20)
                if not reason and not info.isreg():
                    kind = "link" if info.issym() or info.islnk() else "device or other special file"
                    reason = f"the member is a {kind}, not a file; pack the file itself"
                if reason:
                    yield member_rejection(name, source, reason)
                    continue
                member = archive.extractfile(info)
                data = member.read(info.size) if member else b""
                if len(data) < info.size:
                    yield member_rejection(name, source, "the archive ends within this member; copy or pack it again")
                    return
                yield name, data
            # where a header is damaged or cut, tarfile ends without a word; a whole archive ends with blocks of zeros
            rest = iter(lambda: archive.fileobj.read(tarfile.RECORDSIZE), b"")
            if any(map(_has_content, rest)) or _has_content(bounded.tail):
                reason = "the archive is damaged or ends too early, so that members may be missing"
                yield Rejection(id, source, f"{reason}; copy or pack it again")
    except (*DAMAGED, tarfile.TarError, ValueError) as error:
        yield Rejection(id, source, f"the archive cannot be read to its end ({error}); copy or pack it again")


def is_wanted(name: str) -> bool:
    """Whether a member or file of a folder is one to read: of a known format and not hidden."""
    if split_name(name)[1] is None:
        return False
    parts = re.split(r"[/\\]", name)
    return not any(part.startswith((".", "__MACOSX")) and part not in (".", "..") for part in parts)


def _limit(name: str, packed: int | None) -> int:
    kind = split_name(name)[1]
    most = FORMATS[kind].max_bytes if kind else MAX_FILE_BYTES
    return most if packed is None else min(most, largest(packed))


def _objection(name: str, size: int, packed: int | None) -> str:
    if name.startswith(("/", "\\")) or ".." in re.split(r"[/\\]", name) or name[1:2] == ":":
        return "the member's name points outside the archive; rename it to a plain relative name"
    kind = split_name(name)[1]
    if kind and FORMATS[kind].takes == "archive":
        return "nested archives are not read; unpack it and give it by itself"
    if size > (limit := _limit(name, packed)):
        return f"{size >> 20} MiB unpacked is more than the limit of {limit >> 20} MiB; split the file"
    if packed is not None and size > _RATIO_FROM and size > MAX_RATIO * max(packed, 1):
        return f"the member unpacks to over {MAX_RATIO} times its packed size (a zip bomb?); unpack it by hand first"
    return ""


def member_rejection(name: str, source: str, reason: str) -> Rejection:
    """Return the row of a member that cannot be used; `source` is its archive."""
    return Rejection(split_name(name)[0], f"{source}::{name}", reason)


def _has_content(block: bytes) -> bool:
    return bool(block.strip(b"\0"))


class Bounded(io.RawIOBase):
    """A readable stream that refuses to unpack a compression bomb.

    Parameters
    ----------
    file : binary file
    packed : callable or None
        Number of packed bytes read so far; None where nothing is packed.
    """

    def __init__(self, file: IO[bytes], packed: Callable[[], int] | None) -> None:
        self._file = file
        self._packed = packed
        self._total = 0
        self.tail = b""

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(size)
        self._total += len(data)
        self.tail = (self.tail + data)[-tarfile.BLOCKSIZE :]
        if self._total > MAX_TOTAL_BYTES or (
            self._packed is not None
            and self._total > 16 * _RATIO_FROM
            and self._total > MAX_RATIO * max(self._packed(), 1)
        ):
            raise OSError("it unpacks to far more than its packed size, like a compression bomb")
        return data
