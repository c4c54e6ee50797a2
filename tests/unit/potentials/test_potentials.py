from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.calculators.lj import LennardJones

from paraisite.model.registry import ModelError
from paraisite.potentials import DEFAULT_POTENTIAL, PotentialError, full_name, load, names

MGO = 4.254
"""Å, of the conventional cell."""


def rattled() -> Atoms:
    atoms = bulk("MgO", "rocksalt", a=MGO)
    atoms.set_cell(atoms.cell.array @ np.array([[1.01, 0.01, 0], [0, 0.99, 0.02], [0, 0, 1]]), scale_atoms=True)
    atoms.rattle(0.05, seed=1)
    return atoms


def slab() -> Atoms:
    """Sites of which some have half as many neighbours as others."""
    atoms = rattled().repeat((1, 1, 3))
    atoms.center(vacuum=4.0, axis=2)
    return atoms


def check_derivatives(atoms: Atoms, tolerance: float) -> None:
    """Forces and stress, in Voigt's order, are derivatives of the energy by positions (Å) and strain."""
    step = 5e-3

    def slope(up: Atoms, down: Atoms) -> float:
        up.calc = down.calc = atoms.calc
        return (up.get_potential_energy() - down.get_potential_energy()) / (2 * step)

    forces, stress = atoms.get_forces().copy(), atoms.get_stress().copy()
    assert stress.shape == (6,)
    pair = atoms.copy(), atoms.copy()
    for moved, sign in zip(pair, (1, -1), strict=True):
        moved.positions[1, 2] += sign * step
    assert float(forces[1, 2]) == pytest.approx(-slope(*pair), abs=tolerance * float(np.abs(forces).max()))
    for voigt, (i, j) in enumerate([(0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1)]):
        pair = atoms.copy(), atoms.copy()
        for strained, sign in zip(pair, (1, -1), strict=True):
            strain = np.zeros((3, 3))
            strain[i, j] += sign * step / 2
            strain[j, i] += sign * step / 2
            strained.set_cell(atoms.cell.array @ (np.eye(3) + strain), scale_atoms=True)
        expected = slope(*pair) / atoms.get_volume()
        assert float(stress[voigt]) == pytest.approx(expected, abs=tolerance * float(np.abs(stress).max()))


def test_a_calculator_of_ones_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert isinstance(load("ase.calculators.emt:EMT"), EMT)
    (tmp_path / "argon_of_mine.py").write_text(
        "from ase.calculators.lj import LennardJones\n"
        "class Factories:\n    made = staticmethod(lambda: LennardJones(sigma=3.4, epsilon=0.0104, rc=10.0))\n"
        "def needs(device):\n    return None\n"
        "def number():\n    return 1\n"
    )
    monkeypatch.chdir(tmp_path)  # the working folder is looked in
    found = load("argon_of_mine:Factories.made")
    assert isinstance(found, LennardJones)
    assert found.parameters["sigma"] == 3.4
    for name, message in {
        "argon_of_mine:missing": "no missing found in argon_of_mine",
        "argon_of_mine:": "no factory found in argon_of_mine",
        "no_such_module_at_all:f": "no_such_module_at_all cannot be imported",
        ":f": "module (empty) cannot be imported",
        "argon_of_mine:needs": "calling it without arguments failed (TypeError",
        "argon_of_mine:number": "returned int, which is not an ASE calculator",
    }.items():
        with pytest.raises(PotentialError, match=message.replace("(", r"\(").replace(")", r"\)")):
            load(name)


def test_names() -> None:
    assert DEFAULT_POTENTIAL in names()
    assert full_name("TensorNet-MatPES") == "tensornet-matpes-pbe-v2025.1"
    assert full_name("a.b:c") == "a.b:c"
    with pytest.raises(PotentialError, match=r"unknown potential; choose from .*nequix-mp-1-pft.*MODULE:FACTORY"):
        load("megnet-mp-2018.6.1-eform")  # a model, but not a potential


def test_weights_that_are_not_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARAISITE_CACHE", str(tmp_path / "cache"))
    with pytest.raises(ModelError, match="run `paraisite models fetch nequix-mp-1-pft`"):
        load("nequix-mp-1-pft", mirror=tmp_path)


