"""`--relax` of `predict` and `screen`: its files, its columns, what it says without a potential, and after SIGKILL."""

from __future__ import annotations

import csv
import signal
import subprocess
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from ase.build import bulk
from pyarrow import parquet
from typer.testing import Result

from paraisite.crystals import Crystal, read

Invoke = Callable[..., Result]
Start = Callable[..., "subprocess.Popen[str]"]

EMT = ("--relax", "--potential", "ase.calculators.emt:EMT")


@pytest.fixture
def metals(tmp_path: Path) -> Path:
    """A folder of strained metals, and a crystal that EMT does not know."""
    folder = tmp_path / "metals"
    folder.mkdir()
    for name, factor in (("Cu", 1.05), ("Al", 0.97), ("Au", 1.1)):
        atoms = bulk(name)
        atoms.set_cell(factor * atoms.cell.array, scale_atoms=True)
        atoms.write(folder / f"{name}.cif")
    bulk("NaCl", "rocksalt", a=5.64).write(folder / "NaCl.cif")
    return folder


@pytest.mark.slow
def test_predict_writes_rows_and_structures(invoke: Invoke, metals: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    invoke("predict", metals, *EMT, "-o", out)
    with out.open(newline="") as file:
        rows = {row["id"]: row for row in csv.DictReader(file)}
    assert list(rows) == ["Al", "Au", "Cu", "NaCl"]
    assert rows["NaCl"]["status"] == "rejected"
    assert "--relax" in rows["NaCl"]["reason"]
    assert float(rows["Cu"]["relaxed_volume_change"]) == pytest.approx(1.05**-3 - 1, abs=0.02)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["metals", "out.csv", "out.relaxed"]
    written = list(read([tmp_path / "out.relaxed"]))
    assert [crystal.id for crystal in written] == ["Al", "Au", "Cu"]
    (given,) = read([metals / "Cu.cif"])
    assert isinstance(given, Crystal)
    assert isinstance(written[2], Crystal)
    change = written[2].volume / given.volume - 1
    assert change == pytest.approx(float(rows["Cu"]["relaxed_volume_change"]), rel=1e-4)
    assert "--overwrite" in invoke("predict", metals, *EMT, "-o", tmp_path / "out.json", code=2).stderr
    invoke("predict", metals, *EMT, "-o", tmp_path / "o.csv", "--relaxed", tmp_path / "here")
    assert len(list((tmp_path / "here").iterdir())) == 3


@pytest.mark.parametrize("verb", ["predict", "screen"])
@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--potential", "tensornet-matpes"], "requires --relax"),
        (["--max-hours", "1"], "requires --relax"),
        (["--relax", "--max-hours", "0"], "--max-hours"),
        (["--relax", "--potential", "no-such-potential"], "choose from"),
        (["--relax", "--potential", "no_such_module:f"], "cannot be imported"),
        (["--relax"], "paraisite models fetch"),
    ],
)
def test_what_it_needs_is_said(
    verb: str,
    options: list[str],
    says: str,
    invoke: Invoke,
    metals: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PARAISITE_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("PARAISITE_MIRROR", raising=False)
    out = tmp_path / ("out.csv" if verb == "predict" else "out.parquet")
    result = invoke(verb, metals / "Cu.cif", "-o", out, *options, code=2)
    assert says in result.stderr
    assert not out.exists()
    assert not list(tmp_path.glob("*.relaxed"))


@pytest.mark.slow
@pytest.mark.data
@pytest.mark.skipif(find_spec("matgl") is not None, reason="its packages are there")
def test_a_potential_whose_packages_are_missing(invoke: Invoke, metals: Path, mirror: Path, tmp_path: Path) -> None:
    for verb, name in (("predict", "out.csv"), ("screen", "out.parquet")):
        result = invoke(verb, metals / "Cu.cif", "-o", tmp_path / name, "--relax", "--mirror", mirror, code=2)
        assert "matgl" in result.stderr
        assert "make phonons" in result.stderr


@pytest.mark.slow
def test_a_screening_killed_and_resumed_is_the_same(start: Start, invoke: Invoke, tmp_path: Path) -> None:
    folder = tmp_path / "metals"
    folder.mkdir()
    random = np.random.default_rng(0)
    names = ("Cu", "Al", "Au", "Ag", "Ni", "Pd", "Pt")
    for i in range(40):
        atoms = bulk(names[i % 7], cubic=True)
        atoms.set_cell(atoms.cell.array * random.uniform(0.93, 1.1, (1, 3)), scale_atoms=True)
        atoms.write(folder / f"{i:03d}.cif")
    whole, out = tmp_path / "whole.parquet", tmp_path / "out.parquet"
    command = ("screen", folder, *EMT, "--part-size", 5, "--quiet")
    invoke(*command, "-o", whole, "--workers", 0)
    parts = out.with_name(f".{out.name}.parts")
    killed = 0
    for wanted in (2, 5):
        process = start(*command, "-o", out, "--resume", "--workers", 2)
        deadline = time.monotonic() + 240
        while len(list(parts.glob("part-*"))) < wanted and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=60)
        killed += process.returncode == -signal.SIGKILL
    assert killed == 2
    assert not out.exists()
    assert "relax" in invoke(*command, "-o", out, "--resume", "--max-hours", 1, code=2).stderr
    invoke(*command, "-o", out, "--resume", "--workers", 1)
    assert out.read_bytes() == whole.read_bytes()
    rows = parquet.read_table(out).to_pylist()
    assert len(rows) == 40
    assert all(row["relaxed_cif"] and row["status"] != "rejected" for row in rows)
