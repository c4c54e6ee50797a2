"""Kill `paraisite verify` at random moments, go on with --resume, and compare with a run left alone.

    python benchmarks/verify_kills.py [--kills 10] [--quick] [--potential tensornet-matpes] [INPUT...]

By default four metals are calculated with ASE's effective-medium potential, which needs no weights. Moments are drawn
evenly over what the run left alone took; a run that ends before it is killed is begun anew in another folder. Results
have to be equal in every number but seconds, and force constants byte for byte.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from ase.build import bulk

METALS = {"Al": 4.05, "Cu": 3.6, "Ag": 4.09, "Pd": 3.9}


def results(folder: Path) -> dict[str, Any]:
    """Every result of a run without what depends on the clock, and a digest of its force constants."""
    found = {}
    for path in sorted(folder.glob("*/result.json")):
        result = json.loads(path.read_text(encoding="utf-8"))
        for part in (result, result["details"], *result["details"].get("conductivity", [])):
            for key in ("seconds", "cpu_seconds", "estimate", "calls", "load_seconds"):
                part.pop(key, None)
        files = (path.with_name(name) for name in ("fc2.hdf5", "fc3.hdf5"))
        result["digests"] = [hashlib.sha256(f.read_bytes()).hexdigest() if f.is_file() else "" for f in files]
        found[path.parent.name] = result
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("inputs", nargs="*", help="crystals; by default four metals")
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--potential", default="ase.calculators.emt:EMT")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    moments = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as temporary:
        place = Path(temporary)
        if not options.inputs:
            for symbol, a in METALS.items():
                bulk(symbol, "fcc", a).write(place / f"{symbol}.cif")
        inputs = options.inputs or [str(path) for path in sorted(place.glob("*.cif"))]
        command = [sys.executable, "-m", "paraisite.cli.main", "verify", *inputs, "--potential", options.potential]
        command += ["--quick"] if options.quick else []
        command += ["--no-predict", "--no-figures", "--quiet", "--resume", "-o"]
        start = time.monotonic()
        subprocess.run([*command, str(place / "alone")], check=True)
        took = time.monotonic() - start
        expected = results(place / "alone")
        print(f"left alone: {len(expected)} crystals, {took:.0f} s")
        killed = rounds = 0
        equal = True
        while killed < options.kills:
            folder, rounds = place / f"killed-{rounds}", rounds + 1
            while killed < options.kills:
                process = subprocess.Popen([*command, str(folder)])
                try:
                    process.wait(moments.uniform(0, took))
                    break
                except subprocess.TimeoutExpired:
                    os.kill(process.pid, signal.SIGKILL)
                    process.wait()
                    killed += 1
                    time.sleep(1.0)  # its workers notice
                    print(f"killed {killed}: {len(results(folder))} crystals done", flush=True)
            subprocess.run([*command, str(folder)], check=True)
            equal &= results(folder) == expected
        print(f"{killed} kills in {rounds} runs: results are {'the same' if equal else 'NOT THE SAME'}")
    sys.exit(not equal)


if __name__ == "__main__":
    main()