@pytest.mark.data
@pytest.mark.parametrize(("name", "package"), [("nequix-mp-1-pft", "nequix"), ("tensornet-matpes", "matgl")])
def test_packages_that_are_not_installed(
    name: str, package: str, mirror: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import sys

    for module in [m for m in sys.modules if m.partition(".")[0] == package or m.startswith("paraisite.potentials.")]:
        if module != "paraisite.potentials.loading":
            monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, package, None)  # as Python has it for a module that cannot be imported
    with pytest.raises(PotentialError, match=rf"(?s){name}.*not installed \(No module named.*make phonons"):
        load(name, mirror)


@pytest.fixture(scope="module")
def tensornet(mirror: Path):  # type: ignore[no-untyped-def]
    pytest.importorskip("matgl", reason="TensorNet needs matgl: make phonons")
    return load("tensornet-matpes", mirror)


@pytest.mark.data
@pytest.mark.slow
def test_tensornet_has_its_halves_in_the_right_order(tensornet, mirror: Path, monkeypatch: pytest.MonkeyPatch) -> None:  # type: ignore[no-untyped-def]
    atoms = bulk("MgO", "rocksalt", a=MGO)
    atoms.calc = tensornet
    assert atoms.get_potential_energy() == pytest.approx(-11.736, abs=2e-3)
    assert np.abs(atoms.get_stress()).max() < 2e-4  # eV/Å³: the constant is the relaxed one

    from paraisite.potentials import tensornet as module

    def as_stored(state):  # type: ignore[no-untyped-def]
        return {key: value for key, value in state.items() if key != "element_refs.onehot"}

    monkeypatch.setattr(module, "reordered", as_stored)
    atoms.calc = load("tensornet-matpes", mirror)
    assert atoms.get_potential_energy() == pytest.approx(-4.54, abs=0.01)


@pytest.mark.data
@pytest.mark.slow
def test_tensornet_in_units_of_ase(tensornet) -> None:  # type: ignore[no-untyped-def]
    atoms = rattled()
    atoms.calc = tensornet
    check_derivatives(atoms, 0.02)
    unknown = bulk("Po", "sc", a=3.3)
    unknown.calc = tensornet
    with pytest.raises(PotentialError, match=r"tensornet-matpes-pbe-v2025\.1 does not cover Po"):
        unknown.get_potential_energy()


