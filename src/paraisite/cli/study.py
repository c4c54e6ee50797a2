"""`paraisite study`: the transfer-learning study, trained and reported."""

from __future__ import annotations

from enum import StrEnum
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated

import typer

from paraisite.cli.console import say
from paraisite.cli.errors import FAILED, fail, guarded, load_libraries, wrong_usage
from paraisite.cli.options import Device, DeviceOption, MirrorOption, OverwriteOption
from paraisite.cli.verb import Verb
from paraisite.files.outputs import refuse_existing
from paraisite.files.printable import counted
from paraisite.files.writing import write_json, write_text

app = typer.Typer(
    rich_markup_mode=None,
    no_args_is_help=True,
    help="Run the study of arXiv:2411.18259 (three steps, four datasets, nine runs), and report it.",
    epilog="""Examples:

\b
  paraisite study run --mirror data/ -o study/ --workers 2
  paraisite study run --steps I,II --train l96 --runs 1-3 --mirror data/ -o study/
  paraisite study report study/ --format latex -o table.tex""",
)


class Variant(StrEnum):
    """Which AGL rows a training saw."""

    no_overlap = "no_overlap"
    all = "all"


class Format(StrEnum):
    """Output formats of the table."""

    md = "md"
    csv = "csv"
    latex = "latex"
    runs = "runs"


@app.command(
    cls=Verb,
    epilog="""Examples:

\b
  paraisite study run --mirror data/ -o study/ --workers 2
  paraisite study run --steps II --train l96,hh143 --runs 1,4-6 --mirror data/ -o study/
  paraisite study run --split formula --set members=1 --set small.epochs=50 --mirror data/ -o grouped/ --resume
  paraisite study run --as-published --steps II --train l96 --mirror data/ -o published/
  paraisite study run --as-published --without foreign_scaler --train hh143 --mirror data/ -o published/ --resume

Each training gets a folder with a run-N.json for each run: the four metrics on the scored fold of every dataset, under
both protocols (paper: best epoch on that fold; nested: last epoch, that fold is never looked at), recipe, hashes,
seconds. Step III trains what it starts from (step II on aflow_agl) by itself. Quirks of --as-published, all on but
those of --without: skip_pretrained, foreign_scaler, scaler_sees_fold, best_epoch_on_fold, schedule_twice,
score_as_loss (docs/as-published.md).""",
)
@guarded
def run(
    output: Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="Folder of the results.")] = Path(
        "study"
    ),
    steps: Annotated[
        str,
        typer.Option(
            "--steps",
            metavar="LIST",
            help="Steps to run: I, II, III, III-kernel, III-combined; with --as-published I, II, III.",
            show_default="all",
        ),
    ] = "",
    train: Annotated[
        str, typer.Option("--train", metavar="LIST", help="Datasets to train on.")
    ] = "l96,hh143,mix,aflow_agl",
    runs: Annotated[str, typer.Option("--runs", metavar="LIST", help="Runs, such as 1-9 or 1,3,5.")] = "1-9",
    agl: Annotated[
        str,
        typer.Option(
            "--agl", metavar="LIST", help="AGL rows used in training: all, or no_overlap (without scored formulas)."
        ),
    ] = "all,no_overlap",
    split: Annotated[
        str, typer.Option("--split", metavar="KIND", help="paper (the study's), formula or prototype.")
    ] = "paper",
    changes: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Change a setting, such as members=1 or small.epochs=50."),
    ] = None,
    settings_file: Annotated[
        Path | None, typer.Option("--settings", metavar="FILE", help="YAML file that replaces the shipped settings.")
    ] = None,
    workers: Annotated[int, typer.Option("--workers", min=1, help="Number of worker processes, one thread each.")] = 1,
    resume: Annotated[bool, typer.Option("--resume", help="Resume an interrupted run.")] = False,
    as_published: Annotated[
        bool, typer.Option("--as-published", help="Reproduce the original code, including its quirks.")
    ] = False,
    without: Annotated[
        str | None, typer.Option("--without", metavar="LIST", help="Quirks of --as-published to disable.")
    ] = None,
    device: DeviceOption = Device.cpu,
    mirror: MirrorOption = None,
) -> None:
    """Train the cells of the study's tables."""
    load_libraries()
    if as_published:
        if (agl, split, workers) != ("all,no_overlap", "paper", 1):
            fail("--agl, --split and --workers cannot be used with --as-published, which has its own rows and splits")
        _as_published(output, steps, train, runs, without, changes, settings_file, resume, device, mirror)
        return
    with wrong_usage():
        if without is not None:
            raise ValueError("--without requires --as-published")
        from paraisite.study.plan import STEPS, trainings
        from paraisite.study.run import claim, run_study
        from paraisite.study.settings import load_settings

        settings = load_settings(settings_file, changes)
        asked = trainings(_names(steps) if steps else STEPS, _names(train), _names(agl), split)
        numbers = _numbers(runs)
        claim(output, settings, resume=resume)
    failed = run_study(
        asked,
        numbers,
        output,
        settings,
        mirror=mirror,
        device=device.value,
        workers=workers,
        say=lambda line: say(line, err=True),
    )
    if failed:
        fail("; ".join(failed), FAILED)
    done = f"{counted(len(asked), 'training')} of {counted(len(numbers), 'run')}"
    say(f"{done} written to {output}; table: paraisite study report {output}")


