"""`screen` and `pack`: a source, a work and an engine put together into one table that grows part by part."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from paraisite.graphs import CUTOFF, TOLERANCE
from paraisite.graphs.store import METADATA
from paraisite.model.registry import locate
from paraisite.network import downloading
from paraisite.screening.engines import ENGINES
from paraisite.screening.packing import Packing
from paraisite.screening.part import SIZE, Part, cut
from paraisite.screening.predicting import Screening
from paraisite.screening.sources import Files, Query, Source, chain
from paraisite.screening.stored import wanted
from paraisite.screening.unfinished import Unfinished
from paraisite.versions import versions

FORMAT = 1
"""Version of the manifest."""


@dataclass(frozen=True)
class How:
    """How a work is carried out; none of it changes a number, save `part_size` the last digits, as any batch does.

    Attributes
    ----------
    workers : int, optional
        By default as many as there are cores; 0 works in this process.
    engine : str
        Name in `ENGINES`.
    part_size : int
        Inputs of a part.
    resume : bool
        Resume what an earlier call began, if anything.
    overwrite : bool
        Replace what is there.
    tell : callable
        Told how many inputs are done, and whether they were so before this call.
    say : callable
        Told in a line what a person should know.
    address : str, optional
        Of a Ray cluster, see `paraisite.screening.engines.ray.run`.
    """

    workers: int | None = None
    engine: str = "processes"
    part_size: int = SIZE
    resume: bool = False
    overwrite: bool = False
    tell: Callable[[int, bool], object] = lambda n, before: None
    say: Callable[[str], object] = lambda line: None
    address: str | None = None


def screen(sources: Sequence[Source], out: Path, work: Screening, how: How = How()) -> None:
    """Predict every input of some sources into a Parquet file.

    Parameters
    ----------
    sources : sequence of Source
    out : Path
        Gets one row for each input, in order, rejections included; the columns are those of `Prediction`.
    work : Screening
    how : How

    Raises
    ------
    ResumeError
        If there is something at `out` that this call may not touch or cannot resume.
    WorkError
        If the model or an option cannot be used.
    EngineError, SourceEnded
        If the work broke off; what is done is kept.
    """
    folder = locate(work.model, work.mirror)
    files = [path for path in sorted(folder.iterdir()) if path.suffix in (".json", ".safetensors", ".csv")]
    model = {path.name: downloading.sha256(path) for path in files}
    card = json.loads((folder / "card.json").read_bytes()) if (folder / "card.json").is_file() else {}
    for store in (store for source in sources if isinstance(source, Files) for store in source.stores()):
        if others := store.header.differences(wanted(card.get("cutoff", CUTOFF), card.get("tolerance", TOLERANCE))):
            how.say(f"{store.path}: its graphs are not those of the model ({', '.join(others)}) and are rebuilt")
    _carry_out(sources, out, work, how, made_with={"model": model}, regroup=True)


def pack(sources: Sequence[Source], out: Path, work: Packing, how: How = How()) -> None:
    """Build the graphs of every input of some sources into a graph store; see `screen`."""
    metadata = {METADATA: work.header.model_dump_json().encode()}
    _carry_out(sources, out, work, how, metadata=metadata, regroup=False)


def _carry_out(
    sources: Sequence[Source],
    out: Path,
    work: Screening | Packing,
    how: How,
    *,
    regroup: bool,
    made_with: Mapping[str, Any] = MappingProxyType({}),
    metadata: Mapping[bytes, bytes] = MappingProxyType({}),
) -> None:
    manifest = {
        "format": FORMAT,
        "work": type(work).__name__.lower(),
        "sources": [source.identity() for source in sources],
        "part_size": how.part_size,
        "options": {key: value for key, value in asdict(work).items() if key != "parquet_options"},
        **made_with,
        "versions": versions(),
    }
    table = Unfinished(out, manifest)
    run = ENGINES[how.engine](how.address)
    if table.begin(resume=how.resume, overwrite=how.overwrite):
        return
    try:
        for source in sources:
            if isinstance(source, Query):
                source.pages = table.pages
        done = table.finished(work.schema, how.say)
        n = 0

        def missing() -> Iterator[Part]:
            nonlocal n
            for part in cut(chain(sources), how.part_size):
                n = part.index + 1
                if part.index in done:
                    how.tell(part.size, True)
                else:
                    yield part

        for part, content in run(work, missing(), workers=how.workers):
            table.write(part.index, content)
            how.tell(part.size, False)
        table.assemble(n, work, metadata, regroup=regroup)
    finally:
        table.leave()
