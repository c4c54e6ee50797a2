"""`Predictor` with a trained model: rows in order, batches, held-out networks, other libraries' structures."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from paraisite.crystals import Crystal, Rejection, read
from paraisite.crystals.vacuum import MAX_GAP, widest_gap
from paraisite.datasets import load
from paraisite.graphs.dimensionality import dimensionalities
from paraisite.model.direction import Direction
from paraisite.model.environment import REACH, surroundings
from paraisite.prediction import Options, Prediction, Predictor, PropertyError
from paraisite.prediction.prepared import vacuum_reasons

_ROCKSALT = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0], [1, 0, 1], [0, 0, 1], [0, 1, 1], [1, 1, 1]]) / 2.0

MONOLAYERS = {
    ("mp-1023925", "WS2"),
    ("mp-1023934", "MoSe2"),
    ("mp-1023938", "Te2Mo"),
    ("mp-1023939", "MoS2"),
    ("mp-1023940", "MoSe2"),
}
"""One or two layers of a dichalcogenide with 14 Å of vacuum."""


@pytest.fixture(scope="module")
def predictor(tiny_checkpoint: Path) -> Predictor:
    return Predictor.from_pretrained(str(tiny_checkpoint))


@pytest.fixture(scope="module")
def crystals(tiny_dataset: Path) -> list[Crystal]:
    items = list(read([tiny_dataset]))
    assert all(isinstance(item, Crystal) for item in items)
    return items  # type: ignore[return-value]


def numbers(rows: list[Prediction]) -> np.ndarray:
    return np.array([[r.kappa_W_mK, r.kappa_low_W_mK, r.kappa_high_W_mK, r.log10_std, r.applicability] for r in rows])


def test_rows_come_in_order_and_none_is_lost(predictor: Predictor, crystals: list[Crystal]) -> None:
    far = replace(crystals[3], cell=crystals[3].cell * 10, id="far")
    unknown = replace(crystals[4], numbers=np.full(crystals[4].n_sites, 84), id="Po")
    items = [Rejection("r", "r.cif", "unreadable"), crystals[0], far, *crystals[5:8], unknown, crystals[1]]
    rows = predictor.predict(items)
    assert [row.id for row in rows] == [item.id for item in items]
    assert [row.status == "rejected" for row in rows] == [True, False, True, False, False, False, True, False]
    assert rows[0].reason == "unreadable"
    assert "closer than 4 Å" in rows[2].reason
    assert "Po unknown" in rows[6].reason
    for row in rows:
        assert (row.kappa_W_mK is None) == (row.status == "rejected")


def test_a_crystal_made_by_hand_costs_its_own_row_only(predictor: Predictor, crystals: list[Crystal]) -> None:
    salt = crystals[0]
    spoilt = {
        "zero": (replace(salt, cell=np.zeros((3, 3))), "no volume"),
        "nan": (replace(salt, cell=np.full((3, 3), np.nan)), "not finite"),
        "short": (replace(salt, positions=salt.positions[:1]), "no graph can be made of it"),
        "unknown": (replace(salt, numbers=salt.numbers + 200), "not a chemical element"),
        "same": (replace(salt, positions=np.zeros_like(salt.positions)), "overlap, 0.00 Å apart|two sites coincide"),
    }
    items = [salt, *(replace(crystal, id=id_) for id_, (crystal, _) in spoilt.items()), crystals[1]]
    for some in (items, [items[0], items[-2], items[-1]]):  # the last kind spoils no graph, only its kappa
        first, *rejected, last = predictor.predict(some, properties=["bulk_modulus_vrh"])
        np.testing.assert_allclose(numbers([first, last]), numbers(predictor.predict(crystals[:2])), rtol=1e-4)
        for row in rejected:
            assert row.status == "rejected"
            assert re.search(spoilt[row.id][1], row.reason)
            assert row.nearest_known == ""
            assert row.properties == {}
            assert [row.kappa_W_mK, row.kappa_low_W_mK, row.log10_std, row.applicability] == [None] * 4


@pytest.mark.parametrize("held_out", [False, True])
def test_kappa_lies_in_its_interval(held_out: bool) -> None:
    """Of the model that ships: at small levels the jackknife's bounds alone leave out the mean of the networks."""
    predictor = Predictor.from_pretrained()
    examples = list(read([Path(__file__).resolve().parents[3] / "src/paraisite/examples/crystals"]))
    for level in (0.05, 0.5, 0.9):
        for row in predictor.predict(examples, level=level, held_out=held_out):
            assert row.kappa_low_W_mK <= row.kappa_W_mK <= row.kappa_high_W_mK  # type: ignore[operator]


