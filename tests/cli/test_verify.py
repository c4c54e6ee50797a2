"""`paraisite verify`: crystals in, folders and a summary out, whatever happens to the workers."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ase.build import bulk
from typer.testing import Result

for package in ("phonopy", "phono3py", "symfc"):
    pytest.importorskip(package, reason="lattice dynamics needs the extra [phonons]")

Invoke = Callable[..., Result]
EMT = ("--potential", "ase.calculators.emt:EMT", "--mesh", 5, "--no-predict", "--no-figures")


@pytest.fixture
def metals(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Aluminium and copper, in the working folder."""
    monkeypatch.chdir(tmp_path)
    for symbol, a in (("Al", 4.05), ("Cu", 3.6)):
        bulk(symbol, "fcc", a).write(f"{symbol}.cif")
    return tmp_path


def table(folder: Path) -> list[dict[str, str]]:
    with (folder / "summary.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def timeless(folder: Path) -> dict[str, Any]:
    """A result without what depends on the machine."""
    found = json.loads((folder / "result.json").read_text())
    details = found["details"]
    for key in ("seconds", "cpu_seconds"):
        found.pop(key)
    for key in ("seconds", "estimate"):
        details.pop(key)
    for item in details["conductivity"]:
        item.pop("seconds")
    return dict(found)


def test_crystals_get_folders_and_rows(invoke: Invoke, metals: Path) -> None:
    Path("bad.cif").write_text("hello\n")
    done = invoke("verify", "Al.cif", "bad.cif", "Cu.cif", "--potential", "ase.calculators.emt:EMT", "--mesh", "5")
    assert "[3/3]" in done.stderr
    rows = table(metals / "verified")
    assert [row["id"] for row in rows] == ["Al", "bad", "Cu"]
    assert [row["status"] for row in rows] == ["ok", "failed", "ok"]
    assert "not a readable CIF" in rows[1]["reason"]
    for row in rows[::2]:
        assert float(row["kappa_W_mK"]) > 0
        assert float(row["factor"]) == pytest.approx(float(row["kappa_W_mK"]) / float(row["predicted_W_mK"]), rel=1e-4)
        assert row["verdict"] in ("agrees", "lower", "higher")
        assert row["mesh"] == "5x5x5"
    for name in ("input.vasp", "relaxed.vasp", "fc2.hdf5", "fc3.hdf5", "kappa-m555.hdf5", "phonons.png", "kappa.png"):
        assert (metals / "verified" / "Al" / name).is_file(), name

    again = invoke("verify", "Al.cif", code=2)
    assert "go on with --resume" in again.stderr
    resumed = invoke("verify", "Al.cif", "bad.cif", "Cu.cif", "--potential", "ase.calculators.emt:EMT", "--mesh", "5",
                     "--resume")  # fmt: skip
    assert "3 of 3 done already" in resumed.stderr
    assert table(metals / "verified") == rows
    other = invoke("verify", "Al.cif", "--potential", "ase.calculators.emt:EMT", "--mesh", "7", "--resume", code=2)
    assert "with other settings" in other.stderr


BAD = """
import os, time
import numpy as np
from ase.calculators.emt import EMT

class Bad(EMT):
    def calculate(self, atoms=None, *args, **kwargs):
        if "Cu" in atoms.get_chemical_symbols():
            {what}
        super().calculate(atoms, *args, **kwargs)
"""


@pytest.mark.parametrize(
    ("what", "options", "said"),
    [
        ("raise RuntimeError('no copper')", (), "RuntimeError: no copper"),
        ("os.kill(os.getpid(), 9)", (), "ended with signal 9"),
        ("time.sleep(60)", ("--max-hours", 0.002), "stopped after"),
        ("self.hoard = np.ones(400_000_000); time.sleep(60)", ("--max-memory", 2), "GB of memory"),
    ],
)
def test_a_failure_costs_one_row(
    invoke: Invoke, metals: Path, what: str, options: tuple[object, ...], said: str
) -> None:
    Path("bad.py").write_text(BAD.format(what=what))
    invoke("verify", "Cu.cif", "Al.cif", "--potential", "bad:Bad", *EMT[2:], *options)
    copper, aluminium = table(metals / "verified")
    assert copper["status"] == "failed"
    assert said in copper["reason"]
    assert aluminium["status"] == "ok"
    Path("bad.py").write_text(BAD.format(what="pass"))
    args = ("verify", "Cu.cif", "Al.cif", "--potential", "bad:Bad", *EMT[2:], "--resume")
    invoke(*args)
    assert table(metals / "verified")[0]["status"] == "failed"
    invoke(*args, "--retry")
    assert table(metals / "verified")[0]["status"] == "ok"


@pytest.mark.slow
def test_killed_and_resumed_it_ends_the_same(
    invoke: Invoke, start: Callable[..., subprocess.Popen[str]], metals: Path
) -> None:
    args = ("verify", "Al.cif", "Cu.cif", *EMT)
    begun = time.monotonic()
    invoke(*args, "-o", "whole")
    duration = time.monotonic() - begun
    for share in (0.35, 0.6, 0.8):
        process = start(*args, "-o", "killed", "--resume", cwd=metals)
        time.sleep(share * duration)
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()
    time.sleep(1.0)  # its workers notice
    invoke(*args, "-o", "killed", "--resume")
    for name in ("Al", "Cu"):
        assert timeless(metals / "killed" / name) == timeless(metals / "whole" / name)
    assert not list((metals / "killed").rglob("*.part"))


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ((), "name crystals to verify"),
        (("Al.cif", "--mesh", "5x5"), "--mesh 5x5: write auto"),
        (("Al.cif", "--supercell", "0"), "--supercell 0: write auto"),
        (("Al.cif", "--temperatures", "9:1:1"), "write FIRST:LAST:STEP"),
        (("Al.cif", "--temperatures", "0"), "above 0 K"),
        (("Al.cif", "--potential", "no-such"), "no such potential"),
        (("Al.cif", "--potential", "no.such:thing"), "cannot be imported"),
    ],
)
def test_wrong_usage(invoke: Invoke, metals: Path, args: tuple[str, ...], said: str) -> None:
    assert said in invoke("verify", *args, "--no-predict", code=2).stderr


def test_everything_failed_is_a_failure(invoke: Invoke, metals: Path) -> None:
    invoke("verify", "nothing.cif", *EMT, code=1)
    assert "there is no such file" in table(metals / "verified")[0]["reason"]


@pytest.mark.data
def test_a_data_set_brings_its_labels(mirror: Path, metals: Path) -> None:
    from paraisite.phonons.subject import subjects

    found = subjects(["l96"], mirror)
    assert len(found) == 95
    assert all(subject.label and subject.label > 0 for subject in found)
    inside = [s for s in found if s.predicted.low <= s.label <= s.predicted.high]  # type: ignore[operator]
    assert len(inside) > 70
