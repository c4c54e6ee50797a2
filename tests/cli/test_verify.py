"""`paraisite verify`: crystals in, folders and a summary out, whatever happens to the workers."""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ase.build import bulk
from typer.testing import CliRunner, Result

for package in ("phonopy", "phono3py", "symfc"):
    pytest.importorskip(package, reason="lattice dynamics needs the extra [phonons]")

Invoke = Callable[..., Result]
EMT = ("--potential", "ase.calculators.emt:EMT", "--mesh", 5, "--no-predict", "--no-figures", "--supercell", "2x2x2")


def write_metals() -> None:
    for symbol, a in (("Al", 4.05), ("Cu", 3.6)):
        bulk(symbol, "fcc", a).write(f"{symbol}.cif")


@pytest.fixture
def metals(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Aluminium and copper, in the working folder."""
    monkeypatch.chdir(tmp_path)
    write_metals()
    return tmp_path


@pytest.fixture(scope="module")
def done_before(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder `verified` of ``verify Cu.cif Al.cif`` with the settings of EMT; to be copied."""
    from paraisite.cli.main import app

    folder = tmp_path_factory.mktemp("metals")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        write_metals()
        done = CliRunner().invoke(app, ["verify", "Cu.cif", "Al.cif", *map(str, EMT)])
    assert done.exit_code == 0, done.output
    return folder / "verified"


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
    args = ("verify", "Al.cif", "bad.cif", "Cu.cif", "--potential", "ase.calculators.emt:EMT", "--supercell", "2x2x2")
    done = invoke(*args, "--mesh", 5)
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
    assert "use --resume" in again.stderr
    resumed = invoke(*args, "--mesh", 5, "--resume")
    assert "2 of 3 already done" in resumed.stderr
    assert "bad.cif: not read: not a readable CIF" in resumed.stderr
    assert "2 ok, 1 failed; written: verified/summary.csv" in resumed.stderr
    assert table(metals / "verified") == rows
    other = invoke("verify", "Al.cif", "--potential", "ase.calculators.lj:LennardJones", "--resume", code=2)
    assert "other settings" in other.stderr


@pytest.mark.slow
def test_a_finer_mesh_repeats_no_other_stage(invoke: Invoke, metals: Path, done_before: Path) -> None:
    shutil.copytree(done_before, metals / "verified")
    before = table(metals / "verified")
    finer = invoke("verify", "Al.cif", *EMT, "--mesh", 7, "--resume")
    assert "relaxation" not in finer.stderr
    assert "supercells" not in finer.stderr
    after = table(metals / "verified")
    assert [row["mesh"] for row in after] == [{"Al": "7x7x7"}.get(row["id"], "5x5x5") for row in after]
    assert [row for row in after if row["id"] != "Al"] == [row for row in before if row["id"] != "Al"]


@pytest.mark.slow
def test_the_best_rows_of_a_screening(invoke: Invoke, metals: Path) -> None:
    invoke("screen", "Al.cif", "Cu.cif", "-o", "screened.parquet", "--workers", "0")
    assert (
        "--model has no effect with --from"
        in invoke("verify", "--from", "screened.parquet", "--model", "kappa", *EMT[:4], code=2).stderr
    )
    invoke("verify", "--from", "screened.parquet", "--top", "1", "--where", '"Al" in elements', *EMT[:4])
    (row,) = table(metals / "verified")
    assert row["id"] == "Al"
    assert float(row["factor"]) == pytest.approx(float(row["kappa_W_mK"]) / float(row["predicted_W_mK"]), rel=1e-4)


@pytest.mark.slow
def test_settings_from_a_file(invoke: Invoke, metals: Path, done_before: Path) -> None:
    Path("verify.yml").write_text("potential: ase.calculators.emt:EMT\nmesh: 7\nsupercell: 2x2x2\nisotopes: false\n")
    invoke("verify", "Cu.cif", "--settings", "verify.yml", "--mesh", 5, "--no-predict", "--no-figures")
    # the option wins over the file, and what the file sets is what options set
    assert timeless(metals / "verified" / "Cu") == timeless(done_before / "Cu")
    Path("verify.yml").write_text("meshes: 7\n")
    assert "mesh" in invoke("verify", "Cu.cif", "--settings", "verify.yml", "-o", "other", code=2).stderr
    assert not Path("other").exists()


@pytest.mark.slow
def test_a_run_says_what_it_will_take(invoke: Invoke, metals: Path) -> None:
    bulk("Ag", "fcc", 4.1).write("Ag.cif")
    done = invoke("verify", "Ag.cif", "Al.cif", "Cu.cif", "--sample", 2, *EMT)
    lines = done.stderr.splitlines()
    assert [row["id"] for row in table(metals / "verified")] == ["Ag", "Cu"]
    assert lines[0].startswith("2 crystals, about ")
    said = next(i for i, line in enumerate(lines) if line.startswith("all crystals: about "))
    assert said < next(i for i, line in enumerate(lines) if "force constants" in line)


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


@pytest.mark.slow
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


@pytest.mark.parametrize(
    "name",
    [
        "result.json",
        *(pytest.param(n, marks=pytest.mark.slow) for n in ("input.json", "stages/relax.json", "summary.csv")),
    ],
)
def test_damage_costs_no_more_than_what_is_damaged(invoke: Invoke, metals: Path, done_before: Path, name: str) -> None:
    args = ("verify", "Cu.cif", "Al.cif", *EMT)
    shutil.copytree(done_before, metals / "verified")
    before = table(metals / "verified")
    path = metals / "verified" / name if name == "summary.csv" else metals / "verified" / "Cu" / name
    path.write_bytes(path.read_bytes()[:-40])
    if name == "stages/relax.json":
        (metals / "verified" / "Cu" / "result.json").unlink()
    said = invoke(*args, "--resume").stderr
    assert "2 ok; written" in said
    assert name == "summary.csv" or f"{Path('verified') / 'Cu' / name}: " in said
    after = table(metals / "verified")
    assert [row["kappa_W_mK"] for row in after] == [row["kappa_W_mK"] for row in before]
    assert "damaged" not in invoke(*args, "--resume").stderr


def test_a_lock_that_is_a_link_is_not_followed(invoke: Invoke, metals: Path) -> None:
    Path("thesis.tex").write_text("years of work")
    Path("verified").mkdir()
    Path("verified/.lock").symlink_to(Path("thesis.tex").resolve())
    assert "verified/.lock: a link" in invoke("verify", "Cu.cif", *EMT, code=2).stderr
    assert Path("thesis.tex").read_text() == "years of work"


def test_a_summary_of_someone_else_is_left_alone(invoke: Invoke, metals: Path) -> None:
    Path("verified").mkdir()
    Path("verified/summary.csv").write_text("id,status of my work\n1,good\n")
    said = invoke("verify", "Cu.cif", *EMT, "--resume", code=2).stderr
    assert "verified/summary.csv: not a table of `paraisite verify`" in said
    assert Path("verified/summary.csv").read_text().endswith("1,good\n")


LEAVING = """
import os, time
from pathlib import Path
from ase.calculators.emt import EMT

class Leaving(EMT):
    def calculate(self, atoms=None, *args, **kwargs):
        symbol = atoms.symbols[0]
        Path(symbol + ".pid").write_text(str(os.getpid()))
        while symbol == "Cu" and not Path("go").exists():
            time.sleep(0.1)
        super().calculate(atoms, *args, **kwargs)
"""


@pytest.mark.slow
def test_a_worker_that_ends_with_nothing_to_do_costs_no_row(metals: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from paraisite.crystals import read
    from paraisite.phonons.run import run
    from paraisite.phonons.settings import Settings
    from paraisite.phonons.worker import Job, Task

    Path("leaving.py").write_text(LEAVING)
    settings = Settings(potential="leaving:Leaving", mesh=(5, 5, 5), supercell=(2, 2, 2))
    tasks = [Task(crystal, metals / crystal.id) for crystal in read(["Al.cif", "Cu.cif"])]
    outcome = {}
    for event in run(tasks, Job(settings, None, "cpu", figures=False), workers=2):
        if event.kind == "done":
            outcome[event.index] = event.result.status
            if event.index == 0:
                os.kill(int(Path("Al.pid").read_text()), signal.SIGKILL)
                time.sleep(1.0)
                Path("go").touch()
    assert outcome == {0: "ok", 1: "ok"}


HOARDING = """
import numpy as np
from ase.calculators.emt import EMT

class Hoarding(EMT):
    kept = {}

    def calculate(self, atoms=None, *args, **kwargs):
        super().calculate(atoms, *args, **kwargs)
        self.kept.setdefault(atoms.symbols[0], np.ones(60_000_000))
"""


@pytest.mark.slow
def test_what_a_potential_keeps_of_each_crystal_does_not_add_up(invoke: Invoke, metals: Path) -> None:
    Path("hoarding.py").write_text(HOARDING)
    bulk("Ag", "fcc", 4.1).write("Ag.cif")
    args = ("verify", "Cu.cif", "Al.cif", "Ag.cif", "--potential", "hoarding:Hoarding", *EMT[2:])
    invoke(*args, "--max-memory", 1.5)  # a third of it for each
    assert [row["status"] for row in table(metals / "verified")] == ["ok"] * 3


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
        (("Al.cif", "--where", "n_sites < 3"), "--where requires --from"),
        (("Al.cif", "--top", "3"), "--top requires --from"),
        (("Al.cif", "--above", "3"), "--above requires --from"),
        (("Al.cif", "--retry"), "--retry requires --resume"),
        (("Al.cif", "--reference", "--snapshots", "4"), "--snapshots has no effect with --reference"),
        (("Al.cif", "--supercell", "2x2x2", "--max-atoms", "99"), "--max-atoms has no effect with --supercell"),
        (("Al.cif", "--fc3-cutoff", "0"), "0 is not a number above 0"),
        (("Al.cif", "--max-hours", "inf"), "inf is not a number above 0"),
        (("Al.cif", "--temperatures", "300,nan"), "--temperatures 300,nan: write FIRST:LAST:STEP"),
        (("Al.cif", "--temperatures", "100:inf:100"), "--temperatures 100:inf:100: write FIRST:LAST:STEP"),
        (("Al.cif", "Cu.cif", "--born", "Al.cif"), "one crystal, but 2 are given"),
        (("Al.cif", "--mesh", "5x5"), "--mesh 5x5: write auto"),
        (("Al.cif", "--supercell", "0"), "--supercell 0: write auto"),
        (("Al.cif", "--fc2-supercell", "0"), "--fc2-supercell 0: write auto"),
        (("Al.cif", "--snapshots", "5"), "give an even number"),
        (("Al.cif", "--supercell", "2x2x2", "--fc2-max-atoms", "99"), "--fc2-max-atoms has no effect with --supercell"),
        (("Al.cif", "--temperatures", "9:1:1"), "write FIRST:LAST:STEP"),
        (("Al.cif", "--temperatures", "0"), "above 0 K"),
        (("Al.cif", "--potential", "no-such"), "unknown potential"),
        (("Al.cif", "--potential", "no.such:thing"), "cannot be imported"),
    ],
)
def test_wrong_usage(invoke: Invoke, metals: Path, args: tuple[str, ...], said: str) -> None:
    assert said in invoke("verify", *args, "--no-predict", code=2).stderr


