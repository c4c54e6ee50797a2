from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from argon import argon, potential
from ase.build import bulk

from paraisite.crystals import Crystal
from paraisite.phonons.cells import PhononError
from paraisite.phonons.force_constants import (
    FORCES,
    count_free,
    displace,
    fit,
    fit_memory_GB,
    forces_of,
    measure,
    new_phono3py,
    read_force_constants,
    write_force_constants,
)
from paraisite.phonons.settings import Settings
from paraisite.phonons.stability import to_phonopy
from paraisite.potentials.cells import standard_cell

pytest.importorskip("phono3py", reason="lattice dynamics needs the extra [phonons]")


def fresh(supercell=(2, 2, 2), fc2_supercell=None):
    crystal = argon(a=5.2)
    cell = standard_cell(crystal.cell, crystal.numbers, crystal.positions, 0.01)
    return new_phono3py(cell, supercell, fc2_supercell or supercell)


def solved(folder: Path, **changes):
    ph3 = fresh()
    plan = displace(ph3, Settings(**changes))
    measure(ph3, potential(), folder, "a")
    fit(ph3, plan)
    return ph3, plan


@pytest.fixture(scope="module")
def default(tmp_path_factory):
    """What the default settings give; only to be looked at."""
    return solved(tmp_path_factory.mktemp("default"))


class Counting:
    """The potential, which counts its calls and fails from some call on."""

    def __init__(self, most: float = float("inf")) -> None:
        self.calls, self.most, self.inner = 0, most, potential()

    def get_forces(self, atoms):
        self.calls += 1
        if self.calls > self.most:
            raise KeyboardInterrupt
        return self.inner.get_forces(atoms)


def test_snapshots_and_finite_displacements_agree(default, tmp_path):
    random, plan = default
    finite, planned = solved(tmp_path, reference=True)
    assert (plan.n_harmonic, plan.n_supercells) == (1, 16)
    assert plan.n_free == 99
    assert planned.n_free == 0
    assert planned.n_supercells == len(finite.supercells_with_displacements)
    for order in ("fc2", "fc3"):
        a, b = getattr(random, order), getattr(finite, order)
        assert np.abs(a - b).max() < 0.02 * np.abs(b).max(), order


def test_acoustic_sum_rules(default):
    ph3, _ = default
    assert np.abs(ph3.fc2.sum(axis=1)).max() < 1e-8 * np.abs(ph3.fc2).max()
    for axis in (1, 2):
        assert np.abs(ph3.fc3.sum(axis=axis)).max() < 1e-8 * np.abs(ph3.fc3).max()


def loaded(folder: Path):
    """What phono3py reads from the files of a folder."""
    import phono3py

    return phono3py.load(
        folder / "phono3py_params.yaml.xz", fc2_filename=folder / "fc2.hdf5", fc3_filename=folder / "fc3.hdf5",
        log_level=0, produce_fc=True,
    )  # fmt: skip


def test_phono3py_and_phonopy_read_the_files(default, tmp_path):
    import phonopy

    ph3, _ = default
    write_force_constants(ph3, tmp_path)
    back = loaded(tmp_path)
    assert np.array_equal(back.fc2, ph3.fc2)
    assert np.array_equal(back.fc3, ph3.fc3)
    harmonic = phonopy.load(
        unitcell=ph3.unitcell, supercell_matrix=ph3.supercell_matrix, primitive_matrix=ph3.primitive_matrix,
        force_constants_filename=tmp_path / "fc2.hdf5",
    )  # fmt: skip
    assert harmonic.run_qpoints([[0.5, 0, 0.5]]).frequencies[0].max() > 1


def test_they_are_read_where_the_second_order_has_a_larger_supercell(tmp_path):
    """With two atoms in the primitive cell: their places in the two supercells differ."""
    import phonopy

    cell = Crystal.from_ase(bulk("MgO", "rocksalt", 4.2))
    ph3 = new_phono3py(standard_cell(cell.cell, cell.numbers, cell.positions, 0.01), (1, 1, 1), (2, 2, 2))
    displace(ph3, Settings())
    random = np.random.default_rng(0)
    ph3.fc2, ph3.fc3 = random.normal(size=(2, 64, 3, 3)), random.normal(size=(2, 8, 8, 3, 3, 3))
    ph3.phonon_forces = np.zeros((len(ph3.phonon_supercells_with_displacements), 64, 3))
    ph3.forces = np.zeros((16, 8, 3))
    write_force_constants(ph3, tmp_path)
    back = loaded(tmp_path)
    assert np.array_equal(back.fc2, ph3.fc2)
    harmonic = phonopy.load(
        unitcell=ph3.unitcell, supercell_matrix=ph3.phonon_supercell_matrix, primitive_matrix=ph3.primitive_matrix,
        force_constants_filename=tmp_path / "fc2.hdf5", symmetrize_fc=False,
    )  # fmt: skip
    ours = to_phonopy(ph3).run_qpoints([[0.5, 0, 0.5]]).frequencies
    np.testing.assert_allclose(harmonic.run_qpoints([[0.5, 0, 0.5]]).frequencies, ours)


