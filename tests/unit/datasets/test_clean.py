from __future__ import annotations

import csv
import itertools
import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml

from paraisite.crystals.crystal import Crystal
from paraisite.crystals.rejection import Rejection
from paraisite.datasets.clean import Cleaning, clean, median_kappa, write_cleaning
from paraisite.datasets.cleaning_rules import Rules, load_rules
from paraisite.datasets.dataset import Dataset
from paraisite.datasets.store import read_dataset
from paraisite.datasets.table import DatasetError
from paraisite.physics.debye import debye_heat_capacity, mean_masses, slack_conductivity

FCC = np.array([[0.0, 0.5, 0.5], [0.5, 0.0, 0.5], [0.5, 0.5, 0.0]])
METALS = {"Li": (3, 3.8), "Na": (11, 4.3), "K": (19, 5.0), "Rb": (37, 5.3), "Cs": (55, 5.7), "Mg": (12, 4.1)}
METALS |= {"Ca": (20, 4.7), "Sr": (38, 5.1), "Ba": (56, 5.5), "Cd": (48, 4.6), "Zn": (30, 4.2), "Mn": (25, 4.4)}
ANIONS = {"F": (9, 0.5), "Cl": (17, 1.3), "Br": (35, 1.5), "I": (53, 1.8)}


def rocksalts() -> list[Crystal]:
    """48 made-up crystals of sensible sizes."""
    return [
        Crystal((radius + more) * FCC, np.array([z, x]), np.array([[0.0] * 3, [0.5] * 3]), id=metal + anion)
        for (metal, (z, radius)), (anion, (x, more)) in itertools.product(METALS.items(), ANIONS.items())
    ]


def dataset(crystals: list[Crystal] | None = None, **targets: object) -> Dataset:
    """Conductivities that follow from the mass and the size, with 10 % of noise."""
    crystals = crystals or rocksalts()
    noise = np.random.default_rng(0).normal(0, 0.04, len(crystals))
    mass = mean_masses(crystals)
    size = np.array([crystal.volume / crystal.n_sites for crystal in crystals])
    kappa = 10 ** (5.0 - mass**0.1 - 2.0 * np.log10(size) + noise)
    return Dataset("salts", tuple(crystals), {"kappa": kappa} | targets, ("salts",) * len(crystals))  # type: ignore[dict-item]


def agl_dataset() -> Dataset:
    """The same crystals with numbers that obey AGL's equations."""
    crystals = rocksalts()
    random = np.random.default_rng(1)
    mass, volume = mean_masses(crystals), np.array([crystal.volume for crystal in crystals])
    debye = 9e3 * mass**-0.5 * volume**-0.4 * random.uniform(0.95, 1.05, len(crystals))
    gruneisen = random.uniform(1.9, 2.1, len(crystals))
    kappa = slack_conductivity(debye, gruneisen, mass, volume, np.full(len(crystals), 2))
    heat = debye_heat_capacity(debye)
    columns = {"debye_temperature": debye, "gruneisen": gruneisen, "heat_capacity_cv_atom": heat}
    columns |= {"bulk_modulus_static": np.full(len(crystals), 50.0)}
    return dataset(crystals, kappa=kappa, **columns)


def spoilt(data: Dataset, target: str, row: int, value: float) -> Dataset:
    values = data.targets[target].copy()
    values[row] = value
    return replace(data, targets=data.targets | {target: values})


def doubts(cleaning: Cleaning) -> dict[str, tuple[str, ...]]:
    """Fate and rules of every row that is not kept."""
    return {row.id: (row.fate, *row.rules) for row in cleaning.rows if row.fate != "kept"}


def test_good_rows_stay_as_they_are() -> None:
    for data in (dataset(), agl_dataset()):
        cleaning = clean(data)
        assert doubts(cleaning) == {}
        assert cleaning.dataset.content_hash == data.content_hash
        assert set(cleaning.dataset.labels["flags"]) == {""}
        assert cleaning.summary["notes"] == []


IMPOSSIBLE: list[tuple[str, float, str]] = [
    ("kappa", 0.0, "kappa"),
    ("kappa", -1.0, "kappa"),
    ("kappa", np.inf, "kappa"),
    ("kappa", 3501.0, "kappa"),
    ("kappa", 9e-4, "kappa"),
    ("heat_capacity_cv_atom", 3.01, "heat_capacity"),
    ("bulk_modulus_static", 0.0, "bulk_modulus"),
    ("bulk_modulus_static", -3.0, "bulk_modulus"),
    ("debye_temperature", 0.0, "debye_temperature"),
    ("gruneisen", 0.0021, "gruneisen"),
]


