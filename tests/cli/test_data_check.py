"""`paraisite data check`."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from typer.testing import Result

from paraisite.crystals import Crystal
from paraisite.datasets import Dataset, load
from paraisite.datasets.store import write_dataset

Invoke = Callable[..., Result]


@pytest.fixture
def folder(tiny_dataset: Path, tmp_path: Path) -> Path:
    """A copy to spoil."""
    return Path(shutil.copytree(tiny_dataset, tmp_path / "mine"))


def test_a_good_folder(invoke: Invoke, folder: Path) -> None:
    out = invoke("data", "check", folder).stdout
    assert "mine: 36 good rows, 0 rejected" in out
    row = next(line.split() for line in out.splitlines() if line.strip().startswith("kappa"))
    assert row[1:3] == ["W/m/K", "36"]
    assert "formulas: 36 different" in out
    assert f"content hash: {load(folder).content_hash}\n  no registered dataset has it" in out


def test_rejected_lines_fail(invoke: Invoke, folder: Path) -> None:
    table = folder / "id_prop.csv"
    table.write_text(table.read_text().replace("NaCl,", "NaCl,-", 1) + "MgO,60,160\n")
    (folder / "KBr.cif").write_text("nothing")
    out = invoke("data", "check", folder, code=1).stdout
    assert "mine: 34 good rows, 3 rejected" in out
    assert f"{table}::line 38 (MgO): no MgO.cif" in out
    assert "must be positive and finite; correct it" in out
    assert "KBr.cif" in out


def test_a_stored_folder(invoke: Invoke, folder: Path, tmp_path: Path) -> None:
    dataset = load(folder)[[0, 0, 1]]
    mine = Dataset("mine", dataset.crystals, {"gap": np.array([1.0, 2.0, np.nan]), "x": [np.nan] * 3}, ("l96",) * 3)
    stored = write_dataset(mine, tmp_path / "stored", units={"gap": "eV"})
    out = invoke("data", "check", stored).stdout
    lines = {line.split()[0]: line.split()[1:] for line in out.splitlines() if line.strip()}
    assert lines["gap"] == ["eV", "2", "1", "1.5", "2"]
    assert lines["x"] == ["not", "known", "0", "-", "-", "-"]
    assert "formulas: 2 different, of which 1 on several rows\n  LiF (2)" in out
    assert "ids: 2 different, of which 1 on several rows" in out
    assert "as card.json says; no registered dataset has it" in out
    assert invoke("data", "check", stored / "dataset.parquet").stdout == out


def test_an_impossible_crystal_fails(invoke: Invoke, tmp_path: Path) -> None:
    overlapping = Crystal(4 * np.eye(3), np.array([11, 17]), np.zeros((2, 3)), "bad", "bad.cif")
    stored = write_dataset(Dataset("mine", (overlapping,), {}, ("mine",)), tmp_path / "stored")
    out = invoke("data", "check", stored, code=1).stdout
    assert "mine: 0 good rows, 1 rejected" in out
    assert "row 1 (bad.cif): site 1 (Na) and site 2 (Cl) overlap" in out


def test_damage_fails(invoke: Invoke, folder: Path, tmp_path: Path) -> None:
    stored = write_dataset(load(folder), tmp_path / "stored")
    content = (stored / "dataset.parquet").read_bytes()
    (stored / "dataset.parquet").write_bytes(content[:-1])
    assert "sha256 differs" in invoke("data", "check", stored, code=1).stderr


def test_a_hash_of_another_content_fails(invoke: Invoke, folder: Path, tmp_path: Path) -> None:
    """A card and file that agree with each other, but not with what is in them."""
    import hashlib

    from pyarrow import parquet

    stored = write_dataset(load(folder), tmp_path / "stored")
    card = json.loads((stored / "card.json").read_text())
    table = parquet.read_table(stored / "dataset.parquet")
    metadata = json.loads(table.schema.metadata[b"paraisite"]) | {"content_hash": "0" * 64}
    parquet.write_table(table.replace_schema_metadata({b"paraisite": json.dumps(metadata)}), stored / "dataset.parquet")
    digest = hashlib.sha256((stored / "dataset.parquet").read_bytes()).hexdigest()
    (stored / "card.json").write_text(json.dumps(card | {"content_hash": "0" * 64, "sha256": digest}))
    assert "differs from that of card.json" in invoke("data", "check", stored, code=1).stdout


def test_a_folder_called_like_a_registered_set_must_hold_it(invoke: Invoke, folder: Path) -> None:
    named = folder.rename(folder.parent / "l96")
    assert "not the content of the registered l96" in invoke("data", "check", named, code=1).stdout
    stored = write_dataset(load(named), folder.parent / "stored")  # has a card of its own to agree with
    invoke("data", "check", stored)


def test_there_is_no_such_set(invoke: Invoke, tmp_path: Path) -> None:
    assert "neither a known dataset nor a folder" in invoke("data", "check", tmp_path / "none", code=2).stderr


@pytest.mark.data
def test_a_folder_beside_a_name(invoke: Invoke, mirror: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.rename(folder.parent / "l96")
    monkeypatch.chdir(folder.parent)
    result = invoke("data", "check", "l96", "--mirror", mirror)
    assert result.stderr == "note: the registered l96 is meant; the folder is ./l96\n"
    assert invoke("data", "check", "./l96", "--mirror", mirror, code=1).stderr == ""


@pytest.mark.data
def test_named_sets(invoke: Invoke, mirror: Path) -> None:
    out = invoke("data", "check", "l96", "--mirror", mirror).stdout
    assert "l96: 95 good rows, 0 rejected" in out
    assert "the content of the registered l96" in out
    assert "4887 formulas, as registered" in invoke("data", "check", "crabnet_agl_split", "--mirror", mirror).stdout


def test_what_files_hold_does_not_steer_the_terminal(invoke: Invoke, folder: Path, tmp_path: Path) -> None:
    table = folder / "id_prop.csv"
    header = "id,kappa,gap[/eV],density[g/cm3]\n"
    rows = "".join(f"{line.rpartition(',')[0]},1.5,2.5\n" for line in table.read_text().splitlines()[1:])
    table.write_text(header + rows + "\x1b[31mred,1,1,1\n[b]bold[/b],-1,1,1\n")
    out = invoke("data", "check", folder, code=1).stdout
    assert "\x1b" not in out
    assert "\\x1b[31mred" in out
    assert "([b]bold[/b])" in out
    assert "gap[/eV]" in out
    assert "density[g/cm3]" in out
    error = invoke("data", "check", tmp_path / "\x1b[31mnone", code=2).stderr
    assert "\x1b" not in error
    assert "\\x1b[31mnone: neither" in error
