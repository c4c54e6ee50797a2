"""What a notebook user writes, from one structure to a figure of a model of their own, as it should run."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ase.build import bulk
from pymatgen.core import Lattice, Structure

import paraisite

pytest.importorskip("sklearn", reason="needs the extra [train]")
pytest.importorskip("matplotlib", reason="needs the extra [plots]")
pytest.importorskip("pandas", reason="to_frame needs pandas")
REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.mark.data
@pytest.mark.slow
def test_a_notebook(mirror: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from sklearn.linear_model import RidgeCV
    from sklearn.model_selection import cross_val_score
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    monkeypatch.chdir(REPOSITORY)
    monkeypatch.setenv("PARAISITE_MIRROR", str(mirror))
    nacl = Structure.from_spacegroup("Fm-3m", Lattice.cubic(5.64), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    assert 3 < paraisite.predict(nacl).kappa_W_mK < 12
    result = paraisite.predict([nacl, bulk("Si"), "examples/crystals/MgO.cif", None], ids=["nacl", "si", "mgo", "none"])
    frame = result.to_frame()
    assert list(frame.id) == ["nacl", "si", "mgo", "none"]
    assert list(frame.status == "rejected") == [False, False, False, True]

    data = paraisite.datasets.load("l96")
    structures, log_kappa = [c.to_pymatgen() for c in data.crystals], np.log10(data.targets["kappa"])
    model = make_pipeline(paraisite.sklearn.CrystalFeaturizer(), StandardScaler(), RidgeCV(np.logspace(-3, 3, 13)))
    errors = -cross_val_score(model, structures, log_kappa, cv=5, scoring="neg_mean_absolute_error")
    assert errors.mean() < 0.25  # flattered: the encoder was trained on these crystals

    mine = paraisite.sklearn.KappaRegressor().fit(structures[:40], 10 ** log_kappa[:40])
    kappa, log10_std = mine.predict(structures[40:], return_std=True)
    assert np.abs(np.log10(kappa) - log_kappa[40:]).mean() < 0.2
    assert log10_std.shape == (55,)
    ax = paraisite.plots.parity(10 ** log_kappa[40:], kappa)
    ax.figure.savefig(tmp_path / "parity.png")
    assert (tmp_path / "parity.png").read_bytes().startswith(b"\x89PNG")
