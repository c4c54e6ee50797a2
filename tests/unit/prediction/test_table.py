"""What a person reads: rounded numbers, rows, and the summary."""

from __future__ import annotations

from io import StringIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from paraisite.prediction.options import Options
from paraisite.prediction.prediction import Prediction
from paraisite.prediction.table import SHOWN, Summary, interval, printable, short, table


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (7.1234, "7.1"),
        (12.4, "12"),
        (9.96, "10"),
        (99.6, "100"),
        (166.0, "170"),
        (2220.0, "2200"),
        (1.0, "1.0"),
        (0.5, "0.50"),
        (0.0349, "0.035"),
        (0.0999, "0.10"),
        (0.0, "0"),
        (-1.234, "-1.2"),
        (3.2e-5, "3.2e-05"),
        (1.23e7, "1.2e+07"),
        (None, "–"),
        (float("nan"), "–"),
        (float("inf"), "–"),
    ],
)
def test_two_digits(value: float | None, text: str) -> None:
    assert short(value) == text


@given(st.floats(1e-12, 1e12))
def test_two_digits_are_within_five_percent(value: float) -> None:
    assert float(short(value)) == pytest.approx(value, rel=0.0501)
    assert len(short(value)) <= 7


def row(**changes: object) -> Prediction:
    return Prediction("a", "a.cif", "NaCl", 2, 2, 7.123, 4.21, 12.4, **changes)  # type: ignore[arg-type]


def test_interval_shows_what_there_is() -> None:
    assert interval(row()) == "7.1 [4.2 – 12]"
    assert interval(Prediction("a", "a.cif", kappa_W_mK=7.123)) == "7.1"
    assert interval(Prediction("a", "a.cif")) == "–"


def test_file_names_cannot_steer_the_terminal() -> None:
    assert printable("a\x1b[2Jb\udce9\n結 κ") == "a\\x1b[2Jb\\udce9\\n結 κ"


def shown(rows: list[Prediction], **options: object) -> str:
    console = Console(file=StringIO(), width=110)
    console.print(table(rows, Options(**options)))  # type: ignore[arg-type]
    return console.file.getvalue()  # type: ignore[attr-defined,no-any-return]


def test_table_marks_warnings_and_rejections() -> None:
    text = shown(
        [
            row(applicability=0.61, properties={"bulk_modulus_GPa": 24.6}),
            Prediction("[bold]", "b.cif", status="rejected", reason="no"),
            Prediction("c", "c.cif", "MgO", 2, 2, 50.0, 20.0, 90.0, applicability=0.01, status="warning"),
        ],
        properties=["bulk_modulus_vrh"],
        level=0.8,
    )
    lines = [line.split() for line in text.splitlines()]
    assert "[80 %]" in text
    assert ["a", "NaCl", "7.1", "[4.2", "–", "12]", "0.61", "25"] in lines
    assert ["×", "[bold]", "rejected", "–", "–"] in lines
    assert ["!", "c", "MgO", "50", "[20", "–", "90]", "0.01", "–"] in lines


def test_files_of_the_same_name_are_told_apart() -> None:
    text = shown([Prediction("POSCAR", "one/POSCAR"), Prediction("POSCAR", "two/POSCAR")])
    assert "one/POSCAR" in text
    assert "two/POSCAR" in text


def test_summary_counts_kinds_of_reasons() -> None:
    summary = Summary()
    summary.add(row())
    for i in range(4):
        summary.add(row(status="warning", reason=f"outside the training data (applicability 0.0{i})"))
    for i in range(SHOWN + 2):
        summary.add(Prediction(f"{i}", f"{i}.cif", status="rejected", reason="no cell " + "x" * i))
    lines = summary.lines()
    assert lines[0] == "warning: a.cif and 3 more: outside the training data (applicability 0.00)"
    assert lines[1] == "rejected: 0.cif: no cell "
    assert sum(line.startswith("rejected") for line in lines) == SHOWN + 1
    assert lines[-2].startswith("rejected: 2 more")
    assert lines[-1] == f"5 predicted (4 with a warning), {SHOWN + 2} rejected"
    assert (summary.predicted, summary.rejected) == (5, SHOWN + 2)
