"""Relaxation before a prediction, by ASE's EMT: seven metals, at once."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from ase.build import bulk, fcc111
from ase.calculators.emt import EMT
from scipy.optimize import minimize_scalar

from paraisite.crystals import Crystal, Rejection
from paraisite.potentials import PotentialError
from paraisite.potentials.pool import RelaxingPool
from paraisite.potentials.relaxing import RelaxedCrystal, Relaxer, RelaxSettings

METALS = RelaxSettings(potential="ase.calculators.emt:EMT")


def copper(a: float = 3.8, *, cubic: bool = False) -> Crystal:
    return replace(Crystal.from_ase(bulk("Cu", a=a, cubic=cubic)), id=f"Cu-{a}", source="here")


def salt() -> Crystal:
    return Crystal.from_ase(bulk("NaCl", "rocksalt", a=5.64), id="salt")


def best() -> float:
    """Lattice constant of the lowest energy, Å."""

    def energy(a: float) -> float:
        atoms = bulk("Cu", a=a)
        atoms.calc = EMT()
        return float(atoms.get_potential_energy())

    return float(minimize_scalar(energy, bounds=(3.4, 3.9), method="bounded").x)


@pytest.mark.parametrize("strain", [np.diag([1.05, 1.05, 1.05]), np.diag([1.0, 1.0, 0.95]), np.diag([0.95] * 3)])
def test_a_strained_metal_comes_back(strain: np.ndarray) -> None:
    start = copper(best())
    strained = replace(start, cell=start.cell @ strain, notes=("a note",))
    found = Relaxer(METALS)(strained)
    assert isinstance(found, RelaxedCrystal)
    assert (found.id, found.source, found.notes, found.n_sites) == (start.id, "here", ("a note",), 1)
    assert found.volume == pytest.approx(start.volume, rel=3e-3)
    assert found.volume_change == pytest.approx(found.volume / strained.volume - 1)
    lengths = np.linalg.norm(found.cell, axis=1)
    np.testing.assert_allclose(lengths, best() / np.sqrt(2), rtol=3e-3)


def test_the_cell_keeps_its_sites() -> None:
    one, four = (Relaxer(METALS)(copper(cubic=cubic)) for cubic in (False, True))
    assert (one.n_sites, four.n_sites) == (1, 4)
    assert isinstance(one, RelaxedCrystal)
    assert isinstance(four, RelaxedCrystal)
    assert one.volume_change == pytest.approx(four.volume_change, abs=2e-3)


@pytest.mark.parametrize(
    ("crystal", "changes", "said"),
    [
        (salt(), {}, "Na"),
        (copper(), {"max_relax_steps": 1}, "after 1 step"),
        (copper(), {"max_hours": 1e-7}, "--max-hours"),
    ],
)
def test_what_fails_is_rejected_with_the_reason(crystal: Crystal, changes: dict[str, float], said: str) -> None:
    found = Relaxer(replace(METALS, **changes))(crystal)  # type: ignore[arg-type]
    assert isinstance(found, Rejection)
    assert said in found.reason
    assert "--relax" in found.reason
    assert (found.id, found.formula, found.n_sites) == (crystal.id, crystal.formula, crystal.n_sites)


def test_a_slab_keeps_its_vacuum() -> None:
    slab = Crystal.from_ase(fcc111("Cu", (1, 1, 3), a=3.8, vacuum=8.0, periodic=True), vacuum=True)
    assert Relaxer(METALS)(slab) is slab


def test_a_rejection_passes() -> None:
    wrong = Rejection("x", "y", "no crystal")
    assert Relaxer(METALS)(wrong) is wrong


def test_a_potential_that_is_not_there() -> None:
    for make in (Relaxer, RelaxingPool):
        with pytest.raises(PotentialError, match="unknown potential"):
            make(RelaxSettings(potential="no-such-potential"))


@pytest.mark.slow
def test_processes_lose_no_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Order, rejections, a crystal that no process survives, and one that takes too long."""
    (tmp_path / "deadly_emt.py").write_text(
        "import os, time\n"
        "from ase.calculators.emt import EMT\n"
        "class Deadly(EMT):\n"
        "    def calculate(self, atoms=None, *args, **kwargs):\n"
        "        if 'Pt' in atoms.symbols:\n"
        "            os._exit(7)\n"
        "        while 'Au' in atoms.symbols:\n"
        "            time.sleep(0.01)\n"
        "        super().calculate(atoms, *args, **kwargs)\n"
    )
    monkeypatch.chdir(tmp_path)
    others = [Crystal.from_ase(bulk(name), id=name) for name in ("Al", "Pt", "Ag", "Au", "Ni", "Pd")]
    items = [copper(), *others, Rejection("x", "y", "no crystal"), salt(), copper(3.5)]
    settings = RelaxSettings(potential="deadly_emt:Deadly", max_hours=5 / 3600)
    with closing(RelaxingPool(settings, workers=2)) as pool:
        found = list(pool.relaxed(iter(items)))
        again = list(pool.relaxed(items[:2]))  # what is left of the team works on
    assert [f.id for f in found] == [item.id for item in items]
    reasons = {f.id: f.reason for f in found if isinstance(f, Rejection)}
    assert set(reasons) == {"Pt", "Au", "x", "salt"}
    assert "exit status 7" in reasons["Pt"]
    assert "--max-hours" in reasons["Au"]
    for one, other in zip(again, found, strict=False):
        assert isinstance(one, RelaxedCrystal)
        assert isinstance(other, RelaxedCrystal)
        assert np.array_equal(one.cell, other.cell)
