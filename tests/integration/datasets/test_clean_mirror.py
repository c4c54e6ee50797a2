"""The public data, cleaned and merged: what is found, and that it is the same everywhere."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from paraisite.datasets import load
from paraisite.datasets.clean import Cleaning, clean
from paraisite.datasets.dataset import Dataset
from paraisite.datasets.merge import join, merge

pytestmark = [pytest.mark.data, pytest.mark.slow]

RESULT = Path(__file__).resolve().parents[3] / "results" / "cleaning_aflow_agl.json"

MERGED = {
    "prefer": "77eda693136cbd979898cc62bf782f57ea4b05b4727af35c961bd7c4cc6162fc",
    "median": "3d0b8da4e70036bd53819c3180ce1b0e12e478a23fa36db52287ce35edc9e822",
}


@pytest.fixture(scope="module")
def parts(mirror: Path) -> list[Dataset]:
    return [load(name, mirror) for name in ("l96", "hh143", "aflow_agl")]


@pytest.fixture(scope="module")
def cleaning(parts: list[Dataset]) -> Cleaning:
    return clean(parts[2])


def test_the_committed_account_is_what_comes_out(cleaning: Cleaning) -> None:
    committed = json.loads(RESULT.read_text(encoding="utf-8"))
    for key in ("rows", "fates", "rules", "duplicates", "thresholds", "content_hash"):
        assert cleaning.summary[key] == committed[key], key
    assert cleaning.dataset.content_hash == committed["content_hash"]["after"]


def test_what_must_be_found(cleaning: Cleaning) -> None:
    rules = {row.id: row.rules for row in cleaning.rows}
    assert rules["Dy1_ICSD_157920"] == rules["Mn1Ni1Sb1_ICSD_161717"] == ["heat_capacity"]
    assert rules["F2H1K1_ICSD_18094"] == ["bulk_modulus"]
    assert rules["He2Ne1_ICSD_659143"] == ["gruneisen"]
    assert "agl_supercell" in rules["Pb1S1_ICSD_648438"]
    ids = cleaning.dataset.ids
    lead_sulphide = ids.index("Pb1S1_ICSD_169770")  # the value of the primitive cell, alone in the median
    assert cleaning.dataset.kappa[lead_sulphide] == 6.10266
    assert cleaning.dataset.labels["merged_from"][lead_sulphide] == "Pb1S1_ICSD_183241 Pb1S1_ICSD_648438"


def test_the_study_has_no_duplicates(parts: list[Dataset]) -> None:
    for dataset in parts[:2]:
        found = clean(dataset)
        assert found.dataset.content_hash == dataset.content_hash
        assert found.summary["duplicates"]["groups"] == 0
        assert found.summary["fates"]["dropped"] == 0


def test_units_are_found_in_real_data(parts: list[Dataset]) -> None:
    dataset = parts[1]
    rows = [5, 50, 100]
    for factor, rule in ((100, "units"), (1000, "kappa")):  # a thousand times makes them more than any solid's
        kappa = dataset.kappa.copy()
        kappa[rows] *= factor
        found = clean(Dataset(dataset.name, dataset.crystals, {"kappa": kappa}, dataset.provenance))
        assert [i for i, row in enumerate(found.rows) if {"units", "kappa"} & set(row.rules)] == rows
        for row in rows:
            assert found.rows[row].rules[0] == rule
            assert "check its unit" in found.rows[row].reasons[0]
            assert found.rows[row].fate == ("dropped" if kappa[row] > 3500 else "flagged")


def test_merged_they_are_mix(parts: list[Dataset], mirror: Path) -> None:
    merged, account = merge(parts[:2])
    mix = load("mix", mirror)
    assert len(merged) == 238
    assert merged.content_hash == mix.content_hash
    assert merged.provenance == mix.provenance
    assert account.summary["same_crystals"] == 0


@pytest.mark.parametrize("policy", sorted(MERGED))
def test_merged_with_agl(parts: list[Dataset], policy: str) -> None:
    merged, account = merge(parts, policy, ["l96", "hh143", "aflow_agl"])  # type: ignore[arg-type]
    assert account.summary["rows"] == {"before": 5816, "after": 5662}
    assert merged.content_hash == MERGED[policy]
    assert set(merged.labels["fidelity"]) == {"DFT", "AGL"}
    if policy == "prefer":
        assert np.array_equal(merged.kappa[:238], np.concatenate([part.kappa for part in parts[:2]]))


def test_join_agl_onto_the_study(parts: list[Dataset]) -> None:
    joined, report = join(parts[0], parts[2])
    assert joined.kappa.tolist() == parts[0].kappa.tolist()
    assert report["filled"]["bulk_modulus_static"] > 80
    magnesia = joined.formulas.index("MgO")
    assert joined.targets["bulk_modulus_vrh"][magnesia] == pytest.approx(150, rel=0.1)  # 160 GPa measured
