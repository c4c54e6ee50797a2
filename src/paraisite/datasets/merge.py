"""`merge`: one dataset of several, and `join`: further targets for the crystals that are there."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from paraisite.crystals.crystal import Crystal
from paraisite.datasets.clean import median, median_kappa
from paraisite.datasets.dataset import KAPPA, Dataset, concat
from paraisite.datasets.duplicates import Matching, Progress, components, same_crystals
from paraisite.datasets.overlap import partners
from paraisite.datasets.registry import find
from paraisite.datasets.table import PER_CELL, DatasetError, read_table
from paraisite.files.writing import write_csv, write_json
from paraisite.versions import versions

Policy = Literal["prefer", "median", "keep-all"]
By = Literal["crystal", "id"]

FIDELITY, SAME_AS = "fidelity", "same_as"
"""Labels of a merged dataset: how a row's values were made, and the rows of other datasets with the same crystal."""


@dataclass(frozen=True, slots=True)
class MergedRow:
    """What became of one row: kept as it is, merged (its values entered another row) or dropped for another row."""

    dataset: str
    id: str
    formula: str
    action: Literal["kept", "merged", "dropped"]
    reason: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Merging:
    """The account of a merge: one entry for each row of the inputs, in order, and what `merging.json` holds."""

    rows: tuple[MergedRow, ...]
    summary: dict[str, Any]


def merge(
    datasets: Sequence[Dataset],
    policy: Policy = "prefer",
    prefer: Sequence[str] = (),
    *,
    by: By = "crystal",
    name: str | None = None,
    matching: Matching | None = None,
    workers: int = 1,
    progress: Progress | None = None,
) -> tuple[Dataset, Merging]:
    """Put datasets together, one after another, crystals that several of them hold being dealt with by `policy`.

    Only rows of different datasets are compared: what stands twice in one of them stays (`clean` merges that).

    Parameters
    ----------
    datasets : sequence of Dataset
        One or more, of different names.
    policy : {"prefer", "median", "keep-all"}
        ``prefer``: keep the rows of the dataset that `prefer` names first (of those that know its kappa, if any does)
        and drop the others. ``median``: keep the same rows, with the median over all rows of that crystal of every
        target (of kappa in log10).
        ``keep-all``: keep every row; the label `same_as` names the others.
    prefer : sequence of str
        Names of datasets, best first. Those not named follow in the order given.
    by : {"crystal", "id"}
        What is the same: crystals that `same_crystals` matches, or rows of equal id.
    name : str, optional
        By default the names joined by ``+``.
    matching, workers, progress
        For `same_crystals`.

    Returns
    -------
    Dataset
        Rows in the order of `datasets`; `provenance` and the label `fidelity` say where values come from.
    Merging
        The account.

    Raises
    ------
    DatasetError
        If there is no dataset, two have one name, or `prefer` names another.
    """
    names = [dataset.name for dataset in datasets]
    if not datasets:
        raise DatasetError("no datasets to merge; name one or more")
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise DatasetError(f"{', '.join(twice)}: given twice; rename the folder of one, or name each dataset once")
    if unknown := [wanted for wanted in prefer if wanted not in names]:
        raise DatasetError(f"cannot prefer {', '.join(unknown)}: the datasets are {', '.join(names)}")
    ranking = [*dict.fromkeys(prefer), *(name for name in names if name not in prefer)]
    rank = [ranking.index(name) for name in names]

    whole = concat(datasets, name or "+".join(names))
    part = [k for k, dataset in enumerate(datasets) for _ in range(len(dataset))]
    if by == "crystal":
        groups = same_crystals(whole.crystals, matching, parts=part, workers=workers, progress=progress)
    else:
        groups = _same_ids(whole, part)

    fates: list[Literal["kept", "merged", "dropped"]] = ["kept"] * len(whole)
    reasons = [""] * len(whole)
    same_as = [""] * len(whole)
    targets = {target: values.copy() for target, values in whole.targets.items()}
    known = ~np.isnan(targets.get(KAPPA, np.full(len(whole), np.nan)))
    for group in groups:
        # no conductivity is dropped for a row without one
        best = min(rank[part[i]] for i in ([i for i in group if known[i]] or group))
        stay = [i for i in group if rank[part[i]] == best] if policy != "keep-all" else list(group)
        for i in group:
            others = [f"{names[part[j]]}:{whole.crystals[j].id}" for j in group if part[j] != part[i]]
            if i in stay:
                same_as[i] = " ".join(others)
            else:
                fates[i] = "merged" if policy == "median" else "dropped"
                reasons[i] = (
                    f"the same crystal as {', '.join(f'{names[part[j]]}:{whole.crystals[j].id}' for j in stay)}"
                )
        if policy == "median":
            for target, values in whole.targets.items():
                middle = median_kappa(values[list(group)].tolist()) if target == KAPPA else median(values[list(group)])
                targets[target][stay] = middle
            for i in stay:
                reasons[i] = f"median of {len(group)} rows of the same crystal"

    labels = whole.labels | {FIDELITY: _fidelity(whole)}
    if any(same_as):
        labels |= {SAME_AS: tuple(same_as)}
    whole = replace(whole, targets=targets, labels=labels)
    stayed = [i for i, fate in enumerate(fates) if fate == "kept"]
    merged, renamed = _own_ids(whole.take(stayed), [names[part[i]] for i in stayed])
    merged = replace(merged, rejections=whole.rejections)
    rows = tuple(
        MergedRow(names[part[i]], crystal.id, formula, fates[i], reasons[i])
        for i, (crystal, formula) in enumerate(zip(whole.crystals, whole.formulas, strict=True))
    )
    counts: dict[str, dict[str, int]] = {name: {"kept": 0, "merged": 0, "dropped": 0} for name in names}
    for row in rows:
        counts[row.dataset][row.action] += 1
    summary = {
        "policy": policy,
        "prefer": ranking,
        "by": by,
        "matching": (matching or Matching()).model_dump() if by == "crystal" else None,
        "rows": {"before": len(rows), "after": len(merged)},
        "datasets": counts,
        "same_crystals": len(groups),
        "mixed_fidelities": _mixed(whole, groups) if policy == "median" else 0,
        "renamed_ids": renamed,
        "content_hash": {dataset.name: dataset.content_hash for dataset in datasets} | {"merged": merged.content_hash},
        "versions": versions(),
    }
    return merged, Merging(rows, summary)


