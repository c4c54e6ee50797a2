"""Arrow arrays from numpy's and back, by their buffers.

`pyarrow.array` and `to_numpy` import pandas where it is installed, which takes longer than all else at the start of a
process.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pyarrow as pa


def numbers(values: np.ndarray, kind: pa.DataType, valid: np.ndarray | None = None) -> pa.Array:
    """Numbers of a type, null where they are not valid."""
    data = pa.py_buffer(np.ascontiguousarray(values, str(kind)))
    return pa.Array.from_buffers(kind, len(values), [_bits(valid), data])


def integers(values: Iterable[int | None], kind: pa.DataType) -> pa.Array:
    """Integers of a type, null where there is none."""
    given = list(values)
    valid = np.array([value is not None for value in given], dtype=bool)
    return numbers(np.array([value or 0 for value in given], dtype=np.int64), kind, valid)


def as_text(value: str) -> str:
    """Return a text as tables hold it: what is not text, such as bytes of an ill-named file, as backslash escapes."""
    return value.encode("utf-8", "backslashreplace").decode()


def texts(values: Iterable[str]) -> pa.Array:
    """Texts; what is not text becomes backslash escapes (see `as_text`)."""
    encoded = [value.encode("utf-8", "backslashreplace") for value in values]
    offsets = pointers(np.array([len(value) for value in encoded], dtype=np.int64))
    buffers = [None, pa.py_buffer(offsets.astype(np.int32)), pa.py_buffer(b"".join(encoded))]
    return pa.Array.from_buffers(pa.string(), len(encoded), buffers)


def lists(counts: np.ndarray, values: pa.Array, valid: np.ndarray | None = None) -> pa.Array:
    """Lists of `counts` values each, one after the other; null where they are not valid."""
    buffers = [_bits(valid), pa.py_buffer(pointers(counts).astype(np.int32))]
    return pa.Array.from_buffers(pa.list_(values.type), len(counts), buffers, children=[values])


def to_numpy(column: pa.Array) -> np.ndarray:
    """Return the values of an array of numbers without nulls."""
    return np.from_dlpack(column) if len(column) else np.zeros(0, str(column.type))


def floats(column: pa.ChunkedArray | pa.Array) -> np.ndarray:
    """Return numbers as float64, NaN where there is none, shape (len(column),)."""
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    found = np.full(len(column), np.nan)
    found[to_numpy(column.is_valid().cast("int8")).astype(bool)] = to_numpy(column.drop_null().cast(pa.float64()))
    return found


def pointers(counts: np.ndarray) -> np.ndarray:
    """Where each of some runs of values begins, and where the last ends, shape (len(counts) + 1,)."""
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(counts, dtype=np.int64)])


def _bits(valid: np.ndarray | None) -> pa.Buffer | None:
    return None if valid is None else pa.py_buffer(np.packbits(valid, bitorder="little"))
