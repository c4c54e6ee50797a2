"""Train everything the README's figures come from, and write results/*.json.

    PARAISITE_MIRROR=../shared/data .venv/bin/python tools/make_results.py [NAME ...] [--runs DIR]

Finished runs are skipped; an interrupted one resumes. All of it takes about an hour on two cores.
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
    "agl": ("agl", []),
    "step1": ("step1", []),
    "step2": ("step2", []),
    **{
        f"{recipe}-{earlier}-{s}": (recipe, [*ROWS, f"split.earlier={earlier}", f"split.seed={s}"])
        for recipe in ("step3", "step3-finetune")
        for earlier in ("all", "no_overlap")
        for s in SEEDS
    },
    **{
        f"{recipe}-formula": (recipe, ["members=2", "split.group=formula", "split.earlier=grouped"])
        for recipe in ("step3", "step3-finetune")
    },
}
"""Recipe and settings of each result."""

RESULTS = Path(__file__).parents[1] / "results"


def same_first_stage(name: str) -> str:
    """A run whose AGL stage is the same: both recipes share it, and with every row in training no split enters it."""
    name = name.replace("-finetune", "")
    return "step3-all-1" if name.startswith("step3-all-") else name


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
        done = arguments.runs / same_first_stage(name) / "stage-0-aflow.safetensors"
        if done.is_file() and not (out / done.name).is_file():
            out.mkdir(parents=True, exist_ok=True)
            shutil.copy(done, out / done.name)
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
