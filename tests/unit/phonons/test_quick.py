from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.emt import EMT
from ase.calculators.lj import LennardJones
from ase.data import atomic_masses, atomic_numbers

pytest.importorskip("phonopy", reason="phonons need the extra [phonons]")
from paraisite.crystals import Crystal
from paraisite.phonons.cells import PhononError
from paraisite.phonons.claim import Taken, claim
from paraisite.phonons.elastic import KELVIN, _invariant_constants, _rotations, _strains, elastic_constants, moduli
from paraisite.phonons.quick import cahill, diffuson, quick_look
from paraisite.phonons.quick_result import calculate_quick
from paraisite.phonons.settings import QuickSettings
from paraisite.physics.debye import K_B, slack_conductivity
from paraisite.potentials.cells import standard_cell

ARGON = {"sigma": 3.4, "epsilon": 0.0104, "rc": 12.0, "ro": 11.0, "smooth": True}


def argon(a: float = 5.25, **kwargs: float) -> Atoms:
    atoms = bulk("Ar", "fcc", a=a)
    atoms.calc = LennardJones(**{**ARGON, **kwargs})
    return atoms


@pytest.mark.parametrize(
    ("atoms", "constants", "strains"),
    [
        (bulk("MgO", "rocksalt", a=4.2), 3, 1),
        (bulk("GaN", "wurtzite", a=3.2, c=5.2), 5, 2),
        (bulk("Sn", "bct", a=5.8, c=3.2), 6, 2),
        (Atoms("NaCl", [[0, 0, 0], [1.1, 0.4, 2.0]], cell=[[4, 0, 0], [0.4, 5, 0], [0.3, 0.7, 6]], pbc=True), 21, 6),
    ],
    ids=["cubic", "hexagonal", "tetragonal", "triclinic"],
)
def test_as_many_constants_as_the_symmetry_leaves(atoms: Atoms, constants: int, strains: int) -> None:
    rotations = _rotations(atoms)
    basis = _invariant_constants(rotations)
    assert len(basis) == constants  # J. F. Nye, Physical Properties of Crystals, table 9
    np.testing.assert_allclose(np.einsum("aij,bij->ab", basis, basis), np.eye(constants), atol=1e-12)
    for rotation in rotations:
        turn = np.einsum("aij,il,jm,blm->ab", KELVIN, rotation, rotation, KELVIN)
        np.testing.assert_allclose(turn @ basis @ turn.T, basis, atol=1e-9)
    assert len(_strains(basis)) == strains


def test_constants_are_those_of_plain_differences() -> None:
    """Of a triclinic crystal of copper and gold, each of the six strains by itself, atoms relaxed tightly."""
    from ase.optimize import BFGS
    from ase.units import GPa

    atoms = Atoms(
        "CuAu",
        [[0, 0, 0], [1.9, 1.4, 1.9]],
        cell=[[3.9, 0, 0], [0.2, 2.8, 0], [0.1, 0.15, 4.0]],
        pbc=True,
        calculator=EMT(),
    )
    BFGS(atoms, logfile=None).run(fmax=1e-5)
    step, hessian = 1e-3, np.empty((6, 6))
    for i in range(6):
        for sign in (1, -1):
            moved = atoms.copy()
            moved.calc = atoms.calc
            moved.positions.flat[i] += sign * step
            hessian[i] = -sign * moved.get_forces().ravel() / (2 * step) + (hessian[i] if sign < 0 else 0)
    found = elastic_constants(atoms, (hessian + hessian.T) / 2)
    plain = np.empty((6, 6))
    for i, kelvin in enumerate(KELVIN):
        stress = []
        for sign in (1, -1):
            strained = atoms.copy()
            strained.calc = atoms.calc
            strained.set_cell(atoms.cell.array @ (np.eye(3) + sign * step * kelvin), scale_atoms=True)
            BFGS(strained, logfile=None).run(fmax=1e-5)
            stress.append(np.einsum("aij,ij->a", KELVIN, strained.get_stress(voigt=False)) / GPa)
        plain[i] = (stress[0] - stress[1]) / (2 * step)
    scale = np.abs(plain).max()
    # the cell is under stress, so the plain differences are not quite symmetric
    np.testing.assert_allclose(found, (plain + plain.T) / 2, atol=0.02 * scale)


def test_moduli() -> None:
    c11, c12, c44 = 278.0, 101.0, 135.0
    cubic = np.diag([c11 - c12] * 3 + [2 * c44] * 3)
    cubic[:3, :3] += c12
    bulk_modulus, shear_modulus = moduli(cubic)
    assert bulk_modulus == pytest.approx((c11 + 2 * c12) / 3)
    voigt = (c11 - c12 + 3 * c44) / 5
    reuss = 5 * (c11 - c12) * c44 / (4 * c44 + 3 * (c11 - c12))
    assert shear_modulus == pytest.approx((voigt + reuss) / 2)


def test_argon_against_its_own_energy() -> None:
    found = quick_look(argon())
    atoms = argon()
    volumes = found.volume * np.array([0.97, 0.98, 0.99, 1.0, 1.01, 1.02, 1.03])
    energies = []
    for volume in volumes:
        atoms.set_cell(atoms.cell.array * np.cbrt(volume / atoms.get_volume()), scale_atoms=True)
        energies.append(atoms.get_potential_energy())
    curve = np.polynomial.Polynomial.fit(volumes, energies, 4)
    assert curve.deriv()(found.volume) == pytest.approx(0, abs=3.2e-5)  # eV/Å³
    from ase.units import GPa

    assert found.bulk_modulus == pytest.approx(found.volume * curve.deriv(2)(found.volume) / GPa, rel=0.01)
    assert 2.5 < found.gruneisen < 3.5  # solids of Lennard-Jones have about 3
    assert found.optical_THz == ()
    assert 0 < found.velocity_trans < found.velocity_long < 3000
    assert found.heat_capacity == pytest.approx(3, abs=0.05)  # far above the Debye temperature
    assert 80 < found.debye_temperature < 110  # 92 K is measured
    assert found.kappa_min_diffuson / found.kappa_min_cahill == pytest.approx(0.76 / 1.21, rel=0.02)
    assert found.n_calls < 40


