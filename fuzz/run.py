"""Run the harnesses and print what they did: ``make fuzz``, or ``python -m fuzz.run --seconds 60 cif poscar``.

Inputs that reach new code are kept in fuzz/grown/TARGET and begin the next run. Findings are in fuzz/findings/TARGET,
the shortest input for each, with what went wrong beside it; with any, the exit code is 1.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from fuzz.targets import TARGETS, Target

FUZZ = Path(__file__).parent
RESULT = FUZZ.parent / "results" / "fuzz.json"

HANG = 60.0
"""Seconds after which an input that does not end counts as a hang."""

_HEADER = 16


@dataclass(slots=True)
class Outcome:
    """What a harness did."""

    target: str
    seconds: float = 0.0
    executions: int = 0
    coverage: int = 0
    new_coverage: int = 0
    unforeseen: list[str] = field(default_factory=list)
    findings: list[str] = field(default_factory=list)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("targets", nargs="*", help=f"by default all: {', '.join(TARGETS)}")
    parser.add_argument("--seconds", type=float, default=60, help="duration of each (default: 60)")
    parser.add_argument("--jobs", type=int, default=1, help="harnesses at a time (default: 1)")
    parser.add_argument("--seed", type=int, default=0, help="of the mutations (default: another one each time)")
    parser.add_argument("--record", action="store_true", help=f"write {RESULT.name}, which docs/reliability.md shows")
    parser.add_argument("--try", dest="input", type=Path, help="judge this one input of the target, and no more")
    arguments = parser.parse_args()
    if unknown := [name for name in arguments.targets if name not in TARGETS]:
        parser.error(f"unknown harness {unknown[0]}; choose from {', '.join(TARGETS)}")
    chosen = [TARGETS[name] for name in arguments.targets or TARGETS]
    if arguments.input:
        return _try(chosen[0], arguments.input)
    try:
        fuzzer = version("atheris")
    except PackageNotFoundError:
        print("atheris is not installed: pip install -c constraints.txt -e '.[fuzz]' (Linux)", file=sys.stderr)
        return 2
    with ThreadPoolExecutor(arguments.jobs) as pool:
        found = list(pool.map(lambda target: _report(_run(target, arguments.seconds, arguments.seed)), chosen))
    for outcome in found:
        for finding in outcome.findings:
            stem = f"fuzz/findings/{outcome.target}/{finding}"
            print(f"\n{stem}.txt says what; again: .venv/bin/python -m fuzz.run {outcome.target} --try {stem}.bin")
    if arguments.record:
        machine = f"{platform.system()} {platform.machine()}, Python {platform.python_version()}, atheris {fuzzer}"
        record = {"machine": machine, "seconds": arguments.seconds, "targets": [asdict(outcome) for outcome in found]}
        RESULT.write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return int(any(outcome.findings for outcome in found))


def _try(target: Target, path: Path) -> int:
    from fuzz.rule import SEEN, Finding, judge

    try:
        judge(target.check, target.errors(), path.read_bytes())
    except Finding as finding:
        print(finding)
        return 1
    print("the rule holds", *(f"(caught: {place}: {text})" for place, text in SEEN.unforeseen.items()))
    return 0


def _report(outcome: Outcome) -> Outcome:
    if not _report.began:  # type: ignore[attr-defined]
        _report.began = True  # type: ignore[attr-defined]
        print(f"{'target':14} {'seconds':>7} {'inputs':>9} {'inputs/s':>8} {'coverage':>8} {'new':>6} findings")
    rate = outcome.executions / max(outcome.seconds, 1e-9)
    numbers = f"{outcome.executions:9} {rate:8.0f} {outcome.coverage:8} {outcome.new_coverage:+6}"
    print(f"{outcome.target:14} {outcome.seconds:7.0f} {numbers} {len(outcome.findings)}", flush=True)
    return outcome


_report.began = False  # type: ignore[attr-defined]


def _run(target: Target, seconds: float, seed: int) -> Outcome:
    """Run a harness for so long, again where an input ends its process."""
    outcome = Outcome(target.name)
    notes, grown = FUZZ / "findings" / target.name, FUZZ / "grown" / target.name
    shutil.rmtree(notes, ignore_errors=True)
    notes.mkdir(parents=True)
    grown.mkdir(parents=True, exist_ok=True)
    while seconds - outcome.seconds >= 1:
        _one_process(target, seconds - outcome.seconds, seed, notes, grown, outcome)
    outcome.findings = sorted(path.stem for path in notes.glob("*.bin"))
    return outcome


def _one_process(target: Target, seconds: float, seed: int, notes: Path, grown: Path, outcome: Outcome) -> None:
    current, log = notes / "current", notes / "log"
    current.unlink(missing_ok=True)
    options = [
        f"-max_total_time={max(round(seconds), 1)}",
        f"-max_len={target.longest}",
        "-rss_limit_mb=4096",
        "-timeout=300",  # beyond `HANG`: it has no report of its own
        f"-seed={seed}",
        *([f"-dict={FUZZ / 'dictionaries' / target.dictionary}.dict"] if target.dictionary else []),
        f"-artifact_prefix={notes}/.",
        str(grown),
        str(FUZZ / "corpus" / target.name),
    ]
    command = [sys.executable, "-m", "fuzz.harness", target.name, str(notes), *options]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    start = time.monotonic()
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, cwd=FUZZ.parent, env=environment, stdout=output, stderr=output, stdin=subprocess.DEVNULL
        )
        hung = _wait(process, current)
    text = log.read_text(errors="replace")
    coverage = [int(n) for n in re.findall(r"^#\d+\s.*?\bcov: (\d+)", text, re.MULTILINE)]
    number, data = _at_work(current)
    begin = re.search(r"^#\d+\s+INITED\b", text, re.MULTILINE)
    took = re.search(r"Done \d+ runs in (\d+) second", text)
    outcome.executions += number
    outcome.seconds += float(took[1]) if took else time.monotonic() - start
    if coverage:
        outcome.new_coverage += coverage[-1] - (coverage[0] if outcome.coverage == 0 else outcome.coverage)
        outcome.coverage = coverage[-1]
    if (notes / "unforeseen.json").is_file():
        places = json.loads((notes / "unforeseen.json").read_text())
        outcome.unforeseen = sorted({*outcome.unforeseen, *places})
    if process.returncode != 0:
        what = "hang" if hung else f"process-ended-{process.returncode}"
        stem = what if begin is not None else f"{what}-at-start"
        if not (notes / f"{stem}.bin").exists() or len(data) < (notes / f"{stem}.bin").stat().st_size:
            (notes / f"{stem}.bin").write_bytes(data)
            (notes / f"{stem}.txt").write_text(text[-5000:])
        if begin is None:  # it would not begin the next time either
            outcome.seconds += seconds


def _wait(process: subprocess.Popen[bytes], current: Path) -> bool:
    """Wait for a process; kill it and return True where it is at one input for longer than `HANG`."""
    last, since = -1, time.monotonic()
    while True:
        try:
            process.wait(1.0)
            return False
        except subprocess.TimeoutExpired:
            number = _at_work(current)[0]
            if number != last or not number:
                last, since = number, time.monotonic()
            elif time.monotonic() - since > HANG:
                process.kill()
                process.wait()
                return True


def _at_work(current: Path) -> tuple[int, bytes]:
    """Number and content of the input that a process is, or was, at."""
    if not current.is_file():
        return 0, b""
    whole = current.read_bytes()
    number, length = int.from_bytes(whole[:8], "little"), int.from_bytes(whole[8:_HEADER], "little")
    return number, whole[_HEADER : _HEADER + length]


if __name__ == "__main__":
    sys.exit(main())
