"""The report of a screening: its counts, its pictures, and a page that needs nothing else and trusts nobody."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from html.parser import HTMLParser
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from predictions import prediction, write_predictions
from pyarrow import parquet

from paraisite.crystals import Crystal
from paraisite.files.outputs import OutputExists
from paraisite.screening.report import census as census_module
from paraisite.screening.report.census import COLUMNS, Census
from paraisite.screening.report.scene import scene
from paraisite.screening.report.write import write_report
from paraisite.screening.shortlist import Wish, row_groups

pytest.importorskip("matplotlib", reason="reports need the extra [train]")


@pytest.fixture
def rows() -> list[dict[str, Any]]:
    random = np.random.default_rng(8)
    formulas = ["MgO", "AgCl", "PbTe", "Ba(AgO)2"]
    made = [
        prediction(f"c{i}", formulas[i % 4], float(10 ** random.normal(0.3 * (i % 4), 0.5)), float(std))
        for i, std in enumerate(random.uniform(0.05, 0.5, 80))
    ]
    made[4] |= {"status": "warning", "reason": "outside the training data (applicability 0.01)"}
    made[5] = prediction("c5", "", None)
    return made


def census_of(path: Path, wish: Wish) -> Census:
    return Census.of(row_groups(path, COLUMNS), wish, parquet.read_metadata(path).num_rows)


def test_census_counts_what_a_look_at_all_rows_counts(rows: list[dict[str, Any]], tmp_path: Path) -> None:
    path = write_predictions(tmp_path / "t.parquet", rows)
    found = census_of(path, Wish(below=2.0, above=0.4))
    predicted = [r for r in rows if r["kappa_W_mK"] is not None]
    kappa = np.array([r["kappa_W_mK"] for r in predicted])
    assert found.summary.counts == {"ok": 78, "warning": 1, "rejected": 1}
    assert found.bins.sum() == 79
    assert found.median == pytest.approx(np.median(kappa), rel=0.02)
    assert found.within == ((kappa > 0.4) & (kappa < 2)).sum()
    assert found.points[0] == pytest.approx(kappa)
    assert found.element_counts == {"O": 40, "Mg": 20, "Ag": 39, "Cl": 19, "Te": 20, "Pb": 20, "Ba": 20}
    silver = [r["kappa_W_mK"] for r in predicted if "Ag" in r["formula"]]
    assert found.element_medians["Ag"] == pytest.approx(np.median(silver), rel=0.02)
    shares = found.element_shares
    assert sum(
        shares[e] * n for e, n in found.element_counts.items() if e in ("Mg", "Cl", "Te", "Ba")
    ) == pytest.approx(found.expected)
    assert 0 < found.expected < 79


def test_census_samples_evenly(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(census_module, "SAMPLE", 200)
    path = write_predictions(tmp_path / "t.parquet", [prediction(f"c{i}", "MgO", 1.0 + i) for i in range(4000)], 500)
    drawn = census_of(path, Wish()).points[0]
    assert 150 < len(drawn) < 250
    assert np.mean(drawn) == pytest.approx(2000, rel=0.15)
    assert (census_of(path, Wish()).points[0] == drawn).all()  # the same page from the same table


def test_scene_repeats_what_lies_on_faces_and_joins_neighbours() -> None:
    rocksalt = Crystal(
        np.eye(3) * 5.6,
        np.array([11] * 4 + [17] * 4),
        np.array(
            [
                *([0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 1 - 1e-9]),
                *([0.5, 0.5, 0.5], [0.5, 0, 0], [0, 0.5, 0], [0, 0, 0.5]),
            ]
        ),
    )
    made = scene(rocksalt)
    kinds = [made["elements"][a[3]][0] for a in made["atoms"]]
    assert (kinds.count("Na"), kinds.count("Cl")) == (8 + 6, 12 + 1)  # corners and faces, edges and middle
    assert len(made["bonds"]) == 54  # along the lines of a 3 by 3 by 3 grid
    for i, j in made["bonds"]:
        assert {kinds[i], kinds[j]} == {"Na", "Cl"}
        assert np.linalg.norm(np.subtract(made["atoms"][i][:3], made["atoms"][j][:3])) == pytest.approx(2.8, abs=0.02)
    assert np.mean([a[:3] for a in made["atoms"]], axis=0) == pytest.approx([0, 0, 0], abs=1e-6)
    assert all(re.fullmatch("#[0-9a-f]{6}", colour) for _, colour, _ in made["elements"])
    json.dumps(made)


class Page(HTMLParser):
    """What a page refers to and shows."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.tags: list[str] = []
        self.text: list[str] = []
        self.scripts: list[str] = []
        self._in = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self._in = tag
        self.links += [value or "" for name, value in attrs if name in ("src", "href", "srcset", "data", "action")]
        assert not any(name.startswith("on") for name, _ in attrs)

    def handle_data(self, data: str) -> None:
        (self.scripts if self._in in ("script", "style") else self.text).append(data)


