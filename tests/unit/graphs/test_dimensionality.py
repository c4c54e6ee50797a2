"""Dimension of bonded networks, of crystals whose answer is in textbooks."""

from __future__ import annotations

from dataclasses import replace
from random import Random

import numpy as np
import pytest
from ase import Atoms
from ase.build import bcc110, bulk, fcc111, graphene, molecule, mx2, nanotube, surface
from hypothesis import given, settings
from hypothesis import strategies as st
from known_crystals import build, same_otherwise

from paraisite.crystals.crystal import Crystal
from paraisite.crystals.vacuum import MAX_GAP, widest_gap
from paraisite.graphs.dimensionality import _ranks, dimensionalities, dimensionality
from paraisite.graphs.neighbours import find_neighbours

O = (0, 0, 0)  # noqa: E741


def _in_a_box(atoms: Atoms, cell: np.ndarray, id: str) -> Crystal:
    return Crystal.from_arrays(cell, True, atoms.numbers, atoms.positions, id=id)


def _slab(atoms: Atoms, id: str) -> Crystal:
    """With 15 Å of vacuum along each direction that is not periodic."""
    free = [k for k in range(3) if not atoms.pbc[k]]
    atoms.center(vacuum=7.5, axis=free)
    return _in_a_box(atoms, atoms.cell.array, id)


HALF, QUARTER = (0.5,) * 3, (0.25,) * 3

