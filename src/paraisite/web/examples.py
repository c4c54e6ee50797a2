"""Examples of requests and answers, for the description of the API."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import Any

from paraisite.prediction.prediction import Prediction

_FOLDER = files("paraisite") / "examples" / "crystals"

CIF = (_FOLDER / "Si.cif").read_text(encoding="utf-8")

POSCAR = "NaCl\n5.6\n0 .5 .5\n.5 0 .5\n.5 .5 0\nNa Cl\n1 1\nDirect\n0 0 0\n.5 .5 .5\n"

PYMATGEN = {
    "@module": "pymatgen.core.structure",
    "@class": "Structure",
    "lattice": {"matrix": [[0, 2.715, 2.715], [2.715, 0, 2.715], [2.715, 2.715, 0]]},
    "sites": [
        {"species": [{"element": "Si", "occu": 1}], "abc": [0, 0, 0]},
        {"species": [{"element": "Si", "occu": 1}], "abc": [0.25, 0.25, 0.25]},
    ],
}

ASE = {
    "numbers": [12, 8],
    "positions": [[0, 0, 0], [2.1, 2.1, 2.1]],
    "cell": [[0, 2.1, 2.1], [2.1, 0, 2.1], [2.1, 2.1, 0]],
    "pbc": [True, True, True],
}

OPTIMADE = {
    "id": "example",
    "attributes": {
        "lattice_vectors": [[0, 2.83, 2.83], [2.83, 0, 2.83], [2.83, 2.83, 0]],
        "cartesian_site_positions": [[0, 0, 0], [1.415, 1.415, 1.415]],
        "species_at_sites": ["Ga", "As"],
        "species": [
            {"name": "Ga", "chemical_symbols": ["Ga"], "concentration": [1.0]},
            {"name": "As", "chemical_symbols": ["As"], "concentration": [1.0]},
        ],
    },
}

DOCUMENTS: dict[str, Any] = {
    "texts": {"structures": [CIF, {"name": "NaCl.vasp", "text": POSCAR}]},
    "pymatgen": {"structures": [PYMATGEN]},
    "ase": {"structures": [ASE]},
    "optimade": {"structures": [OPTIMADE]},
    "bare": PYMATGEN,
}
"""Bodies of JSON, by what they show."""

BODY: dict[str, Any] = {
    "required": True,
    "content": {
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "required": ["file"],
                "properties": {"file": {"type": "array", "items": {"type": "string", "format": "binary"}}},
            }
        },
        "application/json": {
            "schema": {
                "description": (
                    "Structures as pymatgen, ASE, JARVIS or OPTIMADE write them, records that hold one, texts of any "
                    "format, or objects with a name and a text."
                ),
                "type": "object",
                "required": ["structures"],
                "properties": {"structures": {"type": "array", "items": {"type": ["object", "string"]}}},
            },
            "examples": {name: {"value": document} for name, document in DOCUMENTS.items()},
        },
        "text/plain": {"schema": {"type": "string"}, "example": CIF},
        "application/octet-stream": {"schema": {"type": "string", "format": "binary"}},
    },
}
"""Bodies of a request for predictions."""

ROW: dict[str, Any] = Prediction(
    id="Si",
    source="Si.cif",
    formula="Si",
    n_sites=2,
    n_elements=1,
    status="rejected",
    reason="the file is empty; write it again",
).row()
"""A row that shows the columns; a rejected one, for a number would be made up."""


@cache
def crystals() -> list[dict[str, str]]:
    """The example crystals: name of the file, and text."""
    found = sorted(_FOLDER.iterdir(), key=lambda path: path.name)
    return [{"name": path.name, "text": path.read_text(encoding="utf-8")} for path in found]