def test_a_page_needs_nothing_but_itself_and_its_crystals(
    tiny_dataset: Path, tmp_path: Path, rows: list[dict[str, Any]]
) -> None:
    for row in rows[:3]:
        row |= {"id": "LiF", "source": str(tiny_dataset / "LiF.cif"), "formula": "LiF", "n_sites": 8}
        row["kappa_W_mK"] *= 1e-3
    table = write_predictions(tmp_path / "t.parquet", rows)
    made = write_report(table, tmp_path / "r", Wish(below=2, rank="probability", top=10))
    assert sorted(p.name for p in (tmp_path / "r").iterdir()) == ["cifs", "index.html", "shortlist.csv"]
    page = Page(made.page.read_text())
    for link in page.links:
        assert link.startswith("data:image/png;base64,") or (tmp_path / "r" / link).is_file(), link[:80]
    assert page.tags.count("img") == 1
    assert page.tags.count("canvas") == 4  # three crystals were found, and the large view
    assert len(made.not_found) == 7
    namespaces = re.compile(r"http://www\.w3\.org/\w+/\w+")  # names of languages, which nothing is asked of
    assert not any(re.search(r"https?://|@import|fetch\(|XMLHttp", namespaces.sub("", text)) for text in page.scripts)
    shown = " ".join(page.text)
    assert "Screening of 80 crystals" in shown
    assert "the most probable first" in shown
    assert "there is nothing in it" in shown
    assert "outside the training data" in shown


def test_what_files_are_called_stays_text(tmp_path: Path) -> None:
    evil = "</script><script>alert(1)</script>\"'><img src=x onerror=alert(2)>$title"
    row = prediction(evil, "MgO", 1.0, source=f"{evil}.cif", nearest_known=evil, reason=evil, status="warning")
    table = write_predictions(tmp_path / "t.parquet", [row, prediction(evil, "", None, reason=evil)])
    text = write_report(table, tmp_path / "r", where=evil).page.read_text()
    page = Page(text)
    assert page.tags.count("script") == 4
    assert page.tags.count("img") == 1
    assert any(evil in data for data in page.text)


def test_a_table_of_rejections_has_a_report(tmp_path: Path) -> None:
    table = write_predictions(tmp_path / "t.parquet", [prediction("a", "", None)])
    made = write_report(table, tmp_path / "r", Wish(below=1))
    assert "No crystal meets" in made.page.read_text()
    assert made.table.num_rows == 0


def test_a_model_without_intervals_has_a_report(tmp_path: Path) -> None:
    table = write_predictions(tmp_path / "t.parquet", [prediction(f"c{i}", "MgO", 1.0 + i, None) for i in range(9)])
    page = Page(write_report(table, tmp_path / "r", Wish(below=4)).page.read_text())
    assert page.tags.count("img") == 1


def test_folders_that_hold_something_else_are_left_alone(tmp_path: Path, rows: list[dict[str, Any]]) -> None:
    table = write_predictions(tmp_path / "t.parquet", rows)
    out = tmp_path / "r"
    first = write_report(table, out, Wish(top=3)).page.read_bytes()
    with pytest.raises(OutputExists, match="--overwrite"):
        write_report(table, out)
    assert write_report(table, out, Wish(top=3), overwrite=True).page.read_bytes() == first
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.tex").write_text("")
    with pytest.raises(OutputExists, match="not empty"):
        write_report(table, mine, overwrite=True)
    with pytest.raises(OutputExists, match="is a file"):
        write_report(table, table)


@pytest.mark.skipif(shutil.which("node") is None, reason="needs node, to run the script of the page")
def test_the_script_of_the_page_draws_turned_crystals(tmp_path: Path) -> None:
    """Run the functions that need no page: a drawing on a canvas that notes what is drawn."""
    script = files("paraisite.screening.report").joinpath("page.js").read_text("utf-8")
    functions = script.split("/* Turn a structure by dragging. */")[0].split("\n", 2)[2]
    data = scene(Crystal(np.eye(3) * 4.2, np.array([12, 8]), np.array([[0, 0, 0], [0.5, 0.5, 0.5]])))
    test = f"""
    const window = {{ devicePixelRatio: 2 }};
    const noted = [];
    const pen = new Proxy({{}}, {{ get: (_, name) => (...given) => {{
      noted.push([name, ...given.filter(x => typeof x === "number")]);
      return {{ addColorStop() {{}} }};
    }}, set: () => true }});
    const canvas = {{ clientWidth: 200, clientHeight: 160, getContext: () => pen }};
    draw(canvas, {json.dumps(data)}, [0.3, 0.2]);
    const m = turn(0.3, 0.2), one = times(m, [1, 2, 3]);
    console.log(JSON.stringify({{ noted, m, one, width: canvas.width }}));
    """
    path = tmp_path / "test.js"
    path.write_text(functions + test)
    done = subprocess.run(["node", str(path)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    out = json.loads(done.stdout)
    m = np.array(out["m"])
    assert m @ m.T == pytest.approx(np.eye(3))
    assert np.linalg.det(m) == pytest.approx(1)
    assert out["one"] == pytest.approx(m @ [1, 2, 3])
    assert out["width"] == 400
    balls = [call for call in out["noted"] if call[0] == "arc"]
    assert len(balls) == len(data["atoms"]) == 9
    for _, x, y, r, *_ in balls:
        assert r > 2
        assert r <= x <= 200 - r
        assert r <= y <= 160 - r
    assert sum(call[0] == "stroke" for call in out["noted"]) == 12 * 8 + 2 * len(data["bonds"])
