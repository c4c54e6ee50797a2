"""What `make fuzz` did (results/fuzz.json, written by ``--record``), as docs/reliability.md shows it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

from markdown_table import table

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))  # for fuzz
from fuzz.targets import TARGETS  # noqa: E402


def fuzz() -> str:
    """A line for each harness, and the sum."""
    record = json.loads((ROOT / "results" / "fuzz.json").read_text(encoding="utf-8"))
    rows = [
        [
            f"`{found['target']}`",
            TARGETS[found["target"]].what,
            f"{found['executions']:,}",
            f"{found['executions'] / found['seconds']:.0f}",
            f"{found['coverage']}",
            f"{len(found['unforeseen'])}",
            f"{len(found['findings'])}",
        ]
        for found in record["targets"]
    ]
    executions = sum(found["executions"] for found in record["targets"])
    findings = sum(len(found["findings"]) for found in record["targets"])
    rows.append(["all", "", f"{executions:,}", "", "", "", f"{findings}"])
    header = ["harness", "input, and what must come of it", "inputs", "inputs/s", "coverage", "caught late", "findings"]
    return table(header, rows) + f"\n{record['seconds']:g} s for each harness; {record['machine']}.\n"
