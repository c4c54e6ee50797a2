"""Train the band gap and the classifier of metals that come with the model `kappa`, and measure them.

    PARAISITE_MIRROR=../shared/data .venv/bin/python tools/make_band_gap.py [--cache FOLDER] [--jobs N]

Checks the teacher, MEGNet-MP-2019.4.1-BandGap-mfi, on PBE gaps of the literature, labels the crystals of all datasets
with it, trains by folds of formulas and once on all formulas that neither list of known metals and insulators holds,
and writes src/paraisite/model/auxiliary/band_gap/ and results/band_gap.json. Takes about fifteen minutes on one core;
with --cache, labels and inputs are kept in a folder for the next time.
"""

from __future__ import annotations

import argparse
import csv
import hashlib
import json
import math
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from itertools import pairwise
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import spglib
import torch
from markdown_table import table
from pymatgen.core import Composition
from safetensors.torch import save_file
from torch.nn import functional as F

from paraisite.crystals import Crystal
from paraisite.datasets import load
from paraisite.datasets.places import mirror_folder
from paraisite.graphs import build
from paraisite.model import electronic
from paraisite.model.checkpoint import Checkpoint
from paraisite.model.convert import BAND_GAP, band_gap_from_matgl
from paraisite.model.descriptors import PROPERTIES, described, element_table
from paraisite.model.electronic import Electronic, digest, inputs
from paraisite.model.encoders import encoder_of
from paraisite.model.layers import MemberMLP
from paraisite.model.megnet import MEGNetConfig
from paraisite.model.model import Model
from paraisite.model.registry import DEFAULT, locate
from paraisite.model.tensors import GraphTensors

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "results/band_gap.json"
SHIPPED = Path(electronic.__file__).parent / "auxiliary/band_gap"
KNOWN = ROOT / "tools/metals_and_insulators.csv"
"""Metals and insulators that no network trains on; chosen before any was trained."""

SECOND = ROOT / "tools/metals_and_insulators_second.csv"
"""More of them, drawn by lot from new facts, half of which went to `TAUGHT`, when the errors on `KNOWN` were known."""

TAUGHT = ROOT / "tools/metals_and_insulators_training.csv"
"""Other known ones, by formula, whose class the networks learn in place of the teacher's."""

DATASETS = (
    "l96",
    "hh143",
    "phonix",
    "mp_stable",
    "aflow_agl",
    "phonondb_harmonic",
    "matcalc_elasticity",
    "matcalc_heat_capacity",
)
SUBSTITUTED, SUBSTITUTIONS, LARGEST_CELL = "substituted", 8000, 16
"""Crystals made by substitution, of at most so many sites, that are trained on and never tested."""

SUBSTITUTE_IN = ("phonix", "mp_stable", "aflow_agl", "matcalc_heat_capacity")
TEACHER = "weights/MEGNet-MP-2019.4.1-BandGap-mfi"
NO_GAP = 0.02
"""A crystal with a smaller gap (eV) by the teacher is a metal to the networks, unless it is known not to be."""

HIDDEN, DROPOUT, EPOCHS, RATE, DECAY, BATCH = (128, 64), 0.1, 20, 2e-3, 1e-2, 256
CLASS_WEIGHT, TAUGHT_WEIGHT = 0.3, 5.0
"""Of the loss of the class beside that of the gap, and of a known class beside one by the teacher."""

FOLDS, SEED, CHUNK, MAX_EDGES = 5, 0, 256, 8192
BINS = 12
"""Predicted gaps at which the interval is measured."""

LARGEST_ERROR = 0.6
"""Mean difference from the literature (eV) beyond which the conversion of the teacher is wrong."""

