"""Parts: the same inputs give the same parts, of bounded size."""

from __future__ import annotations

from paraisite.screening import part
from paraisite.screening.part import Part, cut
from paraisite.screening.raw import File, Stored, Unpacked


def test_parts_hold_all_inputs_in_order() -> None:
    inputs = [File(f"{i}.cif") for i in range(10)]
    parts = list(cut(inputs, 4))
    assert [p.index for p in parts] == [0, 1, 2]
    assert [p.size for p in parts] == [4, 4, 2]
    assert [raw for p in parts for raw in p.raw] == inputs
    assert list(cut([], 4)) == []


def test_cutting_is_lazy() -> None:
    parts = cut((File(str(i)) for i in iter(int, 1)), 3)
    assert next(parts).size == 3


def test_row_groups_of_a_store_stand_alone() -> None:
    inputs = [File("a"), Stored("s", 0, 0, 7), Stored("s", 1, 0, 7), File("b"), File("c")]
    assert [p.raw for p in cut(inputs, 4)] == [(inputs[0],), (inputs[1],), (inputs[2],), (inputs[3], inputs[4])]
    assert [p.size for p in cut(inputs, 4)] == [1, 7, 7, 2]


def test_content_that_travels_is_bounded() -> None:
    third = b"\0" * (part.MAX_BYTES // 3 + 1)
    assert [p.size for p in cut([Unpacked("a.tar", str(i), third) for i in range(7)], 100)] == [3, 3, 1]


def test_single_parts_keep_the_number() -> None:
    assert [p.raw[0] for p in Part(5, (File("a"), File("b"))).single()] == [File("a"), File("b")]
    assert Part(5, (Stored("s", 2, 3, 5),)).single() == [
        Part(5, (Stored("s", 2, 3, 4),)),
        Part(5, (Stored("s", 2, 4, 5),)),
    ]
