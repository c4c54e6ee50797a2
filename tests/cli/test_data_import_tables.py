"""Tables as they come from instruments and spreadsheets: each is read right, or refused with what to do."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from typer.testing import Result

from paraisite.datasets.store import read_dataset

Invoke = Callable[..., Result]


@pytest.fixture
def crystals(tiny_dataset: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "crystals"
    folder.mkdir()
    for name in ("NaCl", "NaBr", "KCl", "KBr"):
        shutil.copy(tiny_dataset / f"{name}.cif", folder)
    return folder


def workbook(path: Path, *sheets: Sequence[Sequence[Any]]) -> Path:
    openpyxl = pytest.importorskip("openpyxl", reason="needs the extra [data]")
    book = openpyxl.Workbook()
    book.remove(book.active)
    for i, rows in enumerate(sheets):
        sheet = book.create_sheet(f"sheet {i}")
        for row in rows:
            sheet.append(list(row))
    book.save(path)
    return path


def imported(invoke: Invoke, crystals: Path, table: Path, *options: object) -> tuple[dict[str, float], str]:
    out = crystals.parent / "measured"
    said = invoke("data", "import", crystals, table, *options, "-o", out).stderr
    data = read_dataset(out)
    assert data.name == "measured"  # as the folder is called
    return dict(zip(data.ids, data.kappa.tolist(), strict=True)), said


def test_semicolons_and_decimal_commas(invoke: Invoke, crystals: Path, tmp_path: Path) -> None:
    table = tmp_path / "a.csv"
    table.write_bytes("\ufeffProbe;kappa [W/(m·K)];Bemerkung\r\nNaCl;6,5;gut, dicht\r\nNaBr;2,8;\r\n".encode())
    found, said = imported(invoke, crystals, table, "--id-column", "Probe")
    assert found == {"NaCl": 6.5, "NaBr": 2.8}
    assert "12,5 is 12.5" in said


def test_excel_with_a_unit_and_a_formula(invoke: Invoke, crystals: Path, tmp_path: Path) -> None:
    """A formula that no program has computed has no value; it is not computed here."""
    rows = [["id", "kappa (mW/cm K)", "T (K)"], ["NaCl", 65, 300], ["NaBr", "=1+27", 300], ["KCl", 71.5, 296]]
    found, said = imported(invoke, crystals, workbook(tmp_path / "b.xlsx", rows, []))
    assert found == {"NaCl": 6.5, "KCl": pytest.approx(7.15)}
    assert "given in mW/cm K: converted to W/m/K" in said
    assert "b.xlsx::line 3" in said


def test_several_temperatures(invoke: Invoke, crystals: Path, tmp_path: Path) -> None:
    table = tmp_path / "c.csv"
    table.write_text(
        "id,temperature,kappa\n" + "".join(f"{i},{t},{2000 / t:g}\n" for i in ("NaCl", "KCl") for t in (300, 500))
    )
    found, said = imported(invoke, crystals, table, "--at", 500)
    assert found == {"NaCl": 4, "KCl": 4}
    assert "left out: 2 rows" in said
    refused = invoke("data", "import", crystals, table, "--at", 700, "-o", tmp_path / "none", code=1).stderr
    assert "700 K" in refused
    assert not (tmp_path / "none").exists()


def test_repeated_ids(invoke: Invoke, crystals: Path, tmp_path: Path) -> None:
    table = tmp_path / "d.tsv"
    table.write_text("material_id\tkappa\nNaCl.cif\t6\nNaBr\t3\nNaCl\t7\n")
    found, said = imported(invoke, crystals, table)
    assert found == {"NaCl": 6, "NaBr": 3}
    assert "line 2" in said
    assert "line 4" in said


def test_decimal_commas_between_commas(invoke: Invoke, crystals: Path, tmp_path: Path) -> None:
    """Nobody can tell these cells apart: each line is refused, and the reason says what to save instead."""
    table = tmp_path / "e.csv"
    table.write_text("id,kappa\nNaCl,6,5\nNaBr,2,8\n")
    assert "semicolons" in invoke("data", "import", crystals, table, "-o", tmp_path / "none", code=1).stderr


def test_workbooks_that_are_refused(invoke: Invoke, crystals: Path, tmp_path: Path, monkeypatch: Any) -> None:
    rows = [["id", "kappa (BTU/h/ft/F)"], ["NaCl", 3.8]]

    def refused(table: Path) -> str:
        return invoke("data", "import", crystals, table, "-o", tmp_path / "none", code=1).stderr

    assert "unknown unit" in refused(workbook(tmp_path / "f.xlsx", rows))
    assert "2 sheets are filled (sheet 0, sheet 1)" in refused(workbook(tmp_path / "g.xlsx", rows, rows))
    broken = tmp_path / "h.xlsx"
    broken.write_bytes((tmp_path / "f.xlsx").read_bytes()[:500])
    assert "save it again" in refused(broken)
    shutil.copy(tmp_path / "f.xlsx", tmp_path / "i.csv")
    assert "perhaps an Excel workbook" in refused(tmp_path / "i.csv")
    monkeypatch.setattr("paraisite.datasets.cells.MAX_CELLS", 3)
    assert "more than 3 cells" in refused(tmp_path / "f.xlsx")
    monkeypatch.setattr("paraisite.datasets.cells.MAX_EXCEL_BYTES", 1 << 10)
    assert "unpacks to more" in refused(tmp_path / "f.xlsx")