KRESSE = "M. Shishkin and G. Kresse, Phys. Rev. B 75, 235102 (2007)"
PROJECT = "PBE gaps of the Materials Project, A. Jain et al., APL Mater. 1, 011002 (2013), to 0.1 eV"
PBE_GAPS = (
    ("Si", 227, 0.62, KRESSE),
    ("C", 227, 4.12, KRESSE),
    ("SiC", 216, 1.35, KRESSE),
    ("BN", 216, 4.45, KRESSE),
    ("AlP", 216, 1.57, KRESSE),
    ("GaAs", 216, 0.49, KRESSE),
    ("GaN", 216, 1.62, KRESSE),
    ("ZnO", 216, 0.67, KRESSE),
    ("ZnS", 216, 2.07, KRESSE),
    ("CdS", 216, 1.14, KRESSE),
    ("MgO", 225, 4.76, KRESSE),
    ("LiF", 225, 9.20, KRESSE),
    ("BP", 216, 1.2, PROJECT),
    ("AlAs", 216, 1.5, PROJECT),
    ("AlSb", 216, 1.2, PROJECT),
    ("GaP", 216, 1.6, PROJECT),
    ("InP", 216, 0.5, PROJECT),
    ("InSb", 216, 0.0, PROJECT),
    ("ZnSe", 216, 1.2, PROJECT),
    ("ZnTe", 216, 1.1, PROJECT),
    ("CdTe", 216, 0.6, PROJECT),
    ("AlN", 186, 4.1, PROJECT),
    ("BeO", 186, 7.5, PROJECT),
    ("CaO", 225, 3.6, PROJECT),
    ("SrO", 225, 3.3, PROJECT),
    ("BaO", 225, 2.1, PROJECT),
    ("NaF", 225, 6.1, PROJECT),
    ("KCl", 225, 5.0, PROJECT),
    ("KBr", 225, 4.4, PROJECT),
    ("CaF2", 225, 7.2, PROJECT),
)
"""Formula, number of the space group, gap in eV, source."""


@dataclass
class Labelled:
    """Crystals of all datasets that have a graph: what they are, their gap by the teacher (eV), and the inputs."""

    dataset: np.ndarray
    id: np.ndarray
    formula: np.ndarray
    space_group: np.ndarray
    gap: np.ndarray
    vectors: np.ndarray
    described: np.ndarray

    def x(self) -> torch.Tensor:
        """Return the inputs of the networks, as `electronic.inputs` does."""
        known = torch.from_numpy(self.vectors).transpose(0, 1)
        return torch.cat([known, torch.from_numpy(self.described).expand(len(known), -1, -1)], dim=2)


def reduced(formula: str) -> str:
    return Composition(formula).reduced_formula


def label(teacher: Model, crystals: Sequence[Crystal]) -> np.ndarray:
    """Gaps by the teacher, in eV."""
    graphs, kept, _ = build(crystals, cutoff=teacher.config.encoder.cutoff)
    assert len(kept) == len(crystals)
    found = []
    for piece in graphs.split_by_edges(MAX_EDGES):
        part = GraphTensors.from_batch(graphs.take(np.arange(piece.start, piece.stop)))
        found.append(teacher.predict(part)[0][BAND_GAP][0])
    return np.concatenate(found)


def gather(crystals: Sequence[Crystal], checkpoint: Checkpoint, teacher: Model) -> dict[str, np.ndarray]:
    """Label crystals, and compute what a prediction of kappa computes of them."""
    card, model = checkpoint.card, checkpoint.kappa
    fast = encoder_of(card.kappa.config.encoder).fast
    assert fast is not None
    encoder, width = fast(model.encoder, card.cutoff), card.kappa.config.encoder.vector_width
    known = frozenset(card.kappa.config.encoder.elements)
    crystals, parts = [c for c in crystals if known.issuperset(c.numbers.tolist())], []
    for start in range(0, len(crystals), CHUNK):
        some = crystals[start : start + CHUNK]
        graphs, kept, _ = build(some, cutoff=card.cutoff, tolerance=card.tolerance)
        some = [some[i] for i in kept]
        graphs = described(some, graphs, environment=True)
        pieces = [graphs.take(np.arange(p.start, p.stop)) for p in graphs.split_by_edges(MAX_EDGES)]
        x = torch.cat([inputs(encoder(piece), piece) for piece in pieces], dim=1).numpy()
        parts.append(
            {
                "id": np.array([c.id for c in some]),
                "formula": np.array([reduced(c.formula) for c in some]),
                "space_group": np.array([space_group(c) for c in some]),
                "gap": label(teacher, some),
                "vectors": x[:, :, :width].transpose(1, 0, 2),
                "described": x[0, :, width:],
            }
        )
    return {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}


