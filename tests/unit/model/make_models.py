"""Networks for tests, and MEGNet written a second time in the plainest way, straight from matgl's tensors."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import torch
from make_crystals import CUTOFF
from torch import Tensor
from torch.nn import functional as F

from paraisite.crystals.crystal import Crystal
from paraisite.graphs import TOLERANCE, build
from paraisite.model.model import HeadConfig, Model, ModelConfig
from paraisite.model.targets import TargetTransform
from paraisite.model.tensors import GraphTensors

SHAPES = {
    "bond_expansion.rbf.centers": (100,),
    "embedding.layer_node_embedding.weight": (89, 16),
    **{
        f"{name}.layers.{2 * i}.{kind}": shape[: 2 if kind == "weight" else 1]
        for name, widths in {
            "edge_encoder": (100, 64, 32),
            "node_encoder": (16, 64, 32),
            "state_encoder": (2, 64, 32),
            **{f"blocks.{b}.{part}_func": (32, 64, 32) for b in (1, 2) for part in ("edge", "node", "state")},
            **{f"blocks.{b}.conv.edge_func": (128, 64, 64, 32) for b in range(3)},
            **{f"blocks.{b}.conv.{part}_func": (96, 64, 64, 32) for b in range(3) for part in ("node", "state")},
            "output_proj": (160, 32, 16, 1),
        }.items()
        for i, shape in enumerate(zip(widths[1:], widths[:-1], strict=True))
        for kind in ("weight", "bias")
    },
    **{
        f"{part}_s2s.lstm.{name}": shape
        for part in ("edge", "node")
        for name, shape in {
            "weight_ih_l0": (128, 64), "weight_hh_l0": (128, 32), "bias_ih_l0": (128,), "bias_hh_l0": (128,),
        }.items()
    },
}  # fmt: skip
"""Shape of every tensor of MEGNet-MP-2018.6.1-Eform's state.pt, without the prefix ``model.``."""


def random_state(seed: int = 0) -> dict[str, Tensor]:
    """Random weights in matgl's layout, large enough for the output to depend on the crystal."""
    generator = torch.Generator().manual_seed(seed)
    state = {}
    for name, shape in SHAPES.items():
        bound = 2.0 / math.sqrt(shape[-1]) if len(shape) == 2 else 0.2
        state["model." + name] = (torch.rand(shape, generator=generator) * 2 - 1) * bound
    state["model.embedding.layer_node_embedding.weight"] *= 4
    state["model.output_proj.layers.4.weight"] *= 8
    state["model.bond_expansion.rbf.centers"] = torch.linspace(0, 5, 100)
    return state


def random_model(
    members: int = 1, *, seed: int = 0, attach: str = "readout", targets: tuple[str, ...] = ("kappa",)
) -> Model:
    """A model of random weights, larger than torch's, so that its outputs spread by about 1 over crystals."""
    torch.manual_seed(seed)
    config = ModelConfig(
        members=members,
        head=HeadConfig(attach=attach, hidden=(24, 16)),
        targets=targets,  # type: ignore[arg-type]
    )
    one = TargetTransform(kind="identity", shift=(0.0,) * members, scale=(1.0,) * members)
    model = Model(config, dict.fromkeys(targets, one))
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith("weight"):
                parameter.mul_(2.5)
        model.head.layers[-1].weight.mul_(10.0)
    return model.eval()


def tensors(
    crystals: list[Crystal], *, tolerance: float | None = None, dtype: torch.dtype = torch.float32
) -> GraphTensors:
    """Graphs of crystals that all have one; plain unless a tolerance is given."""
    graphs, kept, _ = build(crystals, tolerance=tolerance)
    assert len(kept) == len(crystals)
    return GraphTensors.from_batch(graphs, dtype=dtype)


def outputs(model: Model, crystals: list[Crystal], *, tolerance: float | None = None) -> np.ndarray:
    """Outputs of the model, shape (members, crystals, targets)."""
    dtype = model.encoder.centres.dtype
    with torch.inference_mode():
        return model(tensors(crystals, tolerance=tolerance, dtype=dtype)).numpy()


def merged_outputs(model: Model, crystals: list[Crystal]) -> np.ndarray:
    return outputs(model, crystals, tolerance=TOLERANCE)


def reference_energy(state: dict[str, Tensor], crystal: Crystal) -> float:
    """Formation energy in eV/atom of one crystal: a site at a time, neighbours by pymatgen, double precision.

    Follows the original description (C. Chen et al., Chem. Mater. 31, 3564 (2019)) and matgl's conventions: edge input
    [source, destination, edge, state], messages averaged at the destination, no dense layers before the first block.
    """
    s = {k.removeprefix("model."): v.double() for k, v in state.items()}
    elements = [z for z in range(1, 95) if z not in (84, 85, 86, 87, 88)]

    def mlp(name: str, x: Tensor, layers: int, *, last: bool = True) -> Tensor:
        for i in range(layers):
            x = F.linear(x, s[f"{name}.layers.{2 * i}.weight"], s[f"{name}.layers.{2 * i}.bias"])
            if last or i < layers - 1:
                x = torch.log(1 + torch.exp(x)) - math.log(2)
        return x

    def set2set(name: str, x: Tensor) -> Tensor:
        lstm = torch.nn.LSTM(64, 32).double()
        lstm.load_state_dict({k.removeprefix(name + ".lstm."): v for k, v in s.items() if k.startswith(name)})
        memory, query = (torch.zeros(1, 1, 32).double(), torch.zeros(1, 1, 32).double()), torch.zeros(1, 1, 64).double()
        for _ in range(2):
            out, memory = lstm(query, memory)
            share = torch.softmax(x @ out[0, 0], dim=0)
            query = torch.cat([out[0, 0], share @ x])[None, None]
        return query[0, 0]

    centre, other, _, distance = crystal.to_pymatgen().get_neighbor_list(CUTOFF)
    dst, src = torch.as_tensor(centre), torch.as_tensor(other)
    rows = torch.tensor([elements.index(z) for z in crystal.numbers.tolist()])
    gaussians = torch.exp(-0.5 * (torch.as_tensor(distance)[:, None] - s["bond_expansion.rbf.centers"]) ** 2)
    with torch.no_grad():
        v = mlp("node_encoder", s["embedding.layer_node_embedding.weight"][rows], 2)
        e = mlp("edge_encoder", gaussians, 2)
        u = mlp("state_encoder", torch.zeros(2).double(), 2)
        for b in range(3):
            old = v, e, u
            if b:
                v, e, u = (mlp(f"blocks.{b}.{part}_func", x, 2) for part, x in (("node", v), ("edge", e), ("state", u)))
            e = mlp(f"blocks.{b}.conv.edge_func", torch.cat([v[src], v[dst], e, u.expand(len(e), -1)], 1), 3)
            received = torch.stack([e[dst == i].mean(0) for i in range(len(v))])
            v = mlp(f"blocks.{b}.conv.node_func", torch.cat([v, received, u.expand(len(v), -1)], 1), 3)
            u = mlp(f"blocks.{b}.conv.state_func", torch.cat([u, e.mean(0), v.mean(0)]), 3)
            v, e, u = v + old[0], e + old[1], u + old[2]
        vector = torch.cat([set2set("node_s2s", v), set2set("edge_s2s", e), u])
        return float(mlp("output_proj", vector, 3, last=False)) * 1.07266128 - 1.65459073


def write_state(state: dict[str, Tensor], folder: Path) -> Path:
    torch.save(state, folder / "state.pt")
    return folder / "state.pt"