@pytest.mark.parametrize(("target", "value", "rule"), IMPOSSIBLE)
def test_impossible_numbers_are_dropped(target: str, value: float, rule: str) -> None:
    data = spoilt(agl_dataset(), target, 7, value)
    id_ = data.ids[7]
    cleaning = clean(data)
    assert doubts(cleaning) == {id_: ("dropped", rule)}
    assert f"{value:.4g}" in cleaning.rows[7].reasons[0]
    assert cleaning.dataset.ids == tuple(other for other in data.ids if other != id_)
    kept = clean(data, keep_all=True)
    assert doubts(kept) == {id_: ("flagged", rule)}
    assert kept.dataset.content_hash == data.content_hash
    assert kept.dataset.labels["flags"][7] == rule
    assert kept.rows[7].reasons[-1] == "would be dropped without keep-all"


def test_numbers_at_the_limit_stay() -> None:
    data = spoilt(agl_dataset(), "heat_capacity_cv_atom", 7, 3.0)
    assert "heat_capacity" not in clean(data).rows[7].rules
    data = spoilt(agl_dataset(), "gruneisen", 7, 0.26)
    assert clean(data).rows[7].rules[0] == "low_gruneisen"


def test_a_missing_kappa_is_no_fault_where_something_else_is_known() -> None:
    assert doubts(clean(spoilt(agl_dataset(), "kappa", 7, np.nan))) == {}
    data = spoilt(dataset(), "kappa", 7, np.nan)
    assert doubts(clean(data)) == {data.ids[7]: ("dropped", "kappa")}


def test_overlapping_sites() -> None:
    data = dataset()
    # Na and Cl 1.2 Å apart: their covalent radii are 1.66 and 1.02 Å
    crystal = replace(data.crystals[5], positions=np.array([[0.0] * 3, [0.11, 0.11, 0.11]]))
    crystals = (*data.crystals[:5], crystal, *data.crystals[6:])
    cleaning = clean(replace(data, crystals=crystals))
    assert cleaning.rows[5].fate == "dropped"
    assert re.fullmatch(r"(Na and Cl|Cl and Na) \d\.\d+ Å apart, 0\.\d+ of .* radii", cleaning.rows[5].reasons[0])
    assert [row.id for row in cleaning.rows if row.fate == "dropped"] == ["NaCl"]


def test_agl_equation_and_heat_capacity() -> None:
    data = agl_dataset()
    for row, (target, factor) in {5: ("kappa", 4 ** (2 / 3)), 9: ("heat_capacity_cv_atom", 0.25)}.items():
        data = spoilt(data, target, row, data.targets[target][row] * factor)
    cleaning = clean(data, Rules(outlier={"action": "off"}, units={"action": "off"}))
    found = doubts(cleaning)
    assert found == {data.ids[5]: ("flagged", "agl_equation"), data.ids[9]: ("flagged", "agl_heat_capacity")}
    assert "this corresponds to 0.5 sites, the crystal has 2" in cleaning.rows[5].reasons[0]


def test_agl_rules_leave_other_data_alone() -> None:
    data = agl_dataset()
    shaken = data.kappa * 10 ** np.random.default_rng(2).normal(0, 0.3, len(data))
    data = replace(data, targets=data.targets | {"kappa": shaken})
    data = spoilt(data, "heat_capacity_cv_atom", 9, 0.7)
    rules = {rule for row in clean(data).rows for rule in row.rules}
    assert not rules & {"agl_equation", "agl_heat_capacity", "agl_supercell"}


def test_agl_value_of_a_repeated_cell() -> None:
    data = agl_dataset()
    small = data.crystals[5]
    doubled = Crystal(
        small.cell * [[2], [1], [1]],
        small.numbers.repeat(2),
        np.array([[0, 0, 0], [0.5, 0, 0], [0.25, 0.5, 0.5], [0.75, 0.5, 0.5]]),
        "NaCl2",
    )
    crystals = (*data.crystals[:5], doubled, *data.crystals[6:])
    low = spoilt(replace(data, crystals=crystals), "kappa", 5, data.kappa[5] / 2 ** (2 / 3))
    cleaning = clean(low)
    assert doubts(cleaning) == {"NaCl2": ("flagged", "agl_supercell")}
    assert cleaning.rows[5].reasons == ["kappa corresponds to 4 sites, the primitive cell has 2: 1.59 times too low"]
    # the value of the small cell, though the crystal is written with the large one: the cell is wrong, not the value
    right = clean(replace(data, crystals=crystals))
    assert doubts(right) == {"NaCl2": ("flagged", "agl_equation")}


