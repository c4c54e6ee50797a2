"""`GraphBatch`: picking, joining and cutting."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from make_crystals import some_crystals, supercell

from paraisite.graphs import GraphBatch, build

EXAMPLES = settings(max_examples=25, deadline=None)
CRYSTALS = [*some_crystals(), supercell(some_crystals()[0], (2, 2, 2))]
PLAIN, MERGED = (build(CRYSTALS, tolerance=t)[0] for t in (None, 1e-3))
MERGED = replace(MERGED, descriptors=np.random.default_rng(0).normal(size=(len(MERGED), 3)))
EITHER = st.sampled_from([PLAIN, MERGED])
INDICES = st.lists(st.integers(0, len(CRYSTALS) - 1), max_size=12)


def assert_equal(a: GraphBatch, b: GraphBatch) -> None:
    for name in GraphBatch.__slots__:
        left, right = getattr(a, name), getattr(b, name)
        assert (left is None) == (right is None), name
        if left is None:
            continue
        assert left.dtype == right.dtype, name
        np.testing.assert_array_equal(left, right, err_msg=name)


@EXAMPLES
@given(EITHER, INDICES)
def test_take_picks_graphs_in_order_with_repeats(batch: GraphBatch, indices: list[int]) -> None:
    taken = batch.take(indices)
    assert len(taken) == len(indices)
    assert taken.n_nodes == sum(int(batch.node_ptr[i + 1] - batch.node_ptr[i]) for i in indices)
    for position, i in enumerate(indices):
        assert_equal(taken.take([position]), batch.take([i]))


@EXAMPLES
@given(EITHER, INDICES.filter(bool))
def test_take_is_the_concatenation_of_single_graphs(batch: GraphBatch, indices: list[int]) -> None:
    assert_equal(batch.take(indices), GraphBatch.concat([batch.take([i]) for i in indices]))


@EXAMPLES
@given(EITHER, INDICES, st.data())
def test_take_of_take(batch: GraphBatch, first: list[int], data: st.DataObject) -> None:
    second = data.draw(st.lists(st.integers(0, len(first) - 1))) if first else []
    assert_equal(batch.take(first).take(second), batch.take([first[i] for i in second]))


@pytest.mark.parametrize("batch", [PLAIN, MERGED], ids=["plain", "merged"])
def test_take_all_is_the_batch(batch: GraphBatch) -> None:
    assert_equal(batch.take(range(len(batch))), batch)
    assert_equal(batch.take(np.arange(len(batch), dtype=np.int32)), batch)


def test_take_nothing() -> None:
    empty = PLAIN.take([])
    assert (len(empty), empty.n_nodes, empty.n_edges) == (0, 0, 0)


def test_take_beyond_the_end() -> None:
    with pytest.raises(IndexError):
        PLAIN.take([len(PLAIN)])


@EXAMPLES
@given(EITHER, st.lists(st.integers(0, len(CRYSTALS)), max_size=4).map(sorted))
def test_concat_undoes_a_cut(batch: GraphBatch, cuts: list[int]) -> None:
    parts = [batch.take(range(a, b)) for a, b in itertools.pairwise([0, *cuts, len(batch)])]
    assert_equal(GraphBatch.concat(parts), batch)


def test_concat_of_nothing() -> None:
    with pytest.raises(ValueError, match="empty list"):
        GraphBatch.concat([])


@EXAMPLES
@given(EITHER, INDICES, st.integers(1, 1500))
def test_split_by_edges_covers_each_graph_once_within_the_limit(
    batch: GraphBatch, indices: list[int], limit: int
) -> None:
    batch = batch.take(indices)
    parts = list(batch.split_by_edges(limit))
    assert [i for part in parts for i in range(part.start, part.stop)] == list(range(len(batch)))
    counts = batch.edge_counts
    for part in parts:
        assert counts[part].sum() <= limit or part.stop - part.start == 1
    # greedy: no part could have taken the first graph of the next one
    for part, after in itertools.pairwise(parts):
        assert counts[part].sum() + counts[after.start] > limit


def test_split_by_edges_of_nothing() -> None:
    assert list(PLAIN.take([]).split_by_edges(10)) == []


def test_counts() -> None:
    assert len(PLAIN) == len(CRYSTALS)
    assert PLAIN.n_nodes == sum(c.n_sites for c in CRYSTALS)
    np.testing.assert_array_equal(
        PLAIN.edge_counts, np.bincount(np.searchsorted(PLAIN.edge_ptr, np.arange(PLAIN.n_edges), side="right") - 1)
    )
