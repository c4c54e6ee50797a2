"""Structure types of textbook crystals."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from known_crystals import build, same_otherwise

from paraisite.crystals.crystal import Crystal
from paraisite.evaluation.kinds import KINDS, kinds

O = (0, 0, 0)  # noqa: E741
HALF, QUARTER, THREE = (0.5,) * 3, (0.25,) * 3, (0.75,) * 3
THIRD = (1 / 3, 2 / 3)

KNOWN = [
    ("rocksalt", build("Mg O", [O, HALF], 225, 4.212)),
    ("zincblende", build("Ga As", [O, QUARTER], 216, 5.653)),
    ("wurtzite", build("Zn O", [(*THIRD, 0), (*THIRD, 0.3825)], 186, 3.2498, 5.2066)),
    ("half-Heusler", build("Ti Ni Sn", [HALF, QUARTER, O], 216, 5.92)),
    ("full Heusler", build("Al Mn Cu", [O, HALF, QUARTER], 225, 5.95, id="Cu2MnAl")),
    ("full Heusler", build("Hg Cu Ti Cu", [O, QUARTER, HALF, THREE], 216, 6.1, id="inverse")),
    ("fluorite", build("Ca F", [O, QUARTER], 225, 5.463, id="CaF2")),
    ("fluorite", build("O Li", [O, QUARTER], 225, 4.619, id="Li2O")),
    ("fluorite", build("La O F", [O, QUARTER, THREE], 216, 5.756, id="LaOF")),
    ("perovskite", build("Sr Ti O", [HALF, O, (0.5, 0, 0)], 221, 3.905, id="SrTiO3")),
    ("perovskite", build("N Sn Mn", [HALF, O, (0.5, 0.5, 0)], 221, 4.06, id="antiperovskite")),
    (
        "perovskite",  # P4mm
        build("Pb Ti O O", [O, (0.5, 0.5, 0.539), (0.5, 0.5, 0.114), (0.5, 0, 0.617)], 99, 3.904, 4.152, id="PbTiO3"),
    ),
    (
        "perovskite",  # Pnma
        build(
            "Ca Ti O O",
            [(0.0359, 0.25, 0.9928), (0, 0, 0.5), (0.4838, 0.25, 0.0714), (0.2888, 0.0371, 0.7112)],
            *(62, 5.4423, 7.6401, 5.3796, 90, 90, 90),
            id="CaTiO3",
        ),
    ),
    ("perovskite", build("La Al O", [(0, 0, 0.25), O, (0.525, 0, 0.25)], 167, 5.365, 13.11, id="LaAlO3")),
    (
        "perovskite",  # I4/mcm
        build("Sr Ti O O", [(0, 0.5, 0.25), O, (0, 0, 0.25), (0.241, 0.741, 0)], 140, 5.507, 7.796, id="SrTiO3-105K"),
    ),
    (
        "perovskite",  # R3c
        build("Bi Fe O", [O, (0, 0, 0.2212), (0.443, 0.012, 0.9543)], 161, 5.5876, 13.867, id="BiFeO3"),
    ),
    ("perovskite", build("K Na Al F", [QUARTER, HALF, O, (0.219, 0, 0)], 225, 8.118, id="elpasolite")),
    ("other", build("Li Nb O", [(0, 0, 0.2787), O, (0.0476, 0.3433, 0.0633)], 161, 5.148, 13.863, id="LiNbO3")),
    ("other", build("Ca C O", [O, (0, 0, 0.25), (0.2568, 0, 0.25)], 167, 4.990, 17.06, id="calcite")),
    (
        "other",
        build("Fe Ti O", [(0, 0, 0.3553), (0, 0, 0.1464), (0.3174, 0.0233, 0.2451)], 148, 5.088, 14.086, id="ilmenite"),
    ),
    ("other", build("Cs Ni Cl", [(*THIRD, 0.75), O, (0.155, 0.31, 0.25)], 194, 7.17, 5.94, id="CsNiCl3")),
    ("other", build("Re O", [O, (0.5, 0, 0)], 221, 3.742, id="ReO3")),
    ("other", build("Cs Cl", [O, HALF], 221, 4.123)),
    ("other", build("Si", [O], 227, 5.431, id="diamond")),
    ("other", build("Ni As", [O, (*THIRD, 0.25)], 194, 3.602, 5.009)),
    ("chalcopyrite", build("Cu Fe S", [O, (0, 0, 0.5), (0.2575, 0.25, 0.125)], 122, 5.289, 10.423, id="CuFeS2")),
    ("spinel", build("Mg Al O", [O, (0.625,) * 3, (0.3874,) * 3], 227, 8.080, id="MgAl2O4")),
    (
        "garnet",
        build(
            "Y Al Al O",
            [(0.125, 0, 0.25), O, (0.375, 0, 0.25), (-0.0306, 0.0512, 0.15)],
            *(230, 12.0),
            id="Y3Al5O12",
        ),
    ),
    (
        "pyrochlore",
        build("La Zr O O", [(0.625,) * 3, (0.125,) * 3, (0.457, 0.25, 0.25), HALF], 227, 10.8, id="La2Zr2O7"),
    ),
    ("layered", build("Mo S", [(*THIRD, 0.25), (*THIRD, 0.621)], 194, 3.160, 12.295, id="MoS2")),
    ("chains", build("Se", [(0.2254, 0, 1 / 3)], 152, 4.366, 4.954)),
    ("molecular", build("C O", [O, (0.118,) * 3], 205, 5.624, id="CO2")),
]


@pytest.mark.parametrize(("kind", "crystal"), [pytest.param(*case, id=case[1].id) for case in KNOWN])
def test_textbook_crystals(kind: str, crystal: Crystal) -> None:
    assert kinds([crystal]) == (kind,)


def test_every_kind_has_a_textbook_crystal() -> None:
    assert {kind for kind, _ in KNOWN} == set(KINDS)


@settings(max_examples=30, deadline=None)
@given(st.sampled_from(KNOWN), st.integers(0, 2**32 - 1))
def test_the_way_a_crystal_is_written_does_not_matter(case: tuple[str, Crystal], seed: int) -> None:
    kind, crystal = case
    if crystal.n_sites <= 60:
        assert kinds([same_otherwise(crystal, seed)]) == (kind,)


def test_order_is_kept_and_each_crystal_is_told() -> None:
    told: list[None] = []
    crystals = [crystal for _, crystal in KNOWN[:3]]
    assert kinds(crystals, lambda: told.append(None)) == ("rocksalt", "zincblende", "wurtzite")
    assert len(told) == 3
    assert kinds([]) == ()
