"""Ray over two machines of one core each, one of them killed half-way, against two processes of one machine.

    python benchmarks/ray_cluster.py [--crystals 20000] [--data mp_stable] [--json FILE]

The two machines are two sets of Ray's daemons on this one, which is what Ray calls a cluster as well; killing one is a
SIGKILL of its daemon, and its workers go with it. The crystals are strained copies of those of the data folder that
PARAISITE_MIRROR names, else of synthetic ones, in an archive of CIFs. All tables have to be equal, byte for byte.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import threading
import time
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")

from paraisite.crystals import Crystal, read
from paraisite.crystals.write_cif import cif_text
from paraisite.model.registry import DEFAULT
from paraisite.screening.predicting import Screening
from paraisite.screening.run import How, screen
from paraisite.screening.sources import Files


def some_crystals(name: str) -> list[Crystal]:
    mirror = os.environ.get("PARAISITE_MIRROR")
    if mirror:
        return [item for item in read([Path(mirror, name, "cif.zip")]) if isinstance(item, Crystal)]
    from encoder import synthetic

    return synthetic(500)


def write_archive(path: Path, crystals: list[Crystal], n: int) -> None:
    """Pack n crystals: each time round, all are stretched by a little more."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for i in range(n):
            crystal = crystals[i % len(crystals)]
            name = f"{i:06d}-{crystal.formula}"
            strained = replace(crystal, cell=crystal.cell * (1 + 0.002 * (i // len(crystals))))
            archive.writestr(f"{name}.cif", cif_text(strained, name))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--crystals", type=int, default=4000)
    parser.add_argument("--data", default="mp_stable")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()

    import ray
    from ray.cluster_utils import Cluster

    with tempfile.TemporaryDirectory() as folder:
        archive = Path(folder, "crystals.zip")
        write_archive(archive, some_crystals(arguments.data), arguments.crystals)
        result: dict[str, Any] = {"crystals": arguments.crystals, "ray": ray.__version__}

        def carry_out(name: str, how: How) -> bytes:
            out = Path(folder, f"{name}.parquet")
            started = time.perf_counter()
            screen([Files((str(archive),))], out, Screening(DEFAULT, os.environ.get("PARAISITE_MIRROR")), how)
            seconds = time.perf_counter() - started
            result[name] = {"seconds": round(seconds, 1), "crystals_per_s": round(arguments.crystals / seconds, 1)}
            print(f"{name}: {seconds:.1f} s, {arguments.crystals / seconds:.0f} crystals/s", flush=True)
            return out.read_bytes()

        right = carry_out("two processes", How(workers=2))

        one = {"num_cpus": 1, "object_store_memory": 256 << 20}
        cluster = Cluster(initialize_head=True, head_node_args={**one, "include_dashboard": False})
        second = cluster.add_node(**one)
        ray.init(address=cluster.address, logging_level="ERROR", log_to_driver=False)
        try:
            whole = carry_out("two machines", How(engine="ray"))
            done = 0
            killer = threading.Thread(target=cluster.remove_node, args=(second,), kwargs={"allow_graceful": False})

            def kill_half_way(n: int, before: bool) -> None:
                nonlocal done
                done += n
                if done >= arguments.crystals / 2 and killer.ident is None:
                    print(f"killing one of two machines after {done} crystals", flush=True)
                    result["killed after"] = done
                    killer.start()

            rest = carry_out("two machines, one killed half-way", How(engine="ray", tell=kill_half_way))
            killer.join()
        finally:
            ray.shutdown()
            cluster.shutdown()
        result["equal"] = {"two machines": whole == right, "one killed half-way": rest == right}
        result["two machines over two processes"] = round(
            result["two processes"]["seconds"] / result["two machines"]["seconds"], 2
        )
    print(json.dumps(result, indent=1))
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    if not all(result["equal"].values()):
        raise SystemExit("the tables differ")


if __name__ == "__main__":
    main()
