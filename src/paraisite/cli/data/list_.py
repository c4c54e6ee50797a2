"""`paraisite data list`."""

from __future__ import annotations

from paraisite.cli.console import console, say
from paraisite.cli.errors import guarded
from paraisite.cli.options import MirrorOption

EXAMPLES = """Examples:

\b
  paraisite data list
  paraisite data list --mirror data/"""


@guarded
def list_(mirror: MirrorOption = None) -> None:
    """List the datasets and weights that are available by name, and which are on this machine."""
    from rich import box
    from rich.table import Table

    from paraisite.datasets.places import place
    from paraisite.datasets.registry import registry
    from paraisite.model.registry import ModelError, cache_folder, locate
    from paraisite.model.registry import registry as models

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("name", "rows", "here", "description", "licence"):
        table.add_column(
            heading, no_wrap=heading in ("name", "rows", "here"), justify="right" if heading == "rows" else "left"
        )
    for name, card in registry().items():
        table.add_row(name, str(card.rows), place(card, mirror) or "no", card.title, card.licence)
    for name, entry in models().items():
        if not entry.shipped:
            try:
                here = "cache" if locate(name, mirror).parent == cache_folder() else "mirror"
            except ModelError:
                here = "no"
            table.add_row(name, "", here, f"Weights: {entry.title}", entry.licence)
    console().print(table)
    say("to download one: paraisite data fetch NAME; details: paraisite data info NAME")
