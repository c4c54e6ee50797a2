"""Training speed: this package against a straightforward loop, and members stacked against one after another.

    .venv/bin/python benchmarks/training.py [--epochs 10] [--dataset aflow_agl] [--json FILE]

Reads the 76 training crystals of the study's first L96 split (or the first 512 of AFLOW's) where PARAISITE_MIRROR names
the data, else as many rocksalt and zincblende crystals made here. Everything runs in one process, on one thread, in
turns, and is reported as ratios to the straightforward loop: plain graphs, one network after another, batches of 8. The
reference of 0.41 s per epoch of L96 is the study's own code on such a machine (batch 8, one network, one thread).
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from pathlib import Path

import numpy as np
import torch

from paraisite.crystals import Crystal
from paraisite.datasets import load, paper_split
from paraisite.graphs import build
from paraisite.model.model import HeadConfig, Model, ModelConfig
from paraisite.model.tensors import GraphTensors

STUDY_SECONDS_PER_EPOCH = 0.41
BATCH = 8


def crystals(name: str) -> list[Crystal]:
    if os.environ.get("PARAISITE_MIRROR"):
        dataset = load(name)
        return [dataset[int(i)] for i in paper_split(len(dataset), 1).train[:512]]
    made = []
    for i in range(76):
        zincblende, a = i % 2, 4.2 + 0.03 * i
        shift = 0.25 if zincblende else 0.5
        cell = a / 2 * np.array([[0.0, 1.0, 1.0], [1.0, 0.0, 1.0], [1.0, 1.0, 0.0]])
        made.append(Crystal(cell, np.array([11 + i % 20, 34]), np.array([[0.0] * 3, [shift] * 3])))
    return made


def epoch_seconds(crystals: list[Crystal], members: int, batch: int, *, merged: bool) -> float:
    """One epoch of all members, stacked."""
    graphs, _, _ = build(crystals, tolerance=1e-3 if merged else None)
    torch.manual_seed(0)
    model = Model(ModelConfig(members=members, head=HeadConfig()))
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    target = torch.randn(len(graphs))
    started = time.perf_counter()
    for rows in np.array_split(np.random.default_rng(0).permutation(len(graphs)), -(-len(graphs) // batch)):
        output = model(GraphTensors.from_batch(graphs.take(rows)))[:, :, 0]
        loss = (output - target[torch.as_tensor(rows)]).abs().mean(1).sum()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--dataset", choices=("l96", "aflow_agl"), default="l96")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    data = [c for c in crystals(arguments.dataset) if len(build([c])[0])]
    cases = {
        "plain graphs, 1 network, batch 8": (1, BATCH, False),
        "merged graphs, 1 network, batch 8": (1, BATCH, True),
        "merged graphs, 9 networks, batch 8": (9, BATCH, True),
        "merged graphs, 9 networks, batch 32": (9, 32, True),
        "merged graphs, 9 networks, batch 64": (9, 64, True),
        "merged graphs, 15 networks, batch 8": (15, BATCH, True),
    }
    seconds: dict[str, list[float]] = {name: [] for name in cases}
    for _ in range(arguments.epochs):  # in turns, so that a change of the machine's speed meets all of them
        for name, (members, batch, merged) in cases.items():
            seconds[name].append(epoch_seconds(data, members, batch, merged=merged))
    table: dict[str, dict[str, float]] = {}
    for name, (members, _, _) in cases.items():
        each = statistics.median(seconds[name]) / members
        table[name] = {"seconds_per_epoch_and_network": round(each, 4), "crystals_per_second": round(len(data) / each)}
        first = next(iter(table.values()))["seconds_per_epoch_and_network"]
        table[name]["over_plain_loop"] = round(first / each, 1)
        if arguments.dataset == "l96":
            table[name]["over_the_study"] = round(STUDY_SECONDS_PER_EPOCH / each, 1)
    print(f"{len(data)} crystals of {arguments.dataset}, one thread, median of {arguments.epochs} epochs")
    for name, row in table.items():
        print(f"{name:36s} " + ", ".join(f"{what.replace('_', ' ')} {value:g}" for what, value in row.items()))
    if arguments.json:
        arguments.json.write_text(json.dumps(table, indent=1) + "\n")


if __name__ == "__main__":
    main()
