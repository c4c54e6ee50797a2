"""`clean`: apply the rules of `cleaning_rules` to a dataset, and account for every row."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from paraisite.datasets.cleaning_checks import CHECKS, Rows
from paraisite.datasets.cleaning_rules import Rules
from paraisite.datasets.dataset import FLAGS, KAPPA, Dataset
from paraisite.datasets.duplicates import Matching, Progress, by_content, same_crystals
from paraisite.files.writing import write_csv, write_json
from paraisite.versions import versions

Fate = Literal["kept", "flagged", "merged", "dropped"]
FATES: tuple[Fate, ...] = ("kept", "flagged", "merged", "dropped")
"""What can become of a row, from the mildest on."""

MERGED_FROM, SPREAD = "merged_from", "kappa_spread_log10"
"""Labels of a cleaned dataset beside `FLAGS`: ids that a row stands for, and how far their kappa spread."""

UNREADABLE = "unreadable"
"""The rule of rows that were rejected when the dataset was read."""


@dataclass(slots=True)
class CleanedRow:
    """What became of one row: its fate, the rules that spoke, and why."""

    id: str
    formula: str
    kappa: float
    fate: Fate = "kept"
    rules: list[str] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)

    def add(self, fate: Fate, rule: str, reason: str) -> None:
        """Note a finding; the gravest decides the fate."""
        self.fate = max(self.fate, fate, key=FATES.index)
        if rule and rule not in self.rules:
            self.rules.append(rule)
        self.reasons.append(reason)


@dataclass(frozen=True, slots=True, eq=False)
class Cleaning:
    """A cleaned dataset and the account of its rows.

    Attributes
    ----------
    dataset : Dataset
        What remains, in the order it had; doubts stand in its labels.
    rows : tuple of CleanedRow
        One for each row of the input, in order, then one for each that could not be read.
    summary : dict
        Counts, thresholds, content hashes, seconds and versions, as `cleaning.json` holds them.
    """

    dataset: Dataset
    rows: tuple[CleanedRow, ...]
    summary: dict[str, Any]


def clean(
    dataset: Dataset,
    rules: Rules | None = None,
    *,
    keep_all: bool = False,
    workers: int = 1,
    progress: Progress | None = None,
) -> Cleaning:
    """Apply the rules to every row.

    A crystal that stands there several times becomes one row: of those with kappa that no rule doubts (of all with
    kappa, if all are doubted), the one with the median kappa (of an even number, the lower of the middle two), with
    the median of every target (of kappa in log10), for which again undoubted values, where there are any, have the say.

    Parameters
    ----------
    dataset : Dataset
    rules : Rules, optional
        By default those that ship.
    keep_all : bool
        Drop and merge nothing, flag it: rows, targets and content hash stay as they are.
    workers : int
        Processes that compare crystals. The result does not depend on it.
    progress : callable, optional
        Called with the pairs of crystals compared so far and all pairs.
    """
    rules = rules or Rules()
    start = time.perf_counter()
    kappa = dataset.targets.get(KAPPA, np.full(len(dataset), np.nan))
    account = [CleanedRow(c.id, f, float(k)) for c, f, k in zip(dataset.crystals, dataset.formulas, kappa, strict=True)]
    rows = Rows(dataset, np.ones(len(dataset), dtype=bool), rules, [])
    found: dict[str, dict[str, int]] = {}
    for name, check in CHECKS.items():
        action = getattr(rules, name).action
        if action == "off":
            continue
        hits: dict[int, list[str]] = {}
        for i, reason in check(rows):
            hits.setdefault(int(i), []).append(reason)
        fate: Fate = "dropped" if action == "drop" else "flagged"
        for i, reasons in hits.items():
            account[i].add(fate, name, "; ".join(reasons))
        found[name] = {fate: len(hits)}
        if action == "drop" and hits:
            alive = rows.alive.copy()
            alive[list(hits)] = False
            rows = replace(rows, alive=alive)

    searched = time.perf_counter()
    groups: list[tuple[int, ...]] = []
    if rules.duplicates.action != "off":
        found["duplicates"] = {"merged" if rules.duplicates.action == "merge" else "flagged": 0}
        if rules.conflict.action != "off":
            found["conflict"] = {"dropped" if rules.conflict.action == "drop" else "flagged": 0}
        living = np.flatnonzero(rows.alive)
        matching = Matching(**rules.duplicates.model_dump(exclude={"action"}))
        crystals = [dataset.crystals[i] for i in living]
        groups = [
            tuple(int(living[i]) for i in group)
            for group in same_crystals(crystals, matching, workers=workers, progress=progress)
        ]
    matched = time.perf_counter()
    merged = [_merge_group(dataset, group, account, rules, found, keep_all) for group in groups]

    remains = _keep_all(dataset, account) if keep_all else _reduce(dataset, account, merged)
    account += [
        CleanedRow(r.id, "", math.nan, "dropped", [UNREADABLE], [f"{r.source}: {r.reason}"]) for r in dataset.rejections
    ]
    if dataset.rejections:
        found[UNREADABLE] = {"dropped": len(dataset.rejections)}
    fates = {fate: sum(row.fate == fate for row in account) for fate in FATES}
    summary = {
        "dataset": dataset.name,
        "keep_all": keep_all,
        "rows": {"before": len(account), "after": len(remains)},
        "fates": fates,
        "rules": found,
        "duplicates": {"groups": len(groups), "rows": sum(map(len, groups))},
        "thresholds": rules.model_dump(mode="json"),
        "content_hash": {"before": dataset.content_hash, "after": remains.content_hash},
        "seconds": {"rules": round(searched - start, 1), "duplicates": round(matched - searched, 1)},
        "notes": list(dict.fromkeys(rows.notes)),
        "versions": versions(),
    }
    return Cleaning(remains, tuple(account), summary)


def median_kappa(values: Sequence[float]) -> float:
    """Median in log10 of what is positive and finite: of an even number, the geometric mean of the middle two.

    NaN of nothing.
    """
    ordered = sorted(value for value in values if 0 < value < math.inf)
    if not ordered:
        return math.nan
    low, high = ordered[(len(ordered) - 1) // 2], ordered[len(ordered) // 2]
    return low if low == high else math.sqrt(low * high)  # rounds alike everywhere, unlike a logarithm


def median(values: np.ndarray) -> float:
    """Median of the values that are known; NaN of nothing."""
    known = values[~np.isnan(values)]
    return float(np.median(known)) if len(known) else math.nan


@dataclass(frozen=True, slots=True)
class _Merged:
    """The row that stands for a group of the same crystal, and what it gets."""

    row: int
    targets: dict[str, float]
    others: tuple[str, ...]
    spread: float


def _merge_group(
    dataset: Dataset,
    group: tuple[int, ...],
    account: list[CleanedRow],
    rules: Rules,
    found: dict[str, dict[str, int]],
    keep_all: bool,
) -> _Merged:
    """Choose the row that stands for a group, and note what becomes of all of them."""
    kept = [i for i in group if account[i].fate == "kept"]
    valued = [i for i in group if 0 < account[i].kappa < math.inf]  # the others have no say in kappa
    trusted = [i for i in kept if i in valued] or valued or kept or list(group)
    kappa = {i: account[i].kappa for i in trusted}
    middle = median_kappa(list(kappa.values()))
    known = {i: math.log10(value) for i, value in kappa.items() if 0 < value < math.inf}
    spread = max(known.values()) - min(known.values()) if known else 0.0
    # rows of equal kappa in the order of what they hold, not of the file
    ordered = sorted(
        known or trusted, key=lambda i: (known.get(i, 0.0), by_content(dataset.crystals[i]), account[i].id)
    )
    chosen = ordered[(len(ordered) - 1) // 2 if known else 0]
    targets = {name: median(values[kept]) for name, values in dataset.targets.items()}
    targets |= {name: median(dataset.targets[name][trusted]) for name, value in targets.items() if math.isnan(value)}
    if KAPPA in targets:
        targets[KAPPA] = middle

    fate: Fate = "merged" if rules.duplicates.action == "merge" else "flagged"
    for i in group:
        if i != chosen:
            account[i].add(fate, "duplicates", f"the same crystal as {account[chosen].id}")
            found["duplicates"][fate] += 1
    if fate == "merged" and not keep_all:
        account[chosen].reasons.append(
            f"represents {len(group)} rows of the same crystal: median of {len(trusted)} that no rule flags, "
            f"spread {spread:.3f} in log10"
            if account[chosen].fate == "kept"
            else f"represents {len(group)} rows of the same crystal, all values flagged: their median, "
            f"spread {spread:.3f}"
        )
    if spread > rules.conflict.dex and rules.conflict.action != "off":
        doubt: Fate = "dropped" if rules.conflict.action == "drop" else "flagged"
        values = ", ".join(f"{account[i].id} {account[i].kappa:.4g}" for i in trusted)
        for i in trusted:
            account[i].add(doubt, "conflict", f"kappa of the same crystal spreads by {spread:.2f} in log10: {values}")
            found["conflict"][doubt] += 1
    return _Merged(chosen, targets, tuple(account[i].id for i in group if i != chosen), spread)


def _reduce(dataset: Dataset, account: list[CleanedRow], merged: list[_Merged]) -> Dataset:
    """Take what is neither dropped nor merged, with the medians of what was merged."""
    if not any(row.fate == "merged" for row in account):
        merged = []
    targets = {name: values.copy() for name, values in dataset.targets.items()}
    others, spread = [""] * len(dataset), [""] * len(dataset)
    for group in merged:
        for name, value in group.targets.items():
            targets[name][group.row] = value
        others[group.row] = " ".join(group.others)
        spread[group.row] = f"{group.spread:.4f}"
    labels = dataset.labels | {FLAGS: _flags(dataset, account)}
    if merged:
        labels |= {MERGED_FROM: tuple(others), SPREAD: tuple(spread)}
    whole = replace(dataset, targets=targets, labels=labels)
    return replace(
        whole.take([i for i, row in enumerate(account) if row.fate in ("kept", "flagged")]),
        rejections=dataset.rejections,
    )


def _keep_all(dataset: Dataset, account: list[CleanedRow]) -> Dataset:
    """Turn whatever would go into flags."""
    for row in account:
        if row.fate in ("merged", "dropped"):
            row.reasons.append(f"would be {row.fate} without keep-all")
            row.fate = "flagged"
    return replace(dataset, labels=dataset.labels | {FLAGS: _flags(dataset, account)})


def _flags(dataset: Dataset, account: list[CleanedRow]) -> tuple[str, ...]:
    """Names of the rules that doubt each row, after those of an earlier cleaning."""
    earlier = dataset.labels.get(FLAGS, ("",) * len(dataset))
    return tuple(" ".join(dict.fromkeys([*old.split(), *row.rules])) for old, row in zip(earlier, account, strict=True))


def write_cleaning(cleaning: Cleaning, folder: str | Path, terms: Mapping[str, Any] | None = None) -> Path:
    """Store a cleaned dataset with its account: `cleaning.csv` (one line for each row) and `cleaning.json`.

    `terms` (see `store.inherited`) are licence, citation, units and notes.

    Raises
    ------
    DatasetError
        If the folder cannot be written.
    """
    from paraisite.datasets.store import write_dataset

    summary = cleaning.summary
    origin = {"cleaned": summary["dataset"], "content_hash": summary["content_hash"]["before"]}
    folder = write_dataset(cleaning.dataset, folder, origin=origin, **(terms or {}))
    rows = (
        (
            row.id,
            row.formula,
            "" if math.isnan(row.kappa) else repr(row.kappa),
            row.fate,
            ";".join(row.rules),
            "; ".join(row.reasons),
        )
        for row in cleaning.rows
    )
    write_csv(folder / "cleaning.csv", ("id", "formula", "kappa_W_mK", "action", "rule", "reason"), rows)
    write_json(folder / "cleaning.json", summary, ensure_ascii=False)
    return folder
