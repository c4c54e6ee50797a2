"""Structures as they come: warned of, relaxed, predicted, in Python, by `predict` and by `screen`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase.build import bulk
from pyarrow import parquet

from paraisite.crystals import Crystal, Rejection
from paraisite.potentials.relaxing import Relaxer, RelaxSettings
from paraisite.prediction import Options, Predictor
from paraisite.screening.predicting import Screening
from paraisite.screening.run import How, screen
from paraisite.screening.sources import Files
from paraisite.screening.unfinished import ResumeError

METALS = RelaxSettings(potential="ase.calculators.emt:EMT")


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    return Predictor.from_pretrained()


def test_a_strained_crystal_is_warned_of(predictor: Predictor) -> None:
    salt = Crystal.from_ase(bulk("NaCl", "rocksalt", a=5.64))
    as_it_is, wide, tight = predictor.predict([replace(salt, cell=f * salt.cell) for f in (1.0, 1.1, 0.9)])
    assert (as_it_is.status, wide.status, tight.status) == ("ok", "warning", "warning")
    assert "% above" in wide.reason
    assert "% below" in tight.reason


def test_a_relaxed_crystal_is_predicted_as_the_unstrained_one(predictor: Predictor) -> None:
    relaxer = Relaxer(METALS)
    copper = relaxer(Crystal.from_ase(bulk("Cu"), id="Cu"))
    assert isinstance(copper, Crystal)
    strained = replace(copper, cell=1.05 * copper.cell)
    items = [copper, strained, relaxer(strained), relaxer(Crystal.from_ase(bulk("NaCl", "rocksalt", a=5.64)))]
    plain, far, back, failed = predictor.stream(items, Options(relaxed=True))
    assert plain.kappa_W_mK is not None
    assert far.kappa_W_mK is not None
    assert abs(np.log10(far.kappa_W_mK / plain.kappa_W_mK)) > 0.1
    assert back.kappa_W_mK == pytest.approx(plain.kappa_W_mK, rel=0.03)
    assert back.properties["relaxed_volume_change"] == pytest.approx(1.05**-3 - 1, abs=5e-3)
    assert failed.status == "rejected"


def test_columns_of_a_screening(tmp_path: Path) -> None:
    """One row for each input, whether it is relaxed or not, and the structure that was predicted."""
    for name in ("Cu", "Al", "Ag"):
        bulk(name).write(tmp_path / f"{name}.cif")
    bulk("NaCl", "rocksalt", a=5.64).write(tmp_path / "NaCl.cif")
    out, plain = tmp_path / "out.parquet", tmp_path / "plain.parquet"
    sources = [Files((str(tmp_path / "*.cif"),))]
    work = Screening("kappa", relax=METALS)
    screen(sources, out, work, How(workers=0))
    screen(sources, plain, replace(work, relax=None), How(workers=0))
    table = parquet.read_table(out)
    assert set(table.column_names) - set(parquet.read_schema(plain).names) == {"relaxed_volume_change", "relaxed_cif"}
    rows: list[dict[str, Any]] = table.to_pylist()
    assert [row["id"] for row in rows] == ["Ag", "Al", "Cu", "NaCl"]
    assert [bool(row["relaxed_cif"]) for row in rows] == [True, True, True, False]
    assert rows[-1]["status"] == "rejected"
    (tmp_path / "relaxed.cif").write_text(rows[2]["relaxed_cif"])
    again = Predictor.from_pretrained().predict(_read(tmp_path / "relaxed.cif"))
    assert again[0].kappa_W_mK == pytest.approx(rows[2]["kappa_W_mK"], rel=1e-5)


def _read(path: Path) -> list[Crystal | Rejection]:
    from paraisite.crystals import read

    return list(read([path]))


def test_a_run_is_not_resumed_with_another_relaxation(tmp_path: Path) -> None:
    bulk("Cu").write(tmp_path / "Cu.cif")
    out, sources = tmp_path / "out.parquet", [Files((str(tmp_path / "Cu.cif"),))]
    work = Screening("kappa", relax=METALS)
    screen(sources, out, work, How(workers=0))
    screen(sources, out, work, How(workers=0, resume=True))
    for other in (None, replace(METALS, potential="tensornet-matpes"), replace(METALS, max_force=0.02)):
        with pytest.raises(ResumeError, match="relax"):
            screen(sources, out, replace(work, relax=other), How(workers=0, resume=True))
