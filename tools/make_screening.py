"""Gather the results of the screening benchmarks into results/screening.json; docs/screening.md shows it.

    .venv/bin/python tools/make_screening.py RATES.json RAY.json SCALE.json...

The files are what --json of benchmarks/screening.py, ray_cluster.py and screening_scale.py wrote.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

FOUND = Path(__file__).parents[1] / "results/screening.json"


def screening() -> str:
    """Rates on one core, at scale, and what survives being killed."""
    found = json.loads(FOUND.read_text(encoding="utf-8"))
    lines = [
        "| one core, archive to Parquet | crystals/s | over the study's loop | over a plain loop |",
        "| --- | --- | --- | --- |",
    ]
    for row in found["rates"]:
        ours = row["ours_per_s"]
        times = [f"{ours / row[loop]:.0f}" for loop in ("study_per_s", "plain_per_s")]
        lines.append(f"| `{row['crystals']}`, {row['n']} crystals | {ours:.0f} | {times[0]} | {times[1]} |")
    lines += [
        "",
        "| the program, start-up and end included | workers | crystals/s | memory of a worker, MB | parent, MB |",
        "| --- | --- | --- | --- | --- |",
    ]
    for row in found["scale"]:
        if row["what"] != "killed":
            source = {"archive": "archives", "store": "a graph store"}[row["what"]]
            numbers = f"{row['workers']} | {row['per_s']:.0f} | {row['worker_MB']:.0f} | {row['parent_MB']:.0f}"
            lines.append(f"| {row['crystals']:,} crystals of {source} | {numbers} |")
    text = "\n".join(lines) + "\n"
    for row in found["scale"]:
        if row["what"] == "killed":
            same = "byte for byte that of an uninterrupted run" if row["same"] else "ANOTHER"
            text += f"\n{row['crystals']:,} crystals, killed {row['kills']} times and resumed: the table is {same}.\n"
    return text


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rates", type=Path)
    parser.add_argument("ray", type=Path)
    parser.add_argument("scale", type=Path, nargs="+")
    asked = parser.parse_args()
    content = {
        "rates": json.loads(asked.rates.read_text(encoding="utf-8")),
        "ray": json.loads(asked.ray.read_text(encoding="utf-8")),
        "scale": [row for path in asked.scale for row in json.loads(path.read_text(encoding="utf-8"))],
    }
    FOUND.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    print(FOUND)


if __name__ == "__main__":
    main()
