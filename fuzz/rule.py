"""The rule: whatever the input, a result or a typed error, no row lost, within the budget, and nothing is run.

`judge` holds a check to it for one input and raises `Finding` where it is broken. It needs nothing but what ParAIsite
needs, so that the corpus is replayed on every platform.
"""

from __future__ import annotations

import importlib
import os
import re
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from paraisite.crystals import Crystal, Rejection, guard
from paraisite.crystals.budget import allowed
from paraisite.crystals.elements import SYMBOLS
from paraisite.crystals.files import DAMAGED
from paraisite.crystals.read import checked
from paraisite.processes.limits import TimeExceeded

SECONDS = 10.0
"""Processor time that one input may take; all of them are small. The program itself stops after 30 s."""

READING = importlib.import_module("paraisite.crystals.read")  # its package has a function of that name
PACKAGE = f"{Path(guard.__file__).parents[1]}/"

_PYTHON = re.compile(
    r"Traceback|NoneType|object has no attribute|not subscriptable|unhashable|not iterable|index out of range|"
    r"could not convert|invalid literal for|<class '|unsupported operand|must be str|takes \d+ positional|\w+Error\b"
)
"""Words of Python that no reason may hold."""

_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
_RUNS = (
    "os.system os.exec os.posix_spawn os.spawn os.fork subprocess.Popen socket.connect socket.bind pickle.find_class "
    "ctypes.dlopen shutil.rmtree"
).split()


class Finding(Exception):
    """The rule is broken; `signature` is the same for inputs that break it at the same place."""

    def __init__(self, signature: str, detail: str = "") -> None:
        super().__init__(f"{signature}\n{detail}".strip())
        self.signature = signature


def broken(signature: str, detail: str = "") -> NoReturn:
    """Say that the rule is broken."""
    raise Finding(signature, detail)


@dataclass(slots=True)
class _Seen:
    """What happened while an input was judged."""

    folder: str = ""
    active: bool = False
    events: list[str] = field(default_factory=list)
    errors: list[BaseException] = field(default_factory=list)
    floor: int = 0
    """Peak of memory, in bytes, before the first input, or after the last finding."""
    peak: int = 0
    unforeseen: dict[str, str] = field(default_factory=dict)
    """Place -> exception that only the guard around each item caught."""


SEEN = _Seen()


def judge(check: Callable[[bytes, Path], None], errors: tuple[type[Exception], ...], data: bytes) -> None:
    """Run a check on an input.

    Parameters
    ----------
    check : callable
        Takes the input and an empty folder; raises `Finding` where a result is wrong.
    errors : tuple of exception types
        What it may raise.
    data : bytes

    Raises
    ------
    Finding
    """
    _watch()
    SEEN.events.clear()
    SEEN.errors.clear()
    with _scratch() as folder, _noted():
        start = time.perf_counter()
        SEEN.folder, SEEN.active = str(folder), True
        try:
            check(data, folder)
        except errors as error:
            _judge_reason(str(error), str(folder))
        except (Finding, KeyboardInterrupt):
            raise
        except BaseException as error:  # a limit of time, or SystemExit, too
            broken(_place(error), "".join(traceback.format_exception(error)))
        finally:
            SEEN.active = False
        took, before, SEEN.peak = time.perf_counter() - start, SEEN.peak, _peak()
    for caught in SEEN.errors:
        if isinstance(caught, (MemoryError, TimeExceeded)):
            broken(f"{'memory' if isinstance(caught, MemoryError) else 'time'}: {_place(caught)}")
        if not isinstance(caught, (RecursionError, *DAMAGED)):
            SEEN.unforeseen.setdefault(_place(caught), str(caught)[:200])
    if SEEN.events:
        broken(f"effect: {SEEN.events[0]}")
    if took > SECONDS and (took := _processor_time(check, data)) > SECONDS:
        broken("time", f"{took:.1f} s of processor time for {len(data)} bytes")
    if SEEN.peak > before and SEEN.peak - SEEN.floor > allowed(len(data)):
        grown, SEEN.floor = SEEN.peak - SEEN.floor, SEEN.peak
        broken("memory", f"{grown >> 20} MiB for {len(data)} bytes")


