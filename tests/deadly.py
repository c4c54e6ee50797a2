"""Works whose workers really die, for tests of engines; importable in the processes they start."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass
from pathlib import Path

from paraisite.screening.packing import Packing
from paraisite.screening.part import Part
from paraisite.screening.raw import File
from paraisite.screening.work import Worker


@dataclass(frozen=True)
class Deadly(Packing):
    """Packs graphs, but is killed by files called ``deadly``, and once only if `scar` is given.

    Every attempt at a part leaves its number in the folder `attempts`.
    """

    scar: str = ""
    attempts: str = ""
    at_start: bool = False

    def worker(self) -> Worker:
        if self.at_start:
            os.kill(os.getpid(), signal.SIGKILL)
        work = super().worker()

        def watched(part: Part) -> bytes:
            if self.attempts:
                (Path(self.attempts) / f"{part.index}-{part.size}-{os.getpid()}").touch()
            if any("deadly" in raw.path for raw in part.raw if isinstance(raw, File)):
                scar = Path(self.scar)
                if not self.scar or not scar.exists():
                    if self.scar:
                        scar.touch()
                    os.kill(os.getpid(), signal.SIGKILL)
            return work(part)

        return watched


@dataclass(frozen=True)
class Faulty(Packing):
    """A work that raises: at its start or with every part."""

    at_start: bool = False

    def worker(self) -> Worker:
        if self.at_start:
            raise ValueError("there is no such model")

        def raising(part: Part) -> bytes:
            raise RuntimeError("the device is gone")

        return raising