@pytest.mark.slow
def test_forces_can_be_computed_anew_from_the_params_file(default, tmp_path):
    import phono3py

    ph3, _ = default
    write_force_constants(ph3, tmp_path)
    back = phono3py.load(tmp_path / "phono3py_params.yaml.xz", fc_calculator="symfc", log_level=0)
    assert np.abs(back.fc3 - ph3.fc3).max() < 1e-6 * np.abs(ph3.fc3).max()


def test_stored_force_constants_are_the_same_bit_by_bit(tmp_path):
    assert not read_force_constants(fresh(), tmp_path)
    ph3, _ = solved(tmp_path, fc3_cutoff=4.0)
    assert ph3.fc3_nonzero_indices is not None
    write_force_constants(ph3, tmp_path)
    back = fresh()
    assert read_force_constants(back, tmp_path)
    assert np.array_equal(back.fc2, ph3.fc2)
    assert np.array_equal(back.fc3, ph3.fc3)
    assert np.array_equal(back.fc3_nonzero_indices, ph3.fc3_nonzero_indices)


def test_a_cutoff_leaves_fewer_elements():
    ph3 = fresh()
    assert 0 < count_free(ph3, 4.0) < count_free(ph3, 6.0) < count_free(ph3, None)


@pytest.mark.slow
def test_where_too_many_snapshots_were_needed_there_is_a_cutoff():
    ph3 = fresh()
    assert displace(ph3, Settings()).fc3_cutoff is None
    few = Settings(min_snapshots=2, oversampling=50, oversampling_cut=50, max_snapshots=80)
    plan = displace(ph3, few)
    assert plan.fc3_cutoff is not None
    assert 60 < plan.n_supercells <= 80
    longer = next(c for c in np.arange(plan.fc3_cutoff, 9, 0.1) if count_free(ph3, c) > plan.n_free)
    assert 50 * count_free(ph3, longer) > 40 * 3 * 32  # the next shell would have been too many
    assert displace(ph3, few.model_copy(update={"snapshots": 6})).fc3_cutoff is None


def test_little_memory_means_a_cutoff(monkeypatch):
    monkeypatch.setattr("paraisite.phonons.force_constants.FIT_GB", fit_memory_GB(60, 32))
    tight = displace(fresh(), Settings())
    assert tight.fc3_cutoff is not None
    assert tight.n_free <= 60


def test_enough_snapshots_for_the_free_elements():
    ph3 = fresh((1, 1, 1))
    plan = displace(ph3, Settings(min_snapshots=2, oversampling=3))
    pairs = plan.n_supercells // 2
    assert pairs * 3 * 4 >= 3 * plan.n_free > (pairs - 1) * 3 * 4
    assert displace(ph3, Settings(snapshots=6)).n_supercells == 6


def test_the_same_seed_gives_the_same_displacements():
    a, b, c = (fresh((1, 1, 1)) for _ in range(3))
    displace(a, Settings(snapshots=6))
    displace(b, Settings(snapshots=6))
    displace(c, Settings(snapshots=6, seed=1))
    assert np.array_equal(a.displacements, b.displacements)
    assert not np.allclose(a.displacements, c.displacements)
    np.testing.assert_allclose(np.linalg.norm(a.displacements, axis=-1), 0.03)


def test_snapshots_come_with_their_opposites():
    ph3 = fresh()
    displace(ph3, Settings())
    assert len(ph3.displacements) == 16
    assert np.array_equal(ph3.displacements[:8], -ph3.displacements[8:])


class Quartic:
    """The potential, and springs of the fourth order between each atom and its site."""

    def __init__(self, sites: np.ndarray) -> None:
        self.sites, self.inner = sites, potential()

    def get_forces(self, atoms):
        moved = atoms.positions - self.sites
        return self.inner.get_forces(atoms) - 20 * moved**3


@pytest.mark.slow
def test_opposites_cancel_the_fourth_order(tmp_path):
    def third_order(calculator, opposites: bool) -> np.ndarray:
        ph3 = fresh()
        plan = displace(ph3, Settings())
        if not opposites:
            ph3.generate_displacements(distance=0.03, number_of_snapshots=plan.n_supercells, random_seed=0)
        measure(ph3, calculator, tmp_path, f"{calculator} {opposites}")
        fit(ph3, plan)
        return ph3.fc3

    quartic = Quartic(fresh().supercell.positions)
    with_, without = third_order(potential(), True), third_order(potential(), False)
    largest = np.abs(with_).max()
    assert np.abs(third_order(quartic, True) - with_).max() < 1e-6 * largest
    assert np.abs(third_order(quartic, False) - without).max() > 1e-2 * largest


