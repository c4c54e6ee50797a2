"""Shortlists: the same rows as a search of the whole table at once would give."""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from predictions import prediction, write_predictions

from paraisite.screening.shortlist import ShortlistError, Wish, probability, shortlist, write_csv

FORMULAS = ("MgO", "AgCl", "PbTe", "Mg2Si", "Ba(AgO)2", "TePb")


@pytest.fixture(scope="module")
def rows() -> list[dict[str, Any]]:
    random = np.random.default_rng(3)
    made = [
        prediction(f"c{i}", FORMULAS[random.integers(len(FORMULAS))], float(10 ** random.normal(0, 1)), float(std))
        for i, std in enumerate(random.uniform(0.05, 0.5, 150))
    ]
    made[17] = prediction("c17", "AgCl", None)
    made[60]["kappa_W_mK"] = made[61]["kappa_W_mK"] = made[140]["kappa_W_mK"]  # equal, far apart
    return made


@pytest.fixture(scope="module")
def table(rows: list[dict[str, Any]], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_predictions(tmp_path_factory.mktemp("table") / "t.parquet", rows)


def system(formula: str) -> str:
    return {"MgO": "Mg-O", "AgCl": "Ag-Cl", "Mg2Si": "Mg-Si", "Ba(AgO)2": "Ag-Ba-O"}.get(formula, "Pb-Te")


def plainly(rows: list[dict[str, Any]], wish: Wish) -> list[str]:
    """Sort everything, then go through it from the start."""
    low, high = wish.above or 0.0, wish.below or np.inf
    search_high = wish.above is not None and wish.below is None

    def edge(row: dict[str, Any]) -> float:
        end = "kappa_high_W_mK" if search_high else "kappa_low_W_mK"
        return float(row[end if wish.rank == "bound" else "kappa_W_mK"])

    def score(row: dict[str, Any]) -> float:
        if wish.rank == "probability":
            chance = probability(
                np.array([row["kappa_W_mK"]]), np.array([row["log10_std"]]), below=high, above=wish.above
            )
            return -float(chance[0])
        if wish.rank == "uncertainty":
            return -float(row["log10_std"])
        return -edge(row) if search_high else edge(row)

    wanted = [r for r in rows if r["kappa_W_mK"] is not None and edge(r) < high]
    wanted = [r for r in wanted if (edge(r) if search_high else r["kappa_W_mK"]) > low]
    counts: Counter[str] = Counter()
    chosen = []
    for row in sorted(wanted, key=score):
        counts[system(row["formula"])] += 1
        if counts[system(row["formula"])] <= (wish.per_system or len(rows)):
            chosen.append(row["id"])
    return chosen[: wish.top]


@pytest.mark.parametrize("rank", ["expected", "probability", "bound", "uncertainty"])
@pytest.mark.parametrize("bounds", [{"below": 2.0}, {"above": 3.0}, {"below": 5.0, "above": 0.5}])
@pytest.mark.parametrize(("top", "per_system"), [(10, None), (4, 1), (12, 3), (1000, None), (1000, 2)])
def test_piece_by_piece_gives_what_all_at_once_gives(
    table: Path, rows: list[dict[str, Any]], rank: Any, bounds: dict[str, float], top: int, per_system: int | None
) -> None:
    wish = Wish(**bounds, rank=rank, top=top, per_system=per_system)
    found = shortlist(table, wish)
    assert found.column("id").to_pylist() == plainly(rows, wish)
    assert found.column("id").to_pylist(), "the case tests nothing"
    assert found.column("chemical_system").to_pylist() == [system(f) for f in found.column("formula").to_pylist()]


def test_a_condition_comes_before_the_number_of_rows(table: Path, rows: list[dict[str, Any]]) -> None:
    def keep(piece: Any) -> np.ndarray:
        return np.array([id.endswith("3") for id in piece.column("id").to_pylist()])

    found = shortlist(table, Wish(top=5, keep=keep)).column("id").to_pylist()
    assert found == plainly([r for r in rows if r["id"].endswith("3")], Wish(top=5))


def test_without_bounds_there_is_no_probability(table: Path) -> None:
    assert set(shortlist(table, Wish(top=3)).column("probability").to_pylist()) == {None}


def test_probability_is_that_of_a_normal_distribution_of_log10_kappa() -> None:
    random = np.random.default_rng(5)
    kappa, std = np.array([0.7, 3.0, 12.0]), np.array([0.1, 0.3, 0.5])
    drawn = 10 ** (np.log10(kappa) + std * random.normal(size=(200_000, 3)))
    assert probability(kappa, std, below=2.0) == pytest.approx((drawn < 2).mean(axis=0), abs=5e-3)
    assert probability(kappa, std, above=2.0) == pytest.approx((drawn > 2).mean(axis=0), abs=5e-3)
    between = ((drawn > 1) & (drawn < 5)).mean(axis=0)
    assert probability(kappa, std, below=5.0, above=1.0) == pytest.approx(between, abs=5e-3)
    assert np.isnan(probability(kappa, std)).all()


@pytest.mark.parametrize(
    ("wish", "told"),
    [
        ({"rank": "probability"}, "below or above"),
        ({"below": 1.0, "above": 2.0}, "swap"),
        ({"below": 0.0}, "--below 0"),
        ({"top": 0}, "top"),
        ({"per_system": 0}, "per_system"),
    ],
)
def test_impossible_wishes_are_refused(wish: dict[str, Any], told: str) -> None:
    with pytest.raises(ShortlistError, match=told):
        Wish(**wish)


def test_words_of_the_bounds() -> None:
    assert Wish(below=2).words == "κ < 2 W/m/K"
    assert Wish(above=2.5).words == "κ > 2.5 W/m/K"
    assert Wish(below=2, above=1).words == "1 < κ < 2 W/m/K"
    assert Wish().words == ""


def test_a_model_without_intervals_ranks_by_kappa_alone(tmp_path: Path) -> None:
    path = write_predictions(
        tmp_path / "t.parquet", [prediction("a", "MgO", 3.0, None), prediction("b", "MgO", 2.0, None)]
    )
    assert shortlist(path).column("id").to_pylist() == ["b", "a"]
    for rank in ("probability", "bound", "uncertainty"):
        with pytest.raises(ShortlistError, match="no intervals"):
            shortlist(path, Wish(below=9, rank=rank))  # type: ignore[arg-type]


def test_nothing_found_is_an_empty_table(table: Path, tmp_path: Path) -> None:
    found = shortlist(table, Wish(below=1e-9))
    assert found.num_rows == 0
    write_csv(found, tmp_path / "s.csv")
    assert (tmp_path / "s.csv").read_text().startswith("rank,id,source,formula")


def test_rejected_rows_alone_give_nothing(tmp_path: Path) -> None:
    path = write_predictions(tmp_path / "t.parquet", [prediction("a", "", None)])
    assert shortlist(path, Wish(below=1, rank="bound")).num_rows == 0


def test_csv_has_ranks(table: Path, tmp_path: Path) -> None:
    found = shortlist(table, Wish(below=2, top=3))
    write_csv(found, tmp_path / "s.csv")
    with (tmp_path / "s.csv").open(encoding="utf-8") as file:
        written = list(csv.DictReader(file))
    assert [row["rank"] for row in written] == ["1", "2", "3"]
    assert [row["id"] for row in written] == found.column("id").to_pylist()
    for row, p in zip(written, found.column("probability").to_pylist(), strict=True):
        assert float(row["probability"]) == pytest.approx(p, rel=1e-5)


def test_other_files_are_refused(tmp_path: Path) -> None:
    other = tmp_path / "t.csv"
    other.write_text("id,kappa\n")
    with pytest.raises(ShortlistError, match=r"t\.csv: not readable as Parquet"):
        shortlist(other)
    with pytest.raises(ShortlistError, match=r"none\.parquet"):
        shortlist(tmp_path / "none.parquet")
    import pyarrow as pa
    from pyarrow import parquet

    parquet.write_table(pa.table({"id": ["a"]}), tmp_path / "p.parquet")
    with pytest.raises(ShortlistError, match="no column source"):
        shortlist(tmp_path / "p.parquet")
