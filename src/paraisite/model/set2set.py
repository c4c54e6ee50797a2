"""Set2Set pooling with multiplicities (O. Vinyals, S. Bengio and M. Kudlur, arXiv:1511.06391)."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from paraisite.model.layers import segment_sum


class Set2Set(nn.Module):
    """Attention pooling of a set into a vector of twice its width; an item of weight w counts as w items.

    Parameters
    ----------
    members, width, steps : int
    """

    def __init__(self, members: int, width: int, steps: int) -> None:
        super().__init__()
        self.width, self.steps = width, steps
        bound = 1.0 / math.sqrt(width)

        def draw(*shape: int) -> nn.Parameter:
            return nn.Parameter(torch.empty(members, *shape).uniform_(-bound, bound))

        # a long short-term memory cell; gates in torch's order: input, forget, cell, output
        self.weight_input = draw(2 * width, 4 * width)
        self.weight_hidden = draw(width, 4 * width)
        self.bias = draw(1, 4 * width)

    def forward(self, x: Tensor, weight: Tensor, index: Tensor, n_sets: int) -> Tensor:
        """Pool items into sets.

        Parameters
        ----------
        x : Tensor, shape (members, items, width)
        weight : Tensor, shape (items,)
            Multiplicities.
        index : Tensor, shape (items,)
            Set of each item.
        n_sets : int

        Returns
        -------
        Tensor, shape (members, n_sets, 2 * width)
        """
        members = x.shape[0]
        hidden = x.new_zeros(members, n_sets, self.width)
        cell = torch.zeros_like(hidden)
        query = x.new_zeros(members, n_sets, 2 * self.width)
        where = index.expand(members, -1)
        for _ in range(self.steps):
            gates = torch.matmul(query, self.weight_input) + torch.matmul(hidden, self.weight_hidden) + self.bias
            enter, forget, new, leave = gates.chunk(4, dim=2)
            cell = forget.sigmoid() * cell + enter.sigmoid() * new.tanh()
            hidden = leave.sigmoid() * cell.tanh()
            score = (x * hidden.index_select(1, index)).sum(2)
            with torch.no_grad():  # the largest score of each set, only to keep exp() in range
                top = score.new_full((members, n_sets), -torch.inf).scatter_reduce_(1, where, score, "amax")
            share = weight * torch.exp(score - top.index_select(1, index))
            total = score.new_zeros(members, n_sets).index_add_(1, index, share)
            pooled = segment_sum(x * share.unsqueeze(2), index, n_sets) / total.unsqueeze(2)
            query = torch.cat([hidden, pooled], dim=2)
        return query
