"""One harness under atheris: ``python -m fuzz.harness TARGET NOTES [options of libFuzzer] folders``.

A finding does not end the run: the shortest input for each place where the rule is broken is kept in the folder NOTES.
What does end it (a fault in C, a hang, no memory) leaves its input in NOTES/current, which `fuzz.run` looks after.
"""

from __future__ import annotations

import json
import mmap
import re
import resource
import sys
from pathlib import Path

import atheris

ROOT = Path(__file__).parents[1]
MEMORY = 6 << 30
"""Address space above that at the start, in bytes: a limit for the machine's sake, beyond the budget."""

HEADER = 16
"""Bytes of NOTES/current before the input: its number and its length."""


def main() -> None:
    name, notes = sys.argv[1], Path(sys.argv[2])
    with atheris.instrument_imports(include=["paraisite"]):
        from fuzz.rule import SEEN, Finding, judge
        from fuzz.targets import CUT, TARGETS

        target = TARGETS[name]
        for path in sorted((ROOT / "fuzz" / "corpus" / name).iterdir()):  # imports what it needs
            try:
                judge(target.check, target.errors(), path.read_bytes())
            except Finding as finding:
                _keep(notes, finding.signature, str(finding), path.read_bytes())
    from fuzz.mutate import mutate

    errors = target.errors()
    current = _current(notes / "current", HEADER + max(target.longest, 1 << 16))
    number, unforeseen = 0, 0

    def one(data: bytes) -> None:
        nonlocal number, unforeseen
        number += 1
        current[HEADER : HEADER + len(data)] = data
        current[:HEADER] = number.to_bytes(8, "little") + len(data).to_bytes(8, "little")
        try:
            judge(target.check, errors, data)
        except Finding as finding:
            _keep(notes, finding.signature, str(finding), data)
        if len(SEEN.unforeseen) > unforeseen:
            unforeseen = len(SEEN.unforeseen)
            (notes / "unforeseen.json").write_text(json.dumps(SEEN.unforeseen))

    def change(data: bytes, longest: int, seed: int) -> bytes:
        changed = mutate(data, CUT, longest, seed) if seed % 2 else None
        return atheris.Mutate(data, longest) if changed is None else changed

    _bound()
    options = {"custom_mutator": change} if target.json else {}
    atheris.Setup([sys.argv[0], *sys.argv[3:]], one, **options)
    atheris.Fuzz()


def _keep(notes: Path, signature: str, detail: str, data: bytes) -> None:
    """Keep the input, if it is the shortest that breaks the rule there."""
    stem = re.sub(r"[^A-Za-z0-9.-]+", "-", signature)[:100].strip("-")
    path = notes / f"{stem}.bin"
    if not path.exists() or path.stat().st_size > len(data):
        path.write_bytes(data)
        (notes / f"{stem}.txt").write_text(detail[-5000:], errors="backslashreplace")


def _current(path: Path, size: int) -> mmap.mmap:
    """A file that keeps the input at work, also if the process dies."""
    path.write_bytes(bytes(size))
    with path.open("r+b") as file:
        return mmap.mmap(file.fileno(), size)


def _bound() -> None:
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))


if __name__ == "__main__":
    main()
