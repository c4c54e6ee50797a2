"""`paraisite serve`: predictions over HTTP, on this machine."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from paraisite.cli.console import say
from paraisite.cli.errors import FAILED, fail, guarded, wrong_usage
from paraisite.cli.options import Device, DeviceOption, MirrorOption, ModelOption

EXAMPLES = """Examples:

\b
  paraisite serve
  paraisite serve --port 9000 --open
  PARAISITE_TOKEN=secret paraisite serve --host 0.0.0.0

\b
  curl -F file=@structure.cif http://127.0.0.1:8000/api/v1/predict

\b
Standard output is the access log, a JSON object per line. Ctrl-C or SIGTERM ends the service after the requests
that it has; exit status 0 then, 1 if no worker can start, 2 on wrong usage."""

COMMON = ("host", "port", "model", "workers", "token", "open_page", "max_mb")

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
    ] = 64.0,
    max_crystals: Annotated[
        int, typer.Option("--max-crystals", metavar="N", min=1, help="Maximum number of structures per request.")
    ] = 20_000,
    max_seconds: Annotated[
        float, typer.Option("--max-seconds", metavar="S", min=0.1, help="Time limit per request.")
    ] = 600.0,
    max_gb: Annotated[
        float, typer.Option("--max-gb", metavar="GB", min=0.5, help="Memory at which a worker is replaced.")
    ] = 4.0,
    silence: Annotated[
        float,
        typer.Option("--silence", metavar="S", min=0.1, help="Replace a worker that reports nothing for this long."),
    ] = 90.0,
    queue: Annotated[int, typer.Option("--queue", metavar="N", min=0, help="Maximum number of waiting requests.")] = 64,
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
        from paraisite.web.limits import Limits
        from paraisite.web.pool import Unusable
        from paraisite.web.run import is_loopback, listen, run

        locate(model or DEFAULT, mirror)
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
    shown = f"[{host}]" if ":" in host else host
    url = f"http://{shown}:{listening.getsockname()[1]}"

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
        )
    except Unusable as error:
        fail(str(error), FAILED)
    finally:
        listening.close()
    sys.stdout.flush()
    say("stopped", err=True)
