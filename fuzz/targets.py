"""Every harness: a name, what it does with an input, what it may raise.

An input of several parts (the files of a folder, the members of an archive) has them one after another, with a line of
``%%%`` between. Modules of ParAIsite are imported inside, so that a run loads and instruments only what it tries.
"""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import sqlite3
import tarfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from fuzz.rule import broken, items
from paraisite.crystals import Crystal, Rejection
from paraisite.crystals.files import to_text
from paraisite.crystals.formats import sniff
from paraisite.crystals.read import read, read_member

CUT = b"\n%%%\n"

GOOD = b"GaAs\n1.0\n0 2.83 2.83\n2.83 0 2.83\n2.83 2.83 0\nGa As\n1 1\nDirect\n0 0 0\n0.25 0.25 0.25\n"
LAST = "".join(
    [f"_cell_length_{axis} 3\n" for axis in "abc"]
    + [f"_cell_angle_{angle} 60\n" for angle in ("alpha", "beta", "gamma")]
    + ["_atom_site_label Fe1\n", *(f"_atom_site_fract_{axis} 0\n" for axis in "xyz")]
)
"""Crystals that are put beside an input, as POSCAR and CIF: they have to come out whatever the rest is."""


@dataclass(frozen=True, slots=True)
class Target:
    """A harness.

    Attributes
    ----------
    name : str
        Also of its folder of seeds, and of its dictionary where there is one.
    what : str
        What it tries, in words.
    check : callable
        Takes an input and an empty folder; raises `fuzz.rule.Finding` where the rule is broken.
    errors : callable
        Returns the exceptions that are answers.
    longest : int
        Bytes of an input at most.
    dictionary : str
        Tokens for mutations; empty for none.
    json : bool
        Whether parts of inputs are JSON, so that values inside are mutated, too.
    """

    name: str
    what: str
    check: Callable[[bytes, Path], None]
    errors: Callable[[], tuple[type[Exception], ...]]
    longest: int
    dictionary: str
    json: bool


TARGETS: dict[str, Target] = {}


def target(
    what: str,
    *,
    errors: Callable[[], tuple[type[Exception], ...]] = tuple,
    longest: int = 4096,
    dictionary: str = "",
    json: bool = False,
) -> Callable[[Callable[[bytes, Path], None]], Callable[[bytes, Path], None]]:
    """Register a harness under the name of its function."""

    def register(check: Callable[[bytes, Path], None]) -> Callable[[bytes, Path], None]:
        name = check.__name__.replace("_", "-")
        TARGETS[name] = Target(name, what, check, errors, longest, dictionary, json)
        return check

    return register


def _of_kind(name: str, kind: str, data: bytes) -> None:
    """Read a file of one format; what looks like another one is left to its own harness."""
    if sniff(data) in (kind, None):
        items(read_member(name, data, "archive.zip", "majority" if len(data) % 4 == 0 else "reject"))


@target("CIF: text, symmetry, sites, occupancies", dictionary="cif")
def cif(data: bytes, folder: Path) -> None:
    _of_kind("x.cif", "cif", data)


@target("CIF before a good block: that comes out", dictionary="cif")
def cif_blocks(data: bytes, folder: Path) -> None:
    from paraisite.crystals.cif import read_cif

    text = f"{to_text(data)}\ndata_the_last\n{LAST}"
    last = items(read_cif(text, id="x", source="x.cif"))[-1]
    unreadable = isinstance(last, Rejection) and last.reason.startswith("not a readable CIF")
    if not unreadable and not (isinstance(last, Crystal) and last.formula == "Fe"):
        broken("rows: the last block", repr(last))


@target("POSCAR and CONTCAR", dictionary="poscar")
def poscar(data: bytes, folder: Path) -> None:
    _of_kind("x.vasp", "poscar", data)


@target("extended XYZ as a file", dictionary="xyz")
def xyz(data: bytes, folder: Path) -> None:
    _of_kind("x.xyz", "xyz", data)


@target("extended XYZ, n frames of any content: n rows", dictionary="xyz")
def xyz_frames(data: bytes, folder: Path) -> None:
    from paraisite.crystals.xyz import read_xyz

    lines: list[bytes] = []
    frames = data.split(CUT)
    for frame in frames:
        comment, *rows = frame.split(b"\n")
        lines += [str(len(rows)).encode(), comment, *rows]
    items(read_xyz((to_text(line) + "\n" for line in lines), id="x", source="x.xyz"), n=len(frames))


@target("JSON of pymatgen, JARVIS, OPTIMADE and ASE, tables and databases", dictionary="json", json=True)
def json_document(data: bytes, folder: Path) -> None:
    _of_kind("x.json", "json", data)