@pytest.mark.data
@pytest.mark.slow
@pytest.mark.parametrize(("name", "energy"), [("nequix-mp-1-pft", -11.9572), ("nequix-oam-1-pft", -11.9617)])
def test_nequix(name: str, energy: float, mirror: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("nequix", reason="nequix is not installed: make phonons")
    monkeypatch.setenv("HOME", str(tmp_path))  # where nequix would keep what it downloads
    calculator = load(name, mirror)
    atoms = bulk("MgO", "rocksalt", a=MGO)
    atoms.calc = calculator
    assert atoms.get_potential_energy() == pytest.approx(energy, abs=1e-3)
    assert not (tmp_path / ".cache/nequix").exists()


@pytest.mark.data
@pytest.mark.slow
@pytest.mark.parametrize(("name", "sites"), [("nequix-mp-1-pft", 4), ("nequix-oam-1-pft", 16)])
def test_nequix_as_its_own_calculator(name: str, sites: int, mirror: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("nequix", reason="nequix is not installed: make phonons")
    from nequix.calculator import NequixCalculator

    monkeypatch.setattr("paraisite.potentials.nequix.SITES", sites)
    [path] = mirror.rglob(f"{name}.nqx")
    atoms, found = slab(), []
    for calculator in (NequixCalculator(model_path=str(path), use_kernel=False), load(name, mirror)):
        atoms.calc = calculator
        found.append((atoms.get_potential_energy(), atoms.get_forces(), atoms.get_stress()))
    (energy, forces, stress), (our_energy, our_forces, our_stress) = found
    assert our_energy == pytest.approx(energy, abs=1e-4)
    np.testing.assert_allclose(our_forces, forces, atol=1e-5 * np.abs(forces).max())
    np.testing.assert_allclose(our_stress, stress, atol=1e-5 * np.abs(stress).max())


@pytest.mark.parametrize("periodic", [True, False])
@pytest.mark.parametrize("sites", [1, 4, 64])
def test_edges_in_slots(periodic: bool, sites: int) -> None:
    pytest.importorskip("nequix", reason="nequix is not installed: make phonons")
    from nequix.data import dict_to_graphstuple, preprocess_graph

    from paraisite.potentials.nequix_slots import in_slots

    atoms, cutoff = slab(), 5.0
    atoms.pbc = periodic
    graph = dict_to_graphstuple(preprocess_graph(atoms, {8: 0, 12: 1}, cutoff, False))
    slots = in_slots(graph, sites)
    n = len(slots.nodes["species"])
    assert n % sites == 0
    assert slots.n_node.tolist() == [len(atoms), n - len(atoms)]
    assert slots.n_edge.sum() == len(slots.senders)
    assert np.array_equal(slots.receivers, np.repeat(np.arange(n), len(slots.senders) // n))
    positions = slots.nodes["positions"].astype(float)
    ends = positions[slots.senders] - positions[slots.receivers] + slots.edges["shifts"] @ atoms.cell.array
    near = np.linalg.norm(ends, axis=1) < cutoff

    def edges(graph, chosen) -> list[list[float]]:
        return np.column_stack([graph.senders, graph.receivers, graph.edges["shifts"]])[chosen].tolist()

    assert sorted(edges(slots, near)) == sorted(edges(graph, slice(None)))


@pytest.mark.slow
@pytest.mark.parametrize(
    "atoms",
    [
        Atoms("OHMg", [[0, 0, 0], [0, 0, 1], [9, 9, 9]], cell=[20] * 3, pbc=True),  # the last one is alone
        Atoms("OHMg", [[0, 0, 0], [0, 0, 1], [9, 9, 9]]),
        bulk("Mg", "fcc", a=3.6),  # images of itself are all its neighbours
        Atoms("O", cell=[20] * 3, pbc=True),
    ],
    ids=["alone", "molecule", "images", "no edges"],
)
def test_slots_in_corners(atoms: Atoms) -> None:
    pytest.importorskip("nequix", reason="nequix is not installed: make phonons")
    import equinox as eqx
    import jax
    import jraph
    from nequix.data import dict_to_graphstuple, preprocess_graph
    from nequix.model import Nequix

    from paraisite.potentials.nequix_slots import in_slots, with_slots

    cutoff, n = 4.0, len(atoms)
    model = Nequix(
        jax.random.key(0), 3, lmax=2, cutoff=cutoff, hidden_irreps="4x0e+3x1o+2x2e", n_layers=2, radial_mlp_size=8,
        radial_polynomial_p=6.0, layer_norm=True, avg_n_neighbors=10.0,
    )  # fmt: skip
    graph = dict_to_graphstuple(preprocess_graph(atoms, {1: 0, 8: 1, 12: 2}, cutoff, False))
    padded = jraph.pad_with_graphs(graph, n_node=n + 1, n_edge=int(graph.n_edge[0]) + 1, n_graph=2)
    expected, found = eqx.filter_jit(model)(padded), eqx.filter_jit(with_slots(model, 4))(in_slots(graph, 4))
    assert float(found[0][0]) == pytest.approx(float(expected[0][0]), abs=1e-5)
    np.testing.assert_allclose(found[1][:n], expected[1][:n], atol=1e-5)
    assert (found[2] is None) == (expected[2] is None) == (not atoms.pbc.any())
    if found[2] is not None:
        np.testing.assert_allclose(found[2][0], expected[2][0], atol=1e-6)


@pytest.mark.data
@pytest.mark.slow
def test_nequix_in_units_of_ase(mirror: Path) -> None:
    pytest.importorskip("nequix", reason="nequix is not installed: make phonons")
    name = "nequix-mp-1-pft"
    calculator = load(name, mirror)
    atoms = rattled()
    atoms.calc = calculator
    check_derivatives(atoms, 0.02)
    # padding is no part of the crystal: one in three cells, with other numbers of sites and edges
    whole, forces = atoms.get_potential_energy(), atoms.get_forces().copy()
    atoms = atoms.repeat((1, 1, 3))
    atoms.calc = calculator
    assert atoms.get_potential_energy() == pytest.approx(3 * whole, abs=1e-3)
    np.testing.assert_allclose(atoms.get_forces()[-2:], forces, atol=1e-4)

    atoms.pbc = (True, True, False)
    with pytest.raises(PotentialError, match=r"periodic in three directions, or molecules; set pbc=True"):
        atoms.get_potential_energy()
    unknown = bulk("Po", "sc", a=3.3)
    unknown.calc = calculator
    with pytest.raises(PotentialError, match=f"{name} does not cover Po"):
        unknown.get_potential_energy()
    with pytest.raises(PotentialError, match=r"device tpu: jax .* has .*; use cpu"):
        load(name, mirror, device="tpu")
