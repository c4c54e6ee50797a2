"""`evaluate`: score any checkpoint on any labelled data, and say which rows it was trained on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np

from paraisite.files.printable import counted
from paraisite.metrics import coverage, interval_score, interval_width, scores
from paraisite.prediction.options import Options
from paraisite.targets import LEVEL

if TYPE_CHECKING:
    from paraisite.datasets import Dataset
    from paraisite.model.checkpoint import Card
    from paraisite.prediction import Prediction, Predictor

SplitName = Literal["all", "unseen", "held-out"]
SPLITS: tuple[SplitName, ...] = get_args(SplitName)

SAME, EARLIER, NEW = "same formula", "earlier stage", "no"
"""Whether a formula was in training: among the high-quality compounds, in an earlier stage only, or not at all."""


class EvaluationError(ValueError):
    """A model cannot be scored in this way; the message says which way is open."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the data: what was predicted, what is true (W m⁻¹ K⁻¹), and whether it counts in the scores."""

    prediction: Prediction
    kappa_true: float | None
    in_training: str
    scored: bool

    def row(self) -> dict[str, Any]:
        """Return the columns of the prediction and `COLUMNS` as one flat dictionary."""
        own = {"kappa_true_W_mK": self.kappa_true, "formula_in_training": self.in_training, "scored": int(self.scored)}
        return self.prediction.row() | own


