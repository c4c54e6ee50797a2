from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from paraisite.crystals.crystal import Crystal
from paraisite.crystals.rejection import Rejection
from paraisite.datasets import Dataset, concat, join


def rocksalt(first: int, second: int, a: float, id_: str) -> Crystal:
    cell = a / 2 * np.array([[0.0, 1, 1], [1, 0, 1], [1, 1, 0]])
    return Crystal(cell=cell, numbers=np.array([first, second]), positions=np.array([[0.0] * 3, [0.5] * 3]), id=id_)


CRYSTALS = (rocksalt(12, 8, 4.212, "MgO"), rocksalt(11, 17, 5.640, "NaCl"), rocksalt(82, 52, 6.462, "PbTe"))


def dataset(**changes: object) -> Dataset:
    fields = {
        "name": "three",
        "crystals": CRYSTALS,
        "targets": {"kappa": [60.0, 7.1, 2.2], "bulk_modulus_vrh": [160.0, np.nan, 40.0]},
        "provenance": ("a", "a", "b"),
        "rejections": (Rejection(id="x", source="id_prop.csv::line 4", reason="broken"),),
    }
    return Dataset(**(fields | changes))  # type: ignore[arg-type]


def test_properties() -> None:
    data = dataset()
    assert len(data) == 3
    assert data.ids == ("MgO", "NaCl", "PbTe")
    assert data.formulas == ("MgO", "NaCl", "TePb")
    assert data.part_sizes == (2, 1)
    assert data.kappa.tolist() == [60.0, 7.1, 2.2]


def test_take_keeps_rows_together() -> None:
    taken = dataset().take([2, 0, 2])
    assert taken.ids == ("PbTe", "MgO", "PbTe")
    assert taken.kappa.tolist() == [2.2, 60.0, 2.2]
    assert taken.targets["bulk_modulus_vrh"].tolist() == [40.0, 160.0, 40.0]
    assert taken.provenance == ("b", "a", "b")


def test_indexing() -> None:
    data = dataset()
    assert data[1] is CRYSTALS[1]
    assert data[-1] is CRYSTALS[2]
    assert data[1:].ids == ("NaCl", "PbTe")
    assert data[np.array([1])].ids == ("NaCl",)
    assert data[data.kappa > 5].ids == ("MgO", "NaCl")
    assert len(data[[]]) == 0
    assert [crystal.id for crystal in data] == list(data.ids)
    with pytest.raises(IndexError):
        data.take([3])


def test_targets_are_copied_and_frozen() -> None:
    kappa = np.array([1.0, 2.0, 3.0])
    data = dataset(targets={"kappa": kappa})
    kappa[0] = 100
    assert data.kappa[0] == 1
    with pytest.raises(ValueError, match="read-only"):
        data.kappa[0] = 2


def test_lengths_must_agree() -> None:
    with pytest.raises(ValueError, match=r"target 'kappa' has shape \(2,\), not \(3,\)"):
        dataset(targets={"kappa": [1.0, 2.0]})
    with pytest.raises(ValueError, match=r"1 entries of .provenance. for 3 crystals"):
        dataset(provenance=("a",))


def test_concat() -> None:
    other = dataset(targets={"kappa": [1.0, 2.0, 3.0], "gruneisen": [1.5, 1.6, 1.7]}, provenance=("c",) * 3)
    both = concat([dataset(), other], "both")
    assert both.name == "both"
    assert both.ids == ("MgO", "NaCl", "PbTe") * 2
    assert both.kappa.tolist() == [60.0, 7.1, 2.2, 1, 2, 3]
    assert np.isnan(both.targets["gruneisen"]).tolist() == [True] * 3 + [False] * 3
    assert np.isnan(both.targets["bulk_modulus_vrh"]).tolist() == [False, True, False, True, True, True]
    assert both.part_sizes == (2, 1, 3)
    assert len(both.rejections) == 2
    with pytest.raises(ValueError, match="no datasets"):
        concat([], "none")


