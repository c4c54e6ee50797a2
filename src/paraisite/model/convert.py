"""Weights of matgl as a `Model`: MEGNet-MP-2018.6.1-Eform, and MEGNet-MP-2019.4.1-BandGap-mfi for PBE."""

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
BAND_GAP = "band_gap"

ENERGY_MEAN, ENERGY_STD = -1.65459073, 1.07266128
"""eV/atom; `target_transformer` in the model.json beside the weights."""

GAP_MEAN, GAP_STD = 1.57419002, 1.85749567
"""eV; the same of the network of band gaps."""

PBE = 0
"""Row of its state embedding; the others are GLLB-SC, HSE and SCAN (README beside the weights)."""


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
    state, path = _read(path, "MEGNet-MP-2018.6.1-Eform")
    return _model(state, MEGNetConfig(), FORMATION_ENERGY, (ENERGY_MEAN, ENERGY_STD), path)


def band_gap_from_matgl(path: Path) -> Model:
    """Read ``state.pt`` of matgl's MEGNet-MP-2019.4.1-BandGap-mfi, for the fidelity PBE.

    Its ``model.json`` gives three steps of Set2Set, but the weights are of a network with two: with three, the mean
    error on thirty PBE gaps is 1.3 eV, with two 0.2 eV (``results/band_gap.json``).

    Parameters
    ----------
    path : Path
        The file, or the folder it is in.

    Returns
    -------
    Model
        One member whose only target is `band_gap`, in eV; below zero, or near it, for a metal. Its graphs have a
        cutoff of 5 Å.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If a tensor is missing, left over, or of another shape.
    """
    state, path = _read(path, "MEGNet-MP-2019.4.1-BandGap-mfi")
    config = MEGNetConfig(cutoff=5.0, gaussian_max=6.0, set2set_steps=2)
    names = ("embedding.layer_state_embedding.weight", "state_encoder.layers.0.weight", "state_encoder.layers.0.bias")
    shapes = ((4, 16), (config.dense[0], 16), (config.dense[0],))
    if any(name not in state or state[name].shape != shape for name, shape in zip(names, shapes, strict=True)):
        raise ValueError(f"{path}: not the expected weights; {', '.join(names)} must have the shapes {shapes}")
    # one fidelity, one state: what the first layer makes of it is a bias
    state[names[2]] = state[names[2]] + state[names[1]] @ state.pop(names[0])[PBE]
    state[names[1]] = torch.zeros(config.dense[0], config.state)
    return _model(state, config, BAND_GAP, (GAP_MEAN, GAP_STD), path)


def _read(path: Path, name: str) -> tuple[dict[str, Tensor], Path]:
    """Tensors of a file without the prefix that some of its versions have, and the file."""
    path = path / "state.pt" if path.is_dir() else path
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file; expected state.pt of {name}")
    try:
        state: dict[str, Tensor] = torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise ValueError(f"{path}: damaged, or not a file of torch tensors; fetch it again") from error
    stripped = {k.removeprefix("model."): v for k, v in state.items()}
    if len(stripped) < len(state):
        doubled = sorted(k for k in state if "model." + k in state)
        raise ValueError(f"{path}: tensors stand there twice, with and without the prefix model.: {doubled}")
    return stripped, path


def _model(
    state: dict[str, Tensor], encoder: MEGNetConfig, target: str, transform: tuple[float, float], path: Path
) -> Model:
    """Model of one target, its output shifted and scaled by `transform`; `state` must hold its tensors and no other."""
    config = ModelConfig(encoder=encoder, head=HeadConfig(hidden=()), targets=(target,))
    model = Model(config, {target: TargetTransform(kind="identity", shift=(transform[0],), scale=(transform[1],))})
    converted = _rename(state, model, path)
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
        stop, number = model.encoder.config.gaussian_max, model.encoder.config.gaussians
        raise ValueError(f"{path}: the centres of the Gaussian expansion are not linspace(0, {stop:g}, {number})")
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
