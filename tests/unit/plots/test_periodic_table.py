"""Numbers in the periodic table."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from paraisite.plots.drawing import made_from
from paraisite.plots.periodic_table import periodic_table

matplotlib = pytest.importorskip("matplotlib", reason="figures need the extra [train]")

TITLE = {"title": "Errors", "label": "mean |Δ log₁₀ κ|"}


def texts(path: Path) -> list[str]:
    """Texts of an SVG drawn with `svg.fonttype` none."""
    return re.findall(r"<text[^>]*>([^<]+)</text>", path.read_text(encoding="utf-8"))


def faces(path: Path) -> list[str]:
    """Colours of the cells of an SVG, in the order of atomic numbers."""
    cells = re.findall(r'<g id="patch_\d+">\s*<path [^>]*fill: (#\w+)', path.read_text(encoding="utf-8"))
    return cells[1:119]  # after the figure itself


def test_values_are_written_and_coloured(tmp_path: Path) -> None:
    path = tmp_path / "table.svg"
    with matplotlib.rc_context({"svg.fonttype": "none"}):
        periodic_table({"H": 0.1, "Cl": 0.25, "U": 0.3}, path, **TITLE)
    found = texts(path)
    assert found.count("Errors") == found.count("mean |Δ log₁₀ κ|") == 1
    assert [found[found.index(s) + 1] for s in ("H", "Cl", "U")] == ["0.1", "0.25", "0.3"]
    assert "Og" in found  # all elements stand there


def test_dark_is_high_and_limits_hold(tmp_path: Path) -> None:
    made = {}
    for name, limits in (("own", None), ("given", (0.2, 10.0))):
        periodic_table(
            {"H": 0.1, "He": 0.1, "Li": 90.0, "Be": 1.0}, tmp_path / f"{name}.svg", **TITLE, limits=limits, log=True
        )
        made[name] = [sum(int(face[i : i + 2], 16) for i in (1, 3, 5)) for face in faces(tmp_path / f"{name}.svg")[:5]]
    for h, he, li, be, _ in made.values():
        assert h == he > be > li
    assert made["own"][3] != made["given"][3]  # 1.0 stands elsewhere on the scale
    assert made["own"][4] == made["given"][4]  # boron has no value


def test_texts_of_ones_own_and_a_single_value(tmp_path: Path) -> None:
    path = tmp_path / "table.svg"
    with matplotlib.rc_context({"svg.fonttype": "none"}):
        periodic_table({"Fe": 7.0}, path, **TITLE, texts={"Fe": "seven"})
    assert "seven" in texts(path)
    assert "7" not in texts(path)
    png = tmp_path / "table.png"
    periodic_table({"Fe": 7.0}, png, **TITLE, made_from="abc")
    assert made_from(png) == "abc"
    assert png.stat().st_size < 80_000


def test_what_is_no_table(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="at least one element"):
        periodic_table({}, tmp_path / "x.png", **TITLE)
    with pytest.raises(ValueError, match="'Xx' is not an element"):
        periodic_table({"Xx": 1.0}, tmp_path / "x.png", **TITLE)
    assert not list(tmp_path.iterdir())