def substituted(crystals: Sequence[Crystal], number: int) -> list[Crystal]:
    """Crystals with one element in place of another of its group, all lengths scaled with the mean covalent radius.

    None is relaxed. The networks learn from them what the teacher says of more compounds than databases hold.
    """
    random, made = np.random.default_rng(SEED), []
    table = {name: element_table()[:, PROPERTIES.index(name)] for name in ("group", "row", "covalent_radius")}
    elements = np.array(MEGNetConfig().elements)
    small = [c for c in crystals if c.n_sites <= LARGEST_CELL]
    for turn in range(number):
        crystal = small[random.integers(len(small))]
        old = random.choice(np.unique(crystal.numbers))
        alike = (table["group"][elements] == table["group"][old]) & (elements != old)
        alike &= np.abs(table["row"][elements] - table["row"][old]) <= 2
        if not alike.any():
            continue
        numbers = np.where(crystal.numbers == old, random.choice(elements[alike]), crystal.numbers)
        before, after = (table["covalent_radius"][z].mean() for z in (crystal.numbers, numbers))
        made.append(replace(crystal, id=f"{SUBSTITUTED}-{turn}", numbers=numbers, cell=crystal.cell * after / before))
    return made


def space_group(crystal: Crystal) -> int:
    """Number of the space group; 0 where none is found."""
    found = spglib.get_symmetry_dataset((crystal.cell, crystal.positions, crystal.numbers), symprec=0.01)
    return 0 if found is None else int(found.number)


def gathered(cache: Path | None) -> Labelled:
    """Label all datasets, or read the labels of an earlier run in `cache`."""
    checkpoint, teacher, parts = Checkpoint.load(locate(DEFAULT)), band_gap_from_matgl(teacher_file()).eval(), []
    for name in (*DATASETS, SUBSTITUTED):
        file = None if cache is None else cache / f"{name}.npz"
        if file is not None and file.is_file():
            part = dict(np.load(file))
        else:
            crystals = (
                list(load(name).crystals)
                if name != SUBSTITUTED
                else substituted([c for other in SUBSTITUTE_IN for c in load(other).crystals], SUBSTITUTIONS)
            )
            part = gather(crystals, checkpoint, teacher)
            if file is not None:
                file.parent.mkdir(parents=True, exist_ok=True)
                np.savez(file, **part)
        parts.append(part | {"dataset": np.full(len(part["id"]), name)})
        print(f"{name}: {len(part['id'])} crystals", flush=True)
    every = {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}
    # a material of the Materials Project stands in several datasets: the first one counts
    rows = np.sort(np.unique(every["id"], return_index=True)[1])
    return select(Labelled(**every), rows)


def select(data: Labelled, rows: np.ndarray) -> Labelled:
    return Labelled(**{key: values[rows] for key, values in vars(data).items()})


def teacher_file() -> Path:
    mirror = mirror_folder()
    assert mirror is not None, "set PARAISITE_MIRROR"
    return mirror / TEACHER / "state.pt"


def check_teacher(data: Labelled) -> dict[str, Any]:
    """Compare the teacher with PBE gaps of the literature; as its model.json describes it, too."""
    rows = []
    for formula, group, gap, source in PBE_GAPS:
        here = np.flatnonzero((data.formula == reduced(formula)) & (data.space_group == group))
        assert len(here), f"{formula}: no crystal with space group {group}"
        k = here[0]  # of the datasets in their order
        row = {"formula": formula, "space_group": group, "dataset": str(data.dataset[k]), "id": str(data.id[k])}
        rows.append(row | {"pbe_eV": gap, "teacher_eV": _round(max(data.gap[k], 0.0)), "source": source})
    crystals = {(r["dataset"], r["id"]): None for r in rows}
    for name in {r["dataset"] for r in rows}:
        crystals |= {(name, c.id): c for c in load(name).crystals if (name, c.id) in crystals}
    three = band_gap_from_matgl(teacher_file()).eval()
    three.encoder.node_pool.steps = three.encoder.edge_pool.steps = 3
    as_told = np.concatenate([label(three, [c]) for c in crystals.values() if c is not None])
    known = np.array([r["pbe_eV"] for r in rows])
    error = np.abs(np.array([r["teacher_eV"] for r in rows]) - known)
    assert error.mean() < LARGEST_ERROR, f"mean error of the teacher {error.mean():.2f} eV: wrong conversion"
    return {
        "mean_error_eV": _round(error.mean()),
        "largest_error_eV": _round(error.max()),
        "mean_error_with_three_steps_of_set2set_eV": _round(np.abs(np.maximum(as_told, 0.0) - known).mean()),
        "crystals": rows,
    }


