"""Sources: what gives the inputs of a screening, the same ones in the same order each time it is asked."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from paraisite.crystals import Rejection, count, read
from paraisite.crystals.archive import zip_members
from paraisite.crystals.formats import FORMATS, one, split_name
from paraisite.crystals.read import paths, tar_members
from paraisite.crystals.sites import Disorder
from paraisite.graphs.store import GraphStore
from paraisite.screening.raw import File, Raw, Stored, Unpacked, Zipped


class SourceEnded(RuntimeError):
    """A source stopped before its end; received entries are kept; the same command with --resume resumes."""


class Source(Protocol):
    """Something that gives inputs."""

    def raw(self) -> Iterator[Raw]:
        """Yield the inputs, cheaply: nothing is parsed that a worker can parse."""

    def identity(self) -> Any:
        """Return what tells, as far as JSON can say it, that this is the same source with the same content."""

    def count(self) -> int | None:
        """Estimate the number of inputs; None where that takes reading."""


@dataclass(frozen=True, slots=True)
class Files:
    """Files, folders, patterns, archives and graph stores, as `paraisite.crystals.read` takes them.

    Members of archives and single CIF and POSCAR files are left to the workers. Files that hold many structures one
    after the other (extended XYZ, JSON, ASE databases) are parsed here.

    Attributes
    ----------
    inputs : tuple of str
    disorder : {"reject", "majority"}
    """

    inputs: tuple[str, ...]
    disorder: Disorder = "reject"

    def raw(self) -> Iterator[Raw]:
        """See `Source`."""
        for item in self.inputs:
            for path in paths(item):
                if isinstance(path, Rejection):
                    yield path
                else:
                    yield from self._of_file(path)

    def _of_file(self, path: Path) -> Iterator[Raw]:
        name, kind = str(path), split_name(path.name)[1]
        if is_store(path):
            for group, rows in enumerate(GraphStore(path).group_rows):
                yield Stored(name, group, 0, rows)
            return
        format = FORMATS[kind] if kind else None
        archive = format is not None and format.takes == "archive"
        if archive and name != "-":
            empty = True
            for raw in _members(path, str(kind)):
                empty = False
                yield raw
            if not empty:
                return
        if archive or (format is not None and format.count is one):
            yield File(name)
        else:
            yield from read([path], disorder=self.disorder)

    def stores(self) -> list[GraphStore]:
        """Graph stores among the inputs."""
        return [GraphStore(item) for item in self.inputs if is_store(Path(item))]

    def identity(self) -> list[dict[str, Any]]:
        """See `Source`: sizes and times of the files; a digest of them where an input stands for several.

        Raises
        ------
        StoreError
            If a graph store is not usable.
        """
        return [_identity(item) for item in self.inputs]

    def count(self) -> int | None:
        """See `Source`."""
        total = 0
        for item in self.inputs:
            n = sum(GraphStore(item).group_rows) if is_store(Path(item)) else count([item])
            if n is None:
                return None
            total += n
        return total


def is_store(path: Path) -> bool:
    """Whether a file is a graph store, by its name."""
    return path.suffix.lower() == ".parquet" and path.is_file()


def _members(path: Path, kind: str) -> Iterator[Raw]:
    name = str(path)
    try:
        if kind == "zip":
            for member in zip_members(path):
                yield member if isinstance(member, Rejection) else Zipped(name, member)
        else:
            for unpacked in tar_members(path):
                yield unpacked if isinstance(unpacked, Rejection) else Unpacked(name, *unpacked)
    except OSError as error:
        yield Rejection(split_name(path.name)[0], name, f"the file cannot be read ({error}); check its permissions")


def _identity(item: str) -> dict[str, Any]:
    digest = hashlib.sha256()
    found: list[tuple[str, int, int]] = []
    n = 0
    for path in paths(item):
        if isinstance(path, Rejection):
            entry = (path.source, -1, 0)
        elif str(path) == "-":
            return {"input": "-"}
        else:
            if is_store(path):
                GraphStore(path)  # complains now, not in the middle of the work
            info = path.stat()
            entry = (str(path), info.st_size, info.st_mtime_ns)
        n += 1
        found = [entry] if n == 1 else []
        digest.update(repr(entry).encode())
    if found and found[0][0] == item:
        return {"input": item, "bytes": found[0][1], "modified_ns": found[0][2]}
    return {"input": item, "files": n, "sha256": digest.hexdigest()}


@dataclass(slots=True)
class Query:
    """What a database answers; its pages are kept, so that the same query resumes where it stopped.

    Attributes
    ----------
    kind : str
        Name in `paraisite.datasets.sources.SOURCES`.
    asked : mapping
        Arguments of its `query`.
    say : callable
        Told in a line what is being waited for.
    pages : Path or None
        Folder of the pages; set before `raw` is called.
    """

    kind: str
    asked: Mapping[str, Any]
    say: Callable[[str], None] = print
    pages: Path | None = None
    _client: Any = field(default=None, init=False)

    def raw(self) -> Iterator[Raw]:
        """See `Source`.

        Raises
        ------
        DatasetError
            If the query cannot be one, or nothing came.
        SourceEnded
            If the provider failed later on.
        """
        from paraisite.datasets import sources
        from paraisite.datasets.sources.rows import Labelled, Shortfall

        self._client = sources.Client(self.pages, say=self.say)
        arrived = 0
        try:
            for row in sources.SOURCES[self.kind].query(**self.asked, client=self._client):
                if isinstance(row, Shortfall):
                    raise SourceEnded(f"{row.source}: {row.reason}")
                arrived += 1
                yield row.crystal if isinstance(row, Labelled) else row
        except sources.SourceError as error:
            if not arrived:
                raise
            raise SourceEnded(f"the source failed (entries received: {arrived}): {error}") from None

    def identity(self) -> dict[str, Any]:
        """See `Source`."""
        return {"source": self.kind, **{key: value for key, value in self.asked.items() if value not in (None, "", [])}}

    def count(self) -> int | None:
        """See `Source`."""
        return (self._client.expected or None) if self._client is not None else None


MP_LISTS = ("formula", "chemsys", "elements", "ids")
MP_FLAGS = ("stable", "gnome")


def parse_mp(text: str) -> dict[str, Any]:
    """Read a query of the Materials Project: ``elements=Mg,O stable max_above_hull=0.05 max_sites=20``.

    Raises
    ------
    ValueError
        If a condition is unknown or lacks its value.
    """
    asked: dict[str, Any] = {}
    for word in text.split():
        name, equals, value = word.partition("=")
        try:
            if name in MP_FLAGS and not equals:
                asked[name] = True
            elif name in MP_LISTS and value:
                asked[name] = [part for part in value.split(",") if part]
            elif name == "max_above_hull":
                asked[name] = float(value)
            elif name == "max_sites":
                asked[name] = int(value)
            else:
                raise ValueError
        except ValueError:
            known = ", ".join([*(f"{n}=A,B" for n in MP_LISTS), "max_above_hull=0.05", "max_sites=20", *MP_FLAGS])
            raise ValueError(f"--mp: {word!r} is not a condition; choose from {known}") from None
    if not asked:
        raise ValueError("--mp: give a condition, such as elements=Mg,O")
    return asked


def chain(sources: Sequence[Source]) -> Iterator[Raw]:
    """Yield the inputs of one source after the other."""
    for source in sources:
        yield from source.raw()
