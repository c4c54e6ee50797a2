"""Whatever Python code holds becomes a crystal, or a rejection, one row for each."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from ase.build import bulk
from pymatgen.core import Lattice, Structure

from paraisite.crystals.crystal import Crystal
from paraisite.crystals.objects import crystals_of, is_one
from paraisite.crystals.rejection import Rejection


def salt(**properties: str) -> Structure:
    made = Structure.from_spacegroup("Fm-3m", Lattice.cubic(5.64), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    made.properties.update(properties)
    return made


def adapter() -> Any:
    optimade = pytest.importorskip("optimade.adapters.structures")
    lattice = salt().lattice.matrix.tolist()
    attributes = {
        **{"elements": ["Cl", "Na"], "nelements": 2, "elements_ratios": [0.5, 0.5], "nperiodic_dimensions": 3},
        **{"chemical_formula_descriptive": "NaCl", "chemical_formula_reduced": "ClNa"},
        **{"chemical_formula_anonymous": "AB", "dimension_types": [1, 1, 1], "lattice_vectors": lattice},
        **{"cartesian_site_positions": salt().cart_coords.tolist(), "nsites": 8, "structure_features": []},
        "species": [{"name": s, "chemical_symbols": [s], "concentration": [1.0]} for s in ("Na", "Cl")],
        **{"species_at_sites": [str(site.specie) for site in salt()], "last_modified": "2026-01-01T00:00:00Z"},
    }
    return optimade.Structure({"id": "o-1", "type": "structures", "attributes": attributes})


def jarvis() -> Any:
    """Attributes of `jarvis.core.atoms.Atoms` that tell it; jarvis-tools is no dependency of ours."""
    one = salt()
    form = {"lattice_mat": one.lattice.matrix.tolist(), "coords": one.frac_coords.tolist(), "cartesian": False}
    form["elements"] = [str(site.specie) for site in one]
    return SimpleNamespace(lattice_mat=form["lattice_mat"], to_dict=lambda: form)


def atoms() -> Any:
    found = salt().to_ase_atoms()
    found.info["material_id"] = "a-1"
    return found


OBJECTS: dict[str, tuple[Callable[[], Any], str]] = {
    "pymatgen": (lambda: salt(material_id="mp-1"), "mp-1"),
    "pymatgen without an id": (salt, ""),
    "ase": (atoms, "a-1"),
    "jarvis": (jarvis, ""),
    "optimade": (adapter, "o-1"),
    "optimade resource": (lambda: adapter().entry, "o-1"),
    "optimade dict": (lambda: adapter().entry.model_dump(mode="json"), "o-1"),
    "pymatgen dict": (lambda: salt(material_id="mp-1").as_dict(), "mp-1"),
    "ase dict": (lambda: salt().to_ase_atoms().todict(), ""),
    "record": (lambda: {"material_id": "r-1", "structure": salt().as_dict()}, "r-1"),
    "record with an object": (lambda: {"material_id": "r-1", "structure": salt()}, "r-1"),
    "document": (lambda: SimpleNamespace(material_id="d-1", structure=salt()), "d-1"),
    "crystal": (lambda: Crystal.from_pymatgen(salt(), id="c"), "c"),
}


@pytest.mark.parametrize("name", OBJECTS)
def test_a_structure_of_any_library(name: str) -> None:
    make, id_ = OBJECTS[name]
    value = make()
    assert is_one(value)
    (crystal,) = crystals_of(value)
    assert isinstance(crystal, Crystal), crystal
    assert (crystal.formula, crystal.n_sites, crystal.id) == ("NaCl", 8, id_)
    np.testing.assert_allclose(crystal.volume, 5.64**3, rtol=1e-6)
    (named,) = crystals_of([value], ["mine"])
    assert named.id == "mine"


class Hostile:
    @property
    def structure(self) -> Structure:
        raise RuntimeError("no")


@pytest.mark.parametrize("junk", [None, 42, b"bytes", [], {}, {"a": 1}, object(), np.eye(3), "no/such.cif", Hostile()])
def test_junk_costs_its_own_row(junk: Any) -> None:
    first, rejected, last = crystals_of([salt(), junk, bulk("Si")], ["a", "b", "c"])
    assert isinstance(rejected, Rejection)
    assert rejected.reason
    assert [first.id, rejected.id, last.id] == ["a", "b", "c"]


def test_a_path_of_several_structures_has_several_rows(tmp_path: Path) -> None:
    for symbol in ("Si", "Ge"):
        bulk(symbol).write(tmp_path / f"{symbol}.cif")
    assert [c.id for c in crystals_of([tmp_path, tmp_path / "Si.cif"])] == ["Ge", "Si", "Si"]
    assert [c.id for c in crystals_of([str(tmp_path), tmp_path / "Si.cif"], ["x", "y"])] == ["x-0", "x-1", "y"]


def test_ids_belong_to_inputs_one_to_one() -> None:
    with pytest.raises(ValueError, match="zip"):
        list(crystals_of([salt(), salt()], ["one"]))


def test_disorder_and_vacuum() -> None:
    mixed = Structure(Lattice.cubic(3.6), [{"Fe": 0.6, "Ni": 0.4}], [[0, 0, 0]])
    (rejected,) = crystals_of(mixed)
    (taken,) = crystals_of(mixed, disorder="majority")
    assert isinstance(rejected, Rejection)
    assert isinstance(taken, Crystal)
    assert taken.formula == "Fe"
