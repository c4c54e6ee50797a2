from __future__ import annotations

import gzip
import json
import os
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import Result

from paraisite.datasets import load
from paraisite.datasets.export import export
from paraisite.datasets.store import read_card, read_dataset

Invoke = Callable[..., Result]


@pytest.fixture
def own(tiny_dataset: Path, tmp_path: Path) -> Path:
    """A folder of one's own: an id_prop.csv and CIFs."""
    return Path(shutil.copytree(tiny_dataset, tmp_path / "own"))


def cells(folder: Path) -> list[list[str]]:
    return [line.split(",") for line in (folder / "id_prop.csv").read_text().split()[1:]]


def test_a_folder_with_a_table(invoke: Invoke, own: Path, tmp_path: Path) -> None:
    result = invoke("data", "import", own, "-o", tmp_path / "out")
    assert f'imported 36 rows (0 rejected) into dataset "out": {tmp_path / "out"}' in result.stderr
    assert "kappa: 36 values" in result.stderr
    found, expected = load(tmp_path / "out"), load(own)
    assert found.content_hash == expected.content_hash
    assert found.ids == expected.ids
    assert list(found.targets) == ["kappa", "bulk_modulus_vrh"]
    assert read_card(tmp_path / "out").origin == {"imported": [{"path": str(own)}]}


def test_a_table_of_any_name_beside_the_crystals(invoke: Invoke, own: Path, tmp_path: Path) -> None:
    rows = cells(own)
    (own / "id_prop.csv").unlink()
    lines = [f"{kappa},{id_}.cif,ours" for id_, kappa, _ in rows]
    (own / "measured.csv").write_text("\n".join(["k300,sample,by", *lines]))
    invoke("data", "import", own / "measured.csv", "-o", tmp_path / "x", code=1)
    options = ["--id-column", "sample", "--kappa-column", "k300", "--unit", "mW/(m K)", "--name", "lab"]
    invoke("data", "import", own / "measured.csv", *options, "-o", tmp_path / "out")
    data = read_dataset(tmp_path / "out")
    assert data.name == "lab"
    assert data.provenance == ("lab",) * 36
    assert data.ids == tuple(row[0] for row in rows)
    assert data.kappa.tolist() == [float(row[1]) / 1000 for row in rows]
    card = read_card(tmp_path / "out")
    assert card.origin["kappa_column"] == "k300"
    assert card.origin["unit"] == "mW/(m K)"
    assert len(card.origin["imported"][0]["sha256"]) == 64


def test_a_header_without_kappa_is_not_taken_for_one(invoke: Invoke, own: Path, tmp_path: Path) -> None:
    rows = cells(own)
    (own / "id_prop.csv").write_text("\n".join(["id,klat", *(f"{row[0]},{row[1]}" for row in rows)]))
    result = invoke("data", "import", own, "-o", tmp_path / "out", code=1)
    assert "no column is named kappa" in result.stderr
    assert "found: klat. Name the conductivity by --kappa-column" in result.stderr
    assert not (tmp_path / "out").exists()
    invoke("data", "import", own, "--kappa-column", "-", "-o", tmp_path / "out")
    assert list(read_dataset(tmp_path / "out").targets) == ["klat"]
    result = invoke("data", "import", own, "--kappa-column", "tc", "-o", tmp_path / "other", code=1)
    assert "there is no column 'tc'; the header names id, klat" in result.stderr


