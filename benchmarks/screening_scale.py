"""What `paraisite screen` does with 10^3 to 10^6 crystals, and with being killed: rate, memory, two workers, a store.

    python benchmarks/screening_scale.py --sizes 1000 10000 100000 [--kills 20] [--json FILE]

The crystals are strained and substituted copies (each cell scaled by up to 3 %, which keeps its symmetry, each
element replaced by one of its group) of a folder of the mirror, or of synthetic ones without it, in archives of 10,000
CIFs each. Every run is the program itself in a process of its own; it is watched from outside: finished parts for the
rate of the first and the last tenth, /proc for the memory of parent and workers. With --kills the program is killed
(SIGKILL) as often, each time after a random while, and gone on with by --resume; its table must then be that of a run
left alone, byte for byte.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
import zipfile
from contextlib import suppress
from pathlib import Path

import numpy as np
from encoder import synthetic

from paraisite.crystals import Crystal, read
from paraisite.crystals.write_cif import cif_text
from paraisite.model.megnet import ELEMENTS

ARCHIVE = 10_000
TENTH = 10
GROUPS = ((3, 11, 19, 37, 55), (4, 12, 20, 38, 56), (5, 13, 31, 49, 81), (6, 14, 32, 50, 82), (7, 15, 33, 51, 83),
          (8, 16, 34, 52), (9, 17, 35, 53), (21, 39, 57), (22, 40, 72), (23, 41, 73), (24, 42, 74), (26, 44, 76),
          (27, 45, 77), (28, 46, 78), (29, 47, 79), (30, 48, 80))  # fmt: skip


def copies(crystals: list[Crystal], n: int) -> list[Crystal]:
    """Take n crystals in turn, each strained and substituted; the same n gives the same crystals."""
    rng = np.random.default_rng(n)
    group_of = {z: group for group in GROUPS for z in group}
    made = []
    for i in range(n):
        one = crystals[i % len(crystals)]
        other = {z: int(rng.choice(group_of.get(z, (z,)))) for z in sorted({int(z) for z in one.numbers})}
        numbers = np.array([other[int(z)] for z in one.numbers])
        made.append(Crystal(one.cell * rng.uniform(0.97, 1.03), numbers, one.positions, id=f"{i}"))
    return made


def archives(crystals: list[Crystal], n: int, folder: Path) -> list[Path]:
    """Write n copies into archives."""
    folder.mkdir()
    paths = []
    for start in range(0, n, ARCHIVE):
        paths.append(folder / f"{start // ARCHIVE:04d}.zip")
        with zipfile.ZipFile(paths[-1], "w", zipfile.ZIP_DEFLATED) as file:
            for crystal in copies(crystals[start % len(crystals) :] + crystals, min(ARCHIVE, n - start)):
                file.writestr(f"{start + int(crystal.id)}.cif", cif_text(crystal, crystal.id))
    return paths


def command(*words: object) -> list[str]:
    return [sys.executable, "-m", "paraisite.cli.main", *map(str, words)]


def resident(pid: int) -> float:
    """Peak memory of a process in MB; 0 if it is gone."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0.0
    return next((int(line.split()[1]) / 1e3 for line in status.splitlines() if line.startswith("VmHWM")), 0.0)


def children(pid: int) -> list[int]:
    try:
        found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return []
    return [c for child in map(int, found) for c in (child, *children(child))]


def processor_seconds(pid: int) -> float:
    """Seconds of processor that a process and those it started have taken."""
    total = 0
    for one in (pid, *children(pid)):
        with suppress(OSError):
            fields = Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()
            total += sum(map(int, fields[11:15]))
    return total / os.sysconf("SC_CLK_TCK")


