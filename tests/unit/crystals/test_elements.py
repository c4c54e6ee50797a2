"""Symbols, labels and reduced formulas, the latter against pymatgen."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from paraisite.crystals.elements import (
    NUMBERS,
    SYMBOLS,
    electronegativity,
    element_number,
    is_group,
    reduced_formula,
    species_number,
)


def test_symbols_are_those_of_pymatgen() -> None:
    from pymatgen.core import Element

    assert len(SYMBOLS) == 119
    assert {element.symbol: element.Z for element in Element if element.symbol not in ("D", "T")} == NUMBERS


def test_electronegativities_are_those_of_pymatgen() -> None:
    from pymatgen.core import Element

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for symbol in NUMBERS:
            x = Element(symbol).X
            assert electronegativity(symbol) == (x if x == x else float("inf"))


@pytest.mark.parametrize(
    ("label", "symbol"),
    [
        ("Fe", "Fe"),
        ("Fe3+", "Fe"),
        ("O2-", "O"),
        ("Fe1", "Fe"),
        ("FE", "Fe"),
        ("cl", "Cl"),
        ("D", "H"),
        ("T1", "X"),
        ("HO1", "X"),
        ("Ho1", "Ho"),
        ("NI1", "Ni"),
        ("2H", "H"),
        ("OW1", "O"),
        ("SiT", "Si"),
        ("Ca(1)", "Ca"),
        ("Po", "Po"),
        ("X", "X"),
        ("Vac", "X"),
        ("VAC1", "X"),
        ("M1", "X"),
        ("Dum", "X"),
        ("Wat", "X"),
        ("", "X"),
        ("1", "X"),
        ("?", "X"),
    ],
)
def test_element_number(label: str, symbol: str) -> None:
    assert SYMBOLS[element_number(label)] == symbol


@pytest.mark.parametrize("form", ["{}", "{}1", "{}2+", "{}+3", "{}-", "{}0+", "{}1.5-", "{}(+2)", "{}(III)", " {} 2+"])
def test_charges_of_a_species_do_not_count(form: str) -> None:
    for symbol, z in NUMBERS.items():
        assert species_number(form.format(symbol)) == z
        assert species_number(form.format(symbol.lower())) == z


@pytest.mark.parametrize(
    ("text", "symbol"),
    [("FE", "Fe"), ("SI", "Si"), ("D", "H"), ("D1+", "H"), ("T", "H"), ("3H", "H"), ("57Fe", "Fe"), ("T1", "X")]
    + [(text, "X") for text in ("", "?", "1", "X", "M1", "Vac", "Wat", "Xx", "O1W")]
    + [(text, "X") for text in ("H2O", "CH3", "SO4", "SO4-2", "NH4", "NH4+", "NO3", "CN", "HO", "OH", "OH-")],
)
def test_a_species_is_one_element_and_nothing_else(text: str, symbol: str) -> None:
    assert SYMBOLS[species_number(text)] == symbol


def test_groups_of_atoms() -> None:
    assert all(map(is_group, ("H2O", "CH3", "SO4", "SO4-2", "NH4+", "CN", "OH")))
    assert not any(map(is_group, ("Vac", "VAC", "WAT", "X", "Xx", "", "?", "T1", "Fe3+")))


@given(st.lists(st.integers(1, 118), min_size=1, max_size=24))
def test_reduced_formula_is_that_of_pymatgen(numbers: list[int]) -> None:
    from pymatgen.core import Composition

    counts = {SYMBOLS[z]: numbers.count(z) for z in numbers}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert reduced_formula(np.array(numbers)) == Composition(counts).reduced_formula


@pytest.mark.parametrize(
    ("formula", "reduced"),
    [("Ca2N4O12", "Ca(NO3)2"), ("Na2O2", "Na2O2"), ("H4O2", "H2O"), ("O8", "O2"), ("Pb4Te4", "TePb"), ("C8", "C")],
)
def test_reduced_formula_of_known_compounds(formula: str, reduced: str) -> None:
    from pymatgen.core import Composition

    numbers = [NUMBERS[s] for s, n in Composition(formula).as_dict().items() for _ in range(int(n))]
    assert reduced_formula(numbers) == reduced
    assert reduced_formula([]) == ""
