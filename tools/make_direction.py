"""Train and score the ensemble that tells directions apart, and write results/direction.json.

    PARAISITE_MIRROR=../shared/data .venv/bin/python tools/make_direction.py train 0 runs/direction [epochs]
    PARAISITE_MIRROR=../shared/data .venv/bin/python tools/make_direction.py pack runs/direction
    PARAISITE_MIRROR=../shared/data .venv/bin/python tools/make_direction.py score [folder of verify ...]

`train K` trains the member of fold K on the stable crystals of `phonondb_harmonic` whose formula is in another fold:
some ten minutes on a free processor. `pack` puts the members of a folder, numbered from 0, into
`src/paraisite/model/auxiliary/direction`. `score` predicts the crystals of each of these folds by its member alone,
sets the spread in the card, and puts the tensors of `verify` beside those of the ensemble.
"""

from __future__ import annotations

import csv
import json
import math
import os
import sys
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from markdown_table import table
from safetensors.numpy import load_file, save_file
from torch import Tensor, nn

from paraisite.datasets import load
from paraisite.datasets.harmonic import is_stable
from paraisite.graphs.dimensionality import dimensionality
from paraisite.model import springs
from paraisite.model.descriptors import PROPERTIES, element_table
from paraisite.model.direction import (
    FOLDS,
    LARGEST,
    LN_STIFFNESS,
    MAX_SITES,
    PLANAR,
    TRANSVERSE,
    Direction,
    fold,
)
from paraisite.physics.debye import K_B

ROOT = Path(__file__).resolve().parents[1]
RESULT = ROOT / "results" / "direction.json"
SHIPPED = ROOT / "src" / "paraisite" / "model" / "auxiliary" / "direction"

EPOCHS = 30
"""Of a member, unless the command line says otherwise."""

BATCH, RATE, DECAY, WARM_UP = 16, 3e-3, 1e-2, 40
WIDTH, ELEMENT, SITE, MESSAGE = 48, 10, 16, 24
COARSE, LARGE = 44, 32
"""Primitive cells of more sites than these are drawn a tenth and half as often: their phonons take long."""

LAYERED = {
    "BN": "h-BN", "C": "graphite", "MoS2": "", "MoSe2": "", "WS2": "", "WSe2": "", "Bi2Te3": "", "Bi2Se3": "",
    "Sb2Te3": "", "SnS2": "", "SnSe2": "", "HfS2": "", "ZrS2": "", "ZrSe2": "", "TiS2": "", "PbI2": "", "CdI2": "",
    "MgCl2": "", "GaSe": "", "InSe": "", "GaS": "", "BiI3": "", "TaS2": "", "NbS2": "", "PtS2": "",
}  # fmt: skip
"""Well-known layered compounds, named in the result where the data have them as layers."""


class Row:
    """A crystal of `phonondb_harmonic` and the tensor of its transport integral in its standard setting."""

    def __init__(self, crystal: Any, record: dict[str, str]) -> None:
        import spglib

        self.crystal, self.id, self.formula = crystal, record["id"], crystal.formula
        self.fold = fold(self.formula)
        tensor = np.empty((3, 3))
        for (i, j), name in zip(((0, 0), (1, 1), (2, 2), (1, 2), (0, 2), (0, 1)), NAMES, strict=True):
            tensor[i, j] = tensor[j, i] = float(record[f"transport_{name}"])
        found = spglib.get_symmetry_dataset((crystal.cell, crystal.positions, crystal.numbers), springs.SYMPREC)
        assert found is not None
        self.group = int(found.number)
        self.sites = int(found.mapping_to_primitive.max()) + 1
        turned = np.diag(found.std_rotation_matrix @ tensor @ found.std_rotation_matrix.T)
        self.true = np.log10(turned / turned.mean())
        self.aside = np.log([float(record[k]) for k in ("transport_integral", "mean_frequency")])
        self.aside = np.append(self.aside, np.log(float(record["mean_inverse_frequency"])))


NAMES = ("xx", "yy", "zz", "yz", "xz", "xy")


def rows() -> list[Row]:
    """The stable crystals."""
    crystals = {c.id: c for c in load("phonondb_harmonic").crystals}
    path = Path(os.environ["PARAISITE_MIRROR"]) / "phonondb_harmonic" / "id_prop.csv"
    with path.open(encoding="utf-8", newline="") as file:
        return [Row(crystals[r["id"]], r) for r in csv.DictReader(file) if is_stable(r)]


