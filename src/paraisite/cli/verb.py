"""`Verb`: a command whose help has panels, and that still takes the option names of the version before."""

from __future__ import annotations

from typing import Any

import typer
from typer.core import TyperCommand

DEPRECATED = {
    "--out": "--output",
    "--force": "--overwrite",
    "--max-fc2-atoms": "--fc2-max-atoms",
    "--supercell-length": "--length",
}
"""Spellings that work for one more version, in commands that have the new one only."""


class Verb(TyperCommand):
    """A command of the plain help, which leaves typer's own panels out.

    Attributes
    ----------
    common : frozenset of str
        Parameters listed under "Common options", the others under "Advanced options"; without any there is one list.
    """

    common: frozenset[str] = frozenset()

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the arguments and options, panel by panel."""
        panels: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            if (record := parameter.get_help_record(ctx)) is not None:
                panels.setdefault(self._panel(parameter), []).append(record)
        for title in ("Arguments", "Options", "Common options", "Advanced options"):
            if title in panels:
                with formatter.section(title):
                    formatter.write_dl(panels[title])

    def _panel(self, parameter: Any) -> str:
        if parameter.param_type_name == "argument":
            return "Arguments"
        if not self.common:
            return "Options"
        return "Common options" if parameter.name in (*self.common, "help") else "Advanced options"

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse what was given, with deprecated spellings replaced."""
        known = {name for parameter in self.params for name in parameter.opts}
        end = args.index("--") if "--" in args else len(args)
        for i, given in enumerate(args[:end]):
            name, equals, value = given.partition("=")
            new = DEPRECATED.get(name)
            if new in known and name not in known:
                args[i] = f"{new}{equals}{value}"
                typer.echo(f"note: {name} is deprecated, use {new}", err=True)
        return super().parse_args(ctx, args)


def verb(*common: str) -> type[Verb]:
    """Return the class of a command with these common options."""
    return type("Verb", (Verb,), {"common": frozenset(common)})
