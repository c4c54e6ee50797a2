"""The MEGNet encoder (C. Chen, W. Ye, Y. Zuo, C. Zheng and S. P. Ong, Chem. Mater. 31, 3564 (2019)).

The architecture and its conventions are those of the MEGNet-MP-2018.6.1-Eform weights of matgl, so that
these load without conversion losses. Multiplicities of nodes and edges enter every mean and both poolings.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn

from paraisite.model.encoders import MOST, EncoderConfig, EncoderModule
from paraisite.model.layers import MemberLinear, MemberMLP, segment_sum
from paraisite.model.set2set import Set2Set
from paraisite.model.tensors import GraphTensors

ELEMENTS = tuple(z for z in range(1, 95) if z not in (84, 85, 86, 87, 88))
"""Atomic numbers the pretrained embedding knows: H to Pu without Po, At, Rn, Fr and Ra."""


class MEGNetConfig(EncoderConfig):
    """Shape of the encoder; the defaults are MEGNet-MP-2018.6.1-Eform's."""

    elements: tuple[int, ...] = ELEMENTS
    embedding: int = 16
    gaussians: int = 100
    gaussian_max: float = 5.0
    gaussian_width: float = 0.5
    cutoff: float = 4.0
    state: int = 2
    dense: tuple[int, ...] = (64, 32)
    convolution: tuple[int, ...] = (64, 64, 32)
    blocks: int = 3
    set2set_steps: int = 2
    readout: tuple[int, ...] = (32, 16)

    @property
    def vector_width(self) -> int:
        """Width of the crystal vector: pooled nodes, pooled edges and the state."""
        return 5 * self.convolution[-1]

    @property
    def readout_width(self) -> int:
        """Width of the features before MEGNet's output layer."""
        return self.readout[-1]

    def impossible(self) -> Iterator[str]:
        """See `EncoderConfig`."""
        chains = (self.dense, self.convolution, self.readout)
        if not all(chains):
            yield "no layers"
        if any(len(chain) > MOST["layers"] for chain in chains):
            yield f"more than {MOST['layers']} layers"
        widths = [*(w for chain in chains for w in chain), self.embedding, self.gaussians, self.state]
        if any(not 1 <= width <= MOST["width"] for width in widths):
            yield f"widths that are not between 1 and {MOST['width']}"
        if not 1 <= self.blocks <= MOST["blocks"] or not 0 <= self.set2set_steps <= MOST["steps"]:
            yield f"{self.blocks} blocks, {self.set2set_steps} steps of the pooling"
        if any(not 0 < number <= 100 for number in (self.gaussian_max, self.gaussian_width)):
            yield "distances that are not between 0 and 100 Å"


class MEGNetBlock(nn.Module):
    """Dense layers (but in the first block), then a graph convolution, with a skip connection around both."""

    def __init__(self, members: int, config: MEGNetConfig, *, dense: bool) -> None:
        super().__init__()
        width, hidden = config.dense[-1], config.convolution
        out = hidden[-1]

        def mlp(n_in: int, widths: tuple[int, ...]) -> MemberMLP:
            return MemberMLP(members, (n_in, *widths), activate_last=True)

        self.dense = (
            nn.ModuleDict({name: mlp(out, config.dense) for name in ("node", "edge", "state")}) if dense else None
        )
        self.edge_update = mlp(4 * width, hidden)
        self.node_update = mlp(out + 2 * width, hidden)
        self.state_update = mlp(2 * out + width, hidden)
        self.width, self.out = width, out

    def forward(self, v: Tensor, e: Tensor, u: Tensor, g: GraphTensors) -> tuple[Tensor, Tensor, Tensor]:
        """Update nodes (members, N, width), edges (members, E, width) and states (members, G, width)."""
        old = v, e, u
        if self.dense is not None:
            v, e, u = self.dense["node"](v), self.dense["edge"](e), self.dense["state"](u)
        w, o = self.width, self.out

        # the first layer acts on [v_src, v_dst, e, u]: what depends on a site is computed once a site
        first: MemberLinear = self.edge_update.layers[0]  # type: ignore[assignment]
        from_src, from_dst, from_edge, from_state = first.parts(w, w, w, w)
        arriving = (v @ from_dst).add_((u @ from_state + first.bias).index_select(1, g.node_crystal))
        message = (e @ from_edge).add_((v @ from_src).index_select(1, g.src)).add_(arriving.index_select(1, g.dst))
        e = self.edge_update.rest(message)

        received = segment_sum(e * g.incoming_share[:, None], g.dst, v.shape[1])
        first = self.node_update.layers[0]  # type: ignore[assignment]
        from_node, from_received, from_state = first.parts(w, o, w)
        state = (u @ from_state + first.bias).index_select(1, g.node_crystal)
        v = self.node_update.rest(v @ from_node + received @ from_received + state)

        mean_edge = _mean(e, g.edge_weight, g.edge_crystal, g.n_crystals)
        mean_node = _mean(v, g.node_weight, g.node_crystal, g.n_crystals)
        u = self.state_update(torch.cat([u, mean_edge, mean_node], dim=2))
        return old[0] + v, old[1] + e, old[2] + u


