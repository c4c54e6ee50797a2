"""Fixtures shared by all tests."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

# no test fails of a slow machine; the same examples in every run of the checks, elsewhere new ones each time
settings.register_profile("patient", deadline=None)
settings.register_profile("checks", deadline=None, derandomize=True)
settings.load_profile("checks" if os.environ.get("CI") else "patient")

REPOSITORY = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(REPOSITORY / "tests"))  # for serving and contracts
pytest.register_assert_rewrite("contracts")
from serving import FileServer  # noqa: E402

RECURSION_LIMIT = sys.getrecursionlimit()


@pytest.fixture(autouse=True)
def _recursion_limit() -> None:
    """Each test starts with Python's own limit: importing symfc lifts it to 100,000 for all that follow."""
    sys.setrecursionlimit(RECURSION_LIMIT)


@pytest.fixture(scope="session")
def mirror() -> Path:
    """The data folder: PARAISITE_MIRROR, else ../shared/data beside the repository; skips where there is none."""
    named = os.environ.get("PARAISITE_MIRROR")
    folder = Path(named) if named else REPOSITORY.parent / "shared" / "data"
    if not (folder / "l96" / "id_prop.csv").is_file():
        pytest.skip(f"no data folder at {folder}: set PARAISITE_MIRROR to one that holds l96/, hh143/, aflow_agl/")
    return folder.resolve()


@pytest.fixture
def file_server() -> Iterator[FileServer]:
    """A loopback HTTP server with nothing on it yet."""
    with FileServer() as server:
        yield server


@pytest.fixture(scope="session")
def tiny_dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A labelled folder of 36 made-up binary crystals (id_prop.csv with kappa and bulk modulus, and CIFs)."""
    folder = tmp_path_factory.mktemp("tiny") / "rocksalts"
    folder.mkdir()
    lines = ["id,kappa,bulk_modulus_vrh"]
    cations = {"Li": 3.8, "Na": 4.3, "K": 5.0, "Rb": 5.3, "Mg": 4.1, "Ca": 4.7, "Sr": 5.1, "Ba": 5.5, "Cd": 4.6}
    anions = {"F": 0.5, "Cl": 1.3, "Br": 1.5, "I": 1.8}
    for cation, radius in cations.items():
        for anion, more in anions.items():
            a, id_ = radius + more, f"{cation}{anion}"
            sites = f"{cation}1 {cation} 0 0 0\n{anion}1 {anion} 0.5 0.5 0.5\n"
            (folder / f"{id_}.cif").write_text(
                f"data_{id_}\n_cell_length_a {a}\n_cell_length_b {a}\n_cell_length_c {a}\n"
                "_cell_angle_alpha 90\n_cell_angle_beta 90\n_cell_angle_gamma 90\n"
                "_space_group_name_H-M_alt 'F m -3 m'\nloop_\n_atom_site_label\n_atom_site_type_symbol\n"
                f"_atom_site_fract_x\n_atom_site_fract_y\n_atom_site_fract_z\n{sites}"
            )
            lines.append(f"{id_},{4e3 / a**4:.5g},{6e3 / a**3:.5g}")
    (folder / "id_prop.csv").write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture(scope="session")
def tiny_recipe(tiny_dataset: Path) -> Path:
    """A recipe of two stages of one epoch on `tiny_dataset`, in two folds of formulas."""
    path = tiny_dataset.parent / "tiny.yml"
    path.write_text(
        f"""\
name: tiny
head: {{attach: vector, hidden: [8]}}
targets: {{kappa: {{transform: log10}}, bulk_modulus_vrh: {{transform: log10}}}}
split: {{kind: kfold, folds: 2, group: formula, earlier: grouped}}
members: 2
stages:
  - {{name: first, dataset: {tiny_dataset}, targets: [kappa, bulk_modulus_vrh], epochs: 1, batch: 12}}
  - {{name: second, dataset: {tiny_dataset}, epochs: 1, batch: 12}}
"""
    )
    return path


@pytest.fixture(scope="session")
def tiny_checkpoint(tiny_recipe: Path) -> Path:
    """The folder of a real, if hardly trained, model: intervals, applicability, one property, folds of formulas."""
    pytest.importorskip("lightning", reason="training needs the extra [train]")
    import torch

    from paraisite.training.recipe import load_recipe
    from paraisite.training.run import run

    torch.set_num_threads(1)  # tests run side by side
    return run(load_recipe(tiny_recipe), tiny_recipe.parent / "run", device="cpu", say=lambda line: None)
