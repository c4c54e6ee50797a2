from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ase import Atoms
from ase.build import bulk
from ase.calculators.calculator import Calculator
from ase.calculators.emt import EMT
from ase.calculators.lj import LennardJones
from ase.data import atomic_masses, atomic_numbers

pytest.importorskip("phonopy", reason="phonons need the extra [phonons]")
from paraisite.crystals import Crystal
from paraisite.model.lifetime import EXPECTED, Expected
from paraisite.phonons.cells import PhononError
from paraisite.phonons.claim import Taken, claim
from paraisite.phonons.elastic import KELVIN, _invariant_constants, _rotations, _strains, elastic_constants, moduli
from paraisite.phonons.quick import cahill, diffuson
from paraisite.phonons.quick_result import calculate_quick
from paraisite.phonons.result import Result
from paraisite.phonons.settings import QuickSettings
from paraisite.physics.debye import K_B, slack_conductivity
from paraisite.potentials.cells import standard_cell

SMALL = {"supercell_length": 7.0}
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


def look(crystal: Atoms | Crystal, calculator: Calculator, folder: Path, **settings: Any) -> Result:
    known = crystal if isinstance(crystal, Crystal) else Crystal.from_ase(crystal)
    expected = settings.pop("expected", None)
    return calculate_quick(known, folder, calculator, QuickSettings(potential="own", **SMALL, **settings), expected)


def test_argon_against_its_own_energy(tmp_path: Path) -> None:
    from ase.units import GPa

    atoms = argon()
    found = look(atoms, atoms.calc, tmp_path)
    properties, sound = found.details["quick"]["properties"], found.details["quick"]["sound"]
    volumes = properties["volume_atom"] * np.array([0.97, 0.98, 0.99, 1.0, 1.01, 1.02, 1.03])
    energies = []
    for volume in volumes:
        atoms.set_cell(atoms.cell.array * np.cbrt(volume / atoms.get_volume()), scale_atoms=True)
        energies.append(atoms.get_potential_energy())
    curve = np.polynomial.Polynomial.fit(volumes, energies, 4)
    assert curve.deriv()(volumes[3]) == pytest.approx(0, abs=1.3e-4)  # eV/Å³
    assert sound["bulk_modulus"] == pytest.approx(volumes[3] * curve.deriv(2)(volumes[3]) / GPa, rel=0.02)
    assert 2.5 < sound["gruneisen"] < 3.5  # solids of Lennard-Jones have about 3
    assert 80 < sound["debye_temperature"] < 110  # 92 K is measured
    # strained cells and slopes of phonon branches tell of the same sound
    assert properties["sound_long"] == pytest.approx(sound["velocity_long"], rel=0.08)
    assert properties["heat_capacity_kB"] == pytest.approx(3, abs=0.05)  # far above the Debye temperature
    assert sound["kappa_min_diffuson"] / sound["kappa_min_cahill"] == pytest.approx(0.76 / 1.21, rel=0.02)
    assert found.kappa_W_mK is None  # nothing was predicted
    assert "calculate" not in vars(atoms.calc)


def test_conductivity_and_its_directions(tmp_path: Path) -> None:
    """Ordered CuAu: tetragonal, isotropic within the plane, and colder is more conducting."""
    atoms = Atoms("CuAu", [[0, 0, 0], [1.4, 1.4, 1.85]], cell=[2.8, 2.8, 3.7], pbc=True)
    values = dict.fromkeys(EXPECTED, 5.0) | {"coherence_share": 0.02, "kappa_coherence": 0.1}
    found = look(atoms, EMT(), tmp_path, temperatures=(150.0, 600.0), expected=Expected(0.7, 0.2, values))
    cold, room, hot = found.details["quick"]["temperatures"]
    assert [cold["temperature"], room["temperature"], hot["temperature"]] == [150.0, 300.0, 600.0]
    for at in (cold, room, hot):
        assert at["low"] < at["kappa"] < at["high"]
        assert np.mean(at["tensor"][:3]) == pytest.approx(at["kappa"])
        assert at["tensor"][0] == pytest.approx(at["tensor"][1])
        assert at["tensor"][0] != pytest.approx(at["tensor"][2], rel=0.01)
        assert np.abs(at["tensor"][3:]).max() < 1e-6 * at["kappa"]
    assert room["kappa"] == pytest.approx(found.kappa_W_mK)
    assert cold["kappa"] > room["kappa"] > hot["kappa"]
    assert room["high"] / room["low"] < hot["high"] / hot["low"]

    other = look(atoms.repeat((2, 1, 1)), EMT(), tmp_path / "any cell is the same", expected=Expected(0.7, 0.2, values))
    assert other.kappa_W_mK == pytest.approx(found.kappa_W_mK, rel=1e-3)


def test_unstable_and_oversized_crystals_say_so(tmp_path: Path) -> None:
    simple = look(bulk("Cu", "sc", a=2.4), EMT(), tmp_path / "a")
    assert (simple.status, simple.kappa_W_mK) == ("unstable", None)
    assert simple.min_frequency_THz < -0.1
    alloy = Atoms("CuAu", [[0, 0, 0], [1.4, 1.4, 1.85]], cell=[2.8, 2.8, 3.7], pbc=True)
    with pytest.raises(PhononError, match="larger than a supercell may be"):
        look(alloy, EMT(), tmp_path / "b", max_supercell_atoms=1)


@pytest.mark.parametrize(("symbol", "taken"), [("Cu", None), ("Pt", 3.4)])
def test_slack_is_given_no_odd_anharmonicity(symbol: str, taken: float | None, tmp_path: Path) -> None:
    """These potentials put platinum's Grüneisen parameter above 3.4."""
    result = look(bulk(symbol), EMT(), tmp_path)
    sound = result.details["quick"]["sound"]
    mass = atomic_masses[atomic_numbers[symbol]]
    volume = result.details["quick"]["properties"]["volume_atom"]
    values = sound["debye_temperature"], taken or sound["gruneisen"], mass, volume, 1
    (expected,) = slack_conductivity(*(np.array([value]) for value in values))
    assert sound["kappa_slack"] == pytest.approx(expected, rel=1e-4)
    assert [f"{taken:g} used" in note for note in result.notes if "Gr" in note] == ([] if taken is None else [True])


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
        result = look(crystal, LennardJones(**ARGON), tmp_path / str(len(found)))
        found.append(
            (
                result.details["quick"]["sound"]["debye_temperature"],
                result.details["quick"]["properties"]["max_frequency"],
            )
        )
    assert np.divide(*found) == pytest.approx(np.sqrt(2), rel=1e-3)


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
