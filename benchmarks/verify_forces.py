"""Force calls of nequix on a processor: its own calculator against ours, in one run.

    PARAISITE_MIRROR=../shared/data python benchmarks/verify_forces.py [--json FILE]

Each crystal and calculator has a process of its own, for its peak of memory; sites are rattled by 0.03 Å. Printed are
processor seconds of a call (the least of five; the first, which compiles, is none of them), their ratio, the largest
difference of a force over the largest force, and peaks of memory.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import resource
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
from ase.build import bulk
from rich.console import Console
from rich.table import Table

from paraisite.model.registry import locate
from paraisite.potentials import DEFAULT_POTENTIAL, load

CRYSTALS = {
    "MgO": ("rocksalt", {"a": 4.25, "cubic": True}, (2, 2, 2)),
    "KI": ("rocksalt", {"a": 7.1, "cubic": True}, (3, 3, 3)),
    "GaN": ("wurtzite", {"a": 3.2, "c": 5.2}, (3, 3, 2)),
    "AlN": ("wurtzite", {"a": 3.1, "c": 5.0}, (5, 5, 3)),
}
CALLS = 5


def call(formula: str, own: bool) -> tuple[int, float, float, np.ndarray]:
    """Atoms, processor seconds of a call, peak of memory in GB, forces (n, 3) in eV/Å."""
    from nequix.calculator import NequixCalculator

    structure, lengths, multiples = CRYSTALS[formula]
    atoms = bulk(formula, structure, **lengths).repeat(multiples)
    atoms.rattle(0.03, seed=0)
    path = str(locate(DEFAULT_POTENTIAL) / f"{DEFAULT_POTENTIAL}.nqx")
    atoms.calc = NequixCalculator(model_path=path, use_kernel=False) if own else load(DEFAULT_POTENTIAL)
    forces = atoms.get_forces()
    seconds = []
    for _ in range(CALLS):
        atoms.calc.reset()
        start = time.process_time()
        atoms.get_forces()
        seconds.append(time.process_time() - start)
    return len(atoms), min(seconds), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6, forces


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", type=Path)
    path = parser.parse_args().json
    rows = []
    for formula in CRYSTALS:
        found = []
        for own in (True, False):
            with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
                found.append(pool.submit(call, formula, own).result())
        (atoms, slow, much, forces), (_, fast, little, ours) = found
        rows.append({
            "crystal": formula, "atoms": atoms, "nequix_s": slow, "ours_s": fast, "ratio": slow / fast,
            "nequix_GB": much, "ours_GB": little,
            "difference": float(np.abs(ours - forces).max() / np.abs(forces).max()),
        })  # fmt: skip
    table = Table(*rows[0])
    for row in rows:
        table.add_row(*(f"{value:.3g}" if isinstance(value, float) else str(value) for value in row.values()))
    Console().print(table)
    if path is not None:
        path.write_text(json.dumps(rows, indent=1) + "\n")


if __name__ == "__main__":
    main()
