"""`BestEpoch`: follows the scored fold through a training, for the protocol that chooses its epoch there."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import numpy as np
import torch
from lightning.pytorch.callbacks import Callback
from safetensors.torch import save_file
from torch import Tensor

from paraisite.files.replacing import replacing
from paraisite.files.writing import write_json
from paraisite.graphs import GraphBatch
from paraisite.metrics import male, mape
from paraisite.training.apply import apply
from paraisite.training.module import StageModule

BEST, FOLLOWED = "best.safetensors", "followed.json"
KEPT = ("curve", "best", "weights", "seconds")
"""What a resumed training needs of the epochs before."""


class BestEpoch(Callback):
    """Score every run on its fold after each epoch, and keep the weights of its best one.

    Parameters
    ----------
    graphs : GraphBatch
        Of the trained dataset.
    kappa : numpy.ndarray, shape (rows,)
        W m⁻¹ K⁻¹; NaN rows do not count.
    held : numpy.ndarray, shape (runs, rows), bool
        The fold of each run.
    run_of : numpy.ndarray, shape (members,)
        Position of each member's run in `held`; the members of a run are averaged, by the mean of log10 kappa.
    every : int
        Epochs between scores; the last one always counts.
    out : Path
        Folder that receives, when the training ends, `best.safetensors` with those weights, and `followed.json` with
        ``curve``, a list of [epoch, MAPE of each run, MALE of each run]; ``best``, a list of [epoch, MAPE] of each run;
        ``seconds`` and ``device``.
    beside : numpy.ndarray, shape (runs, rows), optional
        log10 kappa of another model for each run: what is scored is the mean with it.
    """

    def __init__(
        self,
        graphs: GraphBatch,
        kappa: np.ndarray,
        held: np.ndarray,
        run_of: np.ndarray,
        every: int,
        out: Path,
        beside: np.ndarray | None = None,
    ) -> None:
        held = held & np.isfinite(kappa)
        rows = np.flatnonzero(held.any(axis=0))
        self.beside = None if beside is None else beside[:, rows]
        self.graphs, self.kappa, self.held = graphs.take(rows), kappa[rows], held[:, rows]
        self.run_of, self.every, self.out = run_of, every, out
        self.curve: list[list[Any]] = []
        self.best: list[list[float]] = [[-1, float("inf")] for _ in held]
        self.weights: dict[str, Tensor] = {}
        self.seconds = 0.0

    @staticmethod
    def read(out: Path) -> dict[str, Any] | None:
        """What a finished training has written, or None."""
        if not ((out / FOLLOWED).is_file() and (out / BEST).is_file()):
            return None
        return json.loads((out / FOLLOWED).read_text(encoding="utf-8"))

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.started = time.monotonic()

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        assert isinstance(pl_module, StageModule)
        epoch = trainer.current_epoch + 1
        if epoch % self.every == 0 or epoch == trainer.max_epochs:
            self._score(pl_module, epoch)
        self.seconds += time.monotonic() - self.started

    def _score(self, pl_module: StageModule, epoch: int) -> None:
        model = pl_module.model
        values, _ = apply(model, self.graphs, str(pl_module.device))
        model.train()
        log_kappa = np.log10(np.maximum(values["kappa"], 1e-6))
        relative, logarithmic = [], []
        for run, rows in enumerate(self.held):
            members = np.flatnonzero(self.run_of == run)
            own = log_kappa[members][:, rows].mean(axis=0)
            predicted = 10 ** (own if self.beside is None else (own + self.beside[run, rows]) / 2)
            relative.append(mape(self.kappa[rows], predicted))
            logarithmic.append(male(self.kappa[rows], predicted))
            if relative[-1] < self.best[run][1]:
                self.best[run] = [epoch, relative[-1]]
                which = torch.as_tensor(members)
                for name, tensor in model.state_dict().items():
                    kept = self.weights.setdefault(name, torch.zeros_like(tensor, device="cpu"))
                    kept[which] = tensor.detach().cpu()[which]
        self.curve.append([epoch, relative, logarithmic])

    def on_fit_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        followed = {"curve": self.curve, "best": self.best, "seconds": self.seconds, "device": pl_module.device.type}
        with replacing(self.out / BEST) as aside:
            save_file(self.weights, aside)
        write_json(self.out / FOLLOWED, followed, indent=None, end="")

    def state_dict(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in KEPT}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        for name in KEPT:
            setattr(self, name, state_dict[name])
