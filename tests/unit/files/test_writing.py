"""Writers of files: the bytes, and what stands there when one goes wrong."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from paraisite.files.writing import write_bytes, write_csv, write_json, write_parquet, write_text


def test_text_is_utf8_with_plain_line_ends(tmp_path: Path) -> None:
    write_text(tmp_path / "a.txt", "κ\nÅ\n")
    assert (tmp_path / "a.txt").read_bytes() == "κ\nÅ\n".encode()
    write_text(tmp_path / "a.txt", "\udce9", errors="replace")
    assert (tmp_path / "a.txt").read_bytes() == b"?"


def test_json_is_indented_by_one_and_ends_its_line(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_json(path, {"κ": [1.5, None]})
    assert path.read_bytes() == b'{\n "\\u03ba": [\n  1.5,\n  null\n ]\n}\n'
    write_json(path, {"κ": 1}, indent=None, end="", ensure_ascii=False)
    assert path.read_bytes() == '{"κ": 1}'.encode()


def test_csv_holds_no_commands(tmp_path: Path) -> None:
    write_csv(tmp_path / "a.csv", ["id", "n"], ([name, n] for name, n in (("=1+1", None), ("a\rb,c", -1.5))))
    assert (tmp_path / "a.csv").read_bytes() == b'id,n\n\'=1+1,\n"a\\rb,c",-1.5\n'


def test_parquet_comes_back(tmp_path: Path) -> None:
    table = pa.table({"a": [1, 2]})
    write_parquet(tmp_path / "a.parquet", table, compression="zstd")
    assert parquet.read_table(tmp_path / "a.parquet").equals(table)


def test_what_stood_there_stays_if_the_content_cannot_be_written(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_bytes(path, b"before")
    with pytest.raises(ValueError, match="Out of range"):
        write_json(path, float("nan"), allow_nan=False)
    with pytest.raises(UnicodeEncodeError):
        write_text(path, "\udce9")
    with pytest.raises(OSError, match="not a file"):
        write_text(tmp_path, "no file")
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.json"]
    assert path.read_bytes() == b"before"
