"""What figures share."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

from paraisite.crystals.elements import SYMBOLS
from paraisite.plots.drawing import INK, blank, element_place, fingerprint, ink_on, made_from, panels, quiet, save

pytest.importorskip("matplotlib", reason="figures need the extra [train]")


def test_a_png_knows_what_it_was_made_from(tmp_path: Path) -> None:
    figure = blank(3, 2)
    (axes,) = panels(figure, 1)
    axes.plot([1, 2], [3, 4])
    quiet(axes)
    mark = fingerprint([1.5])
    save(figure, tmp_path / "a.png", mark)
    save(figure, tmp_path / "b.png")
    save(figure, tmp_path / "c.svg", mark)
    assert made_from(tmp_path / "a.png") == mark
    assert made_from(tmp_path / "b.png") == ""
    assert made_from(tmp_path / "none.png") == ""
    assert "<svg" in (tmp_path / "c.svg").read_text()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.png", "b.png", "c.svg"]  # nothing left beside them


def test_a_fingerprint_follows_the_values_alone() -> None:
    data = [("I", 0.1, np.array([1.0, 2.0])), {"b": 1, "a": None}]
    same = [["I", 0.1, [1.0, 2.0]], {"a": None, "b": 1}]
    assert fingerprint(data) == fingerprint(same)
    assert fingerprint([("I", 0.1, np.array([1.0, 2.0000001]))]) != fingerprint(data[:1])
    # JSON without spaces, shortest digits: the same on every machine
    assert fingerprint([0.1, (2, "I")]) == hashlib.sha256(b'[0.1,[2,"I"]]').hexdigest()


def luminance(grey_or_rgb: object) -> float:
    rgb = np.broadcast_to(np.asarray(grey_or_rgb, dtype=float), 3)
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in rgb]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_text_takes_the_ink_that_is_read_better() -> None:
    for face in np.random.default_rng(1).random((300, 3)):
        l_face = luminance(face)
        contrast = {
            "white": 1.05 / (l_face + 0.05),
            INK: max(l_face, luminance(float(INK))) + 0.05,
        }
        contrast[INK] /= min(l_face, luminance(float(INK))) + 0.05
        chosen = ink_on(face)
        assert contrast[chosen] >= max(contrast.values()) * 0.98  # the threshold is rounded


def test_panels_stand_in_rows_of_two() -> None:
    figure = blank(4, 6)
    made = panels(figure, 5)
    assert len(made) == len(figure.axes) == 5
    figure.draw_without_rendering()
    boxes = [axes.get_position() for axes in made]
    assert boxes[0].y0 == pytest.approx(boxes[1].y0)
    assert boxes[2].y0 < boxes[0].y0
    assert boxes[4].x0 == pytest.approx(boxes[0].x0)


def test_elements_stand_in_their_groups_and_periods() -> None:
    element = pytest.importorskip("pymatgen.core").Element
    places = {}
    for z in range(1, 119):
        places[z] = x, y = element_place(z)
        found = element(SYMBOLS[z])
        if 57 <= z <= 71 or 89 <= z <= 103:
            assert y == (7.5 if z < 80 else 8.5)
            assert x == z - (57 if z < 80 else 89) + 2.5
        else:
            assert (x + 1, y + 1) == (found.group, found.row)
    assert len(set(places.values())) == 118
