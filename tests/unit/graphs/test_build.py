"""Crystals to batches: order, rejections, contents."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from make_crystals import CUTOFF, crystals, cubic, isolated, known_crystals, permute, some_crystals, supercell

from paraisite.crystals.crystal import Crystal
from paraisite.graphs import GraphBatch, build
from paraisite.graphs.neighbours import find_neighbours

EXAMPLES = settings(max_examples=25, deadline=None)
MODES = pytest.mark.parametrize("tolerance", [None, 1e-3], ids=["plain", "merged"])


def assert_consistent(batch: GraphBatch) -> None:
    """What the docstring of `GraphBatch` promises of any batch."""
    assert batch.node_ptr[0] == batch.edge_ptr[0] == 0
    assert batch.node_ptr[-1] == batch.n_nodes == len(batch.node_weight)
    assert batch.edge_ptr[-1] == batch.n_edges == len(batch.dst) == len(batch.distance) == len(batch.edge_weight)
    assert (np.diff(batch.node_ptr) > 0).all()
    assert (np.diff(batch.edge_ptr) > 0).all()
    assert (np.diff(batch.dst) >= 0).all()
    crystal_of_node = np.repeat(np.arange(len(batch)), np.diff(batch.node_ptr))
    crystal_of_edge = np.repeat(np.arange(len(batch)), batch.edge_counts)
    np.testing.assert_array_equal(crystal_of_node[batch.src], crystal_of_edge)
    np.testing.assert_array_equal(crystal_of_node[batch.dst], crystal_of_edge)
    assert (batch.node_weight >= 1).all()
    assert (batch.edge_weight >= 1).all()
    assert batch.numbers.dtype == batch.src.dtype == batch.dst.dtype == batch.node_ptr.dtype == np.int64
    assert batch.edge_ptr.dtype == np.int64
    assert batch.node_weight.dtype == batch.edge_weight.dtype == np.float32
    assert batch.distance.dtype == np.float64


@EXAMPLES
@given(crystals())
def test_the_plain_graph_is_the_neighbour_list(crystal: Crystal) -> None:
    found = find_neighbours(crystal, CUTOFF)
    graphs, kept, rejections = build([crystal], tolerance=None)
    if not len(found.src):
        assert (len(graphs), list(kept), list(rejections)) == (0, [], [0])
        return
    assert_consistent(graphs)
    np.testing.assert_array_equal(graphs.numbers, crystal.numbers)
    np.testing.assert_array_equal(graphs.src, found.src)
    np.testing.assert_array_equal(graphs.dst, found.dst)
    np.testing.assert_array_equal(graphs.distance, found.distance)
    assert (graphs.node_weight == 1).all()
    assert (graphs.edge_weight == 1).all()


@MODES
@EXAMPLES
@given(data=st.data())
def test_batches_of_random_crystals_are_consistent(tolerance: float | None, data: st.DataObject) -> None:
    many = data.draw(st.lists(crystals(), min_size=1, max_size=4))
    graphs, kept, rejections = build(many, tolerance=tolerance)
    if len(graphs):
        assert_consistent(graphs)
    assert sorted([*kept.tolist(), *rejections]) == list(range(len(many)))


@MODES
def test_prototypes_are_consistent(tolerance: float | None) -> None:
    graphs, kept, rejections = build(some_crystals(), tolerance=tolerance)
    assert_consistent(graphs)
    assert kept.tolist() == list(range(len(some_crystals())))
    assert rejections == {}


@MODES
def test_a_crystal_without_neighbours_is_rejected_and_the_others_stay_in_order(tolerance: float | None) -> None:
    good = known_crystals()[:3]
    mixed = [isolated("Ar"), good[0], isolated("Ne"), good[1], good[2], isolated("Kr")]
    graphs, kept, rejections = build(mixed, tolerance=tolerance)
    assert kept.tolist() == [1, 3, 4]
    assert sorted(rejections) == [0, 2, 5]
    alone = build(good, tolerance=tolerance)[0]
    for name in GraphBatch.__slots__:
        np.testing.assert_array_equal(getattr(graphs, name), getattr(alone, name))


def test_a_rejection_says_what_and_where() -> None:
    rejection = build([cubic("sc", "Cu", 3.0), isolated("Ar")])[2][1]
    assert (rejection.id, rejection.source, rejection.formula) == ("isolated-Ar", "alone.cif", "Ar")
    assert (rejection.n_sites, rejection.n_elements) == (1, 1)
    assert "closer than 4 Å" in rejection.reason
    assert "check" in rejection.reason


@MODES
def test_nothing_usable(tolerance: float | None) -> None:
    for crystals_, n_rejected in (([], 0), ([isolated(), isolated("Ne")], 2)):
        graphs, kept, rejections = build(crystals_, tolerance=tolerance)
        assert (len(graphs), graphs.n_nodes, graphs.n_edges, len(kept)) == (0, 0, 0, 0)
        assert len(rejections) == n_rejected


def test_the_cutoff_is_an_option() -> None:
    crystal = cubic("fcc", "Cu", 3.62)
    assert build([crystal], tolerance=None, cutoff=3.0)[0].n_edges == 12
    assert build([crystal], tolerance=None)[0].n_edges == 18
    graphs, _, rejections = build([crystal], cutoff=2.5)
    assert len(graphs) == 0
    assert "2.5 Å" in rejections[0].reason


@MODES
def test_a_batch_is_its_crystals_one_after_the_other(tolerance: float | None) -> None:
    many = [*some_crystals(), supercell(cubic("rocksalt", "Mg O", 4.25), (2, 2, 1))]
    together = build(many, tolerance=tolerance)[0]
    apart = GraphBatch.concat([build([c], tolerance=tolerance)[0] for c in many])
    for name in GraphBatch.__slots__:
        np.testing.assert_array_equal(getattr(together, name), getattr(apart, name))


@MODES
def test_site_order_only_reorders_nodes(tolerance: float | None) -> None:
    crystal = supercell(cubic("half_heusler", "Ti Ni Sn", 5.94), (2, 1, 1))
    order = np.random.default_rng(0).permutation(crystal.n_sites)
    a, b = (build([c], tolerance=tolerance)[0] for c in (crystal, permute(crystal, order)))
    assert sorted(zip(a.numbers, a.node_weight, strict=True)) == sorted(zip(b.numbers, b.node_weight, strict=True))
    np.testing.assert_allclose(np.sort(a.distance), np.sort(b.distance), atol=1e-9)
    np.testing.assert_array_equal(np.sort(a.edge_weight), np.sort(b.edge_weight))
