"""Formulas of the published split, as our crystals call them."""

from __future__ import annotations

from pathlib import Path

import pytest

from paraisite.study.crabnet import SPLIT, reduced


@pytest.mark.parametrize(
    ("published", "ours"),
    [
        ("Al1N1Zr2", "Zr2AlN"),
        ("C1Mo4Ni2", "Ni2Mo4C"),
        ("Mg2O2", "MgO"),
        ("Na1Nb1S2", "NaNbS2"),
        ("Si1", "Si"),
        ("N0.2V0.6Zn0.4", "V3Zn2N"),
        ("Os0.67W1.33", "OsW2"),
    ],
)
def test_published_formulas_are_reduced(published: str, ours: str) -> None:
    assert reduced(published) == ours


@pytest.mark.parametrize("wrong", ["", "MgO", "Mg1O", "Mg1(O1)", "Mg 1"])
def test_what_is_no_such_formula(wrong: str) -> None:
    with pytest.raises(ValueError, match="elements with their counts"):
        reduced(wrong)


@pytest.mark.data
def test_all_but_two_test_formulas_have_a_crystal(mirror: Path) -> None:
    from paraisite.datasets import load
    from paraisite.datasets.formulas import load_formulas

    table = load_formulas(SPLIT, mirror)
    known = set(load("aflow_agl", mirror).formulas)
    assert sum(reduced(table.formulas[i]) not in known for i in table.rows("test")) == 2
