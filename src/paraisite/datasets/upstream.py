"""Converters: the public files of a named dataset -> the `Dataset` that its name stands for.

A converter gives the same content, to the last bit of the content hash, as the neutral copies of a mirror, whichever
of the two a user has.
"""

from __future__ import annotations

import csv
import gzip
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from paraisite.crystals.crystal import Crystal
from paraisite.crystals.rejection import Rejection
from paraisite.datasets.dataset import KAPPA, Dataset
from paraisite.datasets.registry import DatasetCard
from paraisite.datasets.table import DatasetError, per_atom

GAS_CONSTANT = 8.31446261815324
"""J/(mol K), exact since 2019 (SI)."""

AFLOW_COLUMNS = {
    "agl_debye": "debye_temperature",
    "agl_gruneisen": "gruneisen",
    "agl_heat_capacity_Cv_300K": "heat_capacity_cv",
    "agl_thermal_expansion_300K": "thermal_expansion",
    "agl_vibrational_entropy_300K_atom": "vibrational_entropy_atom",
    "agl_vibrational_free_energy_300K_atom": "vibrational_free_energy_atom",
    "agl_bulk_modulus_static_300K": "bulk_modulus_static",
}
"""Columns of AFLOW's search (AFLUX) and our names for them; the units are the same."""


def convert(card: DatasetCard, files: Mapping[str, Path]) -> Dataset:
    """Make a named dataset of its upstream files.

    Parameters
    ----------
    card : DatasetCard
    files : mapping of str to Path
        The file (or folder of files) of each address of `card.upstream`.

    Returns
    -------
    Dataset
        Not yet compared with the registry.

    Raises
    ------
    DatasetError
        If a file is not what it should be.
    """
    converters = {"study": _study, "aflow": _aflow, "scan": _scan, "matcalc": _matcalc}
    return converters[card.converter](card.name, files)


def _study(name: str, files: Mapping[str, Path]) -> Dataset:
    """Convert the study's pickles (`X.pkl`, `structures_X.pkl`), which are read without being run."""
    from paraisite.datasets.study_pickles import read_study

    of_url = {url.rpartition("/")[2].startswith("structures_"): (url, path) for url, path in files.items()}
    (url, structures), (_, targets) = of_url[True], of_url[False]
    study = read_study(structures, targets, name)
    if study.rejections:
        raise DatasetError(f"{study.rejections[0].source}: {study.rejections[0].reason}")
    crystals = [through_cif(crystal) for crystal in study.crystals]
    named = [replace(crystal, source=crystal.source.replace(str(structures), url)) for crystal in crystals]
    return replace(study, crystals=tuple(named))


def _aflow(name: str, files: Mapping[str, Path]) -> Dataset:
    """Convert the AGL table, AEL moduli from the tables of CrabNet, and AFLOW's CIFs; sorted by id."""
    from paraisite.crystals.read import read

    (table,) = [path for url, path in files.items() if url.endswith("dataset_5578.csv")]
    ((cif_url, cifs),) = [(url, path) for url, path in files.items() if url.endswith("aflow_cif")]
    rows = {row["aurl"].rpartition("/")[2]: row for row in _rows(table)}
    ids = sorted(rows)
    targets = {
        # the table has the logarithm of a number of six digits
        KAPPA: np.array([float(f"{10 ** float(rows[id_]['log(kappa)']):.6g}") for id_ in ids]),
        **{target: np.array([float(rows[id_][column]) for id_ in ids]) for column, target in AFLOW_COLUMNS.items()},
    }
    for modulus in ("bulk_modulus_vrh", "shear_modulus_vrh"):
        parts = [path for url, path in files.items() if f"/ael_{modulus}/" in url]
        values = {row["cif_id"]: float(row["target"]) for part in parts for row in _rows(part)}
        targets[modulus] = np.array([values.get(id_, np.nan) for id_ in ids])
    crystals = _crystals(read([cifs / f"{id_}.cif" for id_ in ids], vacuum=True))
    crystals = [replace(crystal, source=f"{cif_url}/{crystal.id}.cif") for crystal in crystals]
    return Dataset(name, tuple(crystals), per_atom(targets, crystals), (name,) * len(ids))


def _scan(name: str, files: Mapping[str, Path]) -> Dataset:
    """Convert the study's scans: tables with the text that pymatgen prints for a structure; sorted by id.

    The scans share compounds; the first one that has a compound counts. Rows without a structure (`[]`) are left out.
    """
    found: dict[str, Crystal] = {}
    for url, path in files.items():
        for row in _rows(path):
            if row["mpd_id"] not in found and row["structure"] != "[]":
                found[row["mpd_id"]] = _printed(row["structure"], row["mpd_id"], url)
    crystals = tuple(found[id_] for id_ in sorted(found))
    return Dataset(name, crystals, {}, (name,) * len(crystals))


