"""Fit and score kappa at other temperatures, and write results/temperature.json and its figure.

    PARAISITE_MIRROR=../shared/data .venv/bin/python tools/make_temperature.py [FOLDER ...]

Folders of `paraisite verify --temperatures 100:1500:100` are read into results/temperature.csv first, both parts of the
conductivity at each temperature. The four numbers of `paraisite.physics.temperature` are fitted to the parts of
every other crystal of that table, and scored on the others and on the values of literature in `kappa_temperature`, with
what members not trained on the formula predict at 300 K. What differs from the numbers in the module is an error.
"""

from __future__ import annotations

import csv
import json
import os
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from markdown_table import table
from scipy.optimize import minimize

from paraisite.crystals import Crystal, read
from paraisite.datasets import load
from paraisite.files.csv_cells import csv_text
from paraisite.files.writing import write_json, write_text
from paraisite.physics import temperature as physics
from paraisite.plots.drawing import COLOURS, blank, fingerprint, quiet, save
from paraisite.prediction import Options, Prediction, Predictor

ROOT = Path(__file__).resolve().parents[1]
TABLE = ROOT / "results" / "temperature.csv"
RESULT = ROOT / "results" / "temperature.json"
FIGURE = ROOT / "docs" / "figures" / "temperature.png"
COLUMNS = ("id", "formula", "dataset", "temperature_K", "kappa_W_mK", "kappa_coherence_W_mK")
REPORTED = (100.0, 200.0, 400.0, 500.0, 700.0, 1000.0, 1500.0)
LONG_LIVED = 0.5
"""Share of modes that three phonons hardly scatter, above which a calculation is left out: nothing but isotopes and
boundaries would limit that conductivity."""
DRAWN = 10
BOUNDS = ("", "_low", "_high")


class Curve(NamedTuple):
    """One crystal: what was computed at its temperatures (W m⁻¹ K⁻¹), and what is predicted for it at 300 K."""

    id: str
    formula: str
    temperature: np.ndarray
    kappa: np.ndarray
    coherence: np.ndarray
    row: Prediction

    @property
    def log_ratio(self) -> np.ndarray:
        """log10 of kappa over that at 300 K, shape (temperatures,)."""
        at = np.interp(np.log(physics.ROOM), np.log(self.temperature), np.log10(self.kappa))
        return np.asarray(np.log10(self.kappa) - at)

    def parts_error(self, numbers: tuple[float, float, float, float]) -> float:
        """Mean |log10| of both computed parts, each over its value at 300 K, given the computed share."""
        room = int(np.flatnonzero(self.temperature == physics.ROOM)[0])
        share = np.array(self.coherence[room] / self.kappa[room])
        frequency = np.array(self.row.properties["mean_frequency_THz"])
        computed = (self.kappa - self.coherence, self.coherence)
        pairs = zip(physics.parts_at(self.temperature, share, frequency, numbers), computed, strict=True)
        return float(sum(np.abs(np.log10(made * part[room] / part)).mean() for made, part in pairs))

    def predicted(self, numbers: tuple[float, float, float, float]) -> np.ndarray:
        """The same as the formula gives it from the predictions at 300 K."""
        p = self.row.properties
        particle, coherence = p["kappa_particle_W_mK"], p["kappa_coherence_W_mK"]
        assert particle is not None
        assert coherence is not None
        share = coherence / (particle + coherence)
        parts = physics.parts_at(self.temperature, np.array(share), np.array(p["mean_frequency_THz"]), numbers)
        return np.asarray(np.log10((1.0 - share) * parts[0] + share * parts[1]))


def collect(folders: list[Path]) -> None:
    """Write the conductivities of verified folders to the table."""
    rows: list[dict[str, Any]] = []
    for path in sorted(path for folder in folders for path in folder.glob("*/result.json")):
        result = json.loads(path.read_bytes())
        if result["status"] != "ok" or (result["long_lived_share"] or 0.0) > LONG_LIVED:
            continue
        last = result["details"]["conductivity"][-1]
        coherence = np.array(last["coherence"])[:, :3].mean(axis=1)
        for values in zip(last["temperatures"], last["isotropic"], coherence.tolist(), strict=True):
            numbers = (f"{value:.5g}" for value in values)
            dataset = "l96" if "l96" in result["source"] else "phonix"
            rows.append(dict(zip(COLUMNS, (result["id"], result["formula"], dataset, *numbers), strict=True)))
    write_text(TABLE, csv_text(COLUMNS, ([row[name] for name in COLUMNS] for row in rows)))


