from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import simple_crystals as simple

from paraisite.datasets import Dataset, DatasetError, paper_split, split_hash
from paraisite.datasets.overlap import Shared
from paraisite.datasets.saved_split import PARAMETERS, SavedSplit, make_split, read_split, write_split

DATA = simple.dataset()
HASHES = """\
kfold-3-seed1 eb66ae0d3bb20ae767c4268404de87227cc98d96b13af5918ec82a986558823a
paper-1-2+9 5702dccd7c9629dcbcf4da72cde69772ba4194e12d2d801548d8db99f7668ff6
formula-3-seed7 5f91c10850218f7ff9732b426b8a3f3331436925658faabc2ec0bd6f4d45e0d0
chemical-system-4-seed1 b46d447556c41a3a2c6f5ee587c061ee77b075deaf2e2b47b17ed128f1851346
prototype-2-seed1 5e112985e738bb271cc1b10c37d351a36030f9bf659994227c4de681f5f5f67c
element 9b66df39eb0ae9711ba7eb04c15682ec90859eaf6d0a9d4d54202e139c166a21
kappa-quantile0.1 642d7de61c835fdcaf52c3cd9f0cfcbdc0fed40b753b0d6580c9dabddce6dbc4
kappa-above5-below20 2bd4308a051015b171b310aa6f200fe4663b83d4aa91703639cd20d9423d588d
"""


@pytest.fixture(scope="module")
def splits() -> list[SavedSplit]:
    """One of every kind."""
    return [make_split(DATA, kind, **parameters) for kind, parameters in simple.SPLITS]


