"""Gather verifications into results/verify_DATASET_POTENTIAL.csv; the blocks of docs/verify.md are made of them.

PARAISITE_MIRROR=../shared/data .venv/bin/paraisite verify l96 -o DIR --resume
.venv/bin/python tools/make_verify.py l96 DIR
.venv/bin/python tools/make_verify.py --tables          prints the tables of all results/verify_*.csv
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

import numpy as np
from scipy.stats import spearmanr

from paraisite.evaluation.metrics import mape
from paraisite.replacing import replacing

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "results"
KEPT = (
    "id", "formula", "space_group", "status", "label_W_mK", "kappa_W_mK", "kappa_coherence_W_mK", "mesh", "mesh_change",
    "min_frequency_THz", "n_supercell", "n_displaced", "cpu_seconds", "reason",
)  # fmt: skip
PBE = 0.84
"""kappa(PBE) / kappa(L96), median over 92 compounds: what a potential trained on PBE is expected to give."""


def gather(dataset: str, folder: Path) -> Path:
    """Keep the columns of a summary that do not say where it was made."""
    with (folder / "summary.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    potential = rows[0]["potential"].replace(":", ".").replace("/", "_")
    path = RESULTS / f"verify_{dataset}_{potential}.csv"
    with replacing(path) as aside, aside.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, KEPT, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return path


def read(path: Path) -> list[dict[str, str]]:
    """Read the rows of a results file."""
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def scores() -> str:
    """One line for each data set and potential."""
    lines = [
        "| dataset | potential | attempted | κ | Spearman | bias of log10 | MALE | MALE after / 0.84 | MAPE | CPU s |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for path in sorted(RESULTS.glob("verify_*.csv")):
        _, dataset, potential = path.stem.split("_", 2)
        rows = read(path)
        done = [row for row in rows if row["kappa_W_mK"] and row["label_W_mK"]]
        kappa = np.array([float(row["kappa_W_mK"]) for row in done])
        label = np.array([float(row["label_W_mK"]) for row in done])
        error = np.log10(kappa / label)
        found = [
            f"{spearmanr(kappa, label).statistic:.3f}", f"{error.mean():+.3f}", f"{np.abs(error).mean():.3f}",
            f"{np.abs(error - np.log10(PBE)).mean():.3f}", f"{mape(label, kappa):.3f}",
            f"{np.median([float(row['cpu_seconds']) for row in done]):.0f}",
        ]  # fmt: skip
        lines.append(
            "| " + " | ".join([f"`{dataset}`", f"`{potential}`", str(len(rows)), str(len(done)), *found]) + " |"
        )
    return "\n".join(lines) + "\n"


def compounds(path: Path) -> str:
    """One line for each compound of a results file."""
    lines = [
        "| compound | space group | label | κ | factor | lowest mode (THz) | mesh | CPU s | |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for row in read(path):
        kappa, label = row["kappa_W_mK"], row["label_W_mK"]
        factor = f"{float(kappa) / float(label):.2f}" if kappa and label else "–"
        lowest = f"{float(row['min_frequency_THz']):.2f}" if row["min_frequency_THz"] else "–"
        shown = [f"{float(value):.3g}" if value else "–" for value in (label, kappa)]
        note = "" if row["status"] == "ok" else row["status"]
        cells = [
            row["formula"], row["space_group"], *shown, factor, lowest.replace("-0.00", "0.00"), row["mesh"] or "–",
            f"{float(row['cpu_seconds'] or 0):.0f}", note,
        ]  # fmt: skip
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset", nargs="?")
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--tables", action="store_true")
    args = parser.parse_args()
    if args.dataset and args.folder:
        print(gather(args.dataset, args.folder))
    if args.tables:
        print(scores())
        for path in sorted(RESULTS.glob("verify_*.csv")):
            print(f"{path.stem}\n\n{compounds(path)}")


if __name__ == "__main__":
    main()
