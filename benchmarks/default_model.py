"""Processor time of `paraisite screen` with the default model of now and of an older commit, in turn, on one machine.

    PARAISITE_MIRROR=../shared/data .venv/bin/python benchmarks/default_model.py [--before COMMIT] [--runs N]

Screens `mp_stable` (2228 crystals) in one process. Writes results/default_model.json.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BEFORE = "62fd265"
"""The last commit whose default model is kappa-mix."""


def processor_seconds(source: Path, out: Path) -> float:
    """User and system seconds of one screening by the program in a source folder."""
    environment = os.environ | {"PYTHONPATH": str(source), "OMP_NUM_THREADS": "1"}
    archive = Path(os.environ["PARAISITE_MIRROR"]) / "mp_stable" / "cif.zip"
    command = [sys.executable, "-m", "paraisite.cli.main", "screen", str(archive), "-o", str(out), "--workers", "0"]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, env=environment, check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--before", default=BEFORE)
    parser.add_argument("--runs", type=int, default=5)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder) / "before"
        subprocess.run(["git", "-C", str(ROOT), "worktree", "add", "--detach", str(tree), given.before], check=True)
        try:
            seconds: dict[str, list[float]] = {"before": [], "now": []}
            for run in range(given.runs + 1):  # the first is a warm-up
                for name, source in (("before", tree / "src"), ("now", ROOT / "src")):
                    taken = processor_seconds(source, Path(folder) / f"{name}-{run}.parquet")
                    if run:
                        seconds[name].append(round(taken, 3))
                    print(f"{name}: {taken:.2f} s", flush=True)
        finally:
            subprocess.run(["git", "-C", str(ROOT), "worktree", "remove", "--force", str(tree)], check=True)
    ratios = [now / before for now, before in zip(seconds["now"], seconds["before"], strict=True)]
    result = {"commit_before": given.before, "seconds": seconds, "median_ratio": round(statistics.median(ratios), 3)}
    (ROOT / "results" / "default_model.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(f"median ratio now / before: {result['median_ratio']}")


if __name__ == "__main__":
    main()