@pytest.mark.parametrize("factor", [100, 0.01, 1000, 0.001])
def test_wrong_units(factor: float) -> None:
    data = dataset()
    rows = [6, 20, 33]
    for row in rows:
        data = spoilt(data, "kappa", row, data.kappa[row] * factor)
    cleaning = clean(data)
    impossible = [row for row in rows if data.kappa[row] > 3500]
    assert len(impossible) == (2 if factor == 1000 else 0)
    found = {row.id: row for row in cleaning.rows if {"units", "kappa"} & set(row.rules)}
    assert found.keys() == {data.ids[row] for row in rows}
    for row in rows:
        account = found[data.ids[row]]
        if row in impossible:
            assert (account.fate, account.rules) == ("dropped", ["kappa"])
            assert "solids have 0.001 to 3500: check its unit" in account.reasons[0]
        else:
            assert (account.fate, account.rules[0]) == ("flagged", "units")
            assert f"about 10^{round(np.log10(factor))} times" in account.reasons[0]
    assert len(cleaning.dataset) == len(data) - len(impossible)


def test_outliers() -> None:
    data = dataset()
    data = spoilt(data, "kappa", 11, data.kappa[11] * 14)
    cleaning = clean(data)
    assert doubts(cleaning) == {data.ids[11]: ("flagged", "outlier")}
    assert cleaning.dataset.labels["flags"][11] == "outlier"
    assert doubts(clean(data, Rules(outlier={"action": "drop"}))) == {data.ids[11]: ("dropped", "outlier")}
    assert doubts(clean(data, Rules(outlier={"dex": 1.5}))) == {}


def test_too_few_rows_for_a_fit() -> None:
    data = dataset().take(range(20))
    cleaning = clean(spoilt(data, "kappa", 3, 3000.0))
    assert doubts(cleaning) == {data.ids[3]: ("flagged", "units")}
    assert "expected by composition and volume" in cleaning.rows[3].reasons[0]
    assert doubts(clean(data)) == {}
    assert doubts(clean(spoilt(data, "kappa", 3, 1e6))) == {data.ids[3]: ("dropped", "kappa")}
    assert cleaning.summary["notes"] == ["rule outlier skipped: 20 rows with kappa, 40 needed; units checked by a fit"]


def test_no_conductivities() -> None:
    data = dataset()
    moduli = replace(data, targets={"bulk_modulus_vrh": np.linspace(-1, 100, len(data))})
    assert doubts(clean(moduli)) == {data.ids[0]: ("dropped", "bulk_modulus")}
    bare = replace(data, targets={})
    assert doubts(clean(bare)) == {}


def repeated(factors: dict[str, float], **targets: object) -> Dataset:
    """The crystals of `dataset`, NaCl again for each factor on its kappa."""
    data = dataset()
    salt = data.ids.index("NaCl")
    again = [replace(data.crystals[salt], cell=data.crystals[salt].cell * 1.001, id=id_) for id_ in factors]
    kappa = np.concatenate([data.kappa, data.kappa[salt] * np.array(list(factors.values()))])
    return dataset([*data.crystals, *again], kappa=kappa, **targets)


def test_duplicates_become_their_median() -> None:
    data = repeated({"two": 1.1, "three": 1.2, "four": 0.9})
    cleaning = clean(data)
    base = data.kappa[data.ids.index("NaCl")]
    assert len(cleaning.dataset) == len(data) - 3
    merged = {row.id for row in cleaning.rows if row.fate == "merged"}
    assert merged == {"two", "three", "four"}  # of four, the lower of the middle two stands for all
    row = cleaning.dataset.ids.index("NaCl")
    assert cleaning.dataset.kappa[row] == pytest.approx(base * 1.1**0.5)
    assert cleaning.dataset.labels["merged_from"][row] == "two three four"
    assert float(cleaning.dataset.labels["kappa_spread_log10"][row]) == pytest.approx(np.log10(1.2 / 0.9), abs=1e-4)
    assert doubts(clean(data, Rules(duplicates={"action": "off"}))) == {}
    kept = clean(data, keep_all=True)
    assert kept.dataset.content_hash == data.content_hash
    assert set(doubts(kept).values()) == {("flagged", "duplicates")}


