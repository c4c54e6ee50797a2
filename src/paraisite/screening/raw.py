"""Inputs that are cheap to hand over: what a worker needs to read the crystals of a part by itself."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from paraisite.crystals import Crystal, Rejection, read
from paraisite.crystals.archive import member_rejection
from paraisite.crystals.formats import split_name
from paraisite.crystals.read import checked, read_member
from paraisite.crystals.sites import Disorder
from paraisite.crystals.zip_index import ZipMember
from paraisite.graphs.store import open_store


@dataclass(frozen=True, slots=True)
class File:
    """A file of any format, which the worker opens."""

    path: str

    def rejection(self, reason: str) -> Rejection:
        """Return the row of an input that could not be worked on."""
        return Rejection(split_name(self.path)[0], self.path, reason)


@dataclass(frozen=True, slots=True)
class Zipped:
    """A member of a zip archive, which the worker reads."""

    archive: str
    member: ZipMember

    def rejection(self, reason: str) -> Rejection:
        """Return the row of an input that could not be worked on."""
        return member_rejection(self.member.name, self.archive, reason)


@dataclass(frozen=True, slots=True)
class Unpacked:
    """A member of an archive that can only be read forward; its content travels."""

    archive: str
    name: str
    data: bytes

    def rejection(self, reason: str) -> Rejection:
        """Return the row of an input that could not be worked on."""
        return member_rejection(self.name, self.archive, reason)


@dataclass(frozen=True, slots=True)
class Stored:
    """Rows ``start:stop`` of one row group of a graph store."""

    store: str
    group: int
    start: int
    stop: int


Raw = File | Zipped | Unpacked | Stored | Crystal | Rejection


def crystals(raw: Raw, disorder: Disorder, *, vacuum: bool = False) -> Iterator[Crystal | Rejection]:
    """Read the structures of one raw input; nothing raises, as in `read`, but a graph store that is damaged."""
    check = partial(checked, vacuum=vacuum)
    match raw:
        case Crystal() | Rejection():
            yield raw
        case File():
            yield from read([raw.path], disorder=disorder, vacuum=vacuum)
        case Unpacked():
            yield from map(check, read_member(raw.name, raw.data, raw.archive, disorder))
        case Zipped():
            try:
                with Path(raw.archive).open("rb") as file:
                    data = raw.member.read(file)
            except (OSError, ValueError) as error:
                yield raw.rejection(f"the member cannot be unpacked ({error}); pack the archive again")
                return
            yield from map(check, read_member(raw.member.name, data, raw.archive, disorder))
        case Stored():
            rows = open_store(raw.store).read(raw.group, raw.start, raw.stop)
            yield from map(rows.item, range(len(rows)))


def rejection(raw: Raw, reason: str) -> Rejection:
    """Return the row of a raw input that could not be worked on."""
    match raw:
        case Rejection():
            return raw
        case Crystal():
            return Rejection(raw.id, raw.source, reason, raw.formula, raw.n_sites, raw.n_elements)
        case Stored():
            return rejection(open_store(raw.store).read(raw.group, raw.start, raw.start + 1).item(0), reason)
        case _:
            return raw.rejection(reason)
