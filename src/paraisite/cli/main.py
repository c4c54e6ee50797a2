"""`paraisite`: the verbs put together. Nothing heavy is imported before a verb runs."""

from __future__ import annotations

import os
import signal
import sys
from typing import Annotated

import typer

from paraisite.cli import (
    data,
    demo,
    embed,
    evaluate,
    models,
    pack,
    predict,
    report,
    screen,
    serve,
    study,
    train,
    tune,
    verify,
)
from paraisite.cli.errors import INTERRUPTED, guarded
from paraisite.cli.verb import Verb, verb

EXAMPLES = """Examples:

\b
  paraisite demo
  paraisite predict structure.cif
  paraisite predict folder/ archive.zip -o out.csv
"""

app = typer.Typer(
    name="paraisite",
    rich_markup_mode=None,  # plain help starts faster, and file names with [brackets] stay as they are
    pretty_exceptions_enable=False,
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(value: bool) -> None:
    if value:
        _print_versions()
        raise typer.Exit


@guarded
def _print_versions() -> None:
    import torch

    from paraisite.versions import versions

    for name, version in versions().items():
        typer.echo(f"{name} {version}")
    gpus = [f"cuda:{i} ({torch.cuda.get_device_name(i)})" for i in range(torch.cuda.device_count())]
    typer.echo(f"devices: {', '.join([f'cpu ({torch.get_num_threads()} threads)', *gpus])}")


@app.callback(epilog=EXAMPLES)
def paraisite(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show versions and devices, and exit.")
    ] = False,
) -> None:
    """Crystal structures in, lattice thermal conductivity at 300 K out, with an interval."""


app.command(epilog=demo.EXAMPLES, cls=Verb)(demo.demo)
app.command(epilog=predict.EXAMPLES, cls=verb(*predict.COMMON))(predict.predict)
app.command(epilog=embed.EXAMPLES, cls=Verb)(embed.embed)
app.command(epilog=screen.EXAMPLES, cls=verb(*screen.COMMON))(screen.screen)
app.command(epilog=serve.EXAMPLES, cls=verb(*serve.COMMON))(serve.serve)
app.command(epilog=pack.EXAMPLES, cls=Verb)(pack.pack)
app.command(epilog=report.EXAMPLES, cls=verb(*report.COMMON))(report.report)
app.command(epilog=verify.EXAMPLES, cls=verb(*verify.COMMON))(verify.verify)
app.command(epilog=evaluate.EXAMPLES, cls=verb(*evaluate.COMMON))(evaluate.evaluate)
app.command(epilog=train.EXAMPLES, cls=verb(*train.COMMON))(train.train)
app.command(epilog=tune.EXAMPLES, cls=Verb)(tune.tune)
app.add_typer(study.app, name="study")
app.add_typer(data.app, name="data")
app.add_typer(models.app, name="models")


def _open_closed_streams() -> None:
    """Have something stand for standard streams that were closed, or the next file that is opened gets their numbers.

    What is written to standard output then fails, as it must: it would have no reader.
    """
    while (number := os.open(os.devnull, os.O_RDONLY)) <= 2:
        if number == 2:
            os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    os.close(number)
    if sys.stdout is None:
        sys.stdout = os.fdopen(1, "w", encoding="utf-8")
    if sys.stderr is None:
        sys.stderr = os.fdopen(2, "w", encoding="utf-8")


def main() -> None:
    """Run the command line."""
    _open_closed_streams()
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a file name or κ that the terminal cannot show must not end the run
            stream.reconfigure(errors="backslashreplace")
    # threads that wait by spinning make each other many times slower where another program uses the cores too
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))  # so that unfinished files are removed
    try:
        guarded(app)()  # what the verbs' own guards do not see: help and versions, to a full disk
    except typer.Exit as end:
        sys.exit(end.exit_code)
    except KeyboardInterrupt:  # in the few lines that no guard covers
        sys.exit(INTERRUPTED)


if __name__ == "__main__":
    main()
