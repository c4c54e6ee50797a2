"""The Phonix set through the hub's real client, against an imitation of the hub on loopback that serves Parquet."""

from __future__ import annotations

import hashlib
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # for loopback

pytest.importorskip("huggingface_hub", reason="needs the extra [data]: huggingface_hub")

from loopback import Answer, Asked, serve

from paraisite.crystals import Crystal, Rejection
from paraisite.datasets.sources import Client, Labelled, SourceError, collect, query_phonix
from paraisite.network.http import AddressError

COMMIT = "284bddebbd144ae3e3f93474dc05e4658417d09f"
REPOSITORY = "phonix-db/phonix-summary"
FILE = "data/train-00000-of-00001.parquet"


def atoms(symbols: str = "MgO", a: float = 4.2, **changes: object) -> dict[str, Any]:
    """A rocksalt as `ase.Atoms.todict` gives it, in lists."""
    from ase.build import bulk

    found = bulk(symbols, "rocksalt", a=a).todict()
    return {key: value.tolist() for key, value in found.items()} | changes


def rows_of_the_table() -> list[dict[str, Any]]:
    """Rows as in phonix-summary: a sum of conductivities, or none where the calculation did not end."""
    made = []
    for i, (symbols, a) in enumerate([("MgO", 4.2), ("CaO", 4.8), ("LiF", 4.0), ("NaCl", 5.6), ("MgS", 5.2)]):
        kp, kc = 10.0 + i, 0.25
        made.append(
            {
                "mp_id": f"mp-{i}",
                "unique_id": f"mp-{i}",
                "formula": symbols,
                "klat[W/mK]": kp + kc,
                "kp[W/mK]": kp,
                "kc[W/mK]": kc,
                "structure": json.dumps(atoms(symbols, a)),
                "phdos[a.u.]": "[0.0, 1.0]",
            }
        )
    made.append({**made[0], "unique_id": "unfinished", "klat[W/mK]": None, "kp[W/mK]": None, "kc[W/mK]": None})
    return made


def parquet(rows: list[dict[str, Any]], path: Path) -> bytes:
    import pyarrow as pa
    from pyarrow import parquet as pq

    pq.write_table(pa.Table.from_pylist(rows), path)
    return path.read_bytes()


def hub(files: dict[str, bytes]) -> Callable[[Asked], Answer]:
    """Answer as huggingface.co does for a dataset of plain files."""

    def answer(asked: Asked) -> Answer:
        path = asked.target.partition("?")[0]
        if path == f"/api/datasets/{REPOSITORY}/revision/main":
            siblings = [{"rfilename": name} for name in files]
            return Answer({"id": REPOSITORY, "sha": COMMIT, "siblings": siblings, "private": False, "tags": []})
        if path.startswith(f"/api/datasets/{REPOSITORY}/tree/main"):
            return Answer(
                [
                    {"type": "file", "path": name, "size": len(content), "oid": "0" * 40}
                    for name, content in files.items()
                ]
            )
        for name, content in files.items():
            if path in (f"/datasets/{REPOSITORY}/resolve/{revision}/{name}" for revision in ("main", COMMIT)):
                etag = hashlib.sha256(content).hexdigest()
                headers = {"ETag": f'"{etag}"', "X-Repo-Commit": COMMIT, "Accept-Ranges": "bytes"}
                return Answer(content, 200, headers)
        return Answer({"error": "not found"}, 404, {"X-Error-Code": "EntryNotFound"})

    return answer


def quick(pages: Path, **options: object) -> Client:
    return Client(pages, backoff=0.001, timeout=10, **options)  # type: ignore[arg-type]


def ask(files: dict[str, bytes], folder: Path, **options: Any) -> list[Labelled | Rejection]:
    with serve(hub(files)) as server:
        return list(query_phonix(endpoint=server.url, **({"client": quick(folder / "pages")} | options)))


