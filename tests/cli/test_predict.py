"""`paraisite predict`: columns, formats, exit status, and files that appear only when complete."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from typer.testing import Result

from paraisite.prediction.write import INTEGERS, TEXT, TRUTH

Invoke = Callable[..., Result]
Start = Callable[..., "subprocess.Popen[str]"]

DESIGN = (
    "id source formula n_sites n_elements kappa_W_mK kappa_low_W_mK kappa_high_W_mK log10_std applicability "
    "nearest_known status reason dimensionality vacuum band_gap_eV is_metal in_training nearest_formula nearest_id "
    "nearest_source nearest_kappa_W_mK nearest_distance"
).split()
"""The columns of the design's table, in its order."""
EXAMPLES = sorted((Path(__file__).resolve().parents[2] / "src/paraisite/examples/crystals").glob("*.cif"))


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


@pytest.fixture
def mixed(crystals: list[Path], tmp_path: Path) -> list[Path]:
    """Good files with bad ones between them."""
    empty, polonium = tmp_path / "empty.cif", tmp_path / "Po.cif"
    empty.write_text("")
    polonium.write_text(crystals[0].read_text().replace("Ba", "Po"))
    return [crystals[0], empty, crystals[1], tmp_path / "missing.cif", polonium, crystals[2]]


def test_columns_are_those_of_the_design(invoke: Invoke, tiny_checkpoint: Path, crystals: list[Path]) -> None:
    out = invoke("predict", *crystals, "--model", tiny_checkpoint).stdout
    assert out.splitlines()[0].split(",") == DESIGN
    rows = rows_of(out)
    assert [row["source"] for row in rows] == [str(path) for path in crystals]
    for row in rows:
        assert row["status"] == "ok"
        assert row["id"] == row["formula"]
        assert (row["n_sites"], row["n_elements"]) == ("8", "2")
        assert 0 < float(row["kappa_low_W_mK"]) < float(row["kappa_high_W_mK"])
        assert float(row["kappa_W_mK"]) > 0
        assert 0 <= float(row["applicability"]) <= 1
        assert "itself in training" in row["nearest_known"]


def test_no_row_is_lost(invoke: Invoke, tiny_checkpoint: Path, mixed: list[Path]) -> None:
    result = invoke("predict", *mixed, "--model", tiny_checkpoint)
    rows = rows_of(result.stdout)
    assert [row["source"] for row in rows] == [str(path) for path in mixed]
    assert [row["status"] for row in rows] == ["ok", "rejected", "ok", "rejected", "rejected", "ok"]
    for row in rows:
        assert (row["kappa_W_mK"] == "") == (row["status"] == "rejected")
        assert bool(row["reason"]) == (row["status"] == "rejected")
    assert "element Po unknown" in rows[4]["reason"]
    assert "3 predicted (0 with a warning), 3 rejected" in result.stderr
    assert f"rejected: {mixed[1]}: the file is empty" in result.stderr


@pytest.mark.parametrize(("strict", "code"), [(False, 0), (True, 1)])
def test_strict_counts_rejections(
    strict: bool, code: int, invoke: Invoke, tiny_checkpoint: Path, mixed: list[Path], tmp_path: Path
) -> None:
    out = tmp_path / "out.csv"
    invoke("predict", *mixed, "-o", out, "--model", tiny_checkpoint, *(["--strict"] if strict else []), code=code)
    assert len(rows_of(out.read_text())) == len(mixed)


@pytest.mark.parametrize("extension", ["csv", "json", "parquet"])
def test_nothing_predicted_still_gives_every_column(
    extension: str, invoke: Invoke, tiny_checkpoint: Path, tmp_path: Path
) -> None:
    out = tmp_path / f"out.{extension}"
    invoke(
        "predict", tmp_path / "a.cif", "-o", out, "--model", tiny_checkpoint, "--properties", "bulk_modulus_vrh", code=1
    )
    if extension == "csv":
        names, count = out.read_text().splitlines()[0].split(","), len(rows_of(out.read_text()))
    elif extension == "json":
        names, count = list(json.loads(out.read_text())[0]), len(json.loads(out.read_text()))
    else:
        from pyarrow import parquet

        found = parquet.read_table(out)
        names, count = found.column_names, found.num_rows
    assert names == [*DESIGN, "bulk_modulus_GPa"]
    assert count == 1