def join(
    dataset: Dataset,
    other: Dataset | str | Path,
    *,
    by: By | None = None,
    matching: Matching | None = None,
    workers: int = 1,
    progress: Progress | None = None,
) -> tuple[Dataset, dict[str, Any]]:
    """Fill in targets that a table, or the same crystals in another dataset, know; values that are there stay.

    Parameters
    ----------
    dataset : Dataset
    other : Dataset, or path of a table in the form of `id_prop.csv`
        A dataset gives all its targets but kappa, whose values come with another fidelity; a table all its columns,
        those per cell (`PER_CELL`) made per atom.
    by : {"crystal", "id"}, optional
        By default a table is joined by id, a dataset by crystal. Of several rows with the same crystal the median
        counts.
    matching, workers, progress
        For `same_crystals`.

    Returns
    -------
    Dataset
    dict
        `filled` (values for each target), `matched` and `unmatched` (rows of `other`), `broken` (lines of the table).

    Raises
    ------
    DatasetError
        If the table cannot be read, or is to be joined by crystal.
    """
    if isinstance(other, Dataset):
        name, ids, broken = other.name, list(other.ids), 0
        targets = {target: values for target, values in other.targets.items() if target != KAPPA}
    else:
        if by == "crystal":
            raise DatasetError(f"{other}: a table has no crystals; join it by id")
        table = read_table(Path(other).expanduser())
        name, ids, broken = str(table.path), [row.id for row in table.rows], len(table.rejections) + len(table.others)
        found = {t: np.array([row.targets.get(t, np.nan) for row in table.rows]) for t in table.targets}
        targets = {target: values for target, values in found.items() if np.isfinite(values).any()}
    by = by or ("crystal" if isinstance(other, Dataset) else "id")
    rows_of: dict[int, list[int]] = defaultdict(list)
    if by == "id":
        place = defaultdict(list)
        for j, id_ in enumerate(ids):
            place[id_].append(j)
        for i, id_ in enumerate(dataset.ids):
            rows_of[i] = place.get(id_, [])
    else:
        assert isinstance(other, Dataset)
        same = partners(dataset.crystals, other.crystals, matching, workers=workers, progress=progress)
        rows_of.update(enumerate(same))
    joined = {target: values.copy() for target, values in dataset.targets.items()}
    filled: dict[str, int] = {}
    for given, values in targets.items():
        per_cell = given in PER_CELL and not isinstance(other, Dataset)  # a dataset holds it per atom already
        target = PER_CELL[given] if per_cell else given
        column = joined.setdefault(target, np.full(len(dataset), np.nan))
        filled.setdefault(target, 0)
        for i in np.flatnonzero(np.isnan(column)).tolist():
            if found_rows := rows_of[i]:
                known = values[found_rows]
                column[i] = median_kappa(known.tolist()) if target == KAPPA else median(known)
                column[i] /= dataset.crystals[i].n_sites if per_cell else 1
                filled[target] += int(np.isfinite(column[i]))
    matched = {j for rows in rows_of.values() for j in rows}
    report = {
        "from": name,
        "by": by,
        "filled": filled,
        "matched": len(matched),
        "unmatched": len(ids) - len(matched),
        "broken": broken,
    }
    return replace(dataset, targets=joined), report