def classes(data: Labelled) -> tuple[np.ndarray, np.ndarray]:
    """Whether each crystal is a metal, by the teacher or as known, and the weight of that in training."""
    known = {row["formula"]: row["metal"] == "yes" for row in listed(TAUGHT)}
    is_known = np.array([f in known for f in data.formula])
    metal = np.array([known.get(f, gap < NO_GAP) for f, gap in zip(data.formula, data.gap, strict=True)])
    return metal, np.where(is_known, TAUGHT_WEIGHT, 1.0)


def train(x: torch.Tensor, data: Labelled, rows: np.ndarray) -> Electronic:
    """Train one network for each encoder on some rows."""
    torch.manual_seed(SEED)
    shift, scale = x[:, rows].mean(dim=1, keepdim=True), x[:, rows].std(dim=1, keepdim=True)
    scale[scale < 1e-6] = 1.0
    network = MemberMLP(len(x), [x.shape[2], *HIDDEN, 2], dropout=DROPOUT)
    made = Electronic(network, shift, scale, np.zeros(1), np.zeros(1), 0.0, "")
    z, gap = made.standard(x), torch.from_numpy(np.maximum(data.gap, 0.0)).float()
    metal, weight = (torch.from_numpy(values).float() for values in classes(data))
    steps = len(rows) // BATCH
    optimiser = torch.optim.AdamW(network.parameters(), RATE, weight_decay=DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, RATE, total_steps=EPOCHS * steps)
    network.train()
    for _ in range(EPOCHS):
        order = torch.from_numpy(rows)[torch.randperm(len(rows))]
        for batch in order[: steps * BATCH].split(BATCH):
            out = network(z[:, batch])
            found, wanted = out[:, :, 0], gap[batch]
            found = torch.where(wanted > 0, found, found.relu())  # below zero a metal is right, however far
            of_class = F.binary_cross_entropy_with_logits(
                out[:, :, 1], metal[batch].expand(len(x), -1), weight=weight[batch].expand(len(x), -1)
            )
            loss = (found - wanted).abs().mean() + CLASS_WEIGHT * of_class
            optimiser.zero_grad()
            (len(x) * loss).backward()  # a sum over members, which share no weight
            optimiser.step()
            schedule.step()
    network.eval()
    return made


_SHARED: list[Any] = []


def _share(*values: Any) -> None:
    torch.set_num_threads(1)
    _SHARED[:] = values


def _train(rows: np.ndarray) -> Electronic:
    return train(*_SHARED, rows)


