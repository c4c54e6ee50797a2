"""`Unfinished`: what may be begun, gone on with and overwritten, and how parts become a table."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from pyarrow import parquet

from paraisite.crystals import Rejection
from paraisite.prediction.write import ROW_GROUP
from paraisite.screening.part import Part
from paraisite.screening.predicting import Screening
from paraisite.screening.unfinished import METADATA, ResumeError, Unfinished, finished_manifest

WORK = Screening("model")
MANIFEST = {"sources": [{"input": "a.zip", "bytes": 10}], "options": {"level": 0.9}}


def content(*ids: str) -> bytes:
    return WORK.rejected(Part(0, tuple(Rejection(i, i, "no") for i in ids)), "no")


def damage(path: Path, how: Callable[[bytes], bytes]) -> None:
    path.write_bytes(how(path.read_bytes()))


def begun(out: Path, manifest: dict[str, object] = MANIFEST, **options: bool) -> Unfinished:
    table = Unfinished(out, manifest)
    assert not table.begin(**({"resume": False, "overwrite": False} | options))
    return table


def test_parts_become_a_table_in_their_order(tmp_path: Path) -> None:
    out = tmp_path / "out.parquet"
    table = begun(out)
    for i in (2, 0, 1):
        table.write(i, content(f"a{i}", f"b{i}"))
    table.assemble(3, WORK, {b"more": b"1"}, regroup=True)
    assert [path.name for path in tmp_path.iterdir()] == ["out.parquet"]
    found = parquet.ParquetFile(out)
    assert found.read().column("id").to_pylist() == ["a0", "b0", "a1", "b1", "a2", "b2"]
    assert found.num_row_groups == 1
    assert finished_manifest(out) == MANIFEST
    assert found.schema_arrow.metadata[b"more"] == b"1"
    assert found.schema_arrow.field("kappa_W_mK").metadata[b"unit"] == b"W/m/K"


def test_row_groups_are_full_whatever_the_parts(tmp_path: Path) -> None:
    out = tmp_path / "out.parquet"
    table = begun(out)
    sizes = [ROW_GROUP - 1, 3, 2 * ROW_GROUP + 5, 1]
    for i, size in enumerate(sizes):
        table.write(i, content(*(f"{i}-{k}" for k in range(size))))
    table.assemble(4, WORK, {}, regroup=True)
    found = parquet.ParquetFile(out)
    groups = [found.metadata.row_group(i).num_rows for i in range(found.num_row_groups)]
    assert groups == [ROW_GROUP] * 3 + [8]
    expected = [f"{i}-{k}" for i, size in enumerate(sizes) for k in range(size)]
    assert found.read().column("id").to_pylist() == expected


def test_nothing_becomes_an_empty_table(tmp_path: Path) -> None:
    table = begun(tmp_path / "out.parquet")
    table.assemble(0, WORK, {}, regroup=True)
    assert parquet.ParquetFile(tmp_path / "out.parquet").read().num_rows == 0


def test_going_on_finds_what_is_done_and_whole(tmp_path: Path) -> None:
    out = tmp_path / "out.parquet"
    table = begun(out)
    table.write(0, content("a"))
    table.write(7, content("b"))
    table.write(3, content("c"))
    damage(table.folder / "part-000003.parquet", lambda data: data[:100])  # as after a failure of the disk
    (table.folder / ".part-000009.parquet.1.part").write_bytes(b"half")
    table.leave()
    again = begun(out, resume=True)
    assert again.finished(WORK.schema) == {0, 7}
    assert not (table.folder / "part-000003.parquet").exists()
    assert not list(again.folder.glob(".*"))


@pytest.mark.parametrize("kind", ["flipped bit", "swapped", "fewer rows", "unlisted", "list cut short"])
def test_a_damaged_part_is_done_again(tmp_path: Path, kind: str) -> None:
    out = tmp_path / "out.parquet"
    table = begun(out)
    for i, ids in enumerate((("a", "b"), ("c", "d"), ("e", "f"))):
        table.write(i, content(*ids))
    table.leave()
    first, second = (table.folder / f"part-00000{i}.parquet" for i in (0, 1))
    again = {0}
    if kind == "flipped bit":
        at = first.read_bytes().index(b"PAR1", 4) // 8
        damage(first, lambda data: data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
    elif kind == "swapped":
        one, other = first.read_bytes(), second.read_bytes()
        first.write_bytes(other)
        second.write_bytes(one)
        again = {0, 1}
    elif kind == "fewer rows":
        first.write_bytes(content("a"))
    elif kind == "unlisted":
        (table.folder / "done.jsonl").unlink()
        again = {0, 1, 2}
    else:
        damage(table.folder / "done.jsonl", lambda data: data[:-3])
        again = {2}
    resumed = begun(out, resume=True)
    said: list[str] = []
    assert resumed.finished(WORK.schema, said.append) == {0, 1, 2} - again
    assert len(said) == len(again)
    assert all(f"part-00000{i}.parquet" in line for i, line in zip(sorted(again), sorted(said), strict=True))
    for i, ids in enumerate((("a", "b"), ("c", "d"), ("e", "f"))):
        if i in again:
            resumed.write(i, content(*ids))
    resumed.assemble(3, WORK, {}, regroup=True)
    assert parquet.ParquetFile(out).read().column("id").to_pylist() == ["a", "b", "c", "d", "e", "f"]


def test_a_part_that_changes_under_the_work_is_noticed(tmp_path: Path) -> None:
    table = begun(tmp_path / "out.parquet")
    table.write(0, content("a", "b"))
    (table.folder / "part-000000.parquet").write_bytes(content("a"))
    with pytest.raises(ResumeError, match=r"part-000000\.parquet changed"):
        table.assemble(1, WORK, {}, regroup=True)
    assert not (tmp_path / "out.parquet").exists()


def test_files_of_others_survive_the_end_of_a_table(tmp_path: Path) -> None:
    table = begun(tmp_path / "out.parquet")
    table.write(0, content("a"))
    (table.folder / "thesis.tex").write_text("x")
    table.assemble(1, WORK, {}, regroup=True)
    assert [path.name for path in table.folder.iterdir()] == ["thesis.tex"]


def test_what_was_begun_otherwise_is_not_gone_on_with(tmp_path: Path) -> None:
    out = tmp_path / "out.parquet"
    table = begun(out)
    table.write(0, content("a"))
    table.leave()
    other = {"sources": [{"input": "a.zip", "bytes": 11}], "options": {"level": 0.9, "exact": True}}
    with pytest.raises(ResumeError) as caught:
        Unfinished(out, other).begin(resume=True, overwrite=False)
    assert "sources 1 bytes: 10 before, 11 now" in str(caught.value)
    assert "options exact: null before, true now" in str(caught.value)
    assert "--overwrite" in str(caught.value)
    with pytest.raises(ResumeError, match="--resume"):
        Unfinished(out, MANIFEST).begin(resume=False, overwrite=False)
    assert begun(out, other, overwrite=True).finished(WORK.schema) == set()


def test_a_finished_table_is_not_touched_by_chance(tmp_path: Path) -> None:
    out = tmp_path / "out.parquet"
    table = begun(out)
    table.write(0, content("a"))
    table.assemble(1, WORK, {}, regroup=True)
    before = out.read_bytes()
    with pytest.raises(ResumeError, match="exists already"):
        Unfinished(out, MANIFEST).begin(resume=False, overwrite=False)
    with pytest.raises(ResumeError, match=r"options level: 0\.9 before, 0\.8 now"):
        Unfinished(out, MANIFEST | {"options": {"level": 0.8}}).begin(resume=True, overwrite=False)
    assert Unfinished(out, MANIFEST).begin(resume=True, overwrite=False)  # it is finished
    again = begun(out, overwrite=True)
    assert out.read_bytes() == before  # until the new one is
    again.leave()
    assert [path.name for path in tmp_path.iterdir()] == ["out.parquet"]


def test_a_foreign_file_is_not_gone_on_with(tmp_path: Path) -> None:
    out = tmp_path / "out.parquet"
    out.write_bytes(b"my thesis")
    with pytest.raises(ResumeError, match="does not record its inputs"):
        Unfinished(out, MANIFEST).begin(resume=True, overwrite=False)
    assert out.read_bytes() == b"my thesis"


def test_an_end_after_the_table_was_put_in_place_is_the_end(tmp_path: Path) -> None:
    out = tmp_path / "out.parquet"
    table = begun(out)
    table.write(0, content("a"))
    table.assemble(1, WORK, {}, regroup=True)
    left = begun(out, overwrite=True)  # its folder is still there
    left.write(0, content("a"))
    left.leave()
    assert Unfinished(out, MANIFEST).begin(resume=True, overwrite=False)
    assert [path.name for path in tmp_path.iterdir()] == ["out.parquet"]


def test_a_folder_without_manifest_is_begun_anew(tmp_path: Path) -> None:
    out = tmp_path / "out.parquet"
    folder = tmp_path / ".out.parquet.parts"
    folder.mkdir()
    (folder / "part-000000.parquet").write_bytes(content("other"))
    table = begun(out, resume=True)
    assert table.finished(WORK.schema) == set()
    assert json.loads((folder / "manifest.json").read_text()) == MANIFEST


@pytest.mark.parametrize("how", ["resume", "overwrite"])
def test_a_folder_with_other_files_is_left_as_it_is(tmp_path: Path, how: str) -> None:
    folder = tmp_path / ".out.parquet.parts"
    folder.mkdir()
    for name in ("part-000001.parquet", "thesis.tex"):
        (folder / name).write_text("x")
    with pytest.raises(ResumeError, match=r"thesis\.tex is not part of a table; move it away"):
        begun(tmp_path / "out.parquet", **{how: True})
    assert (folder / "thesis.tex").read_text() == (folder / "part-000001.parquet").read_text() == "x"


def test_two_processes_do_not_work_on_one_table(tmp_path: Path) -> None:
    table = begun(tmp_path / "out.parquet")
    table.write(0, content("a"))
    with pytest.raises(ResumeError, match="another process"):
        Unfinished(table.out, MANIFEST).begin(resume=True, overwrite=False)
    table.leave()
    begun(table.out, resume=True)


def test_where_nothing_is_done_nothing_is_left(tmp_path: Path) -> None:
    begun(tmp_path / "out.parquet").leave()
    assert not list(tmp_path.iterdir())


def test_metadata_key_is_not_that_of_a_store() -> None:
    from paraisite.graphs.store import METADATA as STORE

    assert METADATA != STORE