class Eigh(torch.autograd.Function):
    """Eigenvalues and eigenvectors; what depends on the choice of vectors in a degenerate subspace has no slope."""

    @staticmethod
    def forward(ctx: Any, matrix: Tensor) -> tuple[Tensor, Tensor]:
        values, vectors = torch.linalg.eigh(matrix)
        ctx.save_for_backward(values, vectors)
        return values, vectors

    @staticmethod
    def backward(ctx: Any, by_values: Tensor, by_vectors: Tensor) -> Tensor:  # type: ignore[override]
        values, vectors = ctx.saved_tensors
        apart = values[..., None, :] - values[..., :, None]
        least = (1e-4 * values.abs().amax(-1))[..., None, None]
        inner = (vectors.mH @ by_vectors) * (apart / (apart * apart + least * least))
        slope = vectors @ (inner + torch.diag_embed(by_values).to(vectors.dtype)) @ vectors.mH
        return 0.5 * (slope + slope.mH)


class Springs:
    """What the training needs of one crystal, as tensors; bonds that look the same are one kind."""

    def __init__(self, row: Row, mean: np.ndarray | None = None) -> None:
        cell = springs.standardise(row.crystal)
        assert cell is not None
        bonds = springs.find_bonds(cell)
        vectors, weights = springs.wave_vectors(cell)
        ends = np.sort(np.column_stack([cell.numbers[bonds.src], cell.numbers[bonds.dst]]), axis=1)
        rounded = np.rint(1e4 * np.column_stack([bonds.features, ends])).astype(np.int64)
        _, first, kind = np.unique(rounded, axis=0, return_index=True, return_inverse=True)
        self.n, self.volume = len(cell.numbers), cell.volume
        self.features = bonds.features[first].astype(np.float32)
        self.ends = torch.tensor(np.column_stack([cell.numbers[bonds.src], cell.numbers[bonds.dst]])[first])
        self.kind, self.site = torch.tensor(kind.ravel()), torch.tensor(cell.numbers)
        self.kind_src, self.kind_dst = torch.tensor(bonds.src[first]), torch.tensor(bonds.dst[first])
        self.src, self.dst = torch.tensor(bonds.src), torch.tensor(bonds.dst)
        mass = element_table()[:, PROPERTIES.index("mass")][cell.numbers]
        self.mass = torch.tensor(mass, dtype=torch.float32)
        self.root = torch.tensor(1 / np.sqrt(mass[bonds.dst] * mass[bonds.src]), dtype=torch.float32)[:, None]
        self.ln_valence, self.fade = (
            torch.tensor(x[first], dtype=torch.float32) for x in (bonds.ln_valence, bonds.fade)
        )
        self.share = torch.tensor(bonds.share, dtype=torch.float32)[:, None]
        self.along, self.across = (
            torch.tensor(x.reshape(-1, 9), dtype=torch.float32) for x in (bonds.along, bonds.across)
        )
        slopes = np.concatenate([np.ones((len(kind), 1)), 1j * bonds.vector], axis=1)[:, None, :]
        phase = np.exp(1j * bonds.vector @ vectors.T)[:, :, None] * slopes
        self.phase = torch.tensor(phase, dtype=torch.complex64)
        self.weights = torch.tensor(weights, dtype=torch.float32)
        self.average = torch.tensor(cell.average(), dtype=torch.float32)
        pairs, pair = np.unique(bonds.dst * self.n + bonds.src, return_inverse=True)
        self.pairs, self.pair = torch.tensor(pairs), torch.tensor(pair)
        self.true, self.aside = (torch.tensor(x, dtype=torch.float32) for x in (row.true, row.aside))
        self.free = row.group < 195
        self.x = torch.empty(0)


