"""The Phonix database of anharmonic phonon properties, from the Hugging Face hub.

M. Ohnishi et al., Database and deep-learning scalability of anharmonic phonon properties by automated brute-force
first-principles calculations, npj Comput. Mater. 12, 150 (2026), arXiv:2504.21245; CC BY 4.0. Its table has the
conductivities at 300 K of particles and coherences, `kp[W/mK]` and `kc[W/mK]`, and their sum `klat[W/mK]`, and the
crystal in the column `structure`: the JSON of an ASE `Atoms` (numbers, positions in Å, cell). pymatgen's JSON and CIF
are understood as well.
"""

from __future__ import annotations

import ast
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from paraisite.crystals.crystal import Crystal
from paraisite.crystals.elements import NUMBERS, species_number
from paraisite.crystals.rejection import CrystalError, Rejection
from paraisite.datasets.dataset import KAPPA
from paraisite.datasets.sources.rows import Labelled, check_elements, conductivity, crystal_or_rejection, number
from paraisite.datasets.table import DatasetError
from paraisite.files.printable import counted
from paraisite.network.http import Client, SourceError, check_address, shorten

if TYPE_CHECKING:
    from pyarrow.parquet import ParquetFile

REPOSITORY = "phonix-db/phonix-summary"
TARGETS = {"klat": KAPPA, "kp": "kappa_particle", "kc": "kappa_coherence"}
UNIT = "W/mK"
IDS = ("unique_id", "mp_id", "material_id", "id")
MAX_FILE_BYTES = 4 << 30
"""No file of the set may be larger."""
MAX_TEXT = 4 << 20

T = TypeVar("T")


def query_phonix(
    *,
    elements: Sequence[str] = (),
    limit: int | None = None,
    revision: str = "main",
    repository: str = REPOSITORY,
    endpoint: str | None = None,
    client: Client | None = None,
) -> Iterator[Labelled | Rejection]:
    """Yield the crystals of Phonix that have a conductivity.

    Parameters
    ----------
    elements : sequence of str
        Elements that a crystal must hold, all of them.
    limit : int, optional
        Take at most this many rows.
    revision : str
        Branch, tag or commit of the set.
    repository : str
        Name of the set on the hub.
    endpoint : str, optional
        Address of the hub; by default HF_ENDPOINT, else huggingface.co.
    client : Client, optional
        Its `pages` hold the download; without them the hub's own cache does.

    Raises
    ------
    SourceError
        If the hub does not answer as documented, or the table has other columns.
    DatasetError
        If the query cannot be one.
    """
    client = client or Client()
    wanted = {NUMBERS[symbol] for symbol in check_elements(elements)}
    if endpoint is not None:
        check_address(endpoint)
    return _rows(client, wanted, limit, revision, repository, endpoint)


def _rows(
    client: Client, wanted: set[int], limit: int | None, revision: str, repository: str, endpoint: str | None
) -> Iterator[Labelled | Rejection]:
    from pyarrow import ArrowException, parquet

    taken = 0
    for path, place in _download(client, revision, repository, endpoint):
        try:
            with parquet.ParquetFile(path) as file:
                columns = _columns(file, place)
                client.expected += file.metadata.num_rows
                for row in _table(file, list(columns.values())):
                    values = {name: row[column] for name, column in columns.items()}
                    found = _row(values, place)
                    if found is None or (isinstance(found, Labelled) and not wanted <= _numbers(found)):
                        client.expected -= 1
                        continue
                    yield found
                    taken += 1
                    if taken == limit:
                        return
        except ArrowException as error:
            raise SourceError(place, f"not a Parquet file ({shorten(str(error))})", "try again later") from None


def _numbers(row: Labelled) -> set[int]:
    return set(row.crystal.numbers.tolist())


def _table(file: ParquetFile, columns: list[str]) -> Iterator[dict[str, Any]]:
    for batch in file.iter_batches(batch_size=256, columns=columns):
        yield from batch.to_pylist()


def _download(client: Client, revision: str, repository: str, endpoint: str | None) -> Iterator[tuple[Path, str]]:
    """Yield the Parquet files of the set, and the address of each."""
    try:
        from huggingface_hub import HfApi, constants, hf_hub_download
    except ImportError:
        raise DatasetError("Phonix needs the package huggingface_hub: pip install 'paraisite[data]'") from None
    base = (endpoint or constants.ENDPOINT).rstrip("/")
    asked = f"{base}/datasets/{repository}/tree/{revision}"
    cache = None if client.pages is None else client.pages / "hub"
    common: dict[str, Any] = {"revision": revision, "repo_type": "dataset", "token": False}  # the set is public

    def ask(call: Callable[[], T]) -> T:
        try:
            return call()  # the hub's client asks again by itself, and resumes a download that broke off
        except Exception as error:  # and lets through whatever its parts raise
            came = f"{type(error).__name__}: {shorten(str(error))}"
            remedy = "check the network, the revision and HF_ENDPOINT, or try again later"
            raise SourceError(asked, came, remedy) from None

    names = ask(lambda: sorted(HfApi(endpoint=base).list_repo_files(repository, **common)))
    tables = [name for name in names if name.endswith(".parquet")]
    if not tables:
        raise SourceError(asked, f"the files {shorten(', '.join(names))}, none of them Parquet", "name a revision")
    options: dict[str, Any] = common | {"endpoint": base, "cache_dir": cache}
    for name in tables:
        place = f"{base}/datasets/{repository}/resolve/{revision}/{name}"
        announced: Any = ask(partial(hf_hub_download, repository, name, dry_run=True, **options))
        size = announced.file_size
        if size > MAX_FILE_BYTES:
            raise SourceError(place, f"a file of {size >> 20} MiB", "it exceeds the size limit; report it")
        yield Path(ask(partial(hf_hub_download, repository, name, **options))), place


