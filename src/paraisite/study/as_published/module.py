"""`PublishedModule`: the study's network, loss, optimiser and schedule."""

from __future__ import annotations

import math

import numpy as np
import torch
from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor
from torch.nn import functional as F

from paraisite.model.layers import MemberMLP
from paraisite.model.megnet import MEGNet
from paraisite.model.model import Model
from paraisite.study.as_published.labels import SMALLEST
from paraisite.training.module import StageModule
from paraisite.training.recipe import Stage

SCHEDULE_STEPS, LEAST_RATE = 1000, 0.01
"""Half a period of the study's cosine, in steps; where that ends, relative to the first rate."""


class ReluHead(MemberMLP):
    """The study's head: rectifiers between layers."""

    def rest(self, first: Tensor) -> Tensor:
        """Continue from the output of the first layer before its activation."""
        x = first
        for layer in list(self.layers)[1:]:
            x = layer(F.relu(x))
        return x


def as_the_study(model: Model) -> Model:
    """Give a model the study's activations: rectifiers in the head, none on the 16 features that it reads."""
    config = model.config
    assert isinstance(model.encoder, MEGNet)
    head = ReluHead(config.members, (config.encoder.readout_width, *config.head.hidden, 1))
    head.load_state_dict(model.head.state_dict())
    model.head = head
    model.encoder.readout.activate_last = False
    return model


class PublishedModule(StageModule):
    """One training of the study: its loss, its optimiser, its schedule.

    Parameters
    ----------
    model, stage, steps, seed
        As in `StageModule`.
    back : tuple of two numpy.ndarray, each of shape (runs, 1)
        As in `Labels`.
    pace : float
        Steps of the schedule in an epoch.
    """

    shift: Tensor
    scale: Tensor

    def __init__(
        self, model: Model, stage: Stage, steps: int, seed: int, back: tuple[np.ndarray, np.ndarray], pace: float
    ) -> None:
        super().__init__(model, stage, steps, seed)
        self.pace = pace
        for name, values in zip(("shift", "scale"), back, strict=True):
            self.register_buffer(name, torch.as_tensor(values, dtype=torch.float32)[:, :, None], persistent=False)

    def _percentage_error(self, output: Tensor, target: Tensor) -> Tensor:
        predicted, true = (10.0 ** (x * self.scale + self.shift) - 1.0 for x in (output, target))
        return (predicted - true).abs() / true.abs().clamp(min=SMALLEST)

    def rate(self, epoch: int) -> float:
        """Learning rate of an epoch, relative to the first."""
        return LEAST_RATE + (1 - LEAST_RATE) * (1 + math.cos(math.pi * epoch * self.pace / SCHEDULE_STEPS)) / 2

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        # fused: one pass over memory, which is what a step on ten crystals costs
        optimizer = torch.optim.Adam(self.parameters(), lr=self.stage.learning_rate, eps=1e-8, fused=True)
        scheduler = torch.optim.lr_scheduler.LambdaLR(optimizer, self.rate)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "epoch"}}