class Network(nn.Module):
    """Stiffness of bonds; `Direction.stiffness` is the same without torch."""

    def __init__(self) -> None:
        super().__init__()
        width = springs.N_FEATURES + 2 * ELEMENT
        self.element = nn.Embedding(len(element_table()), ELEMENT)
        nn.init.normal_(self.element.weight, std=0.1)
        self.message = nn.Sequential(nn.Linear(width, MESSAGE), nn.SiLU(), nn.Linear(MESSAGE, SITE))
        self.bond = nn.Sequential(
            nn.Linear(width + 2 * SITE, WIDTH), nn.SiLU(), nn.Linear(WIDTH, WIDTH), nn.SiLU(), nn.Linear(WIDTH, 3)
        )
        nn.init.zeros_(self.bond[-1].weight)  # type: ignore[arg-type]
        nn.init.zeros_(self.bond[-1].bias)  # type: ignore[arg-type]
        self.slope, self.offset = nn.Parameter(torch.tensor([1 / 0.45])), nn.Parameter(torch.zeros(1))

    def forward(self, c: Springs) -> tuple[Tensor, Tensor, Tensor]:
        a, b = self.element(c.ends[:, 0]), self.element(c.ends[:, 1])
        x = torch.cat([c.x, a + b], 1)
        to_a, to_b = (self.message(torch.cat([x, end], 1))[c.kind] for end in (a, b))
        arrives = (c.site[c.dst] == c.ends[c.kind, 1])[:, None]
        message = torch.where(arrives, to_b, to_a) * c.share
        sites = torch.tanh(torch.zeros(c.n, SITE).index_add(0, c.dst, message))
        src, dst = sites[c.kind_src], sites[c.kind_dst]
        y = self.bond(torch.cat([x, a * b, src + dst, src * dst], 1))
        change = self.slope * c.ln_valence + y[:, 0].clamp(-LARGEST, LARGEST) + self.offset
        along = torch.exp(LN_STIFFNESS + change) * c.fade
        transverse = along * TRANSVERSE[0] * torch.sigmoid(y[:, 1] + TRANSVERSE[1])
        return along, transverse, transverse * PLANAR * torch.tanh(y[:, 2])

    def export(self, mean: np.ndarray, scale: np.ndarray) -> dict[str, np.ndarray]:
        """The weights as `Direction` names them."""
        found = {"elements": self.element.weight, "slope": self.slope, "offset": self.offset}
        for name, layer in (
            ("message_1", self.message[0]),
            ("message_2", self.message[2]),
            ("bond_1", self.bond[0]),
            ("bond_2", self.bond[2]),
            ("bond_3", self.bond[4]),
        ):
            found |= {name: layer.weight.T, f"{name}_bias": layer.bias}  # type: ignore[dict-item, union-attr]
        arrays = {k: np.ascontiguousarray(v.detach().numpy()) for k, v in found.items()}
        return arrays | {"mean": mean.astype(np.float32), "scale": scale.astype(np.float32)}


def phonons(c: Springs, along: Tensor, transverse: Tensor, planar: Tensor) -> tuple[Tensor, Tensor]:
    """log10 of the ratios, and ln of the transport integral and of two mean frequencies, as `springs.transport`."""
    along, transverse, planar = along[c.kind], transverse[c.kind], planar[c.kind]
    unit = torch.eye(3).reshape(9)
    stiffness = (along - transverse)[:, None] * c.along + transverse[:, None] * unit + planar[:, None] * c.across
    n, q = c.n, c.phase.shape[1]
    held = torch.zeros(n, 9).index_add(0, c.dst, stiffness).reshape(n, 3, 3) / c.mass[:, None, None]
    terms = c.phase.reshape(len(stiffness), 4 * q, 1) * (stiffness * c.root)[:, None, :]
    summed = torch.zeros(len(c.pairs), 4 * q, 9, dtype=torch.complex64).index_add(0, c.pair, terms)
    matrices = torch.zeros(n * n, 4 * q, 9, dtype=torch.complex64).index_copy(0, c.pairs, -summed)
    matrices = matrices.reshape(n, n, q, 4, 3, 3).permute(2, 3, 0, 4, 1, 5).reshape(q, 4, 3 * n, 3 * n)
    own = torch.zeros(n, 3, n, 3)
    own[torch.arange(n), :, torch.arange(n), :] = held
    dynamical = matrices[:, 0] + own.reshape(3 * n, 3 * n)
    square, modes = Eigh.apply(0.5 * (dynamical + dynamical.mH))  # type: ignore[no-untyped-call]
    highest = square.detach().amax()
    frequency = square.clamp(min=float(springs.LOWEST * highest)).sqrt()
    moved = modes.mH[:, None] @ matrices[:, 1:] @ modes[:, None]
    x = (frequency * springs.HBAR_OVER_K / springs.TEMPERATURE / 2).clamp(max=30.0)
    root_heat = x / torch.sinh(x) / frequency / 2
    apart = (frequency[:, :, None] - frequency[:, None, :]) / (springs.WINDOW * highest.sqrt())
    kernel = torch.exp(-apart * apart) * root_heat[:, :, None] * root_heat[:, None, :] * c.weights[:, None, None]
    moved = torch.view_as_real(moved)
    tensor = torch.einsum("qastx,qbstx,qst->ab", moved, moved, kernel)
    diagonal = (c.average @ tensor.reshape(9))[[0, 4, 8]] * (K_B * 1e4 * 1e30 / c.volume)  # (Å/ps)² per Å³ in SI
    cycles = frequency / (2 * math.pi)
    weight = c.weights[:, None] / (3 * n)
    aside = torch.stack([diagonal.mean(), (cycles * weight).sum(), (weight / cycles).sum()]).log()
    return torch.log10(diagonal / diagonal.mean()), aside