def test_formats_agree(invoke: Invoke, tiny_checkpoint: Path, mixed: list[Path], tmp_path: Path) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    for extension in ("csv", "json", "parquet"):
        out = tmp_path / f"out.{extension}"
        result = invoke(
            "predict", *mixed, "-o", out, "--model", tiny_checkpoint, "--properties", "bulk_modulus_vrh", "--level", 0.8
        )
        assert result.stdout == ""
    as_csv = rows_of((tmp_path / "out.csv").read_text())
    as_json = json.loads((tmp_path / "out.json").read_text())
    table = parquet.read_table(tmp_path / "out.parquet")
    as_parquet = table.to_pylist()
    assert table.schema.field("kappa_W_mK").metadata == {b"unit": b"W/m/K"}
    assert table.schema.field("bulk_modulus_GPa").metadata == {b"unit": b"GPa"}
    assert table.schema.field("n_sites").type == pa.int32()
    assert table.schema.field("status").type == pa.string()
    for one, two, three in zip(as_csv, as_json, as_parquet, strict=True):
        for name, text in one.items():
            if name in TEXT:
                assert text == two[name] == three[name]
            elif text == "":
                assert two[name] is None
                assert three[name] is None
            else:
                if name in TRUTH:
                    assert text == str(two[name]).lower() == str(three[name]).lower()
                    continue
                assert isinstance(two[name], int if name in INTEGERS else float)
                np.testing.assert_allclose([float(text), two[name]], three[name], rtol=1e-5)


def test_level_sets_the_width(invoke: Invoke, tiny_checkpoint: Path, crystals: list[Path]) -> None:
    def widths(level: float) -> list[float]:
        rows = rows_of(invoke("predict", *crystals, "--model", tiny_checkpoint, "--level", level).stdout)
        return [float(row["kappa_high_W_mK"]) / float(row["kappa_low_W_mK"]) for row in rows]

    assert all(narrow < wide for narrow, wide in zip(widths(0.5), widths(0.9), strict=True))


def test_held_out_lets_other_networks_speak(invoke: Invoke, tiny_checkpoint: Path, crystals: list[Path]) -> None:
    every = rows_of(invoke("predict", *crystals, "--model", tiny_checkpoint).stdout)
    unseen = rows_of(invoke("predict", *crystals, "--model", tiny_checkpoint, "--held-out").stdout)
    assert all(a["kappa_W_mK"] != b["kappa_W_mK"] for a, b in zip(every, unseen, strict=True))


@pytest.mark.parametrize("held_out", [False, True])
def test_the_parts_of_kappa_add_up(held_out: bool, invoke: Invoke) -> None:
    """With the shipped model, which knows the share of coherences."""
    asked = "kappa_particle,kappa_coherence,transport_integral"
    options = ("--properties", asked, *(["--held-out"] if held_out else []))
    found = rows_of(invoke("predict", *EXAMPLES, *options).stdout)
    assert list(found[0])[-3:] == ["kappa_particle_W_mK", "kappa_coherence_W_mK", "transport_integral_W_mK_s"]
    for row in found:
        particle, coherence = (float(row[f"kappa_{part}_W_mK"]) for part in ("particle", "coherence"))
        assert particle > 0 < coherence
        assert particle + coherence == pytest.approx(float(row["kappa_W_mK"]), rel=1e-5)
        assert float(row["transport_integral_W_mK_s"]) > 0


def test_a_replaced_model_is_named_once(invoke: Invoke) -> None:
    new = invoke("predict", EXAMPLES[0], "--held-out")
    old = invoke("predict", EXAMPLES[0], "--held-out", "--model", "kappa-mix-by-formula")
    assert old.stdout == new.stdout
    note, *rest = old.stderr.splitlines()
    assert note.startswith("note: kappa-mix-by-formula has been replaced by kappa")
    assert rest == new.stderr.splitlines()


def test_disorder_majority_warns(invoke: Invoke, tiny_checkpoint: Path, crystals: list[Path], tmp_path: Path) -> None:
    disordered = tmp_path / "mixed.cif"
    loop, sites = crystals[0].read_text().split("_atom_site_fract_z\n")
    first, second = sites.splitlines()[:2]
    disordered.write_text(
        f"{loop}_atom_site_fract_z\n_atom_site_occupancy\n{first} 0.7\n{first.replace('Ba', 'Sr')} 0.3\n{second} 1\n"
    )
    (row,) = rows_of(invoke("predict", disordered, "--model", tiny_checkpoint, code=1).stdout)
    assert "disordered" in row["reason"]
    result = invoke("predict", disordered, "--model", tiny_checkpoint, "--disorder", "majority")
    (row,) = rows_of(result.stdout)
    assert row["status"] == "warning"
    assert row["kappa_W_mK"]
    assert "1 predicted (1 with a warning), 0 rejected" in result.stderr


