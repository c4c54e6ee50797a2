"""Score harmonic phonons times a learned lifetime, and write results/middle.json.

    PARAISITE_MIRROR=../shared/data .venv/bin/python tools/make_middle.py [POTENTIAL.jsonl]

Crystals of `phonix` with stable phonons of `phonondb_harmonic`, folds by formula of the default model. Everything that
a row is predicted from comes from networks and Gaussian processes that were not fitted to its formula; the first guess
of a training row comes from the network of its own fold. Flagged labels are in no fit, and in every score but
`without_flagged`. POTENTIAL.jsonl: lines with `id`, `properties` and `tensor` as `harmonic_phonons` gives them; their
median deviation from the table is taken off, that of each crystal measured on all others.
"""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import load_file, save_file
from scipy.linalg import cho_factor, cho_solve

from paraisite.crystals.crystal import Crystal
from paraisite.datasets import load
from paraisite.datasets.places import mirror_folder
from paraisite.evaluation.kinds import kinds
from paraisite.metrics import coverage, interval_width, scores
from paraisite.model import kernel
from paraisite.model.calibration import Calibration
from paraisite.model.descriptors import blocks, primitive_sites
from paraisite.model.kernel import KernelHead, MemberKernel
from paraisite.model.lifetime import BLOCKS, COMPARED, MEASURED, harmonic_inputs, lifetime_inputs
from paraisite.model.neighbourhood import scale_features
from paraisite.prediction.predictor import MAX_EDGES, Predictor
from paraisite.targets import LEVEL, column

ROOT = Path(__file__).resolve().parents[1]
RESULT = ROOT / "results" / "middle.json"
RUN = ROOT / "runs" / "middle"
"""Of fitted Gaussian processes, which are taken from there if they are; delete them after a change."""
SUBSET = 900
"""Crystals that the hyperparameters are found on; the Gaussian process itself takes all."""
FARTHEST = 4.0
"""Robust standard deviations from the first guess beyond which a training label counts as being there."""
VARIANTS = {"levels": (0, 1), "differences": (0, 2)}
"""Blocks of `lifetime_inputs` that each Gaussian process takes; their mean is the model."""
TRANSPORT = MEASURED.index("transport_integral")


