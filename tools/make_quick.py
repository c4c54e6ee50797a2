"""Compare quick looks with full calculations by the same potential; writes results/quick.json.

    .venv/bin/python tools/make_quick.py QUICK_DIR FULL_DIR [QUICK_DIR FULL_DIR ...]

Folders of `paraisite verify --quick --temperatures 100:1000:100` and `paraisite verify` for the same crystals. Of the
tensor at 300 K the diagonal over its mean is compared, for crystals of which the full calculation makes two of its
components differ by more than 5 %; of the temperatures, kappa over that at 300 K. A crystal that moved (the space
group differs) is left out and counted.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

from paraisite.phonons.result import Result
from paraisite.phonons.summary import doubtful

RESULT = Path(__file__).parents[1] / "results" / "quick.json"
DIFFERENT = 1.05


def compare(quick: Result, full: Result) -> dict[str, Any]:
    """One row for a crystal that has both."""
    last = full.details["conductivity"][-1]
    at = last["temperatures"].index(300.0)
    tensor = np.array(last["kappa"][at][:3])
    if last["coherence"]:
        tensor = tensor + np.array(last["coherence"][at][:3])
    found = {row["temperature"]: row for row in quick.details["quick"]["temperatures"]}
    own = np.array(found[300.0]["tensor"][:3])
    shared = [(i, t) for i, t in enumerate(last["temperatures"]) if t in found and 100 <= t <= 1000]
    curve = np.array([last["isotropic"][i] for i, _ in shared]) / last["isotropic"][at]
    mine = np.array([found[t]["kappa"] for _, t in shared]) / found[300.0]["kappa"]
    return {
        "id": quick.id,
        "formula": quick.formula,
        "space_group": full.space_group,
        "kappa_full": full.kappa_W_mK,
        "kappa_quick": quick.kappa_W_mK,
        "anisotropic": bool(tensor.max() > DIFFERENT * tensor.min()),
        "ratios_full": (tensor / tensor.mean()).round(4).tolist(),
        "ratios_quick": (own / own.mean()).round(4).tolist(),
        "tensor": float(np.abs(np.log10(own / own.mean() / (tensor / tensor.mean()))).mean()),
        "temperatures": float(np.abs(np.log10(mine / curve)).mean()),
        "at": {f"{t:g}": float(np.log10(m / c)) for (_, t), m, c in zip(shared, mine, curve, strict=True)},
        "cpu_seconds": [quick.cpu_seconds, full.cpu_seconds],
    }


def main() -> None:
    rows, moved, unstable, doubted = [], [], [], []
    for quick_folder, full_folder in zip(sys.argv[1::2], sys.argv[2::2], strict=True):
        for path in sorted(Path(quick_folder).glob("*/result.json")):
            quick, full = Result.read(path.parent), Result.read(Path(full_folder) / path.parent.name)
            if quick is None or full is None or not full.details.get("conductivity"):
                continue
            if quick.kappa_W_mK is None:
                unstable.append(quick.formula)
            elif doubtful(full.mesh_change, full.long_lived_share):
                doubted.append(full.formula)
            elif quick.space_group != full.space_group:
                moved.append(quick.formula)
            else:
                rows.append(compare(quick, full))
    tensors = [row["tensor"] for row in rows if row["anisotropic"]]
    result = {
        "crystals": len(rows),
        "moved": moved,
        "unstable_in_quick_only": unstable,
        "doubtful_in_full": doubted,
        "anisotropic": len(tensors),
        "tensor": {"mean": float(np.mean(tensors)), "median": float(np.median(tensors))},
        "temperatures": float(np.mean([row["temperatures"] for row in rows])),
        "kappa": float(np.mean([abs(np.log10(row["kappa_quick"] / row["kappa_full"])) for row in rows])),
        "cpu_seconds_median": np.median([row["cpu_seconds"] for row in rows], axis=0).tolist(),
        "rows": rows,
    }
    RESULT.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(json.dumps({k: v for k, v in result.items() if k != "rows"}, indent=1))


if __name__ == "__main__":
    main()
