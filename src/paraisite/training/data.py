"""The Lightning data module: shuffled batches of graphs with the targets and weights of every member."""

from __future__ import annotations

import lightning.pytorch as pl
import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from paraisite.graphs.batch import GraphBatch
from paraisite.model.tensors import GraphTensors
from paraisite.training.module import Batch


class _Batches(Dataset[Batch]):
    """Item i is the i-th batch of an epoch."""

    def __init__(self, graphs: GraphBatch, target: Tensor, weight: Tensor, rows: list[np.ndarray]) -> None:
        self.graphs, self.target, self.weight, self.rows = graphs, target, weight, rows

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> Batch:
        rows = self.rows[index]
        which = torch.as_tensor(rows)
        return GraphTensors.from_batch(self.graphs.take(rows)), self.target[:, which], self.weight[:, which]


class StageData(pl.LightningDataModule):
    """Batches of one stage; the order of an epoch depends on the seed and the epoch only.

    Parameters
    ----------
    graphs : GraphBatch
        G crystals.
    target, weight : Tensor, shape (members, G, targets)
        Transformed targets; their weights, 0 where a member must not see the row.
    batch : int
    seed : int
    """

    def __init__(self, graphs: GraphBatch, target: Tensor, weight: Tensor, batch: int, seed: int) -> None:
        super().__init__()
        self.graphs, self.target, self.weight, self.batch, self.seed = graphs, target, weight, batch, seed

    @property
    def steps(self) -> int:
        """Batches in an epoch."""
        return -(-len(self.graphs) // self.batch)

    def train_dataloader(self) -> DataLoader[Batch]:
        epoch = self.trainer.current_epoch if self.trainer else 0
        order = np.random.default_rng((self.seed, epoch)).permutation(len(self.graphs))
        # sorted within a batch: neighbouring rows of the flat arrays are read in order
        rows = [np.sort(part) for part in np.array_split(order, self.steps)]
        return DataLoader(_Batches(self.graphs, self.target, self.weight, rows), batch_size=None)

    def transfer_batch_to_device(self, batch: Batch, device: torch.device, dataloader_idx: int) -> Batch:
        graphs, target, weight = batch
        return graphs.to(device), target.to(device), weight.to(device)
