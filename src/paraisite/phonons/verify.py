"""`Verification`: subjects, a folder for each, one summary; it can be interrupted at any moment and resumed."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path

from paraisite.crystals.crystal import Crystal
from paraisite.crystals.rejection import Rejection
from paraisite.files.csv_cells import harmless, plain
from paraisite.files.locking import LOCK, take_lock
from paraisite.phonons.claim import INPUT, Taken, claimed, fingerprint, forces_fingerprint
from paraisite.phonons.forecast import Forecast
from paraisite.phonons.result import Result
from paraisite.phonons.run import folders, run
from paraisite.phonons.settings import QuickSettings, Settings
from paraisite.phonons.subject import Subject
from paraisite.phonons.summary import (
    COLUMNS,
    SUMMARY,
    is_quick,
    quick_columns,
    quick_row,
    read_summary,
    row,
    write_summary,
)
from paraisite.phonons.worker import Job, Task


def missing_packages() -> None:
    """Raise a ValueError that says what to install, if phono3py, phonopy or symfc is not."""
    missing = [name for name in ("phonopy", "phono3py", "symfc") if find_spec(name) is None]
    if missing:
        raise ValueError(f"{', '.join(missing)}: not installed; run `pip install 'paraisite[phonons]'`")


class Verification:
    """Crystals to verify, and what is known of them so far.

    Parameters
    ----------
    subjects : sequence of Subject
    output : Path
        Folder of all results.
    settings : Settings or QuickSettings
        The second takes quick looks.
    mirror : Path, optional
        Folder that holds the potential's weights.
    device : str
    born : Path, optional
        A BORN file, or a folder with files ID.BORN.
    figures : bool
    resume : bool
        Keep what the folder holds; else it must hold no results. Results by other settings that forces do not depend
        on are made again from the forces; rows of other crystals stay in the summary.
    retry : bool
        When resuming, try failed crystals again.

    Raises
    ------
    ValueError
        If the folder holds results and `resume` is not said, or a crystal's folder another structure or other forces.
    """

    def __init__(
        self,
        subjects: Sequence[Subject],
        output: Path,
        settings: Settings | QuickSettings,
        *,
        mirror: Path | None = None,
        device: str = "cpu",
        born: Path | None = None,
        figures: bool = True,
        resume: bool = False,
        retry: bool = False,
    ) -> None:
        self.subjects = list(subjects)
        self.settings = settings
        self.summary = output / SUMMARY
        self.job = Job(settings, str(mirror) if mirror else None, device, figures)
        self.results: list[Result | None] = [None] * len(self.subjects)
        self._quick = isinstance(settings, QuickSettings)
        self._others: list[dict[str, str]] = []
        self._notes: list[str] = []
        if self.summary.is_file():
            quick = is_quick(self.summary)  # refuses another table
        if self.summary.is_file() and _holds_results(self.summary):
            if not resume:
                raise ValueError(f"{output} holds results; use --resume, or choose another folder")
            if quick not in (None, self._quick):
                held, asked = ("conductivities", "quick looks") if self._quick else ("quick looks", "conductivities")
                raise ValueError(f"{output} holds {held}, not {asked}; choose another folder with -o")
            ids = {plain(harmless(subject.item.id)) for subject in self.subjects}  # as a table holds them
            self._others = [row for row in read_summary(self.summary) if row["id"] not in ids]
        if born is not None and born.is_file() and len(self.subjects) > 1:
            raise ValueError(
                f"--born {born}: a BORN file belongs to one crystal, but {len(self.subjects)} are given; give a folder "
                "that holds ID.BORN for each"
            )
        output.mkdir(parents=True, exist_ok=True)
        self._lock = take_lock(output / LOCK)
        try:
            self._plan(output, born, retry)
        except BaseException:
            self._release()
            raise

    def _plan(self, output: Path, born: Path | None, retry: bool) -> None:
        """Take what is done from the folder, and list the tasks that are left."""
        self._folders = folders([subject.item.id for subject in self.subjects], output)
        self._tasks: list[Task] = []
        self._places: list[int] = []
        for i, (subject, folder) in enumerate(zip(self.subjects, self._folders, strict=True)):
            item = subject.item
            if isinstance(item, Rejection):
                self.results[i] = Result(item.id, item.source, item.formula, status="failed", reason=item.reason)
                continue
            charges = _born(born, item.id)
            kept = self._kept(folder, subject, item, charges)
            if kept is not None and not (retry and kept.status == "failed"):
                self.results[i] = kept
                continue
            self._tasks.append(Task(item, folder, charges, subject.expected))
            self._places.append(i)
        self._write()

    def _release(self) -> None:
        self._lock.release()

    def _kept(self, folder: Path, subject: Subject, crystal: Crystal, born: str) -> Result | None:
        """Result of an earlier run, if it is one of this crystal and these settings."""
        mark = claimed(folder)
        if mark and mark != forces_fingerprint(crystal, self.settings):
            raise Taken(folder)
        if mark == "":
            self._notes.append(f"{folder / INPUT}: missing or damaged; {crystal.id} is recalculated")
            return None
        try:
            result = Result.read(folder)
        except ValueError as error:
            self._notes.append(f"{error}; {crystal.id} is resumed from its finished stages")
            return None
        mark = fingerprint(crystal, self.settings, born, subject.expected)
        return result if result is not None and result.details.get("fingerprint") == mark else None

    @property
    def useful(self) -> bool:
        """Whether anything has a result or was shown to be unstable."""
        return any(result is not None and result.status != "failed" for result in self.results)

    def run(self, *, workers: int = 1, threads: int = 1) -> Iterator[str]:
        """Calculate what is left; yields lines that say how it goes.

        Parameters
        ----------
        workers : int
            Crystals at a time.
        threads : int
            Of each worker.

        Raises
        ------
        paraisite.phonons.run.BrokenPotential
            If the potential cannot be loaded.
        """
        try:
            yield from self._run(workers, threads)
        finally:
            self._release()

    def _run(self, workers: int, threads: int) -> Iterator[str]:
        total = len(self.subjects)
        done = total - len(self._tasks)
        yield from self._notes
        unread = [subject.item for subject in self.subjects if isinstance(subject.item, Rejection)]
        for item in unread:
            yield f"{item.source or item.id}: not read: {item.reason}"
        if done > len(unread):
            yield f"{done - len(unread)} of {total} already done"
        forecast = None
        if len(self._tasks) > 1 and isinstance(self.settings, Settings) and not self.settings.reference:
            forecast = Forecast([task.crystal for task in self._tasks], self.settings)
            yield f"{len(self._tasks)} crystals, about {forecast.n_supercells:.0f} displaced supercells"
        start = time.monotonic()
        begun: dict[int, float] = {}
        for event in run(self._tasks, self.job, workers=workers, threads=threads):
            name = f"{self._tasks[event.index].crystal.formula} ({self._tasks[event.index].crystal.id})"
            if event.kind == "start":
                begun[event.index] = time.monotonic()
                yield f"{name}: started"
            elif event.kind == "say":
                yield f"{name}: {event.text}"
            elif event.kind == "expect":
                if forecast and forecast.expect(event.index, event.seconds):
                    yield f"all crystals: about {_duration(forecast.left(workers))}, from the forces of {name}"
            elif event.result is not None:
                self.results[self._places[event.index]] = event.result
                done += 1
                self._write()
                if forecast:
                    forecast.finish(event.index, time.monotonic() - begun.get(event.index, start))
                    seconds = forecast.left(workers)
                else:
                    seconds = (time.monotonic() - start) / (done - (total - len(self._tasks))) * (total - done)
                left = f"; {_duration(seconds)} left" if done < total else ""
                outcome = _outcome(event.result, self.subjects[self._places[event.index]])
                yield f"[{done}/{total}] {name}: {outcome}{left}"

    def _write(self) -> None:
        columns, make = (quick_columns(self.settings.temperatures), quick_row) if self._quick else (COLUMNS, row)
        rows = [
            make(subject, result, self.settings.potential)
            for subject, result in zip(self.subjects, self.results, strict=True)
        ]
        write_summary([*rows, *self._others], self.summary, columns)


def _holds_results(summary: Path) -> bool:
    """Whether a folder holds more than a run that ended before its first crystal."""
    begun = any(path.is_dir() for path in summary.parent.iterdir())
    return begun or any(row["status"] != "pending" for row in read_summary(summary))


def _born(path: Path | None, id: str) -> str:
    """Content of the BORN file of a crystal; empty if there is none."""
    if path is None:
        return ""
    file = path / f"{id}.BORN" if path.is_dir() else path
    return file.read_text(encoding="utf-8") if file.is_file() else ""


def _outcome(result: Result, subject: Subject) -> str:
    kappa = result.kappa_W_mK
    if kappa is None:
        return f"{result.status}: {result.reason or '; '.join(result.notes)}"
    beside = "" if subject.label is None else f" (label {subject.label:.3g})"
    if subject.predicted.kappa is not None:
        beside += f" (predicted {subject.predicted.kappa:.3g})"
    seconds = f"{result.seconds:.0f} s"
    if (first := result.details.get("calls", {}).get("first_seconds")) is not None:
        seconds = f"{result.seconds:.1f} s (first call {first:.1f} s)"
    return f"{result.status}, κ = {kappa:.3g} W/m/K{beside}, {seconds}"


def _duration(seconds: float | None) -> str:
    if seconds is None:
        return "unknown time"
    return f"{seconds / 3600:.1f} h" if seconds > 5400 else f"{seconds / 60:.0f} min"
