"""`paraisite data split`: folds on the screen and in a file."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import Result

from paraisite.datasets import kfold, load
from paraisite.datasets.saved_split import read_split

Invoke = Callable[..., Result]


@pytest.fixture
def folder(tiny_dataset: Path, tmp_path: Path) -> Path:
    """A copy of the 36 rocksalts to write into."""
    return Path(shutil.copytree(tiny_dataset, tmp_path / "rocksalts"))


def lines(out: str) -> list[list[str]]:
    """The rows of the table, in words."""
    rule = next(i for i, line in enumerate(out.splitlines()) if "───" in line)
    table = out.splitlines()[rule + 1 :]
    return [line.split() for line in table[: next(i for i, line in enumerate(table) if not line.strip())]]


def test_folds_are_written_beside_the_data(invoke: Invoke, folder: Path) -> None:
    result = invoke("data", "split", folder, "--by", "kfold", "--folds", "4", "--seed", "3")
    path = folder / "splits" / "kfold-4-seed3.json"
    assert f"written: {path}" in result.stderr.replace("\n", "")
    saved = read_split(path)
    data = load(folder)
    assert [split.validation.tolist() for split in saved.of(data)] == [
        split.validation.tolist() for split in kfold(36, 4, 3)
    ]
    rows = lines(result.stdout)
    assert [row[:3] for row in rows] == [[str(i), "27", "9"] for i in range(1, 5)]
    assert rows[0][5:9] == ["0/9", "0/9", "1/1", "0/9"]  # formulas, systems, prototypes, crystals
    assert saved.split_hash[:12] in result.stdout
    again = invoke("data", "split", folder, "--by", "kfold", "--folds", "4", "--seed", "3")
    assert again.stdout == result.stdout


def test_another_folder_and_name(invoke: Invoke, folder: Path, tmp_path: Path) -> None:
    invoke("data", "split", folder, "--by", "formula", "--name", "mine", "-o", tmp_path / "out")
    assert read_split(tmp_path / "out" / "mine.json").kind == "formula"
    assert not (folder / "splits").exists()


def test_stored_data_keep_their_splits(invoke: Invoke, folder: Path, tmp_path: Path) -> None:
    from paraisite.datasets.store import write_dataset

    stored = write_dataset(load(folder), tmp_path / "stored")
    invoke("data", "split", tmp_path / "stored", "--by", "kappa", "--quantile", "0.25")
    assert stored.exists()
    saved = read_split(tmp_path / "stored" / "splits" / "kappa-quantile0.25.json")
    assert [len(split.validation) for split in saved.of(load(tmp_path / "stored"))] == [9, 9]
    load(tmp_path / "stored")  # splits beside the data do not disturb


def test_elements_and_what_is_skipped(invoke: Invoke, folder: Path) -> None:
    out = invoke("data", "split", folder, "--by", "element", "--min-rows", "5").stdout
    assert [row[:3] for row in lines(out)] == [[symbol, "27", "9"] for symbol in ("Br", "Cl", "F", "I")]
    assert "skipped (fewer than 5 rows with or without the element): Ba (4), Ca (4), Cd (4)" in out
    chosen = invoke("data", "split", folder, "--by", "element", "--elements", "i, Br", "--min-rows", "5").stdout
    assert [row[0] for row in lines(chosen)] == ["I", "Br"]


def test_runs_of_the_study(invoke: Invoke, folder: Path) -> None:
    out = invoke("data", "split", folder, "--by", "paper", "--runs", "1,4-5").stdout
    assert [row[:3] for row in lines(out)] == [[run, "28", "8"] for run in ("1", "4", "5")]
    assert read_split(folder / "splits" / "paper-1+4-5.json").parameters == {"runs": [1, 4, 5]}


def test_kappa_between_limits(invoke: Invoke, folder: Path) -> None:
    out = invoke("data", "split", folder, "--by", "kappa", "--above", "2", "--below", "4").stdout
    (row,) = lines(out)
    low, high = map(float, row[4].split("–"))
    assert 2 < low < high < 4


def test_another_split_of_the_name_is_not_overwritten(invoke: Invoke, folder: Path) -> None:
    invoke("data", "split", folder, "--by", "kfold", "--name", "mine")
    before = (folder / "splits" / "mine.json").read_bytes()
    err = invoke("data", "split", folder, "--by", "kfold", "--seed", "2", "--name", "mine", code=2).stderr
    assert "holds another split" in err
    assert (folder / "splits" / "mine.json").read_bytes() == before


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--by", "kappa", "--folds", "3"], "does not use folds"),
        (["--by", "paper", "--runs", "1-x"], "neither a number nor a range"),
        (["--by", "paper", "--runs", "9-1"], "is not a valid range"),
        (["--by", "element", "--elements", "O,Xx"], "'Xx' is not an element"),
        (["--by", "element", "--elements", "O"], "no crystal contains O"),
        (["--by", "prototype"], "1 groups: no folds"),
        (["--by", "kappa", "--quantile", "2"], "between 0 and 0.5"),
        (["--by", "kfold", "--name", "../up"], "'../up' cannot be the name of a split"),
        ([], "--by"),
    ],
)
def test_wrong_usage(invoke: Invoke, folder: Path, options: list[str], says: str) -> None:
    assert says in invoke("data", "split", folder, *options, code=2).stderr
    assert not (folder / "splits").exists()


def test_no_such_data(invoke: Invoke, tmp_path: Path) -> None:
    assert "nowhere" in invoke("data", "split", tmp_path / "nowhere", "--by", "kfold", code=2).stderr


@pytest.mark.data
def test_a_named_data_set_is_only_shown(invoke: Invoke, mirror: Path, tmp_path: Path) -> None:
    result = invoke("data", "split", "mix", "--by", "paper", "--mirror", mirror)
    assert "not written; give a folder with -o DIR" in result.stderr
    assert [row[5] for row in lines(result.stdout)] == [
        f"{shared}/{whole}"
        for shared, whole in ((5, 48), (12, 48), (10, 48), (8, 45), (9, 47), (11, 48), (8, 46), (10, 47), (12, 48))
    ]
    invoke("data", "split", "mix", "--by", "paper", "--mirror", mirror, "-o", tmp_path)
    assert (tmp_path / "paper-1-9.json").is_file()


def test_elements_that_are_too_rare_are_named(invoke: Invoke, tiny_dataset: Path) -> None:
    result = invoke("data", "split", tiny_dataset, "--by", "element", "--elements", "Li,F", "--min-rows", "20", code=2)
    assert "fewer than 20 rows with or without it (Li: 4 of 36 rows contain it; F: 9 of 36" in result.stderr
    assert "choose other elements or a lower --min-rows" in result.stderr
