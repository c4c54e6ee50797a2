"""Arrow arrays by their buffers are what pyarrow makes, and pandas stays out."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pyarrow as pa
import pytest

from paraisite.files import arrow


def test_numbers() -> None:
    assert arrow.numbers(np.array([1.0, 2.0]), pa.float64()).equals(pa.array([1.0, 2.0]))
    assert arrow.numbers(np.array([3.0, 4.0], np.float32), pa.uint16()).equals(pa.array([3, 4], pa.uint16()))
    valid = np.array([True, False, True] * 5)
    found = arrow.numbers(np.arange(15), pa.int32(), valid)
    assert found.to_pylist() == [i if v else None for i, v in enumerate(valid)]
    assert arrow.numbers(np.zeros(0), pa.float64()).to_pylist() == []
    assert arrow.numbers(np.arange(10)[::2], pa.int64()).to_pylist() == [0, 2, 4, 6, 8]


def test_integers() -> None:
    assert arrow.integers([1, None, 3], pa.int32()).equals(pa.array([1, None, 3], pa.int32()))


def test_texts() -> None:
    assert arrow.texts(["a", "", "ñ結", "b"]).equals(pa.array(["a", "", "ñ結", "b"]))
    assert arrow.texts(["\udcff"]).to_pylist() == ["\\udcff"]
    assert arrow.texts([]).to_pylist() == []


def test_lists() -> None:
    values = arrow.numbers(np.arange(3), pa.uint8())
    found = arrow.lists(np.array([2, 0, 0, 1]), values, np.array([True, False, True, True]))
    assert found.equals(pa.array([[0, 1], None, [], [2]], pa.list_(pa.uint8())))


def test_floats_have_nan_where_there_is_none() -> None:
    column = pa.chunked_array([[1.0, None], [2.5]])
    np.testing.assert_array_equal(arrow.floats(column), [1.0, np.nan, 2.5])
    np.testing.assert_array_equal(arrow.floats(pa.array([None, 2], pa.int32())), [np.nan, 2.0])
    assert arrow.floats(pa.array([], pa.float64())).shape == (0,)


def test_pandas_is_not_imported() -> None:
    pytest.importorskip("pandas", reason="without it there is nothing to keep out")
    script = (
        "import sys, numpy as np, pyarrow as pa\nfrom paraisite.files import arrow\n"
        "ones = arrow.numbers(np.ones(1), pa.float64())\n"
        "columns = [arrow.texts(['a']), arrow.integers([None], pa.int32()), arrow.lists(np.array([1]), ones)]\n"
        "table = pa.table(columns, names=['a', 'b', 'c'])\n"
        "arrow.floats(table.column('b'))\nprint('pandas' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, text=True).stdout == "False\n"
