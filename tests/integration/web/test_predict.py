"""Predictions over HTTP: the same rows as on the command line, in every format."""

from __future__ import annotations

import csv
import gzip
import io
import json
import tarfile
import time
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pyarrow.parquet as parquet
import pytest
import requests
from services import Running, until
from typer.testing import CliRunner

import paraisite
from paraisite.cli.main import app
from paraisite.prediction.options import Options
from paraisite.web import examples

EXAMPLES = sorted((Path(paraisite.__file__).parent / "examples" / "crystals").glob("*.cif"))
NDJSON = {"Accept": "application/x-ndjson"}


def lines(answer: requests.Response) -> list[dict[str, Any]]:
    assert answer.status_code == 200, answer.text
    return [json.loads(line) for line in answer.text.splitlines()]


def by_command_line(folder: Path, *args: str) -> list[dict[str, Any]]:
    out = folder / "by_command_line.json"
    done = CliRunner().invoke(app, ["predict", *map(str, args), "-o", str(out), "-q", "--overwrite"])
    assert done.exit_code == 0, done.output
    return json.loads(out.read_text())


def test_rows_are_those_of_the_command_line(service: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bad = tmp_path / "bad.cif"
    bad.write_text("data_bad\n_cell_length_a 3\n")
    (tmp_path / "POSCAR").write_text(examples.POSCAR)
    monkeypatch.chdir(tmp_path)
    for example in EXAMPLES:
        (tmp_path / example.name).write_bytes(example.read_bytes())
    names = [*(example.name for example in EXAMPLES), "bad.cif", "POSCAR"]
    found = service.predict({name: (tmp_path / name).read_bytes() for name in names}).json()
    assert found == by_command_line(tmp_path, *names)
    assert [row["source"] for row in found] == names
    assert found[-2]["status"] == "rejected"
    assert found[-1]["formula"] == "NaCl"


def test_options_are_those_of_the_command_line(
    service: Running, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cif: bytes
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("Si.cif").write_bytes(cif)
    query = {"level": 0.8, "temperatures": [200, 600], "properties": ["debye_temperature"], "tensor": True}
    (found,) = service.predict({"Si.cif": cif}, params=query).json()
    asked = ["--level", "0.8", "--temperatures", "200,600", "--properties", "debye_temperature", "--tensor"]
    assert [found] == by_command_line(tmp_path, "Si.cif", *asked)
    assert tuple(found) == Options(0.8, ("debye_temperature",), (200.0, 600.0), True).columns


def test_disorder(service: Running) -> None:
    mixed = (
        "data_mixed\n_cell_length_a 5.5\n_cell_length_b 5.5\n_cell_length_c 5.5\n_cell_angle_alpha 90\n"
        "_cell_angle_beta 90\n_cell_angle_gamma 90\n_space_group_name_H-M_alt 'F d -3 m'\nloop_\n_atom_site_label\n"
        "_atom_site_type_symbol\n_atom_site_occupancy\n_atom_site_fract_x\n_atom_site_fract_y\n_atom_site_fract_z\n"
        "Si1 Si 0.7 0 0 0\nGe1 Ge 0.3 0 0 0\n"
    )
    (rejected,) = service.predict({"mixed.cif": mixed}).json()
    (taken,) = service.predict({"mixed.cif": mixed}, params={"disorder": "majority"}).json()
    assert rejected["status"] == "rejected"
    assert taken["formula"] == "Si"


def test_vacuum(service: Running) -> None:
    slab = {"numbers": [6, 6], "positions": [[0, 0, 0], [1.23, 0.71, 0]], "pbc": True}
    slab["cell"] = [[2.46, 0, 0], [1.23, 2.13, 0], [0, 0, 30]]
    statuses = []
    for allow in (False, True):
        how = {"json": {"structures": [slab]}, "params": {"allow_vacuum": allow}}
        (row,) = requests.post(f"{service.api}/predict", timeout=60, **how).json()
        statuses.append(row["status"])
    assert statuses == ["rejected", "warning"]


def zipped(members: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return out.getvalue()


def tarred(members: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return out.getvalue()


@pytest.mark.parametrize("pack", [zipped, tarred])
def test_archives(service: Running, cif: bytes, pack: Callable[[dict[str, bytes]], bytes]) -> None:
    name = "many.zip" if pack is zipped else "many.tar.gz"
    packed = pack({"a.cif": cif, "bad.cif": b"data_x\n", "sub/b.cif": cif})
    found = lines(service.predict({name: packed, "c.cif.gz": gzip.compress(cif)}, headers=NDJSON))
    assert [row["source"] for row in found] == [f"{name}::{m}" for m in ("a.cif", "bad.cif", "sub/b.cif")] + [
        "c.cif.gz"
    ]
    assert [row["status"] for row in found] == ["ok", "rejected", "ok", "ok"]
    assert [row["id"] for row in found] == ["a", "bad", "b", "c"]


def test_ase_database(service: Running, tmp_path: Path) -> None:
    from ase.build import bulk
    from ase.db import connect

    with connect(tmp_path / "x.db") as database:
        database.write(bulk("Si"))
        database.write(bulk("NaCl", "rocksalt", a=5.6))
    found = service.predict({"mine.db": (tmp_path / "x.db").read_bytes()}).json()
    assert [row["formula"] for row in found] == ["Si", "NaCl"]
    assert all(row["source"].startswith("mine.db") for row in found)


@pytest.mark.parametrize("name", examples.DOCUMENTS)
def test_json_bodies(service: Running, name: str) -> None:
    found = requests.post(f"{service.api}/predict", json=examples.DOCUMENTS[name], timeout=120).json()
    expected = {"texts": ["Si", "NaCl"], "pymatgen": ["Si"], "ase": ["MgO"], "optimade": ["GaAs"], "bare": ["Si"]}
    assert [row["formula"] for row in found] == expected[name]
    assert all(row["status"] != "rejected" for row in found)


def test_json_of_mixed_values_keeps_every_row(service: Running) -> None:
    body = {"structures": [examples.CIF, 7, None, {}, [], "", {"name": "x.cif", "text": "junk"}, examples.ASE]}
    found = requests.post(f"{service.api}/predict", json=body, timeout=120).json()
    assert [row["status"] == "rejected" for row in found] == [False, *[True] * 6, False]
    assert all(row["reason"] for row in found[1:-1])


def test_a_body_that_is_one_file(service: Running, cif: bytes) -> None:
    answer = requests.post(
        f"{service.api}/predict",
        data=cif,
        params={"name": "mine.cif"},
        headers={"Content-Type": "text/plain"},
        timeout=60,
    )
    assert [(row["id"], row["source"]) for row in answer.json()] == [("mine", "mine.cif")]


@pytest.mark.parametrize("by", ["query", "header"])
@pytest.mark.parametrize("form", ["json", "csv", "parquet", "ndjson"])
def test_formats_of_answers(service: Running, cif: bytes, form: str, by: str) -> None:
    types = {"json": "application/json", "csv": "text/csv", "parquet": "application/vnd.apache.parquet"}
    kind = types.get(form, "application/x-ndjson")
    how = {"params": {"format": form}} if by == "query" else {"headers": {"Accept": f"image/png, {kind};q=0.5"}}
    answer = service.predict({"Si.cif": cif}, **how)
    assert answer.headers["content-type"].startswith(kind)
    if form == "json":
        (row,) = answer.json()
    elif form == "csv":
        (row,) = csv.DictReader(io.StringIO(answer.text))
    elif form == "parquet":
        (row,) = parquet.read_table(io.BytesIO(answer.content)).to_pylist()
    else:
        (row,) = lines(answer)
    assert tuple(row) == Options().columns
    assert float(row["kappa_W_mK"]) == pytest.approx(service.predict({"Si.cif": cif}).json()[0]["kappa_W_mK"], rel=1e-5)


def test_rows_are_streamed_in_order(service: Running, cif: bytes) -> None:
    files = [("file", (f"{i}.cif", cif)) for i in range(300)]
    seen: list[str] = []
    with requests.post(f"{service.api}/predict", files=files, headers=NDJSON, stream=True, timeout=120) as answer:
        for line in answer.iter_lines(chunk_size=64):
            if not seen:
                assert all(entry["count"] != 300 for entry in service.log())  # it is still at work
            seen.append(json.loads(line)["id"])
    assert seen == [str(i) for i in range(300)]


def test_nothing_of_the_server_is_shown_and_nothing_is_left(service: Running, cif: bytes) -> None:
    for name in ("/etc/passwd", "../../x.cif", "C:\\x\\y.cif", "a\x1b[31m.cif", "x" * 3000 + ".cif", "ünï κ.cif"):
        for content in (cif, b"junk", b"", zipped({"a.cif": cif})):
            answer = service.predict([("file", (name, content))])
            assert answer.status_code == 200, answer.text
            assert str(service.temporary) not in answer.text
            assert "\x1b" not in answer.text
            assert all(len(row["source"]) < 300 for row in answer.json())
    until(lambda: not service.uploads(), 5)


def test_many_clients_at_once_lose_no_row(service: Running, cif: bytes) -> None:
    def ask(i: int) -> list[str]:
        return [row["id"] for row in service.predict({f"{i}-{k}.cif": cif for k in range(3)}).json()]

    with ThreadPoolExecutor(16) as threads:
        found = list(threads.map(ask, range(48)))
    assert found == [[f"{i}-{k}" for k in range(3)] for i in range(48)]


def test_log_says_neither_names_nor_contents(service: Running, cif: bytes) -> None:
    service.predict({"x.cif": cif})
    until(lambda: not service.uploads(), 5)
    time.sleep(0.2)  # a line is written when all is cleared up
    before = len(service.log())
    service.predict({"secret-name.cif": cif}, params={"name": "secret"})
    until(lambda: len(service.log()) == before + 1, 5)
    requests.get(f"{service.api}/health?secret=1", timeout=10)
    until(lambda: len(service.log()) == before + 2, 5)
    text = service.log_file.read_text()
    assert "secret" not in text
    new = service.log()[before:]
    assert [set(entry) for entry in new] == [
        {"time", "method", "path", "status", "milliseconds", "bytes", "count"} for _ in range(2)
    ]
    assert (new[0]["path"], new[0]["status"], new[0]["count"]) == ("/api/v1/predict", 200, 1)
