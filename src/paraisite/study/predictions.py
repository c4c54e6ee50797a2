"""What a study predicts for the crystals of its scored folds, one by one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from paraisite.files.csv_cells import csv_text, read_rows
from paraisite.study.plan import AGL, DATASETS, STEPS

if TYPE_CHECKING:
    from paraisite.datasets import Dataset

COLUMNS = ("step", "trained_on", "agl", "split", "run", "id", "formula", "kappa_W_mK", "predicted_W_mK")


class Prediction(NamedTuple):
    """One crystal of a run's scored fold: what the data say, and what was predicted without it (protocol `nested`)."""

    step: str
    trained_on: str
    agl: str
    split: str
    run: int
    id: str
    formula: str
    kappa_W_mK: float
    predicted_W_mK: float


def gather(
    results: Iterable[Mapping[str, Any]], dataset: Callable[[str], Dataset], agl: str = "no_overlap"
) -> list[Prediction]:
    """Predictions of the last step there is for each dataset, trained and tested on that dataset.

    The last step in the order of `STEPS` is taken whatever its score, so nothing is chosen on the scored folds. Of
    `aflow_agl`, whose folds hold a thousand crystals each, only the first run is taken.

    Parameters
    ----------
    results : iterable of mapping
        Result files. Those without the key ``predictions`` (``{dataset: {"ids": […], "log_kappa": […]}}``) are passed
        over.
    dataset : callable
        Gives a dataset by its name, for formulas and conductivities.
    agl : {"no_overlap", "all"}
        Which variant, where there are two.

    Returns
    -------
    list of Prediction
        By dataset and run, in the order of the fold.

    Raises
    ------
    ValueError
        If a result names a crystal that the dataset does not have.
    """
    ours = [
        result
        for result in results
        if result["trained_on"] in result.get("predictions", {})
        and result["step"] in STEPS
        and result["agl"] in ("", agl)
    ]
    found = []
    for name in DATASETS:
        of = [result for result in ours if result["trained_on"] == name]
        last = max((STEPS.index(result["step"]) for result in of), default=None)
        of = sorted((result for result in of if STEPS.index(result["step"]) == last), key=lambda result: result["run"])
        if not of:
            continue
        data = dataset(name)
        row_of = {id_: row for row, id_ in enumerate(data.ids)}
        for result in of[:1] if name == AGL else of:
            predicted = result["predictions"][name]
            start = (result["step"], name, result["agl"], result["split"], result["run"])
            for id_, log_kappa in zip(predicted["ids"], predicted["log_kappa"], strict=True):
                row = row_of.get(id_)
                if row is None:
                    raise ValueError(f"{result['step']} on {name}, run {result['run']}: {name} has no crystal {id_!r}")
                found.append(Prediction(*start, id_, data.formulas[row], float(data.kappa[row]), 10**log_kappa))
    return found


def as_csv(predictions: Sequence[Prediction]) -> str:
    """One line for each prediction; conductivities to six digits, predicted ones to four."""
    rows = ([*p[:7], f"{p.kappa_W_mK:.6g}", f"{p.predicted_W_mK:.4g}"] for p in predictions)
    return csv_text(COLUMNS, rows)


def load_predictions(path: Path) -> list[Prediction]:
    """Read what `as_csv` wrote.

    Raises
    ------
    ValueError
        If a line is not of that form.
    """
    found = []
    with path.open(encoding="utf-8", newline="") as file:
        for number, row in enumerate(read_rows(file), start=2):
            try:
                step, trained_on, agl, split, run, id_, formula, kappa, predicted = (row[name] for name in COLUMNS)
                found.append(
                    Prediction(step, trained_on, agl, split, int(run), id_, formula, float(kappa), float(predicted))
                )
            except (KeyError, TypeError, ValueError):
                raise ValueError(
                    f"{path}: line {number} is not a prediction of a study; write it again with tools/make_study.py"
                ) from None
    return found
