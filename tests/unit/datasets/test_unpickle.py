"""Honest pickles: what `read_pickle` makes of them, for every protocol, against Python's own `pickle`."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from paraisite.crystals.crystal import Crystal
from paraisite.datasets.study_pickles import STUDY_NAMES, read_study
from paraisite.datasets.table import DatasetError
from paraisite.datasets.unpickle import Record, read_pickle, to_scalar, to_values

PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)
DATA = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary(max_size=300),
    lambda inner: st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(st.text(), inner),
    max_leaves=20,
)


def reread(value: Any, protocol: int, tmp_path: Path) -> Any:
    path = tmp_path / "x.pkl"
    path.write_bytes(pickle.dumps(value, protocol))
    return read_pickle(path, STUDY_NAMES)


@given(value=DATA, protocol=st.sampled_from(PROTOCOLS))
def test_plain_data_come_back(value: Any, protocol: int, tmp_path_factory: pytest.TempPathFactory) -> None:
    assert reread(value, protocol, tmp_path_factory.getbasetemp()) == value


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_parts_that_are_shared_stay_shared(protocol: int, tmp_path: Path) -> None:
    inner = ["x"]
    outer: list[Any] = [inner, inner, 500 * [inner]]
    outer.append(outer)
    found = reread(outer, protocol, tmp_path)
    assert found[0] is found[1] is found[2][499]
    assert found[3] is found
    recursive: tuple[Any, ...] = ([],)
    recursive[0].append(recursive)  # picklers write these with POP and POP_MARK
    found = reread(recursive, protocol, tmp_path)
    assert found[0][0] is found


@pytest.mark.parametrize("protocol", PROTOCOLS)
@pytest.mark.parametrize(
    "array",
    [
        np.arange(6.0).reshape(2, 3),
        np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        np.arange(6.0).reshape(3, 2).T[:, ::2],
        np.arange(4, dtype=">i4"),
        np.arange(4, dtype="u1"),
        np.array([True, False]),
        np.float32([1.5, np.nan]),
        np.array(3.5),
        np.empty((0, 3)),
    ],
    ids=lambda array: f"{array.dtype} {array.shape}",
)
def test_arrays_come_back(array: np.ndarray, protocol: int, tmp_path: Path) -> None:
    found = to_values(reread(array, protocol, tmp_path))
    assert isinstance(found, np.ndarray)
    assert found.dtype == array.dtype
    assert found.shape == array.shape
    np.testing.assert_array_equal(found, array)
    assert not found.flags.writeable  # a view of the file: a block that is named again and again takes no memory


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_arrays_of_objects_become_lists(protocol: int, tmp_path: Path) -> None:
    array = np.array([["a", 1, None], ["b", 2.5, "c"]], dtype=object)
    assert to_values(reread(array, protocol, tmp_path)) == [["a", 1, None], ["b", 2.5, "c"]]
    assert to_values(reread(np.asfortranarray(array), protocol, tmp_path)) == [["a", 1, None], ["b", 2.5, "c"]]
    assert to_values(reread(array[:, 0], protocol, tmp_path)) == ["a", "b"]


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_scalars(protocol: int, tmp_path: Path) -> None:
    found = reread([np.float64(2.5), np.int64(-7), "x"], protocol, tmp_path)
    assert [to_scalar(value) for value in found] == [2.5, -7, "x"]
    assert [type(to_scalar(value)) for value in found] == [float, int, str]


@pytest.mark.parametrize("array", [np.array(["a"]), np.array([1j]), np.array(["2020"], "M8[D]"), np.zeros(2, "f8,i4")])
def test_other_arrays_are_refused(array: np.ndarray, tmp_path: Path) -> None:
    with pytest.raises((ValueError, DatasetError), match=r"of type|names '|impossible"):
        to_values(reread(array, 4, tmp_path))


def test_shapes_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    found = reread(np.arange(6.0), 4, tmp_path)
    assert isinstance(found, Record)
    state = found.state
    for shape in ((7,), (-6,), (2, 3, 1, 1, 1), (1 << 70,), ("6",), [6]):
        found.state = (state[0], shape, *state[2:])
        with pytest.raises(ValueError, match="shape"):
            to_values(found)
    for broken in (None, (), state[:4], (*state[:4], [1.0] * 6), (*state[:4], None), (*state[:2], None, *state[3:])):
        found.state = broken
        with pytest.raises(ValueError, match="array"):
            to_values(found)


def test_files_that_are_not_there_or_no_pickles(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"absent\.pkl: there is no such file"):
        read_pickle(tmp_path / "absent.pkl")
    with pytest.raises(DatasetError, match="there is no such file"):
        read_pickle(tmp_path)
    (tmp_path / "x.pkl").write_text("\nhello")
    with pytest.raises(DatasetError, match=r"x\.pkl: not a pickle; export the data as id_prop"):
        read_pickle(tmp_path / "x.pkl")


def test_every_truncation_is_noticed(tmp_path: Path) -> None:
    whole = pickle.dumps({"a": [np.arange(3.0), 2.5], "b": ("x", 1)})
    path = tmp_path / "x.pkl"
    for n in range(len(whole)):
        path.write_bytes(whole[:n])
        with pytest.raises(DatasetError, match=r"cut off or damaged|not a pickle"):
            read_pickle(path)


# structures, as the installed pymatgen and pandas write them


def structures() -> list[Any]:
    core = pytest.importorskip("pymatgen.core")
    lattice = core.Lattice.from_parameters(4.1, 5.2, 6.3, 80, 95, 102)
    plain = core.Structure(lattice, ["Cs", "Cl"], [[0, 0, 0], [0.5, 0.49, 1.51]])
    charged = core.Structure(lattice, ["Mg2+", "O2-"], [[0, 0, 0], [0.5, 0.5, 0.5]], site_properties={"magmom": [0, 1]})
    mixed = core.Structure(lattice, [{"Na": 0.5, "K": 0.5}, "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    overlapping = core.Structure(lattice, ["Cs", "Cl"], [[0, 0, 0], [0.01, 0, 0]])
    return [plain, charged, mixed, overlapping]


def dump(path: Path, value: Any, protocol: int = 4) -> Path:
    path.write_bytes(pickle.dumps(value, protocol))
    return path


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_structures_and_values(protocol: int, tmp_path: Path) -> None:
    given = structures()
    data = read_study(
        dump(tmp_path / "structures_mine.pkl", given, protocol),
        dump(tmp_path / "TC.pkl", [1.5, np.float64(2.5), 3.5, 4.5], protocol),
    )
    assert data.name == "mine"
    assert data.ids == ("mine-1", "mine-2")
    assert data.kappa.tolist() == [1.5, 2.5]
    for crystal, structure in zip(data.crystals, given[:2], strict=True):
        expected = Crystal.from_pymatgen(structure)
        np.testing.assert_array_equal(crystal.cell, expected.cell)
        np.testing.assert_array_equal(crystal.positions, expected.positions)
        np.testing.assert_array_equal(crystal.numbers, expected.numbers)
    place = f"{tmp_path / 'structures_mine.pkl'}::row"
    assert [rejection.source for rejection in data.rejections] == [f"{place} 3", f"{place} 4"]
    assert "site 1 is disordered: Na0.5K0.5" in data.rejections[0].reason
    assert "overlap" in data.rejections[1].reason


def frame(**columns: Any) -> Any:
    """A frame whose texts are objects, as pandas 1 and 2 have them."""
    pd = pytest.importorskip("pandas")
    made = pd.DataFrame({name: _column(values) for name, values in columns.items()})
    made.columns = pd.Index(list(columns), dtype=object)
    return made


def _column(values: list[Any]) -> Any:
    import pandas as pd

    plain = all(isinstance(value, (int, float)) for value in values)
    return pd.Series(values, dtype=None if plain else object)


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_a_frame_by_itself(protocol: int, tmp_path: Path) -> None:
    one, two, *_ = structures()
    table = frame(
        mpd_id=[149, 22922, 7], TC=[1.25, 2.5, -1.0], formula=["a", "b", "c"], structure=[one, two, one], gap=[1, 2, 3]
    )
    data = read_study(dump(tmp_path / "mine.pkl", table, protocol))
    assert data.ids == ("mp-149", "mp-22922")
    assert {target: values.tolist() for target, values in data.targets.items()} == {"kappa": [1.25, 2.5], "gap": [1, 2]}
    assert [(rejection.id, rejection.reason) for rejection in data.rejections] == [
        ("mp-7", "kappa is -1.0, but must be positive and finite; correct it or delete the row")
    ]


def test_ids_of_all_kinds(tmp_path: Path) -> None:
    one, *_ = structures()
    ids = ["mp-5", "6", "mvc-7", 8, np.int64(9), 10.0, None, "a\nb", "mp-5"]
    table = frame(mpd_id=ids, TC=[1.0] * 9, structure=[one] * 9)
    data = read_study(dump(tmp_path / "mine.pkl", table))
    assert data.ids == ("mp-5", "mp-6", "mvc-7", "mp-8", "mp-9", "mp-10", "mine-7", "mine-8")
    assert [rejection.reason for rejection in data.rejections] == [
        "the id stands in row 1 already; keep one of the two rows"
    ]


def test_files_that_do_not_fit(tmp_path: Path) -> None:
    one, two, *_ = structures()
    both, first = dump(tmp_path / "structures_x.pkl", [one, two]), dump(tmp_path / "first.pkl", [one])
    values, table = dump(tmp_path / "v.pkl", [1.0, 2.0]), dump(tmp_path / "x.pkl", frame(mpd_id=[1, 2], TC=[1.0, 2.0]))
    swapped = dump(tmp_path / "swapped.pkl", frame(mpd_id=[1, 2], TC=[1.0, 2.0], structure=[two, one]))
    with pytest.raises(DatasetError, match=r"structures_x\.pkl: no conductivities, structures only; give the pickle"):
        read_study(both)
    with pytest.raises(DatasetError, match=r"v\.pkl: holds no structures; give the pickle with the list"):
        read_study(values)
    with pytest.raises(DatasetError, match=r"not hold the same number of rows \(1 in .*first\.pkl, 2 in .*v\.pkl\)"):
        read_study(first, values)
    with pytest.raises(DatasetError, match="row 1 is not the same crystal in both"):
        read_study(both, swapped)
    with pytest.raises(DatasetError, match="no conductivities, only the columns 'mpd_id', 'TC'"):
        read_study(both, table, kappa_column="klat")
    with pytest.raises(DatasetError, match=r"no row can be read: row 1: kappa is not a number"):
        read_study(both, dump(tmp_path / "text.pkl", ["1.0", None]))
    with pytest.raises(DatasetError, match="not a list of structures or values, nor a frame"):
        read_study(dump(tmp_path / "dict.pkl", {"TC": 1.0}))
    assert read_study(values, both).ids == ("v-1", "v-2")  # either order
    assert read_study(both, table).ids == ("mp-1", "mp-2")


def test_a_row_that_is_no_structure(tmp_path: Path) -> None:
    one, *_ = structures()
    data = read_study(dump(tmp_path / "structures_x.pkl", [None, one, 3.5]), dump(tmp_path / "v.pkl", [1.0, 2.0, 3.0]))
    assert data.ids == ("x-2",)
    assert {rejection.reason for rejection in data.rejections} == {"the row holds no pymatgen structure; give one"}
