from __future__ import annotations

import csv
import json

import pytest
from argon import argon

from paraisite.crystals import Rejection
from paraisite.phonons.result import Result
from paraisite.phonons.run import folders
from paraisite.phonons.settings import Settings
from paraisite.phonons.subject import Predicted, Subject
from paraisite.phonons.summary import COLUMNS, row, verdict, write_summary

KNOWN = Subject(argon(), Predicted(2.0, 1.0, 4.0), label=5.0)


def result(**values) -> Result:
    return Result("Ar-fcc", "", "Ar", **values)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"kappa_W_mK": 1.5}, "agrees"),
        ({"kappa_W_mK": 0.9}, "lower"),
        ({"kappa_W_mK": 4.1}, "higher"),
        ({"kappa_W_mK": 1.5, "mesh_change": 0.6}, "doubtful"),
        ({"kappa_W_mK": 9.0, "long_lived_share": 0.9}, "doubtful"),
        ({"kappa_W_mK": 1.5, "mesh_change": 0.3, "long_lived_share": 0.3}, "agrees"),
        ({"status": "unstable"}, "unstable"),
        ({"status": "unstable", "kappa_W_mK": 1.5}, "unstable"),
        ({"status": "failed"}, "failed"),
    ],
)
def test_verdicts(values, said):
    assert verdict(result(**values), KNOWN) == said


def test_without_an_interval_there_is_no_verdict_on_a_prediction():
    assert verdict(result(kappa_W_mK=1.0), Subject(argon())) == "no prediction"


def test_a_row_compares():
    found = row(KNOWN, result(kappa_W_mK=1.0, mesh=[5, 5, 4], notes=["a", "b"]), "lj")
    assert found["factor"] == 0.5
    assert found["label_factor"] == 0.2
    assert found["mesh"] == "5x5x4"
    assert found["notes"] == "a; b"
    assert set(found) == set(COLUMNS)


def test_the_tensor_holds_both_parts():
    item = {"temperatures": [300.0], "kappa": [[1.0, 2.0, 3.0, 0, 0, 0]], "coherence": [[0.1, 0.2, 0.3, 0, 0, 0]]}
    found = row(KNOWN, result(kappa_W_mK=2.2, details={"conductivity": [item]}), "lj")
    assert [found[f"kappa_{axis}"] for axis in ("xx", "yy", "zz")] == pytest.approx([1.1, 2.2, 3.3])


def test_every_subject_has_a_row(tmp_path):
    lost = Subject(Rejection("x", "x.cif", "not a CIF"))
    path = tmp_path / "summary.csv"
    write_summary([row(KNOWN, None, "lj"), row(lost, result(status="failed", reason="no, it\nis not"), "lj")], path)
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [r["status"] for r in rows] == ["pending", "failed"]
    assert rows[1]["reason"] == "no, it\nis not"
    assert rows[0]["kappa_W_mK"] == ""


def test_a_result_is_read_back(tmp_path):
    whole = result(kappa_W_mK=0.1 + 0.2, mesh=[3, 3, 3], details={"a": [1.5, None]})
    whole.write(tmp_path)
    assert Result.read(tmp_path) == whole
    assert Result.read(tmp_path / "elsewhere") is None
    (tmp_path / "result.json").write_text(json.dumps({"odd": 1}))
    with pytest.raises(ValueError, match="not a result of this version"):
        Result.read(tmp_path)


def test_folders_are_one_for_each_and_safe(tmp_path):
    found = folders(["a/../b", "a", "A", "a", "", "..", "é 1", "x" * 300], tmp_path)
    assert len({str(path).lower() for path in found}) == len(found)
    assert all(path.parent == tmp_path for path in found)
    assert found[1].name == "a"
    assert [path.name for path in folders(["m", "m", "m-2", "M-3", "m"], tmp_path)] == [
        "m",
        "m-2",
        "m-2-2",
        "M-3",
        "m-4",
    ]
    assert all(len(path.name) <= 110 for path in found)


def test_room_temperature_is_always_computed():
    assert Settings(temperatures=(500.0, 100.0)).temperatures == (100.0, 300.0, 500.0)
    with pytest.raises(ValueError, match="above 0 K"):
        Settings(temperatures=(0.0,))
