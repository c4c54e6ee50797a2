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
  paraisite evaluate kappa phonix --mirror data/
  paraisite evaluate kappa runs/mine/model my_data/
  paraisite evaluate runs/step3/model my_data/ --split unseen -o scores/

A dataset is a name (phonix, l96, hh143, mix, aflow_agl), a folder that `paraisite data` wrote, or one with id_prop.csv
(id, kappa in W/m/K) and CIFs."""


COMMON = ("split", "level", "output", "overwrite", "mirror")

FILES = ("metrics.json", "predictions.csv", "parity.png")
"""What a folder of scores holds."""


def _replaced(names: list[str]) -> list[str]:
    for name in names:
        tell_replaced(name)
    return names


class Split(StrEnum):
    """Rows scored and members used."""

    all = "all"
    unseen = "unseen"
    held_out = "held-out"


@guarded
def evaluate(
    models: Annotated[
        list[str],
        typer.Argument(metavar="MODEL", help="A model's name or folder; several are compared.", callback=_replaced),
    ],
    dataset: Annotated[str, typer.Argument(metavar="DATASET", help="A dataset's name or folder.")],
    split: Annotated[
        Split | None,
        typer.Option(
            "--split",
            help="Rows scored and members used. all: every row by all members; unseen: rows whose formula is not in "
            "training; held-out: all rows, each by members not trained on its formula.",
            show_default="what is fair: held-out or unseen where formulas were in training, else all",
        ),
    ] = None,
    level: LevelOption = LEVEL,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="DIR",
            help="Write metrics.json, predictions.csv and parity.png there; of several models, to a folder each.",
        ),
    ] = None,
    overwrite: OverwriteOption = False,
    device: DeviceOption = Device.cpu,
    mirror: MirrorOption = None,
) -> None:
    """Score a model on labelled data, or several side by side, and list the rows it was trained on."""
    load_libraries()
    with wrong_usage():
        check_level(level)
        from paraisite.evaluation.evaluate import EvaluationError, check_held_out, fair_split, shared_scores
        from paraisite.evaluation.evaluate import evaluate as score
        from paraisite.files.names import each_once, file_name
        from paraisite.prediction import Predictor

        predictors = [Predictor.from_pretrained(model, device=device, mirror=mirror) for model in models]
        for predictor in predictors:
            predictor.predict([], level=level)
            if split == Split.held_out:
                check_held_out(predictor.card)
        names = each_once(file_name(predictor.card.name, empty="model") for predictor in predictors)
        folders = [] if output is None else [output] if len(models) == 1 else [output / name for name in names]
        refuse_existing([folder / name for folder in folders for name in FILES], overwrite)
        for folder in folders:
            folder.mkdir(parents=True, exist_ok=True)
        data = load_dataset(dataset, mirror)
    found = []
    try:
        for predictor in predictors:
            fair, why = fair_split(predictor, data) if split is None else (split.value, "")
            found.append(score(predictor, data, split=fair, level=level))
            _tell(found[-1], why)
        if len(found) > 1:
            compared = shared_scores(found)
            say(f"side by side, on the {compared[0]['n']:.0f} rows that count for every model:")
            console().print(scores_table(dict(zip(names, compared, strict=True))))
    except EvaluationError as error:
        fail(str(error))
    say(LEGEND)
    for evaluation, folder in zip(found, folders, strict=False):
        _write(evaluation, folder)


def _tell(found: Evaluation, why: str) -> None:
    say(f"{found.model} on {found.dataset}: {found.n_scored} of {found.n_rows} rows scored, ", nl=False)
    say(f"{found.n_rejected} rejected, {found.n_unlabelled} without a value")
    if why:
        say(f"split {found.split}: {why}")
    say(f"protocol: {found.protocol}")
    for note in found.notes:
        say(f"note: {note}")
    console().print(scores_table(found.scores))


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
