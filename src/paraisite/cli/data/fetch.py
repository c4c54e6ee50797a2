"""`paraisite data fetch`."""

from __future__ import annotations

from typing import Annotated

import typer

from paraisite.cli.console import say
from paraisite.cli.errors import FAILED, guarded, wrong_usage
from paraisite.cli.options import MirrorOption
from paraisite.cli.progress import progress_bar

EXAMPLES = """Examples:

\b
  paraisite data fetch l96 hh143
  paraisite data fetch aflow_agl
  paraisite data fetch l96 --mirror data/

Every file is compared with its registered checksum; interrupted downloads are resumed. Behind a firewall, set
PARAISITE_UPSTREAM to a server that provides the files as HOST/PATH."""


@guarded
def fetch(
    names: Annotated[
        list[str], typer.Argument(metavar="NAME…", help="Names of `paraisite data list`: datasets or weights.")
    ],
    mirror: MirrorOption = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a cached dataset.")] = False,
) -> None:
    """Download datasets into the cache, from their public source or a mirror, and print their folders."""
    from paraisite.datasets import fetch as datasets
    from paraisite.datasets.registry import find, registry
    from paraisite.model import registry as models

    with wrong_usage():
        weights = [name for name, entry in models.registry().items() if not entry.shipped]
        for name in names:
            if find(name) is None and name.lower() not in weights:
                raise ValueError(f"{name}: unknown dataset; choose from {', '.join([*registry(), *weights])}")
    failed = False
    for name in names:
        try:
            lines: list[str] = []
            with progress_bar("bytes", names=(), kept=True) as progress:
                if find(name) is not None:
                    folder = datasets.fetch(name, mirror, force=overwrite, progress=progress, say=lines.append)
                else:
                    folder = models.fetch(name, mirror, progress)
        except (ValueError, OSError) as error:
            failed = True
            typer.secho("error: ", fg="red", bold=True, nl=False, err=True)
            say(str(error), err=True)
        else:
            for line in lines:
                say(line, err=True)
            say(str(folder))
    if failed:
        raise typer.Exit(FAILED)