def test_what_cannot_be_imported_is_listed(invoke: Invoke, own: Path, tmp_path: Path) -> None:
    table = own / "id_prop.csv"
    table.write_text(table.read_text().replace("LiF,", "LiFE,", 1) + "XeF,0.5,3\nNaCl,7,1\n")
    (own / "NaF.cif").write_text("data_x\n_cell_length_a 1\n")
    (own / "extra.cif").write_text((own / "KCl.cif").read_text())
    result = invoke("data", "import", own, "-o", tmp_path / "out")
    assert "imported 34 rows (6 rejected)" in result.stderr
    told = {line.split(": ", 2)[1].removeprefix(str(own) + "/"): line for line in result.stderr.split("\n")[:6]}
    line = {row[0]: number for number, row in enumerate(cells(own), start=2)}
    assert told.keys() == {
        f"id_prop.csv::line {line['LiFE']} (LiFE)",
        f"id_prop.csv::line {line['NaF']} (NaF)",
        f"id_prop.csv::line {line['XeF']} (XeF)",
        f"id_prop.csv::line {line['NaCl']} (NaCl)",  # a repeated id
        "LiF.cif",
        "extra.cif",
    }
    assert "no crystal of this id" in told[f"id_prop.csv::line {line['XeF']} (XeF)"]
    assert "NaF.cif" in told[f"id_prop.csv::line {line['NaF']} (NaF)"]
    assert "has this id; add one" in told["extra.cif"]
    assert len(read_card(tmp_path / "out").rejections) == 6
    assert len(read_dataset(tmp_path / "out").rejections) == 6


@pytest.mark.parametrize(
    ("name", "format"),
    [
        ("x.extxyz", "extxyz"),
        ("x.extxyz.gz", "extxyz"),
        ("x.db", "ase"),
        ("x.json", "pymatgen"),
        ("x.json.gz", "pymatgen"),
    ],
)
def test_crystals_that_carry_their_values(invoke: Invoke, own: Path, tmp_path: Path, name: str, format: Any) -> None:
    expected = load(own)
    export(expected, tmp_path / name, format)
    invoke("data", "import", tmp_path / name, "-o", tmp_path / "out")
    data = read_dataset(tmp_path / "out")
    assert data.name == "out"
    assert data.ids == expected.ids
    assert {target: values.tolist() for target, values in data.targets.items()} == {
        target: values.tolist() for target, values in expected.targets.items()
    }
    for a, b in zip(data.crystals, expected.crystals, strict=True):
        np.testing.assert_allclose(a.cell, b.cell, rtol=0, atol=1e-9)
        np.testing.assert_allclose(a.positions, b.positions, rtol=0, atol=1e-9)
        np.testing.assert_array_equal(a.numbers, b.numbers)


def test_values_where_others_put_them(invoke: Invoke, own: Path, tmp_path: Path) -> None:
    """JSON Lines with the conductivity in the structure's properties, in the record's data, or missing."""
    crystals = load(own).crystals[:5]
    structures = [crystal.to_pymatgen().as_dict(verbosity=0) for crystal in crystals]
    structures[0]["properties"] = {"klat": 2.5}
    records = [
        structures[0],
        {"structure": structures[1], "data": {"klat": "3.5", "note": "x"}, "material_id": "mp-1"},
        {"structure": structures[2], "klat": 4.5, "id": 7},
        {"structure": structures[3], "klat": -1.0},
        {"structure": structures[4]},
    ]
    (tmp_path / "x.jsonl").write_text("\n".join(map(json.dumps, records)))
    result = invoke("data", "import", tmp_path / "x.jsonl", "-o", tmp_path / "out", code=1)
    assert "no conductivities; found: klat. Give a table of id,kappa as TARGETS or name" in result.stderr
    result = invoke("data", "import", tmp_path / "x.jsonl", "--kappa-column", "klat", "-o", tmp_path / "out")
    data = read_dataset(tmp_path / "out")
    assert data.ids == ("x-0", "mp-1", "7")
    assert data.kappa.tolist() == [2.5, 3.5, 4.5]
    assert f"{tmp_path / 'x.jsonl'}#4 (x-3): kappa is -1.0, but must be positive" in result.stderr
    assert f"{tmp_path / 'x.jsonl'}#5 (x-4): has no kappa (looked for klat)" in result.stderr