@torch.inference_mode()
def ask(made: Electronic, x: torch.Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Gaps in eV, and probabilities of being a metal."""
    out = made.network(made.standard(x)).double().mean(dim=0).numpy()
    return np.maximum(out[:, 0], 0.0), 1.0 / (1.0 + np.exp(-out[:, 1].clip(-30, 30)))


def even(metal: np.ndarray, known: np.ndarray, formula: np.ndarray) -> float:
    """Logit above which to call a crystal a metal, so that known ones are right, metals and others counting alike.

    The teacher takes many semiconductors of small gap for metals, so that probabilities are too high. Of the limits
    that are right as often as the best one within a standard error, the one nearest to none is taken.
    """
    _, number, crystals = np.unique(formula, return_inverse=True, return_counts=True)
    logit, weight = np.log(metal / (1.0 - metal)), 1.0 / crystals[number]  # every formula counts once
    limits = np.linspace(-6.0, 6.0, 121)
    right = np.array(
        [
            [
                np.average(logit[known] > t, weights=weight[known]),
                np.average(logit[~known] <= t, weights=weight[~known]),
            ]
            for t in limits
        ]
    )
    mean, best = right.mean(axis=1), right[right.mean(axis=1).argmax()]
    error = 0.5 * math.sqrt(sum(p * (1 - p) / weight[c].sum() for p, c in zip(best, (known, ~known), strict=True)))
    print(f"right {mean.max():.3f} with an error of {error:.3f}, {mean[60]:.3f} at a limit of 0", flush=True)
    good = limits[mean >= mean.max() - error]
    return _round(good[np.abs(good).argmin()])


def shifted(metal: np.ndarray, offset: float) -> np.ndarray:
    """Probabilities whose logits are lowered by `offset`."""
    return np.asarray(1.0 / (1.0 + np.exp(offset) * (1.0 / metal - 1.0)))


def interval(gap: np.ndarray, error: np.ndarray) -> dict[str, list[float]]:
    """Half the width that covers 90 % of held-out errors, at gaps from the smallest to the largest."""
    edges = np.quantile(gap[gap > NO_GAP], np.linspace(0.0, 1.0, BINS))
    bins = [gap <= NO_GAP, *((gap > low) & (gap <= high) for low, high in pairwise(edges))]
    return {
        "gap_eV": [_round(np.median(gap[b])) for b in bins],
        "half_width_eV": [_round(np.quantile(error[b], 0.9)) for b in bins],
    }


def listed(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def judge(gap: np.ndarray, metal: np.ndarray, data: Labelled, known: list[dict[str, str]]) -> dict[str, Any]:
    """Compare with known metals and insulators."""
    place = {key: k for k, key in enumerate(data.id.tolist())}
    no_graph = [r["formula"] for r in known if r["id"] not in place]
    known = [r for r in known if r["id"] in place]
    rows = [place[r["id"]] for r in known]
    right = np.array([(metal[k] > 0.5) == (r["metal"] == "yes") for k, r in zip(rows, known, strict=True)])
    by_teacher = np.array([(data.gap[k] < NO_GAP) == (r["metal"] == "yes") for k, r in zip(rows, known, strict=True)])
    is_metal = np.array([r["metal"] == "yes" for r in known])
    none = ~is_metal & (data.gap[rows] < NO_GAP)
    kinds = {"all": is_metal | ~is_metal, "metals": is_metal, "insulators_without_a_gap_by_PBE": none}
    kinds["other_insulators"] = ~is_metal & ~none
    wrong = [
        {"formula": r["formula"], "metal": r["metal"], "known_gap_eV": r["gap_eV"], "probability": _round(metal[k])}
        | {"gap_eV": _round(gap[k]), "teacher_eV": _round(data.gap[k])}
        for k, r, good in zip(rows, known, right, strict=True)
        if not good
    ]
    return {
        "no_graph_and_therefore_rejected": no_graph,
        "crystals": {kind: int(here.sum()) for kind, here in kinds.items()},
        "right": {kind: _round(right[here].mean()) for kind, here in kinds.items()},
        "right_by_the_teacher": {kind: _round(by_teacher[here].mean()) for kind, here in kinds.items()},
        "wrong": wrong,
    }


def main() -> None:
    """Label, train, measure, write."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--cache", type=Path)
    parser.add_argument("--jobs", type=int, default=1)
    arguments = parser.parse_args()
    data = gathered(arguments.cache)
    found: dict[str, Any] = {"teacher": check_teacher(data)}
    print(json.dumps({k: v for k, v in found["teacher"].items() if k != "crystals"}), flush=True)

    x = data.x()
    tested = np.isin(data.formula, [reduced(row["formula"]) for path in (KNOWN, SECOND) for row in listed(path)])
    real = data.dataset != SUBSTITUTED
    formulas, number = np.unique(data.formula, return_inverse=True)
    fold = np.random.default_rng(SEED).permutation(len(formulas))[number] % FOLDS
    gap, metal = np.zeros(len(data.gap)), np.zeros(len(data.gap))
    rows = [np.flatnonzero((fold != k) & ~tested) for k in range(FOLDS)] + [np.flatnonzero(~tested)]
    with ProcessPoolExecutor(arguments.jobs, get_context("fork"), _share, (x, data)) as pool:
        *held_out, made = pool.map(_train, rows)
    for k, of_fold in enumerate(held_out):
        gap[fold == k], metal[fold == k] = ask(of_fold, x[:, fold == k])
        print(f"fold {k}: {np.abs(gap - np.maximum(data.gap, 0))[real & (fold == k)].mean():.4f} eV", flush=True)
    _, weight = classes(data)
    taught = real & (weight > 1.0) & ~tested
    offset = even(metal[taught], classes(data)[0][taught], data.formula[taught])
    metal = shifted(metal, offset)
    shipped_gap, shipped_metal = ask(made, x)
    known = {
        name: judge(shipped_gap, shifted(shipped_metal, offset), data, listed(path))
        for name, path in (("known_metals_and_insulators", KNOWN), ("second_list", SECOND))
    }
    data, gap, metal, number = select(data, real), gap[real], metal[real], number[real]
    error = np.abs(gap - np.maximum(data.gap, 0.0))
    is_metal, weight = classes(data)
    taught = weight > 1.0
    found["metal_logit_offset"] = offset
    found["held_out_by_formula"] = {
        "crystals": len(gap),
        "formulas": len(np.unique(number)),
        "trained_on_besides": int((~real).sum()),
        "mean_error_eV": _round(error.mean()),
        "mean_error_of_one_crystal_per_formula_eV": _round(error[np.unique(number, return_index=True)[1]].mean()),
        "mean_error_eV_where_the_teacher_has_a_gap": _round(error[data.gap >= NO_GAP].mean()),
        "mean_gap_eV": _round(np.maximum(data.gap, 0.0).mean()),
        "mean_error_of_the_median_eV": _round(np.abs(np.maximum(data.gap, 0) - np.median(data.gap)).mean()),
        "mean_error_eV_by_dataset": {n: _round(error[data.dataset == n].mean()) for n in DATASETS},
        "class_as_the_teacher": _round(((metal > 0.5) == is_metal)[~taught].mean()),
        "class_as_known_of_the_taught": _round(((metal > 0.5) == is_metal)[taught].mean()),
    }
    found["interval"] = interval(gap, error)
    covered = np.abs(error) <= np.interp(gap, *found["interval"].values())
    found["held_out_by_formula"]["within_the_interval"] = _round(covered.mean())
    found |= known
    RESULTS.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    ship(made, found)
    print(json.dumps({k: v for k, v in found.items() if k != "teacher"}, indent=1))


