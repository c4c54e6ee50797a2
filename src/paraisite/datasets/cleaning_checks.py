"""What each rule of `clean` finds: one function for each, from rows to reasons."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import SupportsIndex

import numpy as np

from paraisite.crystals.translations import count_translations
from paraisite.datasets.cleaning_rules import Rules
from paraisite.datasets.dataset import KAPPA, Dataset
from paraisite.datasets.doubts import column_doubt, expected
from paraisite.datasets.plausibility import FEWEST, Plausibility, plausibility
from paraisite.files.printable import counted
from paraisite.physics.debye import debye_heat_capacity, mean_masses, slack_conductivity
from paraisite.targets import unit

MADE_BY_AGL = 0.05
"""Data are AGL's where the median row is this close (log10) to AGL's equation; `aflow_agl` is at 0.002."""

Reasons = Iterator[tuple[SupportsIndex, str]]
"""A row and what is wrong with it."""


@dataclass(frozen=True, eq=False)
class Rows:
    """The rows that no rule has dropped yet, and what several rules need of them.

    Attributes
    ----------
    dataset : Dataset
        All rows.
    alive : numpy.ndarray, shape (n,), bool
    rules : Rules
    notes : list of str
        Where a rule says that it could not look.
    """

    dataset: Dataset
    alive: np.ndarray
    rules: Rules
    notes: list[str]

    def target(self, name: str) -> np.ndarray:
        """Values of a target, NaN where the row is dropped or the target unknown."""
        values = self.dataset.targets.get(name)
        return np.full(len(self.dataset), np.nan) if values is None else np.where(self.alive, values, np.nan)

    @cached_property
    def agl_kappa(self) -> np.ndarray:
        """What AGL's equation makes of the rows' numbers; NaN everywhere if these conductivities are not made by it."""
        debye, gruneisen, kappa = (self.target(name) for name in ("debye_temperature", "gruneisen", KAPPA))
        expected = np.full(len(kappa), np.nan)
        rows = np.flatnonzero((debye > 0) & (kappa > 0) & np.isfinite(gruneisen))
        if len(rows) < FEWEST:
            return expected
        crystals = [self.dataset.crystals[i] for i in rows]
        found = slack_conductivity(
            debye[rows],
            gruneisen[rows],
            mean_masses(crystals),
            np.array([crystal.volume for crystal in crystals]),
            np.array([crystal.n_sites for crystal in crystals]),
        )
        if np.median(np.abs(np.log10(kappa[rows] / found))) <= MADE_BY_AGL:
            expected[rows] = found
        return expected

    @cached_property
    def off_agl(self) -> np.ndarray:
        """log10 of kappa over `agl_kappa`."""
        return np.log10(self.target(KAPPA) / self.agl_kappa)

    @cached_property
    def agl_sites(self) -> np.ndarray:
        """Number of sites of the cell that AGL used, so that its equation gives this kappa; NaN where it is not AGL."""
        n_sites = np.array([crystal.n_sites for crystal in self.dataset.crystals], dtype=np.float64)
        return n_sites * 10 ** (-1.5 * self.off_agl)  # kappa falls as the power -2/3 of it

    @cached_property
    def plausible(self) -> tuple[np.ndarray, Plausibility | None]:
        """Rows with a usable kappa, and how plausible it is; None if there are too few."""
        kappa = self.target(KAPPA)
        rows = np.flatnonzero((kappa > 0) & np.isfinite(kappa))
        if len(rows) < FEWEST:
            self.notes.append(
                f"rule outlier skipped: {counted(len(rows), 'row')} with kappa, {FEWEST} needed; units checked by a fit"
            )
            return rows, None
        crystals = [self.dataset.crystals[i] for i in rows]
        return rows, plausibility(crystals, kappa[rows], neighbours=self.rules.units.neighbours)


def check_kappa(rows: Rows) -> Reasons:
    """Kappa that no crystal has, or no value at all."""
    targets = rows.dataset.targets
    others = np.zeros(len(rows.dataset), dtype=bool)
    for name, values in targets.items():
        others |= np.isfinite(values) & (name != KAPPA)
    if KAPPA not in targets:
        return
    rule = rows.rules.kappa
    for i, value in enumerate(targets[KAPPA]):
        if np.isnan(value) and not others[i]:
            yield i, "the row has no value"
        elif not np.isnan(value) and not (np.isfinite(value) and value > 0):
            yield i, f"kappa is {value:g} W/m/K, not a positive number"
        elif not rule.lowest <= value <= rule.highest and not np.isnan(value):
            yield i, f"kappa is {value:g} W/m/K; solids have {rule.lowest:g} to {rule.highest:g}: check its unit"


def check_heat_capacity(rows: Rows) -> Reasons:
    """More than what Dulong and Petit allow a harmonic crystal."""
    limit = rows.rules.heat_capacity.limit
    values = rows.target("heat_capacity_cv_atom")
    for i in np.flatnonzero(values > limit):
        yield i, f"heat capacity {values[i]:.4g} k_B per atom, above {limit:g}"


def check_bulk_modulus(rows: Rows) -> Reasons:
    """A crystal that gives way without resistance is not stable."""
    for name in ("bulk_modulus_static", "bulk_modulus_vrh", "shear_modulus_vrh"):
        values = rows.target(name)
        for i in np.flatnonzero(values <= 0):
            yield i, f"{name} is {values[i]:.4g} {unit(name)}, not positive"


def check_debye_temperature(rows: Rows) -> Reasons:
    """No vibrations, or imaginary ones."""
    values = rows.target("debye_temperature")
    for i in np.flatnonzero(values <= 0):
        yield i, f"Debye temperature {values[i]:.4g} K, not positive"


def check_gruneisen(rows: Rows) -> Reasons:
    """Where AGL's equation has left its range."""
    limit = rows.rules.gruneisen.limit
    values = rows.target("gruneisen")
    for i in np.flatnonzero(values < limit):
        yield i, f"Grüneisen parameter {values[i]:.4g}, below {limit:g}"


