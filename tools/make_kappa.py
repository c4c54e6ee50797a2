"""Score the shipped model by kind of crystal, and write results/kappa.json.

    PARAISITE_MIRROR=../shared/data .venv/bin/python tools/make_kappa.py [runs/kappa]

Reads `out_of_fold.csv` and `metrics.json` of the run of recipe `kappa`: every row of `phonix` predicted by the network
of its fold, which was not trained on its formula; intervals calibrated on the other folds. Flagged labels stay in every
score but `without_flagged`, and in the classes but for the bias.
"""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from markdown_table import table
from scipy.stats import spearmanr

from paraisite.datasets import load
from paraisite.evaluation.kinds import KINDS, kinds
from paraisite.graphs.dimensionality import dimensionality
from paraisite.metrics import coverage, interval_width, scores
from paraisite.model.descriptors import primitive_sites
from paraisite.model.neighbourhood import OUTSIDE

ROOT = Path(__file__).resolve().parents[1]
RESULT = ROOT / "results" / "kappa.json"
DIVISIONS = {
    "kind": "kind of crystal",
    "elements": "elements",
    "sites": "sites of the primitive cell",
    "predicted": "predicted κ (W m⁻¹ K⁻¹)",
    "bonding": "bonding",
    "applicability": "applicability",
}


class Rows:
    """Held-out rows as columns."""

    def __init__(self, path: Path) -> None:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        self.ids = [row["id"] for row in rows]

        def column(name: str) -> np.ndarray:
            return np.array([float(row[name]) for row in rows])

        self.true, self.predicted = column("kappa_true_W_mK"), column("kappa_W_mK")
        self.low, self.high = column("kappa_low_W_mK"), column("kappa_high_W_mK")
        self.std, self.applicability = column("log10_std"), column("applicability")
        self.flagged = column("flagged") > 0
        self.error = np.log10(self.predicted / self.true)

    def score(self, rows: np.ndarray) -> dict[str, float]:
        """The four metrics, bias, coverage and width of some rows; the bias without flagged labels."""
        found = scores(self.true[rows], self.predicted[rows])
        sound = rows & ~self.flagged
        return {k: found[k] for k in ("male", "median_ape", "mape", "spearman")} | {
            "n": int(rows.sum()),
            "male_without_flagged": float(np.abs(self.error[sound]).mean()) if sound.any() else float("nan"),
            "bias": float(self.error[sound].mean()) if sound.any() else float("nan"),
            "coverage": coverage(self.true[rows], self.low[rows], self.high[rows]),
            "width": interval_width(self.low[rows], self.high[rows]),
        }


def classes(rows: Rows, crystals: Iterable[Any]) -> dict[str, dict[str, np.ndarray]]:
    """Rows of each class of each kind of division."""
    crystals = list(crystals)
    kind = np.array(kinds(crystals))
    elements = np.array([c.n_elements for c in crystals])
    sites = np.array([primitive_sites(c) for c in crystals])
    dimension = np.array([dimensionality(c) for c in crystals])
    hydrogen = np.array([(c.numbers == 1).any() for c in crystals])
    k = rows.predicted
    return {
        "kind": {name: kind == name for name in KINDS if (kind == name).any()},
        "elements": {
            "1": elements == 1,
            "2": elements == 2,
            "3": elements == 3,
            "4": elements == 4,
            "≥ 5": elements > 4,
        },
        "sites": {
            "≤ 4": sites <= 4,
            "5–8": (sites > 4) & (sites <= 8),
            "9–14": (sites > 8) & (sites <= 14),
            "> 14": sites > 14,
        },
        "predicted": {"< 1": k < 1, "1–10": (k >= 1) & (k <= 10), "> 10": k > 10},
        "bonding": {
            "layered or molecular": (dimension == 2) | (dimension == 0),
            "chains": dimension == 1,
            "framework": dimension == 3,
            "with hydrogen": hydrogen,
        },
        "applicability": {
            "< 0.04": rows.applicability < OUTSIDE,
            "0.04–0.25": (rows.applicability >= OUTSIDE) & (rows.applicability < 0.25),
            "0.25–0.5": (rows.applicability >= 0.25) & (rows.applicability < 0.5),
            "≥ 0.5": rows.applicability >= 0.5,
        },
    }


