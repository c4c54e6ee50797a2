"""Harmonic properties of phonons as targets: the table `phonondb_harmonic` and the crystals beside it.

The columns of the table are those that `phonondb.read_archive` computes. They become targets where the crystal has no
imaginary modes, whose frequencies, velocities and heat capacities mean nothing.
"""

from __future__ import annotations

import csv
import gzip
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from paraisite.crystals.check import check
from paraisite.crystals.crystal import Crystal
from paraisite.crystals.elements import NUMBERS
from paraisite.datasets.dataset import Dataset
from paraisite.datasets.table import DatasetError, place

STRUCTURES = "structures.jsonl.gz"
MAX_UNPACKED = 256 << 20
"""Bytes of the structures, unpacked; the registered ones have 4 MB."""

COLUMNS = {
    "max_frequency": "max_frequency",
    "mean_frequency": "mean_frequency",
    "mean_inverse_frequency": "mean_inverse_frequency",
    "mean_square_frequency": "mean_square_frequency",
    "heat_capacity_kB": "heat_capacity_cv_atom",
    "transport_integral": "transport_integral",
    "velocity_mean": "velocity_mean",
    "sound_long": "sound_longitudinal",
    "sound_trans": "sound_transverse",
    "p3_plus": "phase_space",
    "acoustic_max": "acoustic_max",
    "optical_min": "optical_min",
}
"""Columns of the table that are targets, and the names of these; the units stand in `paraisite.targets`."""

POSITIVE = ("sound_longitudinal", "sound_transverse", "optical_min")
"""Targets that are missing where they are not positive: close to the zone centre the crystal is unstable, then."""


def is_stable(row: Mapping[str, Any]) -> bool:
    """Whether no mode of the mesh is imaginary."""
    return float(row["imag_share"]) == 0.0


def harmonic_targets(row: Mapping[str, Any]) -> dict[str, float]:
    """Return the targets of a row of the table (or of `read_archive`), NaN where they are missing or mean nothing."""
    if not is_stable(row):
        return dict.fromkeys(COLUMNS.values(), math.nan)
    values = {target: float(row[column] or math.nan) for column, target in COLUMNS.items()}
    return {target: math.nan if target in POSITIVE and value <= 0 else value for target, value in values.items()}


def read_harmonic(table: Path, name: str) -> Dataset:
    """Read the table of harmonic properties, and the crystals of `STRUCTURES` beside it.

    Parameters
    ----------
    table : Path
        `id_prop.csv`.
    name : str
        Name of the dataset.

    Returns
    -------
    Dataset
        Rows in the order of the table, with the label `stable` (yes or no).

    Raises
    ------
    DatasetError
        If a file cannot be read, or the two do not belong together.
    """
    crystals = _crystals(table.with_name(STRUCTURES))
    try:
        with table.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        found = [harmonic_targets(row) for row in rows]
        kept = tuple(crystals[row["id"]] for row in rows)
    except (OSError, KeyError, ValueError) as error:
        what = f"no crystal or column {error}" if isinstance(error, KeyError) else str(error)
        raise DatasetError(f"{table}: {what}; replace the file in the mirror") from error
    return Dataset(
        name=name,
        crystals=kept,
        targets={target: np.array([values[target] for values in found]) for target in COLUMNS.values()},
        provenance=(name,) * len(kept),
        labels={"stable": tuple("yes" if is_stable(row) else "no" for row in rows)},
    )


def _crystals(path: Path) -> dict[str, Crystal]:
    """Read crystals of one JSON line each (`id`, `lattice` in Å, `species`, `frac`), by id."""
    try:
        with gzip.open(path) as file:
            content = file.read(MAX_UNPACKED + 1)
    except (OSError, EOFError) as error:
        raise DatasetError(f"{path}: cannot be read ({error}); replace the file in the mirror") from error
    if len(content) > MAX_UNPACKED:
        raise DatasetError(f"{path}: more than {MAX_UNPACKED >> 20} MiB; it is not the registered file")
    crystals = {}
    for number, line in enumerate(content.splitlines(), start=1):
        try:
            record = json.loads(line)
            cell, positions = (np.array(record[key], dtype=np.float64) for key in ("lattice", "frac"))
            numbers = np.array([NUMBERS[symbol] for symbol in record["species"]], dtype=np.int64)
            check(cell, numbers, positions)
        except (KeyError, TypeError, ValueError, RecursionError) as error:
            raise DatasetError(
                f"{place(path, number)}: not a crystal ({error}); replace the file in the mirror"
            ) from error
        crystals[record["id"]] = Crystal(cell, numbers, positions, record["id"], f"{path}::{number}")
    return crystals
