"""The study's own pickles against the neutral copies of the mirror."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from paraisite.datasets import Dataset, DatasetError, load
from paraisite.datasets.study_pickles import read_study

pytestmark = pytest.mark.data


@pytest.fixture(scope="module")
def legacy(mirror: Path) -> Path:
    folder = mirror / "legacy"
    if not (folder / "Dataset1.pkl").is_file():
        pytest.skip(f"the data folder has no {folder}")
    return folder


def assert_equal(found: Dataset, expected: Dataset) -> None:
    assert len(found) == len(expected)
    assert found.rejections == ()
    assert found.ids == expected.ids
    np.testing.assert_array_equal(found.kappa, expected.kappa)
    for a, b in zip(found.crystals, expected.crystals, strict=True):
        np.testing.assert_array_equal(a.numbers, b.numbers)
        # the neutral copies went through CIF, which keeps lengths and angles but not the orientation
        np.testing.assert_allclose(np.linalg.norm(a.cell, axis=1), np.linalg.norm(b.cell, axis=1), rtol=0, atol=1e-6)
        np.testing.assert_allclose(a.cell @ a.cell.T, b.cell @ b.cell.T, rtol=0, atol=1e-6)
        np.testing.assert_allclose(a.positions, b.positions, rtol=0, atol=1e-9)
        assert np.sign(np.linalg.det(a.cell)) == np.sign(np.linalg.det(b.cell))


@pytest.mark.parametrize(
    ("study", "name", "n"), [("Dataset1", "l96", 95), ("Dataset2", "hh143", 143), ("MIX", "mix", 238)]
)
def test_they_equal_the_neutral_copies(legacy: Path, mirror: Path, study: str, name: str, n: int) -> None:
    expected = load(name, mirror)
    assert len(expected) == n
    structures, targets = legacy / f"structures_{study}.pkl", legacy / f"{study}.pkl"
    frame_alone = read_study(targets)
    assert_equal(frame_alone, expected)
    for data in (read_study(structures, targets), read_study(targets, structures)):
        assert data.name == study
        assert data.content_hash == frame_alone.content_hash  # both files hold the same crystals
        assert_equal(data, expected)


def test_list_of_values_needs_its_structures(legacy: Path) -> None:
    with pytest.raises(DatasetError, match=r"TC_AFLOW\.pkl: holds no structures"):
        read_study(legacy / "TC_AFLOW.pkl")
    with pytest.raises(DatasetError, match=r"95 in .*structures_Dataset1\.pkl, 5578 in .*TC_AFLOW\.pkl"):
        read_study(legacy / "structures_Dataset1.pkl", legacy / "TC_AFLOW.pkl")
    with pytest.raises(DatasetError, match=r"no conductivities, structures only"):
        read_study(legacy / "structures_Dataset1.pkl")


def test_neither_pymatgen_nor_pandas_is_used(legacy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("pymatgen", "pymatgen.core", "pandas", "ase"):
        monkeypatch.setitem(sys.modules, name, None)  # importing it fails
    assert len(read_study(legacy / "structures_MIX.pkl", legacy / "MIX.pkl")) == 238
