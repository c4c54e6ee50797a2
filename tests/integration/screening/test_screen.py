"""`screen` and `pack` with a trained model: the rows of `Predictor`, from files, stores and databases."""

from __future__ import annotations

import io
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from bad_inputs import cif
from pyarrow import parquet

from paraisite.crystals import read
from paraisite.graphs.store import GraphStore
from paraisite.prediction import Options, Predictor
from paraisite.screening.engines import WorkError
from paraisite.screening.packing import Packing
from paraisite.screening.predicting import Screening
from paraisite.screening.run import How, pack, screen
from paraisite.screening.sources import Files, Query, SourceEnded, parse_mp

HERE = How(workers=0, part_size=7)


@pytest.fixture(scope="module")
def inputs(tiny_dataset: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, ...]:
    """An archive of good and bad members, a tar, a folder, a file that is not there, a crystal of unknown elements."""
    folder = tmp_path_factory.mktemp("inputs")
    paths = sorted(tiny_dataset.glob("*.cif"))
    with zipfile.ZipFile(folder / "some.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        for path in paths:
            archive.write(path, f"in/{path.name}")
            if path.stem in ("KBr", "RbI"):
                archive.writestr(f"in/{path.stem}-bad.cif", "data_nothing")
    with tarfile.open(folder / "some.tar.gz", "w:gz") as archive:
        for path in paths[:5]:
            archive.add(path, path.name)
    (folder / "more").mkdir()
    (folder / "more" / "Po.cif").write_text(paths[0].read_text().replace("Ba", "Po"))
    (folder / "more" / "far.cif").write_text(cif("Ar1 Ar 0 0 0 1", a="12", group="_space_group_name_H-M_alt 'P 1'"))
    (folder / "more" / "two.cif").write_text(cif(name="one") + cif(name="two"))
    (folder / "more" / "frames.xyz").write_text("")
    return tuple(str(folder / name) for name in ("some.zip", "some.tar.gz", "more", "missing.cif"))


@pytest.fixture(scope="module")
def expected(inputs: tuple[str, ...], tiny_checkpoint: Path) -> list[dict[str, object]]:
    predictor = Predictor.from_pretrained(str(tiny_checkpoint))
    return [row.row() for row in predictor.predict(read(inputs), properties=["bulk_modulus_vrh"])]


def work(checkpoint: Path, **options: object) -> Screening:
    return Screening(str(checkpoint), properties=("bulk_modulus_vrh",), **options)  # type: ignore[arg-type]


def table(path: Path) -> pa.Table:
    return parquet.ParquetFile(path).read()


def assert_rows(found: pa.Table, expected: list[dict[str, object]]) -> None:
    rows = found.to_pylist()
    assert (
        [list(row) for row in rows] == [list(expected[0])] * len(expected) if "bulk_modulus_GPa" in expected[0] else 1
    )
    for row, other in zip(rows, expected, strict=True):
        for name, value in row.items():
            if isinstance(value, float):
                assert value == pytest.approx(other[name], rel=1e-5), name
            else:
                assert value == other.get(name), name


def test_rows_are_those_of_predict(
    inputs: tuple[str, ...], expected: list[dict[str, object]], tiny_checkpoint: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.parquet"
    told: list[int] = []
    screen([Files(inputs)], out, work(tiny_checkpoint), How(0, part_size=7, tell=lambda n, before: told.append(n)))
    assert_rows(table(out), expected)
    assert {"ok", "rejected"} <= {row["status"] for row in expected}
    assert sum(told) == len(expected) - 1  # one file holds two crystals
    assert [path.name for path in tmp_path.iterdir()] == ["out.parquet"]


@pytest.mark.slow
def test_the_number_of_workers_changes_nothing(inputs: tuple[str, ...], tiny_checkpoint: Path, tmp_path: Path) -> None:
    for workers in (0, 1, 2):
        how = How(workers, part_size=7)
        screen([Files(inputs)], tmp_path / f"{workers}.parquet", work(tiny_checkpoint), how)
    contents = {(tmp_path / f"{workers}.parquet").read_bytes() for workers in (0, 1, 2)}
    assert len(contents) == 1


def test_a_store_gives_the_same_rows(
    inputs: tuple[str, ...], expected: list[dict[str, object]], tiny_checkpoint: Path, tmp_path: Path
) -> None:
    store, out = tmp_path / "store.parquet", tmp_path / "out.parquet"
    pack([Files(inputs)], store, Packing(), HERE)
    assert GraphStore(store).group_rows[0] == 7
    screen([Files((str(store),))], out, work(tiny_checkpoint), HERE)
    assert_rows(table(out), expected)


def test_a_store_of_other_graphs_is_built_anew(
    inputs: tuple[str, ...], expected: list[dict[str, object]], tiny_checkpoint: Path, tmp_path: Path
) -> None:
    store, out = tmp_path / "store.parquet", tmp_path / "out.parquet"
    pack([Files(inputs)], store, Packing(cutoff=3.0, tolerance=0.3), HERE)
    said: list[str] = []
    screen([Files((str(store),))], out, work(tiny_checkpoint), How(0, part_size=7, say=said.append))
    assert said == [
        f"{store}: its graphs are not those of the model (cutoff 3 instead of 4, tolerance 0.3 instead of 0.001) and "
        "are rebuilt"
    ]
    assert_rows(table(out), expected)


def test_a_store_stands_beside_files(
    inputs: tuple[str, ...], expected: list[dict[str, object]], tiny_checkpoint: Path, tmp_path: Path
) -> None:
    store, out = tmp_path / "store.parquet", tmp_path / "out.parquet"
    pack([Files(inputs[:1])], store, Packing(), HERE)
    screen([Files((str(store), *inputs[1:]))], out, work(tiny_checkpoint), HERE)
    assert_rows(table(out), expected)


def test_the_plain_path_is_another_way_to_the_same(
    inputs: tuple[str, ...], expected: list[dict[str, object]], tiny_checkpoint: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.parquet"
    screen([Files(inputs)], out, work(tiny_checkpoint, exact=True), HERE)
    kappa = [(row["kappa_W_mK"] or np.nan) for row in expected]
    found = [(value or np.nan) for value in table(out).column("kappa_W_mK").to_pylist()]
    np.testing.assert_allclose(found, kappa, rtol=1e-3)  # type: ignore[arg-type]


def test_going_on_gives_the_same_bytes(inputs: tuple[str, ...], tiny_checkpoint: Path, tmp_path: Path) -> None:
    whole, out = tmp_path / "whole.parquet", tmp_path / "out.parquet"
    screen([Files(inputs)], whole, work(tiny_checkpoint), HERE)

    class Enough(Exception):
        pass

    def until(limit: int) -> How:
        left = limit

        def tell(n: int, before: bool) -> None:
            nonlocal left
            left -= not before
            if left < 0:
                raise Enough

        return How(workers=0, part_size=7, resume=True, tell=tell)

    for _ in range(3):
        with pytest.raises(Enough):
            screen([Files(inputs)], out, work(tiny_checkpoint), until(1))
        assert not out.exists()
    again: list[tuple[int, bool]] = []
    how = How(workers=0, part_size=7, resume=True, tell=lambda n, before: again.append((n, before)))
    screen([Files(inputs)], out, work(tiny_checkpoint), how)
    assert sum(before for _, before in again) >= 3
    assert out.read_bytes() == whole.read_bytes()


def test_a_changed_source_is_not_gone_on_with(tiny_dataset: Path, tiny_checkpoint: Path, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for path in sorted(tiny_dataset.glob("*.cif"))[:4]:
        (folder / path.name).write_text(path.read_text())

    def stop(n: int, before: bool) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        screen([Files((str(folder),))], tmp_path / "o.parquet", work(tiny_checkpoint), How(0, part_size=2, tell=stop))
    (folder / "new.cif").write_text(cif())
    with pytest.raises(ValueError, match="sources 1 1 files: 4 before, 5 now"):
        screen([Files((str(folder),))], tmp_path / "o.parquet", work(tiny_checkpoint), How(0, part_size=2, resume=True))


def test_a_wrong_property_is_no_beginning(inputs: tuple[str, ...], tiny_checkpoint: Path, tmp_path: Path) -> None:
    with pytest.raises(WorkError, match="colour"):
        screen([Files(inputs)], tmp_path / "o.parquet", Screening(str(tiny_checkpoint), properties=("colour",)), HERE)
    assert not list(tmp_path.iterdir())


def test_a_crystal_that_trips_the_predictor_is_rejected_alone(
    tiny_dataset: Path, tiny_checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare = Predictor.prepare

    def tripping(self: Predictor, crystals: list[object], options: Options) -> object:
        if any(c.id == "KCl" for c in crystals):  # type: ignore[attr-defined]
            raise FloatingPointError("of some kind")
        return prepare(self, crystals, options)  # type: ignore[arg-type]

    monkeypatch.setattr(Predictor, "prepare", tripping)
    screen([Files((str(tiny_dataset / "*.cif"),))], tmp_path / "o.parquet", work(tiny_checkpoint), HERE)
    rows = {row["id"]: row for row in table(tmp_path / "o.parquet").to_pylist()}
    assert [id for id, row in rows.items() if row["status"] == "rejected"] == ["KCl"]
    assert "FloatingPointError: of some kind" in rows["KCl"]["reason"]
    assert len(rows) == 36


def test_text_that_is_none_is_written_as_escapes(tiny_checkpoint: Path, tiny_dataset: Path, tmp_path: Path) -> None:
    try:
        path = tmp_path / "bad\udcff.cif"
        path.write_text((tiny_dataset / "KCl.cif").read_text())
    except OSError:
        pytest.skip("this file system takes text only")
    screen([Files((str(path),))], tmp_path / "o.parquet", work(tiny_checkpoint), HERE)
    (row,) = table(tmp_path / "o.parquet").to_pylist()
    assert row["id"] == "bad\\udcff"
    assert row["status"] == "ok"


def test_an_answer_of_a_provider_is_screened(tiny_checkpoint: Path, tmp_path: Path) -> None:
    pytest.importorskip("optimade.server", reason="needs the reference server")
    pytest.importorskip("requests", reason="needs the extra [data]")
    from optimade_server import made_up_crystals, optimade_server

    made = made_up_crystals(60)
    with optimade_server(made, fail_every=5) as (url, _):
        source = Query("optimade", {"providers": [url], "filter": "nsites<=3", "limit": 25}, say=lambda line: None)
        screen([source], tmp_path / "o.parquet", work(tiny_checkpoint), HERE)
    rows = table(tmp_path / "o.parquet").to_pylist()
    assert len(rows) == 25
    predictor = Predictor.from_pretrained(str(tiny_checkpoint))
    known = {c.id: c for c in made}
    for row, one in zip(rows, predictor.predict(known[row["id"]] for row in rows), strict=True):
        assert row["n_sites"] <= 3
        assert row["status"] == one.status
        if one.kappa_W_mK is not None:
            assert row["kappa_W_mK"] == pytest.approx(one.kappa_W_mK, rel=1e-4)
    assert any(row["status"] != "rejected" for row in rows)
    assert [path.name for path in tmp_path.iterdir()] == ["o.parquet"]


def test_an_answer_that_breaks_off_is_gone_on_with(tiny_checkpoint: Path, tmp_path: Path) -> None:
    pytest.importorskip("optimade.server", reason="needs the reference server")
    pytest.importorskip("requests", reason="needs the extra [data]")
    from optimade_server import made_up_crystals, optimade_server

    out = tmp_path / "o.parquet"
    with optimade_server(made_up_crystals(60)) as (url, failing):

        def source() -> Query:
            return Query("optimade", {"providers": [url], "page_size": 20}, say=lambda line: None)

        app, count = failing.app, 0

        async def broken(scope, receive, send):  # type: ignore[no-untyped-def]
            nonlocal count
            count += 1
            if count > 2:
                await send({"type": "http.response.start", "status": 404, "headers": []})
                await send({"type": "http.response.body", "body": b"gone"})
            else:
                await app(scope, receive, send)

        failing.app = broken
        with pytest.raises(SourceEnded, match="received: 40"):
            screen([source()], out, work(tiny_checkpoint), HERE)
        assert not out.exists()
        failing.app = app
        told: list[tuple[int, bool]] = []
        how = How(0, part_size=7, resume=True, tell=lambda n, before: told.append((n, before)))
        screen([source()], out, work(tiny_checkpoint), how)
    assert table(out).num_rows == 60
    assert sum(n for n, before in told if before) == 35


def test_conditions_of_the_materials_project() -> None:
    assert parse_mp("elements=Mg,O stable max_above_hull=0.05 max_sites=20") == {
        "elements": ["Mg", "O"],
        "stable": True,
        "max_above_hull": 0.05,
        "max_sites": 20,
    }
    for text in ("colour=blue", "elements", "max_sites=many", "stable=yes", ""):
        with pytest.raises(ValueError, match="--mp"):
            parse_mp(text)


@pytest.mark.slow
def test_archives_of_many_structures_fill_parts(tiny_checkpoint: Path, tmp_path: Path) -> None:
    """A member of many structures makes a part of more rows than inputs, all of them in order."""
    buffer = io.StringIO()
    for i in range(600):
        buffer.write(cif(name=f"n{i}", a=f"{5.6 + i / 1e4:.4f}"))
    with zipfile.ZipFile(tmp_path / "in.zip", "w") as archive:
        archive.writestr("many.cif", buffer.getvalue())
    screen([Files((str(tmp_path / "in.zip"),))], tmp_path / "o.parquet", Screening(str(tiny_checkpoint)), HERE)
    found = table(tmp_path / "o.parquet")
    assert found.num_rows == 600
    assert [s.rpartition("n")[2] for s in found.column("source").to_pylist()] == [str(i) for i in range(600)]
