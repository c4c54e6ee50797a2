"""Dimension of bonded networks, of crystals whose answer is in textbooks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from known_crystals import build, same_otherwise

from paraisite.crystals.crystal import Crystal
from paraisite.graphs.dimensionality import _rank, dimensionality

O = (0, 0, 0)  # noqa: E741
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
]
CHAINS = [
    build("Se", [(0.2254, 0, 1 / 3)], 152, 4.366, 4.954),
    build("Te", [(0.2636, 0, 1 / 3)], 152, 4.456, 5.921),
]
MOLECULES = [
    build("I", [(0, 0.15434, 0.11741)], 64, 7.136, 4.686, 9.784, 90, 90, 90, id="I2"),
    build("N", [(0.0554,) * 3], 205, 5.660, id="N2"),
    build("C O", [O, (0.118,) * 3], 205, 5.624, id="CO2"),
    build("Sn I I", [(0.129,) * 3, (0.253,) * 3, (0.009, 0.001, 0.253)], 205, 12.273, id="SnI4"),
    build("Ne", [O], 225, 4.460),
]
KNOWN = [(crystal, k) for k, some in enumerate((MOLECULES, CHAINS, LAYERS, FRAMEWORKS)) for crystal in some]


@pytest.mark.parametrize(("crystal", "expected"), [pytest.param(*case, id=case[0].id) for case in KNOWN])
def test_textbook_crystals(crystal: Crystal, expected: int) -> None:
    assert dimensionality(crystal) == expected


@settings(max_examples=80, deadline=None)
@given(st.sampled_from(KNOWN), st.integers(0, 2**32 - 1))
def test_the_way_a_crystal_is_written_does_not_matter(case: tuple[Crystal, int], seed: int) -> None:
    crystal, expected = case
    assert dimensionality(same_otherwise(crystal, seed)) == expected


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


@given(st.lists(st.tuples(*[st.integers(-50, 50)] * 3), min_size=1, max_size=6))
def test_rank_is_that_of_the_matrix(vectors: list[tuple[int, int, int]]) -> None:
    matrix = np.array(vectors)
    assert _rank(matrix) == np.linalg.matrix_rank(matrix)
