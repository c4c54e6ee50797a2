from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from paraisite.crystals.crystal import Crystal
from paraisite.crystals.rejection import Rejection
from paraisite.datasets.dataset import Dataset, concat
from paraisite.datasets.merge import join, merge, note_join, write_merging
from paraisite.datasets.store import read_dataset
from paraisite.datasets.table import DatasetError

FCC = np.array([[0.0, 0.5, 0.5], [0.5, 0.0, 0.5], [0.5, 0.5, 0.0]])
SALTS = {"LiF": (3, 9, 4.03), "NaCl": (11, 17, 5.64), "KBr": (19, 35, 6.6), "MgO": (12, 8, 4.21), "CaO": (20, 8, 4.8)}


def salt(formula: str, id_: str = "", stretch: float = 1.0) -> Crystal:
    first, second, a = SALTS[formula]
    sites = np.array([[0.0] * 3, [0.5] * 3])
    return Crystal(a * stretch * FCC, np.array([first, second]), sites, id=id_ or formula)


def made(name: str, rows: dict[str, float], stretch: float = 1.0, prefix: str = "", **targets: object) -> Dataset:
    crystals = tuple(salt(formula, prefix + formula, stretch) for formula in rows)
    columns = {"kappa": list(rows.values())} | targets
    return Dataset(name, crystals, columns, (name,) * len(crystals))  # type: ignore[arg-type]


def three() -> list[Dataset]:
    return [
        made("first", {"LiF": 16.0, "NaCl": 7.0}, prefix="a-"),
        made("second", {"NaCl": 6.0, "KBr": 3.0}, 1.01, prefix="b-", debye_temperature=[310.0, np.nan]),
        made("third", {"MgO": 20.0, "KBr": 1.0, "NaCl": 2.0}, 0.99, "c-", debye_temperature=[900.0, 170.0, 300.0]),
    ]


def ids(dataset: Dataset) -> list[str]:
    return list(dataset.ids)


def test_prefer_the_first() -> None:
    merged, account = merge(three())
    assert ids(merged) == ["a-LiF", "a-NaCl", "b-KBr", "c-MgO"]
    assert merged.kappa.tolist() == [16.0, 7.0, 3.0, 20.0]
    assert merged.provenance == ("first", "first", "second", "third")
    assert merged.name == "first+second+third"
    assert [row.action for row in account.rows] == ["kept", "kept", "dropped", "kept", "kept", "dropped", "dropped"]
    assert account.rows[-1].reason == "the same crystal as first:a-NaCl"
    assert account.summary["rows"] == {"before": 7, "after": 4}
    assert account.summary["datasets"]["third"] == {"kept": 1, "merged": 0, "dropped": 2}
    assert merged.labels["same_as"] == ("", "second:b-NaCl third:c-NaCl", "third:c-KBr", "")


def test_prefer_another() -> None:
    merged, account = merge(three(), prefer=("third", "first"))
    assert ids(merged) == ["a-LiF", "c-MgO", "c-KBr", "c-NaCl"]
    assert account.summary["prefer"] == ["third", "first", "second"]
    assert np.isnan(merged.targets["debye_temperature"][0])
    assert merged.targets["debye_temperature"].tolist()[1:] == [900.0, 170.0, 300.0]


def test_no_kappa_is_dropped_for_a_row_without_one() -> None:
    bare = Dataset("bare", (salt("NaCl"), salt("KBr")), {"debye_temperature": np.array([310.0, 170.0])}, ("bare",) * 2)
    merged, account = merge([bare, made("valued", {"NaCl": 7.0})])
    assert merged.provenance == ("bare", "valued")
    assert merged.kappa.tolist()[1] == 7.0
    assert [row.action for row in account.rows] == ["dropped", "kept", "kept"]


def test_median() -> None:
    merged, account = merge(three(), "median")
    assert ids(merged) == ["a-LiF", "a-NaCl", "b-KBr", "c-MgO"]
    assert merged.kappa.tolist() == [16.0, 6.0, 3.0**0.5, 20.0]
    assert merged.targets["debye_temperature"].tolist()[1:] == [305.0, 170.0, 900.0]
    assert [row.action for row in account.rows] == ["kept", "kept", "merged", "kept", "kept", "merged", "merged"]


