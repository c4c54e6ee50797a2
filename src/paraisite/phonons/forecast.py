"""`Forecast`: how long a whole run takes, said before most of it is done."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence

import numpy as np

from paraisite.crystals.crystal import Crystal
from paraisite.phonons.settings import Settings

SAMPLE = 5
"""Crystals that are planned; the others are taken to be like them."""

ALL_OVER_FORCES = 1.7
"""Processor seconds of all stages over those of forces and their fit: of 94 compounds of `l96`, together."""


MAX_ELEMENTS = 1e5
"""Triples of atoms up to which free elements are counted for a forecast, which takes two seconds then; beyond, as many
displaced supercells are expected as there can be."""


class Forecast:
    """Seconds that are left, from the atoms in all displaced supercells of each crystal.

    Parameters
    ----------
    crystals : sequence of Crystal
        To be calculated.
    settings : Settings

    Attributes
    ----------
    work : list of float
        Atoms in the displaced supercells of each crystal; the mean of those planned for the others, 0 for what cannot
        be planned.
    n_supercells : float
        Displaced supercells of all crystals, roughly.
    """

    def __init__(self, crystals: Sequence[Crystal], settings: Settings) -> None:
        n = len(crystals)
        drawn = np.linspace(0, n - 1, min(n, SAMPLE)).round().astype(int).tolist()
        planned = {i: _plan(crystals[i], settings) for i in drawn}
        supercells, work = np.mean(list(planned.values()), axis=0) if planned else (0.0, 0.0)
        self.work = [float(planned[i][1] if i in planned else work) for i in range(n)]
        self.n_supercells = float(n * supercells)
        self._done: dict[int, float] = {}
        self._rate: float | None = None

    def expect(self, index: int, forces_seconds: float) -> bool:
        """Take what forces and fit of a crystal will take; whether it is the first that is known of any."""
        first = self._rate is None and self.work[index] > 0
        if first:
            self._rate = ALL_OVER_FORCES * forces_seconds / self.work[index]
        return first

    def finish(self, index: int, seconds: float) -> None:
        """Take what a crystal took in this run, whatever its end."""
        self._done[index] = seconds
        work = sum(self.work[i] for i in self._done)
        if work > 0:
            self._rate = sum(self._done.values()) / work

    def left(self, workers: int) -> float | None:
        """Seconds until the last crystal ends; None before anything is known."""
        if self._rate is None:
            return None
        ahead = [work for i, work in enumerate(self.work) if i not in self._done]
        return self._rate * sum(ahead) / max(1, min(workers, len(ahead)))


def _plan(crystal: Crystal, settings: Settings) -> tuple[float, float]:
    """Displaced supercells, and the atoms in them, of a crystal that is not relaxed yet; zeros if it is not one."""
    from paraisite.phonons.cells import choose_supercells
    from paraisite.phonons.force_constants import displace, new_phono3py
    from paraisite.potentials.cells import standard_cell

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            cell = standard_cell(crystal.cell, crystal.numbers, crystal.positions, settings.symprec)
            third, second = choose_supercells(cell, settings)
            n_atoms, n_atoms_harmonic = (len(cell.numbers) * math.prod(multiples) for multiples in (third, second))
            ph3 = new_phono3py(cell, third, second)
            if len(ph3.primitive) * n_atoms**2 > MAX_ELEMENTS:
                n = settings.snapshots or settings.max_snapshots
                n_harmonic = 6 * len(ph3.primitive)
                return n + n_harmonic, n * n_atoms + n_harmonic * n_atoms_harmonic
            plan = displace(ph3, settings)
    except Exception:  # its own row will say why
        return 0.0, 0.0
    return (
        plan.n_harmonic + plan.n_supercells,
        plan.n_harmonic * plan.n_atoms_harmonic + plan.n_supercells * plan.n_atoms,
    )
