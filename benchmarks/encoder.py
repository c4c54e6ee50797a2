"""What merged graphs and stacked members save, as ratios measured in one run.

Compares, on the same crystals and in turns (A, B, A, B, ...), so that other work on the machine hits both alike:

* plain graphs with merged ones (each distinguishable site and edge once, with its multiplicity), and
* M members as one stacked network with M networks one after another,

each for building, prediction (forward) and training (forward, backward and a step of AdamW).
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

# Threads that spin while they wait for each other are many times slower where another process has a core; read by
# OpenMP when torch is imported.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import numpy as np
import torch
from rich.console import Console
from rich.table import Table

from paraisite.crystals import Crystal, read
from paraisite.graphs import GraphBatch, build
from paraisite.model.model import Model, ModelConfig
from paraisite.model.tensors import GraphTensors

FCC, CUBIC = np.array([[0.0, 0.5, 0.5], [0.5, 0.0, 0.5], [0.5, 0.5, 0.0]]), np.eye(3)
PROTOTYPES = [  # cell / a, positions, range of a in Å
    (FCC, [[0, 0, 0], [0.5, 0.5, 0.5]], (4.2, 6.6)),  # rocksalt
    (FCC, [[0, 0, 0], [0.25, 0.25, 0.25]], (4.5, 6.5)),  # zincblende
    (FCC, [[0, 0, 0], [0.25, 0.25, 0.25], [0.5, 0.5, 0.5]], (5.6, 6.6)),  # half-Heusler
    (CUBIC, [[0, 0, 0], [0.5, 0.5, 0.5], [0.5, 0.5, 0], [0.5, 0, 0.5], [0, 0.5, 0.5]], (3.8, 4.4)),  # perovskite
]
ELEMENTS = [3, 8, 9, 11, 12, 13, 14, 16, 17, 20, 22, 28, 30, 31, 33, 38, 50, 52, 56, 82]


@dataclass(frozen=True)
class Row:
    """One comparison; seconds are medians for the whole set of crystals."""

    crystals: str
    threads: int
    work: str
    slow: str
    fast: str
    slow_seconds: float
    fast_seconds: float

    @property
    def ratio(self) -> float:
        return self.slow_seconds / self.fast_seconds


def synthetic(n: int, seed: int = 0) -> list[Crystal]:
    """Cubic prototypes of random species and size; every third a supercell, and half of those with moved sites."""
    rng = np.random.default_rng(seed)
    crystals = []
    for i in range(n):
        cell, sites, (low, high) = PROTOTYPES[i % len(PROTOTYPES)]
        cell, positions = cell * rng.uniform(low, high), np.array(sites, dtype=float)
        numbers = rng.choice(ELEMENTS, len(positions), replace=False)
        if len(positions) == 5:
            numbers[2:] = 8
        if i % 3 == 2:
            shifts = np.array(list(np.ndindex(2, 2, 1)), dtype=float)
            positions = (positions[None] + shifts[:, None]).reshape(-1, 3) / [2, 2, 1]
            numbers, cell = np.tile(numbers, 4), cell * np.array([[2], [2], [1]])
            if i % 2:
                positions = positions + rng.normal(0, 0.05, positions.shape) @ np.linalg.inv(cell)
        crystals.append(Crystal(cell, numbers.astype(np.int64), positions, id=str(i)))
    return crystals


def real(mirror: Path, folder: str, n: int) -> list[Crystal]:
    """Crystals of a dataset, evenly drawn."""
    crystals = [c for c in read([mirror / folder / "cif.zip"]) if isinstance(c, Crystal)]
    return crystals[:: max(1, len(crystals) // n)][:n]


def in_turns(seconds: float, *runs: Callable[[], object]) -> list[float]:
    """Median time of each callable, called in turns for about so many seconds, after one call to warm up."""
    for run in runs:
        run()
    times: list[list[float]] = [[] for _ in runs]
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(times[0]) < 2:
        for run, own in zip(runs, times, strict=True):
            start = time.perf_counter()
            run()
            own.append(time.perf_counter() - start)
    return [median(own) for own in times]


def forward(models: Sequence[Model], batches: Sequence[GraphTensors]) -> Callable[[], None]:
    """Prediction of every crystal by every model."""

    def run() -> None:
        with torch.inference_mode():
            for model in models:
                for batch in batches:
                    model(batch)

    return run


def training(models: Sequence[Model], batches: Sequence[GraphTensors]) -> Callable[[], None]:
    """One epoch of every model."""
    optimizers = [torch.optim.AdamW(model.parameters(), lr=1e-5) for model in models]

    def run() -> None:
        for model, optimizer in zip(models, optimizers, strict=True):
            for batch in batches:
                optimizer.zero_grad()
                model(batch).square().mean((1, 2)).sum().backward()
                optimizer.step()

    return run


def batched(graphs: GraphBatch, size: int) -> list[GraphTensors]:
    """Batches of `size` crystals."""
    starts = range(0, len(graphs), size)
    return [GraphTensors.from_batch(graphs.take(range(s, min(s + size, len(graphs))))) for s in starts]


def compare(name: str, crystals: list[Crystal], members: int, batches: list[int], seconds: float) -> list[Row]:
    """All comparisons on one set of crystals, with the threads that torch has now."""
    threads = torch.get_num_threads()
    rows = []

    def add(work: str, slow: str, fast: str, *runs: Callable[[], object]) -> None:
        rows.append(Row(name, threads, work, slow, fast, *in_turns(seconds, *runs)))

    plain, merged = build(crystals, tolerance=None)[0], build(crystals)[0]
    kinds = f"plain ({plain.n_edges} edges)", f"merged ({merged.n_edges} edges)"
    torch.manual_seed(0)
    single = Model(ModelConfig())
    if threads == 1:
        add("build", *kinds, lambda: build(crystals, tolerance=None), lambda: build(crystals))
    for work, make in (("predict", forward), ("train", training)):
        add(f"{work}, 1 member, batch 64", *kinds, *(make([single], batched(g, 64)) for g in (plain, merged)))
    stacked = Model(ModelConfig(members=members))
    alone = [stacked.select([m]) for m in range(members)]
    for size in batches:
        graphs = batched(merged, size)
        for work, make in (("predict", forward), ("train", training)):
            runs = make(alone, graphs), make([stacked], graphs)
            add(f"{work}, {members} members, batch {size}", "in turn", "stacked", *runs)
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--crystals", type=int, default=64, help="crystals of each set (default 64)")
    parser.add_argument("--members", type=int, default=5, help="members of the ensemble (default 5)")
    parser.add_argument("--batch", type=int, nargs="+", default=[8, 64], help="crystals in a batch (default 8 64)")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2], help="threads of torch (default 1 2)")
    parser.add_argument("--seconds", type=float, default=1.0, help="time for each comparison (default 1)")
    parser.add_argument("--mirror", type=Path, default=os.environ.get("PARAISITE_MIRROR"), help="data folder, optional")
    parser.add_argument("--data", nargs="+", default=["aflow_agl"], help="folders of the mirror (default aflow_agl)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the rows and the machine to FILE")
    options = parser.parse_args()

    if options.mirror and Path(options.mirror).is_dir():
        sets = {name: real(Path(options.mirror), name, options.crystals) for name in options.data}
    else:
        sets = {"synthetic": synthetic(options.crystals)}
    rows: list[Row] = []
    for threads in options.threads:
        torch.set_num_threads(threads)
        for name, crystals in sets.items():
            rows += compare(f"{name} ({len(crystals)})", crystals, options.members, options.batch, options.seconds)

    table = Table("crystals", "threads", "work", "A", "B", "A, ms", "B, ms", "A / B")
    for row in rows:
        times = (f"{1000 * t:.1f}" for t in (row.slow_seconds, row.fast_seconds))
        table.add_row(row.crystals, str(row.threads), row.work, row.slow, row.fast, *times, f"{row.ratio:.2f}")
    Console(width=None if os.isatty(1) else 150).print(table)
    if options.json:
        machine = {"cpus": os.cpu_count(), "processor": platform.processor(), "torch": torch.__version__}
        content = {"machine": machine, "rows": [asdict(row) | {"ratio": row.ratio} for row in rows]}
        options.json.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
