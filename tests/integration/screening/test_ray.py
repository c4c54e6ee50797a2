"""The engine of many machines gives the rows of the engine of one, whatever dies on the way."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pytest

pytest.importorskip("ray", reason="the engine ray needs the extra [scale]")

from pyarrow import parquet

from paraisite.screening.engines import ENGINES, EngineError, WorkError
from paraisite.screening.packing import Packing
from paraisite.screening.part import Part, cut
from paraisite.screening.predicting import Screening
from paraisite.screening.run import How, screen
from paraisite.screening.sources import Files, chain
from paraisite.screening.work import Worker

if TYPE_CHECKING:
    from ray.cluster_utils import Cluster

pytestmark = pytest.mark.slow

PART = 4
WAIT = 60.0


@dataclass(frozen=True)
class Harm:
    """Packing, with a mishap over part 3: its process or its machine is killed, or a crystal in it kills always."""

    kind: str
    trace: str
    head: str = ""
    inner: Packing = Packing()  # noqa: RUF009 (it is frozen)

    @property
    def schema(self) -> pa.Schema:
        return self.inner.schema

    @property
    def parquet_options(self) -> dict[str, Any]:
        return self.inner.parquet_options

    def rejected(self, part: Part, reason: str) -> bytes:
        return self.inner.rejected(part, reason)

    def worker(self) -> Worker:
        do, trace = self.inner.worker(), Path(self.trace)

        def work(part: Part) -> bytes:
            if self.kind == "process" and part.index == 3 and not trace.exists():
                trace.touch()
                os.kill(os.getpid(), signal.SIGKILL)
            if self.kind == "crystal" and any(raw.path.endswith("KBr.cif") for raw in part.raw):  # type: ignore[union-attr]
                os.kill(os.getpid(), signal.SIGKILL)
            if self.kind == "machine" and not trace.exists():
                import ray

                node = ray.get_runtime_context().get_node_id()
                if node != self.head:  # the head is where the rows are collected
                    trace.write_text(str(part.index))
                    time.sleep(WAIT)  # killed in the midst of this
            return do(part)

        return work


@dataclass(frozen=True)
class Place(Harm):
    """Says where each part was worked on."""

    device: str = "cuda"

    def worker(self) -> Worker:
        def work(part: Part) -> bytes:
            import ray

            names = ("OMP_NUM_THREADS", "CUDA_VISIBLE_DEVICES")
            return repr((ray.get_gpu_ids(), [os.environ.get(name) for name in names])).encode()

        return work


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """Two machines of one core each, and a second one that a test may kill; this process is on the first."""
    import ray
    from ray.cluster_utils import Cluster

    made = Cluster(
        initialize_head=True,
        head_node_args={"num_cpus": 1, "object_store_memory": 80 << 20, "include_dashboard": False},
    )
    made.add_node(num_cpus=1, object_store_memory=80 << 20)
    ray.init(address=made.address, logging_level="ERROR", log_to_driver=False)
    ray.cloudpickle.register_pickle_by_value(sys.modules[__name__])  # workers cannot import the tests
    try:
        yield made
    finally:
        ray.shutdown()
        made.shutdown()


@pytest.fixture(scope="module")
def parts(tiny_dataset: Path) -> list[Part]:
    """Nine parts of four crystals."""
    return list(cut(chain([Files((str(tiny_dataset / "*.cif"),))]), PART))


@pytest.fixture(scope="module")
def right(parts: list[Part]) -> dict[int, bytes]:
    """Their rows, made on this machine."""
    return {part.index: rows for part, rows in ENGINES["processes"](None)(Packing(), parts, workers=0)}


def by_ray(work: Any, parts: list[Part], workers: int | None = None) -> dict[int, bytes]:
    done = [(part.index, rows) for part, rows in ENGINES["ray"](None)(work, iter(parts), workers=workers)]
    assert sorted(index for index, _ in done) == [part.index for part in parts]  # nothing twice, nothing missing
    return dict(done)


@pytest.mark.usefixtures("cluster")
class TestTwoMachines:
    def test_killed_process(self, parts: list[Part], right: dict[int, bytes], tmp_path: Path) -> None:
        assert by_ray(Harm("process", str(tmp_path / "trace")), parts) == right
        assert (tmp_path / "trace").exists()

    def test_crystal_that_kills(self, parts: list[Part], right: dict[int, bytes], tmp_path: Path) -> None:
        rows = by_ray(Harm("crystal", str(tmp_path / "trace")), parts, workers=1)
        (culprit,) = [i for i in right if rows[i] != right[i]]
        found, wanted = (parquet.read_table(pa.BufferReader(r[culprit])).to_pylist() for r in (rows, right))
        for row, good in zip(found, wanted, strict=True):
            assert row["id"] == good["id"]
            assert ("crashed" in row["reason"]) == (row["id"] == "KBr"), row["reason"]

    def test_one_thread_and_no_gpu(self, parts: list[Part], tmp_path: Path) -> None:
        rows = by_ray(Place("", str(tmp_path), device="cpu"), parts)
        assert set(rows.values()) == {b"([], ['1', None])"}

    def test_no_gpu_to_be_had(self, parts: list[Part], tmp_path: Path) -> None:
        with pytest.raises(EngineError, match="offers a GPU"):
            by_ray(Place("", str(tmp_path)), parts)

    def test_gpus_are_shared(self, cluster: Cluster, parts: list[Part], tmp_path: Path) -> None:
        node = cluster.add_node(num_cpus=3, num_gpus=1, object_store_memory=80 << 20)
        try:
            rows = by_ray(Place("", str(tmp_path)), parts, workers=3)
        finally:
            cluster.remove_node(node)
        assert set(rows.values()) == {b"([0], ['1', '0'])"}

    def test_other_versions(self, parts: list[Part], monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("paraisite.screening.engines.ray.versions", lambda: {"numpy": "0.1"})
        with pytest.raises(WorkError, match=r"machine \S+: numpy \S+ but 0\.1"):
            by_ray(Packing(), parts)

    def test_other_files(self, parts: list[Part], monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("paraisite.screening.engines.ray._visible", lambda part: "/nowhere/archive.zip")
        with pytest.raises(EngineError, match=r"cannot access /nowhere/archive\.zip"):
            by_ray(Packing(), parts)

    def test_no_such_model(self, parts: list[Part]) -> None:
        with pytest.raises(WorkError, match="no-such-model"):
            by_ray(Screening("no-such-model"), parts)

    @pytest.mark.parametrize(("first", "second"), [("ray", "processes"), ("processes", "ray")])
    def test_goes_on_by_the_other_engine(
        self, tiny_dataset: Path, tiny_checkpoint: Path, tmp_path: Path, first: Any, second: Any
    ) -> None:
        sources, work = [Files((str(tiny_dataset),))], Screening(str(tiny_checkpoint))
        screen(sources, tmp_path / "whole.parquet", work, How(workers=0, part_size=PART))

        told: list[bool] = []

        def stop_half_way(n: int, before: bool) -> None:
            told.append(before)
            if len(told) == 4:
                raise KeyboardInterrupt

        out = tmp_path / "out.parquet"
        with pytest.raises(KeyboardInterrupt):
            screen(sources, out, work, How(1, first, PART, tell=stop_half_way))
        told.clear()
        screen(sources, out, work, How(1, second, PART, resume=True, tell=lambda n, before: told.append(before)))
        assert sum(told) == 4
        assert len(told) == 9
        assert out.read_bytes() == (tmp_path / "whole.parquet").read_bytes()

    def test_killed_machine(self, cluster: Cluster, parts: list[Part], right: dict[int, bytes], tmp_path: Path) -> None:
        import ray

        (second,) = cluster.worker_nodes
        work = Harm("machine", str(tmp_path / "trace"), ray.get_runtime_context().get_node_id())

        def kill() -> None:
            until = time.monotonic() + WAIT
            while not (tmp_path / "trace").exists() and time.monotonic() < until:
                time.sleep(0.05)
            cluster.remove_node(second, allow_graceful=False)

        killer = threading.Thread(target=kill)
        killer.start()
        started = time.monotonic()
        try:
            assert by_ray(work, parts) == right
        finally:
            killer.join()
        assert int((tmp_path / "trace").read_text()) in right  # with this part in hand it died,
        assert time.monotonic() - started < WAIT  # or this would have been waited for


def test_command_line(tiny_dataset: Path, tmp_path: Path) -> None:
    """Without a cluster, Ray is started on this machine; a folder may be named from where the command runs."""
    command = [sys.executable, "-m", "paraisite.cli.main", "pack", tiny_dataset.name, "-o", str(tmp_path / "s.parquet")]
    environment = {key: value for key, value in os.environ.items() if key != "RAY_ADDRESS"}

    def run(*options: str) -> subprocess.CompletedProcess[str]:
        whole = [*command, "--engine", "ray", "--workers", "1", *options]
        return subprocess.run(
            whole, cwd=tiny_dataset.parent, env=environment, capture_output=True, text=True, timeout=120
        )

    done = run()
    assert done.returncode == 0, done.stderr
    assert "36" in done.stderr
    assert parquet.read_metadata(tmp_path / "s.parquet").num_rows == 36

    failed = run("--overwrite", "--ray-address", "127.0.0.1:1")
    assert failed.returncode == 1
    assert "Ray at 127.0.0.1:1 cannot be reached" in failed.stderr


def test_no_workers() -> None:
    with pytest.raises(WorkError, match="--workers"):
        list(ENGINES["ray"](None)(Packing(), [], workers=0))
