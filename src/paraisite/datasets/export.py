"""`export`: a dataset as files that other programs read.

What each format holds, and so what a round trip through `paraisite.crystals.read` or `paraisite.datasets.load` returns:

=========  =====================================================================  =====================================
format     exact to the bit                                                       not kept
=========  =====================================================================  =====================================
id_prop    atomic numbers, fractional positions, targets; order and ids of rows   orientation of the cell (a CIF holds
                                                                                  lengths and angles: 1e-12 relative);
                                                                                  provenance, labels, notes
extxyz     atomic numbers, cell, Cartesian positions, targets, labels,            fractional positions are computed
           provenance; order and ids                                              from Cartesian ones (1e-12)
ase        as extxyz                                                              as extxyz
pymatgen   atomic numbers, cell, fractional positions, targets, labels,           —
           provenance; order and ids
=========  =====================================================================  =====================================

Numbers are written with as many digits as tell one double from the next (up to 17).
"""

from __future__ import annotations

import gzip
import io
import json
import os
import re
import shutil
import sqlite3
import warnings
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal, get_args

import numpy as np

from paraisite.crystals.crystal import Crystal
from paraisite.crystals.elements import SYMBOLS
from paraisite.crystals.formats import split_name
from paraisite.crystals.write_cif import cif_text
from paraisite.datasets.dataset import KAPPA, Dataset
from paraisite.datasets.load import ARCHIVE
from paraisite.datasets.store import TABLE, free_name, utf8
from paraisite.datasets.table import ID_COLUMNS, KAPPA_COLUMNS, LABEL_COLUMNS, PER_CELL, DatasetError, is_temperature
from paraisite.files.csv_cells import CsvWriter
from paraisite.files.names import each_once
from paraisite.files.outputs import refuse_existing
from paraisite.files.replacing import replacing

Format = Literal["id_prop", "extxyz", "ase", "pymatgen"]
FORMATS: tuple[str, ...] = get_args(Format)

ID_KEY = "material_id"
"""Key of the id in the records of extxyz, ase and pymatgen; it goes before any other that readers know."""