def test_keep_all() -> None:
    parts = three()
    merged, account = merge(parts, "keep-all", name="all")
    assert merged.content_hash == concat(parts, "x").content_hash
    assert merged.name == "all"
    assert merged.labels["same_as"][2] == "first:a-NaCl third:c-NaCl"
    assert {row.action for row in account.rows} == {"kept"}
    assert account.summary["same_crystals"] == 2


def test_rows_of_one_data_set_are_left_alone() -> None:
    twice = concat([made("x", {"NaCl": 7.0}, prefix="1-"), made("x", {"NaCl": 9.0}, 1.002, prefix="2-")], "twice")
    merged, _ = merge([twice, made("other", {"KBr": 3.0})])
    assert ids(merged) == ["1-NaCl", "2-NaCl", "KBr"]
    merged, account = merge([twice, made("other", {"NaCl": 3.0})])
    assert ids(merged) == ["1-NaCl", "2-NaCl"]
    assert account.rows[2].reason == "the same crystal as twice:1-NaCl, twice:2-NaCl"
    merged, _ = merge([twice, made("other", {"NaCl": 3.0})], prefer=["other"])
    assert ids(merged) == ["NaCl"]


def test_by_id() -> None:
    first = made("first", {"NaCl": 7.0, "LiF": 16.0})
    other = made("other", {"NaCl": 6.0, "LiF": 2.0}, 1.3)  # another volume: not the same crystals
    assert len(merge([first, other])[0]) == 4
    merged, account = merge([first, other], by="id")
    assert merged.kappa.tolist() == [7.0, 16.0]
    assert account.summary["matching"] is None


def test_ids_stay_different() -> None:
    first, other = made("first", {"NaCl": 7.0}), made("other", {"NaCl": 6.0, "KBr": 3.0}, 1.3)
    merged, account = merge([first, other])
    assert ids(merged) == ["NaCl", "NaCl@other", "KBr"]
    assert account.summary["renamed_ids"] == 1
    assert [row.id for row in account.rows] == ["NaCl", "NaCl", "KBr"]  # the account names what came in
    dropped, _ = merge([made("first", {"NaCl": 7.0}), made("other", {"NaCl": 6.0})], prefer=["other"])
    assert ids(dropped) == ["NaCl"]


def test_fidelity() -> None:
    known = [made("l96", {"NaCl": 7.0}), made("aflow_agl", {"NaCl": 2.0, "KBr": 1.0}), made("mine", {"MgO": 5.0})]
    own = replace(known[2], labels={"fidelity": ("experiment",)})
    merged, account = merge([*known[:2], own], "keep-all")
    assert merged.labels["fidelity"] == ("DFT", "AGL", "AGL", "experiment")
    assert account.summary["mixed_fidelities"] == 0
    assert merge([*known[:2], own], "median")[1].summary["mixed_fidelities"] == 1


def test_other_labels_and_rejections_come_along() -> None:
    gone = (Rejection(id="x", source="t.csv::line 2", reason="broken"),)
    first = replace(made("first", {"LiF": 1.0}), labels={"flags": ("outlier",)}, rejections=gone)
    merged, _ = merge([first, made("second", {"NaCl": 6.0})])
    assert merged.labels["flags"] == ("outlier", "")
    assert merged.rejections == gone


def test_wrong_use() -> None:
    with pytest.raises(DatasetError, match="no datasets"):
        merge([])
    with pytest.raises(DatasetError, match="first: given twice"):
        merge([three()[0], three()[0]])
    with pytest.raises(DatasetError, match="cannot prefer fourth: the datasets are first, second, third"):
        merge(three(), prefer=["fourth"])


def test_join_by_crystal() -> None:
    first, _, third = three()
    joined, report = join(first, third)
    assert np.isnan(joined.targets["debye_temperature"][0])
    assert joined.targets["debye_temperature"][1] == 300.0
    assert joined.kappa.tolist() == [16.0, 7.0]  # another fidelity: never taken
    assert report == {
        "from": "third",
        "by": "crystal",
        "filled": {"debye_temperature": 1},
        "matched": 1,
        "unmatched": 2,
        "broken": 0,
    }