def test_rows_with_a_conductivity_arrive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secretsecretsecret")
    table = rows_of_the_table()
    files = {"README.md": b"# Phonix", FILE: parquet(table, tmp_path / "t.parquet")}
    client = quick(tmp_path / "pages")
    with serve(hub(files)) as server:
        rows = list(query_phonix(endpoint=server.url, client=client))
        downloads = sum(asked.method == "GET" and "resolve" in asked.target for asked in server.asked)
        assert len(list(query_phonix(endpoint=server.url, client=client))) == 5
        assert sum(asked.method == "GET" and "resolve" in asked.target for asked in server.asked) == downloads == 1
        assert all("authorization" not in {key.lower() for key in asked.headers} for asked in server.asked)
    assert len(rows) == 5
    for row, given in zip(rows, table, strict=False):
        assert isinstance(row, Labelled)
        expected = Crystal.from_ase(__import__("ase").Atoms.fromdict(json.loads(given["structure"])))
        np.testing.assert_allclose(row.crystal.cell, expected.cell)
        np.testing.assert_allclose(row.crystal.positions, expected.positions, atol=1e-12)
        np.testing.assert_array_equal(row.crystal.numbers, expected.numbers)
        assert row.crystal.id == given["unique_id"]
        assert row.crystal.source == f"{server.url}/datasets/{REPOSITORY}/resolve/main/{FILE}#{given['unique_id']}"
        assert row.targets == {
            "kappa": given["klat[W/mK]"],
            "kappa_particle": given["kp[W/mK]"],
            "kappa_coherence": given["kc[W/mK]"],
        }
    assert collect(rows, "phonix").kappa.tolist() == [10.25, 11.25, 12.25, 13.25, 14.25]


def test_elements_and_limit(tmp_path: Path) -> None:
    files = {FILE: parquet(rows_of_the_table(), tmp_path / "t.parquet")}
    assert [row.crystal.id for row in ask(files, tmp_path, elements=["Mg"]) if isinstance(row, Labelled)] == [
        "mp-0",
        "mp-4",
    ]
    assert len(ask(files, tmp_path, limit=2)) == 2


def test_a_hub_that_fails_now_and_then(tmp_path: Path) -> None:
    files = {FILE: parquet(rows_of_the_table(), tmp_path / "t.parquet")}
    count = 0

    def flaky(asked: Asked) -> Answer:
        nonlocal count
        count += 1
        return Answer("busy", 503) if count == 1 else hub(files)(asked)

    with serve(flaky) as server:
        rows = list(query_phonix(endpoint=server.url, client=quick(tmp_path / "pages")))
    assert len(rows) == 5
    assert server.asked[0].target == server.asked[1].target


def structures() -> dict[str, Any]:
    from pymatgen.core import Structure
    from pymatgen.io.ase import AseAtomsAdaptor

    rocksalt = __import__("ase").Atoms.fromdict(atoms())
    structure: Structure = AseAtomsAdaptor.get_structure(rocksalt)
    return {
        "json of ase": json.dumps(atoms()),
        "python of ase": str(atoms()),
        "json of pymatgen": json.dumps(structure.as_dict()),
        "cif": structure.to(fmt="cif"),
        "symbols": json.dumps({**atoms(), "numbers": None, "symbols": ["Mg", "O"]}),
        "a struct column": atoms(),
    }


@pytest.mark.parametrize("kind", structures())
def test_forms_of_the_structure(kind: str, tmp_path: Path) -> None:
    table = [{"mp_id": "mp-1265", "klat": 50.0, "structure": structures()[kind]}]
    (row,) = ask({FILE: parquet(table, tmp_path / "t.parquet")}, tmp_path)
    assert isinstance(row, Labelled), row
    assert row.crystal.formula == "MgO"
    assert row.crystal.id == "mp-1265"
    assert row.crystal.volume == pytest.approx(4.2**3 / 4)
    assert row.targets == {"kappa": 50.0}


