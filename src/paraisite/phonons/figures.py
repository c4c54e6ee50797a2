"""Figures of a calculation: bands and density of states, conductivity against temperature and mean free path."""

from __future__ import annotations

import lzma
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from paraisite.phonons.cumulative import CUMULATIVE
from paraisite.phonons.result import Result
from paraisite.phonons.stability import BANDS, DOS
from paraisite.plots.drawing import COLOURS, FAINT, INK, blank, panels, quiet, save

PHONONS, KAPPA = "phonons.png", "kappa.png"


def draw(folder: Path, result: Result) -> None:
    """Draw what the folder has data for; needs matplotlib."""
    if (folder / BANDS).is_file() and (folder / DOS).is_file():
        save(_phonons(folder, result), folder / PHONONS)
    if result.details.get("conductivity"):
        save(_kappa(folder, result), folder / KAPPA)


def _phonons(folder: Path, result: Result) -> Any:
    with lzma.open(folder / BANDS) as file:
        bands = yaml.load(file, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    figure = blank(8, 4)
    left, right = figure.subplots(1, 2, sharey=True, width_ratios=(3, 1))
    points = bands["phonon"]
    x = np.array([point["distance"] for point in points])
    y = np.array([[band["frequency"] for band in point["band"]] for point in points])
    ends = np.cumsum(bands["segment_nqpoint"])
    marks: dict[float, str] = {}
    for start, end, (first, last) in zip([0, *ends[:-1]], ends, bands["labels"], strict=True):
        left.plot(x[start:end], y[start:end], color=COLOURS[0], lw=1)
        for at, label in ((x[start], first), (x[end - 1], last)):
            known = marks.setdefault(round(float(at), 6), label)
            if label not in known.split("|"):  # two points at one place: the path jumps
                marks[round(float(at), 6)] = f"{known}|{label}"
    for at in marks:
        left.axvline(at, color=FAINT, lw=0.5)
    left.set_xticks(list(marks), list(marks.values()))
    left.set_xlim(0, max(marks))
    left.set_ylim(min(0.0, y.min()) * 1.05, y.max() * 1.05)
    left.set_ylabel("frequency (THz)", color=INK)
    frequency, density = np.loadtxt(folder / DOS).T
    right.fill_betweenx(frequency, density, color=COLOURS[4])
    right.set_xlabel("states per THz", color=INK)
    right.set_xlim(0)
    for axes in (left, right):
        axes.axhline(0, color=INK, lw=0.5)
        quiet(axes)
    figure.suptitle(_title(result), color=INK)
    return figure


def _kappa(folder: Path, result: Result) -> Any:
    figure = blank(8, 4)
    left, right = panels(figure, 2)
    for item, style in zip(result.details["conductivity"][::-1], ("-", "--", ":", "-."), strict=False):
        label = "mesh " + "×".join(map(str, item["mesh"]))
        left.loglog(item["temperatures"], item["isotropic"], style, color=COLOURS[0], label=label)
    left.set_xlabel("temperature (K)", color=INK)
    left.set_ylabel("κ (W m⁻¹ K⁻¹)", color=INK)
    left.legend(frameon=False)
    if (folder / CUMULATIVE).is_file():
        path, kappa = np.loadtxt(folder / CUMULATIVE, delimiter=",", skiprows=1).T
        right.semilogx(path, kappa, color=COLOURS[5])
        right.set_ylim(0)
    right.set_xlabel("mean free path (nm)", color=INK)
    right.set_ylabel("cumulative κ at 300 K (W m⁻¹ K⁻¹)", color=INK)
    for axes in (left, right):
        quiet(axes)
    figure.suptitle(_title(result), color=INK)
    return figure


def _title(result: Result) -> str:
    kappa = "" if result.kappa_W_mK is None else f": κ(300 K) = {result.kappa_W_mK:.3g} W m⁻¹ K⁻¹"
    return f"{result.formula} {result.space_group}{kappa}"
