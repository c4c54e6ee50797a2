"""The original formation-energy weights of matgl, MEGNet-MP-2018.6.1-Eform, as a `Model`."""

from __future__ import annotations

import pickle
import re
from pathlib import Path

import torch
from torch import Tensor

from paraisite.model.megnet import MEGNet, MEGNetConfig
from paraisite.model.model import HeadConfig, Model, ModelConfig
from paraisite.model.targets import TargetTransform

FORMATION_ENERGY = "formation_energy"

ENERGY_MEAN, ENERGY_STD = -1.65459073, 1.07266128
"""eV/atom; `target_transformer` in the model.json beside the weights."""


def from_matgl(path: Path) -> Model:
    """Read ``state.pt`` of matgl's MEGNet-MP-2018.6.1-Eform.

    Parameters
    ----------
    path : Path
        The file, or the folder it is in.

    Returns
    -------
    Model
        One member whose only target is `formation_energy`, in eV/atom.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If a tensor is missing, left over, or of another shape.
    """
    path = path / "state.pt" if path.is_dir() else path
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file; expected state.pt of MEGNet-MP-2018.6.1-Eform")
    try:
        state: dict[str, Tensor] = torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise ValueError(f"{path}: damaged, or not a file of torch tensors; fetch it again") from error
    stripped = {k.removeprefix("model."): v for k, v in state.items()}
    if len(stripped) < len(state):
        doubled = sorted(k for k in state if "model." + k in state)
        raise ValueError(f"{path}: tensors stand there twice, with and without the prefix model.: {doubled}")
    config = ModelConfig(encoder=MEGNetConfig(), head=HeadConfig(hidden=()), targets=(FORMATION_ENERGY,))
    model = Model(
        config, {FORMATION_ENERGY: TargetTransform(kind="identity", shift=(ENERGY_MEAN,), scale=(ENERGY_STD,))}
    )
    converted = _rename(stripped, model, path)
    expected = model.state_dict()
    missing, extra = sorted(expected.keys() - converted.keys()), sorted(converted.keys() - expected.keys())
    if missing or extra:
        raise ValueError(f"{path}: not the expected weights; missing {missing or 'none'}, left over {extra or 'none'}")
    for name, value in converted.items():
        if value.shape != expected[name].shape:
            raise ValueError(f"{path}: {name} has shape {tuple(value.shape)}, expected {tuple(expected[name].shape)}")
    model.load_state_dict(converted, strict=True)
    return model


def _rename(state: dict[str, Tensor], model: Model, path: Path) -> dict[str, Tensor]:
    """Our names and layouts: a leading member axis, weights as (in, out), the two biases of a cell added."""
    centres = state.pop("bond_expansion.rbf.centers", None)
    assert isinstance(model.encoder, MEGNet)
    expected = model.encoder.centres
    if centres is None or centres.shape != expected.shape or not torch.allclose(centres, expected, atol=1e-6):
        raise ValueError(f"{path}: the centres of the Gaussian expansion are not linspace(0, 5, 100)")
    renamed: dict[str, Tensor] = {}
    for part in ("node", "edge"):
        lstm, pool = f"{part}_s2s.lstm.", f"encoder.{part}_pool."
        one, other = state.get(lstm + "bias_ih_l0"), state.get(lstm + "bias_hh_l0")
        if one is not None and other is not None and one.shape == other.shape:
            renamed[pool + "bias"] = (state.pop(lstm + "bias_ih_l0") + state.pop(lstm + "bias_hh_l0"))[None, None]
    for key, value in state.items():
        name = _name(key)
        if name == key:  # no parameter of ours: left over
            renamed[name] = value
        elif name == "encoder.embedding":
            renamed[name] = value[None]
        else:
            renamed[name] = value[None, None] if name.endswith("bias") else value.transpose(0, -1)[None]
    return {k: v.contiguous() for k, v in renamed.items()}


_LAYER = re.compile(r"(?P<stem>\w+(\.\w+)*)\.layers\.(?P<place>\d*[02468])\.(?P<kind>weight|bias)")
_POOL = re.compile(r"(?P<part>node|edge)_s2s\.lstm\.weight_(?P<gate>ih|hh)_l0")


def _name(key: str) -> str:
    """``blocks.1.conv.edge_func.layers.2.weight`` to ``encoder.blocks.1.edge_update.layers.1.weight``, and so on.

    A key that matgl does not have stays as it is.
    """
    if key == "embedding.layer_node_embedding.weight":
        return "encoder.embedding"
    if pool := _POOL.fullmatch(key):
        return f"encoder.{pool['part']}_pool.weight_{'input' if pool['gate'] == 'ih' else 'hidden'}"
    if not (layer := _LAYER.fullmatch(key)):
        return key
    stem, index, kind = layer["stem"], int(layer["place"]) // 2, layer["kind"]  # activations hold the odd places
    if stem == "output_proj":
        return f"head.layers.0.{kind}" if index == 2 else f"encoder.readout.layers.{index}.{kind}"
    for part in ("node", "edge", "state"):
        stem = stem.replace(f"conv.{part}_func", f"{part}_update").replace(f"{part}_func", f"dense.{part}")
    return f"encoder.{stem}.layers.{index}.{kind}"