@pytest.mark.slow
@pytest.mark.parametrize("cutoff", [None, 4.0])
def test_pairs_are_fitted_to_what_all_snapshots_are(tmp_path, cutoff):
    ph3, _ = solved(tmp_path, fc3_cutoff=cutoff)
    third, nonzero = ph3.fc3.copy(), ph3.fc3_nonzero_indices
    ph3.produce_fc3(fc_calculator="symfc", fc_calculator_options=cutoff and f"cutoff = {cutoff}")  # both orders, all
    assert np.abs(third - ph3.fc3).max() < 1e-9 * np.abs(third).max()
    assert (nonzero is None) == (cutoff is None)
    if cutoff is not None:
        assert np.array_equal(nonzero, ph3.fc3_nonzero_indices)


@pytest.mark.slow
def test_a_larger_supercell_for_the_second_order(default, tmp_path):
    ph3 = fresh((2, 2, 2), (3, 3, 3))
    plan = displace(ph3, Settings())
    assert (plan.n_atoms, plan.n_atoms_harmonic) == (32, 108)
    measure(ph3, potential(), tmp_path, "a")
    fit(ph3, plan)
    same, _ = default
    assert np.abs(ph3.fc3 - same.fc3).max() < 1e-9
    write_force_constants(ph3, tmp_path)
    back = fresh((2, 2, 2), (3, 3, 3))
    assert read_force_constants(back, tmp_path)
    assert np.array_equal(back.fc2, ph3.fc2)
    large, small = (to_phonopy(one).run_qpoints([[0.5, 0, 0.5], [0.2, 0, 0.1]]).frequencies for one in (back, same))
    assert large[0] == pytest.approx(small[0], rel=0.05)  # two cells across tell this wave vector
    assert np.abs(large[1] - small[1]).max() > 1e-3


@pytest.mark.slow
def test_interrupted_forces_go_on(tmp_path, monkeypatch):
    monkeypatch.setattr("paraisite.phonons.force_constants.SAVE_EVERY", 0.0)
    whole = fresh()
    displace(whole, Settings())
    measure(whole, potential(), tmp_path, "whole")
    (tmp_path / FORCES).unlink()

    ph3 = fresh()
    displace(ph3, Settings())
    stopped = Counting(most=8)  # one of them for the perfect supercell
    with pytest.raises(KeyboardInterrupt):
        measure(ph3, stopped, tmp_path, "x")
    told = []
    further = Counting()
    measure(ph3, further, tmp_path, "x", lambda done, total: told.append((done, total)))
    assert told[0] == (7, 17)  # one of them of the second order
    assert told[-1] == (17, 17)
    assert further.calls == 1 + 10
    assert np.array_equal(ph3.forces, whole.forces)

    other = Counting()
    measure(ph3, other, tmp_path, "another fingerprint")
    assert other.calls == 1 + 17

    larger, both = fresh((2, 2, 2), (3, 3, 3)), Counting()
    displace(larger, Settings())
    measure(larger, both, tmp_path, "another fingerprint")  # of other sizes: begun anew
    assert both.calls == 2 + 17
    measure(larger, Counting(most=2), tmp_path, "another fingerprint")


class Constant:
    def __init__(self, force: float) -> None:
        self.force = force

    def get_forces(self, atoms):
        return np.full((len(atoms), 3), self.force)


def test_a_force_left_in_the_perfect_supercell_is_subtracted(tmp_path):
    ph3 = fresh()
    displace(ph3, Settings())
    measure(ph3, Constant(0.5), tmp_path, "x")
    assert not ph3.forces.any()
    assert not ph3.phonon_forces.any()


@pytest.mark.parametrize("force", [np.nan, np.inf, 50.0])
def test_nonsense_forces_end_it(tmp_path, force):
    ph3 = fresh()
    displace(ph3, Settings())
    with pytest.raises(PhononError, match="use another potential"):
        measure(ph3, Constant(force), tmp_path, "x")


def test_forces_are_those_of_ase(tmp_path):
    ph3 = fresh()
    displace(ph3, Settings())
    cell = ph3.supercells_with_displacements[0]
    found = forces_of(cell, potential())
    assert found.shape == (32, 3)
    assert np.abs(found.sum(axis=0)).max() < 1e-12
    assert 1e-3 < np.abs(found).max() < 0.1


def test_symfc_does_not_lift_the_recursion_limit():
    """With a limit of 100,000 a deeply nested JSON would end Python; in a fresh process, where symfc is not loaded."""
    code = (
        "import sys\n"
        "from test_force_constants import count_free, fresh\n"
        "limit = sys.getrecursionlimit()\n"
        "assert 'symfc' not in sys.modules\n"
        "count_free(fresh(), None)\n"
        "assert 'symfc' in sys.modules\n"
        "assert sys.getrecursionlimit() == limit\n"
    )
    here = Path(__file__).parent
    path = os.pathsep.join([str(here), str(here.parents[1])])  # this file, and what tests share
    subprocess.run([sys.executable, "-c", code], check=True, env={**os.environ, "PYTHONPATH": path})