def train(number: int, folder: Path, epochs: int = EPOCHS) -> None:
    """Train the member of a fold."""
    torch.set_num_threads(1)
    torch.manual_seed(number)
    draw = np.random.default_rng(number)
    data = rows()
    crystals = [Springs(row) for row in data]
    features = np.concatenate([c.features for c in crystals])
    mean, scale = features.mean(axis=0), features.std(axis=0) + 1e-6
    for c in crystals:
        c.x = torch.tensor((c.features - mean) / scale)
    network = Network()
    others = np.flatnonzero([row.fold != number for row in data])
    uniaxial = np.array([75 <= data[i].group < 195 for i in others])
    sites = np.array([crystals[i].n for i in others])
    chance = np.where(uniaxial, 1.0, 0.4) * np.where(sites > COARSE, 0.1, np.where(sites > LARGE, 0.5, 1.0))
    layers = [*network.bond.parameters(), *network.message.parameters(), *network.element.parameters()]
    optimizer = torch.optim.AdamW(
        [{"params": layers, "weight_decay": DECAY}, {"params": [network.slope, network.offset], "weight_decay": 0.0}]
    )
    step, start = 0, time.time()
    for epoch in range(epochs):
        chosen = draw.permutation(others[draw.random(len(others)) < chance])
        total, losses = epochs * (len(chosen) // BATCH), []
        for k in range(0, len(chosen) - BATCH + 1, BATCH):
            rate = RATE * min(1, (step + 1) / WARM_UP) * 0.5 * (1 + math.cos(math.pi * min(1, step / total)))
            for group in optimizer.param_groups:
                group["lr"] = rate
            optimizer.zero_grad()
            for i in chosen[k : k + BATCH]:
                c = crystals[i]
                logs, aside = phonons(c, *network(c))
                loss = 0.15 * nn.functional.smooth_l1_loss(aside, c.aside, beta=0.3)
                if c.free:
                    loss = loss + 3.0 * nn.functional.smooth_l1_loss(logs, c.true, beta=0.05)
                (loss / BATCH).backward()
                losses.append(float(loss.detach()))
            if torch.isfinite(nn.utils.clip_grad_norm_(network.parameters(), 1.0)):
                optimizer.step()
                step += 1
        print(f"epoch {epoch}: loss {np.mean(losses):.4f}, {time.time() - start:.0f} s", flush=True)
    folder.mkdir(parents=True, exist_ok=True)
    save_file(network.export(mean, scale), folder / f"member-{number}.safetensors")


def pack(folder: Path) -> None:
    """Put the trained members together."""
    members = [
        load_file(folder / f"member-{k}.safetensors") for k in range(len(list(folder.glob("member-*.safetensors"))))
    ]
    weights = {name: np.stack([m[name] for m in members]) for name in members[0]}
    elements: dict[int, int] = {}
    for row in rows():
        for z in set(row.crystal.numbers.tolist()):
            elements[z] = elements.get(z, 0) + 1
    card = {
        "what": "stiffness of bonds for the direction dependence of the lattice thermal conductivity",
        "data": "phonondb_harmonic (A. Togo's phononDB 2018-04-17, PBEsol, CC BY 4.0): transport tensor, 300 K",
        "members": len(members),
        "folds": FOLDS,
        "elements": sorted(z for z, count in elements.items() if count >= 5),
        "spread": [0.0, 0.0],
    }
    SHIPPED.mkdir(parents=True, exist_ok=True)
    save_file(weights, SHIPPED / "direction.safetensors")
    (SHIPPED / "card.json").write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")


def pairs(group: int) -> list[tuple[int, int]]:
    """Pairs of axes whose ratio symmetry leaves free."""
    return [] if group >= 195 else [(2, 0)] if group >= 75 else [(2, 0), (1, 0), (2, 1)]


def summary(found: Iterable[tuple[float, float, float]]) -> dict[str, float]:
    """Of predicted and computed log10 ratios, and the predicted standard deviations."""
    values = np.array(list(found)).reshape(-1, 3)
    error = values[:, 0] - values[:, 1]
    return {
        "ratios": len(values),
        "mean_error": float(np.abs(error).mean()),
        "median_error": float(np.median(np.abs(error))),
        "isotropic": float(np.abs(values[:, 1]).mean()),
        "bias": float(error.mean()),
        "within_factor_2": float((np.abs(error) < math.log10(2)).mean()),
        "within_1.645_std": float((np.abs(error) < 1.645 * values[:, 2]).mean()),
    }


SYSTEMS = {"monoclinic": (3, 16), "orthorhombic": (16, 75), "tetragonal": (75, 143), "trigonal": (143, 168)}
SYSTEMS |= {"hexagonal": (168, 195), "uniaxial": (75, 195)}
KINDS = {"framework": (3,), "layered": (2,), "chains": (1,), "molecular": (0,)}


def score(folders: list[Path]) -> None:
    """Score the members on their folds and the ensemble on tensors of `verify`; set the card's spread."""
    data = rows()
    model = Direction.load(SHIPPED)
    members = model.card["members"]
    held = [row for row in data if row.fold < members and row.group < 195 and row.sites <= MAX_SITES]
    start = time.process_time()
    predicted = [model(row.crystal, [row.fold]) for row in held]
    seconds = time.process_time() - start
    missing = [row.id for row, p in zip(held, predicted, strict=True) if p is None]
    both = [(row, p) for row, p in zip(held, predicted, strict=True) if p is not None]
    points = [
        (np.ptp(np.log10(p.ratios)), math.log10(p.ratios[i] / p.ratios[j]) - (row.true[i] - row.true[j]))
        for row, p in both
        for i, j in pairs(row.group)
    ]
    spread = _spread(np.array(points))
    card = json.loads((SHIPPED / "card.json").read_text(encoding="utf-8"))
    card["spread"] = [round(x, 4) for x in spread]
    (SHIPPED / "card.json").write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")

    dimension = {row.id: dimensionality(row.crystal) for row, _ in both}

    def found(chosen: Iterable[tuple[Row, Any]]) -> dict[str, float]:
        return summary(
            (
                math.log10(p.ratios[i] / p.ratios[j]),
                row.true[i] - row.true[j],
                math.hypot(spread[0], spread[1] * np.ptp(np.log10(p.ratios))),
            )
            for row, p in chosen
            for i, j in pairs(row.group)
        )

    by_system = {
        name: {"all": found((r, p) for r, p in both if a <= r.group < b)}
        | {
            kind: found((r, p) for r, p in both if a <= r.group < b and dimension[r.id] in d)
            for kind, d in KINDS.items()
            if any(a <= r.group < b and dimension[r.id] in d for r, _ in both)
        }
        for name, (a, b) in SYSTEMS.items()
    }
    layered = [
        {
            "id": row.id,
            "formula": row.formula,
            "group": row.group,
            "zz_xx": round(float(10 ** (row.true[2] - row.true[0])), 4),
            "predicted_zz_xx": round(float(p.ratios[2] / p.ratios[0]), 4),
        }
        for row, p in both
        if dimension[row.id] == 2 and 75 <= row.group < 195
    ]
    result = {
        "held_out": len(both),
        "of_folds": list(range(members)),
        "without_answer": missing,
        "ms_per_crystal": round(1e3 * seconds / len(held), 2),
        "spread": card["spread"],
        "systems": by_system,
        "layered": layered,
        "layered_named": [r for r in layered if r["formula"] in LAYERED],
        "verify": [r for folder in folders for r in _verified(folder, model, {row.formula for row in data})],
    }
    RESULT.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(shown(result))


def _spread(points: np.ndarray) -> tuple[float, float]:
    """Floor and slope of the standard deviation √(floor² + (slope · predicted range)²), by maximum likelihood.

    Errors count up to three standard deviations: a few far ones would widen all.
    """
    from scipy.optimize import minimize

    def cost(x: np.ndarray) -> float:
        square = np.exp(2 * x[0]) + np.exp(2 * x[1]) * points[:, 0] ** 2
        return float((np.minimum(points[:, 1] ** 2 / square, 9.0) + np.log(square)).sum())

    best = minimize(cost, [math.log(0.1), math.log(0.2)], method="Nelder-Mead")
    return float(np.exp(best.x[0])), float(np.exp(best.x[1]))


def _verified(folder: Path, model: Direction, known: set[str]) -> list[dict[str, Any]]:
    """Ratios of finished calculations of `verify` beside the predicted ones of the structures they began with."""
    from paraisite.crystals import read
    from paraisite.crystals.crystal import Crystal

    lines = []
    for path in sorted(folder.glob("*/result.json")):
        record = json.loads(path.read_text(encoding="utf-8"))
        if record.get("status") != "ok":
            continue
        conductivity = record["details"]["conductivity"][-1]
        tensor = np.array(conductivity["kappa"][conductivity["temperatures"].index(300.0)])
        if conductivity["coherence"] is not None:
            tensor = tensor + conductivity["coherence"][conductivity["temperatures"].index(300.0)]
        group = int(record["details"]["cell"]["group_number"])
        if not pairs(group):
            continue
        crystal = next(iter(read([str(path.parent / "input.vasp")])))
        if not isinstance(crystal, Crystal) or (p := model(crystal)) is None:
            continue
        cell = record["details"]["cell"]["cell"]
        lines.append(
            {
                "id": record["id"],
                "formula": record["formula"],
                "space_group": record["space_group"],
                "dimension": dimensionality(crystal),
                "formula_in_training": crystal.formula in known,
                "axes": [round(float(np.linalg.norm(v)), 3) for v in cell],
                "computed": [round(float(x), 4) for x in tensor[:3] / tensor[:3].mean()],
                "predicted": [round(float(x), 4) for x in p.ratios],
                "log10_std": round(p.log10_std, 3),
                "inside": p.inside,
            }
        )
    return lines


def direction() -> str:
    """The tables of docs/direction.md."""
    return shown(json.loads(RESULT.read_bytes()))


def shown(result: dict[str, Any]) -> str:
    """Tables of the result."""
    header = ["crystals", "ratios", "mean abs. log10 error", "isotropic", "median", "bias", "within a factor of 2"]
    lines = []
    for system, found in result["systems"].items():
        for kind, s in found.items():
            cells = [f"{s[k]:.3f}" for k in ("mean_error", "isotropic", "median_error", "bias")]
            lines.append([f"{system}, {kind}", f"{s['ratios']}", *cells, f"{100 * s['within_factor_2']:.0f} %"])
    text = table(header, lines) + "\n"
    rows_ = [
        [f"{r['formula']} ({r['id']})", f"{r['zz_xx']:.3f}", f"{r['predicted_zz_xx']:.3f}"]
        for r in result["layered_named"]
    ]
    text += table(["layered", "κ_zz/κ_xx of the phonons", "predicted, held out"], rows_) + "\n"
    rows_ = [
        [
            f"{r['formula']} ({r['id']})",
            r["space_group"],
            " : ".join(f"{x:.2f}" for x in r["computed"]),
            " : ".join(f"{x:.2f}" for x in r["predicted"]),
            "yes" if r["formula_in_training"] else "no",
        ]
        for r in result["verify"]
    ]
    return text + table(["crystal", "space group", "verify xx : yy : zz", "predicted", "formula in training"], rows_)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["train", number, folder, *epochs]:
            train(int(number), Path(folder), *map(int, epochs))
        case ["pack", folder]:
            pack(Path(folder))
        case ["score", *folders]:
            score([Path(f) for f in folders])
        case _:
            sys.exit(__doc__)