@pytest.mark.slow
def test_splits_are_those_of_every_other_process() -> None:
    # Frozen: they may not depend on the process (hash seed), the machine or the versions of Python and NumPy.
    script = simple.__file__
    printed = {
        subprocess.run(
            [sys.executable, script], env={"PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True
        ).stdout
        for seed in ("1", "2")
    }
    assert printed == {HASHES}


def test_every_kind_has_a_test() -> None:
    assert {kind for kind, _ in simple.SPLITS} == set(PARAMETERS)


def test_files_bring_back_the_split(splits: list[SavedSplit], tmp_path: Path) -> None:
    for split in splits:
        path = write_split(split, tmp_path / "splits")
        assert path == tmp_path / "splits" / f"{split.name}.json"
        read = read_split(path)
        assert read == split
        assert split_hash(read.of(DATA)) == split.split_hash
        content = path.read_bytes()
        assert write_split(split, tmp_path / "splits").read_bytes() == content  # once more is no matter
    assert len(list((tmp_path / "splits").iterdir())) == len(splits)


def test_the_paper_split_keeps_the_order_of_the_study(splits: list[SavedSplit]) -> None:
    paper = next(split for split in splits if split.kind == "paper")
    for fold, split in zip(paper.folds, paper.splits, strict=True):
        study = paper_split((9, 6), int(fold.name))
        assert split.validation.tolist() == study.validation.tolist()
        assert split.train.tolist() == sorted(study.train)


def test_overlap_says_what_stands_in_training() -> None:
    split = make_split(DATA, "kappa", above=7.05, below=7.2)  # only NaCl in rocksalt, whose cube stays in training
    assert split.folds[0].validation == (0,)
    assert split.folds[0].overlap == {
        "formula": Shared(groups=1, shared=1, rows=1),
        "chemical-system": Shared(groups=1, shared=1, rows=1),
        "prototype": Shared(groups=1, shared=1, rows=1),
        "crystal": Shared(groups=1, shared=1, rows=1),
    }
    lone = make_split(DATA, "kappa", above=1.5, below=2.5)  # NaCl in the CsCl structure: a polymorph of others
    assert lone.folds[0].validation == (6,)
    shared = lone.folds[0].overlap
    assert [shared[kind].shared for kind in ("formula", "prototype", "crystal")] == [1, 1, 0]


@pytest.mark.parametrize("kind", ["formula", "chemical-system", "prototype"])
def test_grouped_folds_share_no_group(kind: str) -> None:
    split = make_split(DATA, kind, folds=2)
    for fold in split.folds:
        assert fold.overlap[kind].shared == fold.overlap[kind].rows == 0
        assert fold.overlap["crystal"].shared == 0
    assert sorted(row for fold in split.folds for row in fold.validation) == list(range(len(DATA)))


def test_elements() -> None:
    split = make_split(DATA, "element", min_rows=3)
    assert [fold.name for fold in split.folds] == ["Cl", "Na", "O"]
    assert split.folds[2].validation == (2, 3, 4, 10)
    assert split.skipped["Ca"] == "2 of 15 rows contain it"
    assert set(split.skipped) == {"As", "Ca", "Cs", "F", "Ga", "K", "Mg", "P", "S", "Sr", "Tl", "Zn"}
    chosen = make_split(DATA, "element", elements=["O", "Ca"], min_rows=1)
    assert [fold.name for fold in chosen.folds] == ["O", "Ca"]
    assert chosen.name == "element-O-Ca"


def test_kappa() -> None:
    low, high = make_split(DATA, "kappa", quantile=0.2).splits
    assert low.validation.tolist() == [5, 6, 7]  # 1.0, 2.0 and 0.7 of 14 values
    assert high.validation.tolist() == [2, 9, 10]
    assert 11 in low.train  # has no value, is in no validation side
    below, above = make_split(DATA, "kappa", below=2.0, above=40.0).splits
    assert below.validation.tolist() == [5, 7]
    assert above.validation.tolist() == [2, 9]
    assert [fold.name for fold in make_split(DATA, "kappa", above=5.0, below=20.0).folds] == ["between"]


@pytest.mark.parametrize(
    ("kind", "parameters", "says"),
    [
        ("random", {}, "'random'; choose from kfold, paper,"),
        ("kappa", {"folds": 3}, "a split by kappa does not use folds; it uses above, below, quantile"),
        ("formula", {"folds": 14}, "cannot make 14 folds of 12 groups: ask for 2 to 12"),
        ("element", {"elements": ["Fe"]}, "no crystal contains Fe; it has As, Ca"),
        ("element", {"min_rows": 8}, "every element has fewer than 8 rows"),
        ("kappa", {"above": 1e4}, "fold high leaves no row to validate"),
        ("kappa", {"above": 0.0, "quantile": 0.1}, "not both"),
        ("kappa", {"quantile": 0.7}, r"between 0 and 0\.5"),
        ("paper", {"runs": []}, "folds"),
    ],
)
def test_impossible_splits(kind: str, parameters: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        make_split(DATA, kind, **parameters)


def test_a_data_set_without_kappa_has_no_split_by_it() -> None:
    bare = Dataset("bare", DATA.crystals, {}, DATA.provenance)
    with pytest.raises(ValueError, match="has no conductivities"):
        make_split(bare, "kappa")
    assert len(make_split(bare, "kfold").folds) == 5


def test_a_split_belongs_to_its_data(splits: list[SavedSplit]) -> None:
    other = Dataset("other", DATA.crystals, {"kappa": np.array(DATA.kappa) * 2}, DATA.provenance)
    with pytest.raises(DatasetError, match=r"belongs to simple with content .*, not to other with content"):
        splits[0].of(other)


def test_a_name_that_is_taken_is_not_overwritten(splits: list[SavedSplit], tmp_path: Path) -> None:
    path = write_split(splits[0], tmp_path)
    before = path.read_bytes()
    other = make_split(DATA, "kfold", folds=4, name=splits[0].name)
    with pytest.raises(DatasetError, match=r"kfold-3-seed1\.json: holds another split, .*--overwrite"):
        write_split(other, tmp_path)
    assert path.read_bytes() == before


def moved_row(content: dict[str, Any]) -> None:
    content["folds"][0]["validation"][0] = content["folds"][1]["validation"][0]


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (moved_row, "not those of its split_hash"),
        (lambda content: content["folds"][0]["validation"].append(15), "rows outside 0 to 14"),
        (lambda content: content["folds"][0]["validation"].append(content["folds"][0]["validation"][0]), "a row twice"),
        (lambda content: content.update(format=2), "format: Input should be 1"),
        (lambda content: content.pop("content_hash"), "content_hash: Field required"),
        (lambda content: content.update(name="../escape"), "name: "),
        (lambda content: content["folds"][0].update(validation=list(range(15))), "no row to train on"),
    ],
)
def test_damaged_files_are_refused(splits: list[SavedSplit], tmp_path: Path, damage: Any, says: str) -> None:
    path = write_split(splits[0], tmp_path)
    content = json.loads(path.read_text())
    damage(content)
    path.write_text(json.dumps(content))
    with pytest.raises(DatasetError, match=rf"kfold-3-seed1\.json: .*{says}.*make it again"):
        read_split(path)


def test_files_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="cannot be read"):
        read_split(tmp_path / "none.json")
    (tmp_path / "junk.json").write_bytes(b"\x00{")
    with pytest.raises(DatasetError, match=r"junk\.json: .*make it again"):
        read_split(tmp_path / "junk.json")
