"""`GraphTensors`: a `GraphBatch` on a device."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import torch
from torch import Tensor

from paraisite.graphs.batch import GraphBatch


@dataclass(frozen=True, slots=True, eq=False)
class GraphTensors:
    """The arrays the encoder reads; N nodes, E edges, G crystals.

    Attributes
    ----------
    numbers : Tensor, shape (N,), int64
    node_weight : Tensor, shape (N,), float
    node_crystal : Tensor, shape (N,), int64
        Crystal of each node.
    src, dst : Tensor, shape (E,), int64
    distance : Tensor, shape (E,), float
        In Å.
    incoming_share : Tensor, shape (E,), float
        Edge multiplicity over the number of edges that arrive at one site of the destination.
    edge_weight : Tensor, shape (E,), float
        Multiplicity of the edge in the whole crystal.
    edge_crystal : Tensor, shape (E,), int64
    n_crystals : int
    descriptors : Tensor, shape (G, q), float, or None
    """

    numbers: Tensor
    node_weight: Tensor
    node_crystal: Tensor
    src: Tensor
    dst: Tensor
    distance: Tensor
    incoming_share: Tensor
    edge_weight: Tensor
    edge_crystal: Tensor
    n_crystals: int
    descriptors: Tensor | None = None

    @classmethod
    def from_batch(cls, batch: GraphBatch, *, dtype: torch.dtype = torch.float32) -> GraphTensors:
        """Move a batch into tensors (on the CPU; see `to`)."""
        degree = np.bincount(batch.dst, weights=batch.edge_weight, minlength=batch.n_nodes)

        def real(values: np.ndarray) -> Tensor:
            return torch.as_tensor(values).to(dtype)

        return cls(
            numbers=torch.as_tensor(batch.numbers),
            node_weight=real(batch.node_weight),
            node_crystal=torch.as_tensor(np.repeat(np.arange(len(batch)), np.diff(batch.node_ptr))),
            src=torch.as_tensor(batch.src),
            dst=torch.as_tensor(batch.dst),
            distance=real(batch.distance),
            incoming_share=real(batch.edge_weight / degree[batch.dst]),
            edge_weight=real(batch.edge_weight * batch.node_weight[batch.dst]),
            edge_crystal=torch.as_tensor(np.repeat(np.arange(len(batch)), batch.edge_counts)),
            n_crystals=len(batch),
            descriptors=None if batch.descriptors is None else real(batch.descriptors),
        )

    def to(self, device: torch.device | str) -> GraphTensors:
        """Return the same tensors on `device`."""
        moved: dict[str, Any] = {}
        for f in fields(self):
            value = getattr(self, f.name)
            moved[f.name] = value.to(device) if isinstance(value, Tensor) else value
        return GraphTensors(**moved)
