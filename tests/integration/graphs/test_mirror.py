"""Graphs of the real CIFs."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from paraisite.crystals import Crystal, read
from paraisite.graphs import CUTOFF, build
from paraisite.graphs.neighbours import find_neighbours

STEP = {"l96": 1, "hh143": 2, "aflow_agl": 50, "mp_stable": 25}


def sample(mirror: Path, folder: str) -> list[Crystal]:
    crystals = [c for c in read([mirror / folder / "cif.zip"]) if isinstance(c, Crystal)]
    return crystals[:: STEP[folder]]


@pytest.mark.data
@pytest.mark.parametrize("folder", STEP)
def test_edges_of_real_crystals_are_those_of_pymatgen(folder: str, mirror: Path) -> None:
    for crystal in sample(mirror, folder):
        found = find_neighbours(crystal, CUTOFF)
        centre, other, image, length = crystal.to_pymatgen().get_neighbor_list(CUTOFF)
        ours, theirs = np.abs(found.distance - CUTOFF) > 1e-6, np.abs(length - CUTOFF) > 1e-6
        a = np.column_stack([found.dst, found.src, found.shift])[ours]
        b = np.column_stack([centre, other, image]).astype(int)[theirs]
        rank_a, rank_b = np.lexsort(a.T), np.lexsort(b.T)
        np.testing.assert_array_equal(a[rank_a], b[rank_b], err_msg=crystal.source)
        np.testing.assert_allclose(found.distance[ours][rank_a], length[theirs][rank_b], rtol=0, atol=1e-8)


@pytest.mark.data
@pytest.mark.parametrize(("folder", "at_least"), [("l96", 5.0), ("hh143", 4.0), ("aflow_agl", 5.0), ("mp_stable", 2.5)])
def test_merging_saves_work_and_keeps_every_count(folder: str, at_least: float, mirror: Path) -> None:
    crystals = sample(mirror, folder)
    (plain, kept, _), (merged, kept_too, _) = (build(crystals, tolerance=t) for t in (None, 1e-3))
    np.testing.assert_array_equal(kept, kept_too)
    total = merged.edge_weight * merged.node_weight[merged.dst]
    np.testing.assert_array_equal(np.add.reduceat(total, merged.edge_ptr[:-1]), plain.edge_counts)
    np.testing.assert_array_equal(np.add.reduceat(merged.node_weight, merged.node_ptr[:-1]), np.diff(plain.node_ptr))
    assert plain.n_edges / merged.n_edges > at_least