def test_join_keeps_what_is_there() -> None:
    _, second, third = three()
    joined, report = join(second, third)
    assert joined.targets["debye_temperature"].tolist() == [310.0, 170.0]
    assert report["filled"] == {"debye_temperature": 1}


def test_join_takes_the_median_of_repetitions() -> None:
    other = concat(
        [made("x", {"NaCl": 1.0}, bulk_modulus_vrh=[20.0]), made("y", {"NaCl": 1.0}, 1.01, bulk_modulus_vrh=[26.0])],
        "z",
    )
    joined, report = join(three()[0], other)
    assert joined.targets["bulk_modulus_vrh"][1] == 23.0
    assert report["matched"] == 2


def test_join_a_table(tmp_path: Path) -> None:
    table = tmp_path / "more.csv"
    table.write_text("id,shear_modulus_vrh,kappa\na-NaCl,15,99\nb-KBr,10,1\nother,5,1\na-LiF,oops,1\n")
    joined, report = join(three()[0], table)
    assert joined.targets["shear_modulus_vrh"].tolist()[1] == 15.0
    assert joined.kappa.tolist() == [16.0, 7.0]
    assert report["filled"] == {"kappa": 0, "shear_modulus_vrh": 1}
    assert (report["matched"], report["unmatched"], report["broken"]) == (1, 2, 1)
    with pytest.raises(DatasetError, match="a table has no crystals; join it by id"):
        join(three()[0], table, by="crystal")


def test_join_makes_values_per_cell_values_per_atom(tmp_path: Path) -> None:
    table = tmp_path / "heat.csv"
    table.write_text("id,heat_capacity_cv\na-NaCl,5.8\n")
    joined, report = join(three()[0], table)
    assert list(joined.targets) == ["kappa", "heat_capacity_cv_atom"]
    np.testing.assert_array_equal(joined.targets["heat_capacity_cv_atom"], [np.nan, 2.9])
    assert report["filled"] == {"heat_capacity_cv_atom": 1}


def test_everything_is_written(tmp_path: Path) -> None:
    merged, account = merge(three())
    joined, report = join(merged, made("more", {"LiF": 1.0}, bulk_modulus_vrh=[70.0]))
    account = note_join(account, joined, report)
    write_merging(joined, account, tmp_path / "out")
    with (tmp_path / "out" / "merging.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["id"] for row in rows] == [c.id for part in three() for c in part.crystals]
    assert all(row["reason"] for row in rows if row["action"] != "kept")
    summary = json.loads((tmp_path / "out" / "merging.json").read_text())
    assert summary["joined"] == [report]
    stored = read_dataset(tmp_path / "out")
    assert stored.content_hash == joined.content_hash == summary["content_hash"]["merged"]
    assert stored.labels["same_as"] == joined.labels["same_as"]


MERGED = {
    "prefer": "c347761b77c3ce5cc2e9bb39445909f449b9b5965687cc2af9cfa260620bab59",
    "median": "b4f9a34e3c16384d9e3310a29e24032997fb1383980bfc18b7eded48135b4f2f",
    "keep-all": "d269064b9105d9520e448017cb47862e98422ff4f739a5e6f031c39110523893",
}
"""Content of `three()`, merged: the same in every process, with any number of them, in every Python."""

SCRIPT = """
import sys
sys.path.insert(0, {folder!r})
import test_merge
if __name__ == "__main__":
    for policy in test_merge.MERGED:
        merged, account = test_merge.merge(test_merge.three(), policy, ["third", "second"])
        print(policy, merged.content_hash, *merged.ids, *(row.action for row in account.rows))
"""


@pytest.mark.parametrize("policy", sorted(MERGED))
def test_the_content_is_known(policy: str) -> None:
    merged, _ = merge(three(), policy, ["third", "second"])  # type: ignore[arg-type]
    assert merged.content_hash == MERGED[policy]


@pytest.mark.slow
def test_the_content_does_not_depend_on_the_process() -> None:
    folder = str(Path(__file__).parent)
    said = set()
    for seed in ("0", "1", "4242"):
        environment = os.environ | {"PYTHONHASHSEED": seed}
        command = [sys.executable, "-c", SCRIPT.format(folder=folder)]
        said.add(subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout)
    assert len(said) == 1
    assert [line.split()[1] for line in said.pop().splitlines()] == list(MERGED.values())
