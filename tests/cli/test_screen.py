"""`paraisite screen`: tables, shortlists, wrong usage, and runs that end by Ctrl-C and by SIGKILL."""

from __future__ import annotations

import csv
import os
import random
import re
import signal
import subprocess
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pyarrow import parquet
from typer.testing import Result

Invoke = Callable[..., Result]
Start = Callable[..., "subprocess.Popen[str]"]

HERE = ("--workers", 0)


def rows_of(path: Path) -> list[dict[str, Any]]:
    return parquet.ParquetFile(path).read().to_pylist()


def strained(text: str, factor: float) -> str:
    """A CIF of a cell whose vectors are longer by a factor."""
    return re.sub(r"(_cell_length_. )(\S+)", lambda m: f"{m[1]}{float(m[2]) * factor:.6f}", text)


@pytest.fixture
def made(tiny_dataset: Path, tmp_path: Path) -> Path:
    """An archive of 1500 made-up crystals, one of which is none."""
    texts = [path.read_text() for path in sorted(tiny_dataset.glob("*.cif"))]
    archive = tmp_path / "made.zip"
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        for i in range(1500):
            strained = re.sub(
                r"(_cell_length_. )(\S+)", lambda m, i=i: f"{m[1]}{float(m[2]) * (1 + i / 1e5):.6f}", texts[i % 36]
            )
            file.writestr(f"{i:05d}.cif", strained if i != 700 else "data_nothing")
    return archive


