"""The service under load: time of one answer, a whole dataset in one upload, and many clients at once.

    PARAISITE_MIRROR=... python benchmarks/serve.py [--clients 50] [--seconds 30] [--workers 2] [--json FILE]

Each part asks a real `paraisite serve` on loopback. The time of one answer is that of `curl`'s way: a new connection,
a form with one CIF, a row of JSON. The dataset is `mp_stable`, its archive of CIFs, streamed as NDJSON, while the page
is asked for; without a data folder it is left out. The clients ask for the example crystals, one or two at a time;
every answer must have its rows, and the resident memory of the service and its workers is read twice a second.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import threading
import time
import zipfile
from pathlib import Path
from typing import Any

import requests

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
from services import Running, serving

import paraisite
from paraisite.processes.limits import memory_GB

EXAMPLES = sorted((Path(paraisite.__file__).parent / "examples" / "crystals").glob("*.cif"))


def percentiles(seconds: list[float]) -> dict[str, float]:
    ordered = sorted(seconds)
    return {
        "n": len(ordered),
        "median_s": statistics.median(ordered),
        "p95_s": ordered[int(0.95 * (len(ordered) - 1))],
        "max_s": ordered[-1],
    }


def one(service: Running, n: int) -> dict[str, Any]:
    """Time from upload to answer for one CIF, by itself."""
    content, times = EXAMPLES[0].read_bytes(), []
    for _ in range(n):
        start = time.perf_counter()
        (row,) = service.predict({"x.cif": content}).json()
        times.append(time.perf_counter() - start)
        assert row["status"] != "rejected"
    return percentiles(times)


def dataset(service: Running, archive: Path) -> dict[str, Any]:
    """All CIFs of an archive in one upload, and how long the page takes meanwhile."""
    with zipfile.ZipFile(archive) as names:
        stems = [Path(name).stem for name in names.namelist() if name.endswith(".cif")]
    page: list[float] = []
    done = threading.Event()

    def look() -> None:
        while not done.wait(0.2):
            start = time.perf_counter()
            requests.get(service.url, timeout=30).raise_for_status()
            page.append(time.perf_counter() - start)

    with archive.open("rb") as file:
        looking = threading.Thread(target=look)
        looking.start()
        start = time.perf_counter()
        first, ids, rejected = 0.0, [], 0
        accept = {"Accept": "application/x-ndjson"}
        with service.predict([("file", ("mp_stable.zip", file))], headers=accept, stream=True) as answer:
            for line in answer.iter_lines(chunk_size=4096):
                first = first or time.perf_counter() - start
                row = json.loads(line)
                ids.append(row["id"])
                rejected += row["status"] == "rejected"
        seconds = time.perf_counter() - start
        done.set()
        looking.join()
    assert ids == stems, f"{len(ids)} rows of {len(stems)}"
    return {
        "crystals": len(stems),
        "MB": archive.stat().st_size / 1e6,
        "first_row_s": first,
        "all_rows_s": seconds,
        "rejected": rejected,
        "page_meanwhile": percentiles(page),
    }


def load(service: Running, clients: int, seconds: float) -> dict[str, Any]:
    """Many clients at once, each of which asks again as soon as it is answered."""
    times: list[float] = []
    failed: dict[str, int] = {}
    rows = lost = 0
    lock = threading.Lock()
    ends = time.monotonic() + seconds

    def client(i: int) -> None:
        nonlocal rows, lost
        k = i
        while time.monotonic() < ends:
            k += 1
            chosen = [EXAMPLES[(k + j) % len(EXAMPLES)] for j in range(1 + k % 2)]
            start = time.perf_counter()
            try:
                answer = service.predict({path.name: path.read_bytes() for path in chosen})
                found = [row["id"] for row in answer.json()] if answer.ok else None
                what = str(answer.status_code)
            except requests.RequestException as error:
                found, what = None, type(error).__name__
            with lock:
                if found is None:
                    failed[what] = failed.get(what, 0) + 1
                else:
                    times.append(time.perf_counter() - start)
                    rows += len(found)
                    lost += found != [path.stem for path in chosen]

    threads = [threading.Thread(target=client, args=(i,)) for i in range(clients)]
    for thread in threads:
        thread.start()
    sizes: list[float] = []
    while any(thread.is_alive() for thread in threads):
        sizes.append(memory_GB(service.process.pid) + sum(map(memory_GB, service.workers())))
        time.sleep(0.5)
    quarter = max(1, len(sizes) // 4)
    return {
        "clients": clients,
        "seconds": seconds,
        "answers": percentiles(times),
        "rows_per_s": rows / seconds,
        "failed": failed,
        "answers_with_wrong_rows": lost,
        "memory_GB": {
            "first_quarter": statistics.mean(sizes[:quarter]),
            "last_quarter": statistics.mean(sizes[-quarter:]),
            "most": max(sizes),
        },
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--clients", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    found: dict[str, Any] = {"workers": args.workers, "cores": os.cpu_count(), "load_average": os.getloadavg()[0]}
    with serving("--workers", args.workers) as service:
        while len(service.workers()) < args.workers:
            time.sleep(0.2)
        found["one"] = one(service, 40)
        mirror = os.environ.get("PARAISITE_MIRROR")
        if mirror and (archive := Path(mirror) / "mp_stable" / "cif.zip").is_file():
            found["mp_stable"] = dataset(service, archive)
        found["load"] = load(service, args.clients, args.seconds)
        found["files_left"] = len(service.uploads())
        found["exit_status"] = service.stop()
    print(json.dumps(found, indent=1))
    if args.json:
        args.json.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
