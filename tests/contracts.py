"""What every encoder, potential, file format and screening engine keeps: a test class for each kind, to be inherited.

A subclass says which one is tested; `tests/integration/test_contracts.py` has one for each that is registered.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from known_crystals import build, same_otherwise

from paraisite.crystals import Crystal, Rejection, read
from paraisite.crystals.read import count

ROCKSALT = build("Mg O", [(0, 0, 0), (0.5, 0.5, 0.5)], 225, 4.21)
ZINCBLENDE = build("Si C", [(0, 0, 0), (0.25, 0.25, 0.25)], 216, 4.36)


def shaken(crystal: Crystal, seed: int = 0) -> Crystal:
    """The crystal with every site moved by some hundredths of Å, so that no force is zero."""
    moves = np.random.default_rng(seed).normal(scale=0.03, size=crystal.positions.shape)
    return replace(crystal, positions=crystal.positions + moves @ np.linalg.inv(crystal.cell))


class EncoderContract:
    """Vectors of the right shape that depend on the crystal alone; the fast path gives those of the plain one."""

    name: ClassVar[str]
    crystals: ClassVar[tuple[Crystal, ...]] = (shaken(ROCKSALT), shaken(ZINCBLENDE, 1))

    @pytest.fixture
    def made(self) -> tuple[Any, Any]:
        import torch

        from paraisite.model.encoders import ENCODERS
        from paraisite.model.known_encoders import register  # noqa: F401 (the encoders of the package)

        torch.manual_seed(0)
        encoder = ENCODERS[self.name]
        return encoder, encoder.plain(2, encoder.config()).eval()

    def vectors(self, made: tuple[Any, Any], *crystals: Crystal, fast: bool = False) -> np.ndarray:
        import torch

        from paraisite.graphs import TOLERANCE
        from paraisite.graphs import build as graphs_of
        from paraisite.model.tensors import GraphTensors

        encoder, module = made
        cutoff = encoder.config().cutoff
        graphs, kept, _ = graphs_of(list(crystals), cutoff=cutoff, tolerance=TOLERANCE)
        assert len(kept) == len(crystals)
        with torch.inference_mode():
            found = encoder.fast(module, cutoff)(graphs) if fast else module(GraphTensors.from_batch(graphs))
        return np.asarray(found)

    def test_shape(self, made: tuple[Any, Any]) -> None:
        found = self.vectors(made, *self.crystals)
        assert found.shape == (2, len(self.crystals), made[0].config().vector_width)
        assert np.isfinite(found).all()
        assert not np.allclose(found[0], found[1])
        assert not np.allclose(found[:, 0], found[:, 1])

    def test_a_batch_is_its_crystals(self, made: tuple[Any, Any]) -> None:
        alone = [self.vectors(made, crystal) for crystal in self.crystals]
        np.testing.assert_allclose(self.vectors(made, *self.crystals), np.concatenate(alone, 1), rtol=1e-4, atol=1e-5)

    @pytest.mark.parametrize("seed", range(4))
    def test_any_description_of_the_crystal(self, made: tuple[Any, Any], seed: int) -> None:
        other = [same_otherwise(crystal, seed) for crystal in self.crystals]
        found, wanted = self.vectors(made, *other), self.vectors(made, *self.crystals)
        np.testing.assert_allclose(found, wanted, rtol=1e-3, atol=1e-4)

    def test_the_fast_path_is_the_same(self, made: tuple[Any, Any]) -> None:
        if made[0].fast is None:
            pytest.skip(f"{self.name} has no fast path")
        fast, plain = (self.vectors(made, *self.crystals, fast=fast) for fast in (True, False))
        np.testing.assert_allclose(fast, plain, rtol=1e-3, atol=1e-4)

    def test_the_configuration(self, made: tuple[Any, Any]) -> None:
        from paraisite.model.encoders import encoder_of
        from paraisite.model.model import ModelConfig

        config = made[0].config()
        assert encoder_of(config) is made[0]
        assert not list(config.impossible())
        whole = ModelConfig(encoder=config)
        assert ModelConfig.model_validate_json(whole.model_dump_json()) == whole


class PotentialContract:
    """Energy in eV, forces in eV/Å and stress in eV/Å³ belong together and depend on the crystal alone."""

    name: ClassVar[str]
    crystal: ClassVar[Crystal] = shaken(ROCKSALT)
    rtol: ClassVar[float] = 1e-4
    """Of what the potential's number format leaves of finite differences."""
    step: ClassVar[float] = 1e-3
    """Of finite differences, in Å, and as a strain."""

    @pytest.fixture
    def calculator(self) -> Any:
        from paraisite.potentials import load

        return load(self.name)

    def atoms(self, calculator: Any, crystal: Crystal | None = None) -> Any:
        atoms = (crystal or self.crystal).to_ase()
        atoms.calc = calculator
        return atoms

    def test_forces_are_the_slope_of_the_energy(self, calculator: Any) -> None:
        atoms = self.atoms(calculator)
        forces, places = atoms.get_forces().copy(), atoms.positions.copy()
        assert forces.shape == (len(atoms), 3)
        largest = np.abs(forces).max()
        assert 1e-3 < largest < 50
        assert np.abs(forces.sum(axis=0)).max() < self.rtol * largest * len(atoms)
        direction = np.random.default_rng(0).normal(size=places.shape)
        energies = []
        for sign in (1, -1):
            atoms.positions = places + sign * self.step * direction
            energies.append(atoms.get_potential_energy())
        slope = (energies[0] - energies[1]) / (2 * self.step)
        scale = largest * np.abs(direction).sum()
        assert slope == pytest.approx(-(forces * direction).sum(), abs=self.rtol * scale)

    def test_stress_is_the_slope_of_the_energy(self, calculator: Any) -> None:
        atoms = self.atoms(calculator)
        stress, cell = atoms.get_stress(voigt=False).copy(), atoms.cell.array.copy()
        scale = max(float(np.abs(stress).max()), 1e-3)
        for i, j in ((0, 0), (1, 2)):
            energies = []
            for sign in (1, -1):
                strain = np.eye(3)
                strain[i, j] += sign * self.step / 2
                strain[j, i] += sign * self.step / 2
                atoms.set_cell(cell @ strain, scale_atoms=True)
                energies.append(atoms.get_potential_energy())
            slope = (energies[0] - energies[1]) / (2 * self.step) / abs(np.linalg.det(cell))
            assert slope == pytest.approx(stress[i, j], abs=10 * self.rtol * scale), (i, j)

    @pytest.mark.parametrize("seed", range(3))
    def test_any_description_of_the_crystal(self, calculator: Any, seed: int) -> None:
        one, other = (self.atoms(calculator, c) for c in (self.crystal, same_otherwise(self.crystal, seed)))
        times = len(other) // len(one)
        energy = one.get_potential_energy()
        assert other.get_potential_energy() == pytest.approx(times * energy, rel=self.rtol)
        sizes = [np.sort(np.linalg.norm(atoms.get_forces(), axis=1)) for atoms in (one, other)]
        np.testing.assert_allclose(sizes[1], np.repeat(sizes[0], times), atol=self.rtol * sizes[0].max())
        pressures = [np.trace(atoms.get_stress(voigt=False)) for atoms in (one, other)]
        assert pressures[1] == pytest.approx(pressures[0], rel=10 * self.rtol, abs=self.rtol)


