"""`paraisite data`: one module for each verb."""

from __future__ import annotations

import typer

from paraisite.cli.data import check, clean, describe, export, fetch, import_, info, list_, merge, query, split

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

app.command("list", epilog=list_.EXAMPLES)(list_.list_)
app.command("info", epilog=info.EXAMPLES)(info.info)
app.command("fetch", epilog=fetch.EXAMPLES)(fetch.fetch)
app.add_typer(query.app, name="query")
app.command("import", epilog=import_.EXAMPLES)(import_.import_)
app.command("check", epilog=check.EXAMPLES)(check.check)
app.command("clean", epilog=clean.EXAMPLES)(clean.clean)
app.command("merge", epilog=merge.EXAMPLES)(merge.merge)
app.command("split", epilog=split.EXAMPLES)(split.split)
app.command("describe", epilog=describe.EXAMPLES)(describe.describe)
app.command("export", epilog=export.EXAMPLES)(export.export)
