"""`SavedSplit`: folds of a dataset with how they were made and what their sides share, as a file beside the data."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from paraisite.datasets import overlap, splits
from paraisite.datasets.dataset import Dataset
from paraisite.datasets.groups import GROUPS, chemical_systems, elements, prototypes
from paraisite.datasets.splits import Split, split_hash
from paraisite.datasets.table import DatasetError
from paraisite.files.writing import write_text

NAME = r"\w[\w.+-]*"
"""What a split may be called: its name is that of a file."""

FOLDER = "splits"
"""Folder of a dataset's splits, beside its data."""

PARAMETERS: MappingProxyType[str, dict[str, Any]] = MappingProxyType(
    {
        "kfold": {"folds": 5, "seed": 1},
        "paper": {"runs": tuple(range(1, 10))},
        "formula": {"folds": 5, "seed": 1},
        "chemical-system": {"folds": 5, "seed": 1},
        "prototype": {"folds": 5, "seed": 1},
        "element": {"elements": None, "min_rows": 10},
        "kappa": {"above": None, "below": None, "quantile": None},
    }
)
"""The kinds of split, and the parameters of each with their defaults."""

QUANTILE = 0.1
"""Share of the rows in a tail of `kappa` where nothing else is said."""


class Fold(BaseModel):
    """One fold: its name, its validation rows (from 0, in the order of the dataset), and what these share.

    `overlap` has a `Shared` for each kind of group that was compared.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    validation: tuple[int, ...] = Field(min_length=1)
    overlap: dict[str, overlap.Shared]


class SavedSplit(BaseModel):
    """Folds of a dataset. Every row that a fold does not validate trains it.

    Attributes
    ----------
    format : int
        Version of the file.
    name, kind : str
        Of the split; `kind` is one of `PARAMETERS`.
    parameters : dict
        What it was made with.
    dataset, content_hash, rows : str, str, int
        Name, content hash and number of rows of the data it belongs to.
    split_hash : str
        Of all folds (`paraisite.datasets.split_hash`).
    skipped : dict of str to str
        Folds that could not be made (elements), and why.
    folds : tuple of Fold
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    format: Literal[1] = 1
    name: str = Field(pattern=rf"^{NAME}$")
    kind: str
    parameters: dict[str, Any]
    dataset: str
    content_hash: str = Field(pattern=r"^[0-9a-f]{64}$")
    rows: int = Field(ge=2)
    split_hash: str = Field(pattern=r"^[0-9a-f]{64}$")
    skipped: dict[str, str] = {}
    folds: tuple[Fold, ...] = Field(min_length=1)

    @property
    def splits(self) -> tuple[Split, ...]:
        """Row numbers of both sides of each fold; training rows ascend."""
        every = np.arange(self.rows)
        return tuple(
            Split(np.setdiff1d(every, fold.validation), np.array(fold.validation, dtype=np.int64))
            for fold in self.folds
        )

    @model_validator(mode="after")
    def _whole(self) -> Self:
        for fold in self.folds:
            if len(set(fold.validation)) < len(fold.validation):
                raise ValueError(f"fold {fold.name} has a row twice")
            if min(fold.validation) < 0 or max(fold.validation) >= self.rows:
                raise ValueError(f"fold {fold.name} has rows outside 0 to {self.rows - 1}")
            if len(fold.validation) == self.rows:
                raise ValueError(f"fold {fold.name} leaves no row to train on")
        if split_hash(self.splits) != self.split_hash:
            raise ValueError("the rows are not those of its split_hash")
        return self

    def of(self, dataset: Dataset) -> tuple[Split, ...]:
        """Return `splits`, once it is certain that they are splits of this data.

        Raises
        ------
        DatasetError
            If the dataset has other content than the one that was split.
        """
        if dataset.content_hash != self.content_hash:
            raise DatasetError(
                f"split {self.name!r} belongs to {self.dataset} with content {self.content_hash[:12]}, not to "
                f"{dataset.name} with content {dataset.content_hash[:12]}; split the data again"
            )
        return self.splits


