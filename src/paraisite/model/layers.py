"""Layers that carry a leading member axis: an ensemble is one network, computed at once.

Every feature has shape (members, items, width) and every weight (members, in, out), so members never
mix and each trains exactly as it would alone, while geometry, indices and kernel launches are shared.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

LN2 = math.log(2.0)


def softplus2(x: Tensor) -> Tensor:
    """ln(1 + exp(x)) - ln 2, the activation of MEGNet (C. Chen et al., Chem. Mater. 31, 3564 (2019))."""
    return F.softplus(x).sub_(LN2)  # in place: no second pass over memory that is not needed


class MemberLinear(nn.Module):
    """A linear layer for each member.

    Parameters
    ----------
    members, n_in, n_out : int
    """

    def __init__(self, members: int, n_in: int, n_out: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(members, n_in, n_out))
        self.bias = nn.Parameter(torch.empty(members, 1, n_out))
        self.reset_parameters()

    def reset_parameters(self, generator: torch.Generator | None = None) -> None:
        """Draw weights as `torch.nn.Linear` does: uniform within 1/sqrt(n_in)."""
        bound = 1.0 / math.sqrt(self.weight.shape[1])
        with torch.no_grad():
            self.weight.uniform_(-bound, bound, generator=generator)
            self.bias.uniform_(-bound, bound, generator=generator)

    def forward(self, x: Tensor) -> Tensor:
        """Map (members, items, n_in) to (members, items, n_out)."""
        return torch.matmul(x, self.weight).add_(self.bias)

    def parts(self, *widths: int) -> tuple[Tensor, ...]:
        """Split the weight by its inputs: one layer on a concatenation is a sum of layers on the parts."""
        return torch.split(self.weight, list(widths), dim=1)


class MemberMLP(nn.Module):
    """A multilayer perceptron for each member, `softplus2` between layers.

    Parameters
    ----------
    members : int
    widths : sequence of int
        Input, hidden and output widths.
    activate_last : bool
        Whether the activation follows the last layer too.
    dropout : float
        Probability of dropping a hidden feature in training.
    """

    def __init__(self, members: int, widths: Sequence[int], *, activate_last: bool = False, dropout: float = 0.0):
        super().__init__()
        self.layers = nn.ModuleList(MemberLinear(members, n_in, n_out) for n_in, n_out in pairwise(widths))
        self.activate_last = activate_last
        self.dropout = dropout

    def forward(self, x: Tensor) -> Tensor:
        """Map (members, items, widths[0]) to (members, items, widths[-1])."""
        return self.rest(self.layers[0](x))

    def rest(self, first: Tensor) -> Tensor:
        """Continue from the output of the first layer before its activation."""
        x = first
        last = len(self.layers) - 1
        for i in range(last + 1):
            if i > 0:
                x = self.layers[i](x)
            if i < last or self.activate_last:
                x = softplus2(x)
                if i < last and self.dropout:
                    x = F.dropout(x, self.dropout, self.training)
        return x


def segment_sum(values: Tensor, index: Tensor, size: int) -> Tensor:
    """Sum (members, items, width) over items with equal `index`, giving (members, size, width)."""
    return values.new_zeros(values.shape[0], size, values.shape[2]).index_add_(1, index, values)
