"""All CIFs of the data folder: composition, volume and number of sites as pymatgen reads them."""

from __future__ import annotations

import gzip
import json
import warnings
import zipfile
from pathlib import Path

import pytest

from paraisite.crystals import Crystal, count, read

SIZES = {"l96": 95, "hh143": 143, "aflow_agl": 5578, "mp_stable": 2228}


@pytest.mark.data
@pytest.mark.slow
@pytest.mark.parametrize("folder", SIZES)
def test_every_cif_is_read_as_by_pymatgen(folder: str, mirror: Path) -> None:
    from pymatgen.io.cif import CifParser

    path = mirror / folder / "cif.zip"
    assert count([path]) == SIZES[folder]
    crystals = list(read([path], vacuum=True))
    assert len(crystals) == SIZES[folder]
    with zipfile.ZipFile(path) as archive, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for crystal, info in zip(crystals, archive.infolist(), strict=True):
            assert isinstance(crystal, Crystal), crystal
            assert crystal.source == f"{path}::{info.filename}"
            assert crystal.id == info.filename.removesuffix(".cif")
            text = archive.read(info).decode()
            structure = CifParser.from_str(text, check_cif=False).parse_structures(primitive=False, on_error="ignore")[
                0
            ]
            assert crystal.n_sites == len(structure), crystal.id
            assert crystal.formula == structure.composition.reduced_formula, crystal.id
            assert crystal.volume == pytest.approx(structure.volume, rel=1e-6), crystal.id


@pytest.mark.data
@pytest.mark.parametrize(
    "name", ["alexandria-binary-pbe-phonon-2025.1.json.gz", "mp-binary-pbe-elasticity-2025.1.json.gz"]
)
def test_every_record_of_matcalc_is_read(name: str, mirror: Path) -> None:
    path = mirror / "matcalc" / name
    records = json.loads(gzip.decompress(path.read_bytes()))
    crystals = list(read([path], vacuum=True))
    assert [c.id for c in crystals] == [r["mp_id"] for r in records]
    differing = [c.id for c, r in zip(crystals, records, strict=True) if c.formula != r["formula"]]
    # the structure of mp-22880 is FeBr2, its formula column says FeB2
    assert differing == (["mp-22880"] if name.startswith("mp-") else [])