def _as_published(
    output: Path,
    steps: str,
    train: str,
    runs: str,
    without: str | None,
    changes: list[str] | None,
    settings_file: Path | None,
    resume: bool,
    device: Device,
    mirror: Path | None,
) -> None:
    with wrong_usage():
        from paraisite.study.as_published.run import SETTINGS, AsPublished
        from paraisite.study.as_published.table import as_markdown, summary
        from paraisite.study.as_published.variants import STEPS, variants
        from paraisite.study.run import claim
        from paraisite.study.settings import load_settings
        from paraisite.study.table import read_results

        settings = load_settings(settings_file or SETTINGS, changes)
        asked = variants(_names(steps) if steps else STEPS, _names(train), _names(without) if without else ())
        numbers = _numbers(runs)
        study = AsPublished(output, settings, mirror=mirror, device=device.value)
        claim(output, settings, resume=resume)
    study.run(asked, numbers, lambda line: say(line, err=True))
    say(as_markdown(summary(read_results(output))), nl=False)


@app.command(
    cls=Verb,
    epilog="""Examples:

\b
  paraisite study baselines --mirror data/ -o study/
  paraisite study baselines --names median,gaussian-process-structure --runs 1-3 --mirror data/ -o study/

Everything is fitted on the training part of a run and scored on its fold, which is never looked at: protocol
nested.""",
)
@guarded
def baselines(
    output: Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="Folder of the results.")] = Path(
        "study"
    ),
    names: Annotated[
        str | None, typer.Option("--names", metavar="LIST", help="Baselines to fit.", show_default="all")
    ] = None,
    runs: Annotated[str, typer.Option("--runs", metavar="LIST", help="Runs, such as 1-9 or 1,3,5.")] = "1-9",
    split: Annotated[
        str, typer.Option("--split", metavar="KIND", help="paper (the study's), formula or prototype.")
    ] = "paper",
    mirror: MirrorOption = None,
) -> None:
    """Fit the baselines on the same folds; existing results are kept."""
    load_libraries()
    with wrong_usage():
        from paraisite.study.baselines import BASELINES, run_baselines
        from paraisite.study.plan import trainings
        from paraisite.study.run import Study
        from paraisite.study.settings import load_settings

        trainings(split=split)
        asked = tuple(BASELINES) if names is None else tuple(_names(names))
        for name in asked:
            if name not in BASELINES:
                raise ValueError(f"--names: {name} is not a baseline; choose from {', '.join(BASELINES)}")
        numbers = _numbers(runs)
        study = Study(output, load_settings(), mirror=mirror, split=split)
    run_baselines(study, numbers, output, asked, lambda line: say(line, err=True))
    say(f"{counted(len(asked), 'baseline')} written to {output}; table: paraisite study report {output}")


@app.command(
    cls=Verb,
    epilog="""Examples:

\b
  paraisite study crabnet --mirror data/ -o crabnet/ --set members=5

Formulas of the validation and test parts stay out of training; the prediction for a formula is the median over its
crystals. The result is printed and written to crabnet.json. Published for CrabNet: mean absolute error 2.32 W/m/K.""",
)
@guarded
def crabnet(
    output: Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="Folder of the training.")] = Path(
        "crabnet"
    ),
    changes: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change a setting, such as members=5.")
    ] = None,
    device: DeviceOption = Device.cpu,
    mirror: MirrorOption = None,
) -> None:
    """Score AGL conductivities by formula on CrabNet's published split."""
    load_libraries()
    with wrong_usage():
        from paraisite.study.crabnet import run_crabnet
        from paraisite.study.run import claim
        from paraisite.study.settings import load_settings

        settings = load_settings(changes=changes)
        claim(output, settings, resume=True)
    found = run_crabnet(output, settings, mirror=mirror, device=device.value, say=lambda line: say(line, err=True))
    write_json(output / "crabnet.json", found)
    rows = found["rows"]
    say(f"test part: {rows['test_formulas']} formulas, {len(found['fallback']['formulas'])} without a crystal")
    say(f"mean absolute error {found['mae_W_mK']:.3f} W/m/K, of log10 {found['male']:.3f}", nl=False)
    say(f"; MAPE {found['mape']:.3f}, Spearman {found['spearman']:.3f}")