def test_all_targets_get_their_median() -> None:
    modulus = np.append(np.full(48, 20.0), [26.0, np.nan])
    cleaning = clean(repeated({"two": 1.1, "three": 1.2}, bulk_modulus_vrh=modulus))
    row = cleaning.dataset.ids.index("two")
    assert cleaning.dataset.targets["bulk_modulus_vrh"][row] == 23.0


def test_a_row_without_kappa_does_not_stand_for_one_that_has_it() -> None:
    modulus = np.append(np.full(48, np.nan), [26.0])
    data = repeated({"bare": np.nan}, bulk_modulus_vrh=modulus)
    doubtful = np.full(49, 2.0)
    doubtful[data.ids.index("NaCl")] = 0.5  # flagged
    cleaning = clean(replace(data, targets=data.targets | {"gruneisen": doubtful}))
    row = cleaning.dataset.ids.index("NaCl")
    assert cleaning.dataset.kappa[row] == data.kappa[row]
    assert cleaning.dataset.labels["flags"][row] == "low_gruneisen"
    assert cleaning.dataset.targets["bulk_modulus_vrh"][row] == 26.0


def test_conflicting_labels() -> None:
    data = repeated({"two": 2.5, "three": 1.05})
    cleaning = clean(data)
    row = cleaning.dataset.ids.index("three")
    assert cleaning.dataset.labels["flags"][row] == "conflict"
    assert cleaning.dataset.kappa[row] == data.kappa[-1]
    found = next(row for row in cleaning.rows if row.id == "three")
    assert found.fate == "flagged"
    assert "spreads by 0.40 in log10: NaCl" in found.reasons[-1]
    assert len(clean(data, Rules(conflict={"action": "drop"})).dataset) == 47
    assert "conflict" not in clean(data, Rules(conflict={"dex": 0.5})).dataset.labels["flags"]


def test_doubted_values_do_not_enter_the_median() -> None:
    data = repeated({"two": 1.1, "wrong": 200.0})
    cleaning = clean(data)
    row = cleaning.dataset.ids.index("NaCl")
    assert cleaning.dataset.kappa[row] == pytest.approx(data.kappa[row] * 1.1**0.5)
    assert cleaning.dataset.labels["flags"][row] == ""
    wrong = next(row for row in cleaning.rows if row.id == "wrong")
    assert wrong.fate == "merged"
    assert wrong.rules == ["units", "outlier", "duplicates"]


def test_what_a_doubted_row_knows_of_other_targets_enters_where_no_other_does() -> None:
    data = repeated({"bare": np.nan, "wrong": 200.0})
    salt = data.ids.index("NaCl")
    columns = {
        name: np.full(len(data), np.nan) for name in ("bulk_modulus_vrh", "shear_modulus_vrh", "thermal_expansion")
    }
    columns["bulk_modulus_vrh"][[salt, -2, -1]] = 20.0, 26.0, 500.0  # the row without kappa has its say
    columns["shear_modulus_vrh"][[-2, -1]] = 10.0, 500.0
    columns["thermal_expansion"][-2] = 4.0
    cleaning = clean(replace(data, targets=data.targets | columns))
    row = cleaning.dataset.ids.index("NaCl")
    merged = {name: cleaning.dataset.targets[name][row] for name in columns}
    assert merged == {"bulk_modulus_vrh": 23.0, "shear_modulus_vrh": 10.0, "thermal_expansion": 4.0}
    doubted = clean(repeated({"wrong": 200.0}, bulk_modulus_vrh=np.append(np.full(48, np.nan), 30.0)))
    assert np.isnan(doubted.dataset.targets["bulk_modulus_vrh"][row])


@pytest.mark.parametrize("kappa", [5.0, np.nan])
def test_the_order_of_the_rows_does_not_matter(kappa: float) -> None:
    data = repeated({"two": 1.0, "three": 1.0, "four": 1.0})
    same = [i for i, formula in enumerate(data.formulas) if formula == "NaCl"]
    crystals = list(data.crystals)
    for n, i in enumerate(same):
        crystals[i] = replace(crystals[i], cell=crystals[i].cell * (1 + 1e-4 * n))
    values = data.kappa.copy()
    values[same] = kappa
    data = replace(
        data, crystals=tuple(crystals), targets={"kappa": values, "bulk_modulus_vrh": np.full(len(data), 20.0)}
    )
    chosen = {
        next(row.id for row in clean(data.take(order)).rows if row.formula == "NaCl" and row.fate == "kept")
        for order in (range(len(data)), range(len(data))[::-1], np.random.default_rng(0).permutation(len(data)))
    }
    assert len(chosen) == 1


