"""Band gap of a crystal, and whether it is a metal, from what a prediction of kappa computes anyway.

A small network on top of each encoder of the model `kappa` reads its vector, the descriptors and the share of each
element. Its gap is that of the functional PBE, as the network of C. Chen, Y. Zuo, W. Ye, X. Li and S. P. Ong, Nat.
Comput. Sci. 1, 46 (2021) gives it. PBE gaps are too small, and many semiconductors have none; whether a crystal is a
metal is therefore an output of its own, learned from the same gaps and, where it is known, from experiment.
`tools/make_band_gap.py` trains the networks and measures what they are worth (`results/band_gap.json`).
"""

from __future__ import annotations

import hashlib
import json
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor

from paraisite.graphs.batch import GraphBatch
from paraisite.model.layers import MemberMLP
from paraisite.model.volume import element_shares

FARTHEST = 5.0
"""Standard deviations beyond which an input counts as this far: nothing is known out there."""

WEIGHTS, CARD = "band_gap.safetensors", "card.json"


class Electrons(NamedTuple):
    """What is known of the electrons of G crystals.

    Attributes
    ----------
    gap : numpy.ndarray, shape (G,), float64
        Band gap by PBE, in eV; 0 where there is none.
    error : numpy.ndarray, shape (G,), float64
        Half the width of the 90 % interval of `gap`, in eV, from crystals of held-out formulas with such a gap.
    metal : numpy.ndarray, shape (G,), float64
        Probability that the crystal is a metal.
    """

    gap: np.ndarray
    error: np.ndarray
    metal: np.ndarray

    @property
    def is_metal(self) -> np.ndarray:
        """Whether it is more likely a metal than not, shape (G,), bool."""
        return self.metal > 0.5


class Electronic:
    """Band gaps and metals by an ensemble, one network for each encoder.

    Parameters
    ----------
    network : MemberMLP
        From the inputs to the gap (eV, before negative ones are cut) and the logit of being a metal.
    shift, scale : Tensor, shape (members, 1, inputs)
        Mean and standard deviation of the inputs.
    gap, error : numpy.ndarray, shape (n,)
        Gaps in rising order, and `Electrons.error` at each.
    offset : float
        Logit above which a crystal is a metal rather than not.
    encoder : str
        `digest` of the encoders that the networks were trained on; those of other models give other vectors.
    """

    def __init__(
        self,
        network: MemberMLP,
        shift: Tensor,
        scale: Tensor,
        gap: np.ndarray,
        error: np.ndarray,
        offset: float,
        encoder: str,
    ) -> None:
        self.network, self.shift, self.scale = network.eval(), shift, scale
        self.gap, self.error, self.offset, self.encoder = gap, error, offset, encoder

    @classmethod
    def load(cls, folder: Path | None = None) -> Electronic:
        """Read the weights in a folder; by default those that come with the package."""
        folder = Path(str(files("paraisite.model") / "auxiliary" / "band_gap")) if folder is None else folder
        state = {name: tensor.float() for name, tensor in load_file(folder / WEIGHTS).items()}
        shift, scale = state.pop("shift"), state.pop("scale")
        card = json.loads((folder / CARD).read_text(encoding="utf-8"))
        network = MemberMLP(len(shift), [shift.shape[2], *card["hidden"], 2])
        network.load_state_dict(state)
        gap, error = (np.array(card["interval"][name]) for name in ("gap_eV", "half_width_eV"))
        return cls(network, shift, scale, gap, error, card["metal_logit_offset"], card["sha256"]["encoder_tensors"])

    @torch.inference_mode()
    def __call__(self, vectors: np.ndarray | Tensor, graphs: GraphBatch) -> Electrons:
        """Predict the electrons of crystals.

        Parameters
        ----------
        vectors : numpy.ndarray or Tensor, shape (members, G, width)
            Of the encoders of the model `kappa`.
        graphs : GraphBatch
            G crystals with descriptors, the environment among them.
        """
        x = self.standard(inputs(vectors, graphs))
        gap, logit = self.network(x).double().mean(dim=0).numpy().T
        gap = np.maximum(gap, 0.0)
        return Electrons(gap, np.interp(gap, self.gap, self.error), 1.0 / (1.0 + np.exp(self.offset - logit)))

    def standard(self, x: Tensor) -> Tensor:
        """Standardise what `inputs` gives."""
        return ((x - self.shift) / self.scale).clamp_(-FARTHEST, FARTHEST)


def inputs(vectors: np.ndarray | Tensor, graphs: GraphBatch) -> Tensor:
    """Return what the networks read, shape (members, G, width + descriptors + ELEMENTS), float32."""
    if graphs.descriptors is None:
        raise ValueError("band gaps need descriptors; build the graphs with paraisite.model.descriptors.described")
    known = torch.as_tensor(vectors).float().cpu()
    both = np.hstack([graphs.descriptors, element_shares(graphs)]).astype(np.float32)
    return torch.cat([known, torch.from_numpy(both).expand(len(known), -1, -1)], dim=2)


def digest(encoder: torch.nn.Module) -> str:
    """SHA-256 of the parameters of encoders."""
    found = hashlib.sha256()
    for tensor in encoder.state_dict().values():
        found.update(tensor.float().cpu().numpy().tobytes())
    return found.hexdigest()


@cache
def shipped_electronic() -> Electronic:
    """Return the networks that come with the package."""
    return Electronic.load()
