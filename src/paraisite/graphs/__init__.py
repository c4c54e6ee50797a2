"""Crystals to flat arrays: neighbour lists, merging of equal sites and edges, batches."""

from paraisite.graphs.batch import GraphBatch
from paraisite.graphs.build import CUTOFF, TOLERANCE, build

__all__ = ["CUTOFF", "TOLERANCE", "GraphBatch", "build"]
