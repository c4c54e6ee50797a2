"""`paraisite pack`: a graph store, and what is wrong usage."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from pyarrow import parquet
from typer.testing import Result

from paraisite.graphs.store import GraphStore

Invoke = Callable[..., Result]


def test_a_store_says_how_it_was_made(invoke: Invoke, crystals: list[Path], tmp_path: Path) -> None:
    out = tmp_path / "s.parquet"
    result = invoke("pack", *crystals, "-o", out, "--cutoff", 5, "--workers", 0, "--part-size", 3)
    assert "4 packed, 0 rejected" in result.stderr
    store = GraphStore(out)
    assert (store.header.cutoff, store.header.tolerance, store.group_rows) == (5.0, 1e-3, [3, 1])
    assert store.header.versions["paraisite"]
    rows = store.read(0)
    assert rows.columns["id"] == [path.stem for path in crystals[:3]]
    assert rows.graphs.distance.max() > 4


def test_going_on_with_a_store(invoke: Invoke, crystals: list[Path], tmp_path: Path) -> None:
    out = tmp_path / "s.parquet"
    command = ("pack", *crystals, "-o", out, "--workers", 0)
    invoke(*command)
    before = out.read_bytes()
    invoke(*command, "--resume")
    assert out.read_bytes() == before
    assert "cutoff: 4.0 before, 5.0 now" in invoke(*command, "--resume", "--cutoff", 5, code=2).stderr
    assert "exists already" in invoke(*command, code=2).stderr


def test_a_store_is_packed_anew(invoke: Invoke, crystals: list[Path], tmp_path: Path) -> None:
    first, again, direct = (tmp_path / f"{name}.parquet" for name in ("first", "again", "direct"))
    inputs = (*crystals, tmp_path / "no.cif")
    invoke("pack", *inputs, "-o", first, "--workers", 0, "--part-size", 3)
    assert "4 packed, 1 rejected" in invoke("pack", first, "-o", again, "--cutoff", 5, "--workers", 0).stderr
    invoke("pack", *inputs, "-o", direct, "--cutoff", 5, "--workers", 0, "--part-size", 3)
    assert parquet.read_table(again).equals(parquet.read_table(direct))


def test_nothing_packed_fails(invoke: Invoke, tmp_path: Path) -> None:
    result = invoke("pack", tmp_path / "no.cif", "-o", tmp_path / "s.parquet", "--workers", 0, code=1)
    assert "0 packed, 1 rejected" in result.stderr


@pytest.mark.parametrize(
    ("options", "says"),
    [(["-o", "s.zip"], "ends in .parquet"), (["--cutoff", "0"], "cutoff"), (["-o", "no/s.parquet"], "create it")],
)
def test_wrong_usage(
    options: list[str], says: str, invoke: Invoke, crystals: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    given = ["-o", "s.parquet"] if "-o" not in options else []
    assert says in invoke("pack", crystals[0], *given, *options, code=2).stderr
    assert not list(tmp_path.iterdir())
