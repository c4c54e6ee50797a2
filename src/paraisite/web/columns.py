"""Columns of a prediction, as a program asks for them: name, type, unit and meaning."""

from __future__ import annotations

import inspect
import re
from collections.abc import Sequence
from typing import Any

from paraisite.prediction.prediction import COLUMNS, Prediction
from paraisite.prediction.write import arrow_schema
from paraisite.targets import TARGETS

CIF = "cif"
"""Column of the structure."""

_TYPES = {"string": "string", "int32": "integer", "bool": "boolean", "double": "number"}
"""Type of JSON for each of Arrow."""


def described(columns: Sequence[str]) -> list[dict[str, Any]]:
    """Return name, type, unit and meaning of columns of a prediction."""
    meanings = {target.column: target.description for target in TARGETS.values()} | _meanings()
    return [
        {
            "name": field.name,
            "type": _TYPES[str(field.type)],
            "unit": (field.metadata or {}).get(b"unit", b"").decode() or None,
            "meaning": meanings.get(field.name) or _further(field.name),
        }
        for field in arrow_schema(columns)
    ]


def row_schema() -> dict[str, Any]:
    """Return the JSON schema of a row; further columns are numbers, or the structure as text."""
    properties: dict[str, Any] = {}
    for column in described(COLUMNS):
        text = column["type"] == "string"
        unit = f" ({column['unit']})" if column["unit"] else ""
        properties[column["name"]] = {
            "type": "string" if text else [column["type"], "null"],
            "description": column["meaning"] + unit,
        }
    further = {"type": ["number", "string", "null"]}
    required = list(properties)
    return {"type": "object", "required": required, "properties": properties, "additionalProperties": further}


def _meanings() -> dict[str, str]:
    """Meaning of each field of `Prediction`, from its docstring."""
    found: dict[str, str] = {}
    names: Sequence[str] = ()
    for line in inspect.cleandoc(Prediction.__doc__ or "").splitlines():
        if match := re.fullmatch(r"([\w, ]+) : .*", line):
            names = match[1].split(", ")
            found |= dict.fromkeys(names, "")
        elif line.startswith("    "):
            for name in names:
                found[name] = f"{found[name]} {line.strip()}".strip()
    return found


def _further(name: str) -> str:
    """Meaning of a column of kappa at a temperature or along an axis, or of one that says nothing of itself."""
    if match := re.fullmatch(r"kappa_([\d.e+]+)K(_low|_high)?_W_mK", name):
        what = {"_low": "Lower bound of the interval of kappa", "_high": "Upper bound of the interval of kappa"}
        return f"{what.get(match[2], 'Kappa')} at {match[1]} K"
    if match := re.fullmatch(r"kappa_([xyz]{2})_W_mK", name):
        return f"Element {match[1]} of the tensor of kappa at 300 K, in the standard setting of the crystal"
    if match := re.fullmatch(r"chart_([xy])", name):
        return f"Place of the crystal on the chart of known compounds (`/known`), along {match[1]}"
    if name == CIF:
        return "The structure as CIF, as it was read; empty where nothing was"
    return name.replace("_", " ")
