"""Merging of equal sites and edges."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from make_crystals import crystals, cubic, shake, some_crystals, supercell, wurtzite

from paraisite.crystals.crystal import Crystal
from paraisite.graphs import TOLERANCE, GraphBatch, build
from paraisite.graphs.merge import MAX_CLASS_WIDTH, ROUNDS, merge

EXAMPLES = settings(max_examples=25, deadline=None)

# name: crystal, nodes, edges of the merged graph (the shells of each site within 4 Å)
SYMMETRIC = {
    "rocksalt": (cubic("rocksalt", "Mg O", 4.25), 2, 2 * 3),  # 6 unlike, 12 like, 8 unlike at 3.68 Å
    "diamond": (cubic("zincblende", "C C", 3.57), 1, 5),
    "silicon": (cubic("zincblende", "Si Si", 5.469), 1, 2),
    "zincblende": (cubic("zincblende", "Ga As", 5.75), 2, 2),  # like atoms are 4.07 Å apart
    "fcc": (cubic("fcc", "Cu", 3.62), 1, 2),
    "bcc": (cubic("bcc", "Fe", 2.83), 1, 2),
    "sc": (cubic("sc", "Po", 3.35), 1, 1),
    "cscl": (cubic("cscl", "Cs Cl", 4.1437), 2, 2),
    "half-heusler": (cubic("half_heusler", "Ti Ni Sn", 5.94), 3, 6),  # Ti-Sn 2.97; Ni to Ti and Sn 2.57
    "perovskite": (cubic("perovskite", "Sr Ti O O O", 3.94), 3, 10),
    "wurtzite": (wurtzite("Zn", "O", 3.25, 5.2, 0.38), 2, None),
}


def counts(graphs: GraphBatch) -> dict[str, list[float]]:
    """Sites, edges and distances of each crystal, multiplicities counted."""
    total = graphs.edge_weight * graphs.node_weight[graphs.dst]
    return {
        "sites": np.add.reduceat(graphs.node_weight, graphs.node_ptr[:-1]).tolist(),
        "edges": np.add.reduceat(total, graphs.edge_ptr[:-1]).tolist(),
        "electrons": np.add.reduceat(graphs.node_weight * graphs.numbers, graphs.node_ptr[:-1]).tolist(),
    }


def degrees(graphs: GraphBatch) -> list[tuple[int, int, int]]:
    """Element and number of arriving edges of every site, sorted within each crystal."""
    degree = np.bincount(graphs.dst, weights=graphs.edge_weight, minlength=graphs.n_nodes).astype(int)
    crystal = np.repeat(np.arange(len(graphs)), np.diff(graphs.node_ptr))
    rows = np.column_stack([crystal, graphs.numbers, degree])
    return sorted(map(tuple, np.repeat(rows, graphs.node_weight.astype(int), axis=0).tolist()))


def distances(graphs: GraphBatch) -> np.ndarray:
    """Length of every edge of every crystal, multiplicities counted, sorted within each crystal."""
    repeats = (graphs.edge_weight * graphs.node_weight[graphs.dst]).astype(int)
    crystal = np.repeat(np.arange(len(graphs)), graphs.edge_counts)
    length, crystal = np.repeat(graphs.distance, repeats), np.repeat(crystal, repeats)
    return length[np.lexsort((length, crystal))]


def assert_same_crystal(plain: GraphBatch, merged: GraphBatch, tolerance: float) -> None:
    assert counts(merged) == counts(plain)
    assert degrees(merged) == degrees(plain)
    np.testing.assert_allclose(distances(merged), distances(plain), rtol=0, atol=MAX_CLASS_WIDTH * tolerance)
    assert (np.diff(merged.node_ptr) <= np.diff(plain.node_ptr)).all()
    assert (merged.edge_counts <= plain.edge_counts).all()


@EXAMPLES
@given(st.lists(crystals(), min_size=1, max_size=3), st.sampled_from([1e-6, 1e-3, 0.05]))
def test_random_crystals_keep_their_counts(many: list[Crystal], tolerance: float) -> None:
    plain = build(many, tolerance=None)[0]
    if len(plain):
        assert_same_crystal(plain, merge(plain, tolerance), tolerance)


@EXAMPLES
@given(st.sampled_from(some_crystals()), st.tuples(*[st.integers(1, 2)] * 3), st.integers(0, 9))
def test_shaken_supercells_keep_their_counts(crystal: Crystal, repeats: tuple[int, int, int], seed: int) -> None:
    # a tenth of the tolerance, as from the rounding of coordinates in a CIF
    shaken = shake(supercell(crystal, repeats), 1e-4, seed)
    plain = build([shaken], tolerance=None)[0]
    assert_same_crystal(plain, merge(plain, TOLERANCE), TOLERANCE)


@pytest.mark.parametrize("name", SYMMETRIC)
def test_symmetric_crystals_have_one_node_for_each_kind_of_site(name: str) -> None:
    crystal, nodes, edges = SYMMETRIC[name]
    merged = build([crystal])[0]
    assert merged.n_nodes == nodes
    assert edges is None or merged.n_edges == edges
    assert_same_crystal(build([crystal], tolerance=None)[0], merged, TOLERANCE)


@pytest.mark.parametrize("name", SYMMETRIC)
def test_a_supercell_merges_to_the_same_graph(name: str) -> None:
    crystal = SYMMETRIC[name][0]
    once, many = (build([c])[0] for c in (crystal, supercell(crystal, (3, 1, 2))))
    np.testing.assert_array_equal(many.numbers, once.numbers)
    np.testing.assert_array_equal(many.node_weight, 6 * once.node_weight)
    np.testing.assert_array_equal(many.dst, once.dst)
    np.testing.assert_array_equal(many.edge_weight, once.edge_weight)
    np.testing.assert_allclose(many.distance, once.distance, atol=1e-9)


@pytest.mark.parametrize("name", SYMMETRIC)
def test_rounded_coordinates_still_merge(name: str) -> None:
    crystal, nodes, _ = SYMMETRIC[name]
    assert build([shake(supercell(crystal, (2, 1, 1)), 5e-5, 1)])[0].n_nodes == nodes


def test_edge_multiplicities_of_rocksalt() -> None:
    merged = build([cubic("rocksalt", "Mg O", 4.25)])[0]
    shells = sorted(zip(merged.dst, merged.src, merged.distance.round(4), merged.edge_weight, strict=True))
    near, far, diagonal = (round(4.25 * x, 4) for x in (0.5, 0.5**0.5, 0.75**0.5))
    assert shells == [
        (0, 0, far, 12), (0, 1, near, 6), (0, 1, diagonal, 8),
        (1, 0, near, 6), (1, 0, diagonal, 8), (1, 1, far, 12),
    ]  # fmt: skip


@EXAMPLES
@given(crystals())
def test_as_many_edges_from_a_to_b_as_from_b_to_a(crystal: Crystal) -> None:
    merged = build([supercell(crystal, (1, 2, 1))], tolerance=1e-6)[0]
    if not len(merged):
        return
    flow = np.zeros((merged.n_nodes, merged.n_nodes))
    np.add.at(flow, (merged.src, merged.dst), merged.edge_weight * merged.node_weight[merged.dst])
    np.testing.assert_array_equal(flow, flow.T)


def test_crystals_of_a_batch_do_not_merge_with_each_other() -> None:
    crystal = cubic("rocksalt", "Mg O", 4.25)
    merged = build([crystal, crystal, crystal])[0]
    assert np.diff(merged.node_ptr).tolist() == [2, 2, 2]
    assert np.diff(merged.edge_ptr).tolist() == [6, 6, 6]


def test_merging_twice_changes_nothing() -> None:
    # a merged graph is no plain one, but with every multiplicity forgotten its sites remain distinguishable
    merged = build([cubic("half_heusler", "Ti Ni Sn", 5.94)])[0]
    plain = replace(merged, node_weight=np.ones_like(merged.node_weight), edge_weight=np.ones_like(merged.edge_weight))
    again = merge(plain, TOLERANCE)
    assert (again.n_nodes, again.n_edges) == (merged.n_nodes, merged.n_edges)


def _star(lengths: np.ndarray) -> GraphBatch:
    """One site with edges to itself of the given lengths."""
    n = len(lengths)
    return GraphBatch(
        numbers=np.array([29]), node_weight=np.ones(1, np.float32), node_ptr=np.array([0, 1]),
        src=np.zeros(n, np.int64), dst=np.zeros(n, np.int64), distance=lengths,
        edge_weight=np.ones(n, np.float32), edge_ptr=np.array([0, n]),
    )  # fmt: skip


@pytest.mark.parametrize("tolerance", [1e-3, 1e-2])
@pytest.mark.parametrize("step", [0.05, 0.5, 0.9])
def test_a_long_chain_of_tiny_gaps_does_not_collapse(tolerance: float, step: float) -> None:
    lengths = np.random.default_rng(0).permutation(2.0 + np.arange(400) * step * tolerance)
    merged = merge(_star(lengths), tolerance)
    span = lengths.max() - lengths.min()
    assert merged.n_edges >= span / (MAX_CLASS_WIDTH * tolerance)
    assert merged.n_edges < 400
    assert merged.edge_weight.sum() == 400
    restored = np.sort(np.repeat(merged.distance, merged.edge_weight.astype(int)))
    np.testing.assert_allclose(restored, np.sort(lengths), rtol=0, atol=MAX_CLASS_WIDTH * tolerance)
    assert np.average(merged.distance, weights=merged.edge_weight) == pytest.approx(lengths.mean())


def test_gaps_decide_not_a_grid() -> None:
    # 1.9999 and 2.0001 lie on two sides of any grid of 1e-3 that starts at 0, 2.002 is a class of its own
    merged = merge(_star(np.array([1.9999, 2.002, 2.0001])), 1e-3)
    np.testing.assert_allclose(merged.distance, [2.0, 2.002])
    np.testing.assert_array_equal(merged.edge_weight, [2, 1])


def test_each_round_sees_one_shell_further() -> None:
    # one foreign site in a row of seven: sites at equal distance from it are equal, the others are not
    row = supercell(cubic("sc", "Cu", 3.0), (7, 1, 1))
    plain = build([replace(row, numbers=np.array([29] * 6 + [47]))], tolerance=None, cutoff=3.5)[0]
    found = [merge(plain, TOLERANCE, rounds=r).n_nodes for r in range(6)]
    assert found == [2, 3, 4, 4, 4, 4]
    assert merge(plain, TOLERANCE).n_nodes == found[ROUNDS]


def test_equal_sites_of_different_elements_stay_apart() -> None:
    assert build([supercell(cubic("cscl", "Fe Fe", 2.83), (2, 1, 1))])[0].n_nodes == 1
    assert build([supercell(cubic("cscl", "Fe Co", 2.83), (2, 1, 1))])[0].n_nodes == 2
