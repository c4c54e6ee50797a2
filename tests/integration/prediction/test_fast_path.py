"""The fast path of `Predictor` against the exact one, and its parts against the whole."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from pathlib import Path

import numpy as np
import pytest

from paraisite.crystals import Crystal, Rejection, read
from paraisite.model.registry import registry
from paraisite.prediction import COLUMNS, Options, Prediction, Predictor

REAL = ("kappa_W_mK", "kappa_low_W_mK", "kappa_high_W_mK", "log10_std")
SHIPPED = [name for name, entry in registry().items() if entry.shipped]


def made_up(n: int) -> list[Crystal]:
    """Crystals without symmetry, two to nine sites of up to four elements; no two sites closer than 1 Å."""
    rng = np.random.default_rng(5)
    found = []
    for i in range(n):
        sites = rng.integers(2, 10)
        cell = np.eye(3) * 2.6 * sites ** (1 / 3) + rng.normal(0, 0.3, (3, 3))
        elements = rng.choice([3, 8, 11, 14, 20, 26, 34, 52, 56, 82], 4, replace=False)
        found.append(Crystal(cell, rng.choice(elements, sites), rng.random((sites, 3)), id=str(i)))
    return found


def assert_same(fast: list[Prediction], exact: list[Prediction]) -> None:
    """Equal to 1e-4; the applicability counts compounds, and one of those may be on the other side of a distance."""
    assert [r.status == "rejected" for r in fast] == [r.status == "rejected" for r in exact]
    pairs = [(a, b) for a, b in zip(fast, exact, strict=True) if b.status != "rejected"]
    assert len(pairs) > 0.8 * len(exact)
    for a, b in pairs:
        for name in REAL:
            assert getattr(a, name) == pytest.approx(getattr(b, name), rel=1e-4), (a.id, name)
        assert a.applicability == pytest.approx(b.applicability, abs=0.01)
        assert a.properties.keys() == b.properties.keys()
        for name, value in b.properties.items():
            assert a.properties[name] == pytest.approx(value, rel=1e-4), (a.id, name)


def both(name: str, crystals: Iterable[Crystal | Rejection], **options: object) -> None:
    items = list(crystals)
    fast, exact = (Predictor.from_pretrained(name, exact=e).predict(items, **options) for e in (False, True))  # type: ignore[arg-type]
    assert_same(fast, exact)


@pytest.mark.parametrize("name", SHIPPED)
def test_made_up_crystals(name: str) -> None:
    both(name, made_up(60), properties=("bulk_modulus_vrh",))


@pytest.mark.slow
@pytest.mark.data
@pytest.mark.parametrize(("folder", "n"), [("l96", None), ("hh143", None), ("mp_stable", 300)])
@pytest.mark.parametrize("name", SHIPPED)
def test_real_crystals(name: str, folder: str, n: int | None, mirror: Path) -> None:
    both(name, islice(read([mirror / folder / "cif.zip"]), n))


def test_prepared_in_one_part_and_in_many() -> None:
    predictor = Predictor.from_pretrained()
    crystals: list[Crystal | Rejection] = [*made_up(40), Rejection("r", "r.cif", "unreadable")]
    whole = predictor.finish(predictor.prepare(crystals))
    again = predictor.finish(predictor.prepare(crystals))
    assert whole == again
    parts = [row for i in range(0, 41, 7) for row in predictor.finish(predictor.prepare(crystals[i : i + 7]))]
    assert [row.status for row in parts] == [row.status for row in whole]
    for a, b in zip(whole[:-1], parts, strict=False):
        assert (a.id, a.status, a.nearest_known) == (b.id, b.status, b.nearest_known)
        assert a.kappa_W_mK == pytest.approx(b.kappa_W_mK, rel=1e-5)


def test_a_table_has_the_columns_of_the_rows() -> None:
    predictor = Predictor.from_pretrained()
    crystals: list[Crystal | Rejection] = [Rejection("r", "r.cif", "unreadable"), *made_up(5)]
    prepared = predictor.prepare(crystals)
    assert len(prepared) == 6
    assert prepared.kept.tolist() == [i for i, reason in enumerate(prepared.reason) if not reason]
    asked = Options(properties=("bulk_modulus_vrh",))
    table = predictor.table(prepared, asked)
    assert tuple(table) == (*COLUMNS, "bulk_modulus_GPa")
    rows = predictor.finish(prepared, asked)
    for i, row in enumerate(rows):
        for name, value in row.row().items():
            cell = table[name][i]
            assert value == cell or (value is None and np.isnan(cell))
    assert rows[0].status == "rejected"
    assert rows[0].properties == {}
    assert predictor.finish(predictor.prepare([])) == []