def test_a_folder_of_files_that_carry_values(invoke: Invoke, own: Path, tmp_path: Path) -> None:
    expected = load(own)
    folder = tmp_path / "many"
    folder.mkdir()
    for part in range(3):
        export(expected.take(range(part, 36, 3)), folder / f"{part}.extxyz", "extxyz")
    (folder / "broken.cif").write_text("data_x\n")
    invoke("data", "import", folder, "--unit", "W/cm/K", "-o", tmp_path / "out")
    data = read_dataset(tmp_path / "out")
    kappa = dict(zip(expected.ids, expected.kappa * 100, strict=True))
    assert dict(zip(data.ids, data.kappa, strict=True)) == kappa
    assert [rejection.source for rejection in data.rejections] == [str(folder / "broken.cif")]


def test_crystals_and_a_table_apart(invoke: Invoke, own: Path, tmp_path: Path) -> None:
    expected = load(own)
    table = (own / "id_prop.csv").rename(tmp_path / "values.csv")
    invoke("data", "import", own, table, "-o", tmp_path / "a")
    assert read_dataset(tmp_path / "a").content_hash == expected.content_hash
    export(expected, tmp_path / "x.extxyz", "extxyz")  # the table counts, not what the file carries
    table.write_text("\n".join(["id,kappa", *(f"{id_},{i + 1}" for i, id_ in enumerate(reversed(expected.ids)))]))
    invoke("data", "import", tmp_path / "x.extxyz", table, "-o", tmp_path / "b")
    data = read_dataset(tmp_path / "b")
    assert data.ids == expected.ids[::-1]
    assert data.kappa.tolist() == list(range(1, 37))


def test_archives_and_files_that_stand_twice(invoke: Invoke, own: Path, tmp_path: Path) -> None:
    expected = load(own)
    shutil.make_archive(str(tmp_path / "cif"), "zip", own, ".")
    (tmp_path / "cif.zip").rename(own / "cif.zip")
    invoke("data", "import", own, "-o", tmp_path / "out")  # the files beside the archive count
    assert read_dataset(tmp_path / "out").content_hash == expected.content_hash
    (own / "LiF.cif.gz").write_bytes(gzip.compress((own / "LiF.cif").read_bytes()))
    result = invoke("data", "import", own, "-o", tmp_path / "other")
    assert "imported 35 rows" in result.stderr
    assert "LiF.cif.gz is a second structure with this id; keep one" in result.stderr


def test_crystals_without_values(invoke: Invoke, own: Path, tmp_path: Path) -> None:
    (own / "id_prop.csv").unlink()
    result = invoke("data", "import", own, "-o", tmp_path / "out", code=1)
    assert "Give a table of id,kappa as TARGETS" in result.stderr
    result = invoke("data", "import", own, "--kappa-column", "-", "-o", tmp_path / "bare")
    assert "imported 36 rows (0 rejected)" in result.stderr
    assert read_dataset(tmp_path / "bare").targets == {}
    (tmp_path / "empty").mkdir()
    result = invoke("data", "import", tmp_path / "empty", "-o", tmp_path / "out", code=1)
    assert "no row can be imported" in result.stderr
    assert "holds no crystal file" in result.stderr


def test_a_table_alone(invoke: Invoke, own: Path, tmp_path: Path) -> None:
    (tmp_path / "alone").mkdir()
    table = (own / "id_prop.csv").rename(tmp_path / "alone" / "mine.csv")
    result = invoke("data", "import", table, "-o", tmp_path / "out", code=1)
    assert f"no crystal file lies beside this table; name the crystals first: paraisite data import FOLDER {table}" in (
        result.stderr
    )
    shutil.copy(own / "LiF.cif", tmp_path / "alone" / "another.cif")
    result = invoke("data", "import", table, "-o", tmp_path / "out", code=1)
    assert "none of its ids (LiF, LiCl, LiBr, …) was found beside mine.csv" in result.stderr
    assert f"name the crystals first: paraisite data import FOLDER {table}" in result.stderr
    result = invoke("data", "import", table, own, "-o", tmp_path / "out", code=1)
    assert "give the table of targets here (.csv, .xlsx), and the crystals as the first input" in result.stderr