def curves(predictor: Predictor) -> tuple[list[Curve], list[Curve]]:
    """Our own calculations, and the values of literature."""
    own, digitised = defaultdict(list), defaultdict(list)
    dataset = {}
    for row in csv.DictReader(TABLE.open(encoding="utf-8", newline="")):
        own[row["id"]].append(tuple(float(row[name]) for name in COLUMNS[3:]))
        dataset[row["id"]] = row["dataset"]
    folder = Path(os.environ["PARAISITE_MIRROR"]) / "kappa_temperature"
    for row in csv.DictReader((folder / "kappa_T.csv").open(encoding="utf-8", newline="")):
        digitised[row["id"]].append((float(row["temperature_K"]), float(row["kappa"]), np.nan))
    held = {name: {c.id: c for c in load(name).crystals} for name in set(dataset.values())}
    crystals = [held[dataset[id]][id] for id in own]
    others = [c for c in read([folder / "cif.zip"]) if isinstance(c, Crystal) and c.id in digitised]

    def made(crystals: list[Crystal], values: dict[str, list[tuple[float, ...]]]) -> list[Curve]:
        asked = Options(
            properties=("kappa_particle", "kappa_coherence", "mean_frequency"),
            temperatures=REPORTED,
            held_out=True,
            allow_vacuum=True,
        )
        rows = predictor.stream(crystals, asked)
        pairs = zip(crystals, rows, strict=True)
        return [Curve(c.id, c.formula, *np.array(sorted(values[c.id])).T, row) for c, row in pairs]

    return made(crystals, own), made(others, digitised)


def fit(some: list[Curve]) -> tuple[tuple[float, float, float, float], float]:
    """The four numbers, least mean |log10| of the computed parts, and the spread of a decade with predicted parts."""

    def loss(x: np.ndarray) -> float:
        if x.min() < 0 or x[3] > 2:
            return 9.0
        return float(np.mean([c.parts_error(tuple(x)) for c in some]))

    start = (physics.UMKLAPP, physics.OSCILLATOR, physics.OVERLAP, physics.SHARE)
    found = minimize(loss, start, method="Nelder-Mead", options={"maxiter": 2000, "xatol": 1e-4, "fatol": 1e-7})
    numbers = tuple(float(f"{x:.2g}") for x in found.x)
    decades = [np.abs(np.log10(c.temperature / physics.ROOM)) for c in some]
    errors = [c.predicted(numbers) - c.log_ratio for c in some]  # type: ignore[arg-type]
    per_decade = np.concatenate([e[d > 0.1] / d[d > 0.1] for e, d in zip(errors, decades, strict=True)])
    # the standard deviation of the normal distribution with the same share within 90 %: outliers have heavy tails
    spread = np.quantile(np.abs(per_decade), 0.9) / 1.645
    return numbers, float(f"{spread:.2g}")  # type: ignore[return-value]


def scores(some: list[Curve], numbers: tuple[float, float, float, float]) -> dict[str, Any]:
    """Mean |log10| of the ratio to 300 K at each temperature, beside that of plain 1/T, and the coverage."""
    found: dict[str, Any] = {"crystals": len(some)}
    for t in REPORTED:
        at = [(c, int(np.flatnonzero(c.temperature == t)[0])) for c in some if (c.temperature == t).any()]
        if at:
            errors = [(c.predicted(numbers) - c.log_ratio)[k] for c, k in at]
            plain = [(np.log10(physics.ROOM / t) - c.log_ratio[k]) for c, k in at]
            found[f"{t:g}"] = {
                "male": float(np.mean(np.abs(errors))),
                "bias": float(np.mean(errors)),
                "male_of_1/T": float(np.mean(np.abs(plain))),
                "n": len(at),
            }
    return found


def coverage(some: list[Curve], temperatures: tuple[float, ...]) -> dict[str, float]:
    """Share of computed conductivities inside the interval at each temperature."""
    found = {}
    for t in temperatures:
        inside = []
        for c in some:
            if t not in c.temperature:
                continue
            true = c.kappa[c.temperature == t][0]
            p = c.row.properties
            inside.append(p[f"kappa_{t:g}K_low_W_mK"] <= true <= p[f"kappa_{t:g}K_high_W_mK"])  # type: ignore[operator]
        found[f"{t:g}"] = float(np.mean(inside))
    return found


