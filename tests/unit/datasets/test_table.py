from __future__ import annotations

import math
import re
from pathlib import Path

import pytest

from paraisite.datasets.table import DatasetError, Table, read_table


def table(tmp_path: Path, text: str | bytes) -> Table:
    path = tmp_path / "id_prop.csv"
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return read_table(path)


def values(read: Table, target: str = "kappa") -> list[float]:
    return [row.targets[target] for row in read.rows]


def test_without_header(tmp_path: Path) -> None:
    read = table(tmp_path, "mp-1,1.5\nmp-2,20\n")
    assert [row.id for row in read.rows] == ["mp-1", "mp-2"]
    assert values(read) == [1.5, 20]
    assert read.targets == ("kappa",)
    assert read.rejections == ()


@pytest.mark.parametrize(
    "header", ["id,kappa", "ID,Kappa", "id,target", "material_id,kappa_W_mK", "\ufeffid,kappa", "crystal,kappa"]
)
def test_with_header(tmp_path: Path, header: str) -> None:
    read = table(tmp_path, f"{header}\r\nmp-1.cif,1.5\r\n")
    assert [(row.line, row.id, row.targets) for row in read.rows] == [(2, "mp-1", {"kappa": 1.5})]


def test_further_columns(tmp_path: Path) -> None:
    read = table(
        tmp_path,
        'formula,id,bulk_modulus_vrh,kappa,space_group,comment\n"Si",a,98,150,227,"hard, brittle"\nGe,b,,60,227,\n',
    )
    assert read.targets == ("kappa", "bulk_modulus_vrh")
    assert values(read) == [150, 60]
    assert values(read, "bulk_modulus_vrh")[0] == 98
    assert math.isnan(values(read, "bulk_modulus_vrh")[1])


def test_a_table_of_another_property(tmp_path: Path) -> None:
    read = table(tmp_path, "id,shear_modulus_vrh\na,50\n")
    assert read.targets == ("shear_modulus_vrh",)
    assert read.rows[0].targets == {"shear_modulus_vrh": 50}


@pytest.mark.parametrize("separator", [";", "\t", "|"])
def test_another_separator_and_decimal_commas(tmp_path: Path, separator: str) -> None:
    read = table(
        tmp_path,
        f"id{separator}kappa{separator}text\na{separator}1,5{separator}x, y\nb{separator}1.234,5{separator}z\n",
    )
    assert values(read) == [1.5, 1234.5]
    assert any("12,5 is 12.5" in note for note in read.notes)
    read = table(tmp_path, f"sep={separator}\nid{separator}kappa\n1,5{separator}2\n")
    assert [row.id for row in read.rows] == ["1,5"]  # ids stay as they are


def test_commas_between_thousands(tmp_path: Path) -> None:
    read = table(tmp_path, 'id,kappa\na,"1,234.5"\nb,"1,234"\nc,"12,5"\n')
    assert values(read) == [1234.5, 1234]
    assert "'12,5', not a number" in read.rejections[0].reason
    assert read.notes == ()


UNITS = {
    "kappa (W/mK)": 2, "kappa [W m-1 K-1]": 2, "kappa / W m⁻¹ K⁻¹": 2, "κ, W/(m·K)": 2, "kappa W/m-K": 2, "kappa": 2,
    "kappa (mW/cm K)": 0.2, "Kappa [mW/(m K)]": 0.002, "kappa in kW/m/K": 2000, "kappa_W_mK": 2,
    "kappa (W/mK, 300 K)": 2, "kappa (295 K) [W/cm/K]": 200,
}  # fmt: skip
"""Headings, and what a 2 below them is in W/m/K."""


@pytest.mark.parametrize("heading", UNITS)
def test_units_in_headings(tmp_path: Path, heading: str) -> None:
    read = table(tmp_path, f"id;{heading}\na;2\n")
    assert values(read) == [UNITS[heading]]
    assert bool(read.notes) == (UNITS[heading] != 2)


