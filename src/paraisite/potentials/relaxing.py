"""`Relaxer`: crystals relaxed one by one, with their symmetry kept, before something else is made of them."""

from __future__ import annotations

import warnings
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING

import numpy as np

from paraisite.crystals.crystal import Crystal
from paraisite.crystals.read import checked
from paraisite.crystals.rejection import Rejection
from paraisite.crystals.vacuum import vacuum_reason
from paraisite.potentials.loading import RELAXING_POTENTIAL, load
from paraisite.potentials.relax import come_to_rest
from paraisite.processes.limits import TimeExceeded, limited

if TYPE_CHECKING:
    from ase.calculators.calculator import Calculator


@dataclass(frozen=True, slots=True, eq=False)
class RelaxedCrystal(Crystal):
    """A crystal after its relaxation, in the cell and the order of sites that it was given in.

    Attributes
    ----------
    volume_change : float
        Relative to the crystal as given.
    """

    volume_change: float = np.nan


@dataclass(frozen=True)
class RelaxSettings:
    """How crystals are relaxed before a prediction; not as tightly as for phonons.

    Attributes
    ----------
    potential : str
        A name of the registry, or ``MODULE:FACTORY``.
    mirror : str, optional
        Folder that stands in for the network.
    device : str
    symprec : float
        Tolerance of the symmetry that is kept, Å.
    max_force, max_stress : float
        eV/Å and GPa. A stress of 0.1 GPa is 0.3 % of the volume of a crystal with a bulk modulus of 30 GPa.
    max_relax_steps : int
    max_hours : float
        Of one crystal.
    """

    potential: str = RELAXING_POTENTIAL
    mirror: str | None = None
    device: str = "cpu"
    symprec: float = 0.01
    max_force: float = 0.01
    max_stress: float = 0.1
    max_relax_steps: int = 300
    max_hours: float = 0.1


class Relaxer:
    """Relaxes crystals with one potential.

    Parameters
    ----------
    settings : RelaxSettings

    Raises
    ------
    paraisite.potentials.PotentialError
        If the potential cannot be loaded.
    paraisite.model.registry.ModelError
        If its weights are not on this machine.
    """

    def __init__(self, settings: RelaxSettings) -> None:
        self.settings = settings
        self._calculator: Calculator = load(settings.potential, settings.mirror, settings.device)

    def __call__(self, item: Crystal | Rejection) -> Crystal | Rejection:
        """Relax a crystal; one that cannot be relaxed is rejected with the reason, and no other one is lost.

        A prediction of the structure as given would stand in a table as if it had been relaxed. A slab or a molecule in
        a box passes as it is: with its cell relaxed, the vacuum would close.
        """
        if isinstance(item, Rejection) or vacuum_reason(item.cell, item.positions):
            return item
        try:
            with limited(3600.0 * self.settings.max_hours), warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of libraries, on large steps: the outcome is checked
                return self._relax(item)
        except TimeExceeded:
            return unrelaxed(item, f"stopped after {self.settings.max_hours:g} h; raise --max-hours")
        except Exception as error:  # of a library's, too: it costs one row
            return unrelaxed(item, str(error) if isinstance(error, ValueError) else f"{type(error).__name__}: {error}")

    def _relax(self, crystal: Crystal) -> RelaxedCrystal | Rejection:
        atoms = crystal.to_ase()
        atoms.calc = self._calculator
        volume = atoms.get_volume()
        how = self.settings
        come_to_rest(atoms, how.symprec, how.max_force, how.max_stress, how.max_relax_steps)
        kept = {field.name: getattr(crystal, field.name) for field in fields(Crystal)}
        arrays = {"cell": atoms.cell.array.copy(), "positions": atoms.get_scaled_positions(wrap=False)}
        found = RelaxedCrystal(**kept | arrays, volume_change=round(float(atoms.get_volume() / volume - 1), 9))
        done = checked(found)
        if isinstance(done, Rejection):
            return unrelaxed(crystal, f"it led to an impossible crystal: {done.reason}")
        return found


def unrelaxed(crystal: Crystal, why: str) -> Rejection:
    """Return the row of a crystal that was not relaxed."""
    reason = f"relaxation failed: {why}; without --relax, the structure is predicted as given"
    return Rejection(crystal.id, crystal.source, reason, crystal.formula, crystal.n_sites, crystal.n_elements)