def electrons() -> str:
    """The tables of docs/kind.md."""
    found = json.loads(RESULTS.read_bytes())
    held = found["held_out_by_formula"]
    rows = [[f"`{name}`", f"{error:.2f}"] for name, error in held["mean_error_eV_by_dataset"].items()]
    rows.append([f"all, {held['crystals']} crystals", f"{held['mean_error_eV']:.3f}"])
    rows.append(["those with a gap", f"{held['mean_error_eV_where_the_teacher_has_a_gap']:.2f}"])
    shares = [
        [f"{name.replace('_', ' ')}{of}", f"{n}", *(f"{100 * known[k][name]:.0f} %" for k in _RIGHT)]
        for known, of in ((found["known_metals_and_insulators"], ""), (found["second_list"], ", second list"))
        for name, n in known["crystals"].items()
    ]
    wrong = "\n".join(
        f"Wrong of the {which} list: {', '.join(row['formula'] for row in found[key]['wrong'])}."
        for which, key in (("first", "known_metals_and_insulators"), ("second", "second_list"))
    )
    return (
        table(["band gap, formulas held out", "mean error (eV)"], rows)
        + "\n"
        + table(["known metals and insulators", "crystals", "right", "right by the PBE network"], shares)
        + f"\n{wrong}\n"
    )


_RIGHT = ("right", "right_by_the_teacher")


def ship(made: Electronic, found: dict[str, Any]) -> None:
    """Write the weights, in half precision, and their card."""
    SHIPPED.mkdir(parents=True, exist_ok=True)
    state = made.network.state_dict() | {"shift": made.shift, "scale": made.scale}
    save_file({name: t.half() if "layers" in name else t for name, t in state.items()}, SHIPPED / electronic.WEIGHTS)
    (SHIPPED / electronic.WEIGHTS).chmod(0o644)  # safetensors lets nobody else read it
    files = {"teacher": teacher_file(), "encoders": locate(DEFAULT) / "kappa.safetensors", "known": KNOWN}
    files |= {"second": SECOND, "taught": TAUGHT}
    card = {
        "hidden": HIDDEN,
        "interval": found["interval"],
        "metal_logit_offset": found["metal_logit_offset"],
        "datasets": {name: load(name).content_hash for name in DATASETS},
        "sha256": {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in files.items()}
        | {"encoder_tensors": digest(Checkpoint.load(locate(DEFAULT)).kappa.encoder)},
        "held_out_by_formula": found["held_out_by_formula"],
        "known_metals_and_insulators": found["known_metals_and_insulators"]["right"],
        "second_list": found["second_list"]["right"],
    }
    (SHIPPED / electronic.CARD).write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")


def _round(value: float) -> float:
    return float(f"{value:.3g}")


if __name__ == "__main__":
    main()