def test_one_by_one_gives_the_same_numbers(predictor: Predictor, crystals: list[Crystal]) -> None:
    single = [predictor.predict([crystal])[0] for crystal in crystals[:6]]
    np.testing.assert_allclose(numbers(predictor.predict(crystals))[:6], numbers(single), rtol=1e-5)


def test_streams_read_no_further_than_needed(
    predictor: Predictor, crystals: list[Crystal], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("paraisite.prediction.predictor.CHUNK", 16)
    taken = 0

    def endless():  # type: ignore[no-untyped-def]
        nonlocal taken
        while True:
            taken += 1
            yield crystals[0]

    rows = predictor.stream(endless())
    assert next(rows).status == "ok"
    assert taken <= 16


def test_no_crystals_no_rows(predictor: Predictor) -> None:
    assert predictor.predict([]) == []


def test_structures_of_other_libraries(predictor: Predictor, crystals: list[Crystal]) -> None:
    one, *same = predictor.predict([crystals[0], crystals[0].to_pymatgen(), crystals[0].to_ase()])
    for row in same:
        assert row.formula == one.formula
        np.testing.assert_allclose(numbers([row]), numbers([one]), rtol=1e-4)


def test_held_out_lets_the_fold_speak_that_never_saw_the_formula(predictor: Predictor, crystals: list[Crystal]) -> None:
    """Recomputed from each fold's networks alone."""
    from paraisite.graphs import build
    from paraisite.model.tensors import GraphTensors

    values, _ = predictor._kappa.predict(GraphTensors.from_batch(build(crystals)[0]))
    log_members = np.log10(values["kappa"])
    card = predictor.card
    assert sorted(set(card.formula_fold.values())) == [0, 1]
    for i, row in enumerate(predictor.predict(crystals, held_out=True)):
        members = list(card.folds[card.formula_fold[row.formula]])
        assert row.kappa_W_mK == pytest.approx(10 ** log_members[members, i].mean(), rel=1e-5)


def test_a_formula_in_no_training_data_is_held_out_already(predictor: Predictor, crystals: list[Crystal]) -> None:
    new = [replace(crystals[0], numbers=np.where(crystals[0].numbers == 56, 82, crystals[0].numbers))]
    assert new[0].formula not in predictor.card.formula_fold
    np.testing.assert_array_equal(numbers(predictor.predict(new)), numbers(predictor.predict(new, held_out=True)))


def test_unlike_crystals_are_warned_about(predictor: Predictor) -> None:
    rows = predictor.predict([Crystal(2.5 * np.eye(3), np.array([z]), np.zeros((1, 3))) for z in range(1, 80)])
    outside = ["outside the training data" in row.reason for row in rows]
    assert outside == [row.applicability < 0.04 for row in rows]  # type: ignore[operator]
    assert any(outside)
    assert all(row.status == "warning" for row, far in zip(rows, outside, strict=True) if far)


def test_slabs_are_rejected_unless_allowed(predictor: Predictor, crystals: list[Crystal]) -> None:
    salt = crystals[0]
    high = np.array([1.0, 1.0, 8.0])
    slab = Crystal(5.0 * np.diag(high), np.array([11, 17] * 4), _ROCKSALT / high, id="slab")
    bulk = replace(slab, cell=5.0 * np.eye(3), positions=_ROCKSALT, id="bulk")
    items = [slab, salt, slab.to_ase(), slab.to_pymatgen(), bulk]
    prepared = predictor.prepare(items)
    assert prepared.kept.tolist() == [1, 4]
    assert prepared.vacuum.tolist() == [False] * 2
    assert prepared.dimensionality.tolist() == [3, 3]
    for row in np.array(predictor.predict(items), dtype=object)[[0, 2, 3]]:
        assert row.status == "rejected"
        assert "--allow-vacuum" in row.reason
        assert (row.n_sites, row.kappa_W_mK) == (8, None)
    prepared = predictor.prepare(items, Options(allow_vacuum=True))
    assert prepared.kept.tolist() == list(range(5))
    assert prepared.vacuum.tolist() == [True, False, True, True, False]
    assert prepared.dimensionality.tolist() == [2, 3, 2, 2, 3]


@pytest.mark.slow
@pytest.mark.data
def test_only_monolayers_of_phonix_are_in_vacuum(mirror: Path) -> None:
    crystals = load("phonix", mirror=mirror).crystals
    dimensionality = dimensionalities(crystals, surroundings(crystals), REACH)
    reasons = vacuum_reasons(crystals, dimensionality)
    found = {(c.id, c.formula) for c, reason in zip(crystals, reasons, strict=True) if reason}
    assert found == MONOLAYERS
    assert {(c.id, c.formula) for c in crystals if widest_gap(c.cell, c.positions) > MAX_GAP} == found


def test_a_tensor_that_fails_costs_its_columns_only(
    predictor: Predictor, crystals: list[Crystal], monkeypatch: pytest.MonkeyPatch
) -> None:
    call = Direction.__call__

    def failing(self: Direction, crystal: Crystal) -> object:
        if crystal.id == crystals[1].id:
            raise FloatingPointError("of some kind")
        return call(self, crystal)

    monkeypatch.setattr(Direction, "__call__", failing)
    good, bad, *_ = predictor.predict(crystals, tensor=True)
    assert [good.properties[f"kappa_{axis}_W_mK"] for axis in ("xx", "yy", "zz")] == [good.kappa_W_mK] * 3  # cubic
    assert (bad.status, bad.properties["kappa_xx_W_mK"]) == ("warning", None)
    assert bad.kappa_W_mK == predictor.predict(crystals)[1].kappa_W_mK


def test_properties_come_in_the_order_asked_for(predictor: Predictor, crystals: list[Crystal]) -> None:
    assert predictor.available_properties == ("bulk_modulus_vrh", "formation_energy")
    (row,) = predictor.predict(crystals[:1], properties=["bulk_modulus_vrh"])
    assert list(row.row())[-1] == "bulk_modulus_GPa"
    assert row.properties["bulk_modulus_GPa"] > 0  # type: ignore[operator]
    with pytest.raises(PropertyError, match="bulk_modulus_vrh"):
        predictor.predict(crystals[:1], properties=["colour"])


def test_a_property_whose_weights_are_not_here_says_how_to_get_them(
    predictor: Predictor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PARAISITE_CACHE", str(tmp_path))
    monkeypatch.delenv("PARAISITE_MIRROR", raising=False)
    with pytest.raises(ValueError, match="paraisite models fetch"):
        predictor.predict([], properties=["formation_energy"])


@pytest.mark.data
def test_formation_energy_of_rock_salt(tiny_checkpoint: Path, mirror: Path) -> None:
    predictor = Predictor.from_pretrained(str(tiny_checkpoint), mirror=mirror)
    a = 5.588
    cell = a / 2 * np.array([[0.0, 1.0, 1.0], [1.0, 0.0, 1.0], [1.0, 1.0, 0.0]])
    salt = Crystal(cell, np.array([11, 17]), np.array([[0.0] * 3, [0.5] * 3]), id="NaCl")
    (row,) = predictor.predict([salt], properties=["formation_energy"])
    assert row.properties["formation_energy_eV_atom"] == pytest.approx(-2.1, abs=0.15)


def test_a_crystal_in_the_wrong_unit_is_warned_about(predictor: Predictor) -> None:
    cell = 2.6 / 2 * np.array([[0.0, 1.0, 1.0], [1.0, 0.0, 1.0], [1.0, 1.0, 0.0]])
    squeezed = Crystal(cell, np.array([11, 17]), np.array([[0.0] * 3, [0.5] * 3]))
    true = Crystal(2 * cell, np.array([11, 17]), np.array([[0.0] * 3, [0.5] * 3]))
    rows = predictor.predict([squeezed, true])
    assert "covalent radii: check that the cell lengths are in Å" in rows[0].reason
    assert "covalent" not in rows[1].reason
