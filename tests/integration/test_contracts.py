"""Everything registered keeps the contract of its kind; a new thing without a class here fails the last test."""

from __future__ import annotations

import io
import json
import tarfile
import zipfile
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from ase.build import bulk
from contracts import (
    ROCKSALT,
    ZINCBLENDE,
    EncoderContract,
    EngineContract,
    FormatContract,
    PotentialContract,
    shaken,
)

from paraisite.crystals import Crystal
from paraisite.crystals.formats import FORMATS
from paraisite.model.encoders import ENCODERS
from paraisite.model.known_encoders import register  # noqa: F401 (the encoders of the package)
from paraisite.potentials import names
from paraisite.screening.engines import ENGINES

BOTH = [ROCKSALT, ZINCBLENDE]


class TestMEGNet(EncoderContract):
    name = "megnet"


class TestEMT(PotentialContract):
    """A potential named by module and factory, as a user names one."""

    name = "ase.calculators.emt:EMT"
    crystal = shaken(Crystal.from_ase(bulk("Cu", "fcc", 3.7, cubic=True)))


class TestLennardJones(PotentialContract):
    name = "ase.calculators.lj:LennardJones"
    crystal = shaken(Crystal.from_ase(bulk("Ar", "fcc", 5.2, cubic=True)))

    @pytest.fixture
    def calculator(self) -> Any:
        from ase.calculators.lj import LennardJones

        return LennardJones(sigma=3.4, epsilon=0.0104, rc=8.0, ro=6.0, smooth=True)


@cache
def _loaded(name: str) -> Any:
    from paraisite.potentials import load

    return load(name)


@pytest.mark.slow
class RegisteredPotential(PotentialContract):
    rtol = 5e-3  # single precision
    step = 1e-2

    @pytest.fixture
    def calculator(self) -> Any:
        from paraisite.model.registry import ModelError
        from paraisite.potentials import PotentialError

        try:
            return _loaded(self.name)
        except (PotentialError, ModelError) as error:
            pytest.skip(f"{self.name}: {error}")


REGISTERED = {name: type(f"Test_{name}", (RegisteredPotential,), {"name": name}) for name in names()}
globals().update({cls.__name__: cls for cls in REGISTERED.values()})


def file(path: Path, crystals: list[Crystal], **options: Any) -> tuple[Path, list[Crystal]]:
    from ase.io import write

    write(path, [crystal.to_ase() for crystal in crystals], **options)
    return path, crystals


def cif(crystal: Crystal) -> bytes:
    written = io.BytesIO()
    crystal.to_ase().write(written, format="cif")
    return written.getvalue()


class TestCIF(FormatContract):
    name = "cif"

    def write(self, folder: Path) -> Mapping[Path, list[Crystal]]:
        for name in ("one.cif", "one.mcif"):
            (folder / name).write_bytes(cif(ROCKSALT))
        return {folder / "one.cif": [ROCKSALT], folder / "one.mcif": [ROCKSALT]}


class TestPOSCAR(FormatContract):
    name = "poscar"

    def write(self, folder: Path) -> Mapping[Path, list[Crystal]]:
        return dict(
            file(folder / name, [ROCKSALT], format="vasp") for name in ("a.poscar", "b.contcar", "c.vasp", "POSCAR-d")
        )


class TestXYZ(FormatContract):
    name = "xyz"

    def write(self, folder: Path) -> Mapping[Path, list[Crystal]]:
        return dict(file(folder / name, BOTH, format="extxyz") for name in ("a.xyz", "b.extxyz"))

    def damage(self, content: bytes) -> bytes:
        return content[: len(content) * 2 // 3]  # half of it would be the first of two frames


class TestJSON(FormatContract):
    name = "json"

    def write(self, folder: Path) -> Mapping[Path, list[Crystal]]:
        one, both = folder / "one.json", folder / "both.json"
        one.write_text(json.dumps(ROCKSALT.to_pymatgen().as_dict()))
        both.write_text(json.dumps([crystal.to_pymatgen().as_dict() for crystal in BOTH]))
        return {one: [ROCKSALT], both: BOTH}


class TestJSONLines(FormatContract):
    name = "jsonl"

    def write(self, folder: Path) -> Mapping[Path, list[Crystal]]:
        lines = "".join(json.dumps(crystal.to_pymatgen().as_dict()) + "\n" for crystal in BOTH)
        for name in ("a.jsonl", "b.ndjson"):
            (folder / name).write_text(lines)
        return {folder / "a.jsonl": BOTH, folder / "b.ndjson": BOTH}


class TestDatabase(FormatContract):
    name = "db"

    def write(self, folder: Path) -> Mapping[Path, list[Crystal]]:
        from ase.db import connect

        with connect(folder / "a.db") as rows:
            for crystal in BOTH:
                rows.write(crystal.to_ase())
        return {folder / "a.db": BOTH}


class TestZip(FormatContract):
    name = "zip"

    def write(self, folder: Path) -> Mapping[Path, list[Crystal]]:
        with zipfile.ZipFile(folder / "a.zip", "w") as archive:
            for i, crystal in enumerate(BOTH):
                archive.writestr(f"{i}.cif", cif(crystal))
        return {folder / "a.zip": BOTH}


class TestTar(FormatContract):
    name = "tar"

    def write(self, folder: Path) -> Mapping[Path, list[Crystal]]:
        made = {}
        for suffix in FORMATS["tar"].suffixes:
            packed = suffix.rpartition(".")[2].removeprefix("tar").replace("tgz", "gz")
            with tarfile.open(folder / f"a{suffix}", f"w:{packed}") as archive:
                for i, crystal in enumerate(BOTH):
                    member = tarfile.TarInfo(f"{i}.cif")
                    content = cif(crystal)
                    member.size = len(content)
                    archive.addfile(member, io.BytesIO(content))
            made[folder / f"a{suffix}"] = BOTH
        return made

    def damage(self, content: bytes) -> bytes:
        return content[: min(len(content) // 2, 700)]  # within the first member, before the zeros at the end


class TestProcesses(EngineContract):
    name = "processes"


@pytest.fixture(scope="module")
def ray_instance() -> Iterator[None]:
    ray = pytest.importorskip("ray", reason="the engine ray needs the extra [scale]")
    import deadly

    ray.init(
        num_cpus=2,
        object_store_memory=80 << 20,
        include_dashboard=False,
        logging_level="ERROR",
        log_to_driver=False,
    )
    ray.cloudpickle.register_pickle_by_value(deadly)  # workers cannot import the tests
    try:
        yield
    finally:
        ray.cloudpickle.unregister_pickle_by_value(deadly)
        ray.shutdown()


@pytest.mark.slow
@pytest.mark.usefixtures("ray_instance")
class TestRay(EngineContract):
    name = "ray"
    workers = (2,)


WITHOUT_CONTENT = {"gz"}
"""Formats that only say why they are not read."""


def test_everything_registered_has_a_contract() -> None:
    classes = [value for value in globals().values() if isinstance(value, type) and "name" in vars(value)]
    tested = {
        kind: {cls.name for cls in classes if issubclass(cls, kind)}
        for kind in (EncoderContract, PotentialContract, FormatContract, EngineContract)
    }
    assert tested[EncoderContract] == set(ENCODERS)
    assert tested[PotentialContract] >= set(names())
    assert tested[FormatContract] == set(FORMATS) - WITHOUT_CONTENT
    assert tested[EngineContract] == set(ENGINES)