class MEGNet(EncoderModule):
    """Crystal graphs to crystal vectors, one for each member.

    Parameters
    ----------
    members : int
    config : MEGNetConfig
    """

    element_row: Tensor
    centres: Tensor
    readout: MemberMLP

    def __init__(self, members: int = 1, config: MEGNetConfig | None = None) -> None:
        super().__init__()
        config = config or MEGNetConfig()
        self.config, self.members = config, members
        self.embedding = nn.Parameter(torch.empty(members, len(config.elements), config.embedding))
        if not self.embedding.is_meta:  # there normal_ does nothing but import sympy, which takes 0.3 s
            nn.init.normal_(self.embedding)
        # no file holds the two tables, so they are made where weights are only declared (device meta), too
        table = torch.full((max(config.elements) + 1,), -1, dtype=torch.int64, device="cpu")
        table[list(config.elements)] = torch.arange(len(config.elements), device="cpu")
        self.register_buffer("element_row", table, persistent=False)
        centres = torch.linspace(0.0, config.gaussian_max, config.gaussians, device="cpu")
        self.register_buffer("centres", centres, persistent=False)

        def encoder(n_in: int) -> MemberMLP:
            return MemberMLP(members, (n_in, *config.dense), activate_last=True)

        self.node_encoder = encoder(config.embedding)
        self.edge_encoder = encoder(config.gaussians)
        self.state_encoder = encoder(config.state)
        self.blocks = nn.ModuleList(MEGNetBlock(members, config, dense=i > 0) for i in range(config.blocks))
        self.node_pool = Set2Set(members, config.convolution[-1], config.set2set_steps)
        self.edge_pool = Set2Set(members, config.convolution[-1], config.set2set_steps)
        self.readout = MemberMLP(members, (config.vector_width, *config.readout), activate_last=True)

    def forward(self, g: GraphTensors) -> Tensor:
        """Encode crystals.

        Returns
        -------
        Tensor, shape (members, G, 160)
            Pooled nodes (64), pooled edges (64) and state (32), before the readout.
        """
        row = self.element_row[g.numbers]
        v = self.node_encoder(self.embedding.index_select(1, row))
        # exp(-width (d - c)²), with width 0.5 Å⁻²
        basis = torch.exp(-self.config.gaussian_width * (g.distance[:, None] - self.centres) ** 2)
        e = self.edge_encoder(basis.expand(self.members, -1, -1))
        u = self.state_encoder(basis.new_zeros(self.members, g.n_crystals, self.config.state))
        for block in self.blocks:
            v, e, u = block(v, e, u, g)
        nodes = self.node_pool(v, g.node_weight, g.node_crystal, g.n_crystals)
        edges = self.edge_pool(e, g.edge_weight, g.edge_crystal, g.n_crystals)
        return torch.cat([nodes, edges, u], dim=2)


def _mean(x: Tensor, weight: Tensor, index: Tensor, size: int) -> Tensor:
    """Weighted mean over the items of each crystal, (members, size, width)."""
    total = weight.new_zeros(size).index_add_(0, index, weight)
    return segment_sum(x * (weight / total[index])[:, None], index, size)