def temperatures() -> str:
    """The table of docs/temperature.md."""
    result = json.loads(RESULT.read_bytes())
    tested, diverse = result["tested"], result["tested_diverse"]
    rows = [
        [
            f"{t:g} K",
            *(f"{found[f'{t:g}'][what]:.3f}" for found in (tested, diverse) for what in ("male", "male_of_1/T")),
            f"{100 * tested['coverage'][f'{t:g}']:.0f} %",
        ]
        for t in REPORTED
    ]
    header = [
        "",
        f"{tested['crystals']} crystals held out",
        "1/T",
        f"{diverse['crystals']} of them not of `l96`",
        "1/T",
        "90 % interval of κ(T) covers",
    ]
    known = result["literature"]
    return table(header, rows) + (
        f"\nLiterature: {known['values']} values of {known['compounds']} compounds between 200 and 1000 K, "
        f"each compound relative to its own value at 300 K: {known['male']:.3f} (1/T: {known['male_of_1/T']:.3f}).\n"
    )


def draw(some: list[Curve]) -> None:
    """Draw kappa(T) of some crystals: dots are computed, lines predicted from 300 K with their intervals."""
    figure = blank(11, 5)
    for axes, curve in zip(figure.subplots(2, DRAWN // 2, sharex=True).ravel(), some, strict=True):
        p = curve.row.properties
        temperatures = (*REPORTED[:2], physics.ROOM, *REPORTED[2:])
        row = {f"kappa_{physics.ROOM:g}K{bound}_W_mK": getattr(curve.row, f"kappa{bound}_W_mK") for bound in BOUNDS} | p
        middle, low, high = ([row[f"kappa_{t:g}K{bound}_W_mK"] for t in temperatures] for bound in BOUNDS)
        axes.fill_between(temperatures, low, high, color=COLOURS[0], alpha=0.2, linewidth=0)
        axes.plot(temperatures, middle, color=COLOURS[0])
        axes.plot(curve.temperature, curve.kappa, ".", color=COLOURS[5])
        axes.set(xscale="log", yscale="log", title=f"{curve.formula} ({curve.id})")
        axes.title.set_fontsize(9)
        axes.set_xticks([100, 300, 1000], ["100", "300", "1000"])
        axes.minorticks_off()
        quiet(axes)
    figure.supxlabel("T (K)")
    figure.supylabel("κ (W/m/K)")
    save(figure, FIGURE, fingerprint([[c.id, c.kappa.tolist(), c.row.kappa_W_mK] for c in some]))


def main() -> None:
    if folders := [Path(text) for text in sys.argv[1:]]:
        collect(folders)
    own, digitised = curves(Predictor.from_pretrained())
    own.sort(key=lambda curve: curve.id)
    fitted, tested = own[::2], own[1::2]
    numbers, spread = fit(fitted)
    shipped = (physics.UMKLAPP, physics.OSCILLATOR, physics.OVERLAP, physics.SHARE)
    every = np.concatenate([_within(c, c.predicted(shipped) - c.log_ratio) for c in digitised])
    plain = np.concatenate([_within(c, np.log10(physics.ROOM / c.temperature) - c.log_ratio) for c in digitised])
    result = {
        "numbers": numbers,
        "spread_of_a_decade": spread,
        "fitted": scores(fitted, shipped),
        "tested": scores(tested, shipped) | {"coverage": coverage(tested, (*REPORTED,)), "ids": [c.id for c in tested]},
        "tested_diverse": scores([c for c in tested if c.id not in _l96()], shipped),
        "literature": {
            "values": len(every),
            "compounds": len(digitised),
            "male": float(np.mean(np.abs(every))),
            "male_of_1/T": float(np.mean(np.abs(plain))),
        },
    }
    write_json(RESULT, result)
    print(json.dumps(result, indent=1))
    span = np.argsort([c.kappa[2] for c in tested])
    draw([tested[i] for i in span[np.linspace(0, len(span) - 1, DRAWN).astype(int)]])
    if (numbers, spread) != (shipped, physics.SPREAD):
        sys.exit(f"src/paraisite/physics/temperature.py holds {shipped}, {physics.SPREAD}; the fit gives the above")


def _within(curve: Curve, errors: np.ndarray) -> np.ndarray:
    """Errors between 200 and 1000 K."""
    return errors[(curve.temperature >= 200) & (curve.temperature <= 1000)]


def _l96() -> set[str]:
    with TABLE.open(encoding="utf-8", newline="") as file:
        return {row["id"] for row in csv.DictReader(file) if row["dataset"] == "l96"}


if __name__ == "__main__":
    main()
