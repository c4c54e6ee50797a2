from __future__ import annotations

import pytest
from pydantic import ValidationError

from paraisite.datasets import DatasetCard, registry
from paraisite.datasets.harmonic import COLUMNS
from paraisite.datasets.registry import Upstream, find
from paraisite.datasets.table import PER_CELL
from paraisite.targets import unit as unit_of


def test_every_named_data_set_has_its_papers() -> None:
    assert {name: card.rows for name, card in registry().items()} == {
        "l96": 95,
        "hh143": 143,
        "mix": 238,
        "aflow_agl": 5578,
        "mp_stable": 2228,
        "matcalc_elasticity": 3953,
        "matcalc_heat_capacity": 1170,
        "crabnet_agl_split": 4887,
        "phonix": 4784,
        "phonondb_harmonic": 4786,
    }
    for name, card in registry().items():
        assert card.name == name
        assert card.licence
        assert card.citation
        assert card.upstream
        assert bool(card.parts) != bool(card.mirror and card.converter)
        assert bool(card.fidelity) == bool(card.units)
        for column in ("kappa", "target"):
            assert card.units.get(column, "W/m/K") == "W/m/K"
        # Pinned: every address names a commit, every single file that is fetched a checksum and a size.
        for upstream in card.upstream:
            assert any(len(part) == 40 for part in upstream.url.split("/"))
            assert (upstream.sha256 and upstream.bytes) or upstream.git_tree or card.by_hand


def test_parts_exist_and_add_up() -> None:
    for card in registry().values():
        if card.parts:
            assert sum(registry()[part].rows for part in card.parts) == card.rows


def test_units_of_targets_are_those_of_the_table_except_per_cell() -> None:
    units = registry()["aflow_agl"].units
    for column, unit in units.items():
        if column in PER_CELL:
            assert unit.endswith("/cell")
            assert unit_of(PER_CELL[column]) == unit.replace("/cell", "/atom")
        else:
            assert unit_of(column) == unit


def test_units_of_phonons() -> None:
    harmonic, phonix = registry()["phonondb_harmonic"], registry()["phonix"]
    assert {*map(COLUMNS.get, harmonic.units)} == {*COLUMNS.values()}
    assert all(unit_of(COLUMNS[column]) == unit for column, unit in harmonic.units.items())
    assert phonix.units == {target: unit_of(target) for target in phonix.units}
    assert set(phonix.units.values()) == {"W/m/K"}


@pytest.mark.parametrize(
    ("alias", "name"),
    [
        ("Dataset1", "l96"),
        ("dataset2", "hh143"),
        ("MIX", "mix"),
        ("AFLOW", "aflow_agl"),
        ("Aflow_AGL", "aflow_agl"),
        ("L96", "l96"),
    ],
)
def test_aliases(alias: str, name: str) -> None:
    card = find(alias)
    assert card is not None
    assert card.name == name


def test_unknown_name() -> None:
    assert find("l97") is None


def test_the_registry_refuses_what_it_does_not_know() -> None:
    card = registry()["l96"].model_dump()
    with pytest.raises(ValidationError, match="license"):
        DatasetCard(**card, license="MIT")
    with pytest.raises(ValidationError, match="sha256"):
        Upstream(url="https://example.org/x", sha256="abc")
