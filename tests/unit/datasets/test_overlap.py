from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import simple_crystals as simple
from hypothesis import given
from hypothesis import strategies as st

from paraisite.datasets import Dataset, Split
from paraisite.datasets import overlap as room
from paraisite.datasets.describe import describe, markdown
from paraisite.datasets.overlap import Common, common, labels, overlap, partners, recalibrate, reverse

DATA = simple.dataset()
LARGE = DATA[[0, 2, 6, 8, 10, 14]]  # NaCl three times (two of them one crystal), MgO twice, ZnS
SMALL = DATA[[0, 2, 5, 6, 7]]  # NaCl twice, MgO, CsCl, TlCl


@given(st.lists(st.sampled_from("abcdef"), min_size=2, max_size=30), st.data())
def test_overlap_counts_groups_and_rows(own: list[str], data: st.DataObject) -> None:
    held_out = np.array(data.draw(st.lists(st.booleans(), min_size=len(own), max_size=len(own))), dtype=bool)
    split = Split(np.flatnonzero(~held_out), np.flatnonzero(held_out))
    train = [label for label, out in zip(own, held_out, strict=True) if not out]
    validation = [label for label, out in zip(own, held_out, strict=True) if out]
    found = overlap({"x": own}, split)["x"]
    assert found.groups == len(set(validation))
    assert found.shared == sum(label in train for label in set(validation))
    assert found.rows == sum(label in train for label in validation)


def test_labels_leave_the_dear_comparison_out(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    assert list(labels(DATA.crystals, say=said.append)) == ["formula", "chemical-system", "prototype", "crystal"]
    assert said == ["formula", "chemical-system", "prototype", "crystal"]
    monkeypatch.setattr(room, "MAX_PAIRS", 3)
    assert "crystal" not in labels(DATA.crystals)


def test_common() -> None:
    there = partners(SMALL.crystals, LARGE.crystals)
    assert there == [[0, 5], [1], [], [2], []]
    assert reverse(there, len(LARGE)) == [[0], [1], [3], [], [], [0]]
    assert common(SMALL.crystals, LARGE.crystals, there) == Common(
        rows=5, formulas=4, rows_of_shared_formula=3, shared_formulas=2, shared_crystals=3
    )


def test_shared_kappa_takes_the_geometric_median() -> None:
    own, theirs = room.shared_kappa(SMALL, LARGE, [[0, 5], [1], [], [2], []])
    assert own.tolist() == [7.1, 60.0, 2.0]
    assert theirs == pytest.approx([np.sqrt(7.1 * 7.3), 60.0, 2.0])


def test_shared_kappa_without_values() -> None:
    bare = Dataset("bare", SMALL.crystals, {}, SMALL.provenance)
    assert [len(x) for x in room.shared_kappa(bare, LARGE, [[0], [1], [], [2], []])] == [0, 0]


def test_recalibration_finds_a_line() -> None:
    x = np.array([0.1, 1.0, 10.0, 50.0])
    line = recalibrate(x, 3.0 * x**1.2)
    assert (line.slope, line.intercept) == pytest.approx((1.2, np.log10(3.0)))
    assert line.male == pytest.approx(0.0, abs=1e-12)
    assert line.male_before == pytest.approx(np.mean(np.log10(3.0) + 0.2 * np.log10(x)))
    assert line.spearman == pytest.approx(1.0)
    assert line(x) == pytest.approx(3.0 * x**1.2)
    assert line.ratio == pytest.approx(np.median(3.0 * x**0.2), rel=0.1)


@given(
    st.lists(st.tuples(st.floats(0.01, 1e3), st.floats(0.01, 1e3)), min_size=5, max_size=30, unique_by=lambda p: p[0])
)
def test_recalibration_is_least_squares(points: list[tuple[float, float]]) -> None:
    x, y = np.array(points).T
    if np.ptp(np.log10(x)) < 0.1:
        return
    line = recalibrate(x, y)
    rest = np.log10(y) - np.log10(line(x))
    assert rest.mean() == pytest.approx(0, abs=1e-6)
    assert rest @ np.log10(x) == pytest.approx(0, abs=1e-6)
    assert line.male == pytest.approx(np.abs(rest).mean())


def test_recalibration_needs_three_values() -> None:
    with pytest.raises(ValueError, match="a line needs three different values, not 2"):
        recalibrate(np.array([1.0, 2.0, 2.0]), np.array([1.0, 2.0, 3.0]))


def test_describe() -> None:
    other = Dataset("other", DATA.crystals[:12], {"kappa": DATA.kappa[:12] * 3}, ("other",) * 12)
    bare = Dataset("bare", DATA.crystals[:2], {}, ("bare",) * 2)
    found = describe([DATA, other, bare])
    summary = found.summaries["simple"]
    assert summary["rows"] == 15
    assert summary["formulas"] == 12
    assert summary["prototypes"] == 4
    assert summary["most_common_prototypes"] == {"AB-225": 6, "AB-216": 4, "AB-221": 3, "AB2-225": 2}
    assert summary["elements"]["Cl"] == 6
    assert summary["targets"]["kappa"] == {"unit": "W/m/K", "rows": 14, "lowest": 0.7, "median": 9.1, "highest": 60.0}
    assert summary["provenance"] == {"first": 9, "second": 6}
    assert found.common["other", "simple"].shared_crystals == 12
    assert found.common["simple", "other"].shared_crystals == 13
    shared = found.shared_kappa
    assert shared is not None
    assert shared.base == "simple"
    assert list(shared.points) == ["other"]
    assert shared.line.n == 11
    assert shared.line.ratio == pytest.approx(3, rel=0.02)
    json.dumps(found.json())
    page = markdown(found, ["kappa.png"])
    assert "| other | simple | 10 of 10 | 12 of 12 | 12 of 12 |" in page
    assert "![kappa](kappa.png)" in page


def test_describe_wants_different_names() -> None:
    with pytest.raises(ValueError, match="two datasets are called simple"):
        describe([DATA, DATA])


def test_figures_are_drawn(tmp_path: Path) -> None:
    matplotlib = pytest.importorskip("matplotlib", reason="figures need the extra [train]")
    from paraisite.datasets import figures

    other = Dataset("other", DATA.crystals[:12], {"kappa": DATA.kappa[:12] * 3}, ("other",) * 12)
    bare = Dataset("bare", DATA.crystals[:2], {}, ("bare",) * 2)
    found = describe([DATA, other, bare])
    assert found.shared_kappa is not None
    assert figures.kappa_histograms([DATA, other, bare], tmp_path / "kappa.png")
    assert not figures.kappa_histograms([bare], tmp_path / "none.png")
    figures.periodic_table({"H": 1, "U": 90, "Og": 1}, "every corner", tmp_path / "elements.png")
    figures.periodic_table({}, "nothing", tmp_path / "empty.png")
    figures.overlaps(list(found.summaries), found.common, tmp_path / "overlap.svg")
    figures.shared_kappa(found.shared_kappa, tmp_path / "shared.png")
    assert not (tmp_path / "none.png").exists()
    for name in ("kappa.png", "elements.png", "empty.png", "shared.png"):
        image = matplotlib.image.imread(tmp_path / name)
        assert image.shape[1] > 600
        assert image[..., :3].std() > 0.05  # something is drawn
    assert "<svg" in (tmp_path / "overlap.svg").read_text()
