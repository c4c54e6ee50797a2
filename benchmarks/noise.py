"""How predictions change when positions are noisy, as those of cells relaxed without their symmetry are.

    PARAISITE_MIRROR=../shared/data .venv/bin/python benchmarks/noise.py

Normal noise on every coordinate of 250 crystals of `phonix`. Writes results/noise.json; the model card has a table.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np

from paraisite.crystals import Crystal
from paraisite.datasets import load
from paraisite.prediction import Predictor

RESULT = Path(__file__).resolve().parents[1] / "results" / "noise.json"
NOISES = (0.001, 0.003, 0.01, 0.03)
"""Standard deviations in Å."""


def main() -> None:
    rng = np.random.default_rng(0)
    crystals = load("phonix").crystals
    chosen = [crystals[i] for i in rng.permutation(len(crystals))[:250]]
    predictor = Predictor.from_pretrained()

    def kappas(items: list[Crystal]) -> np.ndarray:
        return np.array([row.kappa_W_mK or np.nan for row in predictor.predict(items)])

    plain = kappas(chosen)
    found = {}
    for noise in NOISES:
        moved = []
        for crystal in chosen:
            shift = rng.normal(scale=noise, size=crystal.positions.shape) @ np.linalg.inv(crystal.cell)
            moved.append(replace(crystal, positions=crystal.positions + shift))
        change = np.abs(np.log10(kappas(moved) / plain))
        quantiles = {"median": 50, "p95": 95, "largest": 100}
        found[f"{noise:g}"] = {name: round(float(np.nanpercentile(change, q)), 4) for name, q in quantiles.items()}
    RESULT.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