@pytest.mark.slow
def test_a_potential_that_cannot_be_loaded_leaves_the_folder_free(invoke: Invoke, metals: Path) -> None:
    wrong = invoke("verify", "Al.cif", "--potential", "ase.calculators.emt:Emt", *EMT[2:], code=2)
    assert "no Emt found in ase.calculators.emt" in wrong.stderr
    assert "1 ok" in invoke("verify", "Al.cif", *EMT).stderr


def test_everything_failed_is_a_failure(invoke: Invoke, metals: Path) -> None:
    invoke("verify", "nothing.cif", *EMT, code=1)
    assert "there is no such file" in table(metals / "verified")[0]["reason"]


QUICK = ("--quick", "--potential", "ase.calculators.emt:EMT", "--no-predict")


def test_quick_looks_get_folders_and_rows(invoke: Invoke, metals: Path) -> None:
    bulk("Cu", "sc", 2.4).write("simple.cif")
    Path("bad.cif").write_text("hello\n")
    args = ("verify", "Al.cif", "bad.cif", "simple.cif", "Cu.cif", *QUICK[:-1], "--length", "8", "-o", "quick")
    assert "[4/4]" in invoke(*args, "--temperatures", "500").stderr
    rows = table(metals / "quick")
    assert [row["id"] for row in rows] == ["Al", "bad", "simple", "Cu"]
    assert [row["status"] for row in rows] == ["ok", "failed", "unstable", "ok"]
    assert "not a readable CIF" in rows[1]["reason"]
    assert "imaginary" in rows[2]["reason"]
    for row in rows[::3]:
        number = {name: float(value) for name, value in row.items() if value.replace(".", "").isdecimal()}
        result = json.loads((metals / "quick" / row["id"] / "result.json").read_text())
        assert number["kappa_W_mK"] == pytest.approx(result["kappa_W_mK"], rel=1e-5)
        assert number["kappa_xx"] == pytest.approx(number["kappa_W_mK"], rel=1e-4)
        assert number["kappa_low_W_mK"] < number["kappa_W_mK"] < number["kappa_high_W_mK"]
        assert number["factor"] == pytest.approx(number["kappa_W_mK"] / number["predicted_W_mK"], rel=1e-4)
        assert number["kappa_500K_W_mK"] < number["kappa_W_mK"]
        assert number["kappa_slack_W_mK"] == pytest.approx(result["details"]["quick"]["sound"]["kappa_slack"], rel=1e-5)
        assert (row["space_group"], row["n_primitive"]) == ("Fm-3m (225)", "1")
        for column in ("seconds", "cpu_seconds", "first_call_seconds", "load_seconds"):
            assert 0 < float(row[column]) < 60, column
        assert {path.name for path in (metals / "quick" / row["id"]).iterdir()} == {
            "input.json", "input.vasp", "result.json",
        }  # fmt: skip
    assert "3 of 4 already done" in invoke(*args, "--temperatures", "500", "--resume").stderr
    assert table(metals / "quick") == rows
    other = invoke("verify", "Al.cif", "--quick", "--potential", "ase.calculators.lj:LennardJones", "--no-predict",
                   "-o", "quick", "--resume", code=2)  # fmt: skip
    assert "other settings" in other.stderr