BAD = {
    "code": ("__import__('os').system('touch /tmp/paraisite_was_here')", "neither JSON nor CIF"),
    "code in a dictionary": ("{'cell': __import__('os').getcwd()}", "not readable JSON"),
    "other keys": ('{"lattice": 1, "atoms": 2}', "has lattice, atoms and lacks cell, positions, numbers"),
    "no positions": (json.dumps(atoms(positions=None)), "lacks positions"),
    "too few positions": (json.dumps(atoms(positions=[[0, 0, 0]])), "1 position for 2 atoms"),
    "flat": (json.dumps(atoms(cell=[[1, 0, 0], [2, 0, 0], [0, 0, 1]])), "span space"),
    "overlap": (json.dumps(atoms(positions=[[0, 0, 0], [0, 0, 0.1]])), "overlap"),
    "no element": (json.dumps(atoms(numbers=[12, 0])), "not a chemical element"),
    "text": ("MgO", "neither JSON nor CIF"),
    "nothing": (None, "a dictionary, JSON or CIF is understood"),
    "deep": ("{" * 5000, "not readable JSON"),
}


def test_a_bad_row_is_a_rejection_and_stops_nothing(tmp_path: Path) -> None:
    table = [{"unique_id": name, "klat[W/mK]": 1.0, "structure": text} for name, (text, _) in BAD.items()]
    good = rows_of_the_table()[0]
    table += [{"unique_id": "minus", "klat[W/mK]": -1.0, "structure": good["structure"]}]
    table += [{"unique_id": "good", "klat[W/mK]": 1.0, "structure": good["structure"]}]
    rows = ask({FILE: parquet(table, tmp_path / "t.parquet")}, tmp_path)
    assert len(rows) == len(table)
    for row, (name, (_, reason)) in zip(rows, BAD.items(), strict=False):
        assert isinstance(row, Rejection), name
        assert reason in row.reason, (name, row.reason)
    assert "must be positive" in rows[-2].reason  # type: ignore[union-attr]
    assert isinstance(rows[-1], Labelled)
    assert not Path("/tmp/paraisite_was_here").exists()


@pytest.mark.parametrize(
    ("files", "reason"),
    [
        ({"README.md": b""}, "none of them Parquet"),
        ({FILE: b"not parquet at all"}, "not a Parquet file"),
        ({FILE: [{"id": "a", "kappa": 1.0}]}, "without klat, structure"),
        ({FILE: [{"id": "a", "klat[mW/cmK]": 1.0, "structure": "x"}]}, "unit is not W/mK"),
    ],
    ids=["no table", "no parquet", "other columns", "other unit"],
)
def test_unexpected_files_say_what_was_asked_what_came_and_what_to_do(
    files: dict[str, Any], reason: str, tmp_path: Path
) -> None:
    made = {k: parquet(v, tmp_path / "t.parquet") if isinstance(v, list) else v for k, v in files.items()}
    with pytest.raises(SourceError, match=r"request: http://127\.0\.0\.1.*response: ") as caught:
        ask(made, tmp_path)
    assert reason in str(caught.value)


@pytest.mark.parametrize(
    "answer",
    [Answer("<html>sign in</html>"), Answer({"error": "no such set"}, 404), Answer("[{", 200), Answer({"x": 1})],
    ids=["html", "404", "cut off", "other"],
)
def test_unexpected_answers_of_the_hub(answer: Answer, tmp_path: Path) -> None:
    with serve(lambda asked: answer) as server, pytest.raises(SourceError, match=r"request: http://127.*response: "):
        list(query_phonix(endpoint=server.url, client=quick(tmp_path, attempts=2)))


def test_a_hub_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with serve(lambda asked: Answer()) as gone:
        pass
    monkeypatch.setattr(time, "sleep", lambda seconds: None)  # the hub's client waits 23 s in all
    with pytest.raises(SourceError, match="check the network, the revision and HF_ENDPOINT"):
        list(query_phonix(endpoint=gone.url, client=quick(tmp_path, attempts=2)))


def test_wrong_usage() -> None:
    with pytest.raises(AddressError, match="begins with https"):
        query_phonix(endpoint="ftp://example.org")
