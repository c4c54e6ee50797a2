from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from paraisite.crystals import Crystal

CATIONS, ANIONS = (3, 11, 12, 19, 20, 37, 38, 56), (8, 9, 16, 17, 34, 35)


@pytest.fixture(scope="session")
def rocksalts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with 48 rocksalt crystals whose kappa follows their lattice constant."""
    folder = tmp_path_factory.mktemp("rocksalts")
    lines = ["id,formula,kappa,debye_temperature"]
    for c in CATIONS:
        for a in ANIONS:
            length = 3.8 + 0.02 * c + 0.03 * a
            cell = length / 2 * np.array([[0.0, 1.0, 1.0], [1.0, 0.0, 1.0], [1.0, 1.0, 0.0]])
            crystal = Crystal(cell, np.array([c, a]), np.array([[0.0] * 3, [0.5] * 3]))
            name = f"{c}-{a}"
            crystal.to_pymatgen().to(str(folder / f"{name}.cif"))
            lines.append(f"{name},{crystal.formula},{2000 / length**3:.5f},{3000 / length:.4f}")
    (folder / "id_prop.csv").write_text("\n".join(lines) + "\n")
    return folder
