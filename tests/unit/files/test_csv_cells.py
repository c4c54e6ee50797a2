"""Cells of CSV: no text is a command to a spreadsheet or a terminal, and every one is read back as it was."""

from __future__ import annotations

import csv
import io
import math

import pytest

from paraisite.files.csv_cells import CsvWriter, harmless, plain, read_rows


@pytest.mark.parametrize("text", ["=1+1", "+cmd|' /C calc'!A0", "-2+3", "@SUM(A1)", "＝1+1", "'=x", "''=x"])
def test_commands_get_an_apostrophe_that_is_taken_away_again(text: str) -> None:
    assert harmless(text) == f"'{text}"
    assert plain(harmless(text)) == text


@pytest.mark.parametrize("text", ["-149", "+1.5e-3", "-.5", "-inf", "mp-149", "'quoted'", "a=b", "", "x@y", "O'"])
def test_numbers_and_other_texts_stay_as_they_are(text: str) -> None:
    assert harmless(text) == text
    assert plain(text) == text


@pytest.mark.parametrize("text", ["\t=1", "\r=1", "a\x1b[31mred", "\x9b2J", "a\u202eb", "\udce9"])
def test_control_characters_are_escaped(text: str) -> None:
    assert harmless(text).isprintable()
    assert harmless(text)[0] not in "=+-@"


def test_rows_come_back() -> None:
    stream = io.StringIO()
    writer = CsvWriter(stream)
    writer.writerow(["id", "=x", "n"])
    writer.writerows([["-a", "=b", -1.5], ["-7", "c", None], ["d,e", '"f"', -math.inf]])
    assert [row["n"] for row in csv.DictReader(io.StringIO(stream.getvalue()))] == ["-1.5", "", "-inf"]
    rows = list(read_rows(io.StringIO(stream.getvalue())))
    assert [(row["id"], row["=x"]) for row in rows] == [("-a", "=b"), ("-7", "c"), ("d,e", '"f"')]
