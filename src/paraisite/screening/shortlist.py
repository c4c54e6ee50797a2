"""`Wish` and `shortlist`: the rows of a table of predictions that are worth a closer look, the best first."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa
from pyarrow import parquet

from paraisite.files import arrow
from paraisite.files.outputs import refuse_existing
from paraisite.files.writing import write_bytes
from paraisite.prediction.prediction import OLD_COLUMNS
from paraisite.prediction.write import RELAXED_CIF, CsvWriter
from paraisite.screening.expression import Expression

Rank = Literal["expected", "probability", "bound", "uncertainty"]

TOP = 100
"""Rows of a shortlist, unless said otherwise."""

PROBABILITY, SYSTEM = "probability", "chemical_system"
"""Columns that a shortlist has besides those of a prediction."""

_NUMBERS = ("kappa_W_mK", "kappa_low_W_mK", "kappa_high_W_mK", "log10_std")


class ShortlistError(ValueError):
    """A table cannot be searched in the way that is wished for; the message says why and what to do."""


@dataclass(frozen=True)
class Wish:
    """What a shortlist shall hold.

    Attributes
    ----------
    below, above : float or None
        Bounds of kappa in W/m/K; what is looked for lies between them. High values are looked for if only `above` is
        given, low ones otherwise.
    rank : {"expected", "probability", "bound", "uncertainty"}
        ``expected`` orders by kappa; ``probability`` by the probability that kappa lies within the bounds; ``bound`` by
        the end of the interval on the side that is looked for: what could be the lowest, or the highest;
        ``uncertainty`` by the spread, the widest first. A row must lie within the bounds with kappa, or with that end
        under ``bound``.
    top : int
        Rows at most.
    per_system : int or None
        Rows at most of one chemical system (set of elements).
    keep : callable, optional
        Told a table; returns which rows may be taken, shape (rows,), bool.
    """

    below: float | None = None
    above: float | None = None
    rank: Rank = "expected"
    top: int = TOP
    per_system: int | None = None
    keep: Callable[[pa.Table], np.ndarray] | None = None

    def __post_init__(self) -> None:
        for name in ("below", "above"):
            value = getattr(self, name)
            if value is not None and not 0 < value < np.inf:
                raise ShortlistError(f"--{name} {value:g}: a conductivity in W/m/K must be above 0")
        if self.below is not None and self.above is not None and self.above >= self.below:
            raise ShortlistError(f"above {self.above:g} and below {self.below:g} exclude every value; swap them?")
        if self.rank == "probability" and not self.bounded:
            raise ShortlistError("a ranking by probability needs a bound on kappa: give below or above")
        if self.top < 1 or (self.per_system is not None and self.per_system < 1):
            raise ShortlistError("top and per_system must be at least 1")

    @property
    def bounded(self) -> bool:
        """Whether there is a bound at all."""
        return self.below is not None or self.above is not None

    @property
    def high(self) -> bool:
        """Whether high values are looked for."""
        return self.above is not None and self.below is None

    @property
    def words(self) -> str:
        """The bounds, as in ``κ < 2 W/m/K``; empty without bounds."""
        if not self.bounded:
            return ""
        if self.high:
            return f"κ > {self.above:g} W/m/K"
        low = f"{self.above:g} < " if self.above is not None else ""
        return f"{low}κ < {self.below:g} W/m/K"


def shortlist(path: Path, wish: Wish = Wish()) -> pa.Table:
    """Search a table of predictions, row group by row group.

    Parameters
    ----------
    path : Path
        Parquet with the columns of a prediction.
    wish : Wish

    Returns
    -------
    pyarrow.Table
        At most `wish.top` rows, the best first, equal ones in the order of the table; the columns of the table, and
        `probability` (that kappa lies within the bounds; null without bounds or without a calibrated spread) and
        `chemical_system` (such as ``Mg-O``).

    Raises
    ------
    ShortlistError
        If the file is not such a table, or has no intervals where the ranking needs them.
    """
    return search(row_groups(path), wish, path)


def search(tables: Iterable[pa.Table], wish: Wish, name: Path | str = "the table") -> pa.Table:
    """Do what `shortlist` does, with tables that come one after the other."""
    best: pa.Table | None = None
    best_score = np.zeros(0)
    lacks = 0
    for table in tables:
        score = _score(table, wish)
        if best is None:
            best = _extended(table.slice(0, 0), wish)
        lacks += int(np.isnan(score).sum())
        rows = np.flatnonzero(np.isfinite(score))
        if best.num_rows == wish.top:  # ties go to those that came first
            rows = rows[score[rows] < best_score[-1]]
        if not len(rows):
            continue
        if wish.keep is not None:
            rows = rows[np.asarray(wish.keep(table), dtype=bool)[rows]]
        both = pa.concat_tables([best, _extended(table.take(arrow.numbers(rows, pa.int64())), wish)])
        both_score = np.concatenate([best_score, score[rows]])
        taken = _take(both_score, both.column(SYSTEM), wish)
        best, best_score = both.take(arrow.numbers(taken, pa.int64())), both_score[taken]
    if best is None:
        raise ShortlistError(f"{name} holds no rows")
    if lacks and not best.num_rows:
        raise ShortlistError(
            f"{name} has no intervals, which a ranking by {wish.rank} needs; rank by `expected`, or predict with a "
            "model that is calibrated"
        )
    return best


def check_table(path: Path) -> None:
    """Raise a ShortlistError unless a file is a table of predictions in Parquet."""
    try:
        names = parquet.read_schema(path).names
    except (pa.ArrowException, OSError) as error:
        line = str(error).splitlines()[0]
        raise ShortlistError(
            f"{path}: not readable as Parquet ({line}); `paraisite screen … -o FILE.parquet` and `paraisite predict … "
            "-o FILE.parquet` write it"
        ) from None
    if missing := [column for column in OLD_COLUMNS if column not in names]:
        raise ShortlistError(f"{path}: not a table of predictions (no column {missing[0]})")


def condition(where: str, path: Path) -> Callable[[pa.Table], np.ndarray] | None:
    """Parse a condition on the columns of a table of predictions, for `Wish.keep`; None if it is empty.

    Raises
    ------
    ShortlistError
        If the file is not a table of predictions in Parquet, or the condition cannot be understood.
    """
    check_table(path)
    return keeping(where, parquet.read_schema(path).names)


def keeping(where: str, columns: Sequence[str]) -> Callable[[pa.Table], np.ndarray] | None:
    """Parse a condition on columns that a table has or will have; see `condition`."""
    if not where:
        return None
    try:
        return Expression(where, columns).mask
    except ValueError as error:
        raise ShortlistError(f"--where: {error}") from None


def row_groups(path: Path, columns: Iterable[str] | None = None) -> Iterable[pa.Table]:
    """Yield a table of predictions in pieces.

    Raises
    ------
    ShortlistError
        If the file is not a table of predictions in Parquet.
    """
    check_table(path)
    file = parquet.ParquetFile(path)
    wanted = None if columns is None else list(columns)
    for i in range(file.num_row_groups):
        try:
            yield file.read_row_group(i, columns=wanted)
        except (pa.ArrowException, OSError) as error:
            raise ShortlistError(f"{path}: row group {i} is damaged ({error}); make the table again") from None


def probability(
    kappa: np.ndarray, log10_std: np.ndarray, *, below: float | None = None, above: float | None = None
) -> np.ndarray:
    """Probability that a conductivity lies between bounds.

    Parameters
    ----------
    kappa : numpy.ndarray, shape (n,)
        Central estimate in W/m/K.
    log10_std : numpy.ndarray, shape (n,)
        Standard deviation of the predictive distribution of log10 kappa, which is taken for a normal one.
    below, above : float, optional
        Bounds in W/m/K.

    Returns
    -------
    numpy.ndarray, shape (n,)
        NaN where the spread is unknown, and everywhere without bounds.
    """
    from scipy.special import ndtr

    if below is None and above is None:
        return np.full(len(kappa), np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        centre = np.log10(kappa)
        up_to = 1.0 if below is None else ndtr((np.log10(below) - centre) / log10_std)
        return np.asarray(up_to - (0.0 if above is None else ndtr((np.log10(above) - centre) / log10_std)))


def write_csv(table: pa.Table, path: Path, *, overwrite: bool = False) -> None:
    """Write a shortlist as CSV, `rank` first; the same one may be there already.

    Raises
    ------
    OutputExists
        If there is anything else, and `overwrite` is not given.
    """
    table = table.select([name for name in table.column_names if name != RELAXED_CIF])  # of many lines each
    text = io.StringIO(newline="")
    writer = CsvWriter(text, ["rank", *table.column_names])
    for rank, row in enumerate(table.to_pylist(), start=1):
        writer.write({"rank": rank} | row)
    content = text.getvalue().encode()
    if path.is_file() and path.read_bytes() == content:
        return
    refuse_existing(path, overwrite, "move it away, or choose with `paraisite report` from the finished table")
    write_bytes(path, content)


@lru_cache(maxsize=65536)
def elements_of(formula: str) -> tuple[str, ...]:
    """Element symbols of a formula, each once, in the order of the alphabet."""
    return tuple(sorted(set(re.findall(r"[A-Z][a-z]?", formula))))


def _score(table: pa.Table, wish: Wish) -> np.ndarray:
    """Rank of each row, low is good; infinite where it is not wanted, NaN where what is needed is not there."""
    kappa, low, high, std = (arrow.floats(table.column(name)) for name in _NUMBERS)
    sign = -1.0 if wish.high else 1.0
    edge = kappa if wish.rank != "bound" else high if wish.high else low
    score = sign * edge
    if wish.rank == "probability":
        score = -probability(kappa, std, below=wish.below, above=wish.above)
    elif wish.rank == "uncertainty":
        score = -std
    wanted = np.isfinite(kappa)
    with np.errstate(invalid="ignore"):
        if wish.below is not None:
            wanted &= ~(edge >= wish.below)
        if wish.above is not None:
            # an interval that only reaches below the window is still of interest where low values are looked for
            wanted &= ~((kappa if wish.rank == "bound" and not wish.high else edge) <= wish.above)
    return np.where(wanted, score, np.inf)


def _take(score: np.ndarray, systems: pa.ChunkedArray, wish: Wish) -> np.ndarray:
    order = np.argsort(score, kind="stable")
    if wish.per_system is None:
        return order[: wish.top]
    names = systems.to_pylist()
    count: dict[str, int] = {}
    taken: list[int] = []
    for row in order.tolist():
        count[names[row]] = n = count.get(names[row], 0) + 1
        if n <= wish.per_system:
            taken.append(row)
            if len(taken) == wish.top:
                break
    return np.array(taken, dtype=np.int64)


def _extended(table: pa.Table, wish: Wish) -> pa.Table:
    kappa, std = arrow.floats(table.column("kappa_W_mK")), arrow.floats(table.column("log10_std"))
    within = probability(kappa, std, below=wish.below, above=wish.above)
    known = np.isfinite(within)
    systems = ["-".join(elements_of(formula)) for formula in table.column("formula").to_pylist()]
    table = table.append_column(PROBABILITY, arrow.numbers(np.where(known, within, 0.0), pa.float64(), known))
    return table.append_column(SYSTEM, arrow.texts(systems))