@pytest.mark.parametrize(
    ("heading", "unit", "said"),
    [
        ("kappa (cal/cm/s/K)", "", "cal/cm/s/K: unknown unit"),
        ("kappa (MW/m/K)", "", "unknown unit"),
        ("kappa (mW/m/K)", "W/m/K", "by its heading, not in W/m/K"),
        ("kappa (700 K)", "", "--at 700"),
    ],
)
def test_headings_that_are_refused(tmp_path: Path, heading: str, unit: str, said: str) -> None:
    path = tmp_path / "id_prop.csv"
    path.write_text(f"id;{heading}\na;2\n")
    with pytest.raises(DatasetError, match=said):
        read_table(path, unit=unit)
    if not unit and "700" not in heading:  # told the unit, the heading is not asked
        assert read_table(path, unit="W/m/K").rows[0].targets["kappa"] == 2
    if "700" in heading:
        assert read_table(path, at=700).rows[0].targets["kappa"] == 2


def test_both_kappa_and_target(tmp_path: Path) -> None:
    read = table(tmp_path, "id,target,kappa\na,1,2\n")
    assert read.rows[0].targets == {"kappa": 2, "target": 1}


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("x,abc,1", "kappa is 'abc', not a number"),
        ("x,-3,1", "kappa is -3, but must be positive and finite"),
        ("x,0,1", "kappa is 0, but must be positive"),
        ("x,inf,1", "kappa is inf, but must be positive and finite"),
        ("x,1,soft", "bulk is 'soft', not a number"),
        ("x,1,inf", "bulk is inf, but must be finite"),
        ("x,,nan", "no value for kappa or bulk"),
        ("x,1", r"2 columns instead of 3 \(id,kappa,bulk\)"),
        ("x,1,2,3", "4 columns instead of 3"),
        ("x,1,5;", "bulk is '5;'"),
        (",1,2", "the id is empty"),
        ("a,1,2", "the id stands on line 2 already"),
        ('"x,1,2', "1 column instead of 3"),
        pytest.param("x" * 200_000, "1 column instead of 3", id="endless"),
    ],
)
def test_a_broken_line_spoils_nothing_else(tmp_path: Path, line: str, reason: str) -> None:
    read = table(tmp_path, f"id,kappa,bulk\na,1,2\n{line}\nb,3,4\n# note\n\nc,5,6\n")
    assert [row.id for row in read.rows] == ["a", "b", "c"]
    (rejection,) = read.rejections
    assert rejection.source == f"{tmp_path / 'id_prop.csv'}::line 3"
    assert re.search(reason, rejection.reason)


def test_a_header_that_nobody_knows_is_reported_with_the_remedy(tmp_path: Path) -> None:
    read = table(tmp_path, "crystal,conductivity\na,1\n")
    assert [row.id for row in read.rows] == ["a"]
    assert "kappa is 'conductivity', not a number" in read.rejections[0].reason


def test_more_columns_without_header(tmp_path: Path) -> None:
    read = table(tmp_path, "a,1,2\nb,1\n")
    assert [row.id for row in read.rows] == ["b"]
    assert "a first line with the names of the columns" in read.rejections[0].reason


def test_binary_junk_is_rejected_line_by_line(tmp_path: Path) -> None:
    read = table(tmp_path, bytes(range(256)) * 3 + b"\nmp-1,2\n")
    assert [row.id for row in read.rows] == ["mp-1"]
    assert len(read.rejections) > 0


@pytest.mark.parametrize("text", ["", "\n\n", "# nothing\n"])
def test_empty(tmp_path: Path, text: str) -> None:
    with pytest.raises(DatasetError, match=r"id_prop\.csv: the table is empty"):
        table(tmp_path, text)


def test_no_numbers(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no column of numbers besides the id"):
        table(tmp_path, "id,formula\na,Si\n")


def test_twice_named_column(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="names 'bulk' twice"):
        table(tmp_path, "id,kappa,bulk,bulk\na,1,2,3\n")


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"id_prop\.csv: cannot be read \(No such file"):
        read_table(tmp_path / "id_prop.csv")


@pytest.mark.parametrize("name", ["{}.cif", "{}.CIF", "{}.vasp", "{}.poscar", "{}.xyz", "{}.json", "{}.cif.gz"])
def test_names_of_files_stand_for_ids(tmp_path: Path, name: str) -> None:
    ids = ["POSCAR-1", "mp-1.5", "a/b"]
    read = table(tmp_path, "".join(f"{name.format(id_)},5\n" for id_ in ids))
    assert [row.id for row in read.rows] == ids