def make_split(
    dataset: Dataset,
    kind: str,
    *,
    name: str | None = None,
    say: Callable[[str], None] = lambda what: None,
    **parameters: Any,
) -> SavedSplit:
    """Split a dataset and count what both sides of each fold share.

    Parameters
    ----------
    dataset : Dataset
    kind : str
        ``kfold``: rows at random. ``paper``: the study's runs. ``formula``, ``chemical-system``, ``prototype``: random
        folds of whole groups. ``element``: one fold for each element, which validates all crystals that contain it.
        ``kappa``: validates the ends of the range of conductivity, or a part of it.
    name : str, optional
        Of the split; made of its kind and parameters if not given.
    say : callable
        Told what is being done.
    **parameters
        Those of the kind, with the defaults in `PARAMETERS`: `folds` and `seed`; `runs`, numbers of the study's runs;
        `elements`, symbols, by default all with at least `min_rows` rows that contain and that lack them;
        `above` and `below` in W m⁻¹ K⁻¹ (if `above` is the lower, the range between them is held out, else
        each end in a fold of its own) or `quantile`, share of the rows in each tail.

    Raises
    ------
    ValueError
        If a parameter does not belong to the kind, or no fold can be made.
    """
    if kind not in PARAMETERS:
        raise ValueError(f"unknown kind of split {kind!r}; choose from {', '.join(PARAMETERS)}")
    for parameter in parameters:
        if parameter not in PARAMETERS[kind]:
            used = ", ".join(PARAMETERS[kind])
            raise ValueError(f"a split by {kind} does not use {parameter}; it uses {used}")
    if name is not None and not re.fullmatch(NAME, name):
        raise ValueError(f"{name!r} cannot be the name of a split; it may have letters, digits and . _ + -")
    chosen = PARAMETERS[kind] | parameters
    skipped: dict[str, str] = {}
    known: dict[str, tuple[object, ...]] = {}
    if kind in ("kfold", "formula", "chemical-system", "prototype"):
        k, seed = chosen["folds"], chosen["seed"]
        if kind == "kfold":
            made = splits.kfold(len(dataset), k, seed)
        else:
            say(kind)
            group = {"formula": lambda c: dataset.formulas, "chemical-system": chemical_systems}.get(kind, prototypes)
            known[kind] = group(dataset.crystals)
            made = splits.grouped_kfold(known[kind], k, seed)
        named = {str(i): split for i, split in enumerate(made, start=1)}
        default = f"{kind}-{k}-seed{seed}"
    elif kind == "paper":
        chosen["runs"] = sorted(set(chosen["runs"]))
        named = {str(run): splits.paper_split(dataset.part_sizes, run) for run in chosen["runs"]}
        default = f"paper-{_ranges(chosen['runs'])}"
    elif kind == "element":
        named, skipped = _by_element(dataset, chosen["elements"], chosen["min_rows"])
        default = "element" if chosen["elements"] is None else f"element-{'-'.join(chosen['elements'])}"
    else:
        named, chosen = _by_kappa(dataset, chosen["above"], chosen["below"], chosen["quantile"])
        default = "-".join(["kappa", *(f"{parameter}{value:g}" for parameter, value in chosen.items())])
    for fold, split in named.items():
        if not len(split.train) or not len(split.validation):
            side = "train on" if len(split.validation) else "validate"
            raise ValueError(f"{dataset.name}: fold {fold} leaves no row to {side}; choose other limits or more data")

    rest = [group for group in GROUPS if group not in known]
    known |= overlap.labels(dataset.crystals, rest, say)
    ordered = {group: known[group] for group in GROUPS if group in known}
    return SavedSplit(
        name=name or default,
        kind=kind,
        parameters=chosen,
        dataset=dataset.name,
        content_hash=dataset.content_hash,
        rows=len(dataset),
        split_hash=split_hash(named.values()),
        skipped=skipped,
        folds=tuple(
            Fold(name=fold, validation=tuple(split.validation.tolist()), overlap=overlap.overlap(ordered, split))
            for fold, split in named.items()
        ),
    )


