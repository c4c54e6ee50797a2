"""Tables: columns and units, odd values, and files that appear only when complete."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from paraisite.files.outputs import OutputError
from paraisite.files.replacing import replacing
from paraisite.prediction.options import Options
from paraisite.prediction.prediction import COLUMNS
from paraisite.prediction.write import INTEGERS, TEXT, TRUTH, UNITS, check_output, open_writer
from paraisite.targets import TARGETS

EXTENSIONS = [".csv", ".json", ".parquet"]


def read(path: Path) -> list[dict[str, object]]:
    if path.suffix == ".csv":
        with path.open(encoding="utf-8", newline="") as file:
            return [{k: v or None for k, v in row.items()} for row in csv.DictReader(file)]
    if path.suffix == ".json":
        return json.loads(path.read_text(encoding="utf-8"))  # type: ignore[no-any-return]
    from pyarrow import parquet

    return parquet.read_table(path).to_pylist()  # type: ignore[no-any-return]


def test_every_column_has_a_type_and_every_number_a_unit() -> None:
    names = Options(properties=tuple(TARGETS)).columns
    assert names == (*COLUMNS, *(target.column for target in TARGETS.values()))
    units = {*UNITS, *(target.column for target in TARGETS.values())}
    assert {name for name in names if not name.endswith("_W_mK")} <= TEXT | INTEGERS | TRUTH | units
    assert not (TEXT | INTEGERS) & units


def test_properties_keep_the_order_asked_for() -> None:
    asked = ("gruneisen", "bulk_modulus_vrh", "my_own_target")
    assert Options(properties=asked).columns[-3:] == ("gruneisen", "bulk_modulus_GPa", "my_own_target")


@pytest.mark.parametrize("extension", EXTENSIONS)
def test_odd_text_and_missing_values_come_back(extension: str, tmp_path: Path) -> None:
    path = tmp_path / f"out{extension}"
    text = 'a "quoted", name\nin two lines – κ'
    with open_writer(path, ["id", "source", "n_sites", "kappa_W_mK"]) as writer:
        writer.write({"id": text, "source": "caf\udce9.cif", "n_sites": 2, "kappa_W_mK": 1.25})
        writer.write({"id": "b", "kappa_W_mK": None})
    first, second = read(path)
    assert first["id"] == text
    path.read_bytes().decode("utf-8" if extension != ".parquet" else "latin-1")
    assert str(first["source"]).encode("utf-8", "backslashreplace") == b"caf\\udce9.cif"
    assert float(str(first["kappa_W_mK"])) == 1.25
    assert second["source"] is second["n_sites"] is second["kappa_W_mK"] is None


@pytest.mark.parametrize("extension", EXTENSIONS)
def test_an_empty_table_is_readable(extension: str, tmp_path: Path) -> None:
    path = tmp_path / f"out{extension}"
    with open_writer(path, COLUMNS):
        pass
    assert read(path) == []


def test_parquet_row_groups_join(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("paraisite.prediction.write.ROW_GROUP", 3)
    path = tmp_path / "out.parquet"
    with open_writer(path, ["id", "n_sites"]) as writer:
        for i in range(8):
            writer.write({"id": str(i), "n_sites": i})
    from pyarrow import parquet

    assert parquet.ParquetFile(path).num_row_groups == 3
    assert [row["n_sites"] for row in read(path)] == list(range(8))


@pytest.mark.parametrize("extension", EXTENSIONS)
@pytest.mark.parametrize("error", [KeyboardInterrupt, BrokenPipeError, ValueError])
@pytest.mark.filterwarnings("error")
def test_an_unfinished_table_leaves_the_old_one(extension: str, error: type[BaseException], tmp_path: Path) -> None:
    path = tmp_path / f"out{extension}"
    path.write_text("old")
    with pytest.raises(error), open_writer(path, ["id"]) as writer:  # noqa: PT012
        writer.write({"id": "a"})
        raise error
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_a_link_keeps_pointing_where_it_did(tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    link = tmp_path / "out.csv"
    link.symlink_to(tmp_path / "there" / "real.csv")
    with open_writer(link, ["id"]) as writer:
        writer.write({"id": "a"})
    assert link.is_symlink()
    assert (tmp_path / "there" / "real.csv").read_text() == "id\na\n"


@pytest.mark.parametrize("name", ["out", "out.txt", "out.csv.gz", "folder.csv", "missing/out.csv", "file/out.csv"])
def test_unusable_outputs_are_named(name: str, tmp_path: Path) -> None:
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(match=name.partition(".")[0]):
        check_output(tmp_path / name)


def test_extensions_in_capitals_count(tmp_path: Path) -> None:
    check_output(tmp_path / "OUT.CSV")


def test_a_table_that_exists_is_not_written_over_unasked(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    path.write_text("mine")
    with pytest.raises(OutputError, match=r"out\.csv exists already; .*--overwrite"):
        check_output(path, overwrite=False)
    check_output(path, overwrite=True)
    path.unlink()
    path.symlink_to(tmp_path / "nowhere.csv")
    with pytest.raises(OutputError, match="exists already"):
        check_output(path, overwrite=False)


def test_a_device_is_never_replaced(tmp_path: Path) -> None:
    path = tmp_path / "out.csv"
    os.mkfifo(path)
    with pytest.raises(OutputError, match="device or pipe"):
        check_output(path)
    with pytest.raises(OSError, match=r"device or pipe.*out\.csv"), replacing(path) as aside:
        aside.write_text("x")
    assert [p.name for p in tmp_path.iterdir()] == ["out.csv"]


@pytest.mark.parametrize("extension", EXTENSIONS)
def test_a_full_disk_is_told_with_the_path_and_leaves_nothing(extension: str, tmp_path: Path) -> None:
    path = tmp_path / f"out{extension}"
    code = (
        "import resource, signal, sys; from pathlib import Path; from paraisite.prediction.write import open_writer\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN); resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))\n"
        "with open_writer(Path(sys.argv[1]), ['id', 'kappa_W_mK']) as writer:\n"
        "    for i in range(20000): writer.write({'id': f'{i * 7919 % 20011}', 'kappa_W_mK': i ** 0.5})\n"
    )
    path.write_text("before")
    done = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True)
    last = done.stderr.splitlines()[-1]
    assert last.startswith("OSError")
    assert last.endswith(f"File too large: '{path}'")
    assert path.read_text() == "before"
    assert list(tmp_path.iterdir()) == [path]
