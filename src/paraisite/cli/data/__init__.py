"""`paraisite data`: one module for each verb."""

from __future__ import annotations

import typer

from paraisite.cli.data import check, clean, describe, export, fetch, import_, info, list_, merge, query, split
from paraisite.cli.verb import Verb

app = typer.Typer(
    rich_markup_mode=None,
    no_args_is_help=True,
    help="Get, check, clean, merge, split, draw and export labelled data.",
    epilog="""Examples:

\b
  paraisite data list
  paraisite data fetch l96 hh143
  paraisite data import my_table.csv -o my_dataset/
  paraisite data clean my_dataset/ -o clean/""",
)

app.command("list", epilog=list_.EXAMPLES, cls=Verb)(list_.list_)
app.command("info", epilog=info.EXAMPLES, cls=Verb)(info.info)
app.command("fetch", epilog=fetch.EXAMPLES, cls=Verb)(fetch.fetch)
app.add_typer(query.app, name="query")
app.command("import", epilog=import_.EXAMPLES, cls=Verb)(import_.import_)
app.command("check", epilog=check.EXAMPLES, cls=Verb)(check.check)
app.command("clean", epilog=clean.EXAMPLES, cls=Verb)(clean.clean)
app.command("merge", epilog=merge.EXAMPLES, cls=Verb)(merge.merge)
app.command("split", epilog=split.EXAMPLES, cls=Verb)(split.split)
app.command("describe", epilog=describe.EXAMPLES, cls=Verb)(describe.describe)
app.command("export", epilog=export.EXAMPLES, cls=Verb)(export.export)
