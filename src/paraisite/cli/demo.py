"""`paraisite demo`: the example crystals, beside what is known of them."""

from __future__ import annotations

import csv
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from paraisite.cli.console import console, say
from paraisite.cli.errors import FAILED, guarded, load_libraries, wrong_usage
from paraisite.cli.options import ModelOption

if TYPE_CHECKING:
    from paraisite.prediction import Prediction

EXAMPLES = """Examples:

\b
  paraisite demo
  paraisite demo --model runs/step3/model"""

EXAMPLE_FOLDER = Path(__file__).parents[1] / "examples"
"""Crystals, and what was measured for them."""

FACTOR = 3.0
"""How far from the reference a prediction may be."""


@guarded
def demo(model: ModelOption = None) -> None:
    """Predict the example crystals and compare them with reference values.

    Models with folds of formulas predict twice: with all members, and with those not trained on the formula.
    """
    from rich import box
    from rich.table import Table

    load_libraries()
    with wrong_usage():
        from paraisite.crystals import read
        from paraisite.model.registry import DEFAULT
        from paraisite.prediction import Predictor
        from paraisite.prediction.table import interval, short

        with (EXAMPLE_FOLDER / "references.csv").open(newline="", encoding="utf-8") as file:
            references = {line["id"]: float(line["kappa_W_mK"]) for line in csv.DictReader(file)}
        predictor = Predictor.from_pretrained(model or DEFAULT)
    crystals = list(read([EXAMPLE_FOLDER / "crystals" / f"{id}.cif" for id in references]))
    found = {"all members": predictor.predict(crystals)}
    if predictor.card.holds_formulas_out:
        found["members not trained on the formula"] = predictor.predict(crystals, held_out=True)
    rows = found["all members"]

    table = Table(
        box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 1, 0, 0), title="Lattice thermal conductivity at 300 K (W/m/K)"
    )
    table.add_column("crystal")
    table.add_column("reference", justify="right", no_wrap=True)
    table.add_column("trained on", no_wrap=True)
    for heading in ("predicted", "formula held out")[: len(found)]:
        table.add_column(heading, no_wrap=True)
        table.add_column("factor", justify="right")
        table.add_column("agrees")
    for same in zip(*found.values(), strict=True):
        row, reference = same[0], references[same[0].id]
        cells = [(interval(one), short(_factor(one, reference)), _agreement(one, reference)) for one in same]
        trained_on = row.in_training.replace("crystal", "itself")
        table.add_row(row.id, f"{reference:g}", trained_on, *chain(*cells))
    console().print(table)
    say("agrees: within a factor of 3, or inside the interval; trained on: the compound itself, or its formula\n")
    for who, predicted in found.items():
        near, inside = (_count(predicted, references, agreement) for agreement in ("yes", "inside"))
        say(
            f"{who}: {near + inside} of {len(predicted)} agree with the reference: {near} within a factor of "
            f"{FACTOR:g}, {inside} more within the interval"
        )
    if not any(row.kappa_W_mK for row in rows):
        raise typer.Exit(FAILED)


def _factor(row: Prediction, reference: float) -> float | None:
    """How many times too large or too small, at least 1."""
    kappa = row.kappa_W_mK
    return None if kappa is None else max(kappa / reference, reference / kappa)


def _agreement(row: Prediction, reference: float) -> str:
    factor, low, high = _factor(row, reference), row.kappa_low_W_mK, row.kappa_high_W_mK
    if factor is not None and factor <= FACTOR:
        return "yes"
    return "inside" if low is not None and high is not None and low <= reference <= high else "no"


def _count(rows: list[Prediction], references: dict[str, float], *agreements: str) -> int:
    return sum(_agreement(row, references[row.id]) in agreements for row in rows)
