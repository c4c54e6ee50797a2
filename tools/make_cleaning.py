"""Clean `aflow_agl` by the default rules and keep the counts: results/cleaning_aflow_agl.json, for docs/cleaning.md.

PARAISITE_MIRROR=../shared/data .venv/bin/python tools/make_cleaning.py [--workers 2]
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

RESULT = Path(__file__).parents[1] / "results" / "cleaning_aflow_agl.json"

MEANING = {
    "kappa": "κ below 0.001 or above 3500 W m⁻¹ K⁻¹, or no number",
    "heat_capacity": "C_v above 3 k_B per atom",
    "bulk_modulus": "bulk or shear modulus not positive",
    "debye_temperature": "Debye temperature not positive",
    "gruneisen": "Grüneisen parameter below 0.26",
    "low_gruneisen": "Grüneisen parameter below 1",
    "overlap": "sites closer than 0.6 of their covalent radii",
    "agl_equation": "κ does not follow from the row's own numbers",
    "agl_heat_capacity": "C_v does not follow from the row's Debye temperature",
    "agl_supercell": "κ computed for a cell that is not primitive",
    "units": "κ about 100 or 1000 times that of similar crystals, or a 100th or 1000th",
    "outlier": "κ far from a robust fit",
    "duplicates": "the same crystal as another row",
    "conflict": "values of κ for one crystal differ by more than a factor of 2",
    "unreadable": "line of the table or structure that cannot be read",
}


def cleaning(result: dict[str, Any]) -> str:
    """The block `cleaning` of docs/cleaning.md, from the content of `RESULT`."""
    lines = ["| rule | finding | rows | what becomes of them |", "| --- | --- | --- | --- |"]
    for rule, found in result["rules"].items():
        for fate, n in found.items():
            lines.append(f"| `{rule}` | {MEANING[rule]} | {n} | {fate if n else ''} |")
    fates, rows, same = result["fates"], result["rows"], result["duplicates"]
    text = ", ".join(f"{n} {fate}" for fate, n in fates.items())
    lines += [
        "",
        f"Several rules may find one row. Of {rows['before']} rows: {text} (a row counts once, under the gravest); "
        f"{rows['after']} remain. {same['rows']} rows are of {same['groups']} crystals that stand there repeatedly. "
        f"Content hash {result['content_hash']['before'][:12]} before, {result['content_hash']['after'][:12]} after. "
        f"Comparing crystals took {result['seconds']['duplicates']:.0f} s in {result['workers']} processes, "
        f"everything else {result['seconds']['rules']:.0f} s.",
    ]
    return "\n".join(lines) + "\n"


def main() -> None:
    from paraisite.datasets.clean import clean
    from paraisite.datasets.load import load

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--workers", type=int, default=2)
    workers = parser.parse_args().workers
    found = clean(load("aflow_agl"), workers=workers)
    keep = ("dataset", "rows", "fates", "rules", "duplicates", "thresholds", "content_hash", "seconds", "versions")
    result = {key: found.summary[key] for key in keep} | {"workers": workers}
    result["found"] = [
        {"id": row.id, "formula": row.formula, "kappa": row.kappa, "action": row.fate, "rules": row.rules}
        for row in found.rows
        if row.fate != "kept" and row.rules != ["duplicates"]
    ]
    RESULT.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(cleaning(result))


if __name__ == "__main__":
    main()
