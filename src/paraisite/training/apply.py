"""`apply`: a model over many graphs, in pieces of bounded memory."""

from __future__ import annotations

import numpy as np
import torch

from paraisite.graphs import GraphBatch
from paraisite.model.model import Model
from paraisite.model.tensors import GraphTensors

MAX_EDGES = 16_384


def place(device: str) -> str:
    """Return ``cuda`` where it is there and `device` ("auto", "cpu" or "cuda") does not rule it out, else ``cpu``."""
    return "cuda" if device != "cpu" and torch.cuda.is_available() else "cpu"


def apply(model: Model, graphs: GraphBatch, where: str) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Predict physical values and crystal vectors.

    Parameters
    ----------
    model : Model
        On the device `where`; left in evaluation mode.
    graphs : GraphBatch
        G graphs, in any number.
    where : {"cpu", "cuda"}

    Returns
    -------
    values : dict of str to numpy.ndarray, shape (members, G), float64
    vectors : numpy.ndarray, shape (members, G, 160), float32
    """
    values, vectors = [], []
    for piece in graphs.split_by_edges(MAX_EDGES):
        tensors = GraphTensors.from_batch(graphs.take(np.arange(piece.start, piece.stop))).to(where)
        value, vector = model.predict(tensors)
        values.append(value)
        vectors.append(vector.cpu().numpy())
    joined = {name: np.concatenate([value[name] for value in values], axis=1) for name in model.config.targets}
    return joined, np.concatenate(vectors, axis=1)