FRAMEWORKS = [
    build("Na Cl", [O, HALF], 225, 5.640),
    build("Cs Cl", [O, HALF], 221, 4.123),
    build("Cs I", [O, HALF], 221, 4.567),
    build("Tl Cl", [O, HALF], 221, 3.834),
    build("Li H", [O, HALF], 225, 4.083),
    build("Ca F", [O, QUARTER], 225, 5.463, id="CaF2"),
    build("Pb F", [O, QUARTER], 225, 5.940, id="PbF2"),
    build("Sr Ti O", [HALF, O, (0.5, 0, 0)], 221, 3.905, id="SrTiO3"),
    build("Ca C O", [O, (0, 0, 0.25), (0.2568, 0, 0.25)], 167, 4.990, 17.06, id="CaCO3"),
    build("Na Co O", [(0, 0, 0.5), O, (0, 0, 0.2312)], 166, 2.889, 15.609, id="NaCoO2"),
    build("Ge Te", [(0, 0, 0.2366), (0, 0, -0.2366)], 160, 4.164, 10.69),
    build("C", [O], 227, 3.567, id="diamond"),
    build("Al", [O], 225, 4.050),
    build("Pb", [O], 225, 4.950),
    build("Na", [O], 229, 4.290),
    build("Zn", [(1 / 3, 2 / 3, 0.25)], 194, 2.665, 4.947),
    build("Cu", [O], 225, 3.615),
    build("W", [O], 229, 3.165),
    build("Cs", [O], 229, 6.141),  # bonds of 5.3 Å, beyond what the descriptors look at
    # P. A. Wright and J. Richardson et al., J. Phys. Chem. 92, 243 (1988): pure silica with the cages of sodalite
    build("Si O", [(0.25, 0, 0.5), (0, 0.3534, 0.3534)], 229, 8.830, id="sodalite"),
    # H. Li, M. Eddaoudi, M. O'Keeffe and O. M. Yaghi, Nature 402, 276 (1999); the linker's bonds of ordinary lengths
    build(
        "Zn O O C C C H",
        [
            (0.2063, 0.2063, 0.2063),
            QUARTER,
            (0.1340, 0.2195, 0.2195),
            (0.1113, 0.25, 0.25),
            (0.0538, 0.25, 0.25),
            (0.0269, 0.2170, 0.2170),
            (0.0453, 0.1945, 0.1945),
        ],
        225,
        25.832,
        id="MOF-5",
    ),
]
LAYERS = [
    build("C C", [(0, 0, 0.25), (1 / 3, 2 / 3, 0.25)], 194, 2.464, 6.711, id="graphite"),
    build("B N", [(1 / 3, 2 / 3, 0.25), (1 / 3, 2 / 3, 0.75)], 194, 2.504, 6.661),
    build("Mo S", [(1 / 3, 2 / 3, 0.25), (1 / 3, 2 / 3, 0.621)], 194, 3.160, 12.295, id="MoS2"),
    build("Cd I", [O, (1 / 3, 2 / 3, 0.249)], 164, 4.240, 6.835, id="CdI2"),
    build("Pb I", [O, (1 / 3, 2 / 3, 0.265)], 164, 4.557, 6.979, id="PbI2"),
    build("Pt Te", [O, (1 / 3, 2 / 3, 0.254)], 164, 4.026, 5.221, id="PtTe2"),
    build("Bi I", [(0, 0, 0.1667), (0.3415, 0.3395, 0.0805)], 148, 7.525, 20.703, id="BiI3"),
    build("Bi Te Te", [(0, 0, 0.4), O, (0, 0, 0.2097)], 166, 4.386, 30.497, id="Bi2Te3"),
    build("Sn Se", [(0.1184, 0.25, 0.1035), (0.8552, 0.25, 0.4819)], 62, 11.501, 4.153, 4.445, 90, 90, 90),
    build("Pb O", [(0, 0.5, 0.2385), O], 129, 3.976, 5.023),
    build("O Cs", [O, (0, 0, 0.256)], 166, 4.256, 18.99, id="Cs2O"),
    build("As", [(0, 0, 0.2271)], 166, 3.760, 10.55),
    build("Ti S", [O, (1 / 3, 2 / 3, 0.2501)], 164, 3.407, 5.695, id="TiS2"),
    # A. Brown and S. Rundqvist, Acta Cryst. 19, 684 (1965)
    build("P", [(0, 0.1034, 0.0806)], 64, 3.3136, 10.478, 4.3763, 90, 90, 90, id="black P"),
    # R. Enjalbert and J. Galy, Acta Cryst. C 42, 1467 (1986)
    build(
        "V O O O",
        [(-0.1488, 0, -0.1083), (-0.1457, 0, -0.469), (-0.3189, 0, 0.003), (0, 0, 0.001)],
        59,
        11.512,
        3.564,
        4.368,
        90,
        90,
        90,
        id="V2O5",
    ),
    # brucite, the sheet of clays: M. Catti, G. Ferraris, S. Hull and A. Pavese, Phys. Chem. Miner. 22, 200 (1995)
    build("Mg O H", [O, (1 / 3, 2 / 3, 0.2203), (1 / 3, 2 / 3, 0.413)], 164, 3.148, 4.779, id="Mg(OH)2"),
]
CHAINS = [
    build("Se", [(0.2254, 0, 1 / 3)], 152, 4.366, 4.954),
    build("Te", [(0.2636, 0, 1 / 3)], 152, 4.456, 5.921),
    # R. E. Rundle and P. H. Lewis, J. Chem. Phys. 20, 132 (1952)
    build("Be Cl", [(0, 0, 0.25), (0.109, 0.203, 0)], 72, 9.86, 5.36, 5.26, 90, 90, 90, id="BeCl2"),
    # J. Peters and B. Krebs, Acta Cryst. B 38, 1270 (1982)
    build("Si S", [(0, 0, 0.25), (0.1178, 0.2088, 0)], 72, 9.583, 5.614, 5.547, 90, 90, 90, id="SiS2"),
    # cinnabar: P. Auvray and F. Genet, Bull. Soc. Fr. Minéral. Crist. 96, 218 (1973)
    build("Hg S", [(0.7198, 0, 1 / 3), (0.4889, 0, 5 / 6)], 152, 4.145, 9.496),
    # polyethylene: C. W. Bunn, Trans. Faraday Soc. 35, 482 (1939), in the standard setting Pnma
    build(
        "C H H",
        [(0.065, 0.25, 0.038), (0.060, 0.25, 0.186), (0.27, 0.25, 0.011)],
        62,
        4.93,
        2.534,
        7.40,
        90,
        90,
        90,
        id="polyethylene",
    ),
]
MOLECULES = [
    build("I", [(0, 0.15434, 0.11741)], 64, 7.136, 4.686, 9.784, 90, 90, 90, id="I2"),
    build("N", [(0.0554,) * 3], 205, 5.660, id="N2"),
    build("C O", [O, (0.118,) * 3], 205, 5.624, id="CO2"),
    build("Sn I I", [(0.129,) * 3, (0.253,) * 3, (0.009, 0.001, 0.253)], 205, 12.273, id="SnI4"),
    build("Ne", [O], 225, 4.460),
    build("Ar", [O], 225, 5.311),
    # ice XI, of ordered hydrogen: A. J. Leadbetter et al., J. Chem. Phys. 82, 424 (1985)
    build(
        "O O H H H",
        [
            (0, 0.6648, 0.0631),
            (0.5, 0.8255, -0.0631),
            (0, 0.6636, 0.1963),
            (0, 0.5363, 0.0183),
            (0.6766, 0.7748, -0.0183),
        ],
        36,
        4.465,
        7.858,
        7.292,
        90,
        90,
        90,
        id="ice",
    ),
    # G. E. Bacon, N. A. Curry and S. A. Wilson, Proc. R. Soc. A 279, 98 (1964)
    build(
        "C C C H H H",
        [
            (-0.0569, 0.1387, -0.0054),
            (-0.1335, 0.0460, 0.1264),
            (-0.0774, -0.0925, 0.1295),
            (-0.0976, 0.2447, -0.0177),
            (-0.2409, 0.0794, 0.2218),
            (-0.1371, -0.1631, 0.2312),
        ],
        61,
        7.39,
        9.42,
        6.81,
        90,
        90,
        90,
        id="benzene",
    ),
    # S. Swaminathan, B. M. Craven and R. K. McMullan, Acta Cryst. B 40, 300 (1984)
    build(
        "C O N H H",
        [
            (0, 0.5, 0.3260),
            (0, 0.5, 0.5953),
            (0.1459, 0.6459, 0.1766),
            (0.2575, 0.7575, 0.2827),
            (0.1441, 0.6441, -0.0380),
        ],
        113,
        5.565,
        4.684,
        id="urea",
    ),
    # W. I. F. David et al., Nature 353, 147 (1991), with one orientation for all molecules
    _in_a_box(molecule("C60"), np.array([[0, 1, 1], [1, 0, 1], [1, 1, 0]]) * 14.04 / 2, "C60"),
]
KNOWN = [(crystal, k) for k, some in enumerate((MOLECULES, CHAINS, LAYERS, FRAMEWORKS)) for crystal in some]

