"""Train and score the lifetime model; writes src/paraisite/model/auxiliary/lifetime and results/middle.json.

    PARAISITE_MIRROR=../shared/data .venv/bin/python tools/make_middle.py NAME=HARMONIC.jsonl ...

Crystals of `phonix` with stable phonons of `phonondb_harmonic`, folds by formula of the default model. Everything that
a row is predicted from comes from networks that were not fitted to its formula. Flagged labels are in no fit, and in
every score but `without_flagged`. HARMONIC.jsonl, by the potential NAME: lines with `id`, `properties` and `tensor` as
`harmonic_phonons` gives them (`tools/make_harmonic.py` writes them); the first potential is the default one, whose
deviations the networks see in training. How wide the networks are and how much of the deviations they see is chosen on
folds within the training rows, whose phonons are given deviations drawn from those of the potential: networks trained
without two folds are scored on each of them.
"""

from __future__ import annotations

import csv
import itertools
import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.numpy import save_file

from paraisite.crystals.crystal import Crystal
from paraisite.datasets import load
from paraisite.datasets.places import mirror_folder
from paraisite.evaluation.kinds import kinds
from paraisite.metrics import coverage, interval_width, scores
from paraisite.model.calibration import Calibration
from paraisite.model.descriptors import primitive_sites
from paraisite.model.layers import MemberMLP
from paraisite.model.lifetime import (
    CARD,
    EXPECTED,
    HARMONIC,
    LIMIT,
    MEASURED,
    WEIGHTS,
    Expected,
    Lifetime,
    harmonic_inputs,
    lifetime_inputs,
    scaled,
    width_features,
)
from paraisite.phonons.expected import expectations
from paraisite.prediction.predictor import Predictor
from paraisite.targets import LEVEL
from paraisite.versions import versions

ROOT = Path(__file__).resolve().parents[1]
RESULT = ROOT / "results" / "middle.json"
MODEL = ROOT / "src/paraisite/model/auxiliary/lifetime"
FOLDS = 5
SEEDS = 6
"""Networks for each fold."""
EPOCHS, BATCH, RATE, DECAY, DROPOUT = 60, 256, 3e-3, 1e-2, 0.1
"""Of AdamW with a one-cycle rate; a share of the inputs is left out at random."""
FARTHEST = 1.0
"""Decades from the first guess beyond which a training label counts as being there."""
BETA = 0.05
"""Decades; errors above it count by their size, below by their square."""
HIDDEN = ((16,), (32,))
NOISE = (0.0, 0.5, 1.0)
"""Shares of a potential's deviations that networks see in training."""


class Rows:
    """Crystals with harmonic phonons of a table, and what the default model says of them, held out."""

    def __init__(self, crystals: list[Crystal], table: dict[str, dict[str, str]]) -> None:
        predictor = Predictor.from_pretrained()
        begin = time.process_time()
        said = expectations(predictor, crystals)
        self.cpu_seconds = (time.process_time() - begin) / len(crystals)
        self.crystals = [c for c, e in zip(crystals, said, strict=True) if e is not None]
        self.expected: list[Expected] = [e for e in said if e is not None]
        self.ids = [c.id for c in self.crystals]
        self.fold = np.array([e.fold for e in self.expected])
        self.log_kappa = np.array([e.log_kappa for e in self.expected])
        self.harmonic = np.array([_of_table(table[i]) for i in self.ids])
        self.said = scaled(self.expected)


Deviations = dict[int, np.ndarray]
"""What the harmonic inputs of a potential have more than those of the table, by row."""