def _matcalc(name: str, files: Mapping[str, Path]) -> Dataset:
    """Convert a benchmark set of matcalc: records of a pymatgen structure and properties, in their order."""
    from paraisite.crystals.read import read

    ((url, path),) = files.items()
    try:
        records = json.loads(gzip.decompress(path.read_bytes()))
    except (OSError, EOFError, ValueError) as error:
        raise DatasetError(f"{path}: not a packed JSON file ({error}); fetch it again") from error
    crystals = _crystals(read([path], vacuum=True))
    crystals = [replace(crystal, source=f"{url}#{i}") for i, crystal in enumerate(crystals)]
    values = {
        key: np.array([record[key] for record in records], dtype=np.float64)
        for key in records[0]
        if key not in ("mp_id", "formula", "structure")
    }
    if "heat_capacity" in values:  # at constant volume, 300 K, J/(mol K) of the cell -> k_B per atom
        n_sites = np.array([crystal.n_sites for crystal in crystals])
        values["heat_capacity_cv_atom"] = values.pop("heat_capacity") / (GAS_CONSTANT * n_sites)
    return Dataset(name, tuple(crystals), values, (name,) * len(crystals))


def _rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _crystals(items: Iterable[Crystal | Rejection]) -> list[Crystal]:
    """Return the crystals; none of the registered files holds anything else."""
    found = []
    for item in items:
        if isinstance(item, Rejection):
            raise DatasetError(f"{item.source}: {item.reason}")
        found.append(item)
    return found


def through_cif(crystal: Crystal) -> Crystal:
    """Return what is left of a crystal after it was written as a CIF without symmetry, with ten digits, and read.

    The neutral copies were made so. The content hash counts to 1e-6, and some lengths lie on the edge between two such
    steps (mp-1039 of `l96`: 4.5902025 Å): only the same way through the same text decides them alike. It also turns
    each cell into the orientation that cell parameters imply.
    """
    lengths = np.sqrt((crystal.cell**2).sum(axis=1))
    pairs = [(1, 2), (0, 2), (0, 1)]
    cosines = [crystal.cell[i] @ crystal.cell[j] / (lengths[i] * lengths[j]) for i, j in pairs]
    angles = np.degrees(np.arccos(np.clip(cosines, -1.0, 1.0)))
    return _read_p1(
        [f"{value:.10f}" for value in (*lengths, *angles)],
        crystal.symbols,
        [[f"{x:.10f}" for x in position] for position in crystal.positions],
        crystal.id,
        crystal.source,
    )


def _printed(text: str, id: str, source: str) -> Crystal:
    """Read a structure as `print` shows it in pymatgen (six digits): lines `abc`, `angles`, and a table of sites."""
    lines = text.splitlines()
    parameters: dict[str, list[str]] = {}
    for line in lines:
        head, _, rest = line.partition(":")
        parameters.setdefault(head.strip(), rest.split())
    start = next((i for i, line in enumerate(lines) if line.startswith("---")), len(lines))
    sites = [line.split() for line in lines[start + 1 :]]
    try:
        abc, angles = parameters["abc"], parameters["angles"]
        return _read_p1([*abc, *angles], [site[1] for site in sites], [site[2:5] for site in sites], id, source)
    except (KeyError, IndexError, ValueError) as error:
        raise DatasetError(f"{source}: the structure of {id} is not printed as pymatgen does it ({error})") from error


def _read_p1(
    parameters: Sequence[str], symbols: Sequence[str], positions: Sequence[Sequence[str]], id: str, source: str
) -> Crystal:
    """Read the CIF without symmetry that has these numbers, so that our reader of CIFs decides everything else."""
    from paraisite.crystals.cif import read_cif

    names = ("length_a", "length_b", "length_c", "angle_alpha", "angle_beta", "angle_gamma")
    cell = "\n".join(f"_cell_{name} {value}" for name, value in zip(names, parameters, strict=True))
    sites = "\n".join(f"{symbol} {' '.join(xyz)}" for symbol, xyz in zip(symbols, positions, strict=True))
    text = (
        f"data_x\n{cell}\n_symmetry_space_group_name_H-M 'P 1'\nloop_\n_atom_site_type_symbol\n"
        f"_atom_site_fract_x\n_atom_site_fract_y\n_atom_site_fract_z\n{sites}\n"
    )
    return _crystals(read_cif(text, id=id, source=source))[0]
