from __future__ import annotations

import json
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest

from paraisite.datasets import (
    Dataset,
    DatasetError,
    grouped_kfold,
    load,
    paper_split,
    registry,
)
from paraisite.datasets.store import write_dataset
from paraisite.datasets.table import PER_CELL
from paraisite.targets import TARGETS


def cif(a: float, *species: str) -> str:
    """Return the CIF of a cubic cell with atoms along its diagonal."""
    sites = "\n".join(f"{s} {s}" + f" {i / len(species)}" * 3 for i, s in enumerate(species))
    return (
        f"data_x\n_cell_length_a {a}\n_cell_length_b {a}\n_cell_length_c {a}\n"
        "_cell_angle_alpha 90\n_cell_angle_beta 90\n_cell_angle_gamma 90\n_symmetry_space_group_name_H-M 'P 1'\n"
        "loop_\n_atom_site_label\n_atom_site_type_symbol\n_atom_site_fract_x\n_atom_site_fract_y\n_atom_site_fract_z\n"
        f"{sites}\n"
    )


CIFS = {"cscl": cif(4.12, "Cs", "Cl"), "csbr": cif(4.30, "Cs", "Br"), "tlcl": cif(3.83, "Tl", "Cl")}


def folder(tmp_path: Path, table: str, beside: Mapping[str, str] = {}, zipped: Mapping[str, str] = {}) -> Path:
    (tmp_path / "id_prop.csv").write_text(table)
    for stem, text in beside.items():
        (tmp_path / f"{stem}.cif").write_text(text)
    if zipped:
        with zipfile.ZipFile(tmp_path / "cif.zip", "w") as archive:
            for stem, text in zipped.items():
                archive.writestr(f"{stem}.cif", text)
    return tmp_path


TABLE = "csbr,0.9\ncscl,1.1\ntlcl,0.7\n"


@pytest.mark.parametrize("where", ["beside", "zipped"])
def test_a_folder_of_ones_own(tmp_path: Path, where: str) -> None:
    data = load(folder(tmp_path, TABLE, **{where: CIFS}))
    assert data.ids == ("csbr", "cscl", "tlcl")  # the order of the table
    assert data.kappa.tolist() == [0.9, 1.1, 0.7]
    assert data.formulas == ("CsBr", "CsCl", "TlCl")
    assert data.name == tmp_path.name
    assert data.provenance == (tmp_path.name,) * 3
    assert data.rejections == ()