def test_what_is_there_is_not_overwritten(invoke: Invoke, own: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    invoke("data", "import", own, "-o", out, "--quiet")
    before = (out / "dataset.parquet").read_bytes()
    result = invoke("data", "import", own, "-o", out, "--unit", "W/cm/K", code=2)
    assert "holds a stored dataset already; --overwrite replaces it" in result.stderr
    assert (out / "dataset.parquet").read_bytes() == before
    result = invoke("data", "import", own, "-o", out, "--unit", "W/cm/K", "--overwrite", "--quiet")
    assert result.stderr == ""
    assert read_dataset(out).kappa.tolist() == (load(own).kappa * 100).tolist()
    result = invoke("data", "import", own, "-o", own, "--overwrite", code=2)
    assert "is not empty and does not hold a stored dataset" in result.stderr
    result = invoke("data", "import", out, "-o", tmp_path / "again", code=1)
    assert "is a stored dataset already" in result.stderr
    result = invoke("data", "import", own, "-o", own / "LiF.cif", code=2)
    assert "is a file; name a folder" in result.stderr


def test_a_header_of_other_names(invoke: Invoke, own: Path, tmp_path: Path) -> None:
    rows = cells(own)
    lines = ["sample,klat_300K,comment", *(f"{row[0]},{row[1]},ours" for row in rows)]
    (own / "id_prop.csv").write_text("\n".join(lines))
    result = invoke("data", "import", own, "-o", tmp_path / "out", code=1)
    assert "no column for ids; the header names sample, klat_300K, comment: give --id-column and" in result.stderr
    assert result.stderr.count("\n") == 1
    options = ["--id-column", "sample", "--kappa-column", "klat_300K"]
    (own / "id_prop.csv").write_text("\n".join([*lines, "XeF,-2,bad"]))
    result = invoke("data", "import", own, *options, "--unit", "mW/m/K", "-o", tmp_path / "out")
    assert "kappa is -2 mW/m/K, but must be positive" in result.stderr
    (own / "id_prop.csv").write_bytes("\n".join(lines).encode("utf-16"))
    assert "not UTF-8 but perhaps UTF-16; save it as CSV UTF-8" in invoke(
        "data", "import", own, *options, "-o", tmp_path / "other", code=1
    ).stderr  # fmt: skip


def test_ids_that_match_nothing_or_stand_twice(invoke: Invoke, own: Path, tmp_path: Path) -> None:
    expected = load(own)
    export(expected, tmp_path / "x.extxyz", "extxyz")
    (tmp_path / "byname.csv").write_text("id,name,kappa\n1,lithium fluoride,3\n2,halite,4\n")
    table = [tmp_path / "x.extxyz", tmp_path / "byname.csv", "--id-column", "name"]
    result = invoke("data", "import", *table, "-o", tmp_path / "out", code=1)
    assert "none of its ids (lithium fluoride, halite) was found among the crystals" in result.stderr
    assert "look like LiF, LiCl, LiBr, …; an id is the field material_id, mp_id, id" in result.stderr
    (tmp_path / "x.extxyz").write_text((tmp_path / "x.extxyz").read_text().replace("=LiCl ", "=LiF "))
    result = invoke("data", "import", tmp_path / "x.extxyz", "-o", tmp_path / "out")
    assert "warning: ids on several rows, all of which are kept: LiF (2)" in result.stderr
    assert "imported 36 rows" in result.stderr


def test_more_than_diamond_is_told(invoke: Invoke, own: Path, tmp_path: Path) -> None:
    assert "warning" not in invoke("data", "import", own, "-o", tmp_path / "fine").stderr
    said = f"values of kappa above 3500 W/m/K, more than diamond has (LiF {load(own).kappa[0] * 1000:.4g}, LiCl"
    result = invoke("data", "import", own, "--unit", "kW/m/K", "-o", tmp_path / "out")
    assert said in result.stderr
    assert "--unit" in result.stderr
    assert said in invoke("data", "check", tmp_path / "out").stdout


def test_of_many_rejections_the_first_are_listed(invoke: Invoke, own: Path, tmp_path: Path) -> None:
    table = own / "id_prop.csv"
    table.write_text(table.read_text() + "".join(f"no{i},1,1\n" for i in range(11)))
    result = invoke("data", "import", own, "-o", tmp_path / "out")
    assert result.stderr.count("not imported: ") == 6
    assert f"not imported: and 6 more, all in {tmp_path / 'out' / 'card.json'}" in result.stderr
    out = invoke("data", "check", own, code=1).stdout
    assert out.count("no crystal of this id") + out.count(".cif in") == 5
    assert "  and 6 more\n" in out


def test_wrong_usage(invoke: Invoke, own: Path, tmp_path: Path) -> None:
    assert "furlong: unknown unit" in invoke(
        "data", "import", own, "-o", tmp_path / "out", "--unit", "furlong", code=2
    ).stderr  # fmt: skip
    invoke("data", "import", tmp_path / "absent.csv", "-o", tmp_path / "out", code=2)
    invoke("data", "import", own, code=2)


# pickles


def pickles(own: Path, tmp_path: Path) -> tuple[Path, Path]:
    data = load(own)
    structures, values = tmp_path / "structures_own.pkl", tmp_path / "TC_own.pkl"
    structures.write_bytes(pickle.dumps([crystal.to_pymatgen() for crystal in data.crystals]))
    values.write_bytes(pickle.dumps(data.kappa.tolist()))
    return structures, values


def test_pickles(invoke: Invoke, own: Path, tmp_path: Path) -> None:
    structures, values = pickles(own, tmp_path)
    result = invoke("data", "import", structures, values, "-o", tmp_path / "out")
    assert f'imported 36 rows (0 rejected) into dataset "own": {tmp_path / "out"}' in result.stderr
    data, expected = read_dataset(tmp_path / "out"), load(own)
    assert data.kappa.tolist() == expected.kappa.tolist()
    assert data.formulas == expected.formulas
    assert data.ids[0] == "own-1"
    result = invoke("data", "import", structures, own / "id_prop.csv", "-o", tmp_path / "other", code=1)
    assert "a pickle of the same rows" in result.stderr
    result = invoke("data", "import", structures, "-o", tmp_path / "other", code=1)
    assert "no conductivities, structures only" in result.stderr


class Attack:
    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (self.command,)


@pytest.mark.parametrize("name", ["evil.pkl", "evil.dat"])
def test_a_hostile_pickle_is_refused(invoke: Invoke, own: Path, tmp_path: Path, name: str) -> None:
    structures, _ = pickles(own, tmp_path)
    (tmp_path / name).write_bytes(pickle.dumps([1.5, Attack(f"touch {tmp_path / 'ran'}")]))
    for inputs in ([tmp_path / name], [structures, tmp_path / name], [tmp_path / name, structures]):
        result = invoke("data", "import", *inputs, "-o", tmp_path / "out", code=1)
        assert f"{tmp_path / name}: byte " in result.stderr
        assert "it names 'posix.system'" in result.stderr or "it names 'nt.system'" in result.stderr
        assert "None of it was run; export the data as id_prop" in result.stderr
        assert not (tmp_path / "out").exists()
    assert not (tmp_path / "ran").exists()


@pytest.mark.data
@pytest.mark.parametrize(("study", "name", "n"), [("Dataset1", "l96", 95), ("Dataset2", "hh143", 143)])
def test_the_study_s_own(invoke: Invoke, mirror: Path, tmp_path: Path, study: str, name: str, n: int) -> None:
    legacy = mirror / "legacy"
    if not legacy.is_dir():
        pytest.skip(f"the data folder has no {legacy}")
    result = invoke(
        "data", "import", legacy / f"structures_{study}.pkl", legacy / f"{study}.pkl", "-o", tmp_path / "out"
    )  # fmt: skip
    assert f'imported {n} rows (0 rejected) into dataset "{study}"' in result.stderr
    data, expected = read_dataset(tmp_path / "out"), load(name, mirror)
    assert data.ids == expected.ids
    assert data.kappa.tolist() == expected.kappa.tolist()
    assert data.formulas == expected.formulas
    assert data.content_hash == expected.content_hash
    assert f"the content of the registered {name}" in invoke("data", "check", tmp_path / "out").stdout
    assert name in read_card(tmp_path / "out").licence


@pytest.mark.parametrize("column", ["temperature", "T_K", "T"])
def test_rows_of_other_temperatures_are_left_out(invoke: Invoke, own: Path, tmp_path: Path, column: str) -> None:
    rows = cells(own)
    lines = [f"{id_},{float(kappa) * factor},{t}" for id_, kappa, _ in rows for t, factor in ((600, 0.5), (298.15, 1))]
    (own / "id_prop.csv").write_text("\n".join([f"id,kappa,{column}", *lines]))
    result = invoke("data", "import", own, "-o", tmp_path / "out")
    assert "note: left out: 36 rows at temperatures other than 300 K" in result.stderr
    assert "imported 36 rows (0 rejected)" in result.stderr
    data = read_dataset(tmp_path / "out")
    assert data.kappa.tolist() == [float(row[1]) for row in rows]
    assert list(data.targets) == ["kappa"]
    assert "left out" in read_card(tmp_path / "out").notes[0]
    invoke("data", "import", own, "--at", 600, "-o", tmp_path / "hot")
    assert read_dataset(tmp_path / "hot").kappa.tolist() == [float(row[1]) * 0.5 for row in rows]
    assert "kappa is at 600 K" in read_card(tmp_path / "hot").notes[1]
    none = invoke("data", "import", own, "--at", 400, "-o", tmp_path / "none", code=1)
    assert "no line is at 400 K" in none.stderr
    assert "--at" in none.stderr
    read_as_it_is = invoke("data", "check", own, code=1)
    assert "its kappa is at 600 K, not at 300 K" in read_as_it_is.stdout
    assert load(own).kappa.tolist() == data.kappa.tolist()


def test_carried_temperatures_count_too(invoke: Invoke, tmp_path: Path) -> None:
    frame = '2\nLattice="4.2 0 0 0 4.2 0 0 0 4.2" Properties=species:S:1:pos:R:3 material_id={} kappa={} temperature={}'
    sites = "Cs 0 0 0\nCl 2.1 2.1 2.1\n"
    rows = [("a", 1.5, 600), ("b", 2.5, 300), ("c", 3.5, 295)]
    (tmp_path / "in.extxyz").write_text("".join(f"{frame.format(*row)}\n{sites}" for row in rows))
    result = invoke("data", "import", tmp_path / "in.extxyz", "-o", tmp_path / "out")
    assert "note: left out: 1 row at temperatures other than 300 K" in result.stderr
    assert read_dataset(tmp_path / "out").kappa.tolist() == [2.5, 3.5]
    assert (
        "no value is at 900 K (3 at"
        in invoke("data", "import", tmp_path / "in.extxyz", "--at", 900, "-o", tmp_path / "none", code=1).stderr
    )


def test_values_that_cannot_be_are_told(invoke: Invoke, own: Path, tmp_path: Path) -> None:
    rows = cells(own)
    for factor, said in ((1e-2, "perhaps they are in W/cm/K"), (1e9, "more than diamond has")):
        (own / "id_prop.csv").write_text("\n".join(["id,kappa", *(f"{r[0]},{float(r[1]) * factor}" for r in rows)]))
        out = tmp_path / f"out{factor}"
        assert said in " ".join(invoke("data", "import", own, "-o", out).stderr.split())
        assert said in " ".join(invoke("data", "check", out).stdout.split())
        cleaned = invoke("data", "clean", out, "-o", tmp_path / f"clean{factor}", code=None)
        assert "36 flagged" in cleaned.stdout or "36 dropped" in cleaned.stdout
    (own / "id_prop.csv").write_text("\n".join(["id,kappa", *(f"{r[0]},2.5" for r in rows)]))
    assert "all 36 values of kappa are 2.5" in invoke("data", "import", own, "-o", tmp_path / "same").stderr
