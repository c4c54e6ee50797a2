"""`paraisite serve`: predictions over HTTP, on this machine."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from paraisite.cli.console import say
from paraisite.cli.errors import FAILED, fail, guarded, wrong_usage
from paraisite.cli.options import Device, DeviceOption, MirrorOption, ModelOption
from paraisite.web.limits import Limits

if TYPE_CHECKING:
    from paraisite.web.results import Results

EXAMPLES = """Examples:

\b
  paraisite serve
  paraisite serve --port 9000 --open
  paraisite serve --results out.parquet --verified verified/ --open
  PARAISITE_TOKEN=secret paraisite serve --host 0.0.0.0

\b
  curl -F file=@structure.cif http://127.0.0.1:8000/api/v1/predict

\b
Standard output is the access log, a JSON object per line. Ctrl-C or SIGTERM ends the service after the requests
that it has; exit status 0 then, 1 if no worker can start, 2 on wrong usage."""

COMMON = ("host", "port", "model", "workers", "results", "verified", "token", "open_page", "max_mb")

USUAL = Limits()

MOST_WORKERS = 4
"""Unless more are asked for: each holds the model and its libraries."""


@guarded
def serve(
    host: Annotated[str, typer.Option("--host", metavar="ADDRESS", help="Address to listen at.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option("--port", metavar="N", min=0, max=65535, help="Port; 0 takes a free one.")
    ] = 8000,
    model: ModelOption = None,
    workers: Annotated[
        int | None,
        typer.Option(
            "--workers",
            metavar="N",
            min=1,
            help="Worker processes.",
            show_default=f"one per core, at most {MOST_WORKERS}",
        ),
    ] = None,
    results: Annotated[
        Path | None,
        typer.Option("--results", metavar="FILE", help="Show a table of `paraisite screen` (Parquet) on the page."),
    ] = None,
    verified: Annotated[
        Path | None,
        typer.Option("--verified", metavar="DIR", help="Show the results of `paraisite verify` beside predictions."),
    ] = None,
    token: Annotated[
        str,
        typer.Option(
            "--token",
            metavar="TEXT",
            envvar="PARAISITE_TOKEN",
            help="Require this token (Authorization: Bearer TEXT). Other users see the option, but not the variable.",
            show_default=False,
        ),
    ] = "",
    open_page: Annotated[bool, typer.Option("--open", help="Open the page in a browser.")] = False,
    max_mb: Annotated[
        float, typer.Option("--max-mb", metavar="MB", min=0.001, help="Largest body of a request.")
    ] = USUAL.body_bytes / 1e6,
    max_crystals: Annotated[
        int, typer.Option("--max-crystals", metavar="N", min=1, help="Maximum number of structures per request.")
    ] = USUAL.crystals,
    max_seconds: Annotated[
        float, typer.Option("--max-seconds", metavar="S", min=0.1, help="Time limit per request.")
    ] = USUAL.seconds,
    max_gb: Annotated[
        float, typer.Option("--max-gb", metavar="GB", min=0.5, help="Memory at which a worker is replaced.")
    ] = USUAL.worker_GB,
    silence: Annotated[
        float,
        typer.Option("--silence", metavar="S", min=0.1, help="Replace a worker that reports nothing for this long."),
    ] = USUAL.silence_seconds,
    queue: Annotated[
        int, typer.Option("--queue", metavar="N", min=0, help="Maximum number of waiting requests.")
    ] = USUAL.waiting,
    allow_host: Annotated[
        list[str] | None,
        typer.Option("--allow-host", metavar="NAME", help="Also answer under this name, as that of a reverse proxy."),
    ] = None,
    device: DeviceOption = Device.cpu,
    mirror: MirrorOption = None,
) -> None:
    """Answer requests for predictions over HTTP.

    The service listens on this machine only, unless --host names another address. See docs/serve.md for the API.
    """
    with wrong_usage():
        try:
            import fastapi  # noqa: F401
            import python_multipart  # noqa: F401
            import uvicorn  # noqa: F401
        except ImportError as error:
            raise ValueError(f"serve needs {error.name}: pip install 'paraisite[serve]'") from None

        from paraisite.model.registry import DEFAULT, locate
        from paraisite.processes.limits import cores
        from paraisite.web.jobs import Setup
        from paraisite.web.pool import Unusable
        from paraisite.web.run import is_loopback, listen, run

        locate(model or DEFAULT, mirror)
        shown = _results(results, verified)
        limits = Limits(
            body_bytes=int(max_mb * 1e6),
            crystals=max_crystals,
            seconds=max_seconds,
            worker_GB=max_gb,
            silence_seconds=silence,
            waiting=queue,
        )
        listening = listen(host, port)
    local = is_loopback(host)
    if not local and not token:
        say("warning: anyone who reaches this address can use the service; set --token or PARAISITE_TOKEN", err=True)
    names = {"localhost", "127.0.0.1", "::1", host.lower()} if local else set()
    hosts = frozenset(names | {name.lower() for name in allow_host or ()})
    url = f"http://{f'[{host}]' if ':' in host else host}:{listening.getsockname()[1]}"

    def started() -> None:
        say(f"serving at {url} (Ctrl-C ends it)", err=True)
        if open_page:
            import webbrowser

            webbrowser.open(url)

    try:
        run(
            Setup(model or DEFAULT, device.value, str(mirror) if mirror else None),
            limits,
            listening,
            workers=workers or min(cores(), MOST_WORKERS),
            hosts=hosts,
            token=token,
            started=started,
            results=shown,
        )
    except Unusable as error:
        fail(str(error), FAILED)
    finally:
        listening.close()
    sys.stdout.flush()
    say("stopped", err=True)


def _results(table: Path | None, folder: Path | None) -> Results:
    """Read a table and the summary of a folder of `paraisite verify`."""
    from paraisite.phonons.summary import SUMMARY, is_quick, read_summary
    from paraisite.web.results import Results

    rows = []
    if folder is not None:
        if not (folder / SUMMARY).is_file():
            raise ValueError(f"{folder}: no results of `paraisite verify` ({SUMMARY}) there")
        if is_quick(folder / SUMMARY):
            raise ValueError(f"{folder}: holds quick estimates; give a folder of full calculations")
        rows = read_summary(folder / SUMMARY)
    return Results(table, rows, ", ".join(path.name for path in (table, folder) if path is not None))
