"""From an archive of CIFs to a Parquet table with intervals, on one core: a plain loop against this package.

    python benchmarks/screening.py [--data mp_stable aflow_agl] [--json FILE]

The plain loop is what a script does, and the study's did: pymatgen reads a file and lists the neighbours, the graph is
not merged, and each network is asked in turn about one crystal. It is given the descriptors, and stops at the mean over
the networks; ours goes on to the interval, the applicability, the nearest known compound and the file. Both use the
shipped networks and one thread, and are timed in turns in one process by its processor time; the best of each counts.
That both say the same is checked first. Where matgl is installed (`make phonons`), a third loop is timed: what the
study's own script does, matgl's MEGNet and its `predict_structure`, which builds the graph anew for each network. It is
for time only: its weights are drawn at random. Both loops take crystals evenly drawn from the whole. Without a data
folder, synthetic crystals are packed into an archive first.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import tempfile
import time
import warnings
import zipfile
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from types import SimpleNamespace

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch
from encoder import synthetic
from pyarrow import Table, parquet
from rich.console import Console
from rich.table import Table as Shown
from torch import Tensor, nn
from torch.nn import functional

from paraisite.crystals import read
from paraisite.model.checkpoint import Checkpoint
from paraisite.model.layers import LN2
from paraisite.model.model import Model
from paraisite.model.registry import DEFAULT, locate
from paraisite.model.tensors import GraphTensors
from paraisite.prediction import Predictor

PART = 4096
"""Crystals of a row group."""


def plain_network(model: Model, z: Tensor, src: Tensor, dst: Tensor, distance: Tensor, described: Tensor) -> float:
    """log10 kappa by one network, written as MEGNet is published: layers on concatenated features, edge by edge."""
    net = model.encoder

    def mlp(layers: nn.ModuleList, x: Tensor) -> Tensor:
        for layer in layers:
            x = functional.softplus(x @ layer.weight[0] + layer.bias[0]) - LN2
        return x

    def pool(lstm: nn.Module, x: Tensor) -> Tensor:
        hidden, cell, query = x.new_zeros(1, 32), x.new_zeros(1, 32), x.new_zeros(1, 64)
        for _ in range(lstm.steps):
            gates = query @ lstm.weight_input[0] + hidden @ lstm.weight_hidden[0] + lstm.bias[0]
            enter, forget, new, leave = gates.chunk(4, dim=1)
            cell = forget.sigmoid() * cell + enter.sigmoid() * new.tanh()
            hidden = leave.sigmoid() * cell.tanh()
            attention = torch.softmax(x @ hidden.T, dim=0)
            query = torch.cat([hidden, (attention * x).sum(0, keepdim=True)], dim=1)
        return query

    v = mlp(net.node_encoder.layers, net.embedding[0, net.element_row[z]])
    e = mlp(net.edge_encoder.layers, torch.exp(-0.5 * (distance[:, None] - net.centres) ** 2))
    u = mlp(net.state_encoder.layers, torch.zeros(1, 2))
    degree = torch.bincount(dst, minlength=len(z)).clamp(min=1)[:, None]
    for block in net.blocks:
        old = v, e, u
        if block.dense is not None:
            v, e, u = (mlp(block.dense[k].layers, x) for k, x in (("node", v), ("edge", e), ("state", u)))
        e = mlp(block.edge_update.layers, torch.cat([v[src], v[dst], e, u.expand(len(src), -1)], dim=1))
        received = torch.zeros_like(v).index_add_(0, dst, e) / degree
        v = mlp(block.node_update.layers, torch.cat([v, received, u.expand(len(z), -1)], dim=1))
        u = mlp(block.state_update.layers, torch.cat([u, e.mean(0, True), v.mean(0, True)], dim=1))
        v, e, u = old[0] + v, old[1] + e, old[2] + u
    vector = torch.cat([pool(net.node_pool, v), pool(net.edge_pool, e), u], dim=1)
    output = model.outputs(vector[None], SimpleNamespace(descriptors=described))
    return float(np.log10(model.transforms["kappa"].inverse(output[:, :, 0])[0, 0]))


@torch.inference_mode()
def plain_loop(archive: Path, members: list[Model], names: list[str], descriptors: list[np.ndarray]) -> list[float]:
    """Mean log10 kappa over the networks for some files of an archive, one structure and one network at a time."""
    from pymatgen.core import Structure

    found = []
    with zipfile.ZipFile(archive) as file:
        for name, row in zip(names, descriptors, strict=True):
            structure = Structure.from_str(file.read(name).decode(), fmt="cif")
            dst, src, _, distance = (torch.as_tensor(x) for x in structure.get_neighbor_list(4.0 + 1e-8))
            graph = torch.tensor(structure.atomic_numbers), src, dst, distance.float()
            described = torch.as_tensor(row[None], dtype=torch.float32)
            found.append(float(np.mean([plain_network(member, *graph, described) for member in members])))
    return found


def study_loop(archive: Path, networks: int, names: list[str]) -> None:
    """Ask matgl's network as often as there are networks, as main/src/scan_mdp.py of the study does."""
    from matgl.models import MEGNet
    from pymatgen.core import Structure

    model = MEGNet(include_state=True).eval()
    with zipfile.ZipFile(archive) as file:
        for name in names:
            structure = Structure.from_str(file.read(name).decode(), fmt="cif")
            for _ in range(networks):
                model.predict_structure(structure)