def _columns(file: ParquetFile, place: str) -> dict[str, str]:
    """Return the columns of the table under the names used here."""
    names: list[str] = list(file.schema_arrow.names)
    found: dict[str, str] = {}
    for name in names:
        plain, _, unit = name.partition("[")
        plain = plain.strip()
        if plain in TARGETS and unit and "".join(unit.rstrip("]").split()).replace("/m/K", "/mK") != UNIT:
            raise SourceError(place, f"the column {name!r}", f"its unit is not {UNIT}; name an older revision")
        if plain in (*TARGETS, "structure"):
            found[plain] = name
    found |= {"id": next((name for name in IDS if name in names), "")}
    missing = [name for name in ("klat", "structure", "id") if not found.get(name)]
    if missing:
        came = f"a table with the columns {shorten(', '.join(names))}"
        raise SourceError(place, came, f"without {', '.join(missing)} it cannot be read; name an older revision")
    return found


def _row(values: Mapping[str, Any], place: str) -> Labelled | Rejection | None:
    """Return what a row of the table holds, None if it has no conductivity (a calculation that was not finished)."""
    id_ = str(values["id"] or "")
    source = f"{place}#{id_}"
    try:
        targets = {target: number(values.get(name)) for name, target in TARGETS.items() if name in values}
        if math.isnan(targets[KAPPA]):
            return None
        conductivity(targets[KAPPA])
    except ValueError as error:
        return Rejection(id_, source, f"{error}; leave it out, or report it to Phonix")
    crystal = crystal_or_rejection(lambda: _crystal(values["structure"], id_, source), id=id_, source=source)
    return crystal if isinstance(crystal, Rejection) else Labelled(crystal, targets, {"fidelity": "DFT"})


def _crystal(structure: Any, id_: str, source: str) -> Crystal:
    if isinstance(structure, str):
        text = structure.strip()
        if len(text) > MAX_TEXT:
            raise CrystalError(f"its structure is a text of {len(text) >> 20} MiB; report it to Phonix")
        if not text.startswith("{"):
            return _from_cif(text, id_, source)
        try:
            structure = json.loads(text)
        except ValueError:
            structure = _literal(text)
    if not isinstance(structure, Mapping):
        raise CrystalError(f"its structure is {shorten(str(structure), 60)!r}; a dictionary, JSON or CIF is understood")
    if "sites" in structure:
        from paraisite.crystals.pymatgen_json import read_record

        return _or_raise(read_record(dict(structure), id_, source))
    missing = [key for key in ("cell", "positions", "numbers") if structure.get(key) is None]
    if "symbols" in structure and "numbers" in missing:
        missing.remove("numbers")
    if missing:
        known = ", ".join(map(str, structure))
        raise CrystalError(
            f"its structure has {shorten(known, 80)} and lacks {', '.join(missing)}; report it to Phonix"
        )
    cell = np.array(structure["cell"], dtype=float)
    if cell.shape != (3, 3) or not np.isfinite(cell).all() or abs(np.linalg.det(cell)) < 1e-9:
        raise CrystalError("its cell is not three vectors that span space; report it to Phonix")
    given = structure.get("numbers") or [species_number(str(symbol)) for symbol in structure["symbols"]]
    numbers = np.array(given, dtype=np.int64)
    cartesian = np.array(structure["positions"], dtype=float)
    if numbers.ndim != 1 or cartesian.shape != (len(numbers), 3):
        raise CrystalError(
            f"{counted(len(cartesian), 'position')} for {counted(len(numbers), 'atom')}; report it to Phonix"
        )
    return Crystal(cell, numbers, np.linalg.solve(cell.T, cartesian.T).T, id_, source)


def _literal(text: str) -> Any:
    """Read a dictionary as Python prints it, which ASE's users write; nothing but data is understood."""
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        raise CrystalError(f"its structure {shorten(text, 60)!r} is not readable JSON; report it to Phonix") from None


def _from_cif(text: str, id_: str, source: str) -> Crystal:
    from paraisite.crystals.cif import read_cif

    if "_cell_length_a" not in text:
        raise CrystalError(f"its structure {shorten(text, 60)!r} is neither JSON nor CIF; report it to Phonix")
    return _or_raise(next(iter(read_cif(text, id=id_, source=source))))


def _or_raise(row: Crystal | Rejection) -> Crystal:
    if isinstance(row, Rejection):
        raise CrystalError(row.reason)
    return row
