"""`Encoder`: what turns crystal graphs into vectors; one registry for recipes, models, checkpoints and predictions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, PlainSerializer
from torch import Tensor, nn

from paraisite.graphs.batch import GraphBatch
from paraisite.model.tensors import GraphTensors

DEFAULT = "megnet"
"""The encoder of configurations that name none."""

MOST = {
    "members": 1024,
    "layers": 64,
    "width": 65_536,
    "targets": 1000,
    "blocks": 64,
    "steps": 64,
    "parameters": 1 << 30,
}
"""Bounds of what a card may ask for, far beyond any model of ours: it comes from anywhere, and is believed before there
are weights to compare with."""


class EncoderConfig(BaseModel):
    """Shape of an encoder; every encoder has a class of its own, whose fields have defaults.

    Attributes
    ----------
    elements : tuple of int
        Atomic numbers the encoder knows.
    cutoff : float
        Of the graphs, in Å.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    if TYPE_CHECKING:  # fields of each class, in its own order
        elements: tuple[int, ...]
        cutoff: float

    @property
    def vector_width(self) -> int:
        """Width of the crystal vector."""
        raise NotImplementedError

    @property
    def readout_width(self) -> int:
        """Width of the features that `EncoderModule.readout` makes of the vector; 0 where there is none."""
        return 0

    def impossible(self) -> Iterable[str]:
        """Say what no encoder has: the configuration may come from a file of anyone's."""
        return ()


class EncoderModule(nn.Module):
    """An encoder of several members; each of its parameters has a leading axis of members.

    Attributes
    ----------
    readout : nn.Module
        Vectors, (members, G, vector_width), to features, (members, G, readout_width); only for heads that read these.
    """

    readout: nn.Module

    def forward(self, g: GraphTensors) -> Tensor:
        """Encode crystals: (members, G, vector_width)."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Encoder:
    """A kind of encoder. Pretrained weights of it are an entry of `models.yml`, which names what loads them.

    Attributes
    ----------
    name : str
        ``encoder`` in a recipe, or ``encoder.kind`` beside the fields of the configuration.
    config : class
    plain : callable
        Number of members and configuration to an `EncoderModule`, which is trained. All but parameters must be made
        on the CPU, where weights are only declared, too.
    fast : callable, optional
        A trained module on a processor, and the cutoff (Å) that no edge exceeds, to a function of a `GraphBatch` that
        returns what the module would, (members, G, vector_width).
    """

    name: str
    config: type[EncoderConfig]
    plain: Callable[[int, Any], EncoderModule]
    fast: Callable[[Any, float], Callable[[GraphBatch], Tensor]] | None = None


ENCODERS: dict[str, Encoder] = {}
"""Every encoder by name."""


def register(encoder: Encoder) -> Encoder:
    """Add an encoder.

    Raises
    ------
    ValueError
        If its name or its configuration's class is taken.
    """
    if encoder.name in ENCODERS or any(encoder.config is other.config for other in ENCODERS.values()):
        raise ValueError(f"encoder {encoder.name}: its name or its configuration is taken")
    ENCODERS[encoder.name] = encoder
    return encoder


def encoder_of(config: EncoderConfig) -> Encoder:
    """The encoder that a configuration is of."""
    return next(encoder for encoder in ENCODERS.values() if encoder.config is type(config))


def _parse(value: Any) -> Any:
    if not isinstance(value, (str, Mapping)):
        return value
    fields = {"kind": value} if isinstance(value, str) else dict(value)
    name = str(fields.pop("kind", DEFAULT))
    if name not in ENCODERS:
        raise ValueError(f"unknown encoder {name}; choose from {', '.join(ENCODERS)}")
    return ENCODERS[name].config.model_validate(fields)


def _dump(config: EncoderConfig) -> dict[str, Any]:
    name = encoder_of(config).name
    return ({} if name == DEFAULT else {"kind": name}) | config.model_dump()


AnyEncoderConfig = Annotated[EncoderConfig, BeforeValidator(_parse), PlainSerializer(_dump)]
"""The configuration of any encoder, as a field of a configuration or recipe."""
