"""`FastEncoder`: the numbers of `MEGNet` on a processor, several times faster.

The arithmetic is the same up to rounding and an interpolation. What is saved, against `MEGNet.forward`:

- What depends on the distance of an edge only (the edge encoder and its share of the first layer of the first block) is
  read from a table by cubic interpolation; what depends on the element of a site only (the node encoder and its
  shares) from a table of elements. The first layer of the first block is then a weighted sum of six rows.
- Sums over the edges of a site and over the sites of a crystal are such weighted sums as well
  (`torch.embedding_bag`), because edges are sorted by destination and crystal. The mean over the edges of a crystal
  is a mean over its sites of what they received.
- Features are kept in units of ln 2, so that the activation is log2(1/2 + 2^x): two functions that numpy, on some
  processors, and torch have in vector form; softplus takes 1.7 times as long.
- One member after the other, so that a batch stays in the processor's cache.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from torch import Tensor, nn

from paraisite.graphs.batch import GraphBatch
from paraisite.model.layers import LN2, MemberLinear, MemberMLP
from paraisite.model.megnet import MEGNet, MEGNetBlock
from paraisite.model.set2set import Set2Set
from paraisite.model.tensors import GraphTensors

STEP = 1 / 64
"""Spacing of the table of distances in Å. Cubic interpolation errs by 3/128 STEP⁴ times the fourth derivative."""

Layer = tuple[Tensor, Tensor]
"""Weight (in, out) and bias (out,) of one member."""


class FastEncoder:
    """Crystal graphs to crystal vectors, as `MEGNet` does.

    Parameters
    ----------
    encoder : MEGNet
        On the CPU, in single precision; its weights are copied.
    cutoff : float
        No edge of the graphs to come is longer (Å).
    """

    def __init__(self, encoder: MEGNet, cutoff: float) -> None:
        self._plain = encoder
        self._row = encoder.element_row.numpy()
        self._knots = math.ceil(cutoff / STEP) + 3  # one before and two after the intervals
        self._longest = (self._knots - 3) * STEP + 1e-6
        with torch.inference_mode(), np.errstate(over="ignore", invalid="ignore"):
            self._members = [self._member(m) for m in range(encoder.members)]

    @torch.inference_mode()
    def __call__(self, batch: GraphBatch) -> Tensor:
        """Encode crystals; every crystal has an edge.

        Returns
        -------
        Tensor, shape (members, G, 160)

        Raises
        ------
        ValueError
            If the network knows no such element.
        """
        if batch.distance.max(initial=0.0) > self._longest:
            return self._plain(GraphTensors.from_batch(batch))
        g = _Indices.of(batch, self._row, self._knots)
        with np.errstate(over="ignore", invalid="ignore"):
            vector = torch.stack([_encode(member, g) for member in self._members])
        failed = ~torch.isfinite(vector).all(dim=2).all(dim=0)  # 2^x left the range of single precision
        if bool(failed.any()):
            vector[:, failed] = self._plain(GraphTensors.from_batch(batch.take(failed.numpy())))
        return vector

    def _member(self, m: int) -> _Member:
        plain, config = self._plain, self._plain.config
        node = _through(plain.embedding[m], _layers(plain.node_encoder, m, units=1.0))
        distance = (torch.arange(self._knots, dtype=torch.float64) - 1) * STEP
        basis = torch.exp(-config.gaussian_width * (distance[:, None] - plain.centres.double()) ** 2).float()
        edge = _through(basis, _layers(plain.edge_encoder, m, units=1.0))
        state = _through(torch.zeros(1, config.state), _layers(plain.state_encoder, m, units=1.0))
        blocks = [_Block.of(block, m) for block in plain.blocks]
        first = blocks[0]
        constant = torch.addmm(first.edge_bias, state, first.edge_from_state)
        message = [edge @ first.edge_from_edge, node @ first.edge_from_src, node @ first.edge_from_dst + constant]
        constant = torch.addmm(first.node_bias, state, first.node_from_state)
        return _Member(
            edge=edge,
            node=node,
            state=state,
            first_message=torch.cat(message).contiguous(),
            first_node=node @ first.node_from_node + constant,
            blocks=blocks,
            node_pool=_Pool.of(plain.node_pool, m),
            edge_pool=_Pool.of(plain.edge_pool, m),
        )


@dataclass(frozen=True, slots=True, eq=False)
class _Block:
    """Weights of one member in one block; what stands before the first activation of an update is kept in parts."""

    node_dense: list[Layer]
    edge_dense: list[Layer]
    state_dense: list[Layer]
    edge_from_src: Tensor
    edge_from_dst: Tensor
    edge_from_edge: Tensor
    edge_from_state: Tensor
    edge_bias: Tensor
    edge_rest: list[Layer]
    node_from_node: Tensor
    node_from_received: Tensor
    node_from_state: Tensor
    node_bias: Tensor
    node_rest: list[Layer]
    state_update: list[Layer]

    @classmethod
    def of(cls, block: nn.Module, m: int) -> _Block:
        assert isinstance(block, MEGNetBlock)
        w, o = block.width, block.out
        dense: list[list[Layer]] = [[], [], []]
        if block.dense is not None:
            dense = [_layers(block.dense[name], m) for name in ("node", "edge", "state")]
        (edge_first, edge_bias), *edge_rest = _layers(block.edge_update, m)
        (node_first, node_bias), *node_rest = _layers(block.node_update, m)
        from_src, from_dst, from_edge, from_state = (part.contiguous() for part in torch.split(edge_first, w))
        from_node, from_received, state_to_node = (part.contiguous() for part in torch.split(node_first, [w, o, w]))
        return cls(
            node_dense=dense[0],
            edge_dense=dense[1],
            state_dense=dense[2],
            edge_from_src=from_src,
            edge_from_dst=from_dst,
            edge_from_edge=from_edge,
            edge_from_state=from_state,
            edge_bias=edge_bias,
            edge_rest=edge_rest,
            node_from_node=from_node,
            node_from_received=from_received,
            node_from_state=state_to_node,
            node_bias=node_bias,
            node_rest=node_rest,
            state_update=_layers(block.state_update, m),
        )


@dataclass(frozen=True, slots=True, eq=False)
class _Pool:
    """Set2Set of one member; hidden and cell after the first step are the same for every set."""

    weight_input: Tensor
    weight_hidden: Tensor
    bias: Tensor
    steps: int
    hidden: Tensor
    cell: Tensor

    @classmethod
    def of(cls, pool: Set2Set, m: int) -> _Pool:
        weights = (pool.weight_input[m].clone(), pool.weight_hidden[m].clone(), pool.bias[m, 0].clone())
        return cls(*weights, pool.steps, *_remember(weights[2][None], torch.zeros(1, pool.width)))

    def __call__(self, x: Tensor, weight: np.ndarray, sets: _Sets) -> Tensor:
        hidden, cell, query = self.hidden, self.cell, self.hidden
        for step in range(self.steps):
            if step == 0:
                score = torch.mv(x, hidden[0]).numpy()  # in units of ln 2, as x is
            else:
                gates = torch.addmm(self.bias, query, self.weight_input)
                gates.addmm_(hidden.expand(sets.n, -1), self.weight_hidden)
                hidden, cell = _remember(gates, cell)
                score = torch.mv(hidden.index_select(0, sets.index).mul_(x), _ones(x.shape[1])).numpy()
            score -= np.maximum.reduceat(score, sets.first)[sets.index_array]
            np.exp2(score, out=score)
            score *= weight
            total = np.add.reduceat(score, sets.first)
            pooled = sets.sums(x, torch.from_numpy(score)) * torch.from_numpy(np.float32(LN2) / total)[:, None]
            query = torch.cat([hidden.expand(sets.n, -1), pooled], dim=1)
        return query


@dataclass(frozen=True, slots=True, eq=False)
class _Member:
    """Tables and weights of one member; features in units of ln 2."""

    edge: Tensor
    node: Tensor
    state: Tensor
    first_message: Tensor
    first_node: Tensor
    blocks: list[_Block]
    node_pool: _Pool
    edge_pool: _Pool


@dataclass(frozen=True, slots=True, eq=False)
class _Sets:
    """Items sorted by the set they belong to."""

    n: int
    every: Tensor
    ptr: Tensor
    index: Tensor
    index_array: np.ndarray
    first: np.ndarray

    @classmethod
    def of(cls, ptr: np.ndarray) -> _Sets:
        index = np.repeat(np.arange(len(ptr) - 1), np.diff(ptr))
        every = torch.arange(len(index))
        return cls(len(ptr) - 1, every, torch.from_numpy(ptr), torch.from_numpy(index), index, ptr[:-1])

    def sums(self, x: Tensor, weight: Tensor) -> Tensor:
        """Weighted sum over each set, (items, width) to (sets, width)."""
        return _weighted_rows(x, self.every, self.ptr, weight)


@dataclass(frozen=True, slots=True, eq=False)
class _Indices:
    """Where each member finds the rows it sums, and their weights."""

    element: Tensor
    knot: Tensor
    knot_ptr: Tensor
    knot_weight: Tensor
    first: Tensor
    first_ptr: Tensor
    first_weight: Tensor
    ends: Tensor
    ends_ptr: Tensor
    received: _Sets
    share: Tensor
    nodes: _Sets
    node_weight: np.ndarray
    node_share: Tensor
    received_share: Tensor
    edges: _Sets
    edge_weight: np.ndarray

    @classmethod
    def of(cls, batch: GraphBatch, row: np.ndarray, knots: int) -> _Indices:
        element = row[batch.numbers]
        if (element < 0).any():
            unknown = batch.numbers[element < 0][0]
            raise ValueError(f"element {unknown} is unknown to the network; leave its crystal out")
        n_elements = int(row.max()) + 1
        every = np.arange(batch.n_edges)

        # Lagrange's cubic through the knots around t, at -1, 0, 1 and 2
        where = batch.distance / STEP
        cell = np.minimum(where.astype(np.int64), knots - 4)
        t = where - cell
        weights = t * (1 - t) * (t - 2), 3 * (t * t - 1) * (t - 2), 3 * t * (1 + t) * (2 - t), t * (t * t - 1)
        cubic = (np.stack(weights, axis=1) / 6).astype(np.float32)
        knot = cell[:, None] + np.arange(4)
        src, dst = knots + element[batch.src], knots + n_elements + element[batch.dst]

        degree = np.bincount(batch.dst, batch.edge_weight, batch.n_nodes)
        arriving = degree * batch.node_weight
        node_ptr, edge_ptr = batch.node_ptr, batch.edge_ptr
        counts = np.diff(node_ptr)

        def shares(weight: np.ndarray) -> Tensor:
            return _single(weight / np.repeat(np.add.reduceat(weight, node_ptr[:-1]), counts))

        return cls(
            element=torch.from_numpy(element),
            knot=torch.from_numpy(knot.ravel()),
            knot_ptr=torch.from_numpy(np.arange(0, 4 * len(every) + 1, 4)),
            knot_weight=torch.from_numpy(cubic.ravel()),
            first=torch.from_numpy(np.column_stack([knot, src, dst]).ravel()),
            first_ptr=torch.from_numpy(np.arange(0, 6 * len(every) + 1, 6)),
            first_weight=_single(np.column_stack([cubic, np.ones((len(every), 2))]).ravel()),
            ends=torch.from_numpy(np.column_stack([batch.src, batch.n_nodes + batch.dst]).ravel()),
            ends_ptr=torch.from_numpy(np.arange(0, 2 * len(every) + 1, 2)),
            received=_Sets.of(np.searchsorted(batch.dst, np.arange(batch.n_nodes + 1))),
            share=_single(batch.edge_weight / degree[batch.dst]),
            nodes=_Sets.of(node_ptr),
            node_weight=batch.node_weight,
            node_share=shares(batch.node_weight.astype(np.float64)),
            received_share=shares(arriving),
            edges=_Sets.of(edge_ptr),
            edge_weight=(batch.edge_weight * batch.node_weight[batch.dst]).astype(np.float32),
        )


def _encode(member: _Member, g: _Indices) -> Tensor:
    """Vectors of one member, shape (G, 160)."""
    v = member.node.index_select(0, g.element)
    e = _weighted_rows(member.edge, g.knot, g.knot_ptr, g.knot_weight)
    u = member.state.expand(g.nodes.n, -1)
    for i, b in enumerate(member.blocks):
        old_v, old_e, old_u = v, e, u
        if i == 0:
            message = _weighted_rows(member.first_message, g.first, g.first_ptr, g.first_weight)
            to_node = member.first_node.index_select(0, g.element)
        else:
            v, e, u = _through(v, b.node_dense), _through(e, b.edge_dense), _through(u, b.state_dense)
            to_dst = torch.addmm(b.edge_bias, u, b.edge_from_state).index_select(0, g.nodes.index)
            ends = torch.cat([v @ b.edge_from_src, to_dst.addmm_(v, b.edge_from_dst)])
            message = _weighted_rows(ends, g.ends, g.ends_ptr, None).addmm_(e, b.edge_from_edge)
            to_node = torch.addmm(b.node_bias, u, b.node_from_state).index_select(0, g.nodes.index)
            to_node.addmm_(v, b.node_from_node)
        e = _through(_activated(message), b.edge_rest)
        received = g.received.sums(e, g.share)
        v = _through(_activated(to_node.addmm_(received, b.node_from_received)), b.node_rest)
        means = g.nodes.sums(received, g.received_share), g.nodes.sums(v, g.node_share)
        u = _through(torch.cat([u, *means], dim=1), b.state_update)
        v.add_(old_v)
        e.add_(old_e)
        u.add_(old_u)
    nodes = member.node_pool(v, g.node_weight, g.nodes)
    edges = member.edge_pool(e, g.edge_weight, g.edges)
    return torch.cat([nodes, edges, u.mul_(LN2)], dim=1)


def _weighted_rows(x: Tensor, index: Tensor, ptr: Tensor, weight: Tensor | None) -> Tensor:
    """Sum of ``weight * x[index]`` over each range of `ptr`."""
    return torch.embedding_bag(x, index, ptr, False, 0, False, weight, True)[0]


def _layers(mlp: nn.Module, m: int, units: float = LN2) -> list[Layer]:
    """Layers of one member, every one of them activated; `units` of the input, all else being in units of ln 2."""
    assert isinstance(mlp, MemberMLP)
    found: list[Layer] = []
    for layer in mlp.layers:
        assert isinstance(layer, MemberLinear)
        weight = layer.weight[m] * (units / LN2)
        bias = layer.bias[m, 0] / LN2 - 1.0  # for `_activated`
        found.append((weight.contiguous(), bias))
        units = LN2
    return found


def _through(x: Tensor, layers: list[Layer]) -> Tensor:
    for weight, bias in layers:
        x = _activated(torch.addmm(bias, x, weight))
    return x


def _activated(x: Tensor) -> Tensor:
    """log2((1 + 2^x) / 2) in place, `softplus2` in units of ln 2."""
    # the layer before took 1 off, so that 2^x is halved already
    if not _vectorised():
        return x.exp2_().add_(0.5).log2_()
    y = x.numpy()
    np.exp2(y, out=y)
    y += 0.5
    np.log2(y, out=y)
    return x


@cache
def _vectorised() -> bool:
    """Whether numpy has base-2 functions in vector form here; elsewhere they are slower than torch's."""
    try:
        from numpy.lib.introspect import opt_func_info
    except ImportError:  # numpy 1
        return False
    found = opt_func_info(func_name="^(exp2|log2)$", signature="float32")
    return len(found) == 2 and all(
        re.match("AVX512|X86_V4", kind["current"]) for f in found.values() for kind in f.values()
    )


@cache
def _ones(n: int) -> Tensor:
    return torch.ones(n)


def _remember(gates: Tensor, cell: Tensor) -> tuple[Tensor, Tensor]:
    """Hidden and cell of a long short-term memory after a step."""
    enter, forget, new, leave = gates.chunk(4, dim=1)
    cell = forget.sigmoid() * cell + enter.sigmoid() * new.tanh()
    return leave.sigmoid() * cell.tanh(), cell


def _single(values: np.ndarray) -> Tensor:
    return torch.from_numpy(values.astype(np.float32))