def test_quick_looks_of_an_earlier_version_are_refused(invoke: Invoke, metals: Path) -> None:
    Path("old").mkdir()
    Path("old/summary.csv").write_text("id,status,kappa_slack_W_mK\nAl,ok,20.0\n")
    assert "earlier version" in invoke("verify", "Al.cif", *QUICK, "-o", "old", "--resume", code=2).stderr


@pytest.mark.parametrize("begun", [True, False], ids=["of-a-begun-crystal", "of-other-crystals"])
@pytest.mark.parametrize(
    ("first", "second", "said"),
    [(EMT, QUICK, "holds conductivities, not quick looks"), (QUICK, EMT, "holds quick looks, not conductivities")],
    ids=["quick-into-full", "full-into-quick"],
)
def test_profiles_do_not_mix(
    invoke: Invoke, metals: Path, first: tuple[object, ...], second: tuple[object, ...], said: str, begun: bool
) -> None:
    Path("bad.py").write_text(BAD.format(what="raise RuntimeError('no copper')"))
    invoke("verify", "Cu.cif", *first, "--potential", "bad:Bad", code=1)
    (metals / "verified" / "Cu" / "result.json").unlink()  # as a kill leaves it
    held = {path: path.read_bytes() for path in Path("verified").rglob("*") if path.is_file()}
    again = ("verify", "Cu.cif" if begun else "Al.cif", *second, "--potential", "bad:Bad", "--resume")
    assert said in invoke(*again, code=2).stderr
    assert {path: path.read_bytes() for path in Path("verified").rglob("*") if path.is_file()} == held
    if begun:
        Path("verified/summary.csv").unlink()
        assert "other settings" in invoke(*again, code=2).stderr
        assert not Path("verified/summary.csv").exists()


