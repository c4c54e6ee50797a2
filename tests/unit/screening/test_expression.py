"""`Expression`: what conditions mean, where they fail, and that they execute nothing."""

from __future__ import annotations

import time
from contextlib import suppress

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from paraisite.prediction.options import Options
from paraisite.prediction.write import arrow_schema
from paraisite.screening.expression import Expression, ExpressionError

COLUMNS = Options(properties=("bulk_modulus_vrh",)).columns

ROWS = [
    {
        "id": "mp-1",
        "formula": "NaCl",
        "n_sites": 2,
        "n_elements": 2,
        "kappa_W_mK": 7.0,
        "bulk_modulus_GPa": 25.0,
        "is_metal": False,
        "dimensionality": 3,
    },
    {
        "id": "mp-2",
        "formula": "Bi2Te3",
        "n_sites": 5,
        "n_elements": 2,
        "kappa_W_mK": 1.6,
        "applicability": 0.5,
        "is_metal": True,
        "dimensionality": 2,
    },
    {"id": "mp-3", "formula": "", "status": "rejected", "reason": "the file is empty; write it again"},
    {"id": "mp-4", "formula": "SiTiO", "n_sites": 30, "n_elements": 3, "kappa_W_mK": 0.5, "applicability": 0.01},
]


@pytest.fixture(scope="module")
def table() -> pa.Table:
    return pa.Table.from_pylist(ROWS, schema=arrow_schema(COLUMNS))


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("kappa_W_mK < 2", [1, 3]),
        ("is_metal", [1]),
        ("not is_metal", [0]),  # of the others it is not known
        ("is_metal == false and dimensionality == 3", [0]),
        ("is_metal != True", [0]),
        ("dimensionality in (2, 3)", [0, 1]),
        ("n_elements <= 2 and applicability > 0.1", [1]),
        ("kappa_W_mK < 2 or kappa_W_mK > 5", [0, 1, 3]),
        ("not kappa_W_mK < 2", [0]),  # a row that lacks a number meets no condition on it
        ("1 < kappa_W_mK < 5", [1]),
        ("n_sites in (2, 30)", [0, 3]),
        ("n_sites not in [2, 30]", [1]),
        ("formula == 'NaCl'", [0]),
        ("formula != 'NaCl'", [1, 2, 3]),
        ("formula in ('NaCl', 'Bi2Te3')", [0, 1]),
        ('"Te" in elements', [1]),
        ('"S" in elements', []),
        ('"Si" in elements', [3]),
        ('"O" not in elements', [0, 1, 2]),
        ('"empty" in reason', [2]),
        ("status == 'rejected'", [2]),
        ("log10(kappa_W_mK) < 0", [3]),
        ("kappa_W_mK * n_sites / 2 >= 7.0", [0, 3]),
        ("-kappa_W_mK > -1", [3]),
        ("abs(kappa_W_mK - 1.6) < 1e-9", [1]),
        ("bulk_modulus_GPa > 10", [0]),
        ("2 > 1", [0, 1, 2, 3]),
        ("2 < 1 or kappa_W_mK < 1", [3]),
        ("kappa_W_mK / 0 > 1", [0, 1, 3]),
        ("sqrt(-kappa_W_mK) > 0", []),
        ("(kappa_W_mK < 2) and (not n_sites < 10)", [3]),
    ],
)
def test_rows_that_meet_a_condition(text: str, rows: list[int], table: pa.Table) -> None:
    assert Expression(text, COLUMNS).mask(table).nonzero()[0].tolist() == rows


def test_an_empty_table_has_no_rows(table: pa.Table) -> None:
    assert Expression("kappa_W_mK < 2 and 'Te' in elements", COLUMNS).mask(table.slice(0, 0)).tolist() == []


@pytest.mark.parametrize(
    ("text", "place", "says"),
    [
        ("kapa_W_mK < 2", 1, "kapa_W_mK; did you mean kappa_W_mK"),
        ("n_sites < 2 and zzz > 1", 17, "unknown column zzz; the columns are id, source, .*elements"),
        ("n_sites <", 10, "cannot be read here"),
        ("n_sites < 2 and", 16, "cannot be read here"),
        ("", 1, "cannot be read here"),
        ("n_sites", 1, "not a condition"),
        ("n_sites + 1", 1, "not a condition"),
        ("'κ' == id and n_sites", 15, "joins conditions"),
        ("n_sites < 'a'", 1, "not number and text"),
        ("id < 'a'", 1, "texts are not compared by <"),
        ("n_sites in 3", 12, "in looks for"),
        ("n_sites in ()", 12, "the list is empty"),
        ("n_sites in (1, 'a')", 16, "mixes"),
        ("n_sites ** 2 > 3", 1, "only"),
        ("n_sites % 2 == 0", 1, "only"),
        ("n_sites is 2", 1, "write =="),
        ("sin(n_sites) > 0", 1, "the functions are log10"),
        ("log10(id) > 0", 7, "not a number"),
        ("is_metal < true", 1, "truths are not compared by <"),
        ("is_metal == 1", 1, "truth and number"),
        ("None == id", 1, "not supported"),
        ("__import__('os').system('true') == 0", 1, "the functions are"),
        ("().__class__ == 1", 1, "not supported"),
        ("[x for x in id] == 1", 1, "not supported"),
        ("(lambda: 1)() == 1", 1, "the functions are"),
        ("id.upper() == 'A'", 1, "the functions are"),
        ("(n := 3) == 3", 2, "not supported"),
        ("n_sites == 1e999 + 10**9**9", 20, "only"),
        ("n_sites == " + "9" * 400, 12, "too large"),
    ],
)
def test_errors_show_the_place(text: str, place: int, says: str) -> None:
    with pytest.raises(ExpressionError, match=says) as caught:
        Expression(text, COLUMNS)
    message = str(caught.value)
    assert message.startswith(f"character {place}: "), message
    assert message.splitlines()[-1] == "  " + " " * (place - 1) + "^"


@pytest.mark.parametrize(
    "text", ["(" * 900 + "1" + ")" * 900, "not " * 490 + "n_sites < 1", "1+" * 999 + "1 < 2", "\0"]
)
def test_what_is_too_deep_or_no_text_is_refused(text: str) -> None:
    with pytest.raises(ExpressionError):
        Expression(text if len(text) > 1 else f"n_sites < {text}", COLUMNS)


def test_long_expressions_are_refused_at_once() -> None:
    start = time.monotonic()
    with pytest.raises(ExpressionError, match="shorten"):
        Expression("n_sites < 1 or " * 10**6 + "n_sites < 2", COLUMNS)
    assert time.monotonic() - start < 1


@given(st.text(max_size=60))
def test_no_text_does_anything_but_fail_clearly(text: str) -> None:
    with suppress(ExpressionError):
        Expression(text, COLUMNS)


def test_needs_names_columns() -> None:
    assert Expression("'Te' in elements and n_sites < 3", COLUMNS).needs == ("formula", "n_sites")