COLUMNS = ("kappa_true_W_mK", "formula_in_training", "scored")
"""Columns of `Row.row` after those of the prediction."""


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Scores of a model on a dataset.

    Attributes
    ----------
    model, dataset, split : str
    level : float
        Of the intervals.
    protocol : str
        Which rows count, which members are used, and what of it was in training.
    notes : tuple of str
        What else has to be known to read the scores.
    n_rows, n_scored, n_rejected, n_unlabelled : int
        Rows of the dataset; rows in the scores; rows that could not be read or predicted; rows without a conductivity.
    n_training : dict of str to int
        Scored rows by `Row.in_training`.
    scores : dict of str to dict of str to float
        For groups of the scored rows, ``all`` first, the metrics of `paraisite.metrics`.
    rows : list of Row
        In the order of the dataset, lines that could not be read last.
    """

    model: str
    dataset: str
    split: str
    level: float
    protocol: str
    notes: tuple[str, ...]
    n_rows: int
    n_scored: int
    n_rejected: int
    n_unlabelled: int
    n_training: dict[str, int]
    scores: dict[str, dict[str, float]]
    rows: list[Row]

    def summary(self) -> dict[str, Any]:
        """Everything but the rows, ready for JSON (NaN becomes None)."""
        names = [name for name in self.__dataclass_fields__ if name not in ("scores", "rows")]
        cleaned = {
            group: {name: value if np.isfinite(value) else None for name, value in found.items()}
            for group, found in self.scores.items()
        }
        return {name: getattr(self, name) for name in names} | {"notes": list(self.notes), "scores": cleaned}


def evaluate(
    predictor: Predictor,
    dataset: Dataset,
    *,
    split: SplitName = "all",
    level: float = LEVEL,
    advance: Callable[[], None] = lambda: None,
) -> Evaluation:
    """Score a model.

    Parameters
    ----------
    predictor : Predictor
    dataset : Dataset
    split : {"all", "unseen", "held-out"}
        ``all``: every row. ``unseen``: rows whose formula stands in no training data. ``held-out``: every row,
        predicted by members not trained on its formula.
    level : float
    advance : callable
        Called after every row.

    Raises
    ------
    EvaluationError
        If no row is left to score, or the model cannot hold formulas out.
    """
    card = predictor.card
    if split == "held-out":
        check_held_out(card)
    known = {k.formula for k in predictor.known}
    truths = dataset.targets.get("kappa", np.full(len(dataset), np.nan))
    rows: list[Row] = []
    n_seen = 0
    options = Options(level, held_out=split == "held-out", allow_vacuum=True)
    for i, prediction in enumerate(predictor.stream(dataset.crystals, options)):
        formula, true = dataset.formulas[i], float(truths[i])
        in_training = SAME if formula in known else EARLIER if formula in card.formula_fold else NEW
        usable = np.isfinite(true) and true > 0 and prediction.kappa_W_mK is not None
        fair = {"all": True, "unseen": in_training == NEW, "held-out": not predictor.seen_by_all(formula)}[split]
        n_seen += usable and not fair
        scored = bool(usable and fair)
        rows.append(Row(prediction, true if np.isfinite(true) else None, in_training, scored))
        advance()
    used = [i for i, row in enumerate(rows) if row.scored]
    if not used:
        remedy = {"unseen": "; try --split held-out or all", "held-out": "; try --split all"}.get(split, "") * bool(
            rows
        )
        raise EvaluationError(f"{dataset.name}: no row is left to score with --split {split}{remedy}")
    n_training = {kind: sum(rows[i].in_training == kind for i in used) for kind in (SAME, EARLIER, NEW)}

    groups = {"all": used}
    if split == "all" and 0 < n_training[NEW] < len(used):
        groups["formula in training"] = [i for i in used if rows[i].in_training != NEW]
        groups["formula not in training"] = [i for i in used if rows[i].in_training == NEW]
    parts = list(dict.fromkeys(dataset.provenance[i] for i in used))
    if len(parts) > 1:
        groups |= {part: [i for i in used if dataset.provenance[i] == part] for part in parts}

    return Evaluation(
        model=card.name,
        dataset=dataset.name,
        split=split,
        level=level,
        protocol=_protocol(split, len(used), n_training, n_seen),
        notes=tuple(_notes(card, split, n_training)),
        n_rows=len(dataset) + len(dataset.rejections),
        n_scored=len(used),
        n_rejected=len(dataset.rejections) + sum(row.prediction.status == "rejected" for row in rows),
        n_unlabelled=sum(row.kappa_true is None for row in rows),
        n_training=n_training,
        scores={name: _scores([rows[i] for i in which], level) for name, which in groups.items()},
        rows=rows + [_unread(rejection) for rejection in dataset.rejections],
    )


def fair_split(predictor: Predictor, dataset: Dataset) -> tuple[SplitName, str]:
    """Choose how to score a model on data that it may have been trained on, and say why.

    Returns
    -------
    split : {"all", "unseen", "held-out"}
        ``all`` where no formula of the data was in training. Else ``held-out``, or, of a model that holds no formula
        out, ``unseen``; ``all`` where neither leaves a row.
    why : str
        Empty where nothing was in training.
    """
    formulas = [f for f, kappa in zip(dataset.formulas, dataset.kappa, strict=True) if kappa > 0]
    listed = predictor.card.formula_fold.keys() | {k.formula for k in predictor.known}
    seen = sum(f in listed for f in formulas)
    if not seen:
        return "all", ""
    why = f"{counted(seen, 'row')} of {len(formulas)} with a formula of the training data"
    if predictor.card.holds_formulas_out and not all(map(predictor.seen_by_all, formulas)):
        return "held-out", f"{why}: each row is predicted by members not trained on its formula (--split all: by all)"
    if seen < len(formulas):
        return "unseen", f"{why} are left out, as the model holds no formula out (--split all scores them, too)"
    return "all", f"{why}, and no member that was not trained on them: these scores are not a test on new compounds"


def shared_scores(evaluations: Sequence[Evaluation]) -> list[dict[str, float]]:
    """Scores of several evaluations of one dataset on the rows that all of them score; for each the metrics.

    Raises
    ------
    EvaluationError
        If there are no such rows.
    """
    rows = [i for i in range(len(evaluations[0].rows)) if all(e.rows[i].scored for e in evaluations)]
    if not rows:
        raise EvaluationError("the models have no scored row in common; choose another --split")
    return [_scores([e.rows[i] for i in rows], e.level) for e in evaluations]


def check_held_out(card: Card) -> None:
    """Make sure that formulas were held out from some members of a model.

    Raises
    ------
    EvaluationError
        If its folds are not folds of formulas through all stages.
    """
    if not card.holds_formulas_out and (start := _unlisted_start(card)):
        raise EvaluationError(
            f"{card.name}: no formula was held out, as {start}, from which it started, was trained on conductivities; "
            "use --split unseen, or train from an encoder (initial: megnet-mp-2018.6.1-eform)"
        )
    if not card.holds_formulas_out:
        raise EvaluationError(
            f"{card.name}: its folds do not separate formulas in all stages, so no formula was held out; use kappa, "
            "or train with split.group=formula and split.earlier=grouped"
        )


def _scores(rows: list[Row], level: float) -> dict[str, float]:
    true = [row.kappa_true for row in rows]
    found = scores(true, [row.prediction.kappa_W_mK for row in rows])  # type: ignore[arg-type]
    low = [row.prediction.kappa_low_W_mK for row in rows]
    high = [row.prediction.kappa_high_W_mK for row in rows]
    if any(bound is not None for bound in low):
        found |= {
            "coverage": coverage(true, low, high),  # type: ignore[arg-type]
            "width": interval_width(low, high),  # type: ignore[arg-type]
            "interval_score": interval_score(true, low, high, level),  # type: ignore[arg-type]
        }
    return found


def _protocol(split: SplitName, n: int, n_training: dict[str, int], n_seen: int) -> str:
    seen = (
        f"of {counted(n, 'row')}, {n_training[SAME]} have the formula of a high-quality training compound, "
        f"{n_training[EARLIER]} one of an earlier training stage, {n_training[NEW]} neither"
    )
    if split == "all":
        return f"every row, all members: {seen}. Scores on training rows are not a test on new compounds"
    if split == "unseen":
        return f"unseen, all members: {counted(n, 'row')} whose formula the card does not list as training data"
    rest = f"; left out: {counted(n_seen, 'row')} whose formula all members were trained on" if n_seen else ""
    which = "rows" if n_seen else "every row,"
    return f"held out: {which} predicted by members not trained on its formula ({seen}){rest}"


def _notes(card: Card, split: SplitName, n_training: dict[str, int]) -> list[str]:
    said = []
    if n_training[NEW] and (start := _unlisted_start(card)):
        said.append(
            f"the card does not list the formulas that {start}, from which this training started, was trained on: "
            "rows counted as not in training may be among them"
        )
    if n_training[SAME] and split != "unseen":
        said.append(
            "intervals are calibrated on residuals of the high-quality training compounds: where these are scored, "
            "the coverage is not an independent check (the nested one: paraisite models info)"
        )
    return said


def _unlisted_start(card: Card) -> str:
    """Name of the checkpoint that the training started from, if it was one for kappa; else empty."""
    from paraisite.model.registry import registry

    initial = str(card.recipe.get("initial", "none"))
    entry = registry().get(initial.lower())
    return initial if initial != "none" and (entry is None or entry.kind == "checkpoint") else ""


def _unread(rejection: Any) -> Row:
    from paraisite.prediction import Prediction

    prediction = Prediction(rejection.id, rejection.source, status="rejected", reason=rejection.reason)
    return Row(prediction, None, "", False)