def note_join(merging: Merging, dataset: Dataset, report: dict[str, Any]) -> Merging:
    """Add what `join` did to the account of a merge; `dataset` is what came of it."""
    summary = merging.summary
    hashes = summary["content_hash"] | {"merged": dataset.content_hash}
    return replace(merging, summary=summary | {"joined": [*summary.get("joined", []), report], "content_hash": hashes})


def write_merging(
    dataset: Dataset, merging: Merging, folder: str | Path, terms: Mapping[str, Any] | None = None
) -> Path:
    """Store a merged dataset with its account: `merging.csv` (one line for each input row) and `merging.json`.

    `terms` (see `store.inherited`) are licence, citation, units and notes.

    Raises
    ------
    DatasetError
        If the folder cannot be written.
    """
    from paraisite.datasets.store import write_dataset

    origin = {"merged": merging.summary["content_hash"], "policy": merging.summary["policy"]}
    folder = write_dataset(dataset, folder, origin=origin, **(terms or {}))
    columns = ("dataset", "id", "formula", "action", "reason")
    write_csv(folder / "merging.csv", columns, ([getattr(row, column) for column in columns] for row in merging.rows))
    write_json(folder / "merging.json", merging.summary, ensure_ascii=False)
    return folder


def _same_ids(dataset: Dataset, part: list[int]) -> list[tuple[int, ...]]:
    """Group rows of equal id that stand in different parts."""
    place: dict[str, list[int]] = defaultdict(list)
    for i, id_ in enumerate(dataset.ids):
        place[id_].append(i)
    return components((rows[0], i) for rows in place.values() if len({part[i] for i in rows}) > 1 for i in rows[1:])


def _fidelity(dataset: Dataset) -> tuple[str, ...]:
    """What the rows say themselves, else what the registry says of the dataset that they come from."""
    known = {name: card.fidelity if (card := find(name)) else "" for name in set(dataset.provenance)}
    own = dataset.labels.get(FIDELITY, ("",) * len(dataset))
    return tuple(text or known[name] for text, name in zip(own, dataset.provenance, strict=True))


def _mixed(dataset: Dataset, groups: list[tuple[int, ...]]) -> int:
    """Number of groups whose values are of several fidelities."""
    fidelity = dataset.labels[FIDELITY]
    return sum(len({fidelity[i] for i in group}) > 1 for group in groups)


def _own_ids(dataset: Dataset, names: list[str]) -> tuple[Dataset, int]:
    """Put the name of its dataset behind an id that another dataset has used already; count how often."""
    first: dict[str, str] = {}
    crystals: list[Crystal] = []
    renamed = 0
    for crystal, name in zip(dataset.crystals, names, strict=True):
        if first.setdefault(crystal.id, name) != name:
            crystal, renamed = replace(crystal, id=f"{crystal.id}@{name}"), renamed + 1
        crystals.append(crystal)
    return replace(dataset, crystals=tuple(crystals)), renamed
