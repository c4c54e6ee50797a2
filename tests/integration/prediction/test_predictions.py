"""`paraisite.predict`: anything in, one answer or a list that is a data frame when asked."""

from __future__ import annotations

import builtins
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest
from ase.build import bulk

import paraisite
from paraisite.prediction import Prediction, Predictions
from paraisite.prediction.predictions import html_table

EXAMPLES = Path(__file__).resolve().parents[3] / "src/paraisite/examples/crystals"


def test_the_package_imports_nothing_heavy() -> None:
    code = "import paraisite, sys; print(sorted({'torch', 'numpy', 'pyarrow', 'typer'} & sys.modules.keys()))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
    assert {"predict", "datasets", "plots", "sklearn"} <= set(dir(paraisite))
    with pytest.raises(AttributeError):
        _ = paraisite.nothing


def test_one_object_one_answer_and_many_a_list() -> None:
    one = paraisite.predict(bulk("Si"))
    assert isinstance(one, Prediction)
    assert 50 < one.kappa_W_mK < 300  # type: ignore[operator]
    assert paraisite.predict(EXAMPLES / "MgO.cif", ids="mine").id == "mine"
    assert paraisite.predict(None).status == "rejected"
    many = paraisite.predict([bulk("Si")])
    assert isinstance(many, Predictions)
    assert many[0] == one
    for several in (EXAMPLES, str(EXAMPLES / "MgO.cif*")):  # whatever they hold today
        assert isinstance(paraisite.predict(several), Predictions)
    with pytest.raises(ValueError, match="1 ids for 2 inputs"):
        paraisite.predict([None, None], ids=["a"])


@pytest.fixture(scope="module")
def rows() -> Predictions:
    inputs = [EXAMPLES / "MgO.cif", None, bulk("Si")]
    found = paraisite.predict(inputs, ids=["a", "none", "<b>"], properties=["debye_temperature"], temperatures=[700])
    assert isinstance(found, Predictions)
    return found


def test_frames_have_a_column_for_each_property(rows: Predictions) -> None:
    pandas = pytest.importorskip("pandas")
    frame = rows.to_frame()
    assert isinstance(frame, pandas.DataFrame)
    assert frame.id.tolist() == ["a", "none", "<b>"]
    assert frame.status.tolist()[1] == "rejected"
    assert frame.n_sites.tolist() == [8, pandas.NA, 2]
    assert frame.kappa_W_mK.isna().tolist() == [False, True, False]
    assert frame.debye_temperature_K[0] == rows[0].properties["debye_temperature_K"]
    assert {"kappa_700K_W_mK", "kappa_700K_low_W_mK"} <= set(frame.columns)
    assert rows[:1].to_frame().shape == (1, frame.shape[1])
    assert Predictions([], rows.options).to_frame().shape == (0, frame.shape[1])


def test_polars_through_arrow(rows: Predictions) -> None:
    polars = pytest.importorskip("polars")
    assert rows.to_frame("polars").equals(polars.from_arrow(rows.to_arrow()))


def test_without_pandas_the_error_says_what_to_do(rows: Predictions, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def refuse(name: str, *rest: object) -> object:
        if name == "pandas":
            raise ImportError(name)
        return real(name, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(ImportError, match="pip install pandas"):
        rows.to_frame()
    assert isinstance(rows.to_arrow(), pa.Table)


def test_notebooks_show_a_table(rows: Predictions) -> None:
    text = rows._repr_html_()
    assert text.count("<tr>") == 4
    assert "&lt;b&gt;" in text
    assert "<b>" not in text
    assert text.count("<svg") == 2
    assert "1 more rows" in html_table(Predictions([rows[0]] * 26))
    assert "<th>kappa_high_W_mK</th>" in rows[0]._repr_html_()
    assert "&lt;b&gt;" in rows[2]._repr_html_()


def test_progress_is_one_line(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("paraisite.prediction.progress.AFTER", -1.0)
    assert [row.id for row in paraisite.predict([None, None], ids=["a", "b"], progress=True)] == ["a", "b"]
    assert "\r1 of 2 crystals" in capsys.readouterr().err
    paraisite.predict([None, None], progress=False)
    assert capsys.readouterr().err == ""