def test_quiet_says_nothing(invoke: Invoke, tiny_checkpoint: Path, mixed: list[Path]) -> None:
    assert invoke("predict", *mixed, "--model", tiny_checkpoint, "--quiet").stderr == ""


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--model", "no-such-model"], r"no-such-model.*neither a model \(kappa, "),
        (["--properties", "colour"], "colour.*bulk_modulus_vrh"),
        (["--level", "1.5"], "level 1.5.*between 0 and 1"),
        (["--level", "nan"], "level nan"),
        (["--level", "0.99"], "level 0.99.*at most 0.972"),
        (["-o", "out.xlsx"], r"out.xlsx.*\.csv, \.json, \.parquet"),
        (["-o", "no/such/folder/out.csv"], "no/such/folder; create it"),
        (["-o", "."], r"\.: the extension"),
        (["--mirror", "no/such/folder"], "no/such/folder"),
        (["--disorder", "ignore"], "ignore"),
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
    model = [] if "--model" in options else ["--model", tiny_checkpoint]
    result = invoke("predict", crystals[0], *model, *options, code=2)
    assert re.search(says, result.stderr), result.stderr
    assert result.stdout == ""
    assert not list(tmp_path.iterdir())


def test_model_without_folds_of_formulas_cannot_hold_out(
    invoke: Invoke, tiny_checkpoint: Path, crystals: list[Path], tmp_path: Path
) -> None:
    import shutil

    model = tmp_path / "model"
    shutil.copytree(tiny_checkpoint, model)
    card = json.loads((model / "card.json").read_text())
    (model / "card.json").write_text(json.dumps(card | {"formula_fold": {}}))
    assert "split.group=formula" in invoke("predict", crystals[0], "--model", model, "--held-out", code=2).stderr


def test_damaged_model_is_wrong_usage(
    invoke: Invoke, tiny_checkpoint: Path, crystals: list[Path], tmp_path: Path
) -> None:
    import shutil

    model = tmp_path / "model"
    shutil.copytree(tiny_checkpoint, model)
    (model / "kappa.safetensors").write_bytes(b"junk")
    assert "kappa.safetensors" in invoke("predict", crystals[0], "--model", model, code=2).stderr


def test_older_output_survives_an_interruption(
    start: Start, tiny_checkpoint: Path, crystals: list[Path], tmp_path: Path
) -> None:
    out = tmp_path / "out.csv"
    out.write_text("old\n")
    # standard input stays open, so the run waits for it when it is interrupted
    process = start("predict", crystals[0], "-", "-o", out, "--overwrite", "--model", tiny_checkpoint)
    deadline = time.monotonic() + 60
    while not list(tmp_path.glob(".*.part")) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert list(tmp_path.glob(".*.part")), "the table is not written aside"
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    # a library that is being loaded may have Python end itself by the signal; a shell reports 130 for that, too
    assert process.returncode in (130, -signal.SIGINT)
    assert "interrupted" in err
    assert "Traceback" not in err
    assert [path.name for path in tmp_path.iterdir()] == ["out.csv"]
    assert out.read_text() == "old\n"


@pytest.mark.slow
def test_broken_pipe_is_silent(start: Start, tiny_checkpoint: Path, crystals: list[Path]) -> None:
    # more than the pipe holds, which only Linux lets us narrow
    many = crystals * (20 if sys.platform == "linux" else 110)
    process = start("predict", *many, "--model", tiny_checkpoint, "--quiet", pipesize=4096)
    assert process.stdout is not None
    assert process.stdout.readline().startswith("id,")
    process.stdout.close()
    assert process.stderr is not None
    err = process.stderr.read()
    assert process.wait(timeout=60) == 141
    assert err == ""


def test_standard_input_is_read(start: Start, tiny_checkpoint: Path, crystals: list[Path]) -> None:
    process = start("predict", "-", "--model", tiny_checkpoint)
    out, _ = process.communicate(crystals[0].read_text(), timeout=60)
    (row,) = rows_of(out)
    assert process.returncode == 0
    assert (row["source"], row["formula"], row["status"]) == ("-", crystals[0].stem, "ok")


def test_table_on_a_terminal(start: Start, tiny_checkpoint: Path, mixed: list[Path]) -> None:
    pty = pytest.importorskip("pty", reason="this system has no pseudo-terminals")
    master, slave = pty.openpty()
    process = start(
        "predict",
        *mixed,
        "--model",
        tiny_checkpoint,
        stdout=slave,
        stderr=slave,
        env=os.environ | {"COLUMNS": "100", "TERM": "xterm"},
    )
    os.close(slave)
    shown = b""
    try:
        while part := os.read(master, 65536):
            shown += part
    except OSError:  # how Linux reports the end of a terminal
        pass
    assert process.wait(timeout=60) == 0
    text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown.decode())
    assert "id,source" not in text
    assert re.search(r"BaBr +BaBr +3D +\d+\.?\d* \[\d+\.?\d* – \d+\.?\d*\] ", text), text
    assert re.search(r"× +missing +rejected", text)
    assert "itself in training" in text
    assert "3 predicted (0 with a warning), 3 rejected" in text
