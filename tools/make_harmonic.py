"""Harmonic phonons by a potential, for tools/make_middle.py: one JSON line a crystal; an interrupted run goes on.

    PARAISITE_MIRROR=../shared/data .venv/bin/python tools/make_harmonic.py POTENTIAL OUT.jsonl [NUMBER]

Crystals of `phonix` with at most 20 sites and stable phonons in `phonondb_harmonic`, one for each formula, evenly over
the kinds of structure: 250, unless a number is given.
"""

from __future__ import annotations

import json
import random
import sys
import time
from pathlib import Path

from paraisite.crystals.crystal import Crystal
from paraisite.datasets import load
from paraisite.evaluation.kinds import kinds
from paraisite.model.descriptors import primitive_sites
from paraisite.phonons.harmonic import harmonic_phonons
from paraisite.potentials import load as load_potential
from paraisite.potentials.cells import standard_cell

MAX_SITES = 20


def chosen(number: int) -> list[Crystal]:
    """Crystals in turn from each kind."""
    table = load("phonondb_harmonic")
    stable = {c.id for c, known in zip(table.crystals, table.labels["stable"], strict=True) if known == "yes"}
    crystals = [c for c in load("phonix").crystals if c.id in stable and primitive_sites(c) <= MAX_SITES]
    draw = random.Random(1)
    draw.shuffle(crystals)
    crystals = list({c.formula: c for c in reversed(crystals)}.values())
    groups: dict[str, list[Crystal]] = {}
    for crystal, kind in zip(crystals, kinds(crystals), strict=True):
        groups.setdefault(kind, []).append(crystal)
    found: list[Crystal] = []
    while groups and len(found) < number:
        for kind in draw.sample(sorted(groups), len(groups)):
            found.append(groups[kind].pop())
            if not groups[kind]:
                del groups[kind]
    return found[:number]


def main() -> None:
    potential, out = sys.argv[1], Path(sys.argv[2])
    number = int(sys.argv[3]) if len(sys.argv) > 3 else 250
    lines = out.read_text(encoding="utf-8").splitlines() if out.exists() else []
    done = {json.loads(line)["id"] for line in lines}
    calculator = load_potential(potential)
    for crystal in chosen(number):
        if crystal.id in done:
            continue
        begin, row = time.process_time(), {"id": crystal.id, "formula": crystal.formula}
        try:
            cell = standard_cell(crystal.cell, crystal.numbers, crystal.positions, 0.01)
            found = harmonic_phonons(cell, calculator)
            row |= {"properties": found.properties, "tensor": found.tensor.tolist(), "n_atoms": found.n_atoms}
        except ValueError as error:
            row["error"] = str(error)
        row["cpu_seconds"] = time.process_time() - begin
        with out.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
        print(crystal.id, crystal.formula, row.get("n_atoms"), f"{row['cpu_seconds']:.1f}", row.get("error", ""))


if __name__ == "__main__":
    main()
