"""What the page asks the service for beside predictions: chart, structures, examples, results."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import requests
from predictions import prediction, write_predictions
from services import Running

import paraisite
from paraisite.crystals import Crystal, read
from paraisite.web import results as results_module
from paraisite.web.app import STATIC
from paraisite.web.results import Results

EXAMPLES = Path(paraisite.__file__).parent / "examples" / "crystals"


def test_a_known_crystal_lies_where_the_chart_has_it(service: Running, cif: bytes) -> None:
    known = requests.get(f"{service.api}/known", timeout=10).json()
    assert {len(known[name]) for name in known if name != "share_of_variance"} == {len(known["id"])}
    (row,) = service.predict({"Si.cif": cif}, params={"chart": "true"}).json()
    at = known["id"].index(row["nearest_id"])
    assert row["in_training"] == "crystal"
    assert (row["chart_x"], row["chart_y"]) == pytest.approx((known["chart_x"][at], known["chart_y"][at]), abs=0.3)
    spread = np.var(known["chart_x"]), np.var(known["chart_y"])
    assert spread[0] > spread[1] > 1
    assert np.corrcoef(known["chart_x"], known["chart_y"])[0, 1] == pytest.approx(0, abs=1e-3)


def test_structures_of_rows_are_those_that_were_sent(service: Running, cif: bytes, tmp_path: Path) -> None:
    files = {"Si.cif": cif, "bad.cif": b"junk", "SnSe.cif": (EXAMPLES / "SnSe.cif").read_bytes()}
    rows = service.predict(files, params={"structure": "true"}).json()
    assert [bool(row["cif"]) for row in rows] == [True, False, True]
    (tmp_path / "again.cif").write_text(rows[2]["cif"])
    (again,), (given,) = (list(read([path])) for path in (tmp_path / "again.cif", EXAMPLES / "SnSe.cif"))
    assert isinstance(again, Crystal)
    assert isinstance(given, Crystal)
    np.testing.assert_allclose(again.positions, given.positions)
    (plain,) = service.predict({"Si.cif": cif}).json()
    assert "cif" not in plain


def test_held_out_members_predict_otherwise(service: Running, cif: bytes) -> None:
    asked = [service.predict({"Si.cif": cif}, params={"held_out": held}).json()[0] for held in ("false", "true")]
    assert asked[0]["kappa_W_mK"] != asked[1]["kappa_W_mK"]


def test_examples(service: Running) -> None:
    found = requests.get(f"{service.api}/examples", timeout=10).json()
    assert [each["name"] for each in found] == sorted(path.name for path in EXAMPLES.iterdir())


def test_the_page_is_served_under_a_strict_policy(service: Running) -> None:
    answer = requests.get(service.url, timeout=10)
    policy = dict(part.strip().split(" ", 1) for part in answer.headers["Content-Security-Policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert "style=" not in answer.text
    assert answer.text.count("<script") == answer.text.count('<script type="module" src=')
    for path in STATIC.iterdir():
        served = requests.get(f"{service.url}/static/{path.name}", timeout=10)
        assert served.content == path.read_bytes()


def test_no_results_by_default(service: Running) -> None:
    assert requests.get(f"{service.api}/results", timeout=10).json()["rows"] == 0
    assert not requests.get(f"{service.api}/results/rows", timeout=10).content
    assert requests.get(f"{service.api}/results/rows/0/structure", timeout=10).status_code == 404


def test_results(tmp_path: Path) -> None:
    here = {"source": str(EXAMPLES / "Si.cif"), "n_sites": 8}
    rows = [
        prediction("Si", "Si", 120.0, **here),
        prediction("gone", "Si", 3.0, applicability=math.nan),
        prediction("bad", "", None),
    ]
    table = write_predictions(tmp_path / "t.parquet", rows, row_group=2)
    told = [
        {"id": "Si", "formula": "Si", "kappa_W_mK": "130", "status": "ok", "verdict": "agrees"},
        {"id": "new", "formula": "Cu", "status": "unstable", "predicted_W_mK": "9", "predicted_low_W_mK": "4"},
    ]
    found = Results(table, told, "mine")
    assert [row["id"] for row in found.rows] == ["Si", "gone", "bad", "new"]
    assert found.rows[0]["verified_kappa_W_mK"] == 130
    assert (found.rows[3]["kappa_W_mK"], found.rows[3]["verified_status"]) == (9, "unstable")
    assert found.facts | {"rows": 4, "rows_in_all": 4, "verified": 2, "name": "mine"} == found.facts
    assert "_cell_length_a 5.431" in (found.structure(0) or "")
    assert found.structure(1) is None
    json.dumps(found.rows, allow_nan=False)


def test_of_a_large_table_the_lowest_rows_are_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results_module, "MOST", 2)
    rows = [prediction(str(k), "Si", float(k)) for k in (3, 1, 2)]
    found = Results(write_predictions(tmp_path / "t.parquet", rows))
    assert [row["kappa_W_mK"] for row in found.rows] == [1, 2]
    assert found.total == 3
