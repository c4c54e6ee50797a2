"""Gather verifications into results/verify_DATASET_POTENTIAL.csv; docs/verify.md and docs/verify-tables.md show them.

    PARAISITE_MIRROR=../shared/data .venv/bin/paraisite verify l96 -o DIR --resume
    .venv/bin/python tools/make_verify.py l96 DIR

A quick look (`--quick`) is gathered in the same way, as verify_DATASET_quick.csv. `make_verify.py pipeline DIR` gathers
the shortlist of a screening, as docs/verify.md makes it, into results/pipeline.csv.
"""

from __future__ import annotations

import argparse
import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from markdown_table import table
from scipy.stats import spearmanr

from paraisite.files.replacing import replacing
from paraisite.metrics import mape
from paraisite.phonons.summary import doubtful, is_quick, read_summary
from paraisite.plots.drawing import COLOURS, FAINT, INK, blank, quiet, save
from paraisite.study.figures.picture import Picture

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "results"
KEPT = (
    "id", "formula", "space_group", "status", "label_W_mK", "kappa_W_mK", "kappa_coherence_W_mK", "mesh", "mesh_change",
    "long_lived_share", "min_frequency_THz", "n_supercell", "n_displaced", "n_fc2_supercell", "cpu_seconds", "reason",
)  # fmt: skip
KEPT_QUICK = (
    "id", "formula", "space_group", "status", "label_W_mK", "predicted_W_mK", "kappa_W_mK", "kappa_low_W_mK",
    "kappa_high_W_mK", "kappa_slack_W_mK", "min_frequency_THz", "n_primitive", "n_supercell", "cpu_seconds", "reason",
)  # fmt: skip
KEPT_PIPELINE = (
    "id", "formula", "space_group", "n_primitive", "status", "predicted_W_mK", "predicted_low_W_mK",
    "predicted_high_W_mK", "kappa_W_mK", "kappa_coherence_W_mK", "min_frequency_THz", "mesh", "mesh_change", "verdict",
    "n_fc2_supercell", "cpu_seconds", "reason",
)  # fmt: skip
PIPELINE = RESULTS / "pipeline.csv"
ORDER = ("nequix-oam-1-pft", "nequix-mp-1-pft", "tensornet-matpes-pbe-v2025.1", "quick")
PBE = 0.84
"""kappa(PBE) / kappa(L96), median over 92 compounds: what a potential trained on PBE is expected to give."""

SINGULAR = 1e6
"""W/m/K; what too few snapshots for the free elements give, some of which are then anything."""

Rows = list[dict[str, str]]


