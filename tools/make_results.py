"""Train everything the README's figures come from, and write results/*.json.

    PARAISITE_MIRROR=../shared/data .venv/bin/python tools/make_results.py [NAME ...] [--runs DIR]

Runs that are done are skipped; an interrupted one goes on. All of it takes about an hour on two cores.
"""

from __future__ import annotations

import argparse
import json
import logging
import shutil
import warnings
from pathlib import Path

from paraisite.training.recipe import load_recipe
from paraisite.training.run import run

SEEDS = range(1, 6)
ROWS = ["split.group=row"]
EXPERIMENTS: dict[str, tuple[str, list[str]]] = {
    "step3-no_overlap-1": ("step3", [*ROWS, "split.earlier=no_overlap", "split.seed=1"]),
    "agl": ("agl", []),
    "step3-formula": ("step3", ["members=2", "split.group=formula", "split.earlier=grouped"]),
    **{f"step3-all-{s}": ("step3", [*ROWS, "split.earlier=all", f"split.seed={s}"]) for s in SEEDS},
    "step1": ("step1", []),
    "step2": ("step2", []),
    **{f"step3-no_overlap-{s}": ("step3", [*ROWS, "split.earlier=no_overlap", f"split.seed={s}"]) for s in SEEDS},
}
"""Recipe and settings of each result."""

RESULTS = Path(__file__).parents[1] / "results"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(EXPERIMENTS)}; all when none is given")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="folder of the training runs")
    arguments = parser.parse_args()
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="lightning")
    for name in arguments.names or EXPERIMENTS:
        recipe, settings = EXPERIMENTS[name]
        out = arguments.runs / name
        first = arguments.runs / "step3-all-1" / "stage-0-aflow.safetensors"
        if name.startswith("step3-all-") and first.is_file() and not (out / first.name).is_file():
            # with every AGL row in training that stage does not depend on the split
            out.mkdir(parents=True, exist_ok=True)
            shutil.copy(first, out / first.name)
        print(f"== {name}", flush=True)
        if not (out / "metrics.json").is_file():
            run(load_recipe(recipe, settings), out, device="cpu", say=lambda line: print(line, flush=True))
        metrics = json.loads((out / "metrics.json").read_text())
        RESULTS.mkdir(exist_ok=True)
        result = {"recipe": recipe, "settings": settings, **metrics}
        (RESULTS / f"{name}.json").write_text(json.dumps(result, indent=1) + "\n")
        print(json.dumps(metrics["all"]), flush=True)


if __name__ == "__main__":
    main()
