"""Training speed: one step of this package against a plain loop, and members stacked against one after another.

    .venv/bin/python benchmarks/training.py [--epochs 20] [--json FILE]

Reads the 76 training crystals of the study's first L96 split where PARAISITE_MIRROR names the data, else as many
rocksalt and zincblende crystals made here. Everything runs in one process, on one thread, in turns, and is
reported as ratios. The reference of 0.41 s per epoch is the study's own code on such a machine
(batch 8, one network, one thread).
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


def crystals() -> list[Crystal]:
    if os.environ.get("PARAISITE_MIRROR"):
        dataset = load("l96")
        return [dataset[int(i)] for i in paper_split(len(dataset), 1).train]
    made = []
    for i in range(76):
        zincblende, a = i % 2, 4.2 + 0.03 * i
        shift = 0.25 if zincblende else 0.5
        cell = a / 2 * np.array([[0.0, 1.0, 1.0], [1.0, 0.0, 1.0], [1.0, 1.0, 0.0]])
        made.append(Crystal(cell, np.array([11 + i % 20, 34]), np.array([[0.0] * 3, [shift] * 3])))
    return made


def epoch_seconds(crystals: list[Crystal], members: int, *, merged: bool) -> float:
    """One epoch of all members, stacked."""
    graphs, _, _ = build(crystals, tolerance=1e-3 if merged else None)
    torch.manual_seed(0)
    model = Model(ModelConfig(members=members, head=HeadConfig()))
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    target = torch.randn(len(graphs))
    started = time.perf_counter()
    for rows in np.array_split(np.random.default_rng(0).permutation(len(graphs)), -(-len(graphs) // BATCH)):
        output = model(GraphTensors.from_batch(graphs.take(rows)))[:, :, 0]
        loss = (output - target[torch.as_tensor(rows)]).abs().mean(1).sum()
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    data = crystals()
    cases = {
        "plain graph, 1 network": (1, False),
        "merged graph, 1 network": (1, True),
        "merged graph, 9 networks stacked": (9, True),
        "merged graph, 15 networks stacked": (15, True),
    }
    seconds: dict[str, list[float]] = {name: [] for name in cases}
    for _ in range(arguments.epochs):  # in turns, so that a change of the machine's speed meets all of them
        for name, (members, merged) in cases.items():
            seconds[name].append(epoch_seconds(data, members, merged=merged))
    table = {}
    for name, (members, _) in cases.items():
        epoch = statistics.median(seconds[name])
        table[name] = {
            "seconds_per_epoch": round(epoch, 4),
            "seconds_per_epoch_and_network": round(epoch / members, 4),
            "study_over_this": round(STUDY_SECONDS_PER_EPOCH * members / epoch, 1),
        }
    print(f"{len(data)} crystals, batch {BATCH}, one thread, median of {arguments.epochs} epochs")
    for name, row in table.items():
        print(
            f"{name:36s} {row['seconds_per_epoch_and_network']:.4f} s per epoch and network, "
            f"{row['study_over_this']:5.1f} times the study's code"
        )
    if arguments.json:
        arguments.json.write_text(json.dumps(table, indent=1) + "\n")


if __name__ == "__main__":
    main()