@pytest.mark.slow
def test_quick_looks_go_on_after_kills(
    invoke: Invoke, start: Callable[..., subprocess.Popen[str]], metals: Path
) -> None:
    """A worker's end costs one row; what a killed run has finished is kept."""
    args = ("verify", "Al.cif", "Cu.cif", *QUICK, "--potential", "bad:Bad")
    Path("bad.py").write_text(BAD.format(what="os.kill(os.getpid(), 9)"))
    invoke(*args, "-o", "crashed")
    aluminium, copper = table(metals / "crashed")
    assert (aluminium["status"], copper["status"]) == ("ok", "failed")
    assert "ended with signal 9" in copper["reason"]

    Path("bad.py").write_text(BAD.format(what="time.sleep(60)"))
    process = start(*args, "-o", "killed", cwd=metals)
    deadline = time.monotonic() + 60
    while not (metals / "killed" / "Al" / "result.json").is_file():
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.1)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    Path("bad.py").write_text(BAD.format(what="pass"))
    time.sleep(1.0)  # its worker notices
    assert "1 of 2 already done" in invoke(*args, "-o", "killed", "--resume").stderr
    assert "1 of 2 already done" in invoke(*args, "-o", "crashed", "--resume", "--retry").stderr
    clocks = ("seconds", "cpu_seconds", "first_call_seconds", "load_seconds")
    rows = [[{k: v for k, v in row.items() if k not in clocks} for row in table(metals / name)]
            for name in ("killed", "crashed")]  # fmt: skip
    assert rows[0] == rows[1]
    assert [row["status"] for row in rows[0]] == ["ok", "ok"]


