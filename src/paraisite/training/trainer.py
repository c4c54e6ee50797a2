"""`fit`: one training by Lightning, with what every training of this package has in common."""

from __future__ import annotations

import logging
import signal
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
from lightning.pytorch.callbacks import Callback

from paraisite.training.data import StageData


def fit(
    module: pl.LightningModule,
    data: StageData,
    epochs: int,
    callbacks: Sequence[Callback],
    *,
    device: str,
    state: Path | None = None,
    **options: Any,
) -> None:
    """Train a module.

    Parameters
    ----------
    module : LightningModule
    data : StageData
    epochs : int
    callbacks : sequence of Callback
    device : {"auto", "cpu", "cuda"}
    state : Path, optional
        A checkpoint to resume from.
    **options
        Further ones of `lightning.pytorch.Trainer`.

    Raises
    ------
    KeyboardInterrupt
        On Ctrl-C.
    """
    silence_lightning()
    trainer = pl.Trainer(
        accelerator={"auto": "auto", "cuda": "gpu"}.get(device, "cpu"),
        devices=1,
        max_epochs=epochs,
        callbacks=list(callbacks),
        reload_dataloaders_every_n_epochs=1,
        enable_model_summary=False,
        enable_progress_bar=any(hasattr(c, "train_progress_bar") for c in callbacks),
        num_sanity_val_steps=0,
        **options,
    )
    interrupt = signal.getsignal(signal.SIGINT)
    try:
        trainer.fit(module, datamodule=data, ckpt_path=state, weights_only=True)
    except SystemExit:  # what Lightning makes of Ctrl-C, after which it ignores the next ones
        signal.signal(signal.SIGINT, interrupt)
        raise KeyboardInterrupt from None


def silence_lightning() -> None:
    """Keep Lightning to messages that concern the user of a recipe: no tips, and no advice on its own options."""
    for name in ("lightning", "lightning.pytorch", "lightning.fabric", "lightning.pytorch.utilities.rank_zero"):
        logging.getLogger(name).setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module=r"lightning(\.|$)")
    warnings.filterwarnings("ignore", message=".*does not have many workers.*")
    warnings.filterwarnings("ignore", message=".*isinstance.*LeafSpec.*")
