"""`write_report`: a table of predictions to a folder with a page, a shortlist and the crystals on it."""

from __future__ import annotations

import csv
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pyarrow import parquet

from paraisite.files import arrow
from paraisite.files.outputs import refuse_folder
from paraisite.files.replacing import naming
from paraisite.network.downloading import sha256
from paraisite.screening.report import figures
from paraisite.screening.report.census import COLUMNS, Census
from paraisite.screening.report.page import Figure, page
from paraisite.screening.report.scene import scene
from paraisite.screening.shortlist import Wish, row_groups, shortlist, write_csv
from paraisite.screening.structures import find_structures, write_cifs
from paraisite.screening.unfinished import finished_manifest
from paraisite.versions import versions

PAGE, SHORTLIST, CIFS = "index.html", "shortlist.csv", "cifs"
"""What a folder of a report holds."""

UNCERTAIN = 10
"""Rows with the widest intervals that are shown."""

MOST_DRAWN = 1000
"""Sites of the largest crystal that is drawn."""


@dataclass(frozen=True)
class Report:
    """What was written.

    Attributes
    ----------
    page : Path
    table : pyarrow.Table
        The shortlist.
    not_found : tuple of str
        Ids of the shortlist whose crystals are neither at their source nor anywhere else that was named.
    """

    page: Path
    table: pa.Table
    not_found: tuple[str, ...]


def write_report(
    path: Path,
    out: Path,
    wish: Wish = Wish(),  # noqa: B008
    *,
    structures: Sequence[str] = (),
    where: str = "",
    overwrite: bool = False,
) -> Report:
    """Write a folder with ``index.html``, ``shortlist.csv`` and ``cifs``.

    Parameters
    ----------
    path : Path
        Predictions in Parquet.
    out : Path
        The folder; must be new or empty, or hold a report and `overwrite` be given.
    wish : Wish
    structures : sequence of str
        Where crystals are looked for that are no longer at their source.
    where : str
        What `wish.keep` asks, in words.
    overwrite : bool
        Replace the report that `out` holds; files in it that no report wrote stay.

    Raises
    ------
    ShortlistError
        If the table cannot be used.
    OutputExists
        If the folder must not be written to.
    """
    refuse_folder(out, "report", _holds_report, overwrite)
    manifest = finished_manifest(path) or {}
    table = shortlist(path, wish)
    census = Census.of(row_groups(path, COLUMNS), wish, parquet.read_metadata(path).num_rows)
    calibrated = np.isfinite(census.points[1]).any()
    uncertain = shortlist(path, Wish(rank="uncertainty", top=UNCERTAIN)).to_pylist() if calibrated else []

    rows = table.to_pylist()
    crystals = find_structures(rows, structures, _inputs(manifest))
    with _replacing_report(out) as aside:
        names = write_cifs(crystals, aside / CIFS)
        table = table.append_column("cif", arrow.texts(names))
        write_csv(table, aside / SHORTLIST)
        with tempfile.TemporaryDirectory() as folder:
            html = page(
                census,
                [row | {"rank": n, "cif": names[n - 1]} for n, row in enumerate(rows, start=1)],
                [None if c is None or c.n_sites > MOST_DRAWN else scene(c) for c in crystals],
                [row | {"rank": n} for n, row in enumerate(uncertain, start=1)],
                _figures(census, Path(folder)),
                _provenance(path, manifest, wish, where),
                manifest.get("options", {}).get("level"),
            )
        with naming(out / PAGE):
            (aside / PAGE).write_text(html, encoding="utf-8", errors="backslashreplace")
    return Report(out / PAGE, table, tuple(r["id"] for r, c in zip(rows, crystals, strict=True) if c is None))


def _holds_report(folder: Path) -> bool:
    """Whether a folder holds a report, by the first column of its shortlist."""
    path = folder / SHORTLIST
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(5) == b"rank,"


@contextmanager
def _replacing_report(out: Path) -> Iterator[Path]:
    """Yield a folder to write a report to; at the end its files go to `out`, and those of an earlier report are gone.

    The CIFs of an earlier one are those that its shortlist names: what else a user put beside them is not ours.
    """
    new = not out.exists()
    out.mkdir(parents=True, exist_ok=True)
    aside = Path(tempfile.mkdtemp(prefix=".report-", dir=out))
    try:
        yield aside
        for name in _named_cifs(out / SHORTLIST):
            (out / CIFS / name).unlink(missing_ok=True)
        (out / CIFS).mkdir(exist_ok=True)
        for path in sorted((aside / CIFS).iterdir()):
            os.replace(path, out / CIFS / path.name)
        for name in (SHORTLIST, PAGE):
            os.replace(aside / name, out / name)
    finally:
        shutil.rmtree(aside, ignore_errors=True)
        if new:
            with suppress(OSError):  # unless something was written
                out.rmdir()


def _named_cifs(path: Path) -> list[str]:
    """Names of the CIFs of an earlier report, by its shortlist; of names that are paths, none."""
    if not path.is_file():
        return []
    with path.open(encoding="utf-8", errors="replace", newline="") as file:
        names = [row.get("cif") or "" for row in csv.DictReader(file)]
    return [name for name in names if name.endswith(".cif") and name == Path(name).name]


def _figures(census: Census, folder: Path) -> list[Figure]:
    if not census.bins.any():
        return []
    figures.elements(census, folder / "elements.png")
    return [Figure(folder / "elements.png", "The elements of all predicted crystals.", wide=True)]


def _inputs(manifest: Mapping[str, Any]) -> list[str]:
    """Files that a screening read, by its manifest."""
    groups = [s for s in manifest.get("sources", []) if isinstance(s, list)]
    return [entry["input"] for group in groups for entry in group if isinstance(entry, dict) and "input" in entry]


def _provenance(path: Path, manifest: Mapping[str, Any], wish: Wish, where: str) -> dict[str, str]:
    wishes = {key: value for key, value in vars(replace(wish, keep=None)).items() if value is not None}
    said = {"table": str(path), "its SHA-256": sha256(path)}
    if manifest:
        said["sources"] = "; ".join(
            ", ".join(str(e.get("input", e)) for e in s) if isinstance(s, list) else _pairs(s)
            for s in manifest.get("sources", [])
        )
        said["model and options"] = _pairs(manifest.get("options", {}))
        said["SHA-256 of the model"] = _pairs(manifest.get("model", {}))
        said["predicted with"] = _pairs(manifest.get("versions", {}))
    else:
        said["model and options"] = "not recorded in the table; `paraisite screen` records them"
    said["wishes"] = _pairs(wishes | ({"where": where} if where else {}))
    said["report made with"] = _pairs(versions())
    return said


def _pairs(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{key}: {value}" for key, value in values.items() if value not in (None, "", [], ()))
