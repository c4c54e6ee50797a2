"""How `verify`'s conductivities depend on the choices of its profile: snapshots, their opposites, supercells.

    PARAISITE_MIRROR=... python benchmarks/verify_convergence.py [--potential NAME] [--json FILE] [ID ...]

Each crystal of `l96` is relaxed once. Third order, in its supercell: random snapshots without and with their opposites,
elements beyond 5 Å left out, and finite displacements of all pairs of atoms, which are the measure. Second order:
supercells of growing size, with the third order of the profile. The mesh is the first of the profile.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")

from phono3py import Phono3py
from rich.console import Console
from rich.table import Table

from paraisite.crystals.crystal import Crystal
from paraisite.datasets import load
from paraisite.phonons.cells import Multiples, choose_supercells, enlarge
from paraisite.phonons.conductivity import conduct, mesh_of, prepare
from paraisite.phonons.force_constants import Displacements, displace, fit, measure, new_phono3py
from paraisite.phonons.settings import Settings
from paraisite.potentials import full_name
from paraisite.potentials import load as load_potential
from paraisite.potentials.cells import standard_cell
from paraisite.potentials.relax import relax

CRYSTALS = ("mp-1500", "mp-406", "mp-804")
"""BaS (rocksalt), CdTe (zincblende), GaN (wurtzite)."""

LARGER = (350, 512)
"""Atoms that the supercell of the second order may have; the first is the profile's bound."""


def kappa(ph3: Phono3py, plan: Displacements, calculator: Any, settings: Settings) -> float:
    """Isotropic conductivity (particles alone) at 300 K on the first mesh of the profile."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        measure(ph3, calculator, folder, "")
        fit(ph3, plan)
        prepare(ph3, mesh_of(ph3, settings.mesh_lengths[0]))
        return conduct(ph3, folder, settings).at_room(total=False)


def without_opposites(n: int) -> Callable[[Phono3py, Settings], Displacements]:
    """Plan n random snapshots, none the opposite of another."""

    def plan(ph3: Phono3py, settings: Settings) -> Displacements:
        made = displace(ph3, settings)
        ph3.generate_displacements(distance=settings.displacement, number_of_snapshots=n, random_seed=settings.seed)
        return replace(made, n_supercells=n)

    return plan


def rows_of(crystal: Crystal, calculator: Any, profile: Settings, say: Callable[[dict[str, Any]], None]) -> None:
    """Measure one crystal."""
    start = standard_cell(crystal.cell, crystal.numbers, crystal.positions, profile.symprec)
    cell, _ = relax(start, calculator, profile)
    third, _ = choose_supercells(cell, profile)

    def run(order: int, what: str, settings: Settings, plan: Any = displace, second: Multiples = third) -> None:
        begin = time.perf_counter()
        ph3 = new_phono3py(cell, third, second)
        planned = plan(ph3, settings)
        found = kappa(ph3, planned, calculator, settings)
        say(
            {
                "crystal": crystal.formula, "order": order, "what": what, "n_supercells": planned.n_supercells,
                "n_atoms": planned.n_atoms_harmonic if order == 2 else planned.n_atoms,
                "fc3_cutoff": planned.fc3_cutoff, "kappa_W_mK": found, "seconds": time.perf_counter() - begin,
            }
        )  # fmt: skip

    for n in (16, 48):
        run(3, f"{n} snapshots, no opposites", profile, without_opposites(n))
    run(3, "profile", profile)
    more = {
        "min_snapshots": 2 * profile.min_snapshots,
        "oversampling": 2 * profile.oversampling,
        "max_snapshots": 2 * profile.max_snapshots,
    }
    run(3, "twice as many", profile.model_copy(update=more))
    run(3, "profile, cutoff 5 Å", profile.model_copy(update={"fc3_cutoff": 5.0}))
    run(3, "finite displacements", profile.model_copy(update={"reference": True}))
    run(2, "supercell of the third", profile)
    for n_atoms in LARGER:
        run(2, f"up to {n_atoms} atoms", profile, second=enlarge(cell, math.inf, n_atoms))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("ids", nargs="*", metavar="ID", default=CRYSTALS, help="crystals of l96 (%(default)s)")
    parser.add_argument("--potential", default="tensornet-matpes", help="(%(default)s)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the rows to FILE")
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    potential = full_name(options.potential)
    calculator = load_potential(potential)
    profile = Settings(potential=potential, temperatures=(300.0,))
    rows: list[dict[str, Any]] = []
    console = Console(width=None if os.isatty(1) else 110)

    def say(row: dict[str, Any]) -> None:
        rows.append(row)
        print(row, flush=True)
        if options.json:
            record = {"potential": potential, "rows": rows}
            options.json.write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")

    known = {crystal.id: crystal for crystal in load("l96").crystals}
    for name in options.ids:
        rows_of(known[name], calculator, profile, say)
    shown = Table("crystal", "order", "", "supercells", "atoms", "κ, W/m/K", "seconds")
    for row in rows:
        shown.add_row(
            row["crystal"], str(row["order"]), row["what"], str(row["n_supercells"]), str(row["n_atoms"]),
            f"{row['kappa_W_mK']:.3g}", f"{row['seconds']:.0f}",
        )  # fmt: skip
    console.print(shown)


if __name__ == "__main__":
    main()
