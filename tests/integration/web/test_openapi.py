"""The OpenAPI document: examples that work, and requests made from it, none of which is an error of the server."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import requests
from services import Running

from paraisite.prediction.options import Options


@pytest.fixture(scope="module")
def document(service: Running) -> dict[str, Any]:
    found: dict[str, Any] = requests.get(f"{service.api}/openapi.json", timeout=30).json()
    return found


def test_examples_are_answered(service: Running, document: dict[str, Any]) -> None:
    content = document["paths"]["/api/v1/predict"]["post"]["requestBody"]["content"]
    for example in content["application/json"]["examples"].values():
        rows = requests.post(f"{service.api}/predict", json=example["value"], timeout=60).json()
        assert all(row["status"] != "rejected" for row in rows)
    kind = {"Content-Type": "text/plain"}
    text = content["text/plain"]["example"]
    assert requests.post(f"{service.api}/predict", data=text, headers=kind, timeout=60).json()[0]["status"] == "ok"


def test_columns_are_those_of_a_row(service: Running, document: dict[str, Any]) -> None:
    columns = requests.get(f"{service.api}/columns", timeout=10).json()
    assert tuple(column["name"] for column in columns) == Options().columns
    assert all(column["meaning"] for column in columns)
    content = document["paths"]["/api/v1/predict"]["post"]["responses"]["200"]["content"]
    assert list(content["application/json"]["schema"]["items"]["properties"]) == list(Options().columns)
    query = {"temperatures": [300, 600], "tensor": True, "properties": ["bulk_modulus_vrh"]}
    asked = Options(temperatures=(300.0, 600.0), tensor=True, properties=("bulk_modulus_vrh",))
    columns = requests.get(f"{service.api}/columns", params=query, timeout=10).json()
    assert tuple(column["name"] for column in columns) == asked.columns


def test_models(service: Running) -> None:
    models = requests.get(f"{service.api}/models", timeout=10).json()
    assert [model["name"] for model in models if model["served"]] == ["kappa"]
    card = requests.get(f"{service.api}/models/kappa", timeout=10).json()["card"]
    assert "debye_temperature" in card["properties"]
    assert {"Si", "O"} <= set(card["elements"])
    for model in models:
        found = requests.get(f"{service.api}/models/{model['name']}", timeout=10)
        assert found.status_code == 200
    assert requests.get(f"{service.api}/models/nope", timeout=10).status_code == 404


def test_limits(service: Running) -> None:
    limits = requests.get(f"{service.api}/limits", timeout=10).json()
    assert limits["body_bytes"] == 64_000_000
    assert limits["workers"] == 2


@pytest.mark.slow
def test_no_request_made_from_the_document_is_an_error_of_the_server(service: Running, tmp_path: Path) -> None:
    pytest.importorskip("schemathesis", reason="needs schemathesis")
    run = [sys.executable, "-m", "schemathesis.cli", "run", f"{service.api}/openapi.json", "--no-color"]
    checks = [
        "--checks",
        "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance",
    ]
    done = subprocess.run(
        [*run, *checks, "--max-examples", "25", "--generation-deterministic"],
        capture_output=True,
        text=True,
        timeout=900,
        cwd=tmp_path,
    )
    assert "Tested: 11" in done.stdout
    assert done.returncode == 0, done.stdout[-8000:]
