"""The known formats. A new one is one entry here; its reader is imported on use."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, cast

from paraisite.crystals.archive import Member, is_wanted, read_tar, read_zip
from paraisite.crystals.crystal import Crystal
from paraisite.crystals.files import MAX_JSON_BYTES, open_regular
from paraisite.crystals.formats import FORMATS, Format, Head, Opened, register, split_name
from paraisite.crystals.guard import guarded
from paraisite.crystals.rejection import Rejection

NESTED = "nested archives are not read; unpack it and give it by itself"

_SQLITE = b"SQLite format 3\0"

Items = Iterator[Crystal | Rejection]


def _cif(text: str, file: Opened) -> Items:
    from paraisite.crystals.cif import read_cif

    return read_cif(text, id=file.id, source=file.source, disorder=file.disorder)


def _shows_cif(head: Head) -> bool:
    return re.search(r"^[ \t]*data_\S*[ \t]*$", head.text, re.MULTILINE | re.IGNORECASE) is not None


def _poscar(text: str, file: Opened) -> Items:
    from paraisite.crystals.poscar import read_poscar

    yield guarded(file.id, file.source, read_poscar, text, file.id, file.source)


def _shows_poscar(head: Head) -> bool:
    lines = head.lines
    return len(lines) >= 7 and _numbers(lines[1]) in (1, 3) and all(_numbers(line) == 3 for line in lines[2:5])


def _xyz(lines: Iterator[str], file: Opened) -> Items:
    from paraisite.crystals.xyz import read_xyz

    return read_xyz(lines, id=file.id, source=file.source)


def _shows_xyz(head: Head) -> bool:
    lines = head.lines
    if len(lines) < 2 or not lines[0].strip().isdigit():
        return False
    return re.search(r"lattice|properties", lines[1], re.IGNORECASE) is not None


def _json(text: str, file: Opened) -> Items:
    from paraisite.crystals.pymatgen_json import read_json

    return read_json(text, id=file.id, source=file.source, disorder=file.disorder, bytes_read=file.bytes_read())


def _jsonl(lines: Iterator[str], file: Opened) -> Items:
    from paraisite.crystals.pymatgen_json import read_jsonl

    return read_jsonl(lines, id=file.id, source=file.source, disorder=file.disorder, bytes_read=file.bytes_read)


def _db(file: Opened) -> Items:
    if not file.stream.head.startswith(_SQLITE):
        reason = "not an SQLite file, as an ASE database .db is; write it again with ase.db"
        yield Rejection(file.id, file.source, reason)
    elif file.path is None:
        reason = "an ASE database is read from a plain file only; unpack it and give its path"
        yield Rejection(file.id, file.source, reason)
    else:
        from paraisite.crystals.ase_db import read_db

        yield from read_db(file.path, id=file.id, source=file.source)


def _count_db(path: Path) -> int:
    from paraisite.crystals.ase_db import count_db

    return max(count_db(path), 1)


def _zip(file: Opened) -> Iterator[Member | Rejection]:
    if file.stream is not file.raw:
        return iter((Rejection(file.id, file.source, NESTED),))
    return read_zip(file.stream.seekable_file(), file.id, file.source)


def _count_zip(path: Path) -> int | None:
    with open_regular(path) as file, zipfile.ZipFile(file) as archive:
        names = [n for n in archive.namelist() if not n.endswith("/") and is_wanted(n)]
    kinds = {split_name(name)[1] for name in names}
    inside = [FORMATS[kind] for kind in kinds if kind]
    many = any(format.count is None and format.takes != "archive" for format in inside)
    return None if many else max(len(names), 1)


def _tar(file: Opened) -> Iterator[Member | Rejection]:
    packed = None if file.stream is file.raw else lambda: file.raw.consumed
    return read_tar(cast("IO[bytes]", file.stream), file.id, file.source, packed)


def _packed_twice(text: str, file: Opened) -> Items:
    yield Rejection(file.id, file.source, "the file is packed twice; unpack it once")


def _numbers(line: str) -> int:
    """Count of numbers at the start of a line, up to three."""
    n = 0
    for word in line.split()[:3]:
        try:
            float(word)
        except ValueError:
            break
        n += 1
    return n


# Binary formats are sniffed first, for the text within them may look like any other. Of the text formats, POSCAR is:
# its first line may say anything.
register(Format("cif", "CIF", (".cif", ".mcif"), _cif, sniff=_shows_cif))
register(Format("poscar", "POSCAR", (".poscar", ".contcar", ".vasp"), _poscar, sniff=_shows_poscar, priority=2))
register(Format("xyz", "extended XYZ", (".xyz", ".extxyz"), _xyz, takes="lines", sniff=_shows_xyz, count=None))
register(
    Format(
        "json",
        "pymatgen JSON or JSON Lines",
        (".json",),
        _json,
        sniff=lambda head: head.text.lstrip()[:1] in ("{", "["),
        priority=1,
        count=None,
        max_bytes=MAX_JSON_BYTES,
        remedy="write JSON Lines (.jsonl)",
    )
)
register(Format("jsonl", "", (".jsonl", ".ndjson"), _jsonl, takes="lines", within="json", count=None))
register(
    Format(
        "db",
        "ASE database",
        (".db",),
        _db,
        takes="file",
        sniff=lambda head: head.data.startswith(_SQLITE),
        priority=3,
        count=_count_db,
    )
)
register(
    Format(
        "zip",
        ".zip",
        (".zip",),
        _zip,
        takes="archive",
        sniff=lambda head: head.data.startswith((b"PK\x03\x04", b"PK\x05\x06")),
        priority=3,
        count=_count_zip,
    )
)
register(
    Format(
        "tar",
        ".tar(.gz)",
        (".tar", ".tgz", ".tar.gz", ".tar.bz2", ".tar.xz"),
        _tar,
        takes="archive",
        sniff=lambda head: head.data[257:262] == b"ustar",
        priority=3,
        count=None,
    )
)
register(Format("gz", "", (), _packed_twice, sniff=lambda head: head.data.startswith(b"\x1f\x8b"), priority=4))