class FormatContract:
    """As many items come out as go in, each with an id of its own; what is broken is rejected with its place."""

    name: ClassVar[str]

    def write(self, folder: Path) -> Mapping[Path, list[Crystal]]:
        """Write files of the format and say which crystals each holds, in order."""
        raise NotImplementedError

    def damage(self, content: bytes) -> bytes:
        """Make a good file a bad one; its last item must be the bad one."""
        return content[: len(content) // 2]

    @pytest.fixture
    def written(self, tmp_path: Path) -> Mapping[Path, list[Crystal]]:
        return self.write(tmp_path)

    def test_every_suffix_is_written(self, written: Mapping[Path, list[Crystal]]) -> None:
        from paraisite.crystals.formats import FORMATS

        for suffix in FORMATS[self.name].suffixes:
            assert any(path.name.endswith(suffix) for path in written), suffix

    def test_what_goes_in_comes_out(self, written: Mapping[Path, list[Crystal]]) -> None:
        for path, crystals in written.items():
            items = list(read([path]))
            assert [type(item) for item in items] == [Crystal] * len(crystals), items
            ids = [item.id for item in items]
            assert all(ids)
            assert len(set(ids)) == len(ids)
            for item, crystal in zip(items, crystals, strict=True):
                assert path.name in item.source
                assert item.formula == crystal.formula
                assert len(item.numbers) == len(crystal.numbers)
                assert abs(np.linalg.det(item.cell)) == pytest.approx(abs(np.linalg.det(crystal.cell)), rel=1e-4)
                assert item.to_ase().get_all_distances(mic=True).sum() == pytest.approx(
                    crystal.to_ase().get_all_distances(mic=True).sum(), rel=1e-3
                )

    def test_they_are_counted(self, written: Mapping[Path, list[Crystal]]) -> None:
        for path, crystals in written.items():
            assert count([path]) in (None, len(crystals))
        assert len(list(read(written))) == sum(map(len, written.values()))

    def test_what_is_broken_is_rejected(self, written: Mapping[Path, list[Crystal]]) -> None:
        for path in written:
            path.write_bytes(self.damage(path.read_bytes()))
            items = list(read([path]))
            assert items
            assert isinstance(items[-1], Rejection)
            assert items[-1].id
            assert path.name in items[-1].source
            assert items[-1].reason

    def test_an_empty_file_is_one_rejection(self, written: Mapping[Path, list[Crystal]]) -> None:
        for path in written:
            path.write_bytes(b"")
            (item,) = read([path])
            assert isinstance(item, Rejection)


class EngineContract:
    """The rows of this process, whatever the number of workers; a crystal that kills costs its own row."""

    name: ClassVar[str]
    address: ClassVar[str | None] = None
    workers: ClassVar[tuple[int, ...]] = (1, 2)

    def rows(
        self, work: Any, folder: Path, workers: int | None = 1, engine: str = ""
    ) -> dict[int, list[dict[str, Any]]]:
        import pyarrow as pa
        from pyarrow import parquet

        from paraisite.screening.engines import ENGINES
        from paraisite.screening.part import cut
        from paraisite.screening.raw import File

        raw = [File(str(path)) for path in sorted(folder.glob("*.cif"))]
        found: dict[int, list[dict[str, Any]]] = {}
        for part, content in ENGINES[engine or self.name](self.address)(work, cut(raw, 3), workers=workers):
            assert part.index not in found
            found[part.index] = parquet.read_table(pa.BufferReader(content)).to_pylist()
        return found

    def test_the_rows_of_this_process(self, tiny_dataset: Path) -> None:
        from paraisite.screening.packing import Packing

        here = self.rows(Packing(), tiny_dataset, 0, "processes")
        assert len(here) == 12
        for workers in self.workers:
            assert self.rows(Packing(), tiny_dataset, workers) == here

    def test_a_crystal_that_kills_costs_its_own_row(self, tiny_dataset: Path, tmp_path: Path) -> None:
        from deadly import Deadly

        for i, path in enumerate(sorted(tiny_dataset.glob("*.cif"))[:4]):
            shutil.copy(path, tmp_path / (f"{i}-deadly.cif" if i == 1 else f"{i}.cif"))
        found = [row for _, rows in sorted(self.rows(Deadly(), tmp_path).items()) for row in rows]
        assert [row["id"] for row in found] == ["0", "1-deadly", "2", "3"]
        assert [bool(row["reason"]) for row in found] == [False, True, False, False]

    def test_work_that_cannot_be_done(self, tiny_dataset: Path) -> None:
        from paraisite.screening.engines import WorkError
        from paraisite.screening.predicting import Screening

        with pytest.raises(WorkError, match="no-such-model"):
            self.rows(Screening("no-such-model"), tiny_dataset)
