"""TensorNet-MatPES of matgl, its weights in the order that matgl reads today."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from ase.calculators.calculator import all_changes
from matgl.apps.pes import Potential
from matgl.ext.ase import PESCalculator
from matgl.models import TensorNet

from paraisite.potentials.loading import PotentialError, unknown_elements

if TYPE_CHECKING:
    from ase import Atoms

HALVES = "model.tensor_embedding.emb2.weight"
"""Acts on the species of an edge's two ends, side by side; shape (units, 2 units)."""


class TensorNetCalculator(PESCalculator):  # type: ignore[misc]
    """matgl's calculator in ASE's units (eV, Å), which names elements that the potential does not know."""

    def __init__(self, potential: Potential, name: str) -> None:
        super().__init__(potential, stress_unit="eV/A3", use_voigt=True)  # GPa is its default
        self.model_name = name

    def calculate(
        self, atoms: Atoms, properties: list[str] | None = None, system_changes: Sequence[str] = tuple(all_changes)
    ) -> None:
        if unknown := set(atoms.symbols) - set(self.element_types):
            raise unknown_elements(self.model_name, unknown)
        super().calculate(atoms, properties, list(system_changes))


def load_tensornet(folder: Path, name: str, device: str = "cpu") -> TensorNetCalculator:
    """Load the potential from a folder with ``model.json`` and ``state.pt``.

    Raises
    ------
    PotentialError
        If the device is not there.
    """
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise PotentialError(f"device {device}: torch {torch.__version__} sees no CUDA device; use cpu")
    arguments: dict[str, Any] = json.loads((folder / "model.json").read_text(encoding="utf-8"))["kwargs"]["model"][
        "init_args"
    ]
    arguments["dtype"] = torch.float32  # a text in the file
    state = reordered(torch.load(folder / "state.pt", map_location="cpu", weights_only=True))
    model = TensorNet(**arguments, use_warp=False)
    potential = Potential(model, element_refs=torch.zeros_like(state["element_refs.property_offset"]))
    potential.load_state_dict(state)  # with the right element_refs and data_std
    return TensorNetCalculator(potential.to(device).eval().requires_grad_(False), name)


def reordered(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return the weights as matgl 3 and newer reads them.

    They were trained when matgl put an edge's ends the other way round; its own loader notices nothing, and MgO gets
    -4.54 eV instead of -11.736.
    """
    first, second = state[HALVES].chunk(2, dim=1)
    kept = {key: value for key, value in state.items() if key != "element_refs.onehot"}  # no longer used
    return kept | {HALVES: torch.cat([second, first], dim=1)}
