"""What relaxing a structure does to its prediction: crystals that were strained, and crystals made by substitution.

    PARAISITE_MIRROR=../shared/data python tools/make_relaxation.py --work DIR [--potential NAME] [--number N]

Crystals of `phonix` of at most eight sites, predicted by networks that were not trained on their formula. Each is
compressed or stretched by 5 % of its length, in all directions or along a lattice vector; the truth is the conductivity
of the crystal as it was. A substitution puts a neighbour of the same group in place of an element, where `phonix` has
the product in the same structure type, whose conductivity is the truth. Relaxations are kept in a file below --work, so
that the script can be killed and repeated; results/relaxation.json counts those that are there.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from markdown_table import table

from paraisite.crystals import Crystal, Rejection
from paraisite.datasets import load
from paraisite.datasets.groups import prototypes
from paraisite.graphs.neighbours import find_neighbours
from paraisite.model.descriptors import PROPERTIES, element_table
from paraisite.potentials.loading import RELAXING_POTENTIAL
from paraisite.potentials.relaxing import Relaxer, RelaxSettings
from paraisite.prediction import Predictor
from paraisite.prediction.options import Options

RESULT = Path(__file__).resolve().parents[1] / "results" / "relaxation.json"
MOST_SITES, STRAIN, SEED = 8, 0.05, 0
WAYS = tuple((way, sign) for way in ("hydrostatic", "uniaxial") for sign in (-1, 1))
FIRST_F, LAST_F = 57, 71
"""Lanthanides have no neighbour in their group."""


class Case(NamedTuple):
    """A structure to relax, the crystal as it is known, and its conductivity."""

    name: str
    kind: str
    start: Crystal
    known: Crystal
    kappa: float


def cases(number: int) -> Iterator[Case]:
    """Yield strained crystals, the same ones as they are, and substituted ones in turn, so that all kinds grow."""
    random = np.random.default_rng(SEED)
    data = load("phonix")
    rows = [i for i, c in enumerate(data.crystals) if c.n_sites <= MOST_SITES and c.numbers.max() < 84]
    rows = [rows[i] for i in random.permutation(len(rows))]
    kappa = data.targets["kappa"]
    made = substitutions(rows, data.crystals, random)
    for place, row in enumerate(rows[:number]):
        crystal = data.crystals[row]
        way, sign = WAYS[place % len(WAYS)]
        axis = crystal.cell[random.integers(3)]
        along = axis / np.linalg.norm(axis)
        stretch = np.eye(3) if way == "hydrostatic" else np.outer(along, along)
        cell = crystal.cell @ (np.eye(3) + sign * STRAIN * stretch)
        kind = f"{way} {sign * STRAIN:+.0%}"
        yield Case(f"{kind} {crystal.id}", kind, replace(crystal, cell=cell), crystal, float(kappa[row]))
        yield Case(f"as it is {crystal.id}", "as it is", crystal, crystal, float(kappa[row]))
        if place < len(made):
            start, other = made[place]
            known = data.crystals[other]
            yield Case(f"substituted {start.id} {known.id}", "substituted", start, known, float(kappa[other]))


def substitutions(
    rows: list[int], crystals: tuple[Crystal, ...], random: np.random.Generator
) -> list[tuple[Crystal, int]]:
    """Substituted crystals, each with the row of the crystal that it stands for; every product once."""
    some = [crystals[i] for i in rows]
    by_kind: dict[tuple[str, str], list[int]] = defaultdict(list)
    for crystal, prototype, row in zip(some, prototypes(some), rows, strict=True):
        by_kind[crystal.formula, prototype].append(row)
    group, period = (element_table()[:, PROPERTIES.index(name)] for name in ("group", "row"))
    found, taken = [], set()
    for crystal, prototype in zip(some, prototypes(some), strict=True):
        for z in sorted(set(crystal.numbers.tolist())):
            for other in range(1, 84):
                near = group[z] == group[other] and abs(period[z] - period[other]) == 1
                if not near or FIRST_F <= z <= LAST_F or FIRST_F <= other <= LAST_F or other in crystal.numbers:
                    continue
                made = replace(crystal, numbers=np.where(crystal.numbers == z, other, crystal.numbers))
                for row in by_kind.get((made.formula, prototype), []):
                    if row not in taken and _alike(made, crystals[row]):
                        taken.add(row)
                        found.append((made, row))
    return [found[i] for i in random.permutation(len(found))]


def _alike(one: Crystal, other: Crystal) -> bool:
    """Whether an atom of each element has the same nearest neighbours in both."""
    return _neighbours(one) == _neighbours(other)


def _neighbours(crystal: Crystal) -> dict[int, tuple[tuple[int, int], ...]]:
    """Elements and numbers of the nearest neighbours of a site of each element."""
    found = find_neighbours(crystal, 7.0)
    kinds: dict[int, tuple[tuple[int, int], ...]] = {}
    for z in set(crystal.numbers.tolist()):
        site = int(np.flatnonzero(crystal.numbers == z)[0])
        here = found.dst == site
        shortest = found.distance[here].min()
        near = crystal.numbers[found.src[here & (found.distance < 1.1 * shortest)]]
        kinds[z] = tuple(zip(*(x.tolist() for x in np.unique(near, return_counts=True)), strict=True))
    return kinds


def relax_all(all_cases: list[Case], file: Path, potential: str) -> dict[str, Any]:
    """Relax what is not in the file yet; return what is."""
    done = {}
    if file.exists():
        for line in file.read_text().splitlines():
            record = json.loads(line)
            done[record["name"]] = record
    relaxer = None
    with file.open("a") as out:
        for case in all_cases:
            if case.name in done:
                continue
            relaxer = relaxer or Relaxer(RelaxSettings(potential=potential, max_hours=0.05))
            begin = time.perf_counter()
            found = relaxer(case.start)
            record = {"name": case.name, "seconds": round(time.perf_counter() - begin, 2)}
            if isinstance(found, Rejection):
                record |= {"reason": found.reason}
            else:
                record |= {"cell": found.cell.tolist(), "positions": found.positions.tolist()}
            done[case.name] = record
            print(json.dumps(record), file=out, flush=True)
    return done


def measure(all_cases: list[Case], done: dict[str, Any]) -> dict[str, Any]:
    """Compare predictions of the structures as made, as relaxed, and of the crystals as they are known."""
    predictor = Predictor.from_pretrained()
    options = Options(held_out=True)

    def log_kappa(crystals: list[Crystal]) -> np.ndarray:
        return np.log10([row.kappa_W_mK or np.nan for row in predictor.stream(crystals, options)])

    here = [c for c in all_cases if c.name in done and not predictor.seen_by_all(c.known.formula)]
    failed = {c.name for c in here if "reason" in done[c.name]}
    arrays = {
        c.name: {k: np.array(done[c.name][k]) for k in ("cell", "positions")} for c in here if c.name not in failed
    }
    there = [c for c in here if c.name not in failed]
    relaxed = [replace(c.start, **arrays[c.name]) for c in there]
    truth = np.log10([c.kappa for c in there])
    columns = {
        "as_made": log_kappa([c.start for c in there]),
        "relaxed": log_kappa(relaxed),
        "known": log_kappa([c.known for c in there]),
    }
    volume = np.array(
        [r.volume / r.n_sites / (c.known.volume / c.known.n_sites) - 1 for r, c in zip(relaxed, there, strict=True)]
    )
    warned = np.array(["volume" in row.reason for row in predictor.predict([c.start for c in there])])
    kinds = np.array([c.kind for c in there])
    groups = {kind: kinds == kind for kind in dict.fromkeys(kinds.tolist())}
    groups["strained"] = np.char.endswith(kinds, "%")
    found: dict[str, Any] = {}
    for kind, rows in groups.items():
        usable = rows & np.isfinite(np.sum(list(columns.values()), axis=0))
        found[kind] = {
            "crystals": int(usable.sum()),
            "not_relaxed": sum(
                c.name in failed and (c.kind == kind or (kind == "strained" and c.kind.endswith("%"))) for c in here
            ),
            "mean_abs_log10_error": {k: _round(np.abs(v - truth)[usable].mean()) for k, v in columns.items()},
            "median_abs_log10_error": {k: _round(np.median(np.abs(v - truth)[usable])) for k, v in columns.items()},
            "mean_abs_log10_from_known": {
                k: _round(np.abs(v - columns["known"])[usable].mean()) for k, v in columns.items() if k != "known"
            },
            "mean_log10_from_known": {
                k: _round((v - columns["known"])[usable].mean()) for k, v in columns.items() if k != "known"
            },
            "warned_of_as_made": _round(warned[usable].mean()),
            "relaxed_volume_over_known": {
                "median": _round(np.median(volume[usable])),
                "median_abs": _round(np.median(np.abs(volume[usable]))),
            },
        }
    seconds = [done[c.name]["seconds"] for c in here]
    return {"kinds": found, "seconds_median": _round(np.median(seconds))}


def _round(value: float) -> float:
    return float(f"{value:.3g}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--potential", default=RELAXING_POTENTIAL)
    parser.add_argument("--number", type=int, default=200)
    parser.add_argument("--no-relax", action="store_true", help="only count what is there")
    given = parser.parse_args()
    given.work.mkdir(parents=True, exist_ok=True)
    all_cases = list(cases(given.number))
    file = given.work / f"{given.potential.replace(':', '_')}.jsonl"
    done = relax_all([] if given.no_relax else all_cases, file, given.potential)
    found = json.loads(RESULT.read_text()) if RESULT.exists() else {}
    found[given.potential] = measure(all_cases, done)
    RESULT.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(found[given.potential], indent=1))


def relaxation() -> str:
    """The block of docs/relaxing.md (see check_readme.py)."""
    rows = []
    for potential, result in json.loads(RESULT.read_text(encoding="utf-8")).items():
        for kind, of in result["kinds"].items():
            errors = [
                f"{of['mean_abs_log10_error'][k]:.3f} ({of['median_abs_log10_error'][k]:.3f})"
                for k in ("as_made", "relaxed", "known")
            ]
            rows.append(
                [f"`{potential}`", kind, str(of["crystals"]), *errors, f"{100 * of['warned_of_as_made']:.0f} %"]
            )
    return table(["potential", "crystals", "number", "as made", "relaxed", "as known", "warned of as made"], rows)


if __name__ == "__main__":
    main()