def watch(words: list[str], out: Path, n: int) -> dict[str, float]:
    """Run a command; its time, its memory, and the rate of the last tenth of its parts over that of the first one.

    These rates are of processor time: other work on the machine does not count.
    """
    folder = out.with_name(out.name + ".parts")
    started = time.perf_counter()
    parent, worker, seen = 0.0, 0.0, [(0.0, 0)]
    with subprocess.Popen(words, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as process:
        while process.poll() is None:
            time.sleep(0.1)
            done = len(list(folder.glob("part-*"))) if folder.is_dir() else 0
            if done > seen[-1][1]:
                seen.append((processor_seconds(process.pid), done))
            parent = max(parent, resident(process.pid))
            worker = max([worker, *(resident(pid) for pid in children(process.pid))])
    seconds = time.perf_counter() - started
    if process.returncode:
        raise SystemExit(f"{' '.join(words)} ended with {process.returncode}")
    found = {"crystals": n, "seconds": seconds, "per_s": n / seconds, "parent_MB": parent, "worker_MB": worker}
    times, parts = np.array(seen).T
    if parts[-1] >= 5 * TENTH:
        share = parts[-1] / TENTH
        at = np.interp([1, share + 1, parts[-1] - share, parts[-1]], parts, times)  # without start-up
        found["last_over_first_tenth"] = float((at[1] - at[0]) / (at[3] - at[2]))
    return found


def killed(words: list[str], kills: int, longest: float) -> int:
    """Run a command, kill it again and again; how often it was killed before it ended."""
    chance = random.Random(kills)
    for count in range(kills):
        with subprocess.Popen([*words, "--resume"], stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as process:
            try:
                process.wait(chance.uniform(0.5, longest))
                return count
            except subprocess.TimeoutExpired:
                os.kill(process.pid, signal.SIGKILL)
    subprocess.run([*words, "--resume"], check=True, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    return kills


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mirror", type=Path, default=os.environ.get("PARAISITE_MIRROR"), help="data folder, optional")
    parser.add_argument("--data", default="aflow_agl", help="folder of the mirror (default aflow_agl)")
    parser.add_argument("--sizes", type=int, nargs="*", default=[1000, 10_000])
    parser.add_argument("--workers", type=int, nargs="*", default=[1, 2])
    parser.add_argument("--kills", type=int, default=0, help="kill a run of the largest size so often")
    parser.add_argument("--longest", type=float, default=10.0, help="seconds that a run lives at most between kills")
    parser.add_argument("--store", action="store_true", help="also from a graph store of the largest size")
    parser.add_argument("--work", type=Path, help="folder for archives and tables (default: a temporary one)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="also write the rows to FILE")
    options = parser.parse_args()

    if options.mirror and Path(options.mirror).is_dir():
        source = [c for c in read([Path(options.mirror) / options.data / "cif.zip"]) if isinstance(c, Crystal)]
    else:
        source = synthetic(500)
    source = [c for c in source if {int(z) for z in c.numbers} <= set(ELEMENTS)]
    rows: list[dict[str, object]] = []

    def say(what: str, row: dict[str, float], **more: object) -> None:
        rows.append({"what": what, **{k: round(v, 3) for k, v in row.items()}, **more})
        print(json.dumps(rows[-1]), flush=True)

    with tempfile.TemporaryDirectory() as temporary:
        folder = options.work or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        for n in options.sizes:
            packed = archives(source, n, folder / f"{n}")
            tables = []
            for workers in options.workers:
                tables.append(folder / f"{n}-{workers}.parquet")
                screen = command("screen", *packed, "-o", tables[-1], "--workers", workers, "-q", "--overwrite")
                say("archive", watch(screen, tables[-1], n), workers=workers)
            same = all(table.read_bytes() == tables[0].read_bytes() for table in tables)
            print(f"{n}: tables of {options.workers} workers are {'equal' if same else 'DIFFERENT'}", flush=True)
        if options.store:
            store, out = folder / "store.parquet", folder / "of-store.parquet"
            subprocess.run(command("pack", *packed, "-o", store, "-q"), check=True)
            for workers in options.workers:
                screen = command("screen", store, "-o", out, "--workers", workers, "-q", "--overwrite")
                say("store", watch(screen, out, n), workers=workers)
        if options.kills:
            out = folder / "killed.parquet"
            screen = command("screen", *packed, "-o", out, "--workers", options.workers[-1], "-q")
            times = killed(screen, options.kills, options.longest)
            same = out.read_bytes() == tables[-1].read_bytes()
            print(f"{n} crystals, killed {times} times: the table is {'the same' if same else 'DIFFERENT'}", flush=True)
            rows.append({"what": "killed", "crystals": n, "kills": times, "same": same})
    if options.json:
        options.json.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
