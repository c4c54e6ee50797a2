"""`paraisite.client` against a real service."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from ase.build import bulk
from pymatgen.core import Lattice, Structure
from services import Running, serving

from paraisite.client import Client, ServiceError
from paraisite.web import examples


@pytest.fixture(scope="session")
def client(service: Running) -> Client:
    return Client(service.url + "/")


def test_files(client: Client, tmp_path: Path, cif: bytes) -> None:
    (tmp_path / "a.cif").write_bytes(cif)
    (tmp_path / "b.cif").write_bytes(b"junk")
    rows = client.predict([tmp_path / "a.cif", str(tmp_path / "b.cif")], level=0.8, temperatures=[300, 600])
    assert [(row["source"], row["status"]) for row in rows] == [("a.cif", "ok"), ("b.cif", "rejected")]
    assert rows[0]["kappa_600K_W_mK"] < rows[0]["kappa_300K_W_mK"]
    assert client.predict(tmp_path / "a.cif")[0]["id"] == "a"


def test_structures(client: Client) -> None:
    silicon = Structure.from_spacegroup("Fd-3m", Lattice.cubic(5.43), ["Si"], [[0, 0, 0]])
    given = [
        silicon,
        bulk("MgO", "rocksalt", a=4.2),
        silicon.as_dict(),
        examples.CIF,
        examples.POSCAR,
        examples.OPTIMADE,
    ]
    rows = client.predict(structures=given)
    assert [row["formula"] for row in rows] == ["Si", "MgO", "Si", "Si", "NaCl", "GaAs"]
    assert rows[0]["kappa_W_mK"] == pytest.approx(rows[2]["kappa_W_mK"])


def test_rows_come_as_they_are_computed(client: Client) -> None:
    rows = client.stream(structures=[examples.CIF] * 100)
    assert isinstance(rows, Iterator)
    assert next(rows)["status"] == "ok"
    assert len(list(rows)) == 99


def test_what_the_service_knows(client: Client) -> None:
    assert client.health()["status"] == "ok"
    assert client.limits()["workers"] == 2
    assert "kappa" in [model["name"] for model in client.models()]
    assert client.model("kappa")["served"]
    assert [column["name"] for column in client.columns(tensor="true")][-1] == "kappa_zz_W_mK"


def test_errors(client: Client, tmp_path: Path) -> None:
    with pytest.raises(ServiceError, match="nope") as error:
        client.predict(structures=[examples.CIF], properties=["nope"])
    assert (error.value.status, error.value.code) == (422, "wrong-option")
    with pytest.raises(ServiceError) as error:
        client.model("../health")
    assert error.value.status == 404
    with pytest.raises(ServiceError, match="paraisite serve"):
        Client("http://127.0.0.1:9", timeout=5).health()
    with pytest.raises(TypeError, match="int"):
        client.predict(structures=[3])
    with pytest.raises(ValueError, match="files or structures"):
        client.predict()
    with pytest.raises(FileNotFoundError):
        client.predict([tmp_path / "none.cif"])


def test_a_limit_met_in_the_middle_is_an_error_and_a_token_is_sent() -> None:
    with serving("--workers", 1, "--max-crystals", 10, env={"PARAISITE_TOKEN": "κ"}) as running:
        with pytest.raises(ServiceError) as error:
            Client(running.url).limits()
        assert error.value.status == 401
        rows = Client(running.url, token="κ").stream(structures=[examples.CIF] * 20)
        assert next(rows)["status"] == "ok"
        with pytest.raises(ServiceError) as error:
            list(rows)
        assert error.value.code == "too-many"