def check_low_gruneisen(rows: Rows) -> Reasons:
    """Where AGL's equation makes kappa several times too large."""
    limit, already = rows.rules.low_gruneisen.limit, rows.rules.gruneisen
    values = rows.target("gruneisen")
    for i in np.flatnonzero(values < limit):
        if already.action == "off" or values[i] >= already.limit:
            yield i, f"Grüneisen parameter {values[i]:.4g}, below {limit:g}"


def check_overlap(rows: Rows) -> Reasons:
    """Atoms inside each other."""
    import vesin
    from ase.data import covalent_radii

    limit = rows.rules.overlap.limit
    for i in np.flatnonzero(rows.alive):
        crystal = rows.dataset.crystals[i]
        radius = covalent_radii[crystal.numbers]
        neighbours = vesin.NeighborList(cutoff=2 * limit * float(radius.max()), full_list=False, n_threads=1)
        first, second, distance = neighbours.compute(
            points=crystal.positions @ crystal.cell, box=crystal.cell, periodic=True, quantities="ijd"
        )
        if len(distance) == 0:
            continue
        relative = distance / (radius[first] + radius[second])
        k = int(relative.argmin())
        if relative[k] < limit:
            pair = f"{crystal.symbols[first[k]]} and {crystal.symbols[second[k]]}"
            yield i, f"{pair} {distance[k]:.3f} Å apart, {relative[k]:.2f} of the sum of their covalent radii"


def check_agl_equation(rows: Rows) -> Reasons:
    """Kappa that does not follow from the Debye temperature, Grüneisen parameter and cell of its own row."""
    kappa, off = rows.target(KAPPA), rows.off_agl
    for i in np.flatnonzero(np.abs(off) > rows.rules.agl_equation.dex):
        yield (
            i,
            f"kappa {kappa[i]:.4g}, but AGL's equation gives {rows.agl_kappa[i]:.4g} ({off[i]:+.2f} in log10): "
            f"this corresponds to {rows.agl_sites[i]:.1f} sites, the crystal has {rows.dataset.crystals[i].n_sites}",
        )


