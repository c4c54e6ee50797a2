"""The engine of processes: order, bounds, and workers that die for real."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest
from bad_inputs import cif
from deadly import Deadly, Faulty
from pyarrow import parquet

from paraisite.screening.engines import ENGINES, EngineError, WorkError
from paraisite.screening.packing import Packing
from paraisite.screening.part import Part, cut
from paraisite.screening.raw import File
from paraisite.screening.work import Work

run = ENGINES["processes"](None)


def files(folder: Path, n: int, deadly: tuple[int, ...] = ()) -> list[File]:
    paths = [folder / (f"{i}-deadly.cif" if i in deadly else f"{i}.cif") for i in range(n)]
    for i, path in enumerate(paths):
        path.write_text(cif(a=f"{5.6 + i / 100}"))
    return [File(str(path)) for path in paths]


def rows(work: Work, parts: Iterator[Part], workers: int = 1) -> dict[int, pa.Table]:
    done = {}
    for part, content in run(work, parts, workers=workers):
        assert part.index not in done
        done[part.index] = parquet.ParquetFile(pa.BufferReader(content)).read()
    return done


def test_any_number_of_workers_gives_the_same(tmp_path: Path) -> None:
    raw = files(tmp_path, 10)
    one, two, none = (rows(Packing(), cut(raw, 3), workers) for workers in (1, 2, 0))
    assert sorted(one) == sorted(two) == sorted(none) == [0, 1, 2, 3]
    for i in range(4):
        assert one[i].equals(two[i])
        assert one[i].equals(none[i])
        assert one[i].num_rows == (3 if i < 3 else 1)


def test_no_more_is_read_than_is_worked_on(tmp_path: Path) -> None:
    raw = files(tmp_path, 4)
    taken = 0

    def endless() -> Iterator[Part]:
        nonlocal taken
        while True:
            yield Part(taken, tuple(raw))
            taken += 1

    results = run(Packing(), endless(), workers=1)
    for done in range(1, 6):
        next(results)
        assert taken <= done + 3
    results.close()  # type: ignore[attr-defined]


def test_what_kills_once_is_done_the_second_time(tmp_path: Path) -> None:
    attempts = tmp_path / "attempts"
    attempts.mkdir()
    work = Deadly(scar=str(tmp_path / "scar"), attempts=str(attempts))
    done = rows(work, cut(files(tmp_path, 6, deadly=(2,)), 3))
    assert [done[i].column("reason").to_pylist() for i in (0, 1)] == [[""] * 3] * 2
    assert len(list(attempts.glob("0-3-*"))) == 2
    assert not list(attempts.glob("0-1-*"))
    assert len({path.name.rpartition("-")[2] for path in attempts.iterdir()}) == 2  # another process took over


@pytest.mark.parametrize("workers", [1, 2])
def test_what_always_kills_is_rejected_alone(workers: int, tmp_path: Path) -> None:
    done = rows(Deadly(), cut(files(tmp_path, 8, deadly=(1,)), 4), workers)
    (reason,) = [r for r in done[0].column("reason").to_pylist() if r]
    assert done[0].column("reason").to_pylist() == ["", reason, "", ""]
    assert "was killed, probably for lack of memory; give a smaller" in reason
    assert done[0].column("id").to_pylist() == ["0", "1-deadly", "2", "3"]
    assert done[0].column("src").null_count == 1
    assert done[1].column("reason").to_pylist() == [""] * 4


@pytest.mark.slow
def test_workers_that_all_die_end_the_run(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="workers crashed in succession; the last one was killed"):
        rows(Deadly(at_start=True), cut(files(tmp_path, 2), 1))


def test_work_that_cannot_start_says_why(tmp_path: Path) -> None:
    for workers in (0, 1):
        with pytest.raises(WorkError, match="no such model"):
            rows(Faulty(at_start=True), cut(files(tmp_path, 2), 1), workers)


def test_a_fault_that_lies_in_no_crystal_ends_the_run(tmp_path: Path) -> None:
    for workers in (0, 1):
        with pytest.raises(EngineError, match=r"part 0 failed .*the device is gone"):
            rows(Faulty(), cut(files(tmp_path, 2), 1), workers)


def test_closing_leaves_no_process_behind(tmp_path: Path) -> None:
    attempts = tmp_path / "attempts"
    attempts.mkdir()
    results = run(Deadly(attempts=str(attempts)), cut(files(tmp_path, 30), 1), workers=2)
    next(iter(results))
    results.close()  # type: ignore[attr-defined]
    pids = {int(path.name.rpartition("-")[2]) for path in attempts.iterdir()}
    assert pids
    deadline = time.monotonic() + 10
    while any(Path(f"/proc/{pid}").exists() for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.05)
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