@target("a JSON list with a good structure before and after any value: both come out", dictionary="json", json=True)
def json_list(data: bytes, folder: Path) -> None:
    from paraisite.crystals.pymatgen_json import read_json

    good = '{"lattice_mat": [[3, 0, 0], [0, 3, 0], [0, 0, 3]], "coords": [[0, 0, 0]], "elements": ["Po"]}'
    try:
        json.loads(text := to_text(data))
    except (ValueError, RecursionError):
        return
    found = items(read_json(f"[{good}, {text}, {good}]", id="x", source="x.json"))
    if len(found) < 3 or not (isinstance(found[0], Crystal) and isinstance(found[-1], Crystal)):
        broken("rows: JSON list", repr(found)[:300])


@target("JSON Lines: a row for each line", dictionary="json", json=True)
def json_lines(data: bytes, folder: Path) -> None:
    from paraisite.crystals.pymatgen_json import read_jsonl

    lines = [to_text(line) for line in data.split(b"\n")]
    n = sum(bool(line.strip()) for line in lines)
    items(read_jsonl(lines, id="x", source="x.jsonl"), n=max(n, 1))


@target("ASE database: the bytes of an SQLite file", longest=16384)
def ase_db(data: bytes, folder: Path) -> None:
    if not data.startswith(b"SQLite format 3\0"):
        return
    path = folder / "x.db"
    path.write_bytes(data)
    items(read([path]))


@target("ASE database: n rows of any values: n rows", dictionary="json", json=True)
def ase_rows(data: bytes, folder: Path) -> None:
    columns = ("numbers", "positions", "cell", "pbc", "key_value_pairs", "data")
    parts = [(part.startswith(b"u:"), cell(part)) for part in data.split(CUT)]
    rows = [parts[i : i + len(columns)] for i in range(0, len(parts), len(columns))]
    path = folder / "x.db"
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.execute("pragma journal_mode = off")
        database.execute(f"create table systems (id integer primary key, {', '.join(columns)})")
        for row in rows:
            names = ", ".join(columns[: len(row)])
            marks = ", ".join("cast(? as text)" if is_text else "?" for is_text, _ in row)
            database.execute(f"insert into systems ({names}) values ({marks})", [value for _, value in row])
        database.commit()
    items(read([path]), n=len(rows))


def cell(part: bytes) -> Any:
    """What stands in a cell of a table: packed numbers, a number, a text (``u:`` of any bytes), nothing or bytes."""
    import numpy as np

    kind, rest = part[:2], part[2:]
    with contextlib.suppress(ValueError, OverflowError):
        if kind in (b"i:", b"f:"):
            return np.array(rest.decode().split(), "<i4" if kind == b"i:" else "<f8").tobytes()
        if kind == b"n:":
            return min(max(int(rest[:30]), -(2**63)), 2**63 - 1)
        if kind == b"t:":
            return rest.decode()
    return rest if kind in (b"b:", b"u:") else None if kind == b"-:" else part


@target("the bytes of a .zip, .tar, .gz, .bz2 or .xz", longest=16384)
def archive(data: bytes, folder: Path) -> None:
    path = folder / "x"
    path.write_bytes(data)
    items(read([path]))


@target("archives of n members of any name and content, a good one last: n rows at least, and the good crystal")
def members(data: bytes, folder: Path) -> None:
    kind, *files = data.split(CUT)
    made = io.BytesIO()
    names = [f"{i}{_plain_name(file)}" for i, file in enumerate(files)] + ["good.vasp"]
    contents = [file.partition(b"\n")[2] for file in files] + [GOOD]
    if packed := kind.endswith(b"z"):
        names = [f"{name}.gz" for name in names]
        contents = [gzip.compress(content, 1, mtime=0) for content in contents]
    if kind.startswith(b"zip"):
        method = zipfile.ZIP_DEFLATED if b"d" in kind else zipfile.ZIP_LZMA if b"l" in kind else zipfile.ZIP_STORED
        with zipfile.ZipFile(made, "w", method) as archive:
            for name, content in zip(names, contents, strict=True):
                archive.writestr(zipfile.ZipInfo(name), content, method)
    else:
        with tarfile.open(fileobj=made, mode="w", format=tarfile.PAX_FORMAT) as tar:
            for name, content in zip(names, contents, strict=True):
                info = tarfile.TarInfo(name)
                info.size = len(content)
                tar.addfile(info, io.BytesIO(content))
    path = folder / ("x.zip" if kind.startswith(b"zip") else "x.tar")
    path.write_bytes(made.getvalue())
    found = items(read([path]))
    if len({row.source.partition("#")[0] for row in found}) < len(names):
        broken("rows: members", f"{len(names)} members, {[row.source for row in found]}")
    last = found[-1]
    if not isinstance(last, Crystal) or last.formula != "GaAs":
        broken("rows: the good member", f"packed={packed}: {last}")


def _plain_name(file: bytes) -> str:
    """What a member is called, ending as a format does: others are passed over."""
    first = to_text(file.partition(b"\n")[0][:40])
    name = "".join(c for c in first if c.isprintable() and c not in "/\\:#.") or "x"
    return f"{name}.{('cif', 'vasp', 'xyz', 'json', 'jsonl', 'db')[len(name) % 6]}"


