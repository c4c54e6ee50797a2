"""`Model`: an encoder, a head and the target transforms; one network for all members of an ensemble."""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
from pydantic import BaseModel, ConfigDict, Field, model_validator
from torch import Tensor, nn

from paraisite.model import known_encoders  # noqa: F401  (registers them)
from paraisite.model.descriptors import width
from paraisite.model.encoders import AnyEncoderConfig, encoder_of
from paraisite.model.layers import MemberMLP
from paraisite.model.megnet import MEGNetConfig
from paraisite.model.targets import TargetTransform
from paraisite.model.tensors import GraphTensors

FARTHEST = 5.0
"""Standard deviations from the mean beyond which a descriptor counts as being there."""


class HeadConfig(BaseModel):
    """Shape of the multilayer perceptron on top of the encoder.

    `attach` is the feature it reads: ``readout``, the 16 features before MEGNet's output layer, as in the study,
    or ``vector``, the crystal vector (of MEGNet, 160 wide). With `descriptors` it reads those of
    `paraisite.model.descriptors` too, standardised, and with `environment` also those of `paraisite.model.environment`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    attach: Literal["readout", "vector"] = "readout"
    hidden: tuple[int, ...] = (450, 350, 350)
    dropout: float = Field(default=0.0, ge=0.0, lt=1.0)
    descriptors: bool = False
    environment: bool = False

    @model_validator(mode="after")
    def _environment_is_described(self) -> HeadConfig:
        if self.environment and not self.descriptors:
            raise ValueError("environment: true needs descriptors: true")
        return self


class ModelConfig(BaseModel):
    """Everything needed to rebuild a network: members, encoder, head, and its targets in the order of its outputs."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    members: int = Field(default=1, ge=1)
    encoder: AnyEncoderConfig = MEGNetConfig()
    head: HeadConfig = HeadConfig()
    targets: tuple[str, ...] = ("kappa",)


class Model(nn.Module):
    """Crystal graphs to targets.

    Parameters
    ----------
    config : ModelConfig
    transforms : dict of str to TargetTransform, optional
        For each target; set before `predict`.
    """

    descriptor_shift: Tensor
    descriptor_scale: Tensor

    def __init__(self, config: ModelConfig, transforms: dict[str, TargetTransform] | None = None) -> None:
        super().__init__()
        self.config = config
        self.transforms = transforms or {}
        self.encoder = encoder_of(config.encoder).plain(config.members, config.encoder)
        first = config.encoder.vector_width if config.head.attach == "vector" else config.encoder.readout_width
        if not first:
            raise ValueError("this encoder has no readout: the head must read its vector (attach: vector)")
        if config.head.descriptors:
            n = width(config.head.environment)
            first += n
            for name in ("descriptor_shift", "descriptor_scale"):  # not known before `fit_descriptors`
                self.register_buffer(name, torch.full((config.members, 1, n), torch.nan))
        widths = (first, *config.head.hidden, len(config.targets))
        self.head = MemberMLP(config.members, widths, dropout=config.head.dropout)

    def forward(self, g: GraphTensors) -> Tensor:
        """Return the outputs in the space of the transforms, shape (members, G, targets)."""
        return self.outputs(self.encoder(g), g)

    def outputs(self, vector: Tensor, g: GraphTensors) -> Tensor:
        """Outputs from crystal vectors, (members, G, width) to (members, G, targets).

        Raises
        ------
        ValueError
            If the head reads descriptors and `g` has none.
        """
        feature = vector if self.config.head.attach == "vector" else self.encoder.readout(vector)
        if self.config.head.descriptors:
            if g.descriptors is None:
                raise ValueError("this model needs descriptors; build the graphs with paraisite.model.described")
            known = g.descriptors[:, : self.descriptor_shift.shape[2]]
            described = (known - self.descriptor_shift) / self.descriptor_scale
            feature = torch.cat([feature, described.clamp(-FARTHEST, FARTHEST)], dim=2)
        return self.head(feature)

    def fit_descriptors(self, descriptors: np.ndarray, training: np.ndarray) -> None:
        """Standardise descriptors by the rows each member trains on; does nothing where that is done already.

        Parameters
        ----------
        descriptors : numpy.ndarray, shape (rows, q)
        training : numpy.ndarray, shape (members, rows), bool
        """
        if not self.config.head.descriptors or bool(torch.isfinite(self.descriptor_scale).all()):
            return
        descriptors = descriptors[:, : self.descriptor_shift.shape[2]]
        for m, rows in enumerate(training):
            spread = descriptors[rows].std(axis=0)
            spread[spread < 1e-6] = 1.0  # equal in all training crystals: says nothing of a new one
            self.descriptor_shift[m, 0] = torch.as_tensor(descriptors[rows].mean(axis=0))
            self.descriptor_scale[m, 0] = torch.as_tensor(spread)

    @torch.inference_mode()
    def predict(self, g: GraphTensors, vector: Tensor | None = None) -> tuple[dict[str, np.ndarray], Tensor]:
        """Predict physical values.

        Parameters
        ----------
        g : GraphTensors
        vector : Tensor, shape (members, G, width), optional
            Crystal vectors, where they are known already.

        Returns
        -------
        values : dict of str to numpy.ndarray, shape (members, G), float64
            For each target, in its own unit.
        vector : Tensor, shape (members, G, width)
        """
        self.eval()
        if vector is None:
            vector = self.encoder(g)
        out = self.outputs(vector, g)
        values = {name: self.transforms[name].inverse(out[:, :, i]) for i, name in enumerate(self.config.targets)}
        return values, vector

    def select(self, members: list[int], targets: tuple[str, ...] | None = None) -> Model:
        """Return a copy with some of the members (repeats allowed) and some of the targets."""
        targets = targets or self.config.targets
        columns = [self.config.targets.index(t) for t in targets]
        config = self.config.model_copy(update={"members": len(members), "targets": targets})
        transforms = {t: self.transforms[t].select(members) for t in targets if t in self.transforms}
        model = Model(config, transforms)
        state = {name: tensor.detach()[members].clone() for name, tensor in self.state_dict().items()}
        last = f"head.layers.{len(self.head.layers) - 1}."
        for name in (last + "weight", last + "bias"):
            state[name] = state[name][:, :, columns].contiguous()
        model.load_state_dict(state)
        return model