def test_a_table_and_its_shortlist(invoke: Invoke, tiny_checkpoint: Path, tiny_dataset: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.parquet"
    (tmp_path / "empty.cif").write_text("")
    result = invoke(
        "screen", tiny_dataset / "*.cif", tmp_path / "empty.cif", "-o", out, "--model", tiny_checkpoint, *HERE,
        "--below", 1e6, "--where", "'Li' in elements or \"Na\" in elements", "--top", 3,
        "--properties", "bulk_modulus_vrh",
    )  # fmt: skip
    rows = rows_of(out)
    assert len(rows) == 37
    assert "36 predicted" in result.stderr
    assert "1 rejected" in result.stderr
    assert f"written: {out}" in result.stderr
    with (tmp_path / "out.shortlist.csv").open() as file:
        short = list(csv.DictReader(file))
    best = sorted((r for r in rows if re.match("Li|Na", r["formula"])), key=lambda r: r["kappa_W_mK"])[:3]
    assert [row["id"] for row in short] == [row["id"] for row in best]
    assert [row["rank"] for row in short] == ["1", "2", "3"]
    assert all(0 <= float(row["probability"]) <= 1 for row in short)
    assert all(row["id"] in result.stdout for row in short)


def test_a_finished_table_gets_another_shortlist(
    invoke: Invoke, tiny_checkpoint: Path, tiny_dataset: Path, tmp_path: Path
) -> None:
    out, command = tmp_path / "out.parquet", ("screen", tiny_dataset / "*.cif", "--model", tiny_checkpoint, *HERE)
    invoke(*command, "-o", out)
    assert not (tmp_path / "out.shortlist.csv").exists()
    before = out.stat().st_mtime_ns
    assert "exists already; name another file, or give --overwrite" in invoke(*command, "-o", out, code=2).stderr
    result = invoke(*command, "-o", out, "--resume", "--above", 1e-9, "--per-system", 1, "--top", 50)
    assert out.stat().st_mtime_ns == before
    assert "shortlist: 36 crystals" in result.stderr
    assert "the first 20 are shown" in result.stderr
    invoke(*command, "-o", out, "--overwrite", "--quiet")
    assert out.stat().st_mtime_ns > before


def test_a_store_is_a_source(invoke: Invoke, tiny_checkpoint: Path, tiny_dataset: Path, tmp_path: Path) -> None:
    store = tmp_path / "store.parquet"
    result = invoke("pack", tiny_dataset / "*.cif", tmp_path / "missing.cif", "-o", store, *HERE)
    assert "36 packed, 1 rejected" in result.stderr
    for source, out in ((tiny_dataset / "*.cif", "a.parquet"), (store, "b.parquet")):
        invoke("screen", source, "-o", tmp_path / out, "--model", tiny_checkpoint, *HERE)
    assert rows_of(tmp_path / "b.parquet")[:36] == rows_of(tmp_path / "a.parquet")


def test_quiet_says_nothing(invoke: Invoke, tiny_checkpoint: Path, crystals: list[Path], tmp_path: Path) -> None:
    model = ("--model", tiny_checkpoint, *HERE, "--quiet", "--top", 2)
    result = invoke("screen", *crystals, "-o", tmp_path / "o.parquet", *model)
    assert result.output == ""


def test_nothing_predicted_fails_but_leaves_the_table(invoke: Invoke, tiny_checkpoint: Path, tmp_path: Path) -> None:
    invoke("screen", tmp_path / "no.cif", "-o", tmp_path / "o.parquet", "--model", tiny_checkpoint, *HERE, code=1)
    assert [row["status"] for row in rows_of(tmp_path / "o.parquet")] == ["rejected"]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--model", "no-such-model"], r"no-such-model.*neither a model \(kappa, "),
        (["--properties", "colour"], "colour.*bulk_modulus_vrh"),
        (["--level", "1.5"], "level 1.5.*between 0 and 1"),
        (["--level", "0.99"], "level 0.99.*at most"),
        (["-o", "out.csv"], "ends in .parquet"),
        (["-o", "no/such/out.parquet"], "no/such; create it"),
        (["--where", "kapa_W_mK < 3"], "--where: character 1: .*did you mean kappa_W_mK"),
        (["--where", "n_sites <"], r"--where: character 10: (.|\n)*n_sites <\n +\^"),
        (["--below", "-3"], "below -3"),
        (["--above", "5", "--below", "1"], "above 5 and below 1"),
        (["--rank", "probability"], "bound"),
        (["--filter", "nelements=2"], "--optimade"),
        (["--limit", "3"], "--optimade or --mp"),
        (["--mp", "colour=blue"], "colour=blue"),
        (["--resume", "--overwrite"], "one of them"),
        (["--optimade", "optimade.example"], "not an address"),
    ],
)
def test_wrong_usage_names_the_remedy(
    options: list[str],
    says: str,
    invoke: Invoke,
    tiny_checkpoint: Path,
    crystals: list[Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    given = ["--model", tiny_checkpoint] if "--model" not in options else []
    given += ["-o", "o.parquet"] if "-o" not in options else []
    result = invoke("screen", crystals[0], *given, *HERE, *options, code=2)
    assert re.search(says, result.stderr), result.stderr
    assert not list(tmp_path.iterdir())


def test_standard_input_cannot_be_gone_on_with(invoke: Invoke, tmp_path: Path) -> None:
    result = invoke("screen", "-", "-o", tmp_path / "o.parquet", "--resume", code=2)
    assert "save it to a file" in result.stderr


def test_no_source_is_wrong_usage(invoke: Invoke, tmp_path: Path) -> None:
    assert "nothing to read" in invoke("screen", "-o", tmp_path / "o.parquet", code=2).stderr
    (tmp_path / "x.parquet").write_bytes(b"no store")
    assert "graph store" in invoke("screen", tmp_path / "x.parquet", "-o", tmp_path / "o.parquet", code=2).stderr


def _children(pid: int) -> list[int]:
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:  # it has ended, or this is no Linux
        return []


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def _parts(out: Path) -> int:
    return len(list(out.with_name(f".{out.name}.parts").glob("part-*.parquet")))


@pytest.mark.slow
def test_ctrl_c_says_how_to_go_on(start: Start, invoke: Invoke, made: Path, tiny_checkpoint: Path) -> None:
    out = made.with_name("out.parquet")
    command = ("screen", made, "-o", out, "--model", tiny_checkpoint, "--workers", 2, "--part-size", 16)
    process = start(*command, start_new_session=True)
    deadline = time.monotonic() + 120
    while not _parts(out) and time.monotonic() < deadline:
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to the workers, too
    _, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "Traceback" not in err
    assert "--resume" in err
    done = _parts(out)
    assert 0 < done < 94
    assert not out.exists()
    assert "--resume" in invoke(*command, code=2).stderr
    result = invoke(*command, "--resume")
    assert "1499 predicted" in result.stderr
    assert [row["id"] for row in rows_of(out)] == [f"{i:05d}" for i in range(1500)]


@pytest.mark.slow
@pytest.mark.parametrize("kills", [3, 6])
def test_killed_at_random_and_gone_on_with(
    kills: int, start: Start, invoke: Invoke, made: Path, tiny_checkpoint: Path
) -> None:
    """SIGKILL at any moment: nothing twice, nothing missing, the very bytes of an uninterrupted run."""
    rng = random.Random(kills)
    whole, out = made.with_name("whole.parquet"), made.with_name("out.parquet")
    options = (made, "--model", tiny_checkpoint, "--part-size", 8, "--quiet")
    invoke("screen", *options, "-o", whole, "--workers", 0)
    happened = 0
    for kill in range(kills):
        process = start("screen", *options, "-o", out, "--resume", "--workers", 1 + kill % 2)
        before = _parts(out)
        # after a random number of further parts, or at a random time where it ends before
        wanted = before + rng.randint(0, 90 // kills)
        deadline = time.monotonic() + 60
        while _parts(out) < wanted and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.005)
        time.sleep(rng.uniform(0, 0.05))
        workers = _children(process.pid)
        process.send_signal(signal.SIGKILL)
        process.communicate(timeout=60)
        deadline = time.monotonic() + 20
        while any(map(_runs, workers)) and time.monotonic() < deadline:
            time.sleep(0.01)
        assert not any(map(_runs, workers)), "workers outlive their run"
        happened += process.returncode == -signal.SIGKILL
    assert happened == kills
    assert not out.exists()
    _, err = start("screen", *options, "-o", out, "--resume", "--workers", 1).communicate(timeout=120)
    assert out.read_bytes() == whole.read_bytes(), err
    assert sorted(path.name for path in made.parent.iterdir()) == ["made.zip", "out.parquet", "whole.parquet"]