IN_VACUUM = [
    (_in_a_box(molecule("H2O"), np.eye(3) * 15, "water in a box"), 0),
    (_in_a_box(molecule("C60"), np.eye(3) * 20, "C60 in a box"), 0),
    (_in_a_box(Atoms("Al"), np.diag([15, 15, 2.5]), "wire"), 1),
    (_slab(nanotube(6, 0, length=2), "nanotube"), 1),
    (_slab(graphene(size=(2, 2, 1)), "graphene"), 2),
    (_slab(graphene("BN", a=2.504), "h-BN monolayer"), 2),
    (_slab(mx2("MoS2", a=3.16, thickness=3.17), "MoS2 monolayer"), 2),
    (_slab(fcc111("Cu", (1, 1, 4), a=3.615), "Cu(111)"), 2),
    (_slab(bcc110("W", (1, 1, 5), a=3.165), "W(110)"), 2),
    (_slab(surface(bulk("NaCl", "rocksalt", a=5.64, cubic=True), (1, 0, 0), 2), "NaCl(100)"), 2),
]
"""With 15 Å of vacuum, and the dimension of their bonds."""


@pytest.mark.parametrize(("crystal", "expected"), [pytest.param(*case, id=case[0].id) for case in KNOWN])
def test_textbook_crystals(crystal: Crystal, expected: int) -> None:
    assert dimensionality(crystal) == expected
    assert widest_gap(crystal.cell, crystal.positions) <= MAX_GAP


@pytest.mark.parametrize(("crystal", "expected"), [pytest.param(*case, id=case[0].id) for case in IN_VACUUM])
def test_slabs_wires_and_molecules_in_vacuum(crystal: Crystal, expected: int) -> None:
    assert dimensionality(crystal) == expected
    assert widest_gap(crystal.cell, crystal.positions) > MAX_GAP


@pytest.mark.parametrize("reach", [0.5, 3.0, 4.5, 7.0])
def test_all_at_once_whatever_neighbours_are_known(reach: float) -> None:
    crystals, expected = zip(*KNOWN, *IN_VACUUM, strict=True)
    found = dimensionalities(crystals, [find_neighbours(c, reach) for c in crystals], reach)
    assert found.dtype == np.int8
    np.testing.assert_array_equal(found, expected)
    assert len(dimensionalities([], [], reach)) == 0


@settings(max_examples=80, deadline=None)
@given(st.sampled_from(KNOWN + IN_VACUUM), st.integers(0, 2**32 - 1))
def test_the_way_a_crystal_is_written_does_not_matter(case: tuple[Crystal, int], seed: int) -> None:
    crystal, expected = case
    other = same_otherwise(crystal, seed)
    assert dimensionality(other) == expected
    assert (widest_gap(other.cell, other.positions) > MAX_GAP) == (
        widest_gap(crystal.cell, crystal.positions) > MAX_GAP
    )


def test_a_framework_pulled_apart_becomes_layers_chains_and_atoms() -> None:
    polonium = build("Po", [O], 221, 3.35)
    for apart, expected in ((0, 3), (1, 2), (2, 1), (3, 0)):
        far = np.where(np.arange(3) < apart, 4.0, 1.0)
        assert dimensionality(replace(polonium, cell=polonium.cell * far[:, None])) == expected


def test_the_highest_of_several_networks_counts() -> None:
    """Two interwoven frameworks are a framework, and so is one with a molecule in its hollow."""
    cuprite = build("Cu O", [QUARTER, O], 224, 4.27, id="Cu2O")
    assert dimensionality(cuprite) == 3
    cage = build("Po", [O], 221, 3.35)
    hollow = replace(cage, cell=cage.cell * 2.0, numbers=np.array([84] * 8 + [10]))
    corners = np.array(list(np.ndindex(2, 2, 2))) / 2
    assert dimensionality(replace(hollow, positions=np.vstack([corners, [[0.25, 0.25, 0.25]]]))) == 3


vectors = st.lists(st.tuples(*[st.integers(-3, 3) | st.integers(-50, 50)] * 3).filter(any), max_size=6)


@given(st.lists(vectors, min_size=1, max_size=4), st.randoms())
def test_ranks_are_those_of_the_matrices(groups: list[list[tuple[int, int, int]]], random: Random) -> None:
    rows = [(k, vector) for k, some in enumerate(groups) for vector in some]
    random.shuffle(rows)
    matrix = np.array([vector for _, vector in rows], dtype=np.int64).reshape(-1, 3)
    found = _ranks(list(matrix.T), np.array([k for k, _ in rows], dtype=np.int64), len(groups))
    assert found.tolist() == [np.linalg.matrix_rank(np.array(some)) if some else 0 for some in groups]
