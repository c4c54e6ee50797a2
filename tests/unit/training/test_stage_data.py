"""The data of a stage, from what the recipe says."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from paraisite.crystals.crystal import Crystal
from paraisite.datasets import Dataset, load
from paraisite.datasets.store import write_dataset
from paraisite.model.descriptors import width
from paraisite.training.recipe import Recipe, RecipeError
from paraisite.training.stage_data import DOMAIN, StageSet, masks_without_flagged, read_stages, usable

FCC = np.array([[0.0, 0.5, 0.5], [0.5, 0.0, 0.5], [0.5, 0.5, 0.0]])


def rocksalt(first: int, second: int, a: float) -> Crystal:
    return Crystal(a * FCC, np.array([first, second]), np.array([[0.0] * 3, [0.5] * 3]), id=f"{first}-{second}")


CRYSTALS = (rocksalt(12, 8, 4.21), rocksalt(11, 17, 5.64), rocksalt(19, 17, 6.29), rocksalt(82, 52, 6.46))


def dataset(**targets: list[float]) -> Dataset:
    values = {name: np.array(column) for name, column in targets.items()}
    return Dataset("made", CRYSTALS, values, ("made",) * 4)


def recipe(*stages: dict[str, object], **changes: object) -> Recipe:
    numbered = [{"name": f"s{i}", **stage} for i, stage in enumerate(stages or ({"dataset": "made"},))]
    return Recipe.model_validate({"name": "x", "stages": numbered, **changes})


SHARE = {"kappa": {}, "coherence_share": {"transform": "logit"}}


def test_the_coherence_share_is_made_of_the_two_conductivities() -> None:
    data = dataset(kappa_particle=[3.0, 0.0, np.nan, 1.0], kappa_coherence=[1.0, 2.0, 1.0, 0.0])
    asked = recipe(targets=SHARE)
    found = usable(data, "coherence_share", asked)
    np.testing.assert_allclose(found, [0.25, np.nan, np.nan, np.nan])  # 1, unknown and 0 have no logit
    nothing = usable(dataset(kappa_particle=[0.0] * 4, kappa_coherence=[0.0] * 4), "coherence_share", asked)
    assert np.isnan(nothing).all()


def test_a_coherence_share_of_the_table_serves_as_well() -> None:
    found = usable(dataset(coherence_share=[0.2, 0.0, 1.0, np.nan]), "coherence_share", recipe(targets=SHARE))
    np.testing.assert_array_equal(found, [0.2, np.nan, np.nan, np.nan])


@pytest.mark.parametrize(
    ("transform", "values", "expected"),
    [
        ("identity", [-2.0, 0.0, np.inf, np.nan], [-2.0, 0.0, np.nan, np.nan]),
        ("log10", [-2.0, 0.0, 5.0, np.inf], [np.nan, np.nan, 5.0, np.nan]),
        ("log10p1", [-1.0, -0.5, 0.0, np.nan], [np.nan, -0.5, 0.0, np.nan]),
        ("logit", [0.0, 0.5, 1.0, 2.0], [np.nan, 0.5, np.nan, np.nan]),
    ],
)
def test_values_outside_the_domain_are_unknown(transform: str, values: list[float], expected: list[float]) -> None:
    assert transform in DOMAIN
    asked = recipe(targets={"kappa": {}, "y": {"transform": transform}})
    np.testing.assert_array_equal(usable(dataset(y=values), "y", asked), expected)


def test_a_target_that_is_not_there_is_named() -> None:
    with pytest.raises(RecipeError, match="made has no target gruneisen; it has kappa"):
        usable(dataset(kappa=[1.0] * 4), "gruneisen", recipe(targets={"kappa": {}, "gruneisen": {}}))
    with pytest.raises(RecipeError, match="no target coherence_share"):
        usable(dataset(kappa_particle=[1.0] * 4), "coherence_share", recipe(targets=SHARE))


def test_flagged_rows_of_those_with_a_graph() -> None:
    alone = Crystal(20 * np.eye(3), np.array([18]), np.zeros((1, 3)), id="alone")
    data = Dataset(
        "made",
        (CRYSTALS[0], alone, *CRYSTALS[1:3]),
        {"kappa": np.ones(4)},
        ("made",) * 4,
        labels={"flags": ("", "alone", "doubtful", "")},
    )
    part = StageSet(data, environment=True)
    assert part.kept.tolist() == [0, 2, 3]
    assert part.flagged.tolist() == [False, True, False]
    assert len(part.rejections) == 1
    assert part.graphs.descriptors is not None
    assert part.graphs.descriptors.shape == (3, width(True))
    plain = StageSet(dataset(kappa=[1.0] * 4))
    assert plain.flagged.tolist() == [False] * 4
    assert plain.graphs.descriptors is not None
    assert plain.graphs.descriptors.shape == (4, width(False))


def test_flagged_rows_leave_the_training_where_the_stage_says_so() -> None:
    data = dataset(kappa=[1.0] * 4)
    flagged = Dataset(data.name, data.crystals, data.targets, data.provenance, labels={"flags": ("", "x", "", "")})
    part = StageSet(flagged)
    training = [np.array([[True, True, False, True], [True, True, True, False]])] * 2
    asked = recipe({"dataset": "made"}, {"dataset": "made", "omit_flagged": True})
    kept, left = masks_without_flagged(asked, [part, part], training)
    np.testing.assert_array_equal(kept, training[0])
    np.testing.assert_array_equal(left, [[True, False, False, True], [True, False, True, False]])
    assert training[1][:, 1].all()  # what was given stays as it was


@pytest.fixture
def folders(tmp_path: Path) -> tuple[str, str]:
    """Two stored datasets that share two crystals; one doubts a row."""
    dft = Dataset(
        "dft",
        CRYSTALS[:3],
        {"kappa": np.array([60.0, 7.0, np.nan])},
        ("dft",) * 3,
        labels={"flags": ("", "imaginary modes", "")},
    )
    cheap = Dataset(
        "cheap", CRYSTALS[1:], {"kappa": np.array([9.0, 8.0, 3.0]), "gruneisen": np.full(3, 2.0)}, ("cheap",) * 3
    )
    for data in (dft, cheap):
        write_dataset(data, tmp_path / data.name)
    return str(tmp_path / "dft"), str(tmp_path / "cheap")


def test_stages_read_joined_data_with_new_names(folders: tuple[str, str]) -> None:
    dft, cheap = folders
    asked = recipe(
        {"dataset": cheap},
        {"dataset": [dft, cheap], "rename": {cheap: {"kappa": "kappa_cheap"}}, "targets": ["kappa", "kappa_cheap"]},
        {"dataset": [dft, cheap], "rename": {cheap: {"kappa": "kappa_cheap"}}},
        {"dataset": [dft, cheap]},
        targets={"kappa": {}, "kappa_cheap": {}},
    )
    first, second, third, fourth = read_stages(asked, None)
    assert second is third  # what is read alike is read once
    assert first.dataset.targets.keys() == {"kappa", "gruneisen"}
    assert second.dataset.ids == ("12-8", "11-17", "19-17", "82-52")
    np.testing.assert_array_equal(second.dataset.kappa, [60.0, 7.0, np.nan, np.nan])
    np.testing.assert_array_equal(second.dataset.targets["kappa_cheap"], [np.nan, 9.0, 8.0, 3.0])
    assert second.flagged.tolist() == [False, True, False, False]
    assert set(second.hashes) == {"dft", "cheap"}
    assert second.hashes["dft"] == load(dft).content_hash
    np.testing.assert_array_equal(fourth.dataset.kappa, [60.0, 7.0, 8.0, 3.0])
    assert second.hash != fourth.hash


def test_folders_of_one_name_have_one_hash_together(folders: tuple[str, str], tmp_path: Path) -> None:
    again = tmp_path / "elsewhere" / "dft"
    shutil.copytree(folders[0], again)
    (part,) = read_stages(recipe({"dataset": [folders[0], str(again)]}), None)
    assert len(part.dataset) == 3
    assert list(part.hashes) == ["dft + dft"]


def test_a_new_name_for_a_target_that_is_not_there(folders: tuple[str, str]) -> None:
    asked = recipe({"dataset": list(folders), "rename": {folders[0]: {"gruneisen": "gruneisen_dft"}}})
    with pytest.raises(RecipeError, match="rename: dft has no target gruneisen; it has kappa"):
        read_stages(asked, None)


def test_a_new_name_must_not_hide_another_target(folders: tuple[str, str]) -> None:
    asked = recipe({"dataset": folders[1], "rename": {folders[1]: {"gruneisen": "kappa"}}})
    with pytest.raises(RecipeError, match="rename: cheap has a target kappa already"):
        read_stages(asked, None)