def _expression_errors() -> tuple[type[Exception], ...]:
    from paraisite.screening.expression import ExpressionError

    return (ExpressionError,)


@cache
def _table() -> Any:
    import pyarrow as pa

    return pa.table(
        {
            "id": ["mp-1", "perovskite", None, ""],
            "formula": ["GaAs", "SrTiO3", None, "H2"],
            "status": ["ok", "warning", "rejected", "ok"],
            "n_sites": pa.array([2, 5, None, 4], pa.int64()),
            "kappa_W_mK": [1.5, float("inf"), None, -0.0],
            "applicability": [0.5, 0.0, float("nan"), 1.0],
        }
    )


@target("--where of screen --top and report: the mask of a table", errors=_expression_errors, dictionary="where")
def where(data: bytes, folder: Path) -> None:
    from paraisite.screening.expression import Expression

    table = _table()
    expression = Expression(to_text(data), table.column_names)
    mask = expression.mask(table)
    if mask.shape != (table.num_rows,) or mask.dtype != bool:
        broken("mask: shape or type")
    if not set(expression.needs) <= set(table.column_names):
        broken("needs: a column that is not there", repr(expression.needs))


def _dataset_errors() -> tuple[type[Exception], ...]:
    from paraisite.datasets.table import DatasetError

    return (DatasetError,)


@target("pickles of the study: nothing in them is run", errors=_dataset_errors, longest=8192, dictionary="pickle")
def pickle(data: bytes, folder: Path) -> None:
    from paraisite.datasets.study_pickles import read_study

    path = folder / "x.pkl"
    path.write_bytes(data)
    dataset = read_study(path)
    items(dataset.crystals, n=len(dataset.crystals))
    if dataset.rejections:
        items(dataset.rejections, n=len(dataset.rejections))


@cache
def _crystals() -> list[Crystal | Rejection]:
    return [*read_member("good.vasp", GOOD, "x.zip"), Rejection("no", "x.zip::no.cif", "the file is empty")]


def _model_errors() -> tuple[type[Exception], ...]:
    from paraisite.model.checkpoint import CheckpointError
    from paraisite.model.registry import ModelError

    return (CheckpointError, ModelError)


@target(
    "model folders: card, weights, kernel, neighbourhood, known compounds; two inputs predicted: two rows",
    errors=_model_errors,
    longest=65536,
    dictionary="model",
    json=True,
)
def model(data: bytes, folder: Path) -> None:
    from paraisite.prediction import Predictor

    files = ("card.json", "kappa.safetensors", "neighbourhood.safetensors", "kernel.safetensors", "known.csv")
    for name, part in zip(files, data.split(CUT), strict=False):
        if part:
            (folder / name).write_bytes(part)
    rows = Predictor.from_pretrained(str(folder), mirror=folder).predict(_crystals())
    if [row.id for row in rows] != ["good", "no"] or not all(row.status for row in rows):
        broken("rows: predictions", repr(rows)[:300])


@cache
def part(n: int) -> bytes:
    from paraisite.screening.part import Part
    from paraisite.screening.predicting import Screening

    raw = tuple(Rejection(f"good-{i}", "x.zip", "the file is empty") for i in range(n))
    return Screening("kappa").rejected(Part(0, raw), "the file is empty")


def _resume_errors() -> tuple[type[Exception], ...]:
    from paraisite.screening.unfinished import ResumeError

    return (ResumeError,)


@target(
    "an unfinished screening: manifest, list of parts, parts, finished table; resumed, it has every row",
    errors=_resume_errors,
    longest=65536,
    dictionary="json",
    json=True,
)
def screening(data: bytes, folder: Path) -> None:
    from pyarrow import parquet

    from paraisite.screening.predicting import Screening
    from paraisite.screening.unfinished import DONE, MANIFEST, Unfinished, unfinished_folder

    names = (MANIFEST, DONE, "part-000000.parquet", "part-000001.parquet", "table")
    out, work = folder / "out.parquet", Screening("kappa")
    inside = unfinished_folder(out)
    inside.mkdir()
    for name, content in zip(names, data.split(CUT), strict=False):
        if content:
            (out if name == "table" else inside / name).write_bytes(content)
    unfinished = Unfinished(out, {"sources": [{"input": "x.zip", "bytes": 10}], "level": 0.9})
    try:
        if unfinished.begin(resume=True, overwrite=False):
            return
        done = unfinished.finished(work.schema)
        missing = {0, 1} - done
        for index in missing:
            unfinished.write(index, part(2 + index))
        rows = [parquet.ParquetFile(inside / f"part-{index:06d}.parquet").metadata.num_rows for index in (0, 1)]
        unfinished.assemble(2, work, {}, regroup=True)
        if parquet.ParquetFile(out).read().num_rows != sum(rows):
            broken("rows: the table", f"parts of {rows} rows")
    finally:
        unfinished.release()
