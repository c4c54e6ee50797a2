"""Progress of a training: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import lightning.pytorch as pl
from lightning.pytorch.callbacks import Callback, TQDMProgressBar

LINES = 5
"""Lines a stage prints where there is no terminal."""


class ProgressLines(Callback):
    """Say epoch, loss and remaining time a few times a stage."""

    def __init__(self, stage: str, say: Callable[[str], None]) -> None:
        self.stage, self.say = stage, say

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        self.started, self.first = time.monotonic(), trainer.current_epoch

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        epoch, last = trainer.current_epoch + 1, trainer.max_epochs or 0
        if epoch == last or epoch % max(1, last // LINES) == 0:
            left = (time.monotonic() - self.started) / (epoch - self.first) * (last - epoch)
            loss = trainer.callback_metrics.get("loss")
            shown = f", loss {float(loss):.4f}" if loss is not None else ""
            self.say(f"stage {self.stage}: epoch {epoch} of {last}{shown}, {left:.0f} s left")


def progress_callback(stage: str, say: Callable[[str], None]) -> Callback:
    """Return a bar where standard error is a terminal, else `ProgressLines`."""
    return TQDMProgressBar(leave=True) if sys.stderr.isatty() else ProgressLines(stage, say)
