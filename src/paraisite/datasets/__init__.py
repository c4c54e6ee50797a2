"""Labelled data: `load` a `Dataset`, split it, hash it. No torch in here."""

from paraisite.datasets.dataset import KAPPA, Dataset, concat, join
from paraisite.datasets.load import load
from paraisite.datasets.registry import DatasetCard, registry
from paraisite.datasets.splits import Split, grouped_kfold, holdout, kfold, paper_split, split_hash
from paraisite.datasets.table import DatasetError

__all__ = [
    "KAPPA",
    "Dataset",
    "DatasetCard",
    "DatasetError",
    "Split",
    "concat",
    "grouped_kfold",
    "holdout",
    "join",
    "kfold",
    "load",
    "paper_split",
    "registry",
    "split_hash",
]