def test_processes_and_repetition_do_not_matter() -> None:
    data = repeated({"two": 1.1, "three": 2.5, "wrong": 200.0})
    first, second = clean(data), clean(data, workers=2)
    assert first.dataset.content_hash == second.dataset.content_hash
    assert first.rows == second.rows
    again = clean(first.dataset)  # a clean dataset stays clean, its flags stay
    assert again.dataset.content_hash == first.dataset.content_hash
    assert again.dataset.labels["flags"] == first.dataset.labels["flags"]


def test_median_of_conductivities() -> None:
    assert median_kappa([4.0, 1.0, 100.0]) == 4.0
    assert median_kappa([4.0, 1.0, 100.0, 9.0]) == 6.0
    assert median_kappa([4.0, np.nan, -1.0, np.inf]) == 4.0
    assert np.isnan(median_kappa([np.nan, 0.0]))


def test_every_row_is_accounted_for(tmp_path: Path) -> None:
    data = replace(
        spoilt(repeated({"two": 1.1, "wrong": 200.0}), "kappa", 3, -1.0),
        rejections=(Rejection(id="gone", source="id_prop.csv::line 9", reason="no gone.cif; add the file"),),
    )
    cleaning = clean(data)
    assert write_cleaning(cleaning, tmp_path / "out") == tmp_path / "out"
    with (tmp_path / "out" / "cleaning.csv").open(newline="", encoding="utf-8") as file:
        lines = list(csv.DictReader(file))
    assert [line["id"] for line in lines] == [*data.ids, "gone"]
    assert {line["action"] for line in lines} == {"kept", "merged", "dropped"}
    assert all(line["reason"] for line in lines if line["action"] != "kept")
    assert lines[-1]["rule"] == "unreadable"
    assert "line 9" in lines[-1]["reason"]
    summary = json.loads((tmp_path / "out" / "cleaning.json").read_text())
    assert summary["rows"] == {"before": len(lines), "after": len(cleaning.dataset)}
    assert sum(summary["fates"].values()) == len(lines)
    for fate, n in summary["fates"].items():
        assert n == sum(line["action"] == fate for line in lines)
    assert summary["rules"]["unreadable"] == {"dropped": 1}
    assert summary["thresholds"]["heat_capacity"] == {"action": "drop", "limit": 3.0}
    stored = read_dataset(tmp_path / "out")
    assert stored.content_hash == cleaning.dataset.content_hash == summary["content_hash"]["after"]
    assert stored.labels == cleaning.dataset.labels
    assert stored.rejections == data.rejections


@pytest.fixture
def rules_file(tmp_path: Path) -> Callable[[str], Path]:
    def write(text: str) -> Path:
        (tmp_path / "rules.yml").write_text(text)
        return tmp_path / "rules.yml"

    return write


def test_rules_from_a_file(rules_file: Callable[[str], Path]) -> None:
    rules = load_rules(rules_file("outlier: {sigma: 5}\nduplicates: {action: flag}\n"))
    assert rules == Rules(outlier={"sigma": 5}, duplicates={"action": "flag"})
    assert load_rules(rules_file("# nothing\n")) == Rules()
    assert load_rules(rules_file("units: {action: off}\n")).units.action == "off"  # which YAML reads as false


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("outliers: {}", "outliers: Extra inputs .* the rules are kappa, heat_capacity"),
        ("outlier: {sigma: -1}", "outlier.sigma: Input should be greater than 0"),
        ("kappa: {action: delete}", "kappa.action: Input should be 'drop', 'flag' or 'off'"),
        ("- a\n- b", "not a mapping .* the keys are kappa, heat_capacity"),
        ("a: [", "not valid YAML"),
    ],
)
def test_wrong_rules_are_named(rules_file: Callable[[str], Path], text: str, message: str) -> None:
    with pytest.raises(DatasetError, match=rf"rules\.yml: {message}"):
        load_rules(rules_file(text))


def test_rules_file_must_exist(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="cannot be read"):
        load_rules(tmp_path / "none.yml")


def test_the_page_shows_the_defaults() -> None:
    page = (Path(__file__).resolve().parents[3] / "docs" / "cleaning.md").read_text(encoding="utf-8")
    shown = re.search(r"```yaml\n(.*?)```", page, re.DOTALL)
    assert shown is not None
    assert yaml.safe_load(shown[1]) == Rules().model_dump(mode="json")