def ours(archive: Path, predictor: Predictor, out: Path, seconds: dict[str, float]) -> int:
    """Predict a whole archive into a Parquet file; adds to the seconds of each step, and returns the rows."""
    crystals, rows, writer = read([archive]), 0, None
    clock = time.process_time
    while True:
        times = [clock()]
        part = list(islice(crystals, PART))
        times.append(clock())
        if not part:
            break
        prepared = predictor.prepare(part)
        times.append(clock())
        columns = predictor.table(prepared)
        times.append(clock())
        table = Table.from_pydict(columns)
        writer = writer or parquet.ParquetWriter(out, table.schema)
        writer.write_table(table)
        times.append(clock())
        for step, start, stop in zip(("read", "graphs", "networks", "write"), times, times[1:], strict=False):
            seconds[step] = seconds.get(step, 0.0) + stop - start
        rows += len(part)
    if writer is not None:
        writer.close()
    return rows


def timed(run: Callable[[], object]) -> float:
    start = time.process_time()
    run()
    return time.process_time() - start


def pack(path: Path, n: int) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for crystal in synthetic(n):
            text = io.StringIO(crystal.to_pymatgen().to(fmt="cif"))
            file.writestr(f"{crystal.id}.cif", text.getvalue())
    return path


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mirror", type=Path, default=os.environ.get("PARAISITE_MIRROR"), help="data folder, optional")
    parser.add_argument("--data", nargs="+", default=["mp_stable", "aflow_agl"], help="folders of the mirror")
    parser.add_argument("--plain", type=int, default=240, help="crystals of the loops (default 240)")
    parser.add_argument("--repeats", type=int, default=3, help="times that each is run (default 3)")
    parser.add_argument("--exact", action="store_true", help="time the exact path of this package")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the rows to FILE")
    options = parser.parse_args()
    torch.set_num_threads(1)
    warnings.filterwarnings("ignore", module="pymatgen")

    predictor = Predictor.from_pretrained(exact=options.exact)
    kappa = Checkpoint.load(locate(DEFAULT)).kappa
    members = [kappa.select([m]) for m in range(kappa.config.members)]
    has_matgl = find_spec("matgl") is not None
    heads = ("crystals", "study, /s", "plain, /s", "ours, /s", "ours / study", "ours / plain")
    shown = Shown(*heads, "read", "graphs", "networks", "write")
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        if options.mirror and Path(options.mirror).is_dir():
            archives = {name: Path(options.mirror) / name / "cif.zip" for name in options.data}
        else:
            archives = {"synthetic": pack(Path(folder) / "synthetic.zip", 2000)}
        for name, archive in archives.items():
            with zipfile.ZipFile(archive) as file:
                names = [n for n in file.namelist() if n.endswith(".cif")]
            prepared = predictor.prepare(read([archive]))  # for the descriptors, a gift to the plain loop
            graphs = prepared.graphs.take(range(0, len(prepared.kept), max(1, len(prepared.kept) // options.plain)))
            drawn = [names[i] for i in prepared.kept[:: max(1, len(prepared.kept) // options.plain)]]
            loop = partial(plain_loop, archive, members, drawn, list(graphs.descriptors))
            expected = np.log10(kappa.predict(GraphTensors.from_batch(graphs))[0]["kappa"]).mean(axis=0)
            worst = np.abs(loop() - expected).max()  # pymatgen rounds some coordinates
            print(f"{name}: both say the same of {len(drawn)} crystals to {worst:.1e} in log10 kappa")
            best, steps, loops, studied = np.inf, {}, [], [np.inf]
            as_study = partial(study_loop, archive, len(members), drawn)
            for _ in range(options.repeats):
                seconds: dict[str, float] = {}
                total = timed(lambda a=archive, s=seconds: ours(a, predictor, Path(folder) / "out.parquet", s))
                if total < best:
                    best, steps = total, seconds
                loops.append(timed(loop))
                if has_matgl:
                    studied.append(timed(as_study))
            study, plain, quick = len(drawn) / min(studied), len(drawn) / min(loops), len(names) / best
            over_study = f"{quick / study:.0f}" if has_matgl else "no matgl"
            each = {step: 1e3 * s / len(names) for step, s in steps.items()}
            milliseconds = (f"{ms:.2f} ms" for ms in each.values())
            rates = (f"{study:.2f}", f"{plain:.2f}", f"{quick:.0f}", over_study, f"{quick / plain:.0f}")
            shown.add_row(f"{name} ({len(names)})", *rates, *milliseconds)
            found = {"study_per_s": study or None, "plain_per_s": plain, "ours_per_s": quick, "ms": each}
            rows.append({"crystals": name, "n": len(names), **found})
    Console(width=None if os.isatty(1) else 150).print(shown)
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