_FILES = {"extxyz": ("xyz", ".xyz or .extxyz"), "ase": ("db", ".db"), "pymatgen": ("json", ".json.gz or .json")}
_TAKEN = (ID_KEY, "structure", "provenance", "lattice", "sites", "properties", "pbc", "stress", "virial", "uid")
"""Keys that mean something else to a reader; a target or label of this name gets an underscore."""


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written: the path, its rows, how many were left out, and ids before and after where they changed."""

    path: Path
    rows: int
    left_out: int = 0
    renamed: tuple[tuple[str, str], ...] = ()


def export(
    dataset: Dataset,
    out: str | Path,
    format: Format,
    *,
    targets: Sequence[str] | None = None,
    header: bool = True,
    loose: bool = False,
    file_names: bool = False,
    overwrite: bool = True,
) -> Exported:
    """Write a dataset for other programs.

    Parameters
    ----------
    dataset : Dataset
    out : str or Path
        For `id_prop` a folder that is empty or does not exist yet, else a file.
    format : {"id_prop", "extxyz", "ase", "pymatgen"}
        ``id_prop``: a table `id_prop.csv` and one CIF per row; ``extxyz``: extended XYZ with the targets in each
        second line; ``ase``: an ASE database (SQLite) with the targets as key-value pairs (under `data` too, where also
        those are whose name or value ASE does not take as a pair); ``pymatgen``: a JSON list of records with the
        targets beside a ``structure``, as `monty.serialization.loadfn` reads it.
    targets : sequence of str, optional
        Which targets to write; by default all.
    header : bool
        For `id_prop`: whether the table begins with the names of its columns (id, formula, then the targets). CGCNN
        and ALIGNN want none; the columns are the id and one target then, which `load` takes for the conductivity.
    loose : bool
        For `id_prop`: whether the CIFs lie beside the table instead of in `cif.zip`.
    file_names : bool
        For `id_prop`: whether the first column is the name of the CIF (as ALIGNN wants it) instead of the id.
    overwrite : bool
        Whether a file that exists already is replaced, once the new one is complete.

    Returns
    -------
    Exported
        In an `id_prop` table a row without a value is left out (without a header, one that lacks any of them), for no
        reader takes it. An id that can be no file name, or that another row has too, is changed there.

    Raises
    ------
    DatasetError
        If a target does not exist or cannot stand in the format, or the output cannot be written.
    """
    out = Path(out).expanduser()
    unknown = [target for target in targets or () if target not in dataset.targets]
    if unknown:
        known = ", ".join(dataset.targets) or "none"
        raise DatasetError(f"{dataset.name}: has no target {', '.join(unknown)}; it has {known}")
    chosen = {target: dataset.targets[target] for target in (dataset.targets if targets is None else targets)}
    if format not in FORMATS:
        raise DatasetError(f"{format}: unknown format; choose from {', '.join(FORMATS)}")
    if format != "id_prop":
        kind, suffixes = _FILES[format]
        if split_name(out.name)[1] != kind or (out.suffix == ".gz" and format == "ase"):
            raise DatasetError(f"{out}: name a file that ends in {suffixes} for the format {format}")
        refuse_existing(out, overwrite)
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        if format == "id_prop":
            return _write_id_prop(dataset, chosen, out, header=header, loose=loose, file_names=file_names)
        with replacing(out) as aside:
            if format == "ase":
                _write_ase(dataset, chosen, aside)
            else:
                with _text_writer(aside, packed=out.suffix.lower() == ".gz") as stream:
                    (_write_extxyz if format == "extxyz" else _write_pymatgen)(dataset, chosen, stream)
    except (OSError, sqlite3.Error) as error:  # the second of a full disk under an ASE database
        why = error.strerror if isinstance(error, OSError) and error.strerror else error
        raise DatasetError(f"{out}: cannot be written ({why}); name another place") from error
    return Exported(out, len(dataset))


Targets = dict[str, np.ndarray]


def _write_id_prop(
    dataset: Dataset, targets: Targets, out: Path, *, header: bool, loose: bool, file_names: bool
) -> Exported:
    if not targets:
        raise DatasetError(f"{dataset.name}: has no targets, which {TABLE} needs; choose another format")
    if not header and len(targets) > 1:
        raise DatasetError(f"{TABLE} without a header holds one target; choose one of {', '.join(targets)}")
    reserved = {*ID_COLUMNS, *KAPPA_COLUMNS, *LABEL_COLUMNS, *PER_CELL}
    for target in targets if header else ():
        misread = target != KAPPA and (target.casefold() in reserved or is_temperature(target))
        if misread or target != " ".join(target.split()) or not target:
            raise DatasetError(f"{TABLE} cannot hold a target called {target!r}; choose others, or another format")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise DatasetError(f"{out}: exists already; name a new or an empty folder")
    missing = np.isnan(list(targets.values()))
    rows = np.flatnonzero(~(missing.all(axis=0) if header else missing.any(axis=0))).tolist()
    if not rows:
        raise DatasetError(f"{dataset.name}: no row has a value of {', '.join(targets)}; choose another target")
    ids = [dataset.crystals[i].id for i in rows]
    names = _file_names(ids)
    with _folder_replacing(out) as aside:
        with _cif_writer(aside, loose) as write:
            for i, name in zip(rows, names, strict=True):
                write(f"{name}.cif", cif_text(dataset.crystals[i], name))
        with (aside / TABLE).open("w", encoding="utf-8", newline="") as stream:
            writer = CsvWriter(stream)
            if header:
                writer.writerow(["id", "formula", *targets])
            for i, name in zip(rows, names, strict=True):
                values = [repr(value) if (value := column[i].item()) == value else "" for column in targets.values()]
                label = f"{name}.cif" if file_names else name
                writer.writerow([label, *([dataset.formulas[i]] if header else []), *values])
    renamed = tuple((id_, name) for id_, name in zip(ids, names, strict=True) if id_ != name)
    return Exported(out, len(rows), left_out=len(dataset) - len(rows), renamed=renamed)


def _file_names(ids: Sequence[str]) -> list[str]:
    """Return the ids as names of files, each once; what no file system or table takes is replaced."""
    names = []
    for id_ in ids:
        name = re.sub(r'[\x00-\x1f\x7f-\x9f\u2028\u2029/\\:*?"<>|]', "_", utf8(id_))
        name = re.sub(r"^[\s.#]|^__MACOSX|[\s.]$", "_", name.encode()[:200].decode("utf-8", "ignore"))
        if not name or name.casefold() in (*ID_COLUMNS, *KAPPA_COLUMNS) or name.casefold().endswith(".cif"):
            name += "_"
        names.append(name)
    return each_once(names)


@contextmanager
def _folder_replacing(out: Path) -> Iterator[Path]:
    """Yield a new folder to write to; it becomes `out` (none, or an empty one), and vanishes if anything goes wrong."""
    aside = out.with_name(f".{out.name}.{os.getpid()}.part")
    aside.mkdir()
    try:
        yield aside
        if out.exists():
            out.rmdir()
        os.replace(aside, out)
    except BaseException:
        shutil.rmtree(aside, ignore_errors=True)
        raise


@contextmanager
def _cif_writer(folder: Path, loose: bool) -> Iterator[Any]:
    if loose:
        yield lambda name, text: (folder / name).write_text(text, encoding="utf-8")
        return
    with zipfile.ZipFile(folder / ARCHIVE, "w", zipfile.ZIP_DEFLATED) as archive:

        def write(name: str, text: str) -> None:
            info = zipfile.ZipInfo(name)  # its date is fixed, so that the same data give the same bytes
            info.external_attr = 0o644 << 16
            archive.writestr(info, text, zipfile.ZIP_DEFLATED)

        yield write


def _records(dataset: Dataset, targets: Targets) -> Iterator[tuple[Crystal, dict[str, Any]]]:
    """Yield each crystal with its id, targets, provenance and labels under keys of their own; NaN is left out."""
    taken = set(_TAKEN)
    target_keys = {target: free_name(target, taken) for target in targets}
    label_keys = {label: free_name(label, taken) for label in dataset.labels}
    for i, crystal in enumerate(dataset.crystals):
        values = {target_keys[target]: column[i].item() for target, column in targets.items()}
        texts = {label_keys[label]: utf8(column[i]) for label, column in dataset.labels.items()}
        yield (
            crystal,
            {
                ID_KEY: utf8(crystal.id),
                **{key: value for key, value in values.items() if value == value},
                "provenance": utf8(dataset.provenance[i]),
                **texts,
            },
        )


def _write_extxyz(dataset: Dataset, targets: Targets, stream: IO[str]) -> None:
    # not by ase.io.extxyz, which rounds positions to 8 decimals and does not escape all texts
    for crystal, record in _records(dataset, targets):
        lattice = " ".join(map(repr, crystal.cell.ravel().tolist()))
        pairs = " ".join(_xyz_pair(key, value) for key, value in record.items() if value != "" or key == ID_KEY)
        stream.write(f'{crystal.n_sites}\nLattice="{lattice}" Properties=species:S:1:pos:R:3 {pairs} pbc="T T T"\n')
        for z, row in zip(crystal.numbers.tolist(), (crystal.positions @ crystal.cell).tolist(), strict=True):
            stream.write(f"{SYMBOLS[z]:<2} {row[0]!r} {row[1]!r} {row[2]!r}\n")


def _xyz_pair(key: str, value: str | float) -> str:
    """Write a pair so that ASE's parser gives the same back; a text it would take for something else goes as JSON."""
    if not re.fullmatch(_XYZ_WORD, key):
        key = _xyz_quoted("".join(c if c.isprintable() else "_" for c in key))
    if isinstance(value, float):
        return f"{key}={value!r}"
    plain = re.fullmatch(_XYZ_WORD, value) and value.lower() not in (
        "t",
        "f",
        "true",
        "false",
        "nan",
        "inf",
        "infinity",
    )
    return f"{key}={value if plain else _xyz_quoted(f'_JSON {json.dumps(value)}')}"