def moved(crystal: Crystal, **changes: object) -> Crystal:
    fields = {"cell": crystal.cell, "numbers": crystal.numbers, "positions": crystal.positions, "id": crystal.id}
    return Crystal(**(fields | changes))  # type: ignore[arg-type]


@given(st.integers(0, 2), st.floats(-1e-7, 1e-7))
def test_content_hash_ignores_names_and_noise(row: int, noise: float) -> None:
    crystals = list(CRYSTALS)
    noisy = moved(crystals[row], positions=crystals[row].positions + noise, cell=crystals[row].cell + noise, id="other")
    crystals[row] = noisy
    same = dataset(name="other", crystals=tuple(crystals), provenance=("x",) * 3, rejections=())
    assert same.content_hash == dataset().content_hash


@pytest.mark.parametrize(
    "changes",
    [
        {"crystals": CRYSTALS[::-1]},
        {"crystals": (moved(CRYSTALS[0], numbers=np.array([20, 8])), *CRYSTALS[1:])},
        {"crystals": (moved(CRYSTALS[0], cell=CRYSTALS[0].cell * 1.00001), *CRYSTALS[1:])},
        {"crystals": (moved(CRYSTALS[0], positions=CRYSTALS[0].positions + 1e-5), *CRYSTALS[1:])},
        {"targets": {"kappa": [60.0, 7.1, 2.2000001], "bulk_modulus_vrh": [160.0, np.nan, 40.0]}},
        {"targets": {"kappa": [60.0, 7.1, 2.2], "bulk_modulus_vrh": [160.0, 25.0, 40.0]}},
        {"targets": {"kappa": [60.0, 7.1, 2.2], "bulk_modulus_static": [160.0, np.nan, 40.0]}},
        {"targets": {"kappa": [60.0, 7.1, 2.2]}},
    ],
)
def test_content_hash_sees_content(changes: dict[str, object]) -> None:
    assert dataset(**changes).content_hash != dataset().content_hash


def test_content_hash_knows_one_zero_and_one_nan() -> None:
    other_nan = np.array([0x7FF8000000000001], dtype=np.uint64).view(np.float64)[0]
    crystal = (CRYSTALS[0],)
    one = Dataset("one", crystal, {"kappa": np.array([np.nan]), "x": np.array([0.0])}, ("a",))
    other = Dataset("other", crystal, {"x": np.array([-0.0]), "kappa": np.array([other_nan])}, ("a",))
    assert one.content_hash == other.content_hash


def test_content_hash_is_that_of_every_other_process() -> None:
    code = (
        "import numpy as np; from paraisite.crystals.crystal import Crystal; from paraisite.datasets import Dataset;"
        "c = Crystal(4.0 * np.eye(3), np.array([55, 17]), np.array([[0, 0, 0], [0.5, 0.5, 0.5]]));"
        "print(Dataset('d', (c,), {'kappa': np.array([1.0]), 'a': np.array([np.nan])}, ('d',)).content_hash)"
    )
    printed = [
        subprocess.run(
            [sys.executable, "-c", code], env={"PYTHONHASHSEED": seed}, capture_output=True, text=True, check=True
        ).stdout.strip()
        for seed in ("1", "2")
    ]
    assert printed == ["869d0fc47f8b350c25f6ca2c4214ba02eca6d800f8aec4bb141c4240ae9143d3"] * 2


# --- join ------------------------------------------------------------------------------------------------------------


def other(**changes: object) -> Dataset:
    """Two of the three compounds with other cells, and one of an id that another compound has there."""
    fields = {
        "name": "other",
        "crystals": (
            rocksalt(11, 17, 5.58, "NaCl"), rocksalt(20, 8, 4.81, "MgO"), rocksalt(82, 52, 6.5, "PbTe"),
            rocksalt(19, 17, 6.3, "KCl"),
        ),
        "targets": {"kappa": [6.0, 20.0, np.nan, 7.0], "debye_temperature": [321.0, 650.0, 130.0, 235.0]},
        "provenance": ("other",) * 4,
        "rejections": (Rejection(id="y", source="id_prop.csv::line 7", reason="no cell"),),
        "labels": {"fidelity": ("dft",) * 4, "flags": ("", "doubtful", "wild", "")},
    }  # fmt: skip
    return Dataset(**(fields | changes))  # type: ignore[arg-type]


