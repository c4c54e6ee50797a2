"""`Follow`: the scored fold through a training."""

from __future__ import annotations

import math
from collections.abc import Sequence

import lightning.pytorch as pl
import numpy as np
import torch
from lightning.pytorch.callbacks import Callback
from torch import Tensor

from paraisite.graphs import GraphBatch
from paraisite.study.as_published.labels import Labels
from paraisite.study.as_published.module import PublishedModule
from paraisite.training.apply import apply


class Follow(Callback):
    """Score every run on its fold after each epoch; keep what its best epoch predicted, and its weights if asked to.

    Parameters
    ----------
    graphs : GraphBatch
        Of all rows.
    folds : list of numpy.ndarray
        Scored rows of each run.
    labels : Labels
    every : int
        Epochs between scores.
    keep : bool
        Whether to keep weights.
    """

    def __init__(
        self, graphs: GraphBatch, folds: Sequence[np.ndarray], labels: Labels, every: int, *, keep: bool
    ) -> None:
        self.rows = np.unique(np.concatenate(folds))
        self.graphs, self.folds, self.labels, self.every, self.keep = graphs.take(self.rows), folds, labels, every, keep
        self.best: list[tuple[float, int, np.ndarray]] = [(math.inf, -1, np.zeros(0)) for _ in folds]
        self.last: list[tuple[float, int, np.ndarray]] = []
        self.weights: dict[str, Tensor] = {}

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        epoch = trainer.current_epoch + 1
        if epoch % self.every and epoch != trainer.max_epochs:
            return
        assert isinstance(pl_module, PublishedModule)
        model = pl_module.model
        values = apply(model, self.graphs, str(pl_module.device))[0]["kappa"]
        model.train()
        self.last = []
        for run, fold in enumerate(self.folds):
            predicted = values[run, np.searchsorted(self.rows, fold)]
            self.last.append((self.labels.score(predicted, run, fold), epoch, predicted))
            if self.last[-1][0] < self.best[run][0] or self.best[run][1] < 0:  # a first one, however far off
                self.best[run] = self.last[-1]
                if self.keep:
                    for name, tensor in model.state_dict().items():
                        kept = self.weights.setdefault(name, torch.zeros_like(tensor, device="cpu"))
                        kept[run] = tensor[run].detach().cpu()
