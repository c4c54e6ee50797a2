"""The frozen sets of phonons: `phonix`, with its labels and suspects, and `phonondb_harmonic`, with its archives."""

from __future__ import annotations

import csv
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

import paraisite.datasets
from paraisite.datasets import Dataset, DatasetError, load, registry
from paraisite.datasets.fetch import fetch
from paraisite.datasets.places import cached_folder

ROOT = Path(__file__).resolve().parents[3]
SUSPECTS = Path(paraisite.datasets.__file__).with_name(registry()["phonix"].suspects)
ABSURD = "Cs2GeF6 Na4IrO4 Ar BI3 BaZnCO3F2 K3Y(BO3)2 Cs2S Ba3Sr4O7 CsTe RbNiCl3 Cs2O YbI2".split()
NAMES = ("phonix", "phonondb_harmonic")


def suspects() -> dict[str, dict[str, str]]:
    with SUSPECTS.open(encoding="utf-8", newline="") as file:
        return {row["id"]: row for row in csv.DictReader(file)}


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache of its own, and no mirror."""
    monkeypatch.delenv("PARAISITE_MIRROR", raising=False)
    monkeypatch.setenv("PARAISITE_CACHE", str(tmp_path / "cache"))


def test_suspects_are_few_and_hold_what_is_known_to_be_absurd() -> None:
    found = suspects()
    assert {row["formula"] for row in found.values()} >= set(ABSURD)
    assert len(found) < 0.01 * registry()["phonix"].rows
    kinds = {"lifetime", "spread", "polymorphs", "coherences", "neighbours"}
    for row in found.values():
        assert row["evidence"]
        assert set(row["evidence"].split()) <= kinds
        assert max(float(row["kappa_W_mK"]), float(row["expected_W_mK"])) > 10 * min(
            float(row["kappa_W_mK"]), float(row["expected_W_mK"])
        )


@pytest.mark.usefixtures("cache")
@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("phonix", r"run `paraisite data query phonix -o phonix_live/` .*or name a folder that holds phonix/id_prop"),
        ("phonondb_harmonic", r"name a folder that holds phonondb_harmonic/id_prop\.csv .*phonondb\.read_archive"),
    ],
)
def test_without_a_mirror(tmp_path: Path, name: str, remedy: str) -> None:
    with pytest.raises(DatasetError, match=rf"{name} is not downloaded from its upstream files; {remedy}"):
        fetch(name)
    with pytest.raises(DatasetError, match=rf"{name} is not on this machine .*{remedy}"):
        load(name)
    with pytest.raises(DatasetError, match=rf"{name}: .*the mirror must hold {name}/id_prop\.csv and [\w/.]*gz|zip$"):
        fetch(name, tmp_path)


@pytest.mark.slow
@pytest.mark.data
@pytest.mark.usefixtures("cache")
@pytest.mark.parametrize("name", NAMES)
def test_fetched_from_a_mirror(mirror: Path, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    expected, card = load(name, mirror), registry()[name]
    fetch(name, mirror)
    found = load(name)
    assert found.content_hash == expected.content_hash == card.content_hash
    assert found.labels == expected.labels
    assert found.ids == expected.ids
    # the flags are those of the installed version, not of the one that filled the cache
    monkeypatch.setitem(registry(), name, card.model_copy(update={"suspects": ""}))
    stored = cached_folder(card)
    fetch(name, mirror, force=True)
    monkeypatch.setitem(registry(), name, card)
    assert "flags" not in load(stored).labels
    assert load(name).labels == expected.labels


@pytest.mark.data
def test_phonix(mirror: Path) -> None:
    data = load("phonix", mirror)
    assert (len(data), data.rejections) == (4784, ())
    assert list(data.targets) == ["kappa", "kappa_particle", "kappa_coherence"]
    assert set(data.labels) == {"structure_source", "label_spread_log10", "fidelity", "flags"}
    assert set(data.labels["fidelity"]) == {"DFT"}
    assert data.labels["structure_source"].count("phonondb2018") == 3921
    assert data.labels["label_spread_log10"][:3] == ("0.0000", "0.0157", "0.0007")
    parts = data.targets["kappa_particle"] + data.targets["kappa_coherence"]
    assert np.sum(np.abs(parts / data.kappa - 1) > 1e-3) < 10


@pytest.mark.data
def test_flags_of_phonix(mirror: Path) -> None:
    data, found = load("phonix", mirror), suspects()
    rows = dict(zip(data.ids, zip(data.formulas, data.kappa, data.labels["flags"], strict=True), strict=True))
    for id_, row in found.items():
        formula, kappa, flags = rows[id_]
        assert (formula, flags) == (row["formula"], row["evidence"])
        assert kappa == pytest.approx(float(row["kappa_W_mK"]), rel=0.01)
    assert sum(map(bool, data.labels["flags"])) == len(found)
    good = [flags for formula, _, flags in rows.values() if formula in ("SiC", "BAs", "BP", "BN", "ZnS")]
    assert len(good) > 30
    assert set(good) == {""}


@pytest.mark.data
def test_a_folder_of_ones_own_keeps_all_columns_of_numbers(mirror: Path) -> None:
    data: Dataset = load(mirror / "phonix")
    assert {"n_sites_primitive", "label_spread_log10"} <= set(data.targets)
    assert data.labels == {}


@pytest.mark.data
def test_phonondb_harmonic(mirror: Path) -> None:
    data = load("phonondb_harmonic", mirror)
    assert len(data) == 4786
    stable = np.array(data.labels["stable"]) == "yes"
    assert stable.sum() == 3962
    known = {target: int(np.isfinite(values).sum()) for target, values in data.targets.items()}
    assert known == dict.fromkeys(data.targets, 3962) | {"sound_transverse": 3959, "optical_min": 3961}
    assert all(np.isnan(values[~stable]).all() for values in data.targets.values())
    assert all((values[np.isfinite(values)] > 0).all() for values in data.targets.values())
    assert data.targets["heat_capacity_cv_atom"][stable].max() < 3  # Dulong and Petit
    ratio = data.targets["sound_longitudinal"] / data.targets["sound_transverse"]
    assert 1.5 < np.nanmedian(ratio) < 2.0
    shared = set(data.ids) & set(load("phonix", mirror).ids)
    assert len(shared) == 3184


@pytest.mark.slow
@pytest.mark.data
def test_archives_of_phonondb(mirror: Path) -> None:
    pytest.importorskip("phonopy", reason="lattice dynamics needs the extra [phonons]")
    from paraisite.datasets.harmonic import harmonic_targets
    from paraisite.datasets.phonondb import read_archive

    archives = sorted((mirror / "phonondb_harmonic" / "archives").glob("*.tar.lzma"))
    if not archives:
        pytest.skip(f"no archives of phononDB in {mirror / 'phonondb_harmonic' / 'archives'}")
    data = load("phonondb_harmonic", mirror)
    with (mirror / "phonondb_harmonic" / "id_prop.csv").open(newline="") as file:
        table = {row["id"]: row for row in csv.DictReader(file)}
    for path in archives:
        crystal, found = read_archive(path.read_bytes(), id=f"mp-{path.name.split('-')[2]}", source=path.name)
        row = data.ids.index(crystal.id)
        np.testing.assert_allclose(crystal.cell, data[row].cell, atol=1e-6)
        np.testing.assert_allclose(crystal.positions, data[row].positions, atol=1e-6)
        np.testing.assert_array_equal(crystal.numbers, data[row].numbers)
        for column, value in found.items():
            assert value == pytest.approx(float(table[crystal.id][column]), rel=1e-3, abs=1e-5), (crystal.id, column)
        expected = {target: values[row] for target, values in data.targets.items()}
        assert harmonic_targets(found) == pytest.approx(expected, rel=1e-3, nan_ok=True)


# --- the rule ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    """tools/make_phonix_suspects.py."""
    pytest.importorskip("sklearn", reason="needs the extra [train]: scikit-learn")
    spec = spec_from_file_location("make_phonix_suspects", ROOT / "tools/make_phonix_suspects.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    __import__("sys").modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


def rows_of(tool: ModuleType, *, kappa: list[float], symbols: list[str], **known: list[float]) -> object:
    """Rows that are expected, and surrounded, at 1 W/m/K."""
    from ase.build import bulk

    from paraisite.crystals import Crystal

    n = len(kappa)
    crystals = tuple(Crystal.from_ase(bulk(s, "rocksalt", a=5.0), id=f"{s}-{i}") for i, s in enumerate(symbols))
    values, share = np.array(kappa), np.array(known.get("share", [0.0] * n))
    labels = {"label_spread_log10": tuple(map(str, known.get("spread", [0.0] * n)))}
    data = Dataset("made", crystals, {"kappa": values, "kappa_coherence": values * share}, ("made",) * n, (), labels)
    zeros, lifetime = np.zeros(n), np.array(known.get("lifetime", [5.0] * n))
    return tool.Rows(data, np.log10(values), zeros, zeros, np.full(n, 2.0), lifetime)


@pytest.mark.parametrize(
    ("kappa", "symbols", "known", "expected"),
    [
        ([9.0], ["NaCl"], {"lifetime": [900.0], "spread": [2.0]}, {}),  # not off by ten
        ([20.0], ["NaCl"], {}, {}),  # off, without other evidence
        ([20.0], ["NaCl"], {"lifetime": [np.nan]}, {}),
        ([20.0], ["NaCl"], {"lifetime": [130.0]}, {0: "lifetime"}),
        ([0.05], ["NaCl"], {"lifetime": [0.05]}, {0: "lifetime"}),
        ([20.0], ["NaCl"], {"spread": [0.6]}, {0: "spread"}),
        ([0.05], ["NaCl"], {"share": [0.6]}, {0: "coherences"}),
        ([20.0], ["NaCl"], {"share": [0.6]}, {}),
        ([40.0], ["NaCl"], {}, {0: "neighbours"}),
        ([40.0, 30.0], ["SiC", "SiC"], {"lifetime": [900.0, 900.0]}, {}),  # they confirm each other
        ([20.0, 1.0], ["SiC", "SiC"], {}, {0: "polymorphs"}),
        ([20.0, 5.0], ["SiC", "SiC"], {}, {}),
        ([20.0, 1.0, 5.0], ["SiC", "SiC", "SiC"], {}, {}),
    ],
)
def test_the_rule(
    tool: ModuleType, kappa: list[float], symbols: list[str], known: dict[str, list[float]], expected: dict[int, str]
) -> None:
    assert tool.suspects(rows_of(tool, kappa=kappa, symbols=symbols, **known)) == expected


def test_a_row_is_not_compared_with_its_own_formula(tool: ModuleType) -> None:
    features = np.random.RandomState(0).normal(size=(40, 3))
    features[1] = features[0]
    formulas = np.array(["A", "A", *(f"B{i}" for i in range(38))])
    kappa = np.zeros(40)
    kappa[:2] = 5.0  # only the other row of A could say so
    assert tool.nearest(features, kappa, formulas)[0] == 0.0
    assert tool.cross_fitted(features, kappa, formulas)[0] == 0.0
