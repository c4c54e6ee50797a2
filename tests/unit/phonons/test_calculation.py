"""One crystal from beginning to end; argon, with meshes that take a moment."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from argon import argon, potential
from ase.build import bulk
from ase.calculators.lj import LennardJones

from paraisite.crystals import Crystal
from paraisite.phonons import stages
from paraisite.phonons.calculation import calculate
from paraisite.phonons.cells import PhononError
from paraisite.phonons.claim import BOUNDS, LATE, fingerprint, forces_fingerprint
from paraisite.phonons.cumulative import CUMULATIVE, cumulative
from paraisite.phonons.estimate import Estimate, check
from paraisite.phonons.figures import KAPPA, PHONONS, draw
from paraisite.phonons.mesh import change
from paraisite.phonons.quick_result import calculate_quick
from paraisite.phonons.result import Result
from paraisite.phonons.run import run
from paraisite.phonons.settings import QuickSettings, Settings
from paraisite.phonons.stability import BANDS, DOS, band_path
from paraisite.phonons.subject import Subject
from paraisite.phonons.summary import row
from paraisite.phonons.worker import Job, Task, draw_or_say
from paraisite.potentials.cells import RelaxationError

pytest.importorskip("phono3py", reason="lattice dynamics needs the extra [phonons]")

QUICK = Settings(potential="argon", supercell=(2, 2, 2), mesh=(5, 5, 5), temperatures=(20.0, 100.0))


@pytest.fixture(scope="module")
def argon_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("argon")
    calculate(argon(), folder, potential(), QUICK).write(folder)
    return folder


def copied(folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(folder, tmp_path / "copy"))


def same(a: Result, b: Result) -> bool:
    """Whether two results differ in nothing but time."""

    def timeless(result: Result) -> str:
        details = {k: v for k, v in result.details.items() if k not in ("seconds", "estimate")}
        for item in details.get("conductivity", []):
            item["seconds"] = 0
        return json.dumps([result.status, result.kappa_W_mK, result.mesh, details], sort_keys=True)

    return timeless(a) == timeless(b)


def phono3py_kappa(folder: Path, distance: float = 0.03, **how: object) -> np.ndarray:
    """What phono3py says of the relaxed cell when used by itself, with finite displacements."""
    from ase import Atoms
    from ase.io import read
    from phono3py import Phono3py
    from phonopy.structure.atoms import PhonopyAtoms

    atoms = read(folder / "relaxed.vasp")
    unit = PhonopyAtoms(numbers=atoms.numbers, cell=atoms.cell.array, scaled_positions=atoms.get_scaled_positions())
    ph3 = Phono3py(unit, supercell_matrix=[2, 2, 2], primitive_matrix="F")
    ph3.generate_displacements(distance=distance)
    forces = []
    for cell in ph3.supercells_with_displacements:
        displaced = Atoms(numbers=cell.numbers, cell=cell.cell, scaled_positions=cell.scaled_positions, pbc=True)
        displaced.calc = potential()
        forces.append(displaced.get_forces())
    ph3.forces = np.array(forces)
    ph3.produce_fc3()
    ph3.symmetrize_fc3(use_symfc_projector=True)
    ph3.symmetrize_fc2(use_symfc_projector=True)
    ph3.mesh_numbers = [5, 5, 5]
    ph3.init_phph_interaction(average_degenerate_weights=True)
    ph3.run_thermal_conductivity(temperatures=[20, 100, 300], **how)
    return np.array(ph3.thermal_conductivity.kappa[0][:, :3].mean(axis=1))


@pytest.fixture(scope="module")
def phono3py_argon(argon_folder: Path) -> np.ndarray:
    return phono3py_kappa(argon_folder)


def test_it_gives_the_conductivity_that_phono3py_gives(phono3py_argon, tmp_path):
    finite = calculate(argon(), tmp_path, potential(), QUICK.model_copy(update={"reference": True}))
    last = finite.details["conductivity"][-1]
    assert last["temperatures"] == (20.0, 100.0, 300.0)
    np.testing.assert_allclose(np.array(last["kappa"])[:, :3].mean(axis=1), phono3py_argon, rtol=0.01)


@pytest.mark.slow
def test_random_snapshots_give_it_too(argon_folder, phono3py_argon):
    """Argon is soft: without their opposites, snapshots of 0.03 Å would be 2 % off by fourth-order forces."""
    random = Result.read(argon_folder)
    found = np.array(random.details["conductivity"][-1]["kappa"])[:, :3].mean(axis=1)
    np.testing.assert_allclose(found, phono3py_argon, rtol=0.005)


@pytest.mark.slow
def test_the_boltzmann_equation_gives_more_than_relaxation_times(argon_folder, phono3py_argon, tmp_path):
    folder = copied(argon_folder, tmp_path)
    (folder / "input.json").unlink()
    shutil.rmtree(folder / "stages")
    lbte = QUICK.model_copy(update={"lbte": True, "coherence": False, "reference": True})
    exact = calculate(argon(), folder, potential(), lbte)
    np.testing.assert_allclose(
        exact.details["conductivity"][-1]["isotropic"], phono3py_kappa(argon_folder, is_LBTE=True), rtol=0.01
    )
    assert exact.kappa_W_mK > phono3py_argon[-1]
    for coherence in (False, True):  # the curve is that of the same equation
        found = calculate(argon(), folder, potential(), lbte.model_copy(update={"coherence": coherence}))
        last = found.details["conductivity"][-1]
        _, kappa = cumulative(folder / last["file"])
        assert kappa[-1] == pytest.approx(np.mean(last["kappa"][-1][:3]), rel=1e-9)
        assert np.loadtxt(folder / CUMULATIVE, delimiter=",", skiprows=1)[-1, 1] == pytest.approx(kappa[-1], rel=1e-5)


@pytest.mark.slow
def test_a_second_order_of_its_own_size(tmp_path):
    larger = QUICK.model_copy(update={"fc2_supercell": (3, 3, 3)})
    result = calculate(argon(), tmp_path, potential(), larger)
    assert [result.details[name]["n_atoms"] for name in ("supercell", "fc2_supercell")] == [32, 108]
    again = calculate(argon(), tmp_path, potential(), larger)
    assert again.kappa_W_mK == result.kappa_W_mK
    made = row(Subject(argon()), result, "argon")
    assert (made["n_supercell"], made["n_fc2_supercell"]) == (32, 108)


@pytest.mark.slow
def test_isotopes_scatter(argon_folder, tmp_path):
    less = calculate(argon(), tmp_path, potential(), QUICK.model_copy(update={"isotopes": True}))
    assert less.kappa_W_mK < Result.read(argon_folder).kappa_W_mK
    _, kappa = cumulative(tmp_path / less.details["conductivity"][-1]["file"])
    assert kappa[-1] == pytest.approx(less.kappa_W_mK - less.kappa_coherence_W_mK, rel=1e-9)


def test_a_result_says_what_was_done(argon_folder):
    result = Result.read(argon_folder)
    assert result.status == "ok"
    assert result.space_group == "Fm-3m (225)"
    assert result.n_primitive == 1
    assert result.mesh == [5, 5, 5]
    assert result.notes == []
    assert 0 < result.kappa_coherence_W_mK < 0.5 * result.kappa_W_mK
    details = result.details
    assert details["supercell"]["multiples"] == [2, 2, 2]
    assert details["displacements"]["n_supercells"] == 16
    assert details["displacements"]["n_free"] == 99
    assert details["relaxation"]["max_stress"] < 0.01
    assert set(details["seconds"]) == {"relax", "forces", "fit", "harmonic", "conductivity"}
    assert details["versions"]["phono3py"].startswith("4.")
    assert details["settings"] == QUICK.model_dump(mode="json")
    assert result.min_frequency_THz == pytest.approx(0, abs=1e-3)


def test_kappa_falls_with_temperature(argon_folder):
    low, middle, room = Result.read(argon_folder).details["conductivity"][-1]["isotropic"]
    assert low > 2 * middle > 4 * room


def test_the_cumulative_conductivity_ends_at_the_whole(argon_folder):
    result = Result.read(argon_folder)
    path, kappa = cumulative(argon_folder / result.details["conductivity"][-1]["file"])
    assert (np.diff(path) >= 0).all()
    assert (np.diff(kappa) >= 0).all()
    assert kappa[-1] == pytest.approx(result.kappa_W_mK - result.kappa_coherence_W_mK, rel=1e-9)
    table = np.loadtxt(argon_folder / CUMULATIVE, delimiter=",", skiprows=1)
    assert len(table) == 200
    assert table[-1, 1] == pytest.approx(kappa[-1], rel=1e-5)
    assert table[0, 1] >= 1e-3 * kappa[-1]


def test_phonopy_reads_bands_and_states(argon_folder):
    import lzma

    import yaml

    with lzma.open(argon_folder / BANDS) as file:
        bands = yaml.safe_load(file)
    assert bands["nqpoint"] == 510
    assert bands["labels"][0] == ["$\\Gamma$", "X"]
    frequency, density = np.loadtxt(argon_folder / DOS).T
    assert np.trapezoid(density, frequency) == pytest.approx(3, rel=0.02)


def test_figures_are_drawn(argon_folder, tmp_path):
    from PIL import Image

    folder = copied(argon_folder, tmp_path)
    draw(folder, Result.read(folder))
    for name in (PHONONS, KAPPA):
        with Image.open(folder / name) as image:
            assert image.size == (960, 480)
            assert len(image.getcolors()) > 10


class Never:
    def get_forces(self, atoms):
        return potential().get_forces(atoms)  # of the perfect supercell, and of one to time

    def __getattr__(self, name):
        raise AssertionError(f"asked for {name}")


@pytest.mark.parametrize("lost", [(), ("harmonic",), ("mesh-5x5x5",), ("harmonic", "mesh-5x5x5"), ("force_constants",)])
def test_finished_stages_are_not_repeated(argon_folder, tmp_path, lost):
    folder = copied(argon_folder, tmp_path)
    before = Result.read(folder)
    for stage in lost:
        (folder / "stages" / f"{stage}.json").unlink()
    after = calculate(argon(), folder, Never(), QUICK)
    assert same(before, after)
    if not lost:
        assert after.details["seconds"] == before.details["seconds"]


def cut(data: bytes) -> bytes:
    return data[: len(data) // 2]


def flip(data: bytes) -> bytes:
    at = len(data) * 2 // 3
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


@pytest.mark.slow
@pytest.mark.parametrize("damage", [cut, flip], ids=["cut", "flip"])
@pytest.mark.parametrize(
    ("name", "stage"),
    [
        ("stages/relax.json", "relax"),
        ("stages/force_constants.json", "force_constants"),
        ("stages/harmonic.json", "harmonic"),
        ("stages/mesh-5x5x5.json", "mesh-5x5x5"),
        ("fc2.hdf5", "force_constants"),
        ("fc3.hdf5", "force_constants"),
        ("band.yaml.xz", "harmonic"),
        ("kappa-*.hdf5", "mesh-5x5x5"),
    ],
)
def test_a_damaged_stage_is_done_again(argon_folder, tmp_path, name, stage, damage):
    folder = copied(argon_folder, tmp_path)
    before = Result.read(folder)
    path = next(folder.glob(name))
    path.write_bytes(damage(path.read_bytes()))
    said = []
    after = calculate(argon(), folder, potential(), QUICK, say=said.append)
    assert same(before, after)
    assert f"{path}: missing or damaged; the stage {stage} is repeated" in said
    said.clear()
    calculate(argon(), folder, potential(), QUICK, say=said.append)
    assert not said


CONTENTS = [b"", b"{}", b"[]", b"\xff", b"[" * 100_000, b'{"made_from": "", "check": "x"}', b'{"check": 1}']


@pytest.mark.parametrize("content", CONTENTS, ids=range(len(CONTENTS)))
def test_a_stage_of_any_content_is_not_finished(tmp_path, content):
    stages.write(tmp_path, "relax", {"energy": 0.1 + 0.2, "cell": [1, None]})
    assert stages.read(tmp_path, "relax") == {"energy": 0.1 + 0.2, "cell": [1, None]}
    (tmp_path / "stages" / "relax.json").write_bytes(content)
    said = []
    assert stages.read(tmp_path, "relax", say=said.append) is None
    assert len(said) == 1
    assert stages.read(tmp_path, "relax", say=said.append) is None
    assert len(said) == 1


@pytest.mark.parametrize("damage", [cut, flip, lambda data: b""], ids=["cut", "flip", "empty"])
def test_damaged_forces_are_computed_again(argon_folder, tmp_path, damage):
    folder = copied(argon_folder, tmp_path)
    before = Result.read(folder)
    (folder / "stages" / "force_constants.json").unlink()  # else they are not needed
    path = folder / "forces.npz"
    path.write_bytes(damage(path.read_bytes()))
    said = []
    assert same(before, calculate(argon(), folder, potential(), QUICK, say=said.append))
    assert f"{path}: damaged; the forces are recomputed" in said


@pytest.mark.parametrize("damage", [cut, lambda data: b""], ids=["cut", "empty"])
def test_a_folder_that_has_lost_its_input_is_done_anew(argon_folder, tmp_path, damage):
    folder = copied(argon_folder, tmp_path)
    before = Result.read(folder)
    path = folder / "input.json"
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(AssertionError, match="asked for"):  # nothing is taken over
        calculate(argon(), folder, Never(), QUICK)
    assert same(before, calculate(argon(), folder, potential(), QUICK))


def test_stages_of_earlier_versions_are_kept(argon_folder, tmp_path):
    folder = copied(argon_folder, tmp_path)
    for path in (folder / "stages").iterdir():
        record = json.loads(path.read_text())
        path.write_text(json.dumps({k: v for k, v in record.items() if k not in ("files", "check")}))
    assert same(Result.read(folder), calculate(argon(), folder, Never(), QUICK))
    (folder / "fc3.hdf5").write_bytes(cut((folder / "fc3.hdf5").read_bytes()))
    said = []
    assert same(Result.read(folder), calculate(argon(), folder, Never(), QUICK, say=said.append))
    assert f"{folder / 'fc3.hdf5'}: damaged; the force constants are recomputed" in said


@pytest.mark.parametrize("name", ["relaxed.vasp", "fc3.hdf5", "input.json", "result.json"])
def test_files_of_others_are_not_written_over(tmp_path, name):
    (tmp_path / name).write_text("{}")
    with pytest.raises(PhononError, match=f"{name}: not written by paraisite"):
        calculate(argon(), tmp_path, potential(), QUICK)
    assert [p.name for p in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_text() == "{}"


class NoStress(LennardJones):
    implemented_properties = ["energy", "forces"]  # noqa: RUF012


class NoForces(LennardJones):
    def calculate(self, *args, **kwargs):
        super().calculate(*args, **kwargs)
        self.results["forces"] = np.zeros_like(self.results["forces"])
        self.results["stress"] = np.zeros(6)


@pytest.mark.parametrize(("kind", "said"), [(NoStress, "gives no stress"), (NoForces, "gives zero forces")])
def test_a_potential_that_cannot_do_it_is_told(tmp_path, kind, said):
    with pytest.raises((PhononError, RelaxationError), match=f"{said}.*use another potential"):
        calculate(argon(), tmp_path / "full", kind(), QUICK)
    with pytest.raises((PhononError, RelaxationError), match=f"{said}.*use another potential"):
        calculate_quick(argon(), tmp_path / "quick", kind(), QuickSettings(potential="argon"))


def test_a_folder_is_for_one_crystal_and_one_choice(argon_folder):
    for crystal, settings in (
        (argon(a=5.3), QUICK),
        (argon(), QUICK.model_copy(update={"displacement": 0.02})),
        (argon(), QUICK.model_copy(update={"seed": 1})),
    ):
        with pytest.raises(PhononError, match="another calculation"):
            calculate(crystal, argon_folder, potential(), settings)


NO_CHARGE = f"default\n{np.eye(3).ravel()}\n{np.zeros(9)}".replace("[", "").replace("]", "")


@pytest.mark.parametrize(
    ("changed", "born"),
    [
        ({"mesh": (4, 4, 4)}, ""),
        ({"temperatures": (50.0, 300.0)}, ""),
        ({"isotopes": True}, ""),
        ({"coherence": False}, ""),
        ({"force": True, "imaginary": 0.2}, ""),
        ({}, NO_CHARGE),
    ],
    ids=["mesh", "temperatures", "isotopes", "coherence", "force", "born"],
)
def test_what_forces_do_not_depend_on_can_be_changed(argon_folder, tmp_path, changed, born):
    """The result is that of a folder of its own, and changed back it is the first one again."""
    folder, fresh = copied(argon_folder, tmp_path), tmp_path / "fresh"
    before = Result.read(folder)
    settings = QUICK.model_copy(update=changed)
    forces = (folder / "forces.npz").read_bytes()
    there = calculate(argon(), folder, Never(), settings, born=born)
    fresh.mkdir()
    for name in (
        "input.json",
        "forces.npz",
        "fc2.hdf5",
        "fc3.hdf5",
        "stages/relax.json",
        "stages/force_constants.json",
    ):
        (fresh / name).parent.mkdir(exist_ok=True)
        shutil.copy(argon_folder / name, fresh / name)
    assert same(there, calculate(argon(), fresh, Never(), settings, born=born))
    assert there.details["fingerprint"] != before.details["fingerprint"]
    assert (folder / "forces.npz").read_bytes() == forces
    assert same(before, calculate(argon(), folder, Never(), QUICK))


def test_a_born_file_is_read_before_forces_are_computed(tmp_path):
    with pytest.raises(PhononError, match="does not fit the primitive cell"):
        calculate(argon(), tmp_path, potential(), QUICK, born="default\n1 2 3\n")
    assert not (tmp_path / "forces.npz").exists()


def test_a_folder_of_something_else_is_left_alone(argon_folder, tmp_path):
    folder = copied(argon_folder, tmp_path)
    before = (folder / "result.json").read_bytes()
    job = Job(Settings(potential="ase.calculators.emt:EMT"), None, "cpu", figures=False)
    *_, last = run([Task(argon(), folder)], job)
    assert last.result.status == "failed"
    assert "another calculation" in last.result.reason
    assert (folder / "result.json").read_bytes() == before


def test_without_a_picture_the_numbers_stay(argon_folder, tmp_path):
    folder = copied(argon_folder, tmp_path)
    (folder / DOS).write_text("no numbers\n")
    result = Result.read(folder)
    draw_or_say(folder, result)
    assert any("figures could not be drawn" in note for note in Result.read(folder).notes)
    assert Result.read(folder).kappa_W_mK == result.kappa_W_mK


def test_folders_of_earlier_runs_are_still_known():
    """Change this number only knowingly: no folder of the default profile can be gone on with after that."""
    earlier = Settings(potential="nequix-mp-1-pft")  # the default before version 0.2
    assert forces_fingerprint(argon(), earlier) == "ffcf7b0908b7f121855230bb14f3c44922fca329f1583592dc50e420ef328d12"
    assert fingerprint(argon(), QuickSettings()) != fingerprint(argon(), Settings())


def test_bounds_are_no_part_of_a_fingerprint():
    wide = QUICK.model_copy(update={"max_hours": 9.0, "max_memory_GB": 99.0})
    assert fingerprint(argon(), QUICK) == fingerprint(argon(), wide)
    assert fingerprint(argon(), QUICK) != fingerprint(argon(), QUICK, born="x")
    assert fingerprint(argon(), QUICK) == fingerprint(replace(argon(), id="other"), QUICK)
    finer = QUICK.model_copy(update={"mesh": (7, 7, 7)})
    assert fingerprint(argon(), QUICK) != fingerprint(argon(), finer)
    assert forces_fingerprint(argon(), QUICK) == forces_fingerprint(argon(), finer)
    assert set(Settings.model_fields) > BOUNDS | LATE


@pytest.mark.slow
def test_an_unstable_crystal_has_a_mode_and_no_conductivity(tmp_path):
    square = argon("sc", a=3.6)
    settings = QUICK.model_copy(update={"supercell": (4, 4, 4)})
    result = calculate(square, tmp_path, potential(), settings)
    assert result.status == "unstable"
    assert result.kappa_W_mK is None
    assert result.min_frequency_THz < -0.1
    mode = result.details["lowest_mode"]
    assert mode["min_frequency"] == result.min_frequency_THz <= mode["min_commensurate"]
    assert np.square(mode["eigenvector"]).sum() == pytest.approx(1, abs=1e-4)
    assert "imaginary modes" in result.reason
    assert f"{mode['qpoint'][0]:.3g}" in result.reason
    (tmp_path / "forced").mkdir()
    forced = calculate(square, tmp_path / "forced", potential(), settings.model_copy(update={"force": True}))
    assert forced.status == "unstable"
    assert forced.kappa_W_mK > 0


def test_meshes_are_refined_until_the_conductivity_stays(argon_folder, tmp_path):
    folder = copied(argon_folder, tmp_path)
    (folder / "input.json").unlink()
    refined = QUICK.model_copy(update={"mesh": None, "mesh_lengths": (10.0, 20.0, 30.0, 40.0), "mesh_tolerance": 0.2})
    result = calculate(argon(), folder, potential(), refined)
    done = result.details["conductivity"]
    meshes = [item["mesh"][0] for item in done]
    assert meshes == sorted(meshes)
    assert len(meshes) >= 2
    particles = [np.mean(item["kappa"][-1][:3]) for item in done]
    assert result.mesh_change == pytest.approx(abs(particles[-1] / particles[-2] - 1))
    if len(meshes) < 4:
        assert result.mesh_change < 0.2
        assert result.details["mesh"]["ended"] == "changed by less than 20%"
    for before, after in pairwise(particles[:-1]):
        assert abs(after / before - 1) >= 0.2
    assert (folder / "stages" / f"mesh-{'x'.join([str(meshes[-1])] * 3)}.json").is_file()


def test_body_centred_tetragonal_meshes(tmp_path):
    """Their symmetry asks for a generalised grid, of which three numbers do not say everything."""
    atoms = bulk("Ar", "bct", a=3.6, c=5.35)
    settings = Settings(
        potential="argon", temperatures=(100.0,), mesh_lengths=(10.0, 14.0), mesh_tolerance=1e-6, max_relax_steps=2,
        max_force=10.0, max_stress=10.0, supercell=(2, 2, 2), force=True,
    )  # fmt: skip
    found = calculate(Crystal.from_ase(atoms), tmp_path, potential(), settings)
    assert found.space_group == "I4/mmm (139)"
    done = found.details["conductivity"]
    assert len(done) == 2
    assert any(len(set(item["mesh"])) > 1 for item in done)
    assert found.kappa_W_mK > 0
    with pytest.raises(PhononError, match="--mesh auto"):
        calculate(
            Crystal.from_ase(atoms),
            tmp_path / "given",
            potential(),
            settings.model_copy(update={"mesh": tuple(next(i["mesh"] for i in done if len(set(i["mesh"])) > 1))}),
        )


def test_work_ends_the_refinement(argon_folder, tmp_path):
    folder = copied(argon_folder, tmp_path)
    (folder / "input.json").unlink()
    bounded = QUICK.model_copy(
        update={"mesh": None, "mesh_lengths": (20.0, 30.0), "mesh_tolerance": 1e-9, "max_mesh_work": 1.0}
    )
    result = calculate(argon(), folder, potential(), bounded)
    assert len(result.details["conductivity"]) == 1
    assert result.mesh_change is None
    assert "max_mesh_work" in result.details["mesh"]["ended"]
    assert any(note.startswith("convergence of kappa with the mesh was not tested (mesh ") for note in result.notes)

    short = bounded.model_copy(update={"max_mesh_work": 1e9, "max_hours": 1e-9})
    with pytest.raises(PhononError, match=r"--resume --retry with a larger --max-hours.*so far: 0\.\d+ W/m/K on"):
        calculate(argon(), folder, potential(), short)


def test_a_mesh_of_one_point_is_no_conductivity(argon_folder, tmp_path):
    with pytest.raises(PhononError, match="0 W/m/K on a mesh of 1×1×1, which is too coarse"):
        calculate(argon(), copied(argon_folder, tmp_path), potential(), QUICK.model_copy(update={"mesh": (1, 1, 1)}))


def test_one_mesh_has_no_change():
    assert change([]) == 0


def test_what_would_take_too_long_or_too_much_is_refused():
    check(Estimate(0.1, 100, 10, 1), Settings())
    with pytest.raises(PhononError, match=r"3\.1 h, more than the 1 h allowed.*--max-hours"):
        check(Estimate(0.1, 11000, 10, 1), Settings())
    with pytest.raises(PhononError, match=r"11\.0 GB, more than the 10 GB.*--max-memory"):
        check(Estimate(0.1, 100, 10, 11), Settings())


def test_a_calculation_over_the_bound_does_not_begin(tmp_path):
    with pytest.raises(PhononError, match="force constants would take"):
        calculate(argon(), tmp_path, potential(), QUICK.model_copy(update={"max_hours": 1e-9}))
    assert not (tmp_path / "forces.npz").exists()


@pytest.mark.parametrize("a", [3.0, 4.0])
def test_the_path_of_bands_covers_the_special_points(a):
    paths, labels, connections = band_path(np.eye(3) * a)
    assert labels == ["$\\Gamma$", "X", "M", "$\\Gamma$", "R", "X", "M", "R"]
    assert connections == [True, True, True, True, False, False]
    assert all(len(path) == 51 for path in paths)
    np.testing.assert_allclose(paths[0][-1], [0, 0.5, 0])
