"""Put trained runs into the package as the shipped models, and measure what the default one is worth on new formulas.

PARAISITE_MIRROR=../shared/data .venv/bin/python tools/ship_models.py [--runs DIR]
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

from paraisite.crystals import Crystal
from paraisite.datasets import load
from paraisite.evaluation.metrics import coverage, interval_score, interval_width
from paraisite.model.checkpoint import Checkpoint
from paraisite.prediction import Predictor

ROOT = Path(__file__).parents[1]
SHIPPED = {"kappa-mix": "step3-no_overlap-1", "kappa-mix-by-formula": "step3-formula"}
LICENCE = "MIT; the networks started from MEGNet-MP-2018.6.1-Eform of matgl (BSD-3-Clause), see NOTICE"
LEVEL = 0.9


def ship(name: str, run: Path) -> Checkpoint:
    """Write the run's model into the package under its shipped name, keeping the model card that stands there."""
    folder = ROOT / "src/paraisite/model/pretrained" / name
    page = folder / "README.md"
    text = page.read_text(encoding="utf-8") if page.is_file() else ""
    checkpoint = Checkpoint.load(run / "model")
    checkpoint.card.name, checkpoint.card.licence = name, LICENCE
    checkpoint.save(folder)
    if text:
        page.write_text(text, encoding="utf-8")
    return checkpoint


def new_formulas(default: Checkpoint, by_formula: Checkpoint) -> dict[str, float]:
    """Intervals of held-out formulas with the default model's calibration: its scores, the other's networks."""
    assert default.card.calibration is not None
    assert by_formula.card.calibration is not None
    moved = default.card.calibration.model_copy(update={"folds": by_formula.card.calibration.folds})
    mix = load("mix")
    crystals: list[Crystal] = list(mix.crystals)
    predictor = Predictor(by_formula)
    by_formula.card.calibration = moved
    rows = predictor.predict(crystals, held_out=True, level=LEVEL)
    low, high = (np.array([getattr(row, f"kappa_{side}_W_mK") for row in rows]) for side in ("low", "high"))
    found = {"n": float(len(rows)), "level": LEVEL}
    for part in ("all", *dict.fromkeys(mix.provenance)):
        here = np.array([part in ("all", p) for p in mix.provenance])
        found[f"coverage_{part}"] = coverage(mix.kappa[here], low[here], high[here])
    found["width"] = interval_width(low, high)
    found["interval_score"] = interval_score(mix.kappa, low, high, LEVEL)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="folder of the training runs")
    arguments = parser.parse_args()
    shipped = {name: ship(name, arguments.runs / run) for name, run in SHIPPED.items()}
    found = new_formulas(*shipped.values())
    (ROOT / "results/new_formulas.json").write_text(json.dumps(found, indent=1) + "\n")
    print(json.dumps(found))


if __name__ == "__main__":
    main()
