"""Tables and the figure of docs/verify.md on the three ways to a conductivity, from results/."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from markdown_table import table
from scipy.stats import spearmanr

from paraisite.phonons.summary import read_summary
from paraisite.plots.drawing import COLOURS, INK, blank, quiet, save
from paraisite.study.figures.picture import Picture

RESULTS = Path(__file__).parents[1] / "results"
FULL = "nequix-oam-1-pft"
WAYS = ("`predict`", "`verify --quick`", "`verify`")
DATASETS = ("l96", "hh143")


def middle() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((RESULTS / "middle.json").read_text(encoding="utf-8"))
    return found


def points() -> list[tuple[str, str, int, int, float, float, float]]:
    """Dataset, way, compounds with all conductivities, of how many, mean error of log10, Spearman, CPU seconds."""
    found = []
    predicting = middle()["predict_cpu_seconds"]
    for dataset in DATASETS:
        quick, full = (
            {row["id"]: row for row in read_summary(RESULTS / f"verify_{dataset}_{name}.csv")}
            for name in ("quick", FULL)
        )
        both = [i for i in full if full[i]["kappa_W_mK"] and i in quick and quick[i]["kappa_W_mK"]]
        label = np.array([float(full[i]["label_W_mK"]) for i in both])
        for way, column, rows in zip(
            WAYS, ("predicted_W_mK", "kappa_W_mK", "kappa_W_mK"), (quick, quick, full), strict=True
        ):
            kappa = np.array([float(rows[i][column]) for i in both])
            error = float(np.abs(np.log10(kappa / label)).mean())
            seconds = [float(rows[i]["cpu_seconds"]) for i in both]
            cost = predicting if way == WAYS[0] else float(np.median(seconds))
            found.append((dataset, way, len(both), len(full), error, float(spearmanr(kappa, label)[0]), cost))
    return found


def ways() -> str:
    """Error and cost of the three ways on the same compounds."""
    lines = [
        [f"`{dataset}`", f"{n} of {of}", way, f"{error:.3f}", f"{rank:.3f}", f"{cost:.3g}"]
        for dataset, way, n, of, error, rank, cost in points()
    ]
    return table(["dataset", "compounds", "way", "mean error of log10", "Spearman", "CPU s, median"], lines)


def learned() -> str:
    """Scores of the lifetime model on held-out formulas of `phonix`."""
    result = middle()
    rows = [("phonons by DFT", result["all"]), ("the same, doubted labels left out", result["without_flagged"])]
    lines = [[name, *_scores(own, own["default_model"])] for name, own in rows]
    for name, own in result["potentials"].items():
        default = own["default_model"]["male"]
        lines.append(["phonons by DFT, crystals of the next line", *_scores(own["table"], default)])
        lines.append([f"phonons by `{name}`", *_scores(own["corrected"], default)])
        sound = own["without_flagged"]
        lines.append(["the same, doubted labels left out", *_scores(sound, sound["default_model"])])
    header = ["features", "crystals", "MALE", "default model", "median error", "Spearman", "90 % interval covers"]
    return table(header, lines)


def _scores(own: dict[str, Any], default: float) -> list[str]:
    covers = f"{own['coverage']:.1%}" if "coverage" in own else ""
    return [
        f"{own['n']}",
        f"{own['male']:.3f}",
        f"{default:.3f}",
        f"{own['median_ape']:.1%}",
        f"{own['spearman']:.3f}",
        covers,
    ]


def against() -> str:
    """Directions and temperatures of quick looks against full calculations by the same potential."""
    result = json.loads((RESULTS / "quick.json").read_text(encoding="utf-8"))
    lines = [
        ["κ_xx, κ_yy, κ_zz over their mean, 300 K", f"{result['anisotropic']}", f"{result['tensor']['mean']:.3f}"],
        ["κ(T)/κ(300 K), 100 to 1000 K", f"{result['crystals']}", f"{result['temperatures']:.3f}"],
        ["κ at 300 K", f"{result['crystals']}", f"{result['kappa']:.3f}"],
    ]
    return table(["what", "crystals", "mean difference of log10"], lines)


def deviations() -> str:
    """Harmonic properties of potentials against those of DFT."""
    found = middle()["potentials"]
    names = [name for name in next(iter(found.values()))["log10_deviation"] if name != "n_primitive"]
    lines = []
    for name in names:
        cells = []
        for own in found.values():
            d = own["log10_deviation"][name]
            cells += [
                f"{10 ** d['bias'] - 1:+.1%}",
                f"{10 ** d['robust_spread'] - 1:.1%}",
                f"{10 ** d['spread'] - 1:.1%}",
            ]
        lines.append([f"`{name}`", *cells])
    header = ["property"]
    for name, own in found.items():
        stable = own["crystals"] - own["failed"] - own["unstable_by_potential"]
        header += [f"`{name}` ({stable} crystals): bias", "robust spread", "spread"]
    return table(header, lines)


def pictures() -> list[Picture]:
    """Error against processor seconds."""
    return [Picture("verify_ways.png", [list(point) for point in points()], draw)]


def draw(data: Sequence[Any], path: Path, made_from: str) -> None:
    figure = blank(4.6, 3.2)
    axes = figure.add_subplot()
    for colour, dataset, below in zip(COLOURS[::5], DATASETS, (5, -11), strict=False):
        own = [point for point in data if point[0] == dataset]
        axes.plot([p[6] for p in own], [p[4] for p in own], "o-", color=colour, label=f"{dataset} ({own[0][2]})")
        for _, way, _, _, error, _, cost in own:
            axes.annotate(
                way.strip("`"), (cost, error), xytext=(4, below), textcoords="offset points", fontsize=8, color=INK
            )
    axes.set(xscale="log", ylim=(0, None))
    axes.set_xlabel("processor seconds for a crystal (median)", color=INK)
    axes.set_ylabel("mean error of log10 κ", color=INK)
    axes.legend(frameon=False)
    quiet(axes)
    save(figure, path, made_from)
