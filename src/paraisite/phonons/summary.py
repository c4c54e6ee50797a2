"""The summary table: one row for each crystal, its prediction beside what was calculated."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from paraisite.files.csv_cells import read_rows
from paraisite.files.writing import write_csv
from paraisite.phonons.result import Result
from paraisite.phonons.settings import ROOM
from paraisite.phonons.subject import Subject
from paraisite.prediction.options import temperature_columns

SUMMARY = "summary.csv"
COLUMNS = (
    "id", "source", "formula", "space_group", "n_primitive", "potential", "status", "verdict",
    "kappa_W_mK", "kappa_coherence_W_mK", "kappa_xx", "kappa_yy", "kappa_zz", "mesh", "mesh_change",
    "long_lived_share", "min_frequency_THz", "predicted_W_mK", "predicted_low_W_mK", "predicted_high_W_mK", "factor",
    "label_W_mK", "label_factor", "n_supercell", "n_displaced", "n_fc2_supercell", "seconds", "cpu_seconds",
    "reason", "notes",
)  # fmt: skip
QUICK_COLUMNS = (
    "id", "source", "formula", "space_group", "n_primitive", "potential", "status", "verdict",
    "kappa_W_mK", "kappa_low_W_mK", "kappa_high_W_mK", "kappa_coherence_W_mK", "kappa_xx", "kappa_yy", "kappa_zz",
    "min_frequency_THz", "applicability", "predicted_W_mK", "predicted_low_W_mK", "predicted_high_W_mK", "factor",
    "label_W_mK",
    "label_factor", "kappa_slack_W_mK", "kappa_min_cahill_W_mK", "kappa_min_diffuson_W_mK", "mean_frequency_THz",
    "transport_integral_W_mK_s", "heat_capacity_kB", "debye_temperature_K", "gruneisen", "velocity_long_m_s",
    "velocity_trans_m_s", "bulk_modulus_GPa", "shear_modulus_GPa", "volume_A3", "n_supercell", "supercell_length_A",
    "n_displaced", "n_calls", "seconds", "cpu_seconds", "first_call_seconds", "load_seconds", "reason", "notes",
)  # fmt: skip
DIGITS = 6
DOUBT = 0.5
"""Share of kappa depending on the mesh, or on modes weakly scattered by three phonons, above which it is doubted."""


def row(subject: Subject, result: Result | None, potential: str) -> dict[str, Any]:
    """Return the columns of a crystal; without a result it is pending.

    `factor` is the calculated conductivity divided by the predicted one, `label_factor` by the label.
    """
    known = _known(subject, potential, COLUMNS)
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
        "long_lived_share": result.long_lived_share, "min_frequency_THz": result.min_frequency_THz,
        **_factors(kappa, subject),
        "n_supercell": result.details.get("supercell", {}).get("n_atoms"),
        "n_displaced": result.details.get("displacements", {}).get("n_supercells"),
        "n_fc2_supercell": result.details.get("fc2_supercell", {}).get("n_atoms"),
        "seconds": result.seconds, "cpu_seconds": result.cpu_seconds, "reason": result.reason,
        "notes": "; ".join(result.notes),
    }  # fmt: skip
    return known


def quick_columns(temperatures: Sequence[float]) -> tuple[str, ...]:
    """Columns of quick looks, those of temperatures other than 300 K last."""
    return (*QUICK_COLUMNS, *(name for t in temperatures if t != ROOM for name in temperature_columns(t)))


def quick_row(subject: Subject, result: Result | None, potential: str) -> dict[str, Any]:
    """Return the columns of a quick look; without a result it is pending.

    `factor` and `label_factor` are those of `kappa_W_mK`, as in `row`.
    """
    known = _known(subject, potential, QUICK_COLUMNS)
    if subject.expected is not None:
        known["applicability"] = subject.expected.applicability
    if result is None:
        return known
    calls = result.details.get("calls", {})
    known |= {
        "space_group": result.space_group, "n_primitive": result.n_primitive, "status": result.status,
        "verdict": verdict(result, subject), "kappa_W_mK": result.kappa_W_mK,
        "kappa_coherence_W_mK": result.kappa_coherence_W_mK, "min_frequency_THz": result.min_frequency_THz,
        **_factors(result.kappa_W_mK, subject), "n_calls": calls.get("n"), "seconds": result.seconds,
        "cpu_seconds": result.cpu_seconds, "first_call_seconds": calls.get("first_seconds"),
        "load_seconds": result.details.get("load_seconds"), "reason": result.reason, "notes": "; ".join(result.notes),
    }  # fmt: skip
    look = result.details.get("quick")
    if look is None:
        return known
    properties, supercell, sound = look["properties"], look["supercell"], look.get("sound", {})
    known |= {
        "mean_frequency_THz": properties["mean_frequency"],
        "transport_integral_W_mK_s": properties["transport_integral"],
        "heat_capacity_kB": properties["heat_capacity_kB"],
        "volume_A3": properties["volume_atom"] * properties["n_primitive"],
        "n_supercell": supercell["n_atoms"], "supercell_length_A": supercell["length"],
        "n_displaced": supercell["n_displacements"],
        "kappa_slack_W_mK": sound.get("kappa_slack"), "kappa_min_cahill_W_mK": sound.get("kappa_min_cahill"),
        "kappa_min_diffuson_W_mK": sound.get("kappa_min_diffuson"),
        "debye_temperature_K": sound.get("debye_temperature"), "gruneisen": sound.get("gruneisen"),
        "velocity_long_m_s": sound.get("velocity_long"), "velocity_trans_m_s": sound.get("velocity_trans"),
        "bulk_modulus_GPa": sound.get("bulk_modulus"), "shear_modulus_GPa": sound.get("shear_modulus"),
    }  # fmt: skip
    if result.kappa_W_mK is None:
        return known
    for at in look["temperatures"]:
        bounds = (at["kappa"], at["low"], at["high"])
        if at["temperature"] == ROOM:
            known |= zip(("kappa_W_mK", "kappa_low_W_mK", "kappa_high_W_mK"), bounds, strict=True)
            known |= zip(("kappa_xx", "kappa_yy", "kappa_zz"), at["tensor"][:3], strict=True)
        else:
            known |= zip(temperature_columns(at["temperature"]), bounds, strict=True)
    return known


def _known(subject: Subject, potential: str, columns: Sequence[str]) -> dict[str, Any]:
    """Return a row of what is known before anything is calculated."""
    item, predicted = subject.item, subject.predicted
    return dict.fromkeys(columns) | {
        "id": item.id, "source": item.source, "formula": item.formula, "potential": potential, "status": "pending",
        "predicted_W_mK": predicted.kappa, "predicted_low_W_mK": predicted.low, "predicted_high_W_mK": predicted.high,
        "label_W_mK": subject.label,
    }  # fmt: skip


def _factors(kappa: float | None, subject: Subject) -> dict[str, float | None]:
    """Return the conductivity divided by the predicted one and by the label."""
    beside = {"factor": subject.predicted.kappa, "label_factor": subject.label}
    return {name: kappa / known if kappa is not None and known else None for name, known in beside.items()}


def doubtful(mesh_change: float | None, long_lived_share: float | None) -> bool:
    """Whether more than half of a conductivity depends on the mesh, or on phonons that hardly anything scatters."""
    return max(mesh_change or 0.0, long_lived_share or 0.0) > DOUBT


def verdict(result: Result, subject: Subject) -> str:
    """Say what the calculation makes of the prediction.

    ``agrees``: within the predicted interval; ``lower`` or ``higher`` than it; ``doubtful``: a conductivity that more
    than half depends on the mesh, or on modes weakly scattered by three-phonon processes; ``unstable``: imaginary
    modes; ``failed``; ``no prediction``.
    """
    predicted, kappa = subject.predicted, result.kappa_W_mK
    if result.status == "unstable":
        return "unstable"
    if kappa is None:
        return "failed"
    if doubtful(result.mesh_change, result.long_lived_share):
        return "doubtful"
    if predicted.low is None or predicted.high is None:
        return "no prediction"
    return "lower" if kappa < predicted.low else "higher" if kappa > predicted.high else "agrees"


def is_quick(path: Path) -> bool | None:
    """Whether a table is one of quick looks; None where it is empty.

    Raises
    ------
    ValueError
        If it is not a table of ours, or of an earlier version's quick looks.
    """
    with path.open(encoding="utf-8", errors="replace", newline="") as file:
        header = next(csv.reader(file), [])
    if "kappa_slack_W_mK" in header and "kappa_low_W_mK" not in header:
        raise ValueError(f"{path}: quick looks of an earlier version; choose another folder with -o")
    if header and not {"id", "status", "verdict"} <= {*header}:
        raise ValueError(f"{path}: not a table of `paraisite verify`; choose another folder with -o")
    return "kappa_slack_W_mK" in header if header else None


def read_summary(path: Path) -> list[dict[str, str]]:
    """Read the rows of a table, as far as they are whole."""
    with path.open(encoding="utf-8", errors="replace", newline="") as file:
        return [row for row in read_rows(file) if row.get("id") and row.get("status")]


def write_summary(rows: Sequence[Mapping[str, Any]], path: Path, columns: Sequence[str] = COLUMNS) -> None:
    """Write the table as CSV, numbers with six digits."""
    values = ([each.get(column) for column in columns] for each in rows)
    write_csv(path, columns, ([f"{v:.{DIGITS}g}" if isinstance(v, float) else v for v in row] for row in values))