def train(
    base: Rows, kappa_particle: np.ndarray, masks: np.ndarray, hidden: tuple[int, ...], noise: float, apart: Deviations
) -> dict[str, np.ndarray]:
    """Fit `SEEDS` networks to the rows of each mask, shape (masks, rows); weights as `Lifetime` has them."""
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    inputs = lifetime_inputs(base.harmonic, base.said)
    used = np.flatnonzero(masks.any(axis=0))
    shift, scale = inputs[used].mean(axis=0), inputs[used].std(axis=0) + 1e-6
    target = np.clip(np.log10(kappa_particle) - base.said[:, 1], -FARTHEST, FARTHEST)
    masks = np.repeat(masks, SEEDS, axis=0)
    net = MemberMLP(len(masks), [inputs.shape[1], *hidden, 1])
    with torch.no_grad():
        net.layers[-1].weight.mul_(0.1)
    steps = EPOCHS * (len(used) // BATCH)
    optimizer = torch.optim.AdamW(net.parameters(), lr=RATE, weight_decay=DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=steps)
    asked = np.array(sorted(apart))
    drawn = np.array([apart[i] for i in asked]) - np.median([apart[i] for i in asked], axis=0) if noise else None
    allowed = [np.flatnonzero(mask[asked]) for mask in masks] if noise else []
    weight = torch.tensor(masks, dtype=torch.float32)
    for _ in range(EPOCHS):
        order = rng.permutation(used)
        for some in order[: len(order) // BATCH * BATCH].reshape(-1, BATCH):
            if drawn is None:
                x = np.broadcast_to(inputs[some], (len(masks), *inputs[some].shape))
            else:  # whole vectors of deviations, each network those of rows that it may see
                picked = np.array([rng.choice(own, BATCH) for own in allowed])
                shaken = base.harmonic[some] + noise * drawn[picked]
                x = lifetime_inputs(shaken, np.broadcast_to(base.said[some], (*picked.shape, base.said.shape[1])))
            x = torch.tensor(np.clip((x - shift) / scale, -LIMIT, LIMIT), dtype=torch.float32)
            x = x * (torch.rand(len(masks), 1, x.shape[2]) > DROPOUT) / (1 - DROPOUT)
            wanted = torch.tensor(target[some], dtype=torch.float32).expand(len(masks), -1)
            losses = torch.nn.functional.smooth_l1_loss(net(x)[..., 0], wanted, beta=BETA, reduction="none")
            own = weight[:, some]
            ((losses * own).sum(dim=1) / own.sum(dim=1)).sum().backward()
            optimizer.step()
            optimizer.zero_grad()
            schedule.step()
    state = {name.removeprefix("layers."): p.detach().numpy() for name, p in net.named_parameters()}
    return state | {"shift": shift.astype(np.float32), "scale": scale.astype(np.float32)}


def members_of(weights: dict[str, np.ndarray], base: Rows, harmonic: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """log10 kappa of some rows by each mask's networks, shape (masks, rows)."""
    model = Lifetime({name: w.astype(np.float64) for name, w in weights.items()}, None, {})  # type: ignore[arg-type]
    found = model.log_kappa(lifetime_inputs(harmonic, base.said[rows]), base.said[rows])
    return found.reshape(-1, SEEDS, len(rows)).mean(axis=1)


def inner_errors(
    weights: dict[str, np.ndarray], base: Rows, harmonic: np.ndarray, rows: np.ndarray, true: np.ndarray
) -> list[float]:
    """For each fold, the mean error of log10 on the others, by networks that saw neither."""
    pairs = list(itertools.combinations(range(FOLDS), 2))
    error = np.abs(members_of(weights, base, harmonic, rows) - np.log10(true))
    fold = base.fold[rows]
    found = []
    for f in range(FOLDS):
        others = [error[pairs.index((min(f, g), max(f, g))), fold == g] for g in range(FOLDS) if g != f]
        found.append(float(np.concatenate(others).mean()))
    return found


def corrected(base: Rows, own: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Inputs of a potential less its median deviation, that of each fold measured on the others."""
    apart, fold = own - base.harmonic[rows], base.fold[rows]
    return own - np.array([np.median(apart[fold != f], axis=0) for f in fold])


def score(true: np.ndarray, log_kappa: np.ndarray) -> dict[str, Any]:
    found = scores(true, 10**log_kappa)
    return {k: found[k] for k in ("male", "median_ape", "spearman")} | {"n": len(true)}


def beside(true: np.ndarray, log_kappa: np.ndarray, bounds: np.ndarray, default: np.ndarray) -> dict[str, Any]:
    """Scores of some rows with those of the default model."""
    own = score(true, log_kappa) | {"default_model": score(true, default)["male"]}
    low, high = 10**bounds
    return own | {"coverage": coverage(true, low, high), "width": interval_width(low, high)}


def classes(base: Rows, rows: np.ndarray) -> dict[str, dict[str, np.ndarray]]:
    """Rows of each class."""
    kind = np.array(kinds([base.crystals[i] for i in rows]))
    sites = np.array([primitive_sites(base.crystals[i]) for i in rows])
    mean = 10 ** base.harmonic[rows, MEASURED.index("mean_frequency")]
    return {
        "kind": {k: kind == k for k in np.unique(kind).tolist()},
        "sites": {
            "≤ 4": sites <= 4,
            "5–8": (sites > 4) & (sites <= 8),
            "9–14": (sites > 8) & (sites <= 14),
            "> 14": sites > 14,
        },
        "mean frequency (THz)": {"< 4": mean < 4, "4–8": (mean >= 4) & (mean <= 8), "> 8": mean > 8},
    }


class Potential:
    """Harmonic inputs of a potential for rows of the table."""

    def __init__(self, path: Path, base: Rows, known: np.ndarray) -> None:
        lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
        row = {id_: k for k, id_ in enumerate(base.ids) if known[k]}
        lines = [line for line in lines if line["id"] in row]
        good = [line for line in lines if "properties" in line]
        stable = [line for line in good if line["properties"]["min_frequency"] >= -0.1]
        cpu = [line["cpu_seconds"] for line in good]
        self.counts: dict[str, Any] = {
            "crystals": len(lines),
            "failed": len(lines) - len(good),
            "unstable_by_potential": len(good) - len(stable),
            "median_cpu_seconds": float(np.median(cpu)),
        }
        self.rows = np.array([row[line["id"]] for line in stable])
        self.own = np.array([harmonic_inputs(line["properties"], np.array(line["tensor"])) for line in stable])
        self.apart = self.own - base.harmonic[self.rows]
        self.corrected = corrected(base, self.own, self.rows)

    def deviations(self) -> dict[str, Any]:
        return {
            name: {"bias": float(np.median(d)), "spread": float(d.std()), "robust_spread": 1.4826 * _mad(d)}
            for name, d in zip(MEASURED, self.apart.T, strict=False)
        }


def _mad(values: np.ndarray) -> float:
    return float(np.median(np.abs(values - np.median(values))))


def main() -> None:
    mirror = mirror_folder()
    table, labels = (_table(mirror / name / "id_prop.csv") for name in ("phonondb_harmonic", "phonix"))
    doubted = _table(ROOT / "src/paraisite/datasets/phonix_suspects.csv")
    stable = {i: line for i, line in table.items() if float(line["imag_share"]) == 0}
    sets = {name: load(name) for name in ("phonix", "l96", "hh143")}
    others = {
        name: dict(zip((c.id for c in d.crystals), d.targets["kappa"].tolist(), strict=True))
        for name, d in sets.items()
    }
    crystals = {c.id: c for d in reversed(sets.values()) for c in d.crystals if c.id in stable}
    base = Rows(list(crystals.values()), table)
    known = np.array([i in labels for i in base.ids])
    kappa, particle = (
        np.array([float(labels[i][name]) if i in labels else np.nan for i in base.ids])
        for name in ("kappa", "kappa_particle")
    )
    sound = known & np.array([i not in doubted for i in base.ids])
    rows = np.flatnonzero(known)
    true = kappa[rows]
    potentials = {
        name: Potential(Path(path), base, known) for name, path in (arg.split("=", 1) for arg in sys.argv[1:])
    }
    default = next(iter(potentials.values()))
    apart = dict(zip(default.rows.tolist(), default.apart, strict=True))

    draw = np.random.default_rng(1)
    drawn = (
        base.harmonic[rows]
        + (default.apart - np.median(default.apart, axis=0))[draw.integers(len(default.apart), size=len(rows))]
    )

    # each choice is made without the fold that is scored with it
    pairs = itertools.combinations(range(FOLDS), 2)
    masks = np.array([sound & (base.fold != a) & (base.fold != b) for a, b in pairs])
    choices = list(itertools.product(HIDDEN, NOISE))
    inner = []
    for hidden, noise in choices:
        weights = train(base, particle, masks, hidden, noise, apart)
        inner.append(inner_errors(weights, base, drawn, rows, true))
        print(hidden, noise, np.round(inner[-1], 4), flush=True)
    chosen = np.argmin(inner, axis=0)  # for each fold
    print("chosen", [choices[c] for c in chosen])
    shipped = int(np.argmin(np.sum(inner, axis=1)))
    fitted = {
        c: train(base, particle, np.array([sound & (base.fold != f) for f in range(FOLDS)]), *choices[c], apart)
        for c in sorted({*chosen.tolist(), shipped})
    }

    def predict(harmonic: np.ndarray, rows: np.ndarray) -> np.ndarray:
        by_choice = {c: members_of(w, base, harmonic, rows) for c, w in fitted.items()}
        return np.array([by_choice[chosen[f]][f, k] for k, f in enumerate(base.fold[rows])])

    folds = tuple((f,) for f in range(FOLDS))

    def bounds(harmonic: np.ndarray, at: np.ndarray) -> np.ndarray:
        """Bounds of log10 kappa, shape (2, n), each fold's calibrated on drawn deviations in the others."""
        found = np.full((2, len(at)), np.nan)
        for f in range(FOLDS):
            there, here = (base.fold[rows] != f) & sound[rows], base.fold[at] == f
            by_fold = members_of(fitted[chosen[f]], base, drawn[there], rows[there])
            features = width_features(by_fold, [base.expected[i] for i in rows[there]], folds)
            made = Calibration.fit(folds, base.fold[rows[there]], by_fold, features, np.log10(true[there]))
            by_fold = members_of(fitted[chosen[f]], base, harmonic[here], at[here])
            features = width_features(by_fold, [base.expected[i] for i in at[here]], folds)
            found[:, here] = made.interval(by_fold, features, LEVEL, folds=[f])[:2]
        return found

    by_table, between = predict(base.harmonic[rows], rows), bounds(base.harmonic[rows], rows)

    def some(mask: np.ndarray) -> dict[str, Any]:
        return beside(true[mask], by_table[mask], between[:, mask], base.log_kappa[rows][mask])

    result: dict[str, Any] = {
        "with_phonons": sum(i in table for i in labels),
        "unstable_left_out": sum(i in table and i not in stable for i in labels),
        "flagged": int((known & ~sound).sum()),
        "predict_cpu_seconds": base.cpu_seconds,
        "chosen": [{"hidden": list(choices[c][0]), "noise": choices[c][1]} for c in chosen],
        "all": some(np.ones(len(rows), dtype=bool)),
        "without_flagged": some(sound[rows]),
        "drawn_deviations": beside(true, predict(drawn, rows), bounds(drawn, rows), base.log_kappa[rows]),
        "classes": {d: {k: some(mask) for k, mask in masks.items()} for d, masks in classes(base, rows).items()},
        "potentials": {},
    }
    for name in ("l96", "hh143"):
        at = np.array([k for k, i in enumerate(base.ids) if i in others[name]])
        label = np.array([others[name][base.ids[k]] for k in at])
        said = predict(base.harmonic[at], at)
        method = np.array([np.log10(base.expected[k].values[f"kappa_{name}"]) for k in at]) - base.log_kappa[at]
        both = known[at]
        result[name] = {
            "of": len(others[name]),
            "as_phonix": score(label, said),
            "as_own_method": score(label, said + method),
            "default_model": score(label, base.log_kappa[at]),
            "default_model_own_method": score(label, base.log_kappa[at] + method),
            "labels_of_phonix": score(label[both], np.log10(kappa[at][both])),
        }
    for name, p in potentials.items():
        truth, kept = kappa[p.rows], sound[p.rows]
        said, limits, without = predict(p.corrected, p.rows), bounds(p.corrected, p.rows), base.log_kappa[p.rows]
        result["potentials"][name] = p.counts | {
            "log10_deviation": p.deviations(),
            "default_model": score(truth, without),
            "table": score(truth, predict(base.harmonic[p.rows], p.rows)),
            "as_it_is": score(truth, predict(p.own, p.rows)),
            "corrected": beside(truth, said, limits, without),
            "without_flagged": beside(truth[kept], said[kept], limits[:, kept], without[kept]),
            "table_without_flagged": score(truth[kept], predict(base.harmonic[p.rows[kept]], p.rows[kept])),
        }
    RESULT.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(json.dumps({k: v for k, v in result.items() if k != "classes"}, indent=1))
    ship(base, fitted[shipped], choices[shipped], drawn, rows, true, sound[rows], potentials)


def ship(
    base: Rows, weights: dict[str, np.ndarray], choice: Any, drawn: np.ndarray, rows: np.ndarray, true: np.ndarray,
    sound: np.ndarray, potentials: dict[str, Potential],
) -> None:  # fmt: skip
    """Write the model with its card; intervals are calibrated on phonons with drawn deviations."""
    members = Lifetime({k: w.astype(np.float64) for k, w in weights.items()}, None, {})  # type: ignore[arg-type]
    said = base.said[rows[sound]]
    log_members = members.log_kappa(lifetime_inputs(drawn[sound], said), said)
    folds = tuple(tuple(range(f * SEEDS, (f + 1) * SEEDS)) for f in range(FOLDS))
    features = width_features(log_members, [base.expected[i] for i in rows[sound]], folds)
    made = Calibration.fit(folds, base.fold[rows[sound]], log_members, features, np.log10(true[sound]))
    short = made.model_copy(update={"score": tuple(round(s, 4) for s in made.score)})
    card = {
        "what": "effective phonon lifetime from harmonic phonons and the predictions of the model kappa",
        "trained_on": "phonix with stable phonons of phonondb_harmonic, without doubted labels",
        "rows": int(sound.sum()),
        "hidden": list(choice[0]),
        "noise": choice[1],
        "inputs": {"harmonic": HARMONIC, "expected": list(EXPECTED)},
        "deviations": {name: np.median(p.apart, axis=0).round(5).tolist() for name, p in potentials.items()},
        "calibration": short.model_dump(mode="json"),
        "versions": versions(),
    }
    MODEL.mkdir(parents=True, exist_ok=True)
    save_file({name: np.ascontiguousarray(w, dtype=np.float32) for name, w in weights.items()}, MODEL / WEIGHTS)
    (MODEL / CARD).write_text(json.dumps(card) + "\n", encoding="utf-8")


def _table(path: Path) -> dict[str, dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return {line["id"]: line for line in csv.DictReader(file)}


def _of_table(line: dict[str, str]) -> np.ndarray:
    xx, yy, zz, yz, xz, xy = (float(line[f"transport_{a}"]) for a in ("xx", "yy", "zz", "yz", "xz", "xy"))
    properties = {name: float(line[name] or "nan") for name in MEASURED}
    return harmonic_inputs(properties, np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]]))


if __name__ == "__main__":
    main()
