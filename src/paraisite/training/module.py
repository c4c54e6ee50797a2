"""The Lightning module: one step trains every member of a stacked `Model` on the rows it may see."""

from __future__ import annotations

import math
from difflib import get_close_matches

import lightning.pytorch as pl
import torch
from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor
from torch.nn import functional as F

from paraisite.model.model import Model
from paraisite.model.tensors import GraphTensors
from paraisite.training.recipe import RecipeError, Stage

HUBER_BETA = 0.3
"""Where the Huber loss turns linear, in standard deviations of the target."""

LN10 = math.log(10.0)

Batch = tuple[GraphTensors, Tensor, Tensor]
"""Graphs; transformed targets and their weights, both (members, crystals, targets)."""


class StageModule(pl.LightningModule):
    """Trains a model through one stage.

    Parameters
    ----------
    model : Model
    stage : Stage
    steps : int
        Optimiser steps of the whole stage, for the schedule.
    seed : int
        Of dropout; set again each epoch, so that a resumed training equals an uninterrupted one.
    """

    def __init__(self, model: Model, stage: Stage, steps: int, seed: int) -> None:
        super().__init__()
        self.model, self.stage, self.steps, self.seed = model, stage, steps, seed
        check_names(model, stage)
        for name, parameter in model.named_parameters():
            parameter.requires_grad_(not any(_within(name, part) for part in stage.freeze))

    def on_train_epoch_start(self) -> None:
        torch.manual_seed(self.seed + self.current_epoch)

    def training_step(self, batch: Batch, index: int) -> Tensor:
        graphs, target, weight = batch
        output = self.model(graphs)
        if self.stage.loss == "l1":
            error = (output - target).abs()
        elif self.stage.loss == "l2":
            error = (output - target) ** 2
        elif self.stage.loss == "ape":
            error = self._percentage_error(output, target)
        else:
            error = F.smooth_l1_loss(output, target, reduction="none", beta=HUBER_BETA)
        # members share no parameter, so the gradient of a sum over members is each one's own
        rows = (weight.amax(2) > 0).sum(1).clamp(min=1)
        loss: Tensor = ((error * weight).sum((1, 2)) / rows).sum()
        self.log("loss", loss / self.model.config.members, on_step=False, on_epoch=True, batch_size=target.shape[1])
        return loss

    def _percentage_error(self, output: Tensor, target: Tensor) -> Tensor:
        """abs(pred / true - 1) of physical values, where the transform is logarithmic; linear above a factor of e."""
        columns = []
        for i, name in enumerate(self.model.config.targets):
            transform = self.model.transforms[name]
            away = output[:, :, i] - target[:, :, i]
            if transform.kind != "identity":
                scale, shift = (away.new_tensor(x)[:, None] * LN10 for x in (transform.scale, transform.shift))
                ln = away * scale
                away = torch.where(ln > 1.0, math.e * ln - 1.0, torch.expm1(ln.clamp(max=1.0)))
                if transform.kind == "log10p1":  # from 1 + x to x
                    away = away / -torch.expm1(-(target[:, :, i] * scale + shift)).clamp(min=1e-3)
            columns.append(away.abs())
        return torch.stack(columns, dim=2)

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        groups: dict[float, list[Tensor]] = {}
        for name, parameter in self.model.named_parameters():
            if parameter.requires_grad:
                keys = sorted((k for k in self.stage.rates if _within(name, k)), key=len)
                groups.setdefault(self.stage.rates[keys[-1]] if keys else 1.0, []).append(parameter)
        if not groups:
            raise RecipeError(f"stage {self.stage.name}: every parameter is frozen, there is nothing to train")
        rate = self.stage.learning_rate
        parameters = [{"params": p, "lr": rate * factor} for factor, p in groups.items()]
        optimizer = torch.optim.AdamW(parameters, lr=rate, weight_decay=self.stage.weight_decay)
        peaks = [rate * factor for factor in groups]
        scheduler: torch.optim.lr_scheduler.LRScheduler
        if self.stage.schedule == "onecycle":
            rising = 0.2 if self.steps == 10 else 0.1  # a tenth of ten steps would be a phase of no length
            scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, peaks, total_steps=self.steps, pct_start=rising)
        elif self.stage.schedule == "cosine":
            scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=self.steps)
        else:
            scheduler = torch.optim.lr_scheduler.ConstantLR(optimizer, factor=1.0)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": scheduler, "interval": "step"}}


def check_names(model: Model, stage: Stage) -> None:
    """Make sure that what a stage freezes or gives a rate of its own is there.

    Raises
    ------
    RecipeError
        If a name in `freeze` or `rates` is that of no parameter or group of parameters.
    """
    names = [name for name, _ in model.named_parameters()]
    for key, parts in (("freeze", stage.freeze), ("rates", stage.rates)):
        for part in parts:
            if not any(_within(name, part) for name in names):
                groups = sorted({".".join(name.split(".")[:n]) for name in names for n in (1, 2, 3)})
                near = get_close_matches(part, groups, n=1)
                hint = (
                    f"did you mean {near[0]}?"
                    if near
                    else f"the parts are {', '.join(g for g in groups if '.' not in g)}"
                )
                raise RecipeError(f"stage {stage.name}: {key}: the networks have no {part}; {hint}")


def _within(name: str, part: str) -> bool:
    return name == part or name.startswith(part + ".")