def _processor_time(check: Callable[[bytes, Path], None], data: bytes) -> float:
    """Time of a check on a machine that may be busy with something else; asking for it each time is too slow."""
    with _scratch() as folder:
        start = time.process_time()
        with suppress(Exception, TimeExceeded):
            check(data, folder)
        return time.process_time() - start


def items(found: Iterable[Crystal | Rejection], *, n: int | None = None) -> list[Crystal | Rejection]:
    """Hold what a reader yields to the rule: `n` rows if that is known, else at least one, each of them whole."""
    rows = [checked(item) for item in found]
    if n is not None and len(rows) != n:
        broken("rows", f"{n} in, {len(rows)} out: {[getattr(row, 'reason', 'crystal') for row in rows][:5]}")
    if not rows:
        broken("rows: none")
    for row in rows:
        if not isinstance(row.id, str) or not isinstance(row.source, str):
            broken("row: id or source is not a text", repr(row.id))
        if isinstance(row, Rejection):
            _judge_reason(row.reason)
        else:
            _judge_crystal(row)
    return rows


def _judge_crystal(crystal: Crystal) -> None:
    n = len(crystal.numbers)
    if crystal.cell.shape != (3, 3) or crystal.positions.shape != (n, 3) or crystal.numbers.shape != (n,) or not n:
        broken("crystal: shapes")
    if not (np.isfinite(crystal.cell).all() and np.isfinite(crystal.positions).all()):
        broken("crystal: a number is not finite")
    if crystal.numbers.min() < 1 or crystal.numbers.max() >= len(SYMBOLS) or crystal.numbers.dtype.kind != "i":
        broken("crystal: atomic numbers", repr(crystal.numbers))
    if not isinstance(crystal.notes, tuple) or not all(isinstance(note, str) and note for note in crystal.notes):
        broken("crystal: notes", repr(crystal.notes))
    if not crystal.formula or not crystal.volume > 0.0:
        broken("crystal: formula or volume")


def _judge_reason(reason: str, folder: str = "\0") -> None:
    if not reason.strip():
        broken("reason: empty")
    text = re.sub(r"""(['"]).*?\1""", "", reason.replace(folder, ""))  # what is quoted of the input may say anything
    if word := _PYTHON.search(text):
        broken(f"reason: says {word[0]}", reason)


def _place(error: BaseException) -> str:
    """Kind of an exception, and where in ParAIsite it came from."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename.startswith(PACKAGE)]
    where = f"{frames[-1].filename.removeprefix(PACKAGE)}:{frames[-1].name}" if frames else "?"
    return f"{type(error).__name__} in {where}"


def _watch() -> None:
    """Once: begin to note what the process does beside computing, for good as hooks cannot be removed."""
    if not SEEN.floor:
        SEEN.floor = SEEN.peak = max(_peak(), 1)
        sys.addaudithook(_audit)


@contextmanager
def _noted() -> Iterator[None]:
    """Note what the guard around each item catches."""
    explain = guard.explain

    def noted(error: BaseException) -> str:
        SEEN.errors.append(error)
        return explain(error)

    for module in (guard, READING):
        setattr(module, "explain", noted)  # noqa: B010
    try:
        yield
    finally:
        for module in (guard, READING):
            setattr(module, "explain", explain)  # noqa: B010


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    if not SEEN.active:
        return
    if event == "open":
        path, mode, flags = arguments
        writes = bool(set(mode) & set("wax+")) if isinstance(mode, str) else bool((flags or 0) & _WRITING)
        if writes and not isinstance(path, int) and not _is_inside(path):
            SEEN.events.append(f"writes outside its folder: {str(path)[:200]}")
    elif event in _RUNS and not (event == "shutil.rmtree" and _is_inside(arguments[0])):
        SEEN.events.append(event)


def _is_inside(path: Any) -> bool:
    return Path(os.fsdecode(path)).is_relative_to(SEEN.folder) or path == os.devnull


def _peak() -> int:
    """Greatest memory of this process so far, in bytes; 0 where the system does not tell."""
    try:
        import resource
    except ImportError:  # Windows
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


@contextmanager
def _scratch() -> Iterator[Path]:
    """An empty folder, in memory where the system has such."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(prefix="fuzz-", dir=memory if memory.is_dir() else None) as folder:
        yield Path(folder)