_XYZ_WORD = r"[A-Za-z_][A-Za-z0-9_.:/+-]*"


def _xyz_quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _write_ase(dataset: Dataset, targets: Targets, aside: Path) -> None:
    from ase.db import connect
    from ase.db.core import check

    def is_pair(key: str, value: str | float) -> bool:
        """Whether ASE takes it as a key-value pair; it refuses reserved words, and texts that look like numbers."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")  # for keys that are chemical formulas
                check({key: value})  # type: ignore[no-untyped-call]
        except (ValueError, UserWarning):
            return False
        return True

    with connect(aside, type="db", append=False, use_lock_file=False) as database:  # type: ignore[no-untyped-call]
        for crystal, record in _records(dataset, targets):
            pairs = {key: value for key, value in record.items() if is_pair(key, value)}
            database.write(crystal.to_ase(), key_value_pairs=pairs, data=record)


def _write_pymatgen(dataset: Dataset, targets: Targets, stream: IO[str]) -> None:
    before = "["
    for crystal, record in _records(dataset, targets):
        structure = crystal.to_pymatgen().as_dict(verbosity=0)
        stream.write(f"{before}\n{json.dumps({**record, 'structure': structure})}")
        before = ","
    stream.write("[]\n" if before == "[" else "\n]\n")


@contextmanager
def _text_writer(path: Path, packed: bool) -> Iterator[IO[str]]:
    """Open a text file to write, by gzip if `packed`; the same text gives the same bytes."""
    with ExitStack() as stack:
        file: Any = stack.enter_context(path.open("wb"))
        if packed:
            file = stack.enter_context(gzip.GzipFile(filename="", fileobj=file, mode="wb", mtime=0))
        yield stack.enter_context(io.TextIOWrapper(file, encoding="utf-8", newline="\n"))
