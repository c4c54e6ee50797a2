"""The summary table: one row for each crystal, its prediction beside what was calculated."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from paraisite.phonons.result import Result
from paraisite.phonons.subject import Subject
from paraisite.replacing import replacing

SUMMARY = "summary.csv"
COLUMNS = (
    "id", "source", "formula", "space_group", "n_primitive", "potential", "status", "verdict",
    "kappa_W_mK", "kappa_coherence_W_mK", "kappa_xx", "kappa_yy", "kappa_zz", "mesh", "mesh_change",
    "min_frequency_THz", "predicted_W_mK", "predicted_low_W_mK", "predicted_high_W_mK", "factor",
    "label_W_mK", "label_factor", "n_supercell", "n_displaced", "seconds", "cpu_seconds", "reason", "notes",
)  # fmt: skip
DIGITS = 6


def row(subject: Subject, result: Result | None, potential: str) -> dict[str, Any]:
    """Return the columns of a crystal; without a result it is pending.

    `factor` is the calculated conductivity divided by the predicted one, `label_factor` by the label.
    """
    item, predicted = subject.item, subject.predicted
    known: dict[str, Any] = dict.fromkeys(COLUMNS)
    known |= {
        "id": item.id, "source": item.source, "formula": item.formula, "potential": potential, "status": "pending",
        "predicted_W_mK": predicted.kappa, "predicted_low_W_mK": predicted.low, "predicted_high_W_mK": predicted.high,
        "label_W_mK": subject.label,
    }  # fmt: skip
    if result is None:
        return known
    conductivity = result.details.get("conductivity")
    if conductivity:
        last = conductivity[-1]
        at = last["temperatures"].index(300.0)
        tensor = [a + (last["coherence"][at][i] if last["coherence"] else 0.0) for i, a in enumerate(last["kappa"][at])]
        known |= dict(zip(("kappa_xx", "kappa_yy", "kappa_zz"), tensor, strict=False))
    kappa = result.kappa_W_mK
    known |= {
        "space_group": result.space_group, "n_primitive": result.n_primitive, "status": result.status,
        "verdict": verdict(result, subject), "kappa_W_mK": kappa,
        "kappa_coherence_W_mK": result.kappa_coherence_W_mK,
        "mesh": "x".join(map(str, result.mesh)) if result.mesh else None, "mesh_change": result.mesh_change,
        "min_frequency_THz": result.min_frequency_THz,
        "factor": kappa / predicted.kappa if kappa is not None and predicted.kappa else None,
        "label_factor": kappa / subject.label if kappa is not None and subject.label else None,
        "n_supercell": result.details.get("supercell", {}).get("n_atoms"),
        "n_displaced": result.details.get("displacements", {}).get("n_supercells"),
        "seconds": result.seconds, "cpu_seconds": result.cpu_seconds, "reason": result.reason,
        "notes": "; ".join(result.notes),
    }  # fmt: skip
    return known


def verdict(result: Result, subject: Subject) -> str:
    """Say what the calculation makes of the prediction.

    ``agrees``: within the predicted interval; ``lower`` or ``higher`` than it; ``unstable``: imaginary modes;
    ``failed``; ``no prediction``.
    """
    predicted, kappa = subject.predicted, result.kappa_W_mK
    if result.status == "unstable":
        return "unstable"
    if kappa is None:
        return "failed"
    if predicted.low is None or predicted.high is None:
        return "no prediction"
    return "lower" if kappa < predicted.low else "higher" if kappa > predicted.high else "agrees"


def write_summary(rows: Sequence[dict[str, Any]], path: Path) -> None:
    """Write the table as CSV, numbers with six digits."""
    with replacing(path) as aside, aside.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        for each in rows:
            writer.writerow({k: f"{v:.{DIGITS}g}" if isinstance(v, float) else v for k, v in each.items()})