def kappa() -> str:
    """The headline scores."""
    result = json.loads(RESULT.read_text(encoding="utf-8"))
    rows = []
    for title, name in (("all rows", "all"), (f"without {result['flagged']} doubted labels", "without_flagged")):
        found = result[name]
        rows.append(
            [f"`phonix`, {title}", f"{found['n']}"]
            + [f"{found[m]:.3f}" for m in ("male", "median_ape", "spearman")]
            + [f"{100 * found['coverage']:.1f} %", f"{found['width']:.2f}"]
        )
    for name in ("l96", "hh143"):
        own = result["properties"][f"kappa_{name}"]
        rows.append([f"`{name}`, as its own method (`kappa_{name}`)", f"{own['n']}", f"{own['male']:.3f}"])
        rows[-1] += [f"{own['median_ape']:.3f}", "", "", ""]
    header = [
        "held out by formula",
        "rows",
        "MALE",
        "median APE",
        "Spearman",
        "90 % interval covers",
        "median high/low",
    ]
    return table(header, rows)


def kappa_spread() -> str:
    """How well the width of the interval and the applicability rank errors."""
    result = json.loads(RESULT.read_text(encoding="utf-8"))
    return (
        f"Rank correlation of the error with the predicted spread {result['spearman_error_std']:.2f}, with the "
        f"applicability {result['spearman_error_applicability']:.2f}; the {result['warned']} rows with a warning "
        f"(applicability below 0.04, or molecules) have {result['warned_median_error_ratio']:.1f} times the median "
        "error of the others.\n"
    )


def kappa_classes() -> str:
    """Errors by class."""
    result = json.loads(RESULT.read_text(encoding="utf-8"))
    rows = []
    for division, title in DIVISIONS.items():
        for name, found in result["classes"][division].items():
            shown = [f"{found['male']:.3f} [{found['male_without_flagged']:.3f}]", f"{found['median_ape']:.2f}"]
            shown += [f"{found['bias']:+.3f}", f"{100 * found['coverage']:.0f} %", f"{found['width']:.1f}"]
            rows.append([title, name, f"{found['n']}", *shown])
            title = ""
    header = [
        "",
        "class",
        "rows",
        "MALE [without doubted labels]",
        "median APE",
        "bias of log10 κ",
        "covered",
        "high/low",
    ]
    return table(header, rows)


def kappa_properties() -> str:
    """Held-out errors of what is predicted besides kappa."""
    found = json.loads(RESULT.read_text(encoding="utf-8"))["properties"]
    rows = []
    for name, value in found.items():
        in_log = f"{value['male']:.3f}" if "male" in value else ""
        rows.append([f"`{name}`", f"{value['mae']:.3g}", f"{100 * value['median_ape']:.1f} %", in_log, str(value["n"])])
    return table(["property", "mean absolute error", "median error", "mean error of log10", "held-out rows"], rows)


def main() -> None:
    run = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "runs" / "kappa"
    rows = Rows(run / "out_of_fold.csv")
    metrics = json.loads((run / "metrics.json").read_text(encoding="utf-8"))
    by_id = {c.id: c for c in load("phonix").crystals}
    every = np.ones(len(rows.ids), dtype=bool)
    error = np.abs(rows.error)
    crystals = [by_id[id_] for id_ in rows.ids]
    warned = (rows.applicability < OUTSIDE) | np.array([dimensionality(c) == 0 for c in crystals])
    result = {
        "all": rows.score(every),
        "without_flagged": rows.score(~rows.flagged),
        "flagged": int(rows.flagged.sum()),
        "spearman_error_std": float(spearmanr(error, rows.std)[0]),
        "spearman_error_applicability": float(spearmanr(error, rows.applicability)[0]),
        "warned": int(warned.sum()),
        "warned_median_error_ratio": float(np.median(error[warned]) / np.median(error[~warned])),
        "classes": {
            division: {name: rows.score(mask) for name, mask in found.items() if mask.any()}
            for division, found in classes(rows, crystals).items()
        },
        "properties": metrics["properties"],
        "over_folds": metrics["over_folds"],
        "constant_width": metrics["constant_width"],
    }
    RESULT.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    for name in ("all", "without_flagged"):
        print(name, {k: round(v, 4) for k, v in result[name].items()})
    print({k: v for k, v in result.items() if k.startswith(("spearman", "warned", "flagged"))})
    for division, found in result["classes"].items():
        for name, score in found.items():
            print(division, name, {k: round(v, 3) for k, v in score.items()})


if __name__ == "__main__":
    main()