class Crystals:
    """What the default model says of crystals, each from the network of its fold."""

    def __init__(self, predictor: Predictor, crystals: list[Crystal]) -> None:
        wanted = ["kappa_particle", "kappa_coherence", "kappa_l96", "kappa_hh143", *COMPARED.values()]
        prepared = predictor.prepare(crystals)
        kept = prepared.kept.tolist()
        rows = predictor.predict([crystals[i] for i in kept], properties=wanted, held_out=True)
        self.crystals = [crystals[i] for i in kept]
        self.ids = [c.id for c in self.crystals]
        self.fold = np.array([predictor.card.formula_fold[c.formula] for c in self.crystals])
        self.log_kappa = np.log10([row.kappa_W_mK for row in rows])
        self.predicted = {p: np.array([row.properties[column(p)] for row in rows], dtype=np.float64) for p in wanted}
        graphs = prepared.graphs
        self.descriptors = graphs.descriptors
        pieces = [np.arange(p.start, p.stop) for p in graphs.split_by_edges(MAX_EDGES)]
        self.vectors = np.concatenate([np.asarray(predictor._encoder(graphs.take(p))) for p in pieces], axis=1)
        self.near = predictor.neighbourhood.find(self.descriptors)

    def inputs(self, harmonic: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        particle = np.log10(self.predicted["kappa_particle"])
        return lifetime_inputs(harmonic, self.log_kappa, particle, self.predicted)


def chosen(variant: str, inputs: np.ndarray) -> tuple[np.ndarray, tuple[int, ...]]:
    ends = np.cumsum(BLOCKS)
    parts = [inputs[:, ends[b] - BLOCKS[b] : ends[b]] for b in VARIANTS[variant]]
    return np.concatenate(parts, axis=1), tuple(p.shape[1] for p in parts)


def fit(guess: np.ndarray, vector: np.ndarray, x: np.ndarray, widths: tuple[int, ...], y: np.ndarray) -> MemberKernel:
    """A Gaussian process whose hyperparameters come from a subset, with the labels of all."""
    line = np.column_stack([np.ones(len(y)), guess])
    for _ in range(3):  # labels far off are pulled in, so that a few cannot bend the fit
        found = line @ np.linalg.lstsq(line, y, rcond=None)[0]
        limit = FARTHEST * 1.4826 * np.median(np.abs(y - found))
        y = np.clip(y, found - limit, found + limit)
    every = np.concatenate([vector, x], axis=1)
    some = np.random.default_rng(1).permutation(len(y))[:SUBSET]
    widths = (vector.shape[1], *widths)
    start = kernel._fit_member(guess[some], every[some], y[some], widths)
    mean = np.linalg.lstsq(line, y, rcond=None)[0]
    residual = y - line @ mean
    size = float(residual[some].std() or 1.0)
    points = ((every - start.centre) / start.scale).astype(np.float16)
    rounded = points.astype(np.float64)
    covariance = np.exp(start.theta[-1]) * np.eye(len(y))
    for i, distance in enumerate(kernel._distances(rounded, rounded, widths)):
        covariance += kernel._matern(distance, *start.theta[2 * i : 2 * i + 2])[0]
    alpha = size * cho_solve(cho_factor(covariance, lower=True, overwrite_a=True), residual / size)
    return MemberKernel(start.centre, start.scale, points, alpha, mean, start.theta)


def fit_heads(base: Crystals, harmonic: np.ndarray, y: np.ndarray, sound: np.ndarray) -> dict[str, KernelHead]:
    """One head for each variant, with one Gaussian process for each fold."""
    guess, inputs = base.inputs(harmonic)
    heads = {}
    for variant in VARIANTS:
        if (kept := RUN / f"{variant}.safetensors").is_file():
            heads[variant] = KernelHead.unpack(load_file(kept))
            continue
        x, widths = chosen(variant, inputs)
        x = np.concatenate([base.descriptors, x], axis=1)
        widths = (*blocks(environment=True), *widths)
        members = []
        for f, vector in enumerate(base.vectors):
            rows = sound & (base.fold != f)
            members.append(fit(guess[rows], vector[rows], x[rows], widths, y[rows]))
            print(variant, f, np.round(members[-1].theta, 1), flush=True)
        heads[variant] = KernelHead((base.vectors.shape[2], *widths), tuple(members))
        RUN.mkdir(parents=True, exist_ok=True)
        save_file(heads[variant].pack(), kept)
    return heads


def predict(heads: dict[str, KernelHead], base: Crystals, harmonic: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """log10 kappa of some crystals by the Gaussian processes that were not fitted to their formula."""
    guess, inputs = base.inputs(harmonic)
    found = []
    for variant, head in heads.items():
        x = np.concatenate([base.descriptors, chosen(variant, inputs)[0]], axis=1)
        own = np.full(len(rows), np.nan)
        for f in np.unique(base.fold[rows]).tolist():
            here = np.flatnonzero(base.fold[rows] == f)
            at = rows[here]
            one = KernelHead(head.widths, (head.members[f],))
            own[here] = one.log_kappa(guess[None, at], base.vectors[f : f + 1, at], x[at])[0]
        found.append(own)
    particle = np.mean(found, axis=0) + harmonic[rows, TRANSPORT]
    return np.log10(10**particle + base.predicted["kappa_coherence"][rows])


def score(true: np.ndarray, log_kappa: np.ndarray) -> dict[str, Any]:
    found = scores(true, 10**log_kappa)
    return {k: found[k] for k in ("male", "median_ape", "spearman")} | {"n": len(true)}


def intervals(
    base: Crystals, rows: np.ndarray, log_kappa: np.ndarray, true: np.ndarray, sound: np.ndarray
) -> np.ndarray:
    """Bounds of log10 kappa, shape (2, n), each fold's calibrated on the others."""
    near = type(base.near)(
        *(a[:, rows] for a in (base.near.distance, base.near.log_kappa, base.near.error)),
        base.near.nearest[rows],
        base.near.nearest_distance[rows],
    )
    folds = tuple((f,) for f in range(len(base.vectors)))
    members = np.broadcast_to(log_kappa, (len(folds), len(rows)))
    apart = np.log(np.abs(log_kappa - base.log_kappa[rows]) + 0.02)
    features = scale_features(members, folds, near, base.descriptors[rows])
    features = np.concatenate([np.broadcast_to(apart[:, None], (*features.shape[:2], 1)), features], axis=2)
    fold, bounds = base.fold[rows], np.full((2, len(rows)), np.nan)
    for f in range(len(folds)):
        there, here = (fold != f) & sound, fold == f
        made = Calibration.fit(folds, fold[there], members[:, there], features[:, there], np.log10(true[there]))
        bounds[:, here] = made.interval(members[:, here], features[:, here], LEVEL, folds=[f])[:2]
    return bounds


def classes(base: Crystals, rows: np.ndarray, harmonic: np.ndarray) -> dict[str, dict[str, np.ndarray]]:
    """Rows of each class."""
    kind = np.array(kinds([base.crystals[i] for i in rows]))
    sites = np.array([primitive_sites(base.crystals[i]) for i in rows])
    mean = 10 ** harmonic[rows, MEASURED.index("mean_frequency")]
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


def of_potential(
    path: Path, base: Crystals, heads: dict[str, KernelHead], harmonic: np.ndarray, kappa: np.ndarray
) -> dict[str, Any]:
    """Deviations of a potential's harmonic properties, and scores with them beside those with the table's."""
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    failed = [line for line in lines if "properties" not in line]
    row = {id_: k for k, id_ in enumerate(base.ids)}
    known = [line for line in lines if "properties" in line and line["id"] in row and kappa[row[line["id"]]] > 0]
    stable = [line for line in known if line["properties"]["imag_share"] == 0]
    rows = np.array([row[line["id"]] for line in stable])
    own = np.array([harmonic_inputs(line["properties"], np.array(line["tensor"])) for line in stable])
    apart = own - harmonic[rows]
    others = [np.median(np.delete(apart, k, axis=0), axis=0) for k in range(len(apart))]
    raw, corrected = harmonic.copy(), harmonic.copy()
    raw[rows], corrected[rows] = own, own - np.array(others)
    true = kappa[rows]
    table = {
        name: {"bias": float(np.median(d)), "spread": float(d.std()), "robust_spread": 1.4826 * _mad(d)}
        for name, d in zip((*MEASURED,), apart.T, strict=False)
    }
    every = np.flatnonzero(kappa > 0)
    drawn = harmonic.copy()  # each crystal of the table with the whole deviation of one that the potential was asked of
    drawn[every] += (apart - np.median(apart, axis=0))[np.random.default_rng(1).integers(len(apart), size=len(every))]
    low, high = np.quantile(np.abs(apart[:, TRANSPORT]), [0.5, 0.9])
    cpu = [line["cpu_seconds"] for line in stable if "cpu_seconds" in line]
    return {
        "crystals": len(lines),
        "failed": len(failed),
        "unstable_by_potential": len(known) - len(stable),
        "median_cpu_seconds": float(np.median(cpu)) if cpu else None,
        "log10_deviation": table,
        "default_model": score(true, base.log_kappa[rows]),
        "table": score(true, predict(heads, base, harmonic, rows)),
        "potential": score(true, predict(heads, base, raw, rows)),
        "potential_corrected": score(true, predict(heads, base, corrected, rows)),
        "table_with_drawn_deviations": score(kappa[every], predict(heads, base, drawn, every)),
        "transport_deviation_quantiles": {"0.5": float(low), "0.9": float(high)},
    }


def _mad(values: np.ndarray) -> float:
    return float(np.median(np.abs(values - np.median(values))))


def main() -> None:
    mirror = mirror_folder()
    with (mirror / "phonondb_harmonic" / "id_prop.csv").open(encoding="utf-8", newline="") as file:
        table = {line["id"]: line for line in csv.DictReader(file)}
    with (mirror / "phonix" / "id_prop.csv").open(encoding="utf-8", newline="") as file:
        labels = {line["id"]: line for line in csv.DictReader(file)}
    with (ROOT / "src/paraisite/datasets/phonix_suspects.csv").open(encoding="utf-8", newline="") as file:
        doubted = {line["id"] for line in csv.DictReader(file)}
    stable = {i: line for i, line in table.items() if float(line["imag_share"]) == 0}
    sets = {name: load(name) for name in ("phonix", "l96", "hh143")}
    others: dict[str, dict[str, float]] = {}
    crystals: dict[str, Crystal] = {}
    for name, dataset in sets.items():
        others[name] = dict(zip((c.id for c in dataset.crystals), dataset.targets["kappa"].tolist(), strict=True))
        crystals = {c.id: c for c in dataset.crystals if c.id in stable} | crystals
    base = Crystals(Predictor.from_pretrained(), list(crystals.values()))
    harmonic = np.array([_of_table(stable[i]) for i in base.ids])
    kappa = np.array([float(labels[i]["kappa"]) if i in others["phonix"] else np.nan for i in base.ids])
    particle = np.array([float(labels[i]["kappa_particle"]) if i in others["phonix"] else np.nan for i in base.ids])
    flagged = np.array([i in doubted for i in base.ids])
    known = np.isfinite(kappa)
    heads = fit_heads(base, harmonic, np.log10(particle) - harmonic[:, TRANSPORT], known & ~flagged)
    rows = np.flatnonzero(known)
    found = predict(heads, base, harmonic, rows)
    true, sound = kappa[rows], ~flagged[rows]
    low, high = intervals(base, rows, found, true, sound)

    def both(mask: np.ndarray) -> dict[str, Any]:
        own = score(true[mask], found[mask]) | {"default_model": score(true[mask], base.log_kappa[rows][mask])["male"]}
        own |= {"coverage": coverage(true[mask], 10 ** low[mask], 10 ** high[mask])}
        return own | {"width": interval_width(10 ** low[mask], 10 ** high[mask])}

    result: dict[str, Any] = {
        "with_phonons": sum(i in table for i in others["phonix"]),
        "unstable_left_out": sum(i in table and i not in stable for i in others["phonix"]),
        "flagged": int(flagged[rows].sum()),
        "all": both(np.ones(len(rows), dtype=bool)),
        "without_flagged": both(sound),
        "classes": {
            division: {name: both(mask) for name, mask in masks.items()}
            for division, masks in classes(base, rows, harmonic).items()
        },
    }
    for name in ("l96", "hh143"):
        own = np.array([k for k, i in enumerate(base.ids) if i in others[name]])
        label = np.array([others[name][base.ids[k]] for k in own])
        said = predict(heads, base, harmonic, own)
        method = np.log10(base.predicted[f"kappa_{name}"][own])  # kappa as the method of this set gives it
        result[name] = {"of": len(others[name]), "as_phonix": score(label, said)}
        result[name] |= {"as_own_method": score(label, said + method - base.log_kappa[own])}
        result[name] |= {"default_model": score(label, base.log_kappa[own])}
        result[name] |= {"default_model_own_method": score(label, method)}
        both_labels = np.isfinite(kappa[own])
        result[name] |= {"labels_of_phonix": score(label[both_labels], np.log10(kappa[own][both_labels]))}
    if len(sys.argv) > 1:
        result["potential"] = of_potential(Path(sys.argv[1]), base, heads, harmonic, kappa)
    RESULT.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(json.dumps({k: v for k, v in result.items() if k != "classes"}, indent=1))


def _of_table(line: dict[str, str]) -> np.ndarray:
    xx, yy, zz, yz, xz, xy = (float(line[f"transport_{a}"]) for a in ("xx", "yy", "zz", "yz", "xz", "xy"))
    properties = {name: float(line[name] or "nan") for name in MEASURED}
    return harmonic_inputs(properties, np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]]))


if __name__ == "__main__":
    main()
