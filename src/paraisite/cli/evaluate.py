"""`paraisite evaluate`: scores of a model on labelled data."""

from __future__ import annotations

from enum import StrEnum
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from paraisite.cli.console import console, say
from paraisite.cli.data.folders import load_dataset
from paraisite.cli.errors import fail, guarded, load_libraries, wrong_usage
from paraisite.cli.options import (
    Device,
    DeviceOption,
    LevelOption,
    MirrorOption,
    OverwriteOption,
    check_level,
    tell_replaced,
)
from paraisite.cli.scores import LEGEND, scores_table
from paraisite.files.outputs import refuse_existing
from paraisite.targets import LEVEL

if TYPE_CHECKING:
    from paraisite.evaluation.evaluate import Evaluation

EXAMPLES = """Examples:

\b
  paraisite evaluate kappa phonix --mirror data/ --split held-out
  paraisite evaluate runs/step3/model my_data/ --split unseen -o scores/

A dataset is a name (phonix, l96, hh143, mix, aflow_agl), a folder that `paraisite data` wrote, or one with id_prop.csv
(id, kappa in W/m/K) and CIFs."""


COMMON = ("split", "level", "output", "overwrite", "mirror")

FILES = ("metrics.json", "predictions.csv", "parity.png")
"""What a folder of scores holds."""


class Split(StrEnum):
    """Rows scored and members used."""

    all = "all"
    unseen = "unseen"
    held_out = "held-out"


@guarded
def evaluate(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="A model's name or folder.", callback=tell_replaced)],
    dataset: Annotated[str, typer.Argument(metavar="DATASET", help="A dataset's name or folder.")],
    split: Annotated[
        Split,
        typer.Option(
            "--split",
            help="Rows scored and members used. unseen: rows whose formula is not in training; held-out: all rows, "
            "each by members not trained on its formula.",
        ),
    ] = Split.all,
    level: LevelOption = LEVEL,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", metavar="DIR", help="Write metrics.json, predictions.csv and parity.png there."),
    ] = None,
    overwrite: OverwriteOption = False,
    device: DeviceOption = Device.cpu,
    mirror: MirrorOption = None,
) -> None:
    """Score a model on labelled data and list the rows it was trained on."""
    load_libraries()
    with wrong_usage():
        check_level(level)
        if output is not None:
            refuse_existing([output / name for name in FILES], overwrite)
            output.mkdir(parents=True, exist_ok=True)

        from paraisite.evaluation.evaluate import EvaluationError, check_held_out
        from paraisite.evaluation.evaluate import evaluate as score
        from paraisite.prediction import Predictor

        predictor = Predictor.from_pretrained(model, device=device, mirror=mirror)
        predictor.predict([], level=level)
        if split == Split.held_out:
            check_held_out(predictor.card)
        data = load_dataset(dataset, mirror)
    try:
        found = score(predictor, data, split=split.value, level=level)
    except EvaluationError as error:
        fail(str(error))

    say(f"{found.model} on {found.dataset}: {found.n_scored} of {found.n_rows} rows scored, ", nl=False)
    say(f"{found.n_rejected} rejected, {found.n_unlabelled} without a value")
    say(f"protocol: {found.protocol}")
    for note in found.notes:
        say(f"note: {note}")
    console().print(scores_table(found.scores))
    say(LEGEND)
    if output is not None:
        _write(found, output)


def _write(found: Evaluation, folder: Path) -> None:
    from paraisite.evaluation.evaluate import COLUMNS
    from paraisite.files.writing import write_json
    from paraisite.prediction import COLUMNS as PREDICTED
    from paraisite.prediction.write import open_writer

    with open_writer(folder / "predictions.csv", (*PREDICTED, *COLUMNS)) as writer:
        for row in found.rows:
            writer.write(row.row())
    write_json(folder / "metrics.json", found.summary())
    written = ["metrics.json", "predictions.csv"]
    if find_spec("matplotlib") is not None:
        from paraisite.evaluation.figures import parity

        parity(found, folder / "parity.png")
        written.append("parity.png")
    else:
        say("no parity.png: matplotlib is not installed; run pip install 'paraisite[plots]'", err=True)
    say(f"written: {', '.join(str(folder / name) for name in written)}", err=True)