def test_rows_of_one_id_and_formula_become_one() -> None:
    first, second = dataset(targets={"kappa": [60.0, 7.1, np.nan], "bulk_modulus_vrh": [160.0, np.nan, 40.0]}), other()
    made = join([first, second], "both")
    assert made.name == "both"
    assert made.ids == ("MgO", "NaCl", "PbTe", "MgO", "KCl")
    assert made.formulas == ("MgO", "NaCl", "TePb", "CaO", "KCl")  # one id, two compounds: two rows
    assert made.crystals[:3] == first.crystals
    assert made.crystals[3:] == (second.crystals[1], second.crystals[3])
    assert made.provenance == ("a", "a", "b", "other", "other")
    # of the first that knows: 7.1 stays, what nobody knows stays unknown
    np.testing.assert_array_equal(made.kappa, [60.0, 7.1, np.nan, 20.0, 7.0])
    np.testing.assert_array_equal(made.targets["bulk_modulus_vrh"], [160.0, np.nan, 40.0, np.nan, np.nan])
    np.testing.assert_array_equal(made.targets["debye_temperature"], [np.nan, 321.0, 130.0, 650.0, 235.0])
    assert made.labels["fidelity"] == ("", "", "", "dft", "dft")
    assert made.labels["flags"] == ("", "", "", "doubtful", "")
    assert made.rejections == (*first.rejections, *second.rejections)


def test_an_unknown_value_of_the_first_is_that_of_the_second() -> None:
    made = join([other(), dataset()], "both")
    assert made.ids == ("NaCl", "MgO", "PbTe", "KCl", "MgO")
    np.testing.assert_array_equal(made.kappa, [6.0, 20.0, 2.2, 7.0, 60.0])
    assert made.labels["flags"] == ("", "doubtful", "wild", "", "")  # a flagged row stays flagged


def test_three_data_sets_of_which_the_second_knows() -> None:
    crystals, where = CRYSTALS[:1], ("x",)
    parts = [
        Dataset("x", crystals, {"kappa": np.array([np.nan])}, where),
        Dataset("y", crystals, {"kappa": np.array([5.0])}, ("y",)),
        Dataset("z", crystals, {"kappa": np.array([6.0]), "gruneisen": np.array([1.5])}, ("z",)),
    ]
    made = join(parts, "all")
    assert (made.kappa.tolist(), made.targets["gruneisen"].tolist(), made.provenance) == ([5.0], [1.5], where)


def test_a_data_set_that_repeats_its_ids_keeps_the_rows() -> None:
    twice = dataset().take([0, 1, 0])
    for made in (join([twice], "one"), join([twice, other()], "both")):
        assert made.ids[:3] == ("MgO", "NaCl", "MgO")
        assert made.kappa[:3].tolist() == [60.0, 7.1, 60.0]
    assert len(join([other(), other().take([3, 3])], "both")) == 4  # both repeats are of the row that is there


def test_folders_of_one_name_are_joined_too() -> None:
    """Provenance says the name of a dataset, and two folders may have one."""
    a, b = (Dataset("data", CRYSTALS, {t: np.full(3, 1.0)}, ("data",) * 3) for t in ("kappa", "gruneisen"))
    made = join([a, b], "data + data")
    assert len(made) == 3
    assert made.targets["gruneisen"].tolist() == [1.0] * 3


def test_joined_with_nothing_in_common_they_are_put_together() -> None:
    a, b = dataset(), other().take([1, 3])
    made, expected = join([a, b], "both"), concat([a, b], "both")
    assert made.content_hash == expected.content_hash
    assert (made.ids, made.provenance, made.labels) == (expected.ids, expected.provenance, expected.labels)
    with pytest.raises(ValueError, match="no datasets"):
        join([], "none")