@pytest.mark.parametrize(
    "option",
    [
        ("--mesh", "auto"),
        ("--supercell", "2x2x2"),
        ("--fc2-supercell", "3x3x3"),
        ("--fc2-max-atoms", "350"),
        ("--reference",),
        ("--snapshots", "4"),
        ("--fc3-cutoff", "4"),
        ("--lbte",),
        ("--coherence",),
        ("--isotopes",),
        ("--born", "."),
        ("--force",),
        ("--seed", "0"),
    ],
    ids=lambda option: option[0],
)
def test_quick_refuses_what_it_would_leave_out(invoke: Invoke, metals: Path, option: tuple[str, ...]) -> None:
    """Even where the value is the default."""
    assert f"{option[0]} has no effect with --quick" in invoke("verify", "Al.cif", *QUICK, *option, code=2).stderr
    assert not Path("verified").exists()


@pytest.mark.data
@pytest.mark.slow
def test_a_quick_look_with_the_default_potential(invoke: Invoke, mirror: Path, metals: Path) -> None:
    pytest.importorskip("nequix", reason="nequix needs `make phonons`")
    bulk("MgO", "rocksalt", 4.21).write("MgO.cif")
    invoke("verify", "MgO.cif", "--quick", "--no-predict", "--mirror", mirror)
    (row,) = table(metals / "verified")
    assert row["potential"] == "nequix-oam-1-pft"
    assert float(row["volume_A3"]) == pytest.approx(4.254**3 / 4, rel=0.01)
    assert float(row["kappa_low_W_mK"]) < 56 < float(row["kappa_high_W_mK"])  # phonix


@pytest.mark.data
def test_a_data_set_brings_its_labels(mirror: Path, metals: Path) -> None:
    from paraisite.phonons.subject import subjects

    found = subjects(["l96"], mirror)
    assert len(found) == 95
    assert all(subject.label and subject.label > 0 for subject in found)
    inside = [s for s in found if s.predicted.low <= s.label <= s.predicted.high]  # type: ignore[operator]
    assert len(inside) > 70