def _by_element(
    dataset: Dataset, wanted: Sequence[str] | None, min_rows: int
) -> tuple[dict[str, Split], dict[str, str]]:
    """Return a fold for each element, and why there is none for the others."""
    rows = [elements(crystal) for crystal in dataset.crystals]
    present = sorted({symbol for own in rows for symbol in own})
    if wanted is not None and (absent := [symbol for symbol in wanted if symbol not in present]):
        raise ValueError(f"{dataset.name}: no crystal contains {', '.join(absent)}; it has {', '.join(present)}")
    named, skipped = {}, {}
    for symbol in present if wanted is None else dict.fromkeys(wanted):
        split = splits.leave_out(rows, symbol)
        if min(map(len, split)) < min_rows:
            skipped[symbol] = f"{len(split.validation)} of {len(rows)} rows contain it"
        else:
            named[symbol] = split
    if not named:
        few = f"fewer than {min_rows} rows with or without it"
        if wanted is not None:
            reasons = "; ".join(f"{symbol}: {reason}" for symbol, reason in skipped.items())
            raise ValueError(f"{dataset.name}: {few} ({reasons}); choose other elements or a lower --min-rows")
        raise ValueError(f"{dataset.name}: every element has {few}")
    return named, skipped


def _by_kappa(
    dataset: Dataset, above: float | None, below: float | None, quantile: float | None
) -> tuple[dict[str, Split], dict[str, float]]:
    """Return the folds of a range or of the tails, and the parameters that made them."""
    if above is None and below is None:
        quantile = QUANTILE if quantile is None else quantile
        low, high = splits.tail_splits(dataset.kappa, quantile)
        return {"low": low, "high": high}, {"quantile": quantile}
    if quantile is not None:
        raise ValueError("a split by kappa takes a quantile, or limits (above, below), not both")
    given = {name: value for name, value in (("above", above), ("below", below)) if value is not None}
    kappa = dataset.kappa
    if above is not None and below is not None and above < below:
        return {"between": splits.range_split(kappa, above, below)}, given
    named = {}
    if below is not None:
        named["low"] = splits.range_split(kappa, None, below)
    if above is not None:
        named["high"] = splits.range_split(kappa, above, None)
    return named, given


def write_split(split: SavedSplit, folder: Path, *, overwrite: bool = False) -> Path:
    """Write `NAME.json` into a folder and return its path; the same split may be written again.

    Raises
    ------
    DatasetError
        If the name is taken by another split, or by something else.
    """
    path = folder / f"{split.name}.json"
    if path.exists() and not overwrite:
        try:
            before = read_split(path)
            same = (before.split_hash, before.content_hash) == (split.split_hash, split.content_hash)
        except DatasetError:
            same = False
        if not same:
            raise DatasetError(
                f"{path}: holds another split, or another file; choose another name (--name), or give --overwrite"
            )
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(split.model_dump(mode="json"), indent=1)
    write_text(path, _SHORT.sub(_on_one_line, text) + "\n")
    return path


def read_split(path: Path) -> SavedSplit:
    """Read a split that `write_split` wrote.

    Raises
    ------
    DatasetError
        If it cannot be read, or is not whole.
    """
    try:
        return SavedSplit.model_validate_json(path.read_bytes())
    except OSError as error:
        raise DatasetError(f"{path}: cannot be read ({error.strerror}); make it with paraisite data split") from error
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"])) or "the file"
        raise DatasetError(f"{path}: {place}: {first['msg']}; make it again with paraisite data split") from error


_SHORT = re.compile(r'\[[\d\s,]+\]|\{\s+"groups"[^}]*\}')
"""Lists of row numbers and single counts; in the file they take one line each."""


def _on_one_line(part: re.Match[str]) -> str:
    inner = re.sub(r"\s+", " ", part[0][1:-1]).strip()
    return f"{part[0][0]}{inner}{part[0][-1]}"


def _ranges(numbers: Iterable[int]) -> str:
    """Write 1, 2, 3, 5 as ``1-3+5``."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return "+".join(f"{run[0]}-{run[-1]}" if len(run) > 1 else str(run[0]) for run in runs)
