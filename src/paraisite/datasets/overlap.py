"""What datasets, and the two sides of a split, have in common."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from paraisite.crystals.crystal import Crystal
from paraisite.datasets import duplicates
from paraisite.datasets.dataset import KAPPA, Dataset
from paraisite.datasets.groups import GROUPS, formulas, pairs
from paraisite.datasets.splits import Split

MAX_PAIRS = 20_000
"""More pairs of crystals of equal formula than this are not compared within a dataset (about three minutes)."""

Labels = Mapping[str, Sequence[Hashable]]
"""For each kind of group (see `GROUPS`) the label of every row."""


@dataclass(frozen=True, slots=True)
class Shared:
    """How much of a validation side also stands in training.

    Attributes
    ----------
    groups : int
        Distinct groups (say, formulas) of the validation rows.
    shared : int
        Those of them that have a training row, too.
    rows : int
        Validation rows in such a group.
    """

    groups: int
    shared: int
    rows: int


def labels(
    crystals: Sequence[Crystal], kinds: Iterable[str] = GROUPS, say: Callable[[str], None] = lambda kind: None
) -> dict[str, tuple[object, ...]]:
    """Label crystals by each kind of group; ``crystal`` is left out beyond `MAX_PAIRS` comparisons.

    Parameters
    ----------
    crystals : sequence of Crystal
    kinds : iterable of str
        Keys of `GROUPS`.
    say : callable
        Told each kind before it starts.
    """
    found = {}
    for kind in kinds:
        if kind != "crystal" or pairs(crystals) <= MAX_PAIRS:
            say(kind)
            found[kind] = GROUPS[kind](crystals)
    return found


def overlap(labels: Labels, split: Split) -> dict[str, Shared]:
    """Count, for each kind of group, what the validation side of a split shares with training."""
    found = {}
    for kind, own in labels.items():
        train = {own[row] for row in split.train}
        validation = [own[row] for row in split.validation]
        distinct = set(validation)
        found[kind] = Shared(len(distinct), len(distinct & train), sum(label in train for label in validation))
    return found


@dataclass(frozen=True, slots=True)
class Common:
    """What of one dataset also stands in another.

    Attributes
    ----------
    rows, formulas : int
        Rows and distinct formulas of the first.
    rows_of_shared_formula, shared_formulas : int
        Those of them whose formula the other has.
    shared_crystals : int
        Rows that are a crystal of the other.
    """

    rows: int
    formulas: int
    rows_of_shared_formula: int
    shared_formulas: int
    shared_crystals: int


def partners(
    crystals: Sequence[Crystal],
    others: Sequence[Crystal],
    matching: duplicates.Matching | None = None,
    *,
    workers: int = 1,
    progress: duplicates.Progress | None = None,
) -> list[list[int]]:
    """For each crystal the indices of the others that are the same crystal, by `duplicates.same_crystals`."""
    n = len(crystals)
    found: list[list[int]] = [[] for _ in range(n)]
    parts = [0] * n + [1] * len(others)
    both = [*crystals, *others]
    for group in duplicates.same_crystals(both, matching, parts=parts, workers=workers, progress=progress):
        of_others = [row - n for row in group if row >= n]
        for row in group:
            if row < n:
                found[row] = of_others
    return found


def reverse(partners: Sequence[Sequence[int]], n: int) -> list[list[int]]:
    """Partners of the n others, from those of the crystals."""
    found: list[list[int]] = [[] for _ in range(n)]
    for i, rows in enumerate(partners):
        for j in rows:
            found[j].append(i)
    return found


def common(crystals: Sequence[Crystal], others: Sequence[Crystal], partners: Sequence[Sequence[int]]) -> Common:
    """Count which formulas and crystals also stand among others; `partners` as of the function of that name."""
    own, known = formulas(crystals), set(formulas(others))
    return Common(
        rows=len(crystals),
        formulas=len(set(own)),
        rows_of_shared_formula=sum(formula in known for formula in own),
        shared_formulas=len(set(own) & known),
        shared_crystals=sum(map(bool, partners)),
    )


def shared_kappa(dataset: Dataset, other: Dataset, partners: Sequence[Sequence[int]]) -> tuple[np.ndarray, np.ndarray]:
    """Conductivities of the crystals that two datasets share.

    Parameters
    ----------
    dataset, other : Dataset
    partners : sequence of sequences of int
        Of `dataset` in `other`, as of the function of that name.

    Returns
    -------
    kappa : numpy.ndarray, shape (n_shared,)
        In `dataset`, in W m⁻¹ K⁻¹.
    kappa_other : numpy.ndarray, shape (n_shared,)
        In `other`; the geometric median (that of log10 kappa) where it has the crystal several times.
    """
    own, theirs = (_positive(d.targets.get(KAPPA, np.full(len(d), np.nan))) for d in (dataset, other))
    found = []
    for kappa, rows in zip(own, partners, strict=True):
        known = [theirs[row] for row in rows if np.isfinite(theirs[row])]
        if known and np.isfinite(kappa):
            found.append((kappa, 10 ** np.median(np.log10(known))))
    pairs_ = np.array(found, dtype=np.float64).reshape(-1, 2)
    return pairs_[:, 0], pairs_[:, 1]


@dataclass(frozen=True, slots=True)
class Recalibration:
    """The line log10 y = intercept + slope log10 x of least squares, and how well x says y without and with it.

    Attributes
    ----------
    n : int
        Crystals.
    slope, intercept : float
    male, male_before : float
        Mean absolute error in log10, of the line (on the crystals it is fitted to) and of x itself.
    ratio : float
        Median of y / x.
    spearman : float
        Rank correlation of x and y.
    """

    n: int
    slope: float
    intercept: float
    male: float
    male_before: float
    ratio: float
    spearman: float

    def __call__(self, x: np.ndarray) -> np.ndarray:
        """Value on the line."""
        return 10 ** (self.intercept + self.slope * np.log10(x))


def recalibrate(x: np.ndarray, y: np.ndarray) -> Recalibration:
    """Fit a line in log10.

    Parameters
    ----------
    x, y : numpy.ndarray, shape (n,)
        Positive.

    Raises
    ------
    ValueError
        If there are fewer than three different x.
    """
    from scipy.stats import spearmanr

    if len(np.unique(x)) < 3:
        raise ValueError(f"a line needs three different values, not {len(np.unique(x))}")
    log_x, log_y = np.log10(x), np.log10(y)
    slope, intercept = np.polyfit(log_x, log_y, 1)
    return Recalibration(
        n=len(x),
        slope=float(slope),
        intercept=float(intercept),
        male=float(np.mean(np.abs(log_y - intercept - slope * log_x))),
        male_before=float(np.mean(np.abs(log_y - log_x))),
        ratio=float(10 ** np.median(log_y - log_x)),
        spearman=float(spearmanr(x, y).statistic),
    )


def _positive(kappa: np.ndarray) -> np.ndarray:
    return np.where(np.isfinite(kappa) & (kappa > 0), kappa, np.nan)