@app.command(
    cls=Verb,
    epilog="""Examples:

\b
  paraisite study report study/
  paraisite study report study/ --own --format md -o table.md
  paraisite study report study/ --format csv -o table.csv""",
)
@guarded
def report(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", exists=True, help="Results of `study run`, or a file of --format runs.")
    ],
    form: Annotated[Format, typer.Option("--format", help="Output format; runs: one line per run.")] = Format.md,
    own: Annotated[bool, typer.Option("--own", help="Only trainings tested on their own dataset.")] = False,
    output: Annotated[Path | None, typer.Option("--output", "-o", metavar="FILE", help="Output file.")] = None,
    overwrite: OverwriteOption = False,
) -> None:
    """Print the table of scores: mean and standard deviation of each metric over the runs."""
    from paraisite.study.table import FORMATS, gains, load_cells

    with wrong_usage():
        refuse_existing(output or (), overwrite)
        made = load_cells(folder)
    if own:
        made = [cell for cell in made if cell.trained_on == cell.tested_on]
    text = FORMATS[form.value](made)
    if output is None:
        say(text, nl=False)
    else:
        write_text(output, text)
        say(f"written: {output}", err=True)
    if form is Format.md:
        for found in gains(made):
            better, worse = found.better, found.worse
            where = ", ".join(part for part in (better.trained_on, better.protocol, better.agl, better.split) if part)
            say(
                f"step {better.step} over {worse.step} ({where}): MAPE lower by {found.difference:.3f} in the mean, in "
                f"{found.wins} of {found.runs} runs, p = {found.p_value:.2g}",
                err=output is None,
            )


@app.command(
    cls=Verb,
    epilog="""Examples:

\b
  paraisite study figures study/ --mirror data/ -o figures/
  paraisite study figures results/study_runs.csv -o figures/

Draws what there are data for: study_cross.png (trained on, tested on), study_gains.png (each step, paired by run, with
the corrected t-test), study_curves.png (error over epochs), study_parity.png (held-out predictions),
study_elements_NAME.png (error by element). Everything is of protocol nested. A file of `study report --format runs`
holds only what the first two need; files beside it, called study_predictions.csv and study_curves.csv where it is
study_runs.csv, hold the rest.""",
)
@guarded
def figures(
    path: Annotated[
        Path, typer.Argument(metavar="DIR|CSV", exists=True, help="Results of `study run`, or a file of --format runs.")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", metavar="DIR", help="Folder of the figures.")] = Path(
        "figures"
    ),
    agl: Annotated[Variant, typer.Option("--agl", help="AGL rows used in training.")] = Variant.no_overlap,
    split: Annotated[
        str, typer.Option("--split", metavar="KIND", help="paper (the study's), formula or prototype.")
    ] = "paper",
    overwrite: OverwriteOption = False,
    mirror: MirrorOption = None,
) -> None:
    """Draw the study's figures."""
    if find_spec("matplotlib") is None:
        fail("figures need matplotlib: pip install 'paraisite[plots]'")
    with wrong_usage():
        from paraisite.study.figures import load_source, pictures

        source = load_source(path, split=split, agl=agl.value, mirror=mirror)
        made = pictures(source)
        refuse_existing([output / picture.name for picture in made], overwrite)
        output.mkdir(parents=True, exist_ok=True)
    for picture in made:
        say(f"written: {picture.save(output)}", err=True)
    for what, there in (("predictions", source.predictions), ("learning curves", source.curves)):
        if not there:
            say(f"{path} has no {what}; their figures are omitted", err=True)


def _names(text: str) -> list[str]:
    names = [name.strip() for name in text.split(",") if name.strip()]
    if not names:
        raise ValueError("an empty list; name at least one, or leave the option out")
    return names


def _numbers(text: str) -> list[int]:
    found: set[int] = set()
    for part in _names(text):
        first, dash, last = part.partition("-")
        try:
            found |= set(range(int(first), int(last if dash else first) + 1))
        except ValueError:
            raise ValueError(f"--runs {text}: write numbers and ranges of numbers, such as 1-9 or 1,3,5") from None
    if not found or min(found) < 1:
        raise ValueError(f"--runs {text}: runs are numbered from 1; the study has 1-9")
    return sorted(found)