def check_agl_heat_capacity(rows: Rows) -> Reasons:
    """A heat capacity of another cell than that of the row."""
    debye, heat = rows.target("debye_temperature"), rows.target("heat_capacity_cv_atom")
    made = np.isfinite(rows.agl_kappa) & np.isfinite(heat)
    expected = np.full(len(debye), np.nan)
    expected[made] = debye_heat_capacity(debye[made])
    for i in np.flatnonzero(np.abs(heat - expected) > rows.rules.agl_heat_capacity.difference):
        yield (
            i,
            f"heat capacity {heat[i]:.4g} k_B per atom, but {expected[i]:.4g} at a Debye temperature of {debye[i]:g} K",
        )


def check_agl_supercell(rows: Rows) -> Reasons:
    """AGL's equation divides by the number of sites: a doubled cell conducts 1.6 times worse in it."""
    for i in np.flatnonzero(np.isfinite(rows.agl_sites)):
        crystal = rows.dataset.crystals[i]
        smaller = crystal.n_sites // count_translations(crystal, rows.rules.agl_supercell.distance)
        times = rows.agl_sites[i] / smaller
        if times > 1.5:
            yield (
                i,
                f"kappa corresponds to {rows.agl_sites[i]:.0f} sites, the primitive cell has {smaller}: "
                f"{times ** (2 / 3):.2f} times too low",
            )


def check_units(rows: Rows) -> Reasons:
    """Conductivities in W/cm/K, mW/m/K and the like."""
    usable, found = rows.plausible
    rules, rule = rows.rules, rows.rules.units
    kappa = rows.target(KAPPA)[usable]
    crystals = [rows.dataset.crystals[i] for i in usable]
    if doubt := column_doubt(crystals, kappa):
        for i in usable:
            yield i, doubt
        return
    if found is None:
        off = np.log10(kappa) - expected(crystals) if len(usable) else kappa
        for k in np.flatnonzero(np.abs(off) > rule.far):
            yield (
                usable[k],
                f"kappa {kappa[k]:.4g} is {off[k]:+.1f} in log10 from the value expected by composition and volume",
            )
        return
    compared = np.stack([found.from_fit, found.from_neighbours, found.beyond_neighbours])
    own = np.abs(rows.off_agl[usable]) <= rules.agl_equation.dex
    off = np.where((compared > 0).all(axis=0) | (compared < 0).all(axis=0), np.abs(compared).min(axis=0), 0.0)
    for k in np.flatnonzero((off > rule.dex) & ~own):  # not what follows from the row's own numbers
        beyond = found.beyond_neighbours[k]
        power = min((-3, -2, 2, 3), key=lambda p: abs(beyond - p))
        if abs(beyond - power) <= rule.within:
            like = ", ".join(dict.fromkeys(rows.dataset.formulas[usable[j]] for j in found.neighbours[k][:4]))
            yield (
                usable[k],
                f"kappa {rows.dataset.kappa[usable[k]]:.4g} is about 10^{power} times that of similar crystals "
                f"({like}; {beyond:+.2f} in log10): check its unit",
            )


def check_outlier(rows: Rows) -> Reasons:
    """Values far from what composition and volume suggest."""
    usable, found = rows.plausible
    if found is None:
        return
    rule = rows.rules.outlier
    limit = max(rule.sigma * found.spread, rule.dex)
    for k in np.flatnonzero(np.abs(found.from_fit) > limit):
        off = found.from_fit[k]
        kappa = rows.dataset.kappa[usable[k]]
        yield usable[k], f"kappa {kappa:.4g} is {off:+.2f} in log10 from the robust fit (limit {limit:.2f})"


CHECKS: dict[str, Callable[[Rows], Reasons]] = {
    "kappa": check_kappa,
    "heat_capacity": check_heat_capacity,
    "bulk_modulus": check_bulk_modulus,
    "debye_temperature": check_debye_temperature,
    "gruneisen": check_gruneisen,
    "low_gruneisen": check_low_gruneisen,
    "overlap": check_overlap,
    "agl_equation": check_agl_equation,
    "agl_heat_capacity": check_agl_heat_capacity,
    "agl_supercell": check_agl_supercell,
    "units": check_units,
    "outlier": check_outlier,
}
"""The rules that look at rows one by one, in the order of `Rules`."""
