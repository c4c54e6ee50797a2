"""Figures of predictions draw into axes of one's own, and what they say is right."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from paraisite import plots
from paraisite.plots.drawing import blank
from paraisite.prediction import Prediction

matplotlib = pytest.importorskip("matplotlib", reason="figures need the extra [plots]")
TRUE = np.array([1.0, 2.0, 4.0, np.nan])


@pytest.fixture
def ax() -> Iterator[Any]:
    figure = blank(4, 4)
    yield figure.add_subplot()
    figure.canvas.draw()  # a formatter that fails does so only now


def test_parity(ax: Any) -> None:
    assert plots.parity(TRUE, [1.0, 5.0, 4.0, 1.0], low=[0.5] * 4, high=[8.0] * 4, groups=list("abab"), ax=ax) is ax
    (note,) = (text.get_text() for text in ax.texts)
    assert note == f"n = 3\n67 % within a factor of 2\nMALE {np.log10(2.5) / 3:.3f}"
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["a", "b"]
    assert ax.get_xlim() == ax.get_ylim()
    with pytest.raises(ValueError, match="no pair"):
        plots.parity([1.0, np.nan], [np.nan, 2.0], ax=ax)


def test_calibration(ax: Any) -> None:
    true = np.arange(1.0, 11.0)
    bounds = {0.9: np.column_stack([true - 1, true + 1]), 0.5: np.column_stack([true * 0, true * 0 + 3])}
    assert plots.calibration(true, bounds, ax=ax) is ax
    drawn = ax.lines[1]
    assert drawn.get_xdata().tolist() == [0.5, 0.9]
    assert drawn.get_ydata().tolist() == [0.3, 1.0]
    # Wilson's interval of 3 of 10 at 95 %: 0.108 to 0.603
    np.testing.assert_allclose(ax.collections[0].get_segments()[0][:, 1], [0.108, 0.603], atol=1e-3)


def test_temperature(ax: Any) -> None:
    columns = {
        f"kappa_{t}K{end}_W_mK": 300 / t * f for t in (600, 300) for end, f in (("_low", 0.5), ("", 1), ("_high", 2))
    }
    row = Prediction("a", "a.cif", "NaCl", properties={**columns, "debye_temperature_K": 300.0})
    rejected = Prediction("b", "b.cif", status="rejected")
    assert plots.temperature([row, rejected], measured=([300], [2]), ax=ax) is ax
    assert ax.lines[0].get_xydata().tolist() == [[300, 1], [600, 0.5]]
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["NaCl a", "data"]
    with pytest.raises(ValueError, match="temperatures"):
        plots.temperature(rejected, ax=ax)


def test_intervals(ax: Any) -> None:
    rows = [Prediction("a", "", kappa_W_mK=2.0, kappa_low_W_mK=1.0, kappa_high_W_mK=4.0), Prediction("", "", "NaCl")]
    assert plots.intervals(rows, true=[3.0, np.nan], ax=ax) is ax
    assert [text.get_text() for text in ax.get_yticklabels()] == ["a", "NaCl"]


def test_elements(ax: Any) -> None:
    means = plots.by_element(["NaCl", "Na2O"], [1.0, 3.0])
    assert means == {"Na": 2.0, "Cl": 1.0, "O": 3.0}
    assert plots.elements(means, title="t", label="l", ax=ax) is ax
    assert "2" in [text.get_text() for text in ax.texts]


def test_without_axes_there_is_a_new_figure() -> None:
    from matplotlib import pyplot

    first, second = (plots.parity(TRUE[:3], TRUE[:3]) for _ in range(2))
    assert first.figure is not second.figure
    pyplot.close("all")
    row = SimpleNamespace(id="a", kappa_W_mK=1.0, kappa_low_W_mK=1.0, kappa_high_W_mK=2.0)
    assert plots.intervals([row]).figure.get_size_inches()[0] > 4
    pyplot.close("all")