def test_beside_and_zipped_are_the_same_content(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    beside, zipped = folder(tmp_path / "a", TABLE, beside=CIFS), folder(tmp_path / "b", TABLE, zipped=CIFS)
    assert load(beside).content_hash == load(zipped).content_hash


def test_a_file_beside_goes_before_the_archive(tmp_path: Path) -> None:
    data = load(folder(tmp_path, TABLE, beside={"cscl": cif(4.2, "Cs", "Cl")}, zipped=CIFS))
    assert data.ids == ("csbr", "cscl", "tlcl")
    assert data[1].cell[0, 0] == 4.2


def test_the_table_itself_may_be_named(tmp_path: Path) -> None:
    assert len(load(folder(tmp_path, TABLE, beside=CIFS) / "id_prop.csv")) == 3


def test_further_targets_and_heat_capacity_per_atom(tmp_path: Path) -> None:
    table = "id,formula,kappa,heat_capacity_cv,my_gap\ncscl,CsCl,1.1,5.8,5.3\ncsbr,CsBr,0.9,,4.8\n"
    data = load(folder(tmp_path, table, beside=CIFS))
    assert list(data.targets) == ["kappa", "heat_capacity_cv_atom", "my_gap"]
    assert data.targets["heat_capacity_cv_atom"][0] == pytest.approx(2.9)
    assert np.isnan(data.targets["heat_capacity_cv_atom"][1])
    assert data.targets["my_gap"].tolist() == [5.3, 4.8]


def test_what_cannot_be_read_is_listed_and_the_rest_loads(tmp_path: Path) -> None:
    broken = {
        **CIFS,
        "disordered": CIFS["cscl"]
        .replace("fract_z\n", "fract_z\n_atom_site_occupancy\n")
        .replace("\nCl", " 0.5\nCl")[:-1]
        + " 1\n",
        "junk": "\x00\x01\x02",
        "two": CIFS["cscl"] + CIFS["csbr"].replace("data_x", "data_y"),
    }
    lines = ["id,kappa", "cscl,1.1", "absent,3", "disordered,2", "junk,4", "tlcl,much", "two,5", "csbr,0.9"]
    data = load(folder(tmp_path, "\n".join(lines), beside=broken))
    assert data.ids == ("cscl", "csbr")
    reasons = {rejection.source.rsplit("::", 1)[1]: (rejection.id, rejection.reason) for rejection in data.rejections}
    assert list(reasons) == ["line 3", "line 4", "line 5", "line 6", "line 7"]
    assert all(rejection.source.startswith(str(tmp_path / "id_prop.csv")) for rejection in data.rejections)
    assert reasons["line 3"] == (
        "absent",
        f"no absent.cif in {tmp_path} (and there is no cif.zip); add the file or delete the line",
    )
    assert "disordered.cif" in reasons["line 4"][1]
    assert "junk.cif" in reasons["line 5"][1]
    assert reasons["line 6"][1].startswith("kappa is 'much'")
    assert "second structure with this id" in reasons["line 7"][1]


def test_every_row_broken_is_an_error_that_says_why(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"no row can be read\. .*line 1: no cscl\.cif .*; and 1 more"):
        load(folder(tmp_path, "cscl,1\na,1\nb,1\nc,1\n"))
    with pytest.raises(DatasetError, match="has a header but no rows"):
        load(folder(tmp_path, "id,kappa\n"))


def test_a_broken_archive_is_an_error(tmp_path: Path) -> None:
    folder(tmp_path, TABLE)
    (tmp_path / "cif.zip").write_bytes(b"PK\x03\x04 cut off")
    with pytest.raises(DatasetError, match=r"cif\.zip: "):
        load(tmp_path)


def test_unknown_name() -> None:
    with pytest.raises(DatasetError, match=r"l97: neither a known dataset \(l96, hh143, .* nor a folder"):
        load("l97")


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty cache."""
    monkeypatch.setenv("PARAISITE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_without_a_mirror(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PARAISITE_MIRROR", raising=False)
    looked = re.escape(str(cache / "datasets" / "l96"))
    remedy = r"run `paraisite data fetch l96`, or name a folder that holds l96/id_prop\.csv and l96/cif\.zip \(--mirror"
    with pytest.raises(DatasetError, match=rf"l96 is not on this machine \(looked for {looked}\); {remedy}"):
        load("Dataset1")
    monkeypatch.setenv("PARAISITE_MIRROR", "")
    with pytest.raises(DatasetError, match=remedy):
        load("mix")


def test_a_mirror_without_the_data(cache: Path, tmp_path: Path) -> None:
    looked = re.escape(f"{tmp_path / 'l96' / 'id_prop.csv'} and {cache / 'datasets' / 'l96'}")
    with pytest.raises(DatasetError, match=rf"looked for {looked}\); run `paraisite data fetch l96`"):
        load("l96", tmp_path)


def test_a_mirror_with_too_few_rows(tmp_path: Path) -> None:
    (tmp_path / "l96").mkdir()
    folder(tmp_path / "l96", TABLE, beside=CIFS)
    with pytest.raises(DatasetError, match="has 3 rows instead of 95; replace it in the mirror"):
        load("l96", tmp_path)


def test_a_mirror_with_other_content(tmp_path: Path) -> None:
    (tmp_path / "l96").mkdir()
    lines = [f"csbr-{i},0.9\n" for i in range(95)]
    folder(tmp_path / "l96", "".join(lines), zipped={f"csbr-{i}": CIFS["csbr"] for i in range(95)})
    with pytest.raises(DatasetError, match=r"not the registered data \(content hash .*expected dc6aae44c398"):
        load("l96", tmp_path)
    assert len(load(tmp_path / "l96")) == 95  # as a folder of one's own it can be read


def test_a_stored_folder(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    data = load(folder(tmp_path / "a", TABLE, beside=CIFS))
    write_dataset(data, tmp_path / "stored")
    for path in (tmp_path / "stored", str(tmp_path / "stored"), tmp_path / "stored" / "dataset.parquet"):
        assert load(path).content_hash == data.content_hash


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "n", "formulas", "first", "kappa"),
    [
        ("l96", 95, 69, "AgBr", 0.5324464372285903),
        ("hh143", 143, 141, "ScSnAu", 7.09),
        ("aflow_agl", 5578, 4890, "AcH2", 6.30193),
    ],
)
def test_named_data_sets(mirror: Path, name: str, n: int, formulas: int, first: str, kappa: float) -> None:
    data = load(name, mirror)
    assert len(data) == n
    assert data.rejections == ()
    assert len(set(data.formulas)) == formulas
    assert sorted(data.formulas[0]) == sorted(first)
    assert data.kappa[0] == kappa
    assert data.provenance == (name,) * n
    assert (data.kappa > 0).all()
    assert set(data.targets) <= set(TARGETS)
    assert data.content_hash == registry()[name].content_hash
    assert data.labels == {"fidelity": (registry()[name].fidelity,) * n}


@pytest.mark.data
def test_mix_is_l96_then_hh143(mirror: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PARAISITE_MIRROR", str(mirror))
    mix, l96, hh143 = load("MIX"), load("Dataset1"), load("Dataset2")
    assert mix.name == "mix"
    assert mix.ids == l96.ids + hh143.ids
    assert mix.part_sizes == (95, 143)
    assert mix.kappa.tolist() == [*l96.kappa, *hh143.kappa]
    assert mix[:95].content_hash == l96.content_hash


@pytest.mark.data
def test_auxiliary_targets_of_aflow(mirror: Path) -> None:
    data = load("AFLOW", mirror)
    columns = registry()["aflow_agl"].units
    assert list(data.targets) == [PER_CELL.get(column, column) for column in columns]
    known = {target: int(np.isfinite(values).sum()) for target, values in data.targets.items()}
    assert known == dict.fromkeys(data.targets, 5578) | {"bulk_modulus_vrh": 4860, "shear_modulus_vrh": 4860}
    # Dulong and Petit: 3 k_B per atom is the limit of every harmonic crystal, and 300 K is close to it.
    heat_capacity = data.targets["heat_capacity_cv_atom"]
    assert np.median(heat_capacity) == pytest.approx(2.85, abs=0.01)
    assert np.sum(heat_capacity > 3) == 2


@pytest.mark.data
@pytest.mark.parametrize("name", ["l96", "hh143", "mix"])
def test_paper_splits_are_those_of_the_study(mirror: Path, name: str) -> None:
    published = json.loads((mirror / "paper_splits.json").read_text())[name]
    data = load(name, mirror)
    assert published["n"] == len(data)
    assert len(published["validation"]) == 9
    for run, validation in published["validation"].items():
        assert paper_split(data.part_sizes, int(run)).validation.tolist() == validation


@pytest.mark.data
def test_paper_split_of_the_aflow_rows(mirror: Path) -> None:
    published = json.loads((mirror / "paper_splits.json").read_text())["aflow_agl_upstream_order"]
    assert published["n"] == registry()["aflow_agl"].rows
    for run, validation in published["validation"].items():
        assert paper_split(published["n"], int(run)).validation.tolist() == validation


@pytest.mark.data
def test_grouped_folds_of_mix_are_balanced(mirror: Path) -> None:
    mix: Dataset = load("mix", mirror)
    sizes = [len(split.validation) for split in grouped_kfold(mix.formulas, 5, 0)]
    assert max(sizes) - min(sizes) <= 1


@pytest.mark.data
def test_registry_agrees_with_the_sources_of_the_mirror(mirror: Path) -> None:
    sources = json.loads((mirror / "SOURCES.json").read_text())
    for card in registry().values():
        for upstream in card.upstream:
            if card.by_hand:  # without checksums, and of several files each
                found = [s for s in sources if s["commit"] in upstream.url and card.name == s["used_by"]]
            else:
                found = [s for s in sources if s.get("sha256") == upstream.sha256 and s["commit"] in upstream.url]
            (source,) = found
            assert upstream.bytes == source.get("bytes")
            assert source["repository"].removeprefix("github.com/") in upstream.url
            if not card.by_hand:
                assert source["path"].removesuffix("/*.cif") in upstream.url
