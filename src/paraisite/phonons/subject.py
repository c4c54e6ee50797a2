"""`Subject`: a crystal to verify, with what was predicted for it and what is known of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from paraisite.crystals.crystal import Crystal
from paraisite.crystals.rejection import Rejection
from paraisite.model.registry import DEFAULT

if TYPE_CHECKING:
    from paraisite.model.lifetime import Expected
    from paraisite.screening.shortlist import Wish


@dataclass(frozen=True, slots=True)
class Predicted:
    """A predicted conductivity, W m⁻¹ K⁻¹ at 300 K, and its interval; None where there is none."""

    kappa: float | None = None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Subject:
    """One row of the summary to be.

    Attributes
    ----------
    item : Crystal or Rejection
    predicted : Predicted
    label : float or None
        Conductivity that a dataset gives, W m⁻¹ K⁻¹ at 300 K.
    expected : Expected or None
        What the lifetime model of a quick look reads; see `with_expectations`.
    """

    item: Crystal | Rejection
    predicted: Predicted = Predicted()
    label: float | None = None
    expected: Expected | None = None


def subjects(
    inputs: Sequence[str],
    mirror: Path | None = None,
    model: str | None = DEFAULT,
    sample: int | None = None,
) -> list[Subject]:
    """Read crystals from paths and from datasets by name, and predict them.

    Parameters
    ----------
    inputs : sequence of str
        Names of datasets (a file or folder of that name comes first), and whatever `paraisite.crystals.read` takes.
    mirror : Path, optional
    model : str or None
        None leaves the prediction out. A compound that it was trained on is predicted by members not trained on its
        formula, if the model has such networks.
    sample : int, optional
        As many at most, evenly drawn in the order of the inputs.
    """
    from paraisite.crystals import read
    from paraisite.datasets import load
    from paraisite.datasets.registry import find

    items: list[Crystal | Rejection] = []
    labels: list[float | None] = []
    for name in inputs:
        if not Path(name).exists() and find(name) is not None:
            dataset = load(name, mirror)
            kappa = dataset.targets.get("kappa")
            items += dataset.crystals
            labels += [None] * len(dataset.crystals) if kappa is None else [float(x) for x in kappa]
            items += dataset.rejections
            labels += [None] * len(dataset.rejections)
        else:
            found = list(read([name]))
            items += found
            labels += [None] * len(found)
    if sample is not None and sample < len(items):
        drawn = [i * (len(items) - 1) // max(1, sample - 1) for i in range(sample)]
        items, labels = [items[i] for i in drawn], [labels[i] for i in drawn]
    predicted = [Predicted()] * len(items) if model is None else _predict(items, model, mirror)
    return [Subject(*row) for row in zip(items, predicted, labels, strict=True)]


def shortlisted(table: Path, wish: Wish, places: Sequence[str] = ()) -> list[Subject]:
    """Take the best rows of a table of predictions, and read their crystals again.

    Parameters
    ----------
    table : Path
        Parquet, as `paraisite screen` writes it.
    wish : Wish
    places : sequence of str
        Where crystals are looked for that are not at their source any more.
    """
    from paraisite.screening.shortlist import shortlist
    from paraisite.screening.structures import find_structures

    rows = shortlist(table, wish).to_pylist()
    found = []
    for row, crystal in zip(rows, find_structures(rows, places), strict=True):
        predicted = Predicted(row["kappa_W_mK"], row.get("kappa_low_W_mK"), row.get("kappa_high_W_mK"))
        lost = f"its structure is no longer at {row['source']}; name a file, folder or archive that holds it as INPUT"
        found.append(Subject(crystal or Rejection(row["id"], row["source"], lost, row["formula"]), predicted))
    return found


def with_expectations(found: Sequence[Subject]) -> list[Subject]:
    """Add what the default model says, of networks not trained on the formulas."""
    from paraisite.phonons.expected import expectations
    from paraisite.prediction import Predictor

    said = expectations(Predictor.from_pretrained(), [subject.item for subject in found])
    return [replace(subject, expected=expected) for subject, expected in zip(found, said, strict=True)]


def _predict(items: Sequence[Crystal | Rejection], model: str, mirror: Path | None) -> list[Predicted]:
    from paraisite.prediction import Options, Predictor

    predictor = Predictor.from_pretrained(model, mirror=mirror)
    return [
        Predicted(row.kappa_W_mK, row.kappa_low_W_mK, row.kappa_high_W_mK)
        for row in predictor.stream(items, Options(held_out=predictor.card.holds_formulas_out))
    ]