def test_any_cell_of_a_crystal_is_the_same() -> None:
    small, large = quick_look(argon()), argon().repeat((2, 1, 1))
    large.calc = LennardJones(**ARGON)
    found = quick_look(large, temperature=600.0)
    assert found.n_sites == small.n_sites == 1
    assert found.debye_temperature == pytest.approx(small.debye_temperature, rel=1e-3)
    assert found.kappa_slack == pytest.approx(small.kappa_slack / 2, rel=0.02)
    assert large.get_volume() == pytest.approx(2 * argon().get_volume())  # what was given is as it was
    assert "calculate" not in vars(large.calc)


def test_optical_modes_and_their_heat() -> None:
    """Ordered CuAu has six branches: all are classical when hot, the optical ones are frozen when cold."""
    atoms = Atoms("CuAu", [[0, 0, 0], [1.4, 1.4, 1.85]], cell=[2.8, 2.8, 3.7], pbc=True, calculator=EMT())
    found = quick_look(atoms, temperature=2000.0)
    assert found.n_sites == 2
    assert len(found.optical_THz) == 3
    assert found.heat_capacity == pytest.approx(3, abs=0.02)

    cold = quick_look(atoms, temperature=10.0)
    # Debye's law at low temperature, 12 pi^4 / 5 (T / theta)^3; optical modes are frozen
    assert cold.heat_capacity == pytest.approx(12 * np.pi**4 / 5 * (10 / cold.debye_temperature) ** 3, rel=0.02)


def test_an_unstable_crystal_says_so() -> None:
    atoms = bulk("Cu", "sc", a=2.4)
    atoms.calc = EMT()
    with pytest.raises(PhononError, match="unstable against a strain"):
        quick_look(atoms)
    assert "calculate" not in vars(atoms.calc)


@pytest.mark.parametrize(("symbol", "taken"), [("Ni", 1.0), ("Cu", None), ("Pt", 3.4)])
def test_slack_is_given_no_odd_anharmonicity(symbol: str, taken: float | None, tmp_path: Path) -> None:
    """These potentials put nickel's Grüneisen parameter below 1 and platinum's above 3.4."""
    result = calculate_quick(Crystal.from_ase(bulk(symbol)), tmp_path, EMT(), QuickSettings(potential="emt"))
    look = result.details["quick"]
    mass = atomic_masses[atomic_numbers[symbol]]
    values = look["debye_temperature"], taken or look["gruneisen"], mass, look["volume"], 1
    (expected,) = slack_conductivity(*(np.array([value]) for value in values))
    assert look["kappa_slack"] == pytest.approx(expected, rel=1e-6)
    assert [f"; {taken:g} used" in note for note in result.notes] == ([] if taken is None else [True])


def test_minimum_conductivities() -> None:
    """Of amorphous silica's velocities and density (Cahill, Watson and Pohl 1992): about 1 W m⁻¹ K⁻¹ at 300 K."""
    along, across, density = 5980.0, 3760.0, 0.0662
    limit = (np.pi / 6) ** (1 / 3) * K_B * (density * 1e30) ** (2 / 3) * (along + 2 * across) / 2
    assert cahill(along, across, density, 1e5) == pytest.approx(limit, rel=1e-3)
    assert limit / (K_B * (density * 1e30) ** (2 / 3) * (along + 2 * across) / 3) == pytest.approx(1.21, abs=0.005)
    assert 0.9 < cahill(along, across, density, 300.0) < limit
    assert diffuson(along, across, density) == pytest.approx(0.76 / 1.209 * limit, rel=1e-3)
    # as T² where it is cold
    ratio = cahill(along, across, density, 2.0) / cahill(along, across, density, 1.0)
    assert ratio == pytest.approx(4, rel=1e-3)


def test_deuterium_has_its_mass(tmp_path: Path) -> None:
    """Lattice dynamics of equal forces: frequencies fall with the square root of the mass."""
    light = Crystal.from_ase(bulk("H", "fcc", a=5.25))
    found = []
    for crystal in (light, replace(light, hydrogen_mass=2 * atomic_masses[1])):
        result = calculate_quick(
            crystal, tmp_path / str(len(found)), LennardJones(**ARGON), QuickSettings(potential="lj")
        )
        found.append(result.details["quick"]["debye_temperature"])
    assert found[0] / found[1] == pytest.approx(np.sqrt(2), rel=1e-4)


def test_a_folder_of_hydrogen_is_not_one_of_deuterium(tmp_path: Path) -> None:
    light = Crystal.from_ase(bulk("H", "fcc", a=5.25))
    claim(light, tmp_path, QuickSettings(potential="lj"))
    with pytest.raises(Taken):
        claim(replace(light, hydrogen_mass=2.014), tmp_path, QuickSettings(potential="lj"))


def test_phonopy_gets_the_mass_of_deuterium() -> None:
    crystal = Crystal.from_ase(bulk("LiH", "rocksalt", a=4.08))
    cell = standard_cell(crystal.cell, crystal.numbers, crystal.positions, 0.01)
    masses = replace(cell, hydrogen_mass=2.014).to_phonopy().masses
    assert sorted(set(masses.round(3).tolist())) == [2.014, 6.941]