def gather(dataset: str, folder: Path) -> Path:
    """Keep the columns of a summary that do not say where it was made."""
    summary = folder / "summary.csv"
    quick = is_quick(summary)
    rows = read_summary(summary)
    name = "quick" if quick else rows[0]["potential"].replace(":", ".").replace("/", "_")
    path = PIPELINE if dataset == "pipeline" else RESULTS / f"verify_{dataset}_{name}.csv"
    with replacing(path) as aside, aside.open("w", newline="", encoding="utf-8") as file:
        columns = KEPT_PIPELINE if dataset == "pipeline" else KEPT_QUICK if quick else KEPT
        writer = csv.DictWriter(file, columns, extrasaction="ignore", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return path


def found() -> list[tuple[str, str, Rows]]:
    """Dataset, potential and rows of every results file."""
    tables = []
    for path in RESULTS.glob("verify_*.csv"):
        dataset, potential = path.stem.removeprefix("verify_").rsplit("_", 1)
        tables.append((dataset, potential, read_summary(path)))
    return sorted(tables, key=lambda t: (t[0] != "l96", t[0], ORDER.index(t[1]) if t[1] in ORDER else len(ORDER)))


def verified() -> str:
    """One line for each dataset and potential."""
    lines = []
    for dataset, potential, rows in found():
        done = [row for row in rows if row["kappa_W_mK"] and row["label_W_mK"]]
        kappa = np.array([float(row["kappa_W_mK"]) for row in done])
        label = np.array([float(row["label_W_mK"]) for row in done])
        error = np.log10(kappa / label)
        unstable = sum(row["status"] == "unstable" for row in rows)
        lines.append([
            f"`{dataset}`", f"`{'--quick' if potential == 'quick' else potential}`",
            f"{len(done)} of {len(rows)}", str(unstable), f"{spearmanr(kappa, label).statistic:.3f}",
            f"{error.mean():+.3f}", f"{error.std():.3f}", f"{np.abs(error).mean():.3f}",
            f"{np.abs(error - np.log10(PBE)).mean():.3f}", f"{mape(label, kappa):.3f}",
            f"{np.median([float(row['cpu_seconds']) for row in done]):.3g}",
        ])  # fmt: skip
    header = [
        "dataset", "potential", "with κ", "unstable", "Spearman", "bias of log10", "spread", "mean error of log10",
        "the same of κ / 0.84", "MAPE", "CPU s, median",
    ]  # fmt: skip
    return table(header, lines)


def compounds() -> str:
    """One table for each dataset and potential, one line for each compound."""
    text = []
    for dataset, potential, rows in found():
        lines = []
        for row in rows:
            kappa, label = row["kappa_W_mK"], row["label_W_mK"]
            factor = f"{float(kappa) / float(label):.2f}" if kappa and label else "–"
            shown = [f"{float(value):.3g}" if value else "–" for value in (label, kappa)]
            lowest = f"{float(row['min_frequency_THz']):.2f}" if row["min_frequency_THz"] else "–"
            middle = [lowest.replace("-0.00", "0.00")]
            if potential == "quick":
                middle.append(f"{float(row['kappa_slack_W_mK']):.3g}" if row["kappa_slack_W_mK"] else "–")
            else:
                middle.append(row["mesh"] or "–")
            doubts = (float(row.get(name) or 0.0) for name in ("mesh_change", "long_lived_share"))
            status = row["status"] if row["status"] != "ok" else "doubtful" if doubtful(*doubts) else ""
            seconds = f"{float(row['cpu_seconds'] or 0):.3g}"
            lines.append([row["formula"], row["space_group"], *shown, factor, *middle, seconds, status])
        middle = ["lowest mode (THz)", "Slack's κ" if potential == "quick" else "mesh"]
        name = "--quick" if potential == "quick" else potential
        header = ["compound", "space group", "label", "κ", "κ / label", *middle, "CPU s", ""]
        text.append(f"## `{dataset}`, `{name}`\n\n{table(header, lines)}")
    return "\n".join(text)


def pipeline() -> str:
    """The shortlist of a screening: predicted, and calculated."""
    lines = []
    for row in read_summary(PIPELINE):
        predicted, low, high = (float(row[f"predicted_{x}W_mK"]) for x in ("", "low_", "high_"))
        lowest = f"{float(row['min_frequency_THz']):.2f}".replace("-0.00", "0.00") if row["min_frequency_THz"] else "–"
        kappa = f"{float(row['kappa_W_mK']):.2f}" if row["kappa_W_mK"] else "–"
        coherence = f"{float(row['kappa_coherence_W_mK']):.2f}" if row["kappa_W_mK"] else "–"
        lines.append([
            row["formula"], row["space_group"], f"{predicted:.2f} ({low:.2f} – {high:.2f})", kappa, coherence, lowest,
            row["verdict"], f"{float(row['cpu_seconds']):.0f}",
        ])  # fmt: skip
    header = ["compound", "space group", "predicted (90 %)", "calculated", "of it coherence", "lowest mode (THz)",
              "verdict", "CPU s"]  # fmt: skip
    return table(header, lines)


def convergence() -> str:
    """How conductivities depend on the choices of the profile."""
    record = json.loads((RESULTS / "verify_convergence.json").read_text(encoding="utf-8"))
    crystals = list(dict.fromkeys(row["crystal"] for row in record["rows"]))
    lines: dict[tuple[str, str], dict[str, str]] = {}
    for row in record["rows"]:
        third = row["order"] == 3
        kappa = f"{row['kappa_W_mK']:.3g}" if row["kappa_W_mK"] < SINGULAR else "singular"
        shown = f"{kappa} ({row['n_supercells'] if third else row['n_atoms']})"
        lines.setdefault(("third" if third else "second", row["what"]), {})[row["crystal"]] = shown
    return table(
        ["order", "", *crystals],
        [[group, what, *(cells.get(name, "–") for name in crystals)] for (group, what), cells in lines.items()],
    )


def examples() -> str:
    """Conductivities from the force sets that phono3py publishes."""
    rows = json.loads((RESULTS / "phono3py_examples.json").read_text(encoding="utf-8"))
    lines = [
        [row["crystal"], f"{row['mesh']}³", f"{row['phono3py']:.2f}", f"{row['paraisite']:.2f}"] for row in rows
    ]  # fmt: skip
    return table(["forces of", "mesh", "`phono3py-load`", "ParAIsite"], lines)


def pictures() -> list[Picture]:
    """The figure of docs/verify.md: calculated over labelled, one panel for each potential."""
    points: dict[str, list[list[Any]]] = {}
    for dataset, potential, rows in found():
        points.setdefault(potential, []).extend(
            [dataset, float(row["label_W_mK"]), float(row["kappa_W_mK"])]
            for row in rows
            if row["kappa_W_mK"] and row["label_W_mK"]
        )
    data = [list(item) for item in points.items()]
    columns = ("formula", "predicted_W_mK", "predicted_low_W_mK", "predicted_high_W_mK", "kappa_W_mK")
    shortlist = [[row[name] for name in columns] for row in read_summary(PIPELINE)]
    return [Picture("verify_parity.png", data, draw), Picture("verify_shortlist.png", shortlist, draw_shortlist)]


def draw(data: Sequence[Any], path: Path, made_from: str) -> None:
    figure = blank(3.1 * len(data), 3.3)
    datasets = list(dict.fromkeys(point[0] for _, points in data for point in points))
    values = [x for _, points in data for point in points for x in point[1:]]
    ends = (min(values) / 1.3, max(values) * 1.3)
    for i, (name, points) in enumerate(data):
        axes = figure.add_subplot(1, len(data), i + 1)
        axes.plot(ends, ends, color=FAINT, linewidth=1)
        axes.plot(ends, [PBE * x for x in ends], color=FAINT, linewidth=1, linestyle=":")
        for colour, dataset in zip(COLOURS, datasets, strict=False):
            x, y = np.array([point[1:] for point in points if point[0] == dataset]).reshape(-1, 2).T
            axes.plot(x, y, "o", markersize=3, color=colour, label=dataset)
        axes.set(xscale="log", yscale="log", xlim=ends, ylim=ends)
        axes.set_title("--quick" if name == "quick" else name, fontsize=9, color=INK)
        axes.set_xlabel("label (W m⁻¹ K⁻¹)", color=INK)
        if i == 0:
            axes.set_ylabel("calculated (W m⁻¹ K⁻¹)", color=INK)
            axes.legend(frameon=False, loc="upper left")
        quiet(axes)
    save(figure, path, made_from)


def draw_shortlist(data: Sequence[Any], path: Path, made_from: str) -> None:
    figure = blank(6.0, 0.8 + 0.3 * len(data))
    axes = figure.add_subplot()
    places = np.arange(len(data))[::-1]
    for place, (_, predicted, low, high, kappa) in zip(places, data, strict=True):
        axes.plot([float(low), float(high)], [place, place], color=FAINT, linewidth=3, solid_capstyle="round")
        axes.plot(
            float(predicted), place, "o", color=COLOURS[0], label="predicted, 90 %" if place == places[0] else None
        )
        if kappa:
            first = place == max(p for p, row in zip(places, data, strict=True) if row[-1])
            axes.plot(float(kappa), place, "D", color=COLOURS[5], markersize=5, label="calculated" if first else None)
        else:
            axes.text(float(high) * 1.1, place, "unstable", va="center", color=INK, fontsize=9)
    axes.set_yticks(places, [row[0] for row in data])
    axes.set(xscale="log")
    axes.set_xlabel("κ (W m⁻¹ K⁻¹)", color=INK)
    axes.legend(frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
    quiet(axes)
    save(figure, path, made_from)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dataset")
    parser.add_argument("folder", type=Path)
    args = parser.parse_args()
    print(gather(args.dataset, args.folder))


if __name__ == "__main__":
    main()
