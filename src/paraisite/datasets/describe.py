"""`describe`: datasets in numbers, alone and side by side."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from itertools import count
from typing import Any

import numpy as np

from paraisite.datasets.dataset import Dataset
from paraisite.datasets.groups import chemical_systems, elements, prototypes
from paraisite.datasets.overlap import Common, Recalibration, common, partners, recalibrate, reverse, shared_kappa
from paraisite.targets import unit

MOST_COMMON = 5
"""Prototypes that are listed by name."""

FEWEST = 10
"""Shared crystals for which a recalibration is worth a figure."""


@dataclass(frozen=True, slots=True)
class SharedKappa:
    """Conductivities of the crystals that the largest dataset shares with the others, and the line between them.

    Attributes
    ----------
    base : str
        The largest dataset, whose conductivity is `x`.
    points : dict of str to (x, y)
        Of each other dataset; arrays of shape (n_shared,), in W m⁻¹ K⁻¹.
    line : Recalibration
        log10 y from log10 x, fitted to all points.
    lines : dict of str to Recalibration
        Fitted to the points of one dataset, where it has at least `FEWEST`.
    """

    base: str
    points: dict[str, tuple[np.ndarray, np.ndarray]]
    line: Recalibration
    lines: dict[str, Recalibration]


@dataclass(frozen=True, slots=True)
class Description:
    """What `describe` finds.

    Attributes
    ----------
    summaries : dict of str to dict
        Numbers of each dataset, ready for JSON.
    common : dict of (str, str) to Common
        What of the first dataset also stands in the second, for every ordered pair.
    shared_kappa : SharedKappa or None
        None where fewer than `FEWEST` crystals with a conductivity are shared.
    """

    summaries: dict[str, dict[str, Any]]
    common: dict[tuple[str, str], Common] = field(default_factory=dict)
    shared_kappa: SharedKappa | None = None

    def json(self) -> dict[str, Any]:
        """Everything but rows and points, ready for JSON."""
        shared = self.shared_kappa
        return {
            "datasets": self.summaries,
            "common": [{"of": of, "in": in_, **asdict(found)} for (of, in_), found in self.common.items()],
            "shared_kappa": None
            if shared is None
            else {
                "x": shared.base,
                "all": asdict(shared.line),
                "by_dataset": {name: asdict(line) for name, line in shared.lines.items()},
            },
        }


Progress = Callable[[str, int, int], None]
"""Told what is being done, and how many of how many steps are."""


def silent(what: str, done: int, total: int) -> None:
    """Say nothing."""


def describe(datasets: Sequence[Dataset], progress: Progress = silent) -> Description:
    """Summarise datasets and compare them with each other.

    Parameters
    ----------
    datasets : sequence of Dataset
        Of different names.
    progress : callable
        See `Progress`.

    Raises
    ------
    ValueError
        If two of them have one name.
    """
    names = [dataset.name for dataset in datasets]
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"two datasets are called {', '.join(twice)}; rename a folder, or describe them one by one")
    summaries = {}
    for dataset in datasets:
        summaries[dataset.name] = summarise(dataset, progress)
    same: dict[tuple[str, str], list[list[int]]] = {}
    for i, first in enumerate(datasets):
        for second in datasets[i + 1 :]:
            comparing = partial(progress, f"crystals of {first.name} and {second.name}")
            there = partners(first.crystals, second.crystals, progress=comparing)
            same[first.name, second.name] = there
            same[second.name, first.name] = reverse(there, len(second))
    crystals = {dataset.name: dataset.crystals for dataset in datasets}
    found = {(of, in_): common(crystals[of], crystals[in_], rows) for (of, in_), rows in same.items()}
    return Description(summaries, found, _shared_kappa(datasets, same))


def summarise(dataset: Dataset, progress: Progress = silent) -> dict[str, Any]:
    """Numbers of one dataset, ready for JSON."""
    done = count(1)
    n_sites = [crystal.n_sites for crystal in dataset.crystals]
    kinds = Counter(
        prototypes(
            dataset.crystals, advance=lambda: progress(f"prototypes of {dataset.name}", next(done), len(dataset))
        )
    )
    symbols = Counter(symbol for crystal in dataset.crystals for symbol in elements(crystal))
    return {
        "rows": len(dataset),
        "rejections": len(dataset.rejections),
        "content_hash": dataset.content_hash,
        "provenance": dict(Counter(dataset.provenance)),
        "targets": {target: _range(target, values) for target, values in dataset.targets.items()},
        "labels": {label: dict(Counter(column).most_common(10)) for label, column in dataset.labels.items()},
        "formulas": len(set(dataset.formulas)),
        "chemical_systems": len(set(chemical_systems(dataset.crystals))),
        "prototypes": len(kinds),
        "most_common_prototypes": dict(sorted(kinds.items(), key=lambda kind: (-kind[1], kind[0]))[:MOST_COMMON]),
        "sites": {"median": float(np.median(n_sites)), "largest": max(n_sites)} if n_sites else {},
        "elements": dict(sorted(symbols.items(), key=lambda symbol: (-symbol[1], symbol[0]))),
    }


def markdown(description: Description, figures: Sequence[str] = ()) -> str:
    """Write a description as a page, with figures by file name."""
    lines = ["# Datasets", "", "| | " + " | ".join(description.summaries) + " |"]
    lines.append("| --- |" + " ---: |" * len(description.summaries))
    for title, key in (
        ("rows", "rows"),
        ("rows that could not be read", "rejections"),
        ("formulas", "formulas"),
        ("chemical systems", "chemical_systems"),
        ("prototypes (anonymous formula and space group)", "prototypes"),
    ):
        lines.append(f"| {title} | " + " | ".join(str(s[key]) for s in description.summaries.values()) + " |")
    rows: dict[str, list[str]] = {
        "elements": [str(len(s["elements"])) for s in description.summaries.values()],
        "sites, median and largest": [
            f"{s['sites']['median']:g}, {s['sites']['largest']}" if s["sites"] else "–"
            for s in description.summaries.values()
        ],
        "most common prototypes": [
            ", ".join(f"{kind} ({n})" for kind, n in s["most_common_prototypes"].items())
            for s in description.summaries.values()
        ],
        "content hash": [f"`{s['content_hash'][:12]}`" for s in description.summaries.values()],
    }
    lines += [f"| {title} | " + " | ".join(cells) + " |" for title, cells in rows.items()]
    lines += ["", "## Targets", "", "| dataset | target | unit | rows | lowest | median | highest |"]
    lines.append("| --- | --- | --- | ---: | ---: | ---: | ---: |")
    for name, summary in description.summaries.items():
        for target, r in summary["targets"].items():
            numbers = " | ".join("–" if r[k] is None else f"{r[k]:.4g}" for k in ("lowest", "median", "highest"))
            lines.append(f"| {name} | {target} | {r['unit'] or ''} | {r['rows']} | {numbers} |")
    if description.common:
        lines += ["", "## In common", "", "| of | in | formulas | rows of these formulas | crystals |"]
        lines.append("| --- | --- | ---: | ---: | ---: |")
        for (of, in_), c in description.common.items():
            shared = f"{c.shared_formulas} of {c.formulas} | {c.rows_of_shared_formula} of {c.rows}"
            lines.append(f"| {of} | {in_} | {shared} | {c.shared_crystals} of {c.rows} |")
    if (shared_kappa := description.shared_kappa) is not None:
        lines += [
            "",
            "## Conductivity of shared crystals",
            "",
            f"Crystals that are also in {shared_kappa.base}: x is their conductivity there, y that in the dataset, and "
            "log10 y = a + b log10 x the least-squares line. Errors are mean absolute errors of log10 κ; that of the "
            "line is on the crystals it is fitted to.",
            "",
            "| dataset | crystals | median y/x | rank correlation | error of x | a | b | error of the line |",
            "| --- |" + " ---: |" * 7,
        ]
        for name, line in {**shared_kappa.lines, "all": shared_kappa.line}.items():
            lines.append(
                f"| {name} | {line.n} | {line.ratio:.2f} | {line.spearman:.2f} | {line.male_before:.3f} "
                f"| {line.intercept:.3f} | {line.slope:.3f} | {line.male:.3f} |"
            )
    if figures:
        lines += ["", "## Figures", ""]
        lines += [f"![{figure.rsplit('.', 1)[0]}]({figure})\n" for figure in figures]
    return "\n".join(lines).rstrip() + "\n"


def _range(target: str, values: np.ndarray) -> dict[str, Any]:
    known = values[np.isfinite(values)]
    statistics = (known.min(), np.median(known), known.max()) if len(known) else ()
    found = dict(zip(("lowest", "median", "highest"), map(float, statistics), strict=False))
    return {"unit": unit(target) or None, "rows": len(known), "lowest": None, "median": None, "highest": None} | found


def _shared_kappa(datasets: Sequence[Dataset], same: dict[tuple[str, str], list[list[int]]]) -> SharedKappa | None:
    base = max(datasets, key=lambda dataset: int(np.isfinite(dataset.targets.get("kappa", np.array([]))).sum()))
    points = {}
    for dataset in datasets:
        if dataset is not base:
            y, x = shared_kappa(dataset, base, same[dataset.name, base.name])
            if len(x):
                points[dataset.name] = x, y
    points_of = {"": tuple(np.concatenate(values) for values in zip(*points.values(), strict=True))} if points else {}
    lines = {
        name: recalibrate(x, y)
        for name, (x, y) in (points_of | points).items()
        if len(x) >= FEWEST and len(np.unique(x)) > 2
    }
    return SharedKappa(base.name, points, lines.pop(""), lines) if "" in lines else None
