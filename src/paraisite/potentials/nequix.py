"""Nequix potentials on jax."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import jax
import jraph
from ase.calculators.calculator import all_changes
from ase.data import chemical_symbols
from nequix.calculator import NequixCalculator
from nequix.model import Nequix

from paraisite.network.downloading import cache_folder
from paraisite.potentials.loading import PotentialError, unknown_elements
from paraisite.potentials.nequix_slots import in_slots, with_slots

if TYPE_CHECKING:
    from ase import Atoms

SITES = 4
"""Sites whose products are held at once: those of four, some 300 neighbours together, fit into a cache of a few MB."""
SITES_GPU = 16
"""The same for a GPU, which wants more work at once; not measured on one."""

if jax.config.jax_compilation_cache_dir is None:  # a quarter of a minute for each size, and as much to load: once only
    jax.config.update("jax_compilation_cache_dir", str(cache_folder() / "jax"))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.0)


class PaddedNequixCalculator(NequixCalculator):  # type: ignore[misc]
    """nequix's calculator on one device; it names elements that the potential does not know, and seldom compiles."""

    def __init__(self, path: Path, name: str, device: jax.Device) -> None:
        self.device = device
        self.sites = SITES if device.platform == "cpu" else SITES_GPU
        self.model_name = name
        with jax.default_device(device):
            # by path, so that it never downloads; without the kernel, which takes a GPU and one more package
            super().__init__(model_path=str(path), use_kernel=False)
        self.model: Nequix = with_slots(self.model, self.sites)

    def calculate(
        self,
        atoms: Atoms | None = None,
        properties: list[str] | None = None,
        system_changes: Sequence[str] = tuple(all_changes),
    ) -> None:
        if atoms is not None:
            self._check(atoms)
        with jax.default_device(self.device):
            super().calculate(atoms, properties, list(system_changes))

    def _check(self, atoms: Atoms) -> None:
        if unknown := set(atoms.symbols) - {chemical_symbols[z] for z in self.atom_indices}:
            raise unknown_elements(self.model_name, unknown)
        if any(atoms.pbc) and not all(atoms.pbc):  # nequix would forget the cell
            raise PotentialError(
                f"{self.model_name} takes crystals, periodic in three directions, or molecules; set pbc=True"
            )

    def _pad_graph_jax(self, graph: jraph.GraphsTuple, numbers_changed: bool = False) -> jraph.GraphsTuple:
        """Fill up with sites and edges that belong to no crystal, to a size that others have too."""
        return in_slots(graph, self.sites)


def load_nequix(folder: Path, name: str, device: str = "cpu") -> PaddedNequixCalculator:
    """Load the potential of a name from a folder with its ``.nqx`` file.

    Raises
    ------
    PotentialError
        If the device is not there.
    """
    kind, _, index = device.partition(":")
    try:
        found = jax.devices(None if kind == "auto" else kind)[int(index or 0)]  # the best platform first
    except (RuntimeError, IndexError):
        raise PotentialError(
            f"device {device}: jax {jax.__version__} has {', '.join(map(str, jax.devices()))}; use cpu, "
            "or install jax for the GPU (https://docs.jax.dev/en/latest/installation.html)"
        ) from None
    return PaddedNequixCalculator(folder / f"{name}.nqx", name, found)
